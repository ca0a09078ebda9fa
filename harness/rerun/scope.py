"""Which quanta to run again: two tasks, one after the other, on one exposure."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import HarnessError
from ..transfer.state import RepositoryState
from .model import PACKAGES, TaskShape, compatible, outputs, quanta

if TYPE_CHECKING:
    from lsst.daf.butler import Butler

__all__ = ["Scope", "choose", "choose_several", "shapes"]

ENOUGH = 3
"""Quanta of the second task that show what is run again and what is not."""


@dataclasses.dataclass(frozen=True)
class Scope:
    """A part of a processed dataset.

    Parameters
    ----------
    tasks : `tuple` [`~harness.rerun.model.TaskShape`]
        The first task of the pipeline that ran, and the next that reads what it wrote.
    where : `str`
        Data query for the quanta of both.
    quanta : `tuple` [`tuple` [`str`, `dict`]]
        Label and data ID of each quantum.
    removed : `tuple` [`tuple` [`str`, `dict`]]
        The quanta whose outputs are to be removed.
    """

    tasks: tuple[TaskShape, TaskShape]
    where: str
    quanta: tuple[tuple[str, dict[str, Any]], ...]
    removed: tuple[tuple[str, dict[str, Any]], ...]

    def ids(self, state: RepositoryState, run: str, some: Sequence[tuple[str, dict[str, Any]]]) -> list[str]:
        """Return the ids of what some quanta wrote into a run, sorted."""
        by_label = {task.label: task for task in self.tasks}
        return sorted({id_ for label, data_id in some for id_ in outputs(state, by_label[label], run, data_id)})

    def init_ids(self, state: RepositoryState, run: str) -> list[str]:
        """Return the ids of what both tasks wrote into a run before their first quantum, sorted."""
        return sorted(state.ids([*(t for task in self.tasks for t in task.init_outputs), PACKAGES], [run]))


def shapes(butler: Butler, pipeline: str) -> list[TaskShape]:
    """Return what each task of a pipeline reads and writes, each task after those that it depends on.

    Parameters
    ----------
    butler : `lsst.daf.butler.Butler`
        Repository with the dataset types of the pipeline.
    pipeline : `str`
        Its URI.
    """
    from lsst.pipe.base import Pipeline

    graph = Pipeline.from_uri(pipeline).to_graph(registry=butler.registry)
    graph.sort()
    return [
        TaskShape(
            label=task.label,
            dimensions=tuple(task.dimensions.required),
            inputs=tuple(edge.parent_dataset_type_name for edge in task.iter_all_inputs()),
            outputs=tuple(edge.parent_dataset_type_name for edge in task.iter_all_outputs()),
            init_outputs=tuple(edge.parent_dataset_type_name for edge in task.init.iter_all_outputs()),
            metadata=task.metadata_output.parent_dataset_type_name,
            log=task.log_output.parent_dataset_type_name if task.log_output else "",
            optional=_optional(task),
        )
        for task in graph.tasks.values()
    ]


def _optional(task: Any) -> tuple[str, ...]:
    """Return the dataset types that a task can do without."""
    connections = task.get_connections()
    return tuple(
        edge.parent_dataset_type_name
        for edge in task.iter_all_inputs()
        if not getattr(getattr(connections, edge.connection_name), "minimum", 1)
    )


def choose(butler: Butler, state: RepositoryState, tasks: Sequence[TaskShape], run: str, where: str) -> Scope:
    """Choose two tasks, an exposure, and the quanta whose outputs are to be removed.

    Of the later task the first quantum is removed and, if there are others, the last one together with the
    quanta of the earlier task that it depends on.

    Parameters
    ----------
    butler : `lsst.daf.butler.Butler`
        The processed repository.
    state : `~harness.transfer.state.RepositoryState`
        Its state.
    tasks : `~collections.abc.Sequence` [`~harness.rerun.model.TaskShape`]
        The pipeline.
    run : `str`
        Run that has its outputs.
    where : `str`
        Data query that the whole pipeline was run with.

    Raises
    ------
    HarnessError
        If there are no such tasks with outputs in the run.
    """
    first, second = _pair(state, tasks, run)
    # One exposure, but all of its detectors: enough quanta that some are run again and some are not.
    anchor = {k: v for k, v in quanta(state, first, run)[0].items() if k != "detector"}
    query = " AND ".join([*([f"({where})"] if where else []), *(f"{k}={v!r}" for k, v in anchor.items())])
    early = [q for q in quanta(state, first, run) if compatible(anchor, q)]
    # Which visit an exposure belongs to, only the middleware knows.
    found = butler.query_datasets(second.metadata, run, where=query, explain=False, limit=None)
    late = sorted((dict(ref.dataId.required) for ref in found), key=lambda q: [*q.values()])
    if not late:
        raise HarnessError(f"task {second.label} has no outputs in {run} where {query}", code="rerun-scope")
    removed = [(second.label, late[0])]
    if len(late) > 1:
        removed += [(first.label, q) for q in early if compatible(q, late[-1])] + [(second.label, late[-1])]
    everything = [*((first.label, q) for q in early), *((second.label, q) for q in late)]
    return Scope((first, second), query, tuple(everything), tuple(removed))


def choose_several(butler: Butler, state: RepositoryState, tasks: Sequence[TaskShape], run: str, where: str) -> Scope:
    """Choose two tasks and a few quanta: some to go wrong and some to be left alone.

    As `choose`, but of one exposure with many detectors only a few of them, and several exposures if each has but one
    quantum. Nothing is ``removed``.

    Parameters
    ----------
    butler, state, tasks, run, where
        See `choose`.

    Raises
    ------
    HarnessError
        If there are no such tasks with outputs in the run.
    """
    first, second = _pair(state, tasks, run)
    early = quanta(state, first, run)
    anchors: dict[tuple[Any, ...], dict[str, Any]] = {}
    for data_id in early:
        anchor = {k: v for k, v in data_id.items() if k != "detector"}
        anchors.setdefault(tuple(anchor.values()), anchor)
    chosen: list[dict[str, Any]] = []
    late: list[dict[str, Any]] = []
    for anchor in anchors.values():
        query = _query(where, [anchor])
        found = butler.query_datasets(second.metadata, run, where=query, explain=False, limit=None)
        if not found:
            continue
        chosen.append(anchor)
        new = (dict(ref.dataId.required) for ref in found)
        late = sorted([*late, *(q for q in new if q not in late)], key=lambda q: [*q.values()])
        if len(late) > 1:
            break
    if not late:
        raise HarnessError(f"task {second.label} has no outputs in {run}", code="rerun-scope")
    query = _query(where, chosen)
    if "detector" in second.dimensions:
        detectors = sorted({q["detector"] for q in late})[:ENOUGH]
        late = [q for q in late if q["detector"] in detectors]
        early = [q for q in early if q.get("detector") in {None, *detectors}]
        query += f" AND detector IN ({', '.join(map(str, detectors))})"
    early = [q for q in early if any(compatible(a, q) for a in chosen)]
    return Scope((first, second), query, (*((first.label, q) for q in early), *((second.label, q) for q in late)), ())


def _pair(state: RepositoryState, tasks: Sequence[TaskShape], run: str) -> tuple[TaskShape, TaskShape]:
    """Return the first task that ran, and the next that reads what it wrote."""
    ran = [task for task in tasks if quanta(state, task, run)]
    pairs = ((a, b) for a in ran for b in ran if set(a.outputs) & set(b.inputs))
    first, second = next(pairs, (None, None))
    if first is None or second is None:
        raise HarnessError(
            f"run {run} has no two tasks that depend on each other", remedy="was it processed?", code="rerun-scope"
        )
    return first, second


def _query(where: str, anchors: Sequence[dict[str, Any]]) -> str:
    """Return a data query for some exposures."""
    parts = [f"({where})"] if where else []
    for key in anchors[0]:
        values = ", ".join(dict.fromkeys(repr(a[key]) for a in anchors))
        parts.append(f"{key} IN ({values})" if len(anchors) > 1 else f"{key}={values}")
    return " AND ".join(parts)
