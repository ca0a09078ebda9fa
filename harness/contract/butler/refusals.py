"""What is refused leaves no trace, and what was there stays readable."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base import contract

if TYPE_CHECKING:
    from lsst.daf.butler import Butler

    from ..lab import Lab

__all__ = ["PROPERTIES"]


def _file(lab: Lab, name: str, value: Any) -> Path:
    """Write a file that the formatter of dictionaries reads."""
    import json

    path = lab.root / name
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def _dataset(butler: Butler, path: Path, detector: int, run: str = "run", name: str = "thing") -> Any:
    from lsst.daf.butler import DatasetRef, FileDataset

    type_ = butler.get_dataset_type(name)
    data_id = butler.registry.expandDataId(instrument="CamA", detector=detector)
    formatter = "lsst.daf.butler.formatters.yaml.YamlFormatter"
    return FileDataset(path=str(path), refs=[DatasetRef(type_, data_id, run=run)], formatter=formatter)


@contract("contract.refusal.ingest", title="A refused ingest changes nothing, and the stored file stays readable")
def ingest(lab: Lab) -> None:
    """Ingest runs unattended and meets the same file twice, missing files and unknown data IDs. What it refuses must
    cost nothing: neither the dataset that is there nor the others of the same call.
    """
    for transfer in lab.some(("copy", "move", "hardlink", "symlink", "direct")):
        butler = lab.repository(f"repo-{transfer}", runs=["run"], types={"thing": ("instrument", "detector")})
        first = _file(lab, f"{transfer}-first.yaml", {"n": 1})
        with lab.step(f"ingest by {transfer}"):
            item = _dataset(butler, first, 1)
            butler.ingest(item, transfer=transfer)
            lab.equal(butler.get(item.refs[0]), {"n": 1}, "what was ingested is not what is read")
        again = _file(lab, f"{transfer}-again.yaml", {"n": 2})
        cases: list[tuple[str, list[Any]]] = [
            ("another file for a data ID that is there", [_dataset(butler, again, 1)]),
            ("a new one with one that is there", [_dataset(butler, again, 2), _dataset(butler, again, 1)]),
            ("a file that is missing", [_dataset(butler, lab.root / "missing.yaml", 3)]),
            (
                "a good one with one whose file is missing",
                [_dataset(butler, again, 2), _dataset(butler, lab.root / "no.yaml", 3)],
            ),
        ]
        for what, items in cases:
            with (
                lab.step(f"ingest by {transfer}: {what}"),
                lab.unchanged(butler, "a refused ingest"),
                lab.refused("ingest"),
            ):
                butler.ingest(*items, transfer=transfer)
            with lab.step(f"read after ingest by {transfer}: {what}"):
                lab.equal(
                    butler.get("thing", instrument="CamA", detector=1, collections="run"), {"n": 1}, "old content"
                )
                lab.expect(again.exists(), "the file to be ingested is gone")
        with (
            lab.step(f"ingest the same reference by {transfer} once more"),
            lab.unchanged(butler, "a refused ingest"),
            lab.refused("ingest"),
        ):
            butler.ingest(type(item)(path=str(again), refs=item.refs, formatter=item.formatter), transfer=transfer)
        with lab.step(f"ingest the same once more by {transfer}, skipping"), lab.unchanged(butler, "skip_existing"):
            try:
                butler.ingest(
                    type(item)(path=str(again), refs=item.refs, formatter=item.formatter),
                    transfer=transfer,
                    skip_existing=True,
                )
            except Exception as error:  # some transfer modes refuse to skip; the state is what matters
                lab.expect(not isinstance(error, KeyError | AttributeError), f"skip_existing raised {error!r}")
        with lab.step(f"read at the end of ingests by {transfer}"):
            lab.equal(butler.get("thing", instrument="CamA", detector=1, collections="run"), {"n": 1}, "old content")


@contract("contract.refusal.put", title="A refused put changes nothing")
def put(lab: Lab) -> None:
    """A task that is run twice puts twice. The second put is refused and the first dataset must be as it was."""
    from lsst.daf.butler import DatasetRef

    butler = lab.repository(
        runs=["run"], types={"thing": ("instrument", "detector"), "table": (("instrument",), "ArrowAstropy")}
    )
    ref = butler.put({"n": 1}, "thing", instrument="CamA", detector=1, run="run")
    other = DatasetRef(ref.datasetType, ref.dataId, run="run")
    cases: dict[str, Any] = {
        "the same data ID again": lambda: butler.put({"n": 2}, "thing", instrument="CamA", detector=1, run="run"),
        "another id for a data ID that is there": lambda: butler.put({"n": 2}, other),
        "an unknown instrument": lambda: butler.put({}, "thing", instrument="CamC", detector=1, run="run"),
        "an unknown detector": lambda: butler.put({}, "thing", instrument="CamA", detector=99, run="run"),
        "an incomplete data ID": lambda: butler.put({}, "thing", instrument="CamA", run="run"),
        "an unknown dataset type": lambda: butler.put({}, "nothing", instrument="CamA", run="run"),
        "an object of another type": lambda: butler.put({"a": 1}, "table", instrument="CamA", run="run"),
        "an object that cannot be written": lambda: butler.put(
            {"a": object()}, "thing", instrument="CamA", detector=2, run="run"
        ),
        "a run that does not exist": lambda: butler.put({}, "thing", instrument="CamA", detector=2, run="nowhere"),
    }
    for what, attempt in cases.items():
        if what == "another id for a data ID that is there":
            with lab.step(f"put {what}"), lab.refused("put"):
                attempt()
            continue
        with lab.step(f"put {what}"), lab.unchanged(butler, "a refused put"), lab.refused("put"):
            attempt()
    with lab.step("read after refused puts"):
        lab.equal(butler.get(ref), {"n": 1}, "old content")
    with lab.step("put in a transaction that is given up"), lab.unchanged(butler, "a transaction that was given up"):
        try:
            with butler.transaction():
                butler.put({"n": 3}, "thing", instrument="CamA", detector=2, run="run")
                butler.put({"n": 3}, "thing", instrument="CamB", detector=2, run="run")
                _give_up()
        except _GivenUpError:
            pass
    with lab.step("put after a transaction that was given up"):
        butler.put({"n": 4}, "thing", instrument="CamA", detector=2, run="run")
        lab.equal(butler.get("thing", instrument="CamA", detector=2, collections="run"), {"n": 4}, "new content")


class _GivenUpError(Exception):
    """Raised to give a transaction up."""


def _give_up() -> None:
    raise _GivenUpError


@contract("contract.refusal.register", title="A refused registration changes nothing")
def register(lab: Lab) -> None:
    """Two people register the same name differently; the second is told, and the first is not harmed."""
    from lsst.daf.butler import CollectionType, DatasetType

    butler = lab.repository(runs=["run"], types={"thing": ("instrument", "detector")})
    registry = butler.registry
    ref = butler.put({}, "thing", instrument="CamA", detector=1, run="run")
    for name, kind in (
        ("tag", CollectionType.TAGGED),
        ("cal", CollectionType.CALIBRATION),
        ("chain", CollectionType.CHAINED),
    ):
        registry.registerCollection(name, kind)
    registry.setCollectionChain("chain", ["run", "tag"])
    registry.associate("tag", [ref])
    universe = butler.dimensions
    record = next(iter(registry.queryDimensionRecords("detector", instrument="CamA", detector=1))).toDict()
    cases: dict[str, Any] = {
        "a dataset type with other dimensions": lambda: registry.registerDatasetType(
            DatasetType("thing", universe.conform(["instrument"]), "StructuredDataDict")
        ),
        "a dataset type with another storage class": lambda: registry.registerDatasetType(
            DatasetType("thing", universe.conform(["instrument", "detector"]), "ArrowAstropy")
        ),
        "a dataset type as a calibration": lambda: registry.registerDatasetType(
            DatasetType("thing", universe.conform(["instrument", "detector"]), "StructuredDataDict", isCalibration=True)
        ),
        "a chain with a child that does not exist": lambda: registry.setCollectionChain("chain", ["run", "nowhere"]),
        "a chain that has itself": lambda: registry.setCollectionChain("chain", ["run", "chain"]),
        "children of a run": lambda: registry.setCollectionChain("run", ["tag"]),
        "a detector that contradicts one that is there": lambda: registry.syncDimensionData(
            "detector", {**record, "full_name": "another"}
        ),
        "a record twice": lambda: registry.insertDimensionData("detector", record),
        "a visit of an unknown filter": lambda: registry.insertDimensionData(
            "physical_filter", {"instrument": "CamC", "name": "x", "band": "g"}
        ),
        "removal of a dataset type that is used": lambda: registry.removeDatasetType("thing"),
        "removal of a collection of a chain": lambda: registry.removeCollection("tag"),
        "removal of a run that does not exist": lambda: registry.removeCollection("nowhere"),
        "a tag of a dataset in a run": lambda: registry.associate("run", [ref]),
        "a certification of what is no calibration": lambda: registry.certify("cal", [ref], _always()),
        "a certification in a tag": lambda: registry.certify("tag", [ref], _always()),
    }
    for what, attempt in cases.items():
        with lab.step(what), lab.unchanged(butler, "what was refused"), lab.refused(what):
            attempt()
    with lab.step("register what is there once more"), lab.unchanged(butler, "what was there already"):
        lab.equal(registry.registerRun("run"), False, "registerRun says that it made what was there")
        lab.equal(registry.registerDatasetType(ref.datasetType), False, "registerDatasetType says so")
        lab.equal(registry.registerCollection("tag", CollectionType.TAGGED), False, "registerCollection says so")
        registry.associate("tag", [ref])
        registry.setCollectionChain("chain", ["run", "tag"])
        lab.equal(registry.syncDimensionData("detector", record), False, "syncDimensionData says so")
        registry.insertDimensionData("detector", record, skip_existing=True)


def _always() -> Any:
    from lsst.daf.butler import Timespan

    return Timespan(None, None)


@contract("contract.refusal.certify", title="A certification that conflicts is refused and changes nothing")
def certify(lab: Lab) -> None:
    """Two calibrations at one time are ambiguous for each exposure of it."""
    from lsst.daf.butler import CollectionType

    from .scene import span

    butler = lab.repository(runs=["a", "b"], types={"thecalib": ("instrument", "detector")})
    registry = butler.registry
    refs = {r: [butler.put({}, "thecalib", instrument="CamA", detector=d, run=r) for d in (1, 2)] for r in ("a", "b")}
    registry.registerCollection("cal", CollectionType.CALIBRATION)
    registry.certify("cal", refs["a"], span(100, 200))
    for begin, end in ((100, 200), (150, 250), (50, 101), (199, 300), (None, None), (120, 130), (None, 150)):
        with (
            lab.step(f"certify over {begin} to {end} of 100 to 200"),
            lab.unchanged(butler, "a refused certification"),
            lab.refused("certify"),
        ):
            registry.certify("cal", refs["b"], span(begin, end))
    for begin, end in ((200, 250), (50, 100), (None, 50), (250, None)):
        with lab.step(f"certify {begin} to {end} beside 100 to 200"):
            registry.certify("cal", refs["b"], span(begin, end))
    with lab.step("two of one data ID at once"), lab.unchanged(butler, "a refused certification"):
        registry.registerCollection("cal", CollectionType.CALIBRATION)
        with lab.refused("certify"):
            registry.certify("cal", [refs["a"][0], refs["b"][0]], span(10_000, 10_001))


@contract("contract.refusal.delete", title="A refused deletion changes nothing, an accepted one only what it names")
def delete(lab: Lab) -> None:
    """Deletion cannot be undone; what was refused or not named must be there afterwards, readable."""
    from lsst.daf.butler import CollectionType

    from ..state import contents

    butler = lab.repository(runs=["a", "b", "c"], types={"thing": ("instrument", "detector"), "other": ("instrument",)})
    registry = butler.registry
    refs = {
        (r, d): butler.put({"r": r, "d": d}, "thing", instrument="CamA", detector=d, run=r)
        for r in "abc"
        for d in (1, 2, 3)
    }
    registry.registerCollection("tag", CollectionType.TAGGED)
    registry.associate("tag", [refs["a", 1], refs["b", 2]])
    registry.registerCollection("chain", CollectionType.CHAINED)
    registry.setCollectionChain("chain", ["b", "c"])
    cases: dict[str, Any] = {
        "purge without unstore": lambda: butler.pruneDatasets([refs["a", 1]], purge=True, disassociate=True),
        "nothing asked for": lambda: butler.pruneDatasets([refs["a", 1]]),
        "removal of a tag as a run": lambda: butler.removeRuns(["tag"]),
        "tags of a run": lambda: butler.pruneDatasets([refs["a", 1]], tags=["b"], disassociate=True),
    }
    for what, attempt in cases.items():
        with lab.step(what), lab.unchanged(butler, "what was refused"), lab.refused(what):
            attempt()

    def check(what: str, gone: set[Any], unstored: set[Any]) -> None:
        state = contents(butler, elements=())
        ids = {k: str(r.id) for k, r in refs.items()}
        lab.equal({d[0] for d in state["datasets"]}, {i for k, i in ids.items() if k not in gone}, f"{what}: datasets")
        lab.equal(set(state["values"]), {i for k, i in ids.items() if k not in gone | unstored}, f"{what}: readable")
        for key, ref in refs.items():
            if key not in gone | unstored:
                lab.equal(butler.get(ref), {"r": key[0], "d": key[1]}, f"{what}: value")

    with lab.step("unstore one"):
        butler.pruneDatasets([refs["a", 1]], unstore=True, disassociate=False)
        check("unstore", set(), {("a", 1)})
        lab.equal(butler.registry.getDataset(refs["a", 1].id), refs["a", 1], "an unstored dataset is forgotten")
    with lab.step("disassociate one"):
        butler.pruneDatasets([refs["b", 2]], tags=["tag"], disassociate=True)
        check("disassociate", set(), {("a", 1)})
        members = {r.id for r in butler.query_datasets("thing", "tag", explain=False)}
        lab.equal(members, {refs["a", 1].id}, "members of the tag")
    with lab.step("purge two"):
        butler.pruneDatasets([refs["a", 2], refs["c", 3]], purge=True, unstore=True, disassociate=True)
        check("purge", {("a", 2), ("c", 3)}, {("a", 1)})
    with lab.step("remove a run"):
        butler.removeRuns(["a"])
        check("remove a run", {("a", 1), ("a", 2), ("a", 3), ("c", 3)}, set())
        lab.expect("a" not in set(registry.queryCollections()), "the run is still there")
    with lab.step("put after removals"):
        ref = butler.put({"n": 5}, "thing", instrument="CamA", detector=3, run="c")
        lab.equal(butler.get(ref), {"n": 5}, "value")


@contract("contract.refusal.remove-runs", title="A refused removal of a run leaves the run as it was")
def remove_runs(lab: Lab) -> None:
    """A run that is in a chain is not removed unless that is said too; who is told so believes that all is there."""
    from lsst.daf.butler import CollectionType

    butler = lab.repository(runs=["a", "b"], types={"thing": ("instrument",)})
    ref = butler.put({"n": 1}, "thing", instrument="CamA", run="a")
    butler.registry.registerCollection("chain", CollectionType.CHAINED)
    butler.registry.setCollectionChain("chain", ["a", "b"])
    with (
        lab.step("remove a run that is in a chain"),
        lab.unchanged(butler, "a refused removal"),
        lab.refused("removeRuns"),
    ):
        butler.removeRuns(["a"])
    with lab.step("read from the run"):
        lab.equal(butler.get(ref), {"n": 1}, "value")
        found = [r.id for r in lab.open(butler).query_datasets("thing", "chain", explain=False)]
        lab.equal(found, [ref.id], "datasets of the chain")


@contract("contract.refusal.read-only", title="A butler that is opened for reading writes nothing")
def read_only(lab: Lab) -> None:
    """Reading is what most people may do; whatever they try, the repository stays as it is."""
    from lsst.daf.butler import CollectionType, DatasetType

    writer = lab.repository(runs=["run"], types={"thing": ("instrument", "detector"), "acalib": ("instrument",)})
    ref = writer.put({"n": 1}, "thing", instrument="CamA", detector=1, run="run")
    calibration = writer.put({"n": 1}, "acalib", instrument="CamA", run="run")
    writer.registry.registerCollection("tag", CollectionType.TAGGED)
    writer.registry.registerCollection("cal", CollectionType.CALIBRATION)
    writer.registry.registerCollection("chain", CollectionType.CHAINED)
    writer.registry.certify("cal", [calibration], _always())
    writer.registry.associate("tag", [ref])
    butler = lab.open(writer, writeable=False)
    registry = butler.registry
    path = _file(lab, "one.yaml", {"n": 2})
    attempts: dict[str, Any] = {
        "put": lambda: butler.put({}, "thing", instrument="CamA", detector=2, run="run"),
        "ingest": lambda: butler.ingest(_dataset(butler, path, 3), transfer="copy"),
        "register a run": lambda: registry.registerRun("new"),
        "register a collection": lambda: butler.collections.register("new", CollectionType.TAGGED),
        "register a dataset type": lambda: registry.registerDatasetType(
            DatasetType("new", butler.dimensions.conform([]), "StructuredDataDict")
        ),
        "insert a record": lambda: registry.insertDimensionData("instrument", {"name": "CamD"}),
        "sync a record": lambda: registry.syncDimensionData("instrument", {"name": "CamD"}),
        "associate": lambda: registry.associate("tag", [ref]),
        "disassociate": lambda: registry.disassociate("tag", [ref]),
        "decertify": lambda: registry.decertify("cal", "acalib", _always()),
        "set a chain": lambda: registry.setCollectionChain("chain", ["run"]),
        "extend a chain": lambda: butler.collections.extend_chain("chain", "run"),
        "remove a collection": lambda: registry.removeCollection("tag"),
        "remove a run": lambda: butler.removeRuns(["run"]),
        "purge": lambda: butler.pruneDatasets([ref], purge=True, unstore=True, disassociate=True),
        "unstore": lambda: butler.pruneDatasets([ref], unstore=True, disassociate=False),
        "remove a dataset type": lambda: registry.removeDatasetType("acalib"),
        "transfer": lambda: butler.transfer_from(writer, [ref], transfer="copy"),
    }
    for what, attempt in attempts.items():
        with lab.step(what), lab.unchanged(writer, "a butler opened for reading"):
            if what == "transfer":
                try:
                    attempt()
                except Exception:  # refused, or found to be there already: both are right
                    lab.examined()
                continue
            with lab.refused(what):
                attempt()
    with lab.step("read"):
        lab.equal(butler.get(ref), {"n": 1}, "value")


PROPERTIES = (ingest, put, register, certify, delete, remove_runs, read_only)
