"""Choosing the datasets that a transfer is to carry, and the calibrations that they need."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import HarnessError, nearest
from .state import Key, RepositoryState

if TYPE_CHECKING:
    from lsst.daf.butler import Butler

    from .closure import Relations

__all__ = ["Selection", "members", "prerequisites", "select", "stored_ids", "time_span", "whole"]

Range = tuple[int, int]
"""Begin and end (ns, TAI), as in the table ``certification`` of a state."""


@dataclasses.dataclass(frozen=True)
class Selection:
    """What is to be carried.

    Parameters
    ----------
    ids : `frozenset` [`str`]
        All datasets, with the calibrations that the chosen ones need.
    chosen : `frozenset` [`str`]
        Those that the query gave.
    collections : `tuple` [`str`]
        Collections to be carried, with all members of chains.
    runs : `tuple` [`str`]
        RUN and TAGGED collections that were searched.
    where : `str`
        The query.
    types : `tuple` [`str`]
        Dataset types that were searched for; empty if all.
    whole : `bool`
        Whether it is all that the repository has.
    """

    ids: frozenset[str]
    chosen: frozenset[str]
    collections: tuple[str, ...]
    runs: tuple[str, ...]
    where: str = ""
    types: tuple[str, ...] = ()
    whole: bool = True


def stored_ids(state: RepositoryState) -> frozenset[str]:
    """Return the ids of the datasets that some datastore has: only these can be carried anywhere."""
    return frozenset(id_ for id_, _ in state["artifact"])


def whole(state: RepositoryState) -> Selection:
    """Select everything."""
    ids = stored_ids(state) & {i for (i,) in state["dataset"]}
    runs = tuple(sorted({state["dataset"][i,][2] for i in ids}))
    return Selection(ids, ids, tuple(sorted(name for (name,) in state["collection"])), runs)


def members(state: RepositoryState, names: Iterable[str]) -> tuple[str, ...]:
    """Return collections with the members of those that are chains, in search order.

    Raises
    ------
    HarnessError
        If the repository has no such collection.
    """
    found: dict[str, None] = {}

    def add(name: str) -> None:
        if (name,) not in state["collection"]:
            raise nearest("collection", name, (n for (n,) in state["collection"]))
        if name not in found:
            found[name] = None
            for child in state["chain"].get((name,), ((),))[0]:
                add(child)

    for name in names:
        add(name)
    return tuple(found)


def select(
    butler: Butler,
    state: RepositoryState,
    known: Relations,
    *,
    collections: Iterable[str] = (),
    where: str = "",
    types: Iterable[str] = (),
) -> Selection:
    """Select datasets by a query, and the certified calibrations that they need.

    Parameters
    ----------
    butler : `lsst.daf.butler.Butler`
        The repository.
    state : `~harness.transfer.state.RepositoryState`
        Its state.
    known : `~harness.transfer.closure.Relations`
        The relations of its dimensions.
    collections : `~collections.abc.Iterable` [`str`], optional
        Where to search, with the members of chains; everywhere by default. RUN and TAGGED collections are searched;
        of CALIBRATION collections only what the others need is taken.
    where : `str`, optional
        Query expression of the middleware.
    types : `~collections.abc.Iterable` [`str`], optional
        Dataset types; all by default.

    Returns
    -------
    selection : `Selection`
        Without any argument: everything.

    Raises
    ------
    HarnessError
        If a collection or dataset type does not exist, the middleware does not understand the query, or nothing
        matches.
    """
    types, collections = tuple(types), tuple(collections)
    if not (types or where or collections):
        return whole(state)
    for name in types:
        if (name,) not in state["dataset-type"]:
            raise nearest("dataset type", name, (n for (n,) in state["dataset-type"]))
    named = members(state, collections or sorted(n for (n,) in state["collection"]))
    searched = tuple(n for n in named if state["collection"][n,][0] in {"RUN", "TAGGED"})
    calibrated = {i for (c, i) in state["certification"] if c in named}
    stored = stored_ids(state)
    chosen: set[str] = set()
    for name in types or sorted(n for (n,) in state["dataset-type"]):
        if searched:
            chosen |= {str(i) for i in _query(butler, name, searched, where)}
    # What was made to be certified is taken for what it is good for, not because its run was searched too.
    chosen = (chosen & stored) - (calibrated if not types else set())
    if not chosen:
        raise HarnessError(
            f"no dataset matches {where or 'any type'!r} in {', '.join(collections) or 'any collection'}",
            remedy="see 'butler query-datasets'",
            code="nothing-selected",
        )
    needed = prerequisites(state, chosen, [n for n in named if state["collection"][n,][0] == "CALIBRATION"], known)
    ids = frozenset(chosen | (needed & stored))
    return Selection(ids, frozenset(chosen), named, searched, where, types, whole=False)


def _query(butler: Butler, name: str, collections: tuple[str, ...], where: str) -> Iterator[Any]:
    from lsst.daf.butler import ButlerUserError

    try:
        with butler.query() as query:
            found = query.datasets(name, collections, find_first=False).where(where) if where else None
            found = found if found is not None else query.datasets(name, collections, find_first=False)
            yield from (ref.id for ref in found)
    except ButlerUserError as error:
        if type(error).__name__ in {"MissingDatasetTypeError"}:
            return
        raise HarnessError(f"query {where!r}: {str(error).splitlines()[0]}", code="bad-query") from error


def prerequisites(
    state: RepositoryState, ids: Iterable[str], calibrations: Iterable[str], known: Relations
) -> frozenset[str]:
    """Find the calibrations that are certified for the times at which some datasets were taken.

    Parameters
    ----------
    state : `~harness.transfer.state.RepositoryState`
        The repository.
    ids : `~collections.abc.Iterable` [`str`]
        Dataset ids.
    calibrations : `~collections.abc.Iterable` [`str`]
        CALIBRATION collections.
    known : `~harness.transfer.closure.Relations`
        The relations of its dimensions.

    Returns
    -------
    ids : `frozenset` [`str`]
        Datasets whose data ID agrees with that of some dataset (with what it implies, as a filter), and which are
        valid at some moment of its exposure or visit.
    """
    wanted = set(calibrations)
    by_type: dict[tuple[str, ...], dict[Key, list[tuple[str, tuple[Range, ...]]]]] = {}
    for (collection, id_), (type_, values, ranges) in state["certification"].items():
        if collection in wanted:
            by_type.setdefault(state.dimensions[type_], {}).setdefault(values, []).append((id_, ranges))
    found: set[str] = set()
    for values, (begin, end) in _moments(state, ids, known):
        for names, table in by_type.items():
            if all(n in values for n in names):
                for id_, ranges in table.get(tuple(values[n] for n in names), ()):
                    if any(b < end and begin < e for b, e in ranges):
                        found.add(id_)
    return frozenset(found)


def time_span(state: RepositoryState, ids: Iterable[str], known: Relations) -> Range | None:
    """Return from when to when (ns, TAI) exposures and visits of some datasets were taken; `None` without any."""
    spans = [span for _, span in _moments(state, ids, known)]
    return (min(b for b, _ in spans), max(e for _, e in spans)) if spans else None


def _moments(state: RepositoryState, ids: Iterable[str], known: Relations) -> Iterator[tuple[Mapping[str, Any], Range]]:
    """Yield data IDs, with what they imply, and the time span of each of their exposures and visits."""
    seen: set[Key] = set()
    for id_ in ids:
        type_, key, _ = state["dataset"][(id_,)]
        names = state.dimensions[type_]
        if (names, key) in seen:
            continue
        seen.add((names, key))
        values = dict(zip(names, key, strict=True))
        for element in ("exposure", "visit"):
            required = known.required.get(element)
            if required is None or any(n not in values for n in required):
                continue
            row = state["record"].get((element, *(values[n] for n in required)))
            if row is None:
                continue
            fields = state.elements[element]
            span = row[fields.index("timespan")]
            if span is not None:
                yield values | {n: row[fields.index(n)] for n in known.implied[element]}, span
