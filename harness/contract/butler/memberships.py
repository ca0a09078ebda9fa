"""Tags, validity ranges and summaries against simple models, over random operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base import contract
from .scene import span

if TYPE_CHECKING:
    from ..lab import Lab

__all__ = ["PROPERTIES"]

STEPS = 24
"""Operations of one random walk."""

SLOTS = 12
"""Units of time of the model of validity ranges."""


@contract("contract.membership.validity-ranges", title="Validity ranges are those of a model of the same operations")
def validity_ranges(lab: Lab) -> None:
    """Certifying and decertifying cut, split and join ranges of time. A gap or an overlap at an edge changes which
    calibration is used in a night.
    """
    from lsst.daf.butler import CollectionType

    runs = [f"run{n}" for n in range(3)]
    butler = lab.repository(runs=runs, types={"thecalib": ("instrument", "detector")})
    registry = butler.registry
    registry.registerCollection("cal", CollectionType.CALIBRATION)
    refs = {(r, d): butler.put({}, "thecalib", instrument="CamA", detector=d, run=r) for r in runs for d in (1, 2)}
    model: dict[tuple[int, int], Any] = {}  # the dataset of each detector and unit of time

    middles = [span(t * 60.0 + 30, None).nsec[0] for t in range(SLOTS)]

    def bounds(begin: int, end: int) -> Any:
        low, high = (None if begin == 0 else begin * 60.0), (None if end == SLOTS else end * 60.0)
        return span(low, high)

    for step in range(lab.few(STEPS)):
        begin, end = sorted(lab.rng.sample(range(SLOTS + 1), 2))
        detectors = lab.rng.choice([(1,), (2,), (1, 2)])
        cells = [(d, t) for d in detectors for t in range(begin, end)]
        if lab.rng.random() < 0.6:
            run = lab.rng.choice(runs)
            chosen = [refs[run, d] for d in detectors]
            what = f"step {step}: certify {run} {detectors} for {begin} to {end}"
            if any(c in model for c in cells):
                with lab.step(what), lab.refused(what):
                    registry.certify("cal", chosen, bounds(begin, end))
            else:
                with lab.step(what):
                    registry.certify("cal", chosen, bounds(begin, end))
                    model.update({(d, t): refs[run, d].id for d, t in cells})
        else:
            whole = lab.rng.random() < 0.3
            what = f"step {step}: decertify {'all' if whole else detectors} for {begin} to {end}"
            data_ids = None if whole else [{"instrument": "CamA", "detector": d} for d in detectors]
            with lab.step(what):
                ids = None if data_ids is None else [registry.expandDataId(d) for d in data_ids]
                registry.decertify("cal", "thecalib", bounds(begin, end), dataIds=ids)
                for cell in [c for c in model if begin <= c[1] < end and (whole or c[0] in detectors)]:
                    del model[cell]
        with lab.step(what):
            seen: dict[tuple[int, int], Any] = {}
            twice = []
            for item in registry.queryDatasetAssociations("thecalib", collections="cal"):
                low, high = item.timespan.nsec
                for t in range(SLOTS):
                    if low <= middles[t] < high:
                        cell = (item.ref.dataId["detector"], t)
                        twice += [cell] if cell in seen else []
                        seen[cell] = item.ref.id
            lab.equal(seen, model, "ranges")
            lab.equal(twice, [], "two datasets at one time")
    for t in lab.rng.sample(range(SLOTS), 4):
        for d in (1, 2):
            with lab.step(f"find detector {d} at {t}"):
                own = {"instrument": "CamA", "detector": d}
                time = span(t * 60.0 + 1, t * 60.0 + 2)
                found = butler.find_dataset("thecalib", own, collections="cal", timespan=time)
                lab.equal(getattr(found, "id", None), model.get((d, t)), "find_dataset")


@contract("contract.membership.tags", title="Tags hold what was associated, one dataset for a data ID")
def tags(lab: Lab) -> None:
    """A tag is a user's selection; another dataset of the same data ID is refused, and the whole call with it."""
    from lsst.daf.butler import CollectionType

    runs = ["a", "b", "c"]
    butler = lab.repository(runs=runs, types={"thing": ("instrument", "detector"), "other": ("instrument",)})
    registry = butler.registry
    refs = {(r, d): butler.put({}, "thing", instrument="CamA", detector=d, run=r) for r in runs for d in (1, 2, 3)}
    refs |= {(r, 0): butler.put({}, "other", instrument="CamA", run=r) for r in runs}
    names = ["tag1", "tag2"]
    for name in names:
        registry.registerCollection(name, CollectionType.TAGGED)
    model: dict[str, dict[int, Any]] = {n: {} for n in names}
    for step in range(lab.few(STEPS)):
        name, run = lab.rng.choice(names), lab.rng.choice(runs)
        slots = lab.rng.sample(range(4), lab.rng.randint(1, 4))
        chosen = [refs[run, s] for s in slots]
        if lab.rng.random() < 0.6:
            what = f"step {step}: associate {run} {slots} with {name}"
            if any(model[name].get(s, refs[run, s].id) != refs[run, s].id for s in slots):
                with lab.step(what), lab.refused(what):
                    registry.associate(name, chosen)
            else:
                with lab.step(what):
                    registry.associate(name, chosen)
                    model[name].update({s: refs[run, s].id for s in slots})
        else:
            what = f"step {step}: disassociate {run} {slots} from {name}"
            with lab.step(what):
                registry.disassociate(name, chosen)
                for s in slots:
                    if model[name].get(s) == refs[run, s].id:
                        del model[name][s]
        with lab.step(what):
            for n in names:
                seen = {r.dataId["detector"]: r.id for r in registry.queryDatasets("thing", collections=n)}
                lab.equal(seen, {s: i for s, i in model[n].items() if s}, f"datasets of {n}")
                other = [r.id for r in butler.query_datasets("other", n, explain=False)]
                lab.equal(other, [i for s, i in model[n].items() if not s], f"other datasets of {n}")
    with lab.step("datasets of the runs"):
        for run in runs:
            inside = {r.id for r in registry.queryDatasets("thing", collections=run)}
            lab.equal(inside, {refs[run, d].id for d in (1, 2, 3)}, f"datasets of {run}")


