"""File names: safe, different and readable for every data ID and every template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base import contract

if TYPE_CHECKING:
    from ..lab import Lab

__all__ = ["PROPERTIES"]

VALUES = (
    "plain",
    "a b",
    "a/b",
    "a_b",
    "a:b",
    "a<b>",
    'a"b',
    "a?b=c&d",
    "a#b",
    "a%20b",
    "a%2Fb",
    "a+b",
    "a*b",
    "a|b",
    "a'b",
    "a\\b",
    "a~b",
    "..",
    ".hidden",
    "$HOME",
    "a;b",
    "{a}",
    "é\u0302ü",
    "\U0001f52d",
    "x" * 64,
    "-rf",
    "A B",
)
"""Names of groups: what observers and control systems may type."""

FORBIDDEN = '<>:"|?*\\'
"""Characters that some file systems, object stores or shells do not take in a name (Windows' list of reserved ones)."""


def _runs(values: tuple[str, ...]) -> dict[str, str]:
    """Return a run for each value: what one of them does to another is not asked here."""
    return {v: f"run{n}" for n, v in enumerate(values)}


@contract("contract.names.safe-for-every-value", title="Every data ID value is stored in a file with a safe name")
def safe_for_every_value(lab: Lab) -> None:
    """Names of groups, targets and filters come from people. Each must be stored, found and read back, and its file
    be one that can be copied to any file system and object store, and put into a shell command.
    """
    from urllib.parse import unquote

    runs = _runs(tuple(lab.some(VALUES)))
    butler = lab.repository(runs=runs.values(), types={"thing": ("group",)})
    lab.needs("group" in butler.dimensions.dimensions.names, "dimension group")
    butler.registry.insertDimensionData("group", *({"instrument": "CamA", "name": v} for v in runs))
    refs = {}
    for value, run in runs.items():
        with lab.step(f"put with value {value!r}"):
            refs[value] = butler.put({"value": value}, "thing", instrument="CamA", group=value, run=run)
    other = lab.open(butler)
    for value, ref in refs.items():
        with lab.step(f"read with value {value!r}"):
            lab.equal(other.get(ref), {"value": value}, "value")
            uri = other.getURI(ref)
            name = unquote(uri.basename())
            bad = sorted({c for c in name if c in FORBIDDEN or ord(c) < 32})
            lab.equal(bad, [], f"the file name {name!r} has characters that are not safe")
            root = str(lab.root / "repo" / ref.run)
            lab.expect(uri.ospath.startswith(root + "/"), "the file lies outside its run", seen=uri.ospath)
            got = [r.id for r in other.query_datasets("thing", ref.run, group=value, instrument="CamA", explain=False)]
            lab.equal(got, [ref.id], "a query by the value")
            where = "instrument = 'CamA' AND group = v"
            bound = other.query_datasets("thing", ref.run, where=where, bind={"v": value}, explain=False)
            lab.equal([r.id for r in bound], [ref.id], "a query by the bound value")
    with lab.step("transfer and remove them"):
        target = lab.repository("target", world=False)
        options: dict[str, Any] = {"register_dataset_types": True, "transfer_dimensions": True}
        target.transfer_from(other, refs.values(), transfer="copy", **options)
        for value, ref in refs.items():
            lab.equal(target.get(ref), {"value": value}, "value after a transfer")
        butler.pruneDatasets(list(refs.values()), purge=True, unstore=True, disassociate=True)
        left = [p.name for p in (lab.root / "repo").glob("run*/**/*") if p.is_file()]
        lab.equal(left, [], "files left after a purge")


@contract("contract.names.never-collide", title="No two datasets of a run share a file")
def never_collide(lab: Lab) -> None:
    """Two values that become one file name are two datasets in one file: the second put destroys the first, and
    nobody is told.
    """
    values = VALUES[:12]
    butler = lab.repository(runs=["run"], types={"thing": ("group",)})
    lab.needs("group" in butler.dimensions.dimensions.names, "dimension group")
    butler.registry.insertDimensionData("group", *({"instrument": "CamA", "name": v} for v in values))
    refs = {}
    for value in values:
        try:
            refs[value] = butler.put({"value": value}, "thing", instrument="CamA", group=value, run="run")
        except Exception:  # refused is as good as stored apart
            lab.examined()
    for value, ref in refs.items():
        with lab.step(f"read with value {value!r}"):
            lab.equal(butler.get(ref), {"value": value}, "another dataset is in its file")


@contract("contract.names.collections", title="Every name of a collection or dataset type can be used")
def collections(lab: Lab) -> None:
    """Names of people, tickets and dates are in the names of runs."""
    butler = lab.repository()
    names = ("u/someone/DM-12345", "2030-01-01T12:00:00", "a b", "a.b", "UPPER/lower", "x" * 60, "run_1+2", "a=b")
    lab.register_type(butler, "thing", ["instrument"], "StructuredDataDict")
    for name in names:
        with lab.step(f"use a run {name!r}"):
            butler.registry.registerRun(name)
            ref = butler.put({"run": name}, "thing", instrument="CamA", run=name)
            lab.equal(butler.get(ref), {"run": name}, "value")
            lab.equal(butler.get("thing", instrument="CamA", collections=name), {"run": name}, "value by its name")
            lab.expect(name in set(butler.registry.queryCollections(name)), "queryCollections does not find it")
    with lab.step("list the runs"):
        lab.equal(set(butler.collections.query("*")), set(names), "collections.query")
        lab.equal(set(butler.collections.query("u/*")), {names[0]}, "collections.query with a pattern")
    for name in ("aType", "a_type", "_leading", "type2", "a" * 60):
        with lab.step(f"use a dataset type {name!r}"):
            lab.register_type(butler, name, ["instrument"], "StructuredDataDict")
            ref = butler.put({"t": name}, name, instrument="CamA", run="a.b")
            lab.equal(butler.get(ref), {"t": name}, "value")


TEMPLATES: tuple[str, ...] = (
    "{run:/}/{datasetType}/{instrument}/{exposure}_{detector}_{id}",
    "{run:/}/{datasetType}.{component:?}/{instrument}_{exposure:08d}_{detector:03d}_{detector.full_name}",
    "{run}/{datasetType}/{instrument}_{exposure.obs_id}_{detector.raft:?}_{detector.name_in_raft:?}_{detector}",
    "{run:/}/{instrument:?}/{physical_filter:?}/{tract:?}/{exposure}-{detector}_{datasetType}",
    "{run:/}/{day_obs|exposure.day_obs}/{datasetType}_{instrument}_{exposure}_{detector}",
)


@contract("contract.names.templates", title="Every template that is accepted gives each dataset a file of its own")
def templates(lab: Lab) -> None:
    """Sites choose their own templates; two datasets that share a file are one dataset."""
    for number, template in enumerate(lab.some(TEMPLATES)):
        config = {"datastore": {"templates": {"default": template}}}
        with lab.step(f"use the template {template}"):
            try:
                butler = lab.repository(
                    f"repo{number}", config=config, runs=["a", "b"], types={"raw": ("exposure", "detector")}
                )
            except Exception as error:  # a template that is refused is right if the refusal says so
                lab.expect(
                    "emplate" in f"{type(error).__name__} {error}", "refused for another reason", seen=repr(error)
                )
                continue
            refs: list[Any] = []
            for run in ("a", "b"):
                for instrument in ("CamA", "CamB"):
                    for exposure, detector in ((11, 1), (11, 2), (12, 1)):
                        own = {"instrument": instrument, "exposure": exposure, "detector": detector}
                        refs.append(butler.put({"r": run, **own}, "raw", own, run=run))
            lab.equal(len({butler.getURI(r).ospath for r in refs}), len(refs), "files")
            for ref in refs:
                own = {k: ref.dataId[k] for k in ("instrument", "exposure", "detector")}
                lab.equal(butler.get(ref), {"r": ref.run, **own}, "value")


PROPERTIES = (safe_for_every_value, never_collide, collections, templates)
