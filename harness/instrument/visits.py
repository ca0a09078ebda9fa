"""Visit systems: how exposures of the sky are grouped into visits.

A **visit system** says what a visit is: one exposure, the exposures of one group, or those of one run of sequence
numbers (snaps). A **grouping** makes the visits of one or more systems. An instrument's record names a system in its
field ``visit_system``, which stands for a grouping:

======  ===================  ============================
number  system               grouping
======  ===================  ============================
0       one-to-one           one-to-one
1       by-group-metadata    by-group-metadata
2       by-seq-start-end     one-to-one-and-by-counter
======  ===================  ============================

An instrument's kit may choose another one (`~harness.instrument.kit.InstrumentKit.visit_grouping`), and so may who
defines visits. Source of numbers, names and rules: instruments.md, "Visit systems".
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ..errors import HarnessError, nearest
from .groups import group_number

__all__ = [
    "BY_COUNTER",
    "BY_GROUP",
    "GROUPINGS",
    "ONE_TO_ONE",
    "VISIT_SYSTEMS",
    "VisitGroup",
    "VisitGrouping",
    "counter_key",
    "first_snap_name",
    "first_snap_number",
    "group_key",
    "ineligible",
    "systems_asked_for",
    "visit_grouping",
]

ONE_TO_ONE, BY_GROUP, BY_COUNTER = 0, 1, 2

VISIT_SYSTEMS: Mapping[int, str] = MappingProxyType(
    {ONE_TO_ONE: "one-to-one", BY_GROUP: "by-group-metadata", BY_COUNTER: "by-seq-start-end"}
)
"""Names of the visit systems by their numbers, as in the ``visit_system`` dimension."""


@dataclasses.dataclass(frozen=True)
class VisitGroup:
    """A visit to be.

    Parameters
    ----------
    id : `int`
        Visit id.
    name : `str`
        Visit name.
    exposures : `tuple`
        Records of its exposures, in the order of their sequence numbers.
    systems : `frozenset` [`int`]
        The visit systems that it belongs to.
    """

    id: int
    name: str
    exposures: tuple[Any, ...]
    systems: frozenset[int]


@dataclasses.dataclass(frozen=True)
class VisitGrouping:
    """A way to make visits of exposures.

    Parameters
    ----------
    name : `str`
        What it is called.
    systems : `frozenset` [`int`]
        The visit systems that its visits belong to.
    key : `~collections.abc.Callable`
        From an exposure's record to a value that is the same for all exposures that may be in one visit.
    visits : `~collections.abc.Callable`
        From all exposures of one key, in the order of their sequence numbers, to their visits (`VisitGroup`). What
        comes of some of the exposures must stay true when others join: the middleware cannot take an exposure out of
        a visit again.
    field : `str`, optional
        Field of the exposure record that exposures of one key share, by which others are looked up; empty if a visit
        never has several exposures.
    names : `~collections.abc.Mapping` [`int`, `str`], optional
        Names of its visit systems, where they are not among `VISIT_SYSTEMS`.
    """

    name: str
    systems: frozenset[int]
    key: Callable[[Any], Hashable]
    visits: Callable[[Sequence[Any]], Iterator[VisitGroup]]
    field: str = ""
    names: Mapping[int, str] = VISIT_SYSTEMS

    def group(self, exposures: Iterable[Any]) -> list[VisitGroup]:
        """Return the visits of some exposures, in an order that does not depend on theirs.

        Raises
        ------
        HarnessError
            If two visits would have the same id or name, or an id would be too large for the database.
        """
        together: dict[Hashable, list[Any]] = {}
        for exposure in sorted(exposures, key=lambda e: e.id):
            together.setdefault(self.key(exposure), []).append(exposure)
        groups = [g for members in together.values() for g in self.visits(sorted(members, key=_order))]
        ids: dict[int, VisitGroup] = {}
        names: dict[str, VisitGroup] = {}
        for group in groups:
            other = ids.setdefault(group.id, group)
            same = names.setdefault(group.name, group)
            if other is not group or same is not group:
                what = f"the id {group.id}" if other is not group else f"the name {group.name}"
                one, two = (_shown(g.exposures) for g in (other if other is not group else same, group))
                raise HarnessError(
                    f"two visits would have {what}: of {one} and of {two}",
                    remedy="group exposures in another way",
                    code="visit-clash",
                )
            if not -(2**63) <= group.id < 2**63:
                raise HarnessError(
                    f"visit {group.name} would have the id {group.id}, which has more than 64 bits",
                    remedy="group exposures in another way",
                    code="visit-id",
                )
        return groups


def _order(exposure: Any) -> tuple[bool, int, int]:
    number = exposure.seq_num
    return (number is None, number or 0, exposure.id)


def _shown(exposures: Sequence[Any]) -> str:
    return f"exposure{'s' if len(exposures) > 1 else ''} {', '.join(str(e.id) for e in exposures)}"


# --- what belongs together ---------------------------------------------------------------------------


def counter_key(exposure: Any) -> Hashable:
    """Return what the snaps of one visit share: day, first and last sequence number of the run.

    An exposure whose run has no second number, or that has none, is alone with its id.
    """
    first, last = exposure.seq_start, exposure.seq_end
    if first is None or last is None or last <= first:
        return exposure.id
    return exposure.day_obs, first, last


def group_key(exposure: Any) -> str:
    """Return the group of an exposure; its id, if none is given."""
    # repositories of older dimension universes have it in another field
    group = getattr(exposure, "group", None) or getattr(exposure, "group_name", None)
    return str(group or exposure.id)


def first_snap_number(exposure: int) -> int:
    """Return the id of the one-to-one visit of the first of several snaps.

    The exposure's own id is that of the visit of all snaps.
    """
    return int(f"9{exposure}")


def first_snap_name(obs_id: str) -> str:
    """Return the name of the one-to-one visit of the first of several snaps."""
    return f"{obs_id}_first"


# --- the groupings -----------------------------------------------------------------------------------


def _own(exposure: Any, *systems: int) -> VisitGroup:
    return VisitGroup(exposure.id, exposure.obs_id, (exposure,), frozenset(systems))


def _one_to_one(exposures: Sequence[Any]) -> Iterator[VisitGroup]:
    """Make each exposure a visit of the same id."""
    for exposure in exposures:
        yield _own(exposure, ONE_TO_ONE)


def _by_group(exposures: Sequence[Any]) -> Iterator[VisitGroup]:
    """Make the exposures of a group one visit, named after it."""
    group = group_key(exposures[0])
    yield VisitGroup(group_number(group), group, tuple(exposures), frozenset({BY_GROUP}))


def _first(exposures: Sequence[Any]) -> Any:
    """Return the first of several snaps; `None` if it is not there.

    Raises
    ------
    HarnessError
        If two of them have the same sequence number.
    """
    for one, two in itertools.pairwise(exposures):
        if one.seq_num is not None and one.seq_num == two.seq_num:
            raise HarnessError(
                f"exposures {one.id} and {two.id} have the same sequence number {one.seq_num} of day {one.day_obs},"
                f" in a run of several from {one.seq_start} to {one.seq_end}",
                remedy="correct one of them, or group exposures in another way",
                code="visit-counter",
            )
    return exposures[0] if exposures[0].seq_num == exposures[0].seq_start else None


def _by_counter(exposures: Sequence[Any]) -> Iterator[VisitGroup]:
    """Make the snaps of a run one visit with the id of the first, unless that is missing.

    Whether there are several snaps is what their counters say, not how many are there: so the visit of a first snap
    that came alone stays what it is when the others come.
    """
    if isinstance(counter_key(exposures[0]), int):
        yield from (_own(e, BY_COUNTER) for e in exposures)
    elif (first := _first(exposures)) is not None:
        yield VisitGroup(first.id, first.obs_id, tuple(exposures), frozenset({BY_COUNTER}))


def _both(exposures: Sequence[Any]) -> Iterator[VisitGroup]:
    """Make each exposure a visit, and the snaps of a run another one; a single exposure is a visit of both systems."""
    if isinstance(counter_key(exposures[0]), int):
        yield from (_own(e, ONE_TO_ONE, BY_COUNTER) for e in exposures)
        return
    first = _first(exposures)
    for exposure in exposures:
        if exposure is first:
            number, name = first_snap_number(exposure.id), first_snap_name(exposure.obs_id)
            yield VisitGroup(number, name, (exposure,), frozenset({ONE_TO_ONE}))
        else:
            yield _own(exposure, ONE_TO_ONE)
    yield from _by_counter(exposures)


GROUPINGS: Mapping[str, VisitGrouping] = MappingProxyType(
    {
        g.name: g
        for g in (
            VisitGrouping("one-to-one", frozenset({ONE_TO_ONE}), lambda e: e.id, _one_to_one),
            VisitGrouping("by-group-metadata", frozenset({BY_GROUP}), group_key, _by_group, "group"),
            VisitGrouping("by-seq-start-end", frozenset({BY_COUNTER}), counter_key, _by_counter, "day_obs"),
            VisitGrouping(
                "one-to-one-and-by-counter", frozenset({ONE_TO_ONE, BY_COUNTER}), counter_key, _both, "day_obs"
            ),
        )
    }
)
"""The groupings by name."""

_OF_RECORD = {ONE_TO_ONE: "one-to-one", BY_GROUP: "by-group-metadata", BY_COUNTER: "one-to-one-and-by-counter"}


def visit_grouping(number: int | None, instrument: str, chosen: str | VisitGrouping | None = None) -> VisitGrouping:
    """Return how an instrument's exposures are grouped.

    Parameters
    ----------
    number : `int` or `None`
        ``visit_system`` of the instrument's record.
    instrument : `str`
        Name of the instrument, for the message.
    chosen : `str` or `VisitGrouping`, optional
        A grouping, or the name of one, instead of what the record asks for.

    Raises
    ------
    HarnessError
        If the name is unknown, or the record asks for no system or for one that is not known here.
    """
    if isinstance(chosen, VisitGrouping):
        return chosen
    if chosen is not None:
        if chosen not in GROUPINGS:
            raise nearest("visit grouping", chosen, GROUPINGS)
        return GROUPINGS[chosen]
    if number is None or number not in _OF_RECORD:
        known = ", ".join(f"{k} ({v})" for k, v in VISIT_SYSTEMS.items())
        raise HarnessError(
            f"instrument {instrument} is registered with visit system {number}",
            remedy=f"known: {known}; or choose a grouping: {', '.join(GROUPINGS)}",
            code="visits",
        )
    return GROUPINGS[_OF_RECORD[number]]


def systems_asked_for(number: int | None, chosen: str | VisitGrouping | None = None) -> frozenset[int]:
    """Return the visit systems that `visit_grouping` makes; of a system that is not known here, just that."""
    if chosen is None and number not in _OF_RECORD:
        return frozenset() if number is None else frozenset({number})
    return visit_grouping(number, "", chosen).systems


def ineligible(exposure: Any) -> str:
    """Return why an exposure does not belong into any visit; empty if it does.

    What counts is whether it has a place on the sky and may have seen it; its observation type does not.
    """
    missing = [n for n in ("tracking_ra", "tracking_dec", "sky_angle") if getattr(exposure, n) is None]
    if missing:
        return f"no {', '.join(missing)}"
    # a field that older dimension universes don't have
    return "cannot see the sky" if getattr(exposure, "can_see_sky", None) is False else ""
