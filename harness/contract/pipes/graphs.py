"""Quantum graphs: what they hold is the join of the records, however it is asked for and however it is kept."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base import contract

if TYPE_CHECKING:
    from ..lab import Lab
    from .bench import Bench
    from .model import Quantum, Row

__all__ = ["PROPERTIES", "build", "nodes", "plain"]


def key_of(label: str, data_id: Any) -> str:
    """Name a quantum as tasks and the model do."""
    return f"{label} {json.dumps(dict(data_id.required), sort_keys=True)}"


def label_of(node: Any) -> str:
    """Return the label of a node's task."""
    return str(node.task_node.label if hasattr(node, "task_node") else node.taskDef.label)


def load(path: Path, ids: Iterable[Any] | None = None) -> Any:
    """Read a graph, or some of its quanta, from a file of any format; return it as one that can be iterated."""
    from lsst.pipe.base import QuantumGraph

    if path.suffix == ".qg":
        from lsst.pipe.base.quantum_graph import PredictedQuantumGraph

        return PredictedQuantumGraph.read_execution_quanta(str(path), quantum_ids=ids)
    return QuantumGraph.loadUri(str(path), **({} if ids is None else {"nodes": list(ids)}))


def parts(graph: Any) -> Iterable[tuple[Any, str, Any]]:
    """Yield id, label and quantum for each quantum of a graph of either class."""
    if hasattr(graph, "build_execution_quanta"):
        graph.build_execution_quanta()
        for label, quanta in graph.quanta_by_task.items():
            for id_ in quanta.values():
                yield id_, label, graph.quantum_only_xgraph.nodes[id_]["quantum"]
    else:
        for node in graph:
            yield node.nodeId, label_of(node), node.quantum


def nodes(path: Path) -> dict[Any, str]:
    """Return the names of the quanta of a saved graph, by id."""
    return {id_: key_of(label, quantum.dataId) for id_, label, quantum in parts(load(path))}


def row(ref: Any) -> Row:
    """Return type and data ID of a reference; a component counts as its parent."""
    from .model import freeze

    return (ref.datasetType.nameAndComponent()[0], freeze(dict(ref.dataId.required)))


def plain(graph: Any, prerequisites: bool = False) -> dict[str, tuple[frozenset[Row], frozenset[Row]]]:
    """Return what a graph says of each quantum: by name, what it reads and writes.

    Parameters
    ----------
    graph : `lsst.pipe.base.QuantumGraph` or `lsst.pipe.base.quantum_graph.PredictedQuantumGraph`
        Any graph.
    prerequisites : `bool`, optional
        Whether flats count as inputs.
    """
    found = {}
    for _, label, quantum in parts(graph):
        inputs = frozenset(
            row(r)
            for refs in quantum.inputs.values()
            for r in refs
            if prerequisites or r.datasetType.name != "flatcalib"
        )
        outputs = frozenset(row(r) for refs in quantum.outputs.values() for r in refs)
        found[key_of(label, quantum.dataId)] = (inputs, outputs)
    return found


def build(bench: Bench, where: str, run: str = "out/1", inputs: Any = ("raws", "calibs"), **kwargs: Any) -> Any:
    """Build the quantum graph of a bench's pipeline with the middleware's usual builder."""
    from lsst.pipe.base import Pipeline
    from lsst.pipe.base.all_dimensions_quantum_graph_builder import AllDimensionsQuantumGraphBuilder

    graph = Pipeline.from_uri(str(bench.pipeline)).to_graph()
    with bench.surroundings():
        builder = AllDimensionsQuantumGraphBuilder(
            graph, bench.butler, where=where, input_collections=inputs, output_run=run, **kwargs
        )
        return builder.build({"input": list(inputs), "output_run": run}, attach_datastore_records=False)


def modelled(quanta: Iterable[Quantum]) -> dict[str, tuple[frozenset[Row], frozenset[Row]]]:
    """Return what a graph must say of quanta."""
    return {q.key: (q.inputs, q.outputs | {q.metadata, q.log}) for q in quanta}


