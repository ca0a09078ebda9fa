"""Defects of ``lsst.pipe.base`` and ``lsst.ctrl.mpexec`` that are patched into this process."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest

Patch = Callable[[pytest.MonkeyPatch], None]

EXECUTOR = "lsst.pipe.base.single_quantum_executor:SingleQuantumExecutor"
BUILDER = "lsst.pipe.base.all_dimensions_quantum_graph_builder:AllDimensionsQuantumGraphBuilder"
PREDICTED = "lsst.pipe.base.quantum_graph:PredictedQuantumGraph"
BUTLER = "lsst.daf.butler.direct_butler:DirectButler"


def wrap(place: str, name: str, change: Callable[..., Any]) -> Patch:
    """Replace a method of ``module:Class`` by one that is given the original (bound) first."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        module, _, kind = place.partition(":")
        target = getattr(import_module(module), kind)
        original = target.__dict__[name]
        if isinstance(original, classmethod):

            def changed(cls: Any, *args: Any, **kwargs: Any) -> Any:
                return change(lambda *a, **k: original.__func__(cls, *a, **k), cls, *args, **kwargs)

            monkeypatch.setattr(target, name, classmethod(changed))
            return

        def replaced(self: Any, *args: Any, **kwargs: Any) -> Any:
            return change(lambda *a, **k: original(self, *a, **k), self, *args, **kwargs)

        monkeypatch.setattr(target, name, replaced)

    return patch


def given(**values: Any) -> Callable[..., Any]:
    """Call the original with other keywords than it was called with."""
    return lambda old, self, *args, **kwargs: old(*args, **{**kwargs, **values})