@contract(
    "contract.membership.summaries",
    title="Summaries name the types and instruments that a collection has had, and no others",
)
def summaries(lab: Lab) -> None:
    """Queries are cut short by summaries: a type that is missing hides datasets, one too many slows each query and
    misleads people.
    """
    from lsst.daf.butler import CollectionType

    types = {
        "one": ("instrument",),
        "two": ("instrument", "detector"),
        "acalib": ("instrument",),
        "sky": ("tract",),
        "none": (),
    }
    butler = lab.repository(runs=["r1", "r2", "r3"], types=types)
    registry = butler.registry
    for name, kind in (("t1", "TAGGED"), ("t2", "TAGGED"), ("c1", "CALIBRATION"), ("ch", "CHAINED")):
        registry.registerCollection(name, CollectionType[kind])
    registry.setCollectionChain("ch", ["t1", "c1"])
    model: dict[str, tuple[set[str], set[str], set[str]]] = {
        c: (set(), set(), set()) for c in ("r1", "r2", "r3", "t1", "t2", "c1", "ch")
    }

    def add(collection: str, refs: list[Any]) -> None:
        for ref in refs:
            model[collection][0].add(ref.datasetType.name)
            model[collection][1].update({v for k, v in ref.dataId.required.items() if k == "instrument"})
            model[collection][2].update({v for k, v in ref.dataId.required.items() if k == "skymap"})

    def check(what: str) -> None:
        model["ch"] = tuple(a | b for a, b in zip(model["t1"], model["c1"], strict=True))  # type: ignore[assignment]
        for source in (butler, lab.open(butler)):
            for name, (kinds, instruments, skymaps) in model.items():
                summary = source.registry.getCollectionSummary(name)
                lab.equal(set(summary.dataset_types.names), kinds, f"types of {name} after {what}")
                lab.equal(
                    set(summary.governors.get("instrument", ())), instruments, f"instruments of {name} after {what}"
                )
                lab.equal(set(summary.governors.get("skymap", ())), skymaps, f"sky maps of {name} after {what}")
                got = source.collections.get_info(name, include_summary=True)
                lab.equal(set(got.dataset_types or ()), kinds, f"types of {name} in get_info after {what}")

    with lab.step("put"):
        refs = {
            "one": butler.put({}, "one", instrument="CamA", run="r1"),
            "two": butler.put({}, "two", instrument="CamB", detector=1, run="r1"),
            "cal": butler.put({}, "acalib", instrument="CamB", run="r2"),
            "sky": butler.put({}, "sky", skymap="sky-x", tract=0, run="r2"),
            "none": butler.put({}, "none", run="r3"),
        }
        for ref in refs.values():
            add(ref.run, [ref])
        check("puts")
    with lab.step("associate"):
        registry.associate("t1", [refs["one"], refs["sky"]])
        add("t1", [refs["one"], refs["sky"]])
        registry.associate("t2", [refs["two"]])
        add("t2", [refs["two"]])
        registry.associate("t2", [])
        check("associations")
    with lab.step("certify"):
        registry.certify("c1", [refs["cal"]], span(0, 100))
        add("c1", [refs["cal"]])
        check("a certification")
    with lab.step("transfer"):
        target = lab.repository("target", world=True)
        target.transfer_from(butler, [refs["one"], refs["cal"]], transfer="copy", register_dataset_types=True)
        for run, kinds in (("r1", {"one"}), ("r2", {"acalib"})):
            summary = target.registry.getCollectionSummary(run)
            lab.equal(set(summary.dataset_types.names), kinds, f"types of {run} after a transfer")