def some_raws(lab: Lab) -> list[tuple[str, int, int]]:
    """Choose raws of both instruments at random."""
    every = [(i, e, d) for i in ("CamA", "CamB") for e in (11, 12, 13, 14) for d in (1, 2, 3)]
    return lab.rng.sample(every, 16)


@contract("contract.graph.is-the-join", title="A quantum graph has the quanta and edges that the records lead to")
def is_the_join(lab: Lab) -> None:
    """Which quanta there are, and what each reads, is what all processing rests on: joined by hand from the records,
    with raws missing here and there, and for some of them only.
    """
    from .bench import ALL, Bench
    from .model import LABELS, quanta

    bench = Bench(lab, labels=LABELS, raws=some_raws(lab))
    cases: list[tuple[str, Any]] = [
        ("", bool),
        (" AND detector = 2", lambda r: r[2] == 2),
        (" AND detector IN (1, 3)", lambda r: r[2] != 2),
        (" AND visit = 12", lambda r: r[1] in (12, 13)),
        (" AND exposure > 11", lambda r: r[1] > 11),
        (" AND band = 'r'", lambda r: r[1] in (12, 13)),
    ]
    for extra, keeps in [cases[0], *lab.rng.sample(cases[1:], 2)]:
        with lab.step(f"build a graph where {ALL}{extra}"):
            raws = [r for r in bench.raws if r[0] == "CamA" and keeps(r)]
            must, may = modelled(quanta(raws)), modelled(quanta(raws, touching=True))
            if not must:
                continue
            seen = plain(build(bench, ALL + extra))
            lab.equal(set(must) - set(seen), set(), "quanta are missing")
            lab.equal(set(seen) - set(may), set(), "quanta are there that no records lead to")
            for key in sorted(set(seen) & set(must)):
                (inputs, outputs), least, most = seen[key], must[key], may[key]
                lab.expect(
                    least[0] <= inputs <= most[0],
                    f"{key}: reads other datasets",
                    seen=inputs - most[0] or "nothing more",
                    expected=least[0] - inputs or "nothing less",
                )
                lab.equal(outputs, most[1], f"{key}: writes other datasets")


@contract("contract.graph.neutral-changes", title="A query in other words gives the same quantum graph")
def neutral_changes(lab: Lab) -> None:
    """A constraint that holds for all, collections in another order or in a chain, data IDs in a table: the graph is
    that of the same data.
    """
    from lsst.daf.butler import CollectionType

    from .bench import ALL, Bench
    from .model import LABELS

    bench = Bench(lab, labels=LABELS)
    bench.butler.registry.registerCollection("inputs", CollectionType.CHAINED)
    bench.butler.registry.setCollectionChain("inputs", ["calibs", "raws", "flats"])
    base = plain(build(bench, ALL))
    lab.expect(bool(base), "the graph is empty")
    wheres = [
        f"{ALL} AND detector > 0",
        "skymap = 'sky-x' AND instrument IN ('CamA')",
        f"({ALL}) AND (detector = 1 OR detector = 2)",
        f"{ALL} AND visit IN (11..14) AND exposure.exposure_time > 1.0",
        f"{ALL} AND tract IN (0, 1) AND patch >= 0",
        f"{ALL} AND band IN ('g', 'r', 'i')",
        f"{ALL} AND exposure.observation_type = 'science' AND physical_filter != 'x'",
    ]
    for where in lab.rng.sample(wheres, 3):
        with lab.step(f"build the graph where {where}"):
            lab.equal(plain(build(bench, where)), base, "another graph")
    for inputs in (("calibs", "raws"), ("inputs",), ("raws", "inputs")):
        with lab.step(f"build the graph from {inputs}"):
            lab.equal(plain(build(bench, ALL, inputs=inputs), True), plain(build(bench, ALL), True), "another graph")
    with lab.step("build the graph for what bound values name"):
        graph = build(bench, "instrument = inst AND skymap = 'sky-x'", bind={"inst": "CamA"})
        lab.equal(plain(graph), base, "another graph")


