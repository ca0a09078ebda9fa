"""Prerequisite inputs of quanta that are not found: above all calibrations that are not valid at the time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..verdicts import Finding
from .words import SHOWN, collections_with

if TYPE_CHECKING:
    from lsst.daf.butler import DataCoordinate, Timespan
    from lsst.pipe.base.pipeline_graph import TaskNode
    from lsst.pipe.base.prerequisite_helpers import PrerequisiteFinder

    from .core import Space

__all__ = ["missing_prerequisites"]

LOOKED_AT = 50
"""Quanta of each task for which prerequisites are looked up."""


def missing_prerequisites(space: Space) -> Iterator[Finding]:
    """Name what quanta need and do not find in the input collections.

    The middleware's own finders look it up, each for at most `LOOKED_AT` quanta of its task.

    Parameters
    ----------
    space : `~harness.explain.core.Space`
        The data IDs; some satisfy all constraints.

    Yields
    ------
    finding : `~harness.verdicts.Finding`
        One for each prerequisite that is missing, with an example.
    """
    from lsst.pipe.base.prerequisite_helpers import PrerequisiteInfo

    for task in space.part.tasks.values():
        info = PrerequisiteInfo(task, space.part)
        info.update_bounds()
        if info.bounds.spatial_connections or info.bounds.temporal_connections:
            continue  # bounded by other inputs of the quantum, which are known to the builder of graphs only
        connections = task.get_connections()
        for name, finder in info.finders.items():
            if getattr(connections, name).minimum > 0:
                yield from _missing(space, task, finder)


def _missing(space: Space, task: TaskNode, finder: PrerequisiteFinder) -> Iterator[Finding]:
    """Look for one prerequisite of a task."""
    from lsst.daf.butler import MissingDatasetTypeError

    butler, inputs = space.question.butler, space.question.inputs
    with butler.query() as query:
        found = space.narrow(query, space.constraints()).data_ids(task.dimensions).with_dimension_records()
        data_ids = list(found.limit(LOOKED_AT))
    lacking: list[tuple[DataCoordinate, Timespan | None]] = []
    for data_id in data_ids:
        bounds = finder._bounds
        sky, span = bounds.make_skypix_bounds_builder(data_id).finish(), bounds.make_timespan_builder(data_id).finish()
        try:
            refs = finder.find(butler, inputs, data_id, sky, span)
        except MissingDatasetTypeError:
            refs = []
        if not refs:
            lacking.append((data_id, span))
    if lacking:
        name = finder.dataset_type_node.name
        yield _finding(space, task, name, lacking, len(data_ids))


def _finding(
    space: Space, task: TaskNode, name: str, lacking: Sequence[tuple[DataCoordinate, Any]], asked: int
) -> Finding:
    """Say what is there of it: elsewhere, or for other times."""
    data_id, span = lacking[0]
    butler, inputs = space.question.butler, ", ".join(space.question.inputs)
    message = f"{task.label} finds no {name} for {len(lacking)} of {asked} quanta"
    at = f" at {_iso(span)}" if span is not None and span.isEmpty() is False else ""
    look = f"butler query-datasets {{repo}} {name} --collections '*' --find-all"
    example = dict(data_id.required)
    if not butler.registry.queryDatasetTypes(name):
        seen, remedy = "no such dataset type", f"make or import {name}"
    elif ranges := _validities(space, name, example):
        seen, remedy = (
            f"valid {'; '.join(ranges[:SHOWN])}",
            f"butler certify-calibrations {{repo}} RUN COLLECTION {name}",
        )
        look = f"butler query-datasets {{repo}} {name} --collections {inputs.replace(' ', '')} --find-all"
        message += f"{at}: none is valid then"
    elif elsewhere := [c for c in collections_with(butler, name) if c not in _flat(space)]:
        seen, remedy = f"there are some in {', '.join(elsewhere[:SHOWN])}", f"add --input {elsewhere[0]}"
    else:
        seen, remedy = f"none for this data ID in {inputs}", f"make or import {name}"
    return Finding(
        message,
        data_id=example,
        where=inputs,
        seen=seen,
        expected=f"a {name}{at}",
        look=look,
        remedy=remedy,
    )


def _validities(space: Space, name: str, data_id: dict[str, Any]) -> list[str]:
    """Return for which times the input collections have calibrations of a data ID."""
    out = set()
    for association in space.question.butler.registry.queryDatasetAssociations(
        name, space.question.inputs, flattenChains=True
    ):
        values = association.ref.dataId.required
        if association.timespan is not None and all(data_id.get(k, v) == v for k, v in values.items()):
            out.add(f"{_iso(association.timespan)} in {association.collection}")
    return sorted(out)


def _flat(space: Space) -> set[str]:
    return set(space.question.butler.collections.query(space.question.inputs, flatten_chains=True))


def _iso(span: Timespan) -> str:
    begin, end = (None if t is None else t.isot.partition(".")[0] for t in (span.begin, span.end))
    return f"{begin or '-∞'} to {end or '∞'}"