@contract("contract.membership.chains", title="Chains hold what was put into them, in that order")
def chain_edits(lab: Lab) -> None:
    """Chains are edited all the time, by several programs; a child that is lost or out of order changes inputs."""
    from lsst.daf.butler import CollectionType

    runs = [f"r{n}" for n in range(5)]
    butler = lab.repository(runs=runs)
    registry = butler.registry
    registry.registerCollection("chain", CollectionType.CHAINED)
    registry.registerCollection("outer", CollectionType.CHAINED)
    registry.setCollectionChain("outer", ["chain", "r0"])
    chains = butler.collections
    model: list[str] = []
    for step in range(lab.few(STEPS)):
        chosen = lab.rng.sample(runs, lab.rng.randint(1, 3))
        mode = ("redefine", "prepend", "extend", "remove", "set")[step % 5]
        with lab.step(f"step {step}: {mode} {chosen}"):
            if mode == "extend":
                chains.extend_chain("chain", chosen)
                model = [c for c in model if c not in chosen] + chosen
            elif mode == "prepend":
                chains.prepend_chain("chain", chosen)
                model = chosen + [c for c in model if c not in chosen]
            elif mode == "redefine":
                chains.redefine_chain("chain", chosen)
                model = chosen
            elif mode == "set":
                registry.setCollectionChain("chain", chosen)
                model = chosen
            else:
                chains.remove_from_chain("chain", chosen)
                model = [c for c in model if c not in chosen]
            for source in (butler, lab.open(butler)) if step % 8 == 0 else (butler,):
                lab.equal(list(source.registry.getCollectionChain("chain")), model, "children")
                flat = list(dict.fromkeys([*model, "r0"]))
                lab.equal(list(source.collections.query("outer", flatten_chains=True)), flat, "flattened outer chain")
                for run in runs:
                    parents = set(source.registry.getCollectionParentChains(run))
                    expected = {n for n, c in (("chain", model), ("outer", ["r0"])) if run in c}
                    lab.equal(parents, expected, f"parents of {run}")


@contract(
    "contract.membership.records-are-idempotent", title="Records that are inserted or synchronised again change nothing"
)
def records_are_idempotent(lab: Lab) -> None:
    """Instruments are registered and visits defined again after each change of the software; what did not change must
    be left alone, what did must be what was said.
    """
    from ..state import record_values
    from ..world import records

    butler = lab.repository()
    registry = butler.registry
    for element, items in records(butler.dimensions):
        for what, options in (("replace", {"replace": True}), ("skip_existing", {"skip_existing": True})):
            with lab.step(f"insert the records of {element} again with {what}"), lab.unchanged(butler, what):
                registry.insertDimensionData(element, *items, **options)
        with lab.step(f"synchronise the records of {element}"), lab.unchanged(butler, "syncDimensionData"):
            for item in items[:2]:
                lab.equal(registry.syncDimensionData(element, item), False, "says that it changed something")
                lab.equal(
                    registry.syncDimensionData(element, item, update=True), False, "says that it updated something"
                )
    with lab.step("update a record"):
        record = next(iter(registry.queryDimensionRecords("exposure", instrument="CamA", exposure=11)))
        values = {**record.toDict(), "target_name": "another", "exposure_time": 31.0}
        with lab.refused("a contradicting synchronisation"):
            registry.syncDimensionData("exposure", values)
        changed = registry.syncDimensionData("exposure", values, update=True)
        lab.equal(set(changed or ()), {"target_name", "exposure_time"}, "what it says that it updated")
        now = next(iter(lab.open(butler).registry.queryDimensionRecords("exposure", instrument="CamA", exposure=11)))
        lab.equal(record_values(now), record_values(butler.dimensions["exposure"].RecordClass(**values)), "the record")
        registry.insertDimensionData("exposure", record, replace=True)
        now = next(iter(registry.queryDimensionRecords("exposure", instrument="CamA", exposure=11)))
        lab.equal(record_values(now), record_values(record), "the record after its replacement")


PROPERTIES = (validity_ranges, tags, summaries, chain_edits, records_are_idempotent)
