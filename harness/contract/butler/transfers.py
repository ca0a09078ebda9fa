"""Export, import and transfer: what arrives is what was there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base import contract

if TYPE_CHECKING:
    from lsst.daf.butler import Butler

    from ..lab import Lab

__all__ = ["PROPERTIES"]

TYPES = {
    "raw": ("exposure", "detector"),
    "calexp": ("visit", "detector"),
    "coadd": ("patch", "band"),
    "thecalib": ("instrument", "detector"),
    "pair": (("visit", "detector"), "ContractPair"),
    "global": (),
}


def full(lab: Lab, name: str = "source") -> Butler:
    """Make a repository with datasets of many dimensions, tags, calibrations with two ranges and chains."""
    return lab.prepared(name, lambda: (_fill(lab, name), None))[0]


def _fill(lab: Lab, name: str) -> Butler:
    from lsst.daf.butler import CollectionType

    from ..things import Pair
    from ..world import data_ids
    from .scene import span

    butler = lab.repository(name, runs=["run", "calibs"], types=TYPES)
    registry = butler.registry
    for type_ in TYPES:
        group = butler.get_dataset_type(type_).dimensions
        rows = data_ids(group)
        for number, row in enumerate(rows[:: max(1, len(rows) // 6)]):
            value = Pair({"n": number}, [1, 2]) if type_ == "pair" else {"n": number, "type": type_}
            data_id = {k: row[k] for k in group.required}
            butler.put(value, type_, data_id, run="calibs" if type_ == "thecalib" else "run")
    registry.registerCollection("tag", CollectionType.TAGGED, doc="some")
    registry.associate("tag", list(registry.queryDatasets("raw", collections="run"))[:3])
    registry.registerCollection("cal", CollectionType.CALIBRATION)
    calibs = sorted(registry.queryDatasets("thecalib", collections="calibs"))
    registry.certify("cal", calibs[:2], span(0, 1000))
    registry.certify("cal", calibs[2:4], span(None, 500.5))
    registry.certify("cal", calibs[2:4], span(1000, None))
    registry.registerCollection("chain", CollectionType.CHAINED, doc="all")
    registry.setCollectionChain("chain", ["run", "tag", "cal", "calibs"])
    return butler


def _export(butler: Butler, folder: Any, *, transfer: str | None = "copy") -> Any:
    """Export everything."""
    folder.mkdir(exist_ok=True)
    registry = butler.registry
    path = folder / "export.yaml"
    with butler.export(directory=str(folder), filename=str(path), transfer=transfer) as export:
        for name in ("run", "calibs", "tag", "cal", "chain"):
            export.saveCollection(name)
        for element in butler.dimensions.elements:
            if element.has_own_table:
                export.saveDimensionData(element.name, registry.queryDimensionRecords(element.name))
        for type_ in TYPES:
            export.saveDatasets(registry.queryDatasets(type_, collections=["run", "calibs"]))
    return path


@contract("contract.transfer.export-import", title="An import of an export gives the same repository")
def export_import(lab: Lab) -> None:
    """Export is backup, subset and move at once. What is lost on the way, a definition, a range, a tag, is missed
    when the original is gone.
    """
    from ..state import contents

    source = full(lab)
    wanted = contents(source)
    for transfer in lab.some(("copy", "symlink")):
        with lab.step(f"export and import by {transfer}"):
            path = _export(source, lab.root / f"export-{transfer}")
            target = lab.repository(f"target-{transfer}", world=False)
            target.import_(directory=str(path.parent), filename=str(path), transfer=transfer)
            target = lab.open(target)
            got = contents(target)
            for kind in wanted:
                lab.equal(got[kind], wanted[kind], f"{kind} after the import")
    lab.equal(contents(source), wanted, "the export changed its source")
    with lab.step("import without transfer of files"):
        path = _export(source, lab.root / "export-none", transfer=None)
        lab.expect(path.exists(), "no export file was made")


@contract("contract.transfer.records-come-along", title="Exported records bring what they consist of")
def records_come_along(lab: Lab) -> None:
    """A visit is its exposures, its definition, its systems and its regions; a repository with visits alone has
    graphs without inputs.
    """
    from ..state import record_values

    source = lab.repository("source")
    registry = source.registry
    others = ("exposure", "visit_detector_region", "patch", "physical_filter", "detector")
    for element in ("visit", *lab.some(others)):
        folder = lab.root / f"export-{element}"
        folder.mkdir()
        path = folder / "export.yaml"
        with lab.step(f"export data IDs of {element} and import them"):
            dimensions = source.dimensions[element].minimal_group
            with source.export(filename=str(path)) as export:
                export.saveDataIds([r.dataId for r in registry.queryDimensionRecords(element)])
            target = lab.repository(f"target-{element}", world=False)
            target.import_(filename=str(path))
            target = lab.open(target)
            names = {*dimensions.elements}
            populated = {
                e.name
                for e in source.dimensions.elements
                if e.populated_by is not None and e.populated_by.name in names
            }
            for name in sorted(names | populated):
                if not source.dimensions[name].has_own_table:
                    continue
                have = {record_values(r) for r in target.registry.queryDimensionRecords(name)}
                want = {record_values(r) for r in registry.queryDimensionRecords(name)}
                lab.equal(have, want, f"records of {name} after the import")


@contract("contract.transfer.between-repositories", title="A transfer brings datasets with records, ids and values")
def between_repositories(lab: Lab) -> None:
    """Sites exchange datasets by transfer; the same id must be the same dataset everywhere, and a transfer that is
    repeated must change nothing.
    """
    from ..state import dataset_key, record_values

    source = full(lab)
    refs = [r for t in TYPES for r in source.query_datasets(t, ["run", "calibs"], find_first=False)]
    target = lab.repository("target", world=False)
    options: dict[str, Any] = {"transfer": "copy", "register_dataset_types": True, "transfer_dimensions": True}
    with lab.step("transfer_from"):
        moved = target.transfer_from(source, refs, **options)
        lab.equal({r.id for r in moved}, {r.id for r in refs}, "transfer_from does not say what it transferred")
    with lab.step("read after the transfer"):
        for ref in refs:
            lab.equal(target.get(ref), source.get(ref), "value", data_id=dict(ref.dataId.required))
            lab.equal(dataset_key(target.get_dataset(ref.id)), dataset_key(ref), "dataset")
        for element in ("instrument", "exposure", "visit", "detector", "patch", "physical_filter", "visit_definition"):
            have = {record_values(r) for r in target.registry.queryDimensionRecords(element)}
            want = {record_values(r) for r in source.registry.queryDimensionRecords(element)}
            lab.expect(have <= want, f"records of {element} are others", seen=have - want)
            lab.expect(bool(have), f"no records of {element} came along")
        own = {(r.instrument, r.id) for r in target.registry.queryDimensionRecords("visit")}
        members = {
            (r.instrument, r.visit, r.exposure) for r in target.registry.queryDimensionRecords("visit_definition")
        }
        want = {
            (r.instrument, r.visit, r.exposure)
            for r in source.registry.queryDimensionRecords("visit_definition")
            if (r.instrument, r.visit) in own
        }
        lab.equal(members, want, "the definitions of the visits that came along")
    with lab.step("transfer once more"), lab.unchanged(target, "a repeated transfer"):
        target.transfer_from(source, refs, **options)
    with lab.step("transfer onto another dataset of the same data ID and run"):
        other = lab.repository("other", runs=["run"], types=TYPES)
        first = next(r for r in refs if r.datasetType.name == "raw")
        other.put({"another": True}, "raw", first.dataId.required, run="run")
        with lab.refused("transfer_from"):
            other.transfer_from(source, [first], **options)
        kept = other.get("raw", first.dataId.required, collections="run")
        lab.equal(kept, {"another": True}, "the dataset that was there")


@contract("contract.transfer.import-twice", title="A second import is refused or changes nothing")
def import_twice(lab: Lab) -> None:
    """Imports are repeated after an interruption; whatever the second one says, the repository must be that of the
    first.
    """
    source = full(lab)
    path = _export(source, lab.root / "export")
    target = lab.repository("target", world=False)
    with lab.step("first import"):
        target.import_(directory=str(path.parent), filename=str(path), transfer="copy")
    with lab.unchanged(target, "a second import"):
        try:
            target.import_(directory=str(path.parent), filename=str(path), transfer="copy")
        except Exception:  # refused or done: what counts is what is there afterwards
            lab.examined()
    with lab.step("read after a second import"):
        for ref in source.query_datasets("raw", "run"):
            lab.equal(target.get(ref), source.get(ref), "value")


@contract("contract.transfer.artifacts", title="Retrieved and zipped files hold what the datasets hold")
def artifacts(lab: Lab) -> None:
    """Files that are handed out, or packed into one, are read by people without the repository, and come back."""
    source = full(lab)
    refs = source.query_datasets("raw", "run")
    out = lab.root / "out"
    for preserve in (True, False):
        with lab.step(f"retrieve artifacts, preserving paths: {preserve}"):
            (out / str(preserve)).mkdir(parents=True)
            got = source.retrieveArtifacts(
                refs, destination=f"{out / str(preserve)}/", transfer="copy", preserve_path=preserve
            )
            files = list((out / str(preserve)).rglob("*.yaml"))
            lab.equal(len(files), len(refs), "files retrieved")
            lab.expect(len(got) >= len(refs), "paths returned", seen=len(got), expected=len(refs))
            wanted = sorted(source.getURI(r).read() for r in refs)
            lab.equal(sorted(p.read_bytes() for p in files), wanted, "contents of the files")
    lab.needs(hasattr(source, "retrieve_artifacts_zip"), "Butler.retrieve_artifacts_zip")
    with lab.step("zip and ingest the zip"):
        (lab.root / "zip").mkdir()
        packed = source.retrieve_artifacts_zip(refs, destination=f"{lab.root / 'zip'}/")
        target = lab.repository("target", runs=["run"], types=TYPES)
        target.ingest_zip(packed, transfer="copy")
        for ref in refs:
            lab.equal(target.get(ref), source.get(ref), "value out of a zip", data_id=dict(ref.dataId.required))
    with lab.step("remove one dataset of a zip"):
        target.pruneDatasets(refs[:1], purge=True, unstore=True, disassociate=True)
        for ref in refs[1:]:
            lab.equal(target.get(ref), source.get(ref), "value of another dataset of the zip")
    with lab.step("remove all datasets of a zip"):
        target.pruneDatasets(refs[1:], purge=True, unstore=True, disassociate=True)
        left = [str(p) for p in (lab.root / "target").rglob("*.zip")]
        lab.equal(left, [], "files left")


PROPERTIES = (export_import, records_come_along, between_repositories, import_twice, artifacts)