@contract("contract.graph.data-id-table", title="A table of data IDs limits a graph as the same query does")
def data_id_table(lab: Lab) -> None:
    """Tables of data IDs stand for queries that are too long to be written."""
    from astropy.table import Table

    from .bench import Bench
    from .model import quanta
    from .qbb import save_graph

    bench = Bench(lab)
    rows = lab.rng.sample([r for r in bench.raws if r[1] != 14], 4)
    path = lab.root / "ids.ecsv"
    table = Table(rows=[(e, d) for _, e, d in rows], names=("exposure", "detector"))
    table["instrument"] = "CamA"
    table.write(str(path))
    with lab.step(f"build a graph for a table of {rows}"):
        graph = save_graph(bench, "table.qgraph", "--data-id-table", path)
        lab.equal(plain(load(graph)), modelled(quanta(rows, bench.labels)), "another graph than that of these data IDs")


@contract("contract.graph.saved-is-read", title="A graph that is saved and read, whole or in part, is the same")
def saved_is_read(lab: Lab) -> None:
    """Building takes hours, reading seconds: the file must have all, in every format, and a job that reads its quanta
    must get those.
    """
    from .bench import Bench
    from .qbb import formats, save_graph

    bench = Bench(lab)
    expected = modelled(bench.quanta)
    for extension in formats():
        with lab.step(f"save and read a graph as {extension}"):
            path = save_graph(bench, f"saved{extension}")
            lab.equal(plain(load(path)), expected, "another graph is read")
            ids = nodes(path)
            for size in (1, 4):
                chosen = lab.rng.sample(sorted(ids), size)
                part = load(path, chosen)
                keys = {ids[i] for i in chosen}
                seen = {k: v for k, v in plain(part).items() if k in keys}
                lab.equal({i: k for i, k in nodes(path).items() if k in keys}, {i: ids[i] for i in chosen}, "ids")
                lab.equal(set(plain(part)) & keys, keys, "quanta asked for by id are missing")
                lab.equal(seen, {k: expected[k] for k in keys}, "a quantum is another when it is read by id")
    with lab.step("save and read a graph object"):
        graph = build(bench, "instrument = 'CamA'")
        path = lab.root / "object.qgraph"
        graph.saveUri(str(path))
        again = load(path)
        lab.equal(plain(again, True), plain(graph, True), "another graph is read")
        lab.equal(again == graph, True, "the graph that is read is not equal to the one that was saved")
        for name in ("input", "output_run"):
            lab.equal(again.metadata.get(name), graph.metadata.get(name), f"metadata {name}")
        lab.equal(refs_of(again), refs_of(graph), "references are others")


def refs_of(graph: Any) -> set[tuple[str, str, Row]]:
    """Return id, run, type and data ID of all references of a graph."""
    quanta = [q for _, _, q in parts(graph)]
    groups = [refs for q in quanta for refs in [*q.inputs.values(), *q.outputs.values()]]
    return {(str(r.id), r.run, row(r)) for refs in groups for r in refs}


@contract("contract.graph.prerequisites-by-date", title="A quantum gets the calibration that is valid at its time")
def prerequisites_by_date(lab: Lab) -> None:
    """A calibration of another night is a silent error in every pixel."""
    from lsst.daf.butler import CollectionType, Timespan

    from ..world import instant
    from .bench import Bench
    from .model import freeze

    bench = Bench(lab, labels=("isr",))
    registry = bench.butler.registry
    registry.registerCollection("dated", CollectionType.CALIBRATION)
    # exposures begin at 100 e s after the first evening, the last one a day later
    spans = {"a": (None, 1150), "b": (1150, 1250), "c": (1250, 86400), "d": (86400, None)}
    refs: dict[tuple[str, int], Any] = {}
    for name, (begin, end) in spans.items():
        registry.registerRun(f"flats-{name}")
        span = Timespan(*(None if t is None else instant(t) for t in (begin, end)))
        for detector in (1, 2):
            data_id = {"instrument": "CamA", "detector": detector}
            refs[name, detector] = bench.butler.put({"flat": name}, "flatcalib", data_id, run=f"flats-{name}")
        registry.certify("dated", [refs[name, 1], refs[name, 2]], span)
    valid = {11: "a", 12: "b", 13: "c", 14: "d"}
    with lab.step("build a graph with calibrations of four dates"):
        graph = build(bench, "instrument = 'CamA'", inputs=("raws", "dated", "calibs"))
        seen, expected = {}, {}
        for _, _, quantum in parts(graph):
            data_id = quantum.dataId
            key = freeze(dict(data_id.required))
            flats = [r.id for rs in quantum.inputs.values() for r in rs if r.datasetType.name == "flatcalib"]
            seen[key], expected[key] = flats, [refs[valid[data_id["exposure"]], data_id["detector"]].id]
        lab.equal(len(seen), len(bench.quanta), "another number of quanta")
        lab.equal(seen, expected, "other calibrations than those that are valid at the time")