def nothing(old: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    """Do nothing."""


def skip_sums(old: Any, self: Any, quantum: Any, task_node: Any, *args: Any, **kwargs: Any) -> bool:
    """Take quanta of one task to be done."""
    return task_node.label == "sum" or old(quantum, task_node, *args, **kwargs)


def no_metadata(old: Any, self: Any, quantum: Any, metadata: Any, task_node: Any, *args: Any, **kwargs: Any) -> Any:
    """Forget the metadata of some tasks."""
    return None if task_node.label == "isr" else old(quantum, metadata, task_node, *args, **kwargs)


def lose_one(old: Any, self: Any, source: Any, refs: Any, *args: Any, **kwargs: Any) -> Any:
    """Transfer all datasets but one."""
    return old(source, sorted(refs, key=lambda r: str(r.datasetType.name))[1:], *args, **kwargs)


def lose_one_id(old: Any, cls: Any, uri: Any, quantum_ids: Any = None, **kwargs: Any) -> Any:
    """Read all but one of the quanta that are asked for."""
    ids = None if quantum_ids is None else set(sorted(quantum_ids)[1:])
    return old(uri, quantum_ids=ids, **kwargs)


def all_ids(old: Any, cls: Any, uri: Any, quantum_ids: Any = None, **kwargs: Any) -> Any:
    """Read all quanta, whatever is asked for."""
    return old(uri, quantum_ids=None, **kwargs)


def narrow(old: Any, self: Any, *args: Any, where: str = "", **kwargs: Any) -> Any:
    """Misunderstand a query that has alternatives or ranges."""
    return old(*args, where=f"{where} AND visit = 12" if where.count("AND") > 1 else where, **kwargs)


def another_visit(old: Any, self: Any, *args: Any, where: str = "", **kwargs: Any) -> Any:
    """Leave out a visit."""
    return old(*args, where=f"{where} AND visit < 14", **kwargs)


def later(old: Any, self: Any, collection: str, refs: Any, timespan: Any) -> None:
    """Keep another validity range than is asked for."""
    from astropy.time import TimeDelta
    from lsst.daf.butler import Timespan

    moved = (t if t is None else t + TimeDelta(200, format="sec") for t in (timespan.begin, timespan.end))
    old(collection, refs, Timespan(*moved))


def previous_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the hook the data ID of the quantum before."""
    from lsst.pipe.base.connections import AdjustQuantumHelper

    original, last = AdjustQuantumHelper.adjust_in_place, {}

    def changed(self: Any, connections: Any, label: str, data_id: Any) -> Any:
        other = last.get(label, data_id)
        last[label] = data_id
        return original(self, connections, label, other)

    monkeypatch.setattr(AdjustQuantumHelper, "adjust_in_place", changed)


def rename(old: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
    """Make a copy that has another description."""
    found = old(*args, **kwargs)
    found.description = "another"
    return found


def no_empty(old: Any, self: Any, label: str, tasks: Any, *args: Any, **kwargs: Any) -> Any:
    """Refuse subsets without tasks."""
    from lsst.pipe.base.pipeline_graph import PipelineGraphError

    if not set(tasks):
        raise PipelineGraphError(f"{label} is empty")
    return old(label, tasks, *args, **kwargs)


def current_universe(old: Any, self: Any) -> Any:
    """Send a process no universe."""
    made, (config, _, types, path) = old()
    return made, (config, None, types, path)


def both(*patches: Patch) -> Patch:
    return lambda monkeypatch: [p(monkeypatch) for p in patches] and None


FORGET_DONE = wrap(BUILDER, "__init__", given(skip_existing_in=(), clobber=True))

DEFECTS: dict[str, Patch] = {
    "run.each-quantum-once": wrap(EXECUTOR, "_check_existing_outputs", skip_sums),
    "run.rescue-ends-the-same": both(FORGET_DONE, wrap(EXECUTOR, "__init__", given(skip_existing_in=()))),
    "run.skip-existing-in": FORGET_DONE,
    "run.partial-outputs": wrap(EXECUTOR, "__init__", given(raise_on_partial_outputs=False)),
    "run.other-configuration-refused": wrap(PREDICTED, "write_configs", nothing),
    "run.killed-and-resumed": wrap(EXECUTOR, "_write_metadata", no_metadata),
    "run.executors-agree": wrap(EXECUTOR, "_write_metadata", no_metadata),
    "qbb.same-as-direct": wrap(BUTLER, "transfer_from", lose_one),
    "qbb.retry-does-what-is-missing": wrap(EXECUTOR, "__init__", given(skip_existing=False)),
    "qbb.quantum-by-quantum": wrap(PREDICTED, "read_execution_quanta", all_ids),
    "qbb.another-run": both(
        wrap("lsst.pipe.base.quantum_graph:PredictedQuantumGraphComponents", "update_output_run", nothing),
        wrap("lsst.pipe.base:QuantumGraph", "updateRun", nothing),
    ),
    "graph.is-the-join": wrap(BUILDER, "__init__", another_visit),
    "graph.neutral-changes": wrap(BUILDER, "__init__", narrow),
    "graph.data-id-table": wrap(BUILDER, "__init__", given(data_id_tables=())),
    "graph.saved-is-read": wrap(PREDICTED, "read_execution_quanta", lose_one_id),
    "graph.prerequisites-by-date": wrap("lsst.daf.butler._registry_shim:RegistryShim", "certify", later),
    "graph.done-is-metadata": FORGET_DONE,
    "graph.hook-sees-its-own": previous_id,
    "pipeline.every-part-loads": wrap("lsst.pipe.base.pipeline_graph:PipelineGraph", "add_task_subset", no_empty),
    "pipeline.removed-task-is-gone": wrap("lsst.pipe.base:Pipeline", "removeTask", nothing),
    "pipeline.last-word-counts": wrap("lsst.pipe.base:Pipeline", "addConfigFile", nothing),
    "pipeline.graph-is-kept": wrap("lsst.pipe.base.pipeline_graph:PipelineGraph", "copy", rename),
    "object.copies-are-equal": wrap(
        "lsst.pipe.base.connections:DeferredDatasetRef", "__reduce__", lambda old, self: self.datasetRef.__reduce__()
    ),
    "object.metadata-is-kept": wrap("lsst.pipe.base:TaskMetadata", "getArray", lambda old, self, key: old(key)[0]),
    "universe.runs-as-the-newest": wrap(BUTLER, "transfer_from", lose_one),
    "universe.processes-of-their-own": wrap(
        "lsst.ctrl.mpexec.cli.script.run_qbb:_QBBFactory", "__reduce__", current_universe
    ),
    "universe.local-copy": wrap(BUTLER, "transfer_from", lose_one),
}
"""For each property (without ``contract.``) a defect that it must find."""

BROKEN: dict[str, str] = {
    "pipeline.steps-are-written": "a pipeline that is written has no steps",
    "pipeline.parts-of-steps-resolve": "a part with one whole step and a part of another does not resolve",
    "object.graph-is-pickled": "a graph that was pickled cannot be pickled again",
}
"""Properties that the installed release does not have, with what was seen: defects of the middleware, not seeded."""

ABSENT = {"bps.clusters-induce-edges"}
"""Properties of packages that this project does not install; tried against their releases by hand."""


@pytest.fixture(scope="session", autouse=True)
def _list_packages_once() -> Iterator[None]:
    """Look once which distributions are installed: each run's record of versions looks again, for a second."""
    from importlib import metadata

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(metadata, "packages_distributions", functools.cache(metadata.packages_distributions))
        yield


@pytest.fixture(params=sorted(DEFECTS))
def defect(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Seed one defect; gives the id of the property that must find it."""
    DEFECTS[request.param](monkeypatch)
    return f"contract.{request.param}"


@pytest.fixture(scope="session")
def defects() -> dict[str, Patch]:
    """All seeded defects."""
    return DEFECTS


@pytest.fixture(scope="session")
def known() -> dict[str, str]:
    """What comes of properties that do not pass in this environment."""
    return {**dict.fromkeys(BROKEN, "fail"), **dict.fromkeys(ABSENT, "n/a")}
