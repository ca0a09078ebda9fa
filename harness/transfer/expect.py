"""What must be there after a transfer, computed from the state of the source and what the kind carries by design."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from .closure import closure, reach, records_of
from .kinds import Kind
from .selection import stored_ids, time_span
from .state import Key, RepositoryState, Value
from .trip import Trip
from .universes import projected, universe

__all__ = ["Expectation", "carried_ids", "expect"]


@dataclasses.dataclass(frozen=True)
class Expectation:
    """What must be there after a transfer.

    Parameters
    ----------
    state : `~harness.transfer.state.RepositoryState`
        All that must be there.
    allowed : `~collections.abc.Mapping`
        Records that may be there too.
    wanted : `~harness.transfer.state.RepositoryState`
        The selection: all that one could wish to find again.
    """

    state: RepositoryState
    allowed: Mapping[Key, Value]
    wanted: RepositoryState


def carried_ids(kind: Kind, trip: Trip) -> frozenset[str]:
    """Return the datasets that a kind of transfer carries."""
    state, selection = trip.state, trip.selection
    match kind.carries.datasets:
        case "all" | "none":  # without datasets, their records
            ids = selection.ids
        case "chosen":
            ids = selection.chosen
        case "certified":
            calibrations = {c for c in selection.collections if state["collection"][c,][0] == "CALIBRATION"}
            ids = frozenset(i for c, i in state["certification"] if c in calibrations) & stored_ids(state)
        case _:
            ids = frozenset(state.ids(runs=[_graph(trip)[0]])) & stored_ids(state)
    return ids if kind.carries.files_of_several else ids - _sharing(trip)


def expect(kind: Kind, trip: Trip) -> Expectation:
    """Compute what must be there after a transfer.

    Parameters
    ----------
    kind : `~harness.transfer.kinds.Kind`
        The kind of transfer.
    trip : `~harness.transfer.trip.Trip`
        What it starts from.

    Returns
    -------
    expectation : `Expectation`
        In the dimension universe of the target.
    """
    state, carries = trip.state, kind.carries
    ids = carried_ids(kind, trip)
    if carries.memberships == "there":
        return Expectation(_after_graph(trip), {}, state)
    part = closure(state, ids, trip.known)
    allowed: Mapping[Key, Value] = {}
    match carries.records:
        case "named" if trip.selection.whole:
            part = part.replace(record=state["record"])
        case "needed":
            allowed = reach(state, ids, trip.known)
            needed = records_of(state, ids, trip.known, wholly=_untouched(trip, ids))
            part = part.replace(record={k: v for k, v in state["record"].items() if k in needed})
        case "own":
            own = records_of(state, ids, dataclasses.replace(trip.known, dependants={}))
            part = part.replace(record={k: v for k, v in part["record"].items() if k in own})
            allowed = reach(state, ids, trip.known)
        case "none":
            part = part.replace(record={})
    part = _with_collections(kind, trip, part, ids)
    if carries.datasets == "none":
        part = part.replace(dataset={}, dataset_type={}, artifact={}, collection={})
    if not carries.registry:
        part = part.replace(dataset_type={}, collection={})
    if trip.universe is not None:
        target = universe(trip.universe)
        part = projected(part, target)
        allowed = projected(state.replace(record=allowed), target)["record"]
    return Expectation(part, allowed, _wanted(trip))


def _untouched(trip: Trip, ids: frozenset[str]) -> frozenset[str]:
    """Return the loose dependants of which no data ID names a row."""
    named = {frozenset(trip.state.dimensions[trip.state["dataset"][i,][0]]) for i in ids}
    return frozenset(f for f in trip.known.loose if not any(dims >= set(trip.known.required[f]) for dims in named))


def _with_collections(kind: Kind, trip: Trip, part: RepositoryState, ids: frozenset[str]) -> RepositoryState:
    """Add the collections that a kind carries to the runs of the datasets, with the members that are carried."""
    state, carries = trip.state, kind.carries
    runs = {k: v if carries.docs else (v[0], "") for k, v in part["collection"].items()}
    names: set[str] = set()
    if carries.memberships == "all":
        names = set(trip.selection.collections)
    elif carries.memberships == "calibrations":
        names = {c for c in trip.selection.collections if state["collection"][c,][0] == "CALIBRATION"}
    return part.replace(
        collection=runs | {k: v for k, v in state["collection"].items() if k[0] in names},
        chain={k: v for k, v in state["chain"].items() if k[0] in names},
        tag={k: v for k, v in state["tag"].items() if k[0] in names and k[1] in ids},
        certification=dict(_validity(kind, trip, names, ids)),
    )


def _validity(kind: Kind, trip: Trip, names: set[str], ids: frozenset[str]) -> Iterator[tuple[Key, Value]]:
    """Yield the certifications that are carried, cut if the kind does so."""
    span = time_span(trip.state, trip.selection.chosen, trip.known) if kind.carries.cut else None
    for key, (type_, values, ranges) in trip.state["certification"].items():
        if key[0] in names and key[1] in ids:
            kept = ranges
            if span is not None:
                kept = tuple((max(b, span[0]), min(e, span[1])) for b, e in ranges if b < span[1] and span[0] < e)
            if kept:
                yield key, (type_, values, kept)


def _wanted(trip: Trip) -> RepositoryState:
    """Return the selection as a state."""
    state, selection = trip.state, trip.selection
    if selection.whole:
        return state
    part, names = closure(state, selection.ids, trip.known), set(selection.collections)
    return part.replace(
        collection={**part["collection"], **{k: v for k, v in state["collection"].items() if k[0] in names}},
        chain={k: v for k, v in state["chain"].items() if k[0] in names},
        tag={k: v for k, v in state["tag"].items() if k[0] in names and k[1] in selection.ids},
        certification={k: v for k, v in state["certification"].items() if k[0] in names and k[1] in selection.ids},
    )


def _sharing(trip: Trip) -> frozenset[str]:
    """Return the datasets whose file holds others too."""
    owners: dict[str, set[str]] = {}
    for (id_, _), path in trip.paths.items():
        owners.setdefault(path, set()).add(id_)
    return frozenset(i for ids in owners.values() if len(ids) > 1 for i in ids)


def _graph(trip: Trip) -> tuple[str, str]:
    from .graph import output_run

    assert trip.graph is not None
    return output_run(trip.graph)


def _after_graph(trip: Trip) -> RepositoryState:
    """Return the source as it is when its outputs have been taken out of the registry, and put back from a graph.

    They are tagged and certified no more, and only the chain that the graph names has their run again, in front.
    """
    state = trip.state
    run, chain = _graph(trip)
    ids = set(state.ids(runs=[run]))
    gone = ids - stored_ids(state)
    chains = {k: (tuple(c for c in v[0] if c != run),) for k, v in state["chain"].items()}
    collections = dict(state["collection"])
    collections[run,] = ("RUN", "")
    if chain:
        collections.setdefault((chain,), ("CHAINED", ""))
        chains[chain,] = ((run, *chains.get((chain,), ((),))[0]),)
    return state.replace(
        collection=collections,
        chain=chains,
        tag={k: v for k, v in state["tag"].items() if k[1] not in ids},
        certification={k: v for k, v in state["certification"].items() if k[1] not in ids},
        dataset={k: v for k, v in state["dataset"].items() if k[0] not in gone},
    )
