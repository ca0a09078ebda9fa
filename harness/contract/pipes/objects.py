"""Objects that go from one process to another, or are copied on the way, come out as they went in."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ..base import contract

if TYPE_CHECKING:
    from ..lab import Lab
    from .bench import Bench

__all__ = ["PROPERTIES"]

WAYS: dict[str, Callable[[Any], Any]] = {
    "pickled": lambda x: pickle.loads(pickle.dumps(x)),  # noqa: S301 - made on the spot
    "pickled with the oldest protocol": lambda x: pickle.loads(pickle.dumps(x, protocol=2)),  # noqa: S301
    "copied": copy.copy,
    "copied deeply": copy.deepcopy,
}


def told(value: Any) -> Any:
    """Return what an object says of itself, as plain values that compare: types, ids, runs and data IDs."""
    from lsst.daf.butler import DatasetRef

    kind = type(value).__name__
    if isinstance(value, DatasetRef):
        return (kind, str(value.id), value.run, value.datasetType.name, tuple(sorted(value.dataId.required.items())))
    if hasattr(value, "datasetRef"):
        return (kind, told(value.datasetRef))
    if hasattr(value, "ref") and hasattr(value, "butler"):
        return (kind, told(value.ref), str(value.parameters), str(value.storageClass))
    if isinstance(value, list | tuple):
        return [told(v) for v in value]
    return (kind, value)


def connections(refs: Any) -> dict[str, Any]:
    """Return what the connections of a quantum are given."""
    return {"data id": dict(refs.dataId.required) if hasattr(refs, "dataId") else {}, **{n: told(r) for n, r in refs}}


def quantum_told(quantum: Any) -> dict[str, Any]:
    """Return what a quantum says of itself."""
    groups = {"inputs": quantum.inputs, "outputs": quantum.outputs}
    found: dict[str, Any] = {
        name: {t.name: sorted(told(r) for r in refs) for t, refs in group.items()} for name, group in groups.items()
    }
    found["init inputs"] = sorted((t.name, told(r)) for t, r in quantum.initInputs.items())
    found["data id"] = dict(quantum.dataId.required)
    found["task"] = quantum.taskName
    return found


def samples(bench: Bench) -> Iterator[tuple[str, Any, Callable[[Any], Any]]]:
    """Yield objects by what they are, with a function that says of one what must be kept."""
    import lsst.pipe.base as package
    from lsst.pipe.base import Struct, TaskMetadata

    from .graphs import build, parts

    graph = build(bench, "instrument = 'CamA'")
    chosen = {label: quantum for _, label, quantum in parts(graph)}
    nodes = package.Pipeline.from_uri(str(bench.pipeline)).to_graph().tasks
    for label, quantum in sorted(chosen.items()):
        yield f"a quantum of {label}", quantum, quantum_told
        config = nodes[label].config
        connected = config.connections.ConnectionsClass(config=config)
        inputs, outputs = connected.buildDatasetRefs(quantum)
        yield f"the input references of {label}", inputs, connections
        yield f"the output references of {label}", outputs, connections
        for name, refs in inputs:
            for ref in refs if isinstance(refs, list) else [refs]:
                yield f"a reference of {label}.{name}", ref, told
                break
        yield f"the configuration of {label}", config, lambda c: c.toDict()
    metadata = TaskMetadata()
    metadata["a"], metadata["b.c"], metadata["d"] = 1, 2.5, ["x", "y"]
    metadata.add("e", True)
    metadata["none.deeper.still"] = "é"
    yield "task metadata", metadata, lambda m: (type(m), m.to_dict(), sorted(m.paramNames(topLevelOnly=False)))
    yield "a struct", Struct(a=1, b=[2]), lambda s: (type(s), s.getDict())
    for error in errors(package):
        yield f"the error {type(error).__name__}", error, lambda e: (type(e), str(e), e.args)
    data_id = next(iter(chosen.values())).dataId
    yield "a data ID", data_id, lambda d: (dict(d.required), d.hasFull(), d.hasRecords())
    if hasattr(package, "ExecutionResources"):
        resources = package.ExecutionResources(num_cores=3, max_mem=2_000_000)
        yield "resources of execution", resources, lambda r: (r.num_cores, str(r.max_mem))
    if hasattr(package, "InMemoryDatasetHandle"):
        handle = package.InMemoryDatasetHandle({"a": 1}, storageClass="StructuredDataDict", visit=3)
        yield "a handle in memory", handle, lambda h: (type(h), h.get(), dict(h.dataId), h.storageClass)
    reference = bench.butler.find_dataset("raw", instrument="CamA", exposure=11, detector=1, collections="raws")
    yield "a deferred dataset", bench.butler.getDeferred(reference), lambda h: (told(h), h.get())


def errors(package: Any) -> Iterator[BaseException]:
    """Yield errors that tasks raise, made as tasks make them."""
    for name in ("NoWorkFound", "UpstreamFailureNoWorkFound", "RepeatableQuantumError", "InvalidQuantumError"):
        if hasattr(package, name):
            yield getattr(package, name)(f"what {name} says", 7)


@contract("contract.object.copies-are-equal", title="What is pickled or copied is what it was")
def copies_are_equal(lab: Lab) -> None:
    """Quanta, references and configurations go to other processes; one that comes back without its deferral, of
    another type, or not at all, fails there, or is read in another way than the task asked for.
    """
    from .bench import Bench

    bench = Bench(lab, raws=(("CamA", 11, 1), ("CamA", 12, 1), ("CamA", 13, 1)))
    with lab.step("make the objects"):
        for what, thing, tell in samples(bench):
            expected = tell(thing)
            for way, change in WAYS.items():
                with lab.step(f"{what}, {way}"):
                    again = change(thing)
                    lab.equal(type(again), type(thing), "another type")
                    lab.equal(tell(again), expected, "says something else")
                    lab.equal(tell(change(again)), expected, "says something else the second time")


@contract("contract.object.metadata-is-kept", title="Metadata of tasks are kept as they are, in every form")
def metadata_is_kept(lab: Lab) -> None:
    """Metadata are how a task's numbers get to those who judge it; a list that becomes a number, or a level that is
    lost, is not noticed.
    """
    from lsst.pipe.base import TaskMetadata

    content: dict[str, Any] = {
        "number": 1,
        "real": 0.1,
        "truth": False,
        "text": "a.b",
        "many": [1, 2, 3],
        "one": [5],
        "words": ["x"],
        "level": {"inner": 2, "deeper": {"x": 1.5, "y": ["p", "q"]}},
    }
    butler = lab.repository(runs=["run"], types={"meta": (("instrument",), "TaskMetadata")})
    with lab.step("make metadata of a dictionary and back"):
        made = TaskMetadata.from_dict(content)
        expected = made.to_dict()
        flat = {**expected}
        level = flat.pop("level")
        lab.equal(level["deeper"]["x"], 1.5, "a value three levels down")
        lab.equal(
            {k: flat[k] for k in ("number", "real", "truth", "text", "many", "words")},
            {**{k: content[k] for k in ("number", "real", "truth", "text", "many")}, "words": flat["words"]},
            "values",
        )
        lab.equal(made.getArray("one"), [5], "a list of one")
        lab.equal(made["level.deeper.y"], made["level"]["deeper"]["y"], "a value by its whole name")
        lab.equal(TaskMetadata.from_dict(expected).to_dict(), expected, "the second time")
    forms: dict[str, Callable[[Any], Any]] = {
        "as JSON": lambda m: TaskMetadata.model_validate_json(m.model_dump_json()),
        "in a repository": lambda m: butler.get(butler.put(m, "meta", instrument="CamA", run="run")),
        **WAYS,
    }
    for form, change in forms.items():
        with lab.step(f"keep metadata {form}"):
            again = change(made)
            lab.equal(again.to_dict(), expected, "other values")
            lab.equal(again == made, True, "not equal")


@contract("contract.object.graph-is-pickled", title="A quantum graph that is pickled or copied is what it was")
def graph_is_pickled(lab: Lab) -> None:
    """Quantum graphs say how they are pickled; services hand them to their workers."""
    from .bench import Bench
    from .graphs import build, plain

    bench = Bench(lab, raws=(("CamA", 11, 1),))
    graph = build(bench, "instrument = 'CamA'")
    expected = plain(graph, True)
    for way, change in WAYS.items():
        with lab.step(f"a quantum graph, {way}"):
            lab.equal(plain(change(graph), True), expected, "another graph")
            lab.equal(plain(change(change(graph)), True), expected, "another graph the second time")


PROPERTIES = (copies_are_equal, graph_is_pickled, metadata_is_kept)