@contract("contract.graph.done-is-metadata", title="What is done is what has metadata, whatever its outputs")
def done_is_metadata(lab: Lab) -> None:
    """Outputs may be missing for good reasons, and be there though the quantum failed; its metadata say whether it
    succeeded. A graph of what is left has the quanta without metadata, and no others.
    """
    from .bench import Bench
    from .running import SMALL

    bench = Bench(lab, raws=SMALL)
    with lab.step("run all"):
        bench.works(bench.run(), "pipetask run")
        bench.butler.registry.refresh()
    ends = [q for q in bench.quanta if q.label == "sum"] + [q for q in bench.quanta if q.label == "char"]
    undone, emptied = lab.rng.choice(ends), lab.rng.choice([q for q in bench.quanta if q.label == "isr"])
    producers = {r: q for q in bench.quanta for r in q.outputs}
    while any(producers.get(r) is emptied for r in undone.inputs):
        emptied = lab.rng.choice([q for q in bench.quanta if q.label == "isr"])
    gone = [undone.metadata, next(iter(emptied.outputs))]
    with lab.step(f"take away {gone}, and ask what is left to do"):
        refs = [bench.butler.find_dataset(t, dict(d), collections="out/1") for t, d in gone]
        bench.butler.pruneDatasets(refs, purge=True, unstore=True, disassociate=True)
        graph = build(
            bench, "instrument = 'CamA'", inputs=("out/1", "raws", "calibs"), skip_existing_in=["out/1"], clobber=True
        )
        lab.equal(set(plain(graph)), {undone.key}, "other quanta are left to do than the one without metadata")


@contract("contract.graph.hook-sees-its-own", title="The hook of a quantum is called once, with its own data ID")
def hook_sees_its_own(lab: Lab) -> None:
    """Tasks change what they read and write in a hook that is told the data ID and the references of the quantum. Those
    of another quantum in it lead to wrong decisions in some quanta only.
    """
    from . import tasks
    from .bench import ALL, Bench
    from .model import LABELS

    bench = Bench(lab, labels=LABELS)
    with lab.step("build a graph"):
        tasks.ADJUSTED.clear()
        graph = build(bench, ALL)
        expected = plain(graph)
        calls = list(tasks.ADJUSTED)
        seen = [f"{label} {json.dumps(data_id, sort_keys=True)}" for label, data_id, _ in calls]
        lab.equal(sorted(set(seen)), sorted(expected), "the hook was called for other quanta than the graph has")
        lab.equal(len(seen), len(set(seen)), "the hook was called more than once for a quantum")
        own = {"isr": "post", "char": "cal", "sum": "summary", "warp": "warp", "coadd": "coadd"}
        wrong = [(label, d, given.get(own[label])) for label, d, given in calls if given.get(own[label]) != [d]]
        lab.equal(wrong, [], "the hook was given references whose data ID is not that of the quantum")


PROPERTIES = (
    is_the_join,
    neutral_changes,
    data_id_table,
    saved_is_read,
    prerequisites_by_date,
    done_is_metadata,
    hook_sees_its_own,
)
