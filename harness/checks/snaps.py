"""Invariants of visits of several exposures: what belongs together is together, and is called as it should be."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING

from ..instrument.groups import group_number
from ..instrument.visits import (
    BY_COUNTER,
    BY_GROUP,
    ONE_TO_ONE,
    VISIT_SYSTEMS,
    counter_key,
    first_snap_name,
    first_snap_number,
    group_key,
)
from ..verdicts import Check, Finding, check
from .records import by_key, exposures_of_visits, iso, look_record
from .visits import VISITS, systems_of_visits

if TYPE_CHECKING:
    from lsst.daf.butler import DimensionRecord

    from .context import CheckContext

__all__ = ["CHECKS"]


def _key(system: int, exposure: DimensionRecord) -> Hashable:
    """Return what exposures of one visit of a system share, `None` for systems with other rules."""
    if system == ONE_TO_ONE:
        return int(exposure.id)
    if system == BY_GROUP:
        return group_key(exposure)
    if system == BY_COUNTER and hasattr(exposure, "seq_start"):
        return counter_key(exposure)
    return None


def _words(system: int, exposure: DimensionRecord) -> str:
    """Say what decides about the visit of an exposure."""
    if system == BY_GROUP:
        return f"exposure {exposure.id} of group {group_key(exposure)}"
    if system == BY_COUNTER:
        return f"exposure {exposure.id} of {exposure.seq_start}…{exposure.seq_end} of day {exposure.day_obs}"
    return f"exposure {exposure.id}"


@check(
    "visits.members-belong-together",
    title="The exposures of a visit are those that its visit system puts together",
    after="visits",
    needs=VISITS,
    remedy="harness define-visits {repo} --update",
)
def members_belong_together(context: CheckContext) -> Iterator[Finding]:
    """Snaps of one visit are added up: one of another run or group is another place on the sky.

    A one-to-one visit has one exposure, one of a group those of the group, one of a counter those of its run of
    sequence numbers; and these are not in two visits.
    """
    systems = systems_of_visits(context)
    visits: dict[tuple[str, int, Hashable], list[tuple[int, DimensionRecord]]] = defaultdict(list)
    for (instrument, visit), exposures in exposures_of_visits(context).items():
        for system in sorted(systems.get((instrument, visit), ())):
            by: dict[Hashable, DimensionRecord] = {}
            for exposure in exposures:
                by.setdefault(_key(system, exposure), exposure)
            if None in by:
                continue
            context.examined()
            if len(by) > 1:
                data_id = {"instrument": instrument, "visit": visit}
                one, two = list(by.values())[:2]
                yield Finding(
                    f"visit {visit} has exposures that visit system {system} ({VISIT_SYSTEMS[system]}) keeps apart",
                    data_id=data_id | {"exposure": two.id},
                    where="visit_definition",
                    seen=f"{_words(system, one)}, {_words(system, two)}",
                    expected="one exposure" if system == ONE_TO_ONE else "exposures of one group or run",
                    look=look_record("visit_definition", data_id),
                )
            for key, exposure in by.items():
                visits[instrument, system, key].append((visit, exposure))
    for (instrument, system, _), found in visits.items():
        if system != ONE_TO_ONE and len(found) > 1 and len({e.id for _, e in found}) > 1:
            numbers = sorted(v for v, _ in found)
            data_id = {"instrument": instrument, "visit": numbers[-1]}
            yield Finding(
                f"visits {', '.join(map(str, numbers))} share what visit system {system}"
                f" ({VISIT_SYSTEMS[system]}) puts into one",
                data_id=data_id,
                where="visit_definition",
                seen=_words(system, found[0][1]),
                expected="one visit",
                look=look_record("visit_definition", data_id),
            )


@check(
    "visits.numbers",
    title="A visit has the id and the name of its exposure, its group or its first snap",
    after="visits",
    needs=VISITS,
    remedy="remove the visit and what was made of it, and define visits again",
)
def numbers(context: CheckContext) -> Iterator[Finding]:
    """From a visit's id and name people and tools go back to the exposure, and from that to the visit.

    A visit of several snaps is called as the first of them, which so must be in it; the first one's own visit then has
    the id with a 9 before it, and the name with ``_first`` behind it.
    """
    systems, visits = systems_of_visits(context), by_key(context, "visit")
    for (instrument, number), exposures in exposures_of_visits(context).items():
        visit = visits.get((instrument, number))
        if visit is None:
            continue
        for system in sorted(systems.get((instrument, number), ())):
            names = _names(context, system, visit, exposures)
            if names is None:
                continue
            context.examined()
            if (number, visit.name) in names:
                continue
            data_id = {"instrument": instrument, "visit": number}
            yield Finding(
                f"visit {number} of system {system} ({VISIT_SYSTEMS[system]}) "
                + ("is not called as it should be" if names else "has not the first of its snaps"),
                data_id=data_id,
                where="visit.name" if any(number == n for n, _ in names) else "visit.id",
                seen=f"{visit.name} of {', '.join(f'{e.id} ({e.obs_id})' for e in exposures)}",
                expected=" or ".join(f"{n}, {name}" for n, name in names)
                or f"an exposure with sequence number {exposures[0].seq_start}",
                look=look_record("visit", data_id),
            )


def _names(
    context: CheckContext, system: int, visit: DimensionRecord, exposures: list[DimensionRecord]
) -> list[tuple[int, str]] | None:
    """Return the ids and names that a visit of a system may have; none if its first snap is missing.

    `None` for what other checks find, or has other rules.
    """
    keys = {_key(system, e) for e in exposures}
    if len(keys) != 1 or None in keys:
        return None
    first = exposures[0]
    if system == BY_GROUP:
        kit = context.kits.get(visit.instrument)
        # another instrument's rule for ids is not known
        by_rule = kit is not None and (kit.visit_grouping is None or isinstance(kit.visit_grouping, str))
        group = group_key(first)
        return [(group_number(group) if by_rule else visit.id, group)]
    if system == BY_COUNTER:
        if isinstance(counter_key(first), int):
            return [(first.id, first.obs_id)]
        found = [(e.id, e.obs_id) for e in exposures if e.seq_num == e.seq_start]
        # older middleware made a snap that came alone a visit of both systems
        alone = len(exposures) == 1 and ONE_TO_ONE in systems_of_visits(context)[visit.instrument, visit.id]
        return [(first.id, first.obs_id)] if alone and not found else found
    of_snaps = (visit.instrument, first.id)
    taken = BY_COUNTER in systems_of_visits(context).get(of_snaps, ()) and visit.id != first.id
    if taken:
        return [(first_snap_number(first.id), first_snap_name(first.obs_id))]
    return [(first.id, first.obs_id)]


@check(
    "visits.snaps-in-order",
    title="The exposures of a visit follow each other in time as their sequence numbers do",
    after="visits",
    needs=VISITS,
    remedy="write a metadata correction for the exposure's header, and ingest its raws again",
)
def snaps_in_order(context: CheckContext) -> Iterator[Finding]:
    """What moves, and cosmic rays, are found from the order of the snaps; snaps that overlap have a wrong clock."""
    for (instrument, visit), exposures in exposures_of_visits(context).items():
        placed = [e for e in exposures if e.timespan is not None and getattr(e, "seq_num", None) is not None]
        placed.sort(key=lambda e: (e.day_obs, e.seq_num, e.id))
        context.examined()
        for before, after in itertools.pairwise(placed):
            if after.timespan.nsec[0] < before.timespan.nsec[1]:
                data_id = {"instrument": instrument, "visit": visit}
                yield Finding(
                    f"exposure {after.id} of visit {visit} begins before exposure {before.id} ends",
                    data_id=data_id | {"exposure": after.id},
                    where="exposure.timespan",
                    seen=f"number {after.seq_num} begins {iso(after.timespan.nsec[0])}",
                    expected=f"not before {iso(before.timespan.nsec[1])}, the end of number {before.seq_num}",
                    look=look_record("exposure", {"instrument": instrument, "exposure": after.id}),
                )


CHECKS: tuple[Check, ...] = (members_belong_together, numbers, snaps_in_order)
