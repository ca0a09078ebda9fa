"""What there is to be run: quanta with what they read and write, taken from a run in which all of them succeeded."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..errors import HarnessError
from ..transfer.state import Key, RepositoryState, Value
from .model import PACKAGES, TaskShape, outputs

__all__ = ["Quantum", "Row", "World", "related", "world"]

Row = tuple[str, Key]
"""Dataset type and data ID: what a dataset is, in whichever run."""

JOINED = frozenset({"instrument", "exposure", "visit", "detector", "group", "day_obs", "physical_filter", "band"})
"""Dimensions whose relations the records tell; sky maps are related by regions, which only the middleware compares."""


@dataclasses.dataclass(frozen=True)
class Quantum:
    """One thing to be done.

    Parameters
    ----------
    label : `str`
        Label of the task.
    data_id : `~collections.abc.Mapping` [`str`, `~typing.Any`]
        Required values of the data ID.
    outputs : `tuple` [`Row`]
        What the task itself writes, sorted.
    metadata : `Row`
        What is written when it has succeeded.
    log : `Row` or `None`
        What is written whether it has succeeded or not.
    reads : `tuple` [`Row`]
        Outputs of other quanta that it reads.
    optional : `frozenset` [`str`]
        Dataset types that it can do without.
    """

    label: str
    data_id: Mapping[str, Any]
    outputs: tuple[Row, ...]
    metadata: Row
    log: Row | None
    reads: tuple[Row, ...]
    optional: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """Label and data ID in one word, for people."""
        return f"{self.label} {{{', '.join(f'{k}: {v}' for k, v in self.data_id.items())}}}"

    @property
    def all_outputs(self) -> tuple[Row, ...]:
        """Everything that it may leave."""
        return (*self.outputs, self.metadata, *((self.log,) if self.log else ()))


@dataclasses.dataclass(frozen=True)
class World:
    """A part of a pipeline's quanta, and what they write when all goes well.

    Parameters
    ----------
    quanta : `tuple` [`Quantum`]
        Each after those whose outputs it reads.
    init : `~collections.abc.Mapping` [`str`, `tuple` [`str`]]
        By label the dataset types that are written once for a run.
    files : `~collections.abc.Mapping` [`tuple`, `tuple`]
        Formatter, storage class and digest of the content, by dataset type, data ID and component.
    """

    quanta: tuple[Quantum, ...]
    init: Mapping[str, tuple[str, ...]]
    files: Mapping[Key, Value]

    def narrowed(self, labels: Iterable[str], data_ids: Sequence[Mapping[str, Any]] | None = None) -> World:
        """Return the quanta of some tasks, and if asked for of some data IDs, only.

        Parameters
        ----------
        labels : `~collections.abc.Iterable` [`str`]
            Labels of tasks.
        data_ids : `~collections.abc.Sequence`, optional
            Data IDs: a quantum stays that agrees with one of them.
        """
        some = set(labels)
        stay = [
            q
            for q in self.quanta
            if q.label in some
            and (data_ids is None or any(all(q.data_id.get(k, v) == v for k, v in d.items()) for d in data_ids))
        ]
        return dataclasses.replace(self, quanta=tuple(stay))


def world(
    state: RepositoryState,
    tasks: Sequence[TaskShape],
    quanta: Iterable[tuple[str, Mapping[str, Any]]],
    run: str,
    contents: Mapping[Key, str],
) -> World:
    """Read from a run in which they succeeded what quanta read and write.

    Parameters
    ----------
    state : `~harness.transfer.state.RepositoryState`
        A state that has the run.
    tasks : `~collections.abc.Sequence` [`~harness.rerun.model.TaskShape`]
        The tasks, each after those that it depends on.
    quanta : `~collections.abc.Iterable` [`tuple` [`str`, `~collections.abc.Mapping`]]
        Label and data ID of each quantum.
    run : `str`
        The run.
    contents : `~collections.abc.Mapping` [`tuple`, `str`]
        What its datasets say: see `harness.transfer.content.content_digests`.

    Raises
    ------
    HarnessError
        If tasks depend on each other by way of the sky.
    """
    order = {task.label: i for i, task in enumerate(tasks)}
    wanted = sorted(quanta, key=lambda q: (order[q[0]], [*q[1].values()]))
    produced: dict[str, list[Row]] = {}
    files: dict[Key, Value] = {}
    found: list[Quantum] = []
    related_to = related(state)
    by_id: dict[str, list[tuple[str, Value]]] = {}
    for (id_, component), artifact in state["artifact"].items():
        by_id.setdefault(id_, []).append((component, artifact))
    init = {task.label: tuple(task.init_outputs) for task in tasks}
    init_ids = state.ids([t for types in init.values() for t in types] + [PACKAGES], [run])
    for label, data_id in wanted:
        task = tasks[order[label]]
        ids = outputs(state, task, run, data_id)
        rows = sorted(state["dataset"][i,][:2] for i in ids)
        inside = [t for t in task.inputs if t in produced]
        _joined(state, [*inside, task.metadata])
        reads = [r for t in inside for r in produced[t] if related_to(data_id, state.data_id(*r))]
        found.append(
            Quantum(
                label=label,
                data_id=data_id,
                outputs=tuple(r for r in rows if r[0] not in {task.metadata, task.log}),
                metadata=next(r for r in rows if r[0] == task.metadata),
                log=next((r for r in rows if r[0] == task.log), None),
                reads=tuple(reads),
                optional=frozenset(task.optional),
            )
        )
        for row in found[-1].outputs:
            produced.setdefault(row[0], []).append(row)
        _files(state, ids, by_id, contents, files)
    _files(state, init_ids, by_id, contents, files)
    return World(tuple(found), init, files)


def _files(
    state: RepositoryState,
    ids: Iterable[str],
    by_id: Mapping[str, list[tuple[str, Value]]],
    contents: Mapping[Key, str],
    files: dict[Key, Value],
) -> None:
    for id_ in ids:
        for component, artifact in by_id.get(id_, ()):
            key = (*state["dataset"][id_,][:2], component)
            files[key] = (*artifact[:2], contents.get((id_, component), ""))


def _joined(state: RepositoryState, types: Iterable[str]) -> None:
    for name in types:
        if other := set(state.dimensions[name]) - JOINED:
            raise HarnessError(
                f"dataset type {name} has dimension {min(other)}: its relations to others are not modelled",
                remedy="choose a pipeline whose first tasks work on exposures, visits and detectors",
                code="rerun-scope",
            )


def related(state: RepositoryState) -> Any:
    """Return a function that says whether two data IDs are of the same observation.

    Parameters
    ----------
    state : `~harness.transfer.state.RepositoryState`
        A state with the records of exposures, visits and their definitions.

    Returns
    -------
    related : `~collections.abc.Callable`
        Takes two data IDs and returns a `bool`.
    """
    members: set[tuple[Any, Any, Any]] = set()
    exposures: dict[tuple[Any, Any], dict[str, Any]] = {}
    names = state.elements.get("exposure", ())
    for key, value in state["record"].items():
        if key[0] == "visit_definition":
            place = dict(zip(state.dimensions["visit_definition"], key[1:], strict=True))
            members.add((place["instrument"], place["exposure"], place["visit"]))
        elif key[0] == "exposure":
            exposures[key[1], key[2]] = {n: v for n, v in zip(names, value, strict=True) if n in JOINED}

    def whole(data_id: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**exposures.get((data_id.get("instrument"), data_id.get("exposure")), {}), **data_id}

    def of_one(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
        one, other = whole(first), whole(second)
        if any(other[k] != v for k, v in one.items() if k in other):
            return False
        for a, b in ((one, other), (other, one)):
            apart = "exposure" in a and "visit" in b and "visit" not in a and "exposure" not in b
            if apart and (a["instrument"], a["exposure"], b["visit"]) not in members:
                return False
        return True

    return of_one
