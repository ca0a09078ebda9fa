"""Invariants of visits: every exposure of the sky is in one, and each is what its exposures are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..instrument.kit import Capability
from ..verdicts import Check, Finding, check
from .records import by_key, exposures_of_visits, look_record, records

if TYPE_CHECKING:
    from lsst.daf.butler import DimensionRecord

    from .context import CheckContext

__all__ = ["CHECKS", "eligible"]

VISITS = {Capability.VISITS}


def eligible(exposure: DimensionRecord) -> bool:
    """Tell whether an exposure belongs into a visit: it has a place on the sky, and may have seen it."""
    placed = all(getattr(exposure, n) is not None for n in ("tracking_ra", "tracking_dec", "sky_angle"))
    return placed and getattr(exposure, "can_see_sky", None) is not False


@check(
    "visits.exposures-covered",
    title="Every exposure of the sky is in exactly one visit of the instrument's visit system",
    after="visits",
    needs=VISITS,
)
def exposures_covered(context: CheckContext) -> Iterator[Finding]:
    """An exposure without visit is silently left out of all processing after isr; one in two is processed twice."""
    instruments = by_key(context, "instrument")
    members = {(r.instrument, r.visit_system, r.visit) for r in records(context, "visit_system_membership")}
    visits: dict[tuple[str, int], list[int]] = defaultdict(list)
    for row in records(context, "visit_definition"):
        owner = instruments.get((row.instrument,))
        if owner is not None and (row.instrument, owner.visit_system, row.visit) in members:
            visits[row.instrument, row.exposure].append(row.visit)
    for record in records(context, "exposure"):
        owner = instruments.get((record.instrument,))
        if owner is None or owner.visit_system is None or not eligible(record):
            continue
        context.examined()
        found = sorted(visits.get((record.instrument, record.id), []))
        if len(found) != 1:
            data_id = {"instrument": record.instrument, "exposure": record.id}
            yield Finding(
                f"exposure {record.id} is in {len(found) or 'no'} visit{'s' if len(found) > 1 else ''}"
                f" of visit system {owner.visit_system}",
                data_id=data_id,
                where="visit_definition",
                seen=f"visits {', '.join(map(str, found)) or 'none'}",
                expected="exactly one visit",
                look=look_record("visit_definition", data_id),
            )


@check(
    "visits.sky-only",
    title="No exposure that cannot see the sky is in a visit",
    after="visits",
    needs=VISITS,
)
def sky_only(context: CheckContext) -> Iterator[Finding]:
    """A dark in a visit is calibrated as if it showed stars: the quantum fails, or worse, does not."""
    exposures = by_key(context, "exposure")
    for row in records(context, "visit_definition"):
        record = exposures.get((row.instrument, row.exposure))
        if record is None:
            continue
        context.examined()
        if not eligible(record):
            data_id = {"instrument": row.instrument, "exposure": row.exposure, "visit": row.visit}
            yield Finding(
                f"exposure {row.exposure} ({record.observation_type}) is in visit {row.visit}",
                data_id=data_id,
                where="visit_definition",
                seen=f"can_see_sky={getattr(record, 'can_see_sky', None)} tracking_ra={record.tracking_ra} "
                f"sky_angle={record.sky_angle}",
                expected="an exposure with pointing and rotation, of the sky",
                look=look_record("exposure", {"instrument": row.instrument, "exposure": row.exposure}),
            )


@check(
    "visits.definitions-complete",
    title="Every visit has exposures and belongs to a visit system",
    after="visits",
    needs=VISITS,
    upstream="pipe_base#185: visit_definition exported with visit",
)
def definitions_complete(context: CheckContext) -> Iterator[Finding]:
    """A visit whose definition was lost joins to no exposure: its raws are there and out of reach.

    Exports and transfers of visits have dropped their definitions and memberships more than once.
    """
    defined = {(r.instrument, r.visit) for r in records(context, "visit_definition")}
    members = {(r.instrument, r.visit) for r in records(context, "visit_system_membership")}
    for record in records(context, "visit"):
        context.examined()
        data_id = {"instrument": record.instrument, "visit": record.id}
        for element, keys in (("visit_definition", defined), ("visit_system_membership", members)):
            if (record.instrument, record.id) not in keys:
                yield Finding(
                    f"visit {record.id} has no {element}",
                    data_id=data_id,
                    where=element,
                    seen="no record",
                    expected="at least one",
                    look=look_record(element, data_id),
                )


@check(
    "visits.fields",
    title="Filter, target, program, reason, day and exposure time of a visit are those of its exposures",
    after="visits",
    needs=VISITS,
)
def fields(context: CheckContext) -> Iterator[Finding]:
    """The band of a visit decides which coadd it goes into, its exposure time how deep that is believed to be."""
    visits = by_key(context, "visit")
    for key, exposures in exposures_of_visits(context).items():
        visit = visits.get(key)
        if visit is None:
            continue
        context.examined()
        data_id = {"instrument": key[0], "visit": key[1]}
        for name, seen, wanted in _compared(visit, exposures):
            differ = abs(seen - wanted) > 1e-6 if name == "exposure_time" and seen is not None else seen != wanted
            if differ:
                yield Finding(
                    f"{name} of visit {key[1]} is not that of its exposures",
                    data_id=data_id,
                    where=f"visit.{name}",
                    seen=repr(seen),
                    expected=repr(wanted),
                    look=look_record("visit", data_id),
                )


def _compared(visit: DimensionRecord, exposures: list[DimensionRecord]) -> Iterator[tuple[str, Any, Any]]:
    """Pair the fields of a visit with what follows from its exposures; where these differ, anything goes."""
    for name in ("physical_filter", "target_name", "science_program", "observation_reason", "day_obs"):
        values = {getattr(e, name) for e in exposures}
        if len(values) == 1:
            yield name, getattr(visit, name), values.pop()
        elif name == "physical_filter":
            yield name, f"{visit.physical_filter} of {sorted(map(str, values))}", "one filter in all exposures"
    times = [e.exposure_time for e in exposures]
    if None not in times:
        yield "exposure_time", visit.exposure_time, float(sum(times))


@check(
    "visits.names-unique",
    title="No two visits of an instrument have the same name, and a visit of one exposure is called as it",
    after="visits",
    needs=VISITS,
)
def names_unique(context: CheckContext) -> Iterator[Finding]:
    """Files and plots are labelled with the visit's name; it leads people back to the exposure's obs_id.

    The database refuses equal names, but not those that differ in case or in blanks.
    """
    exposures = exposures_of_visits(context)
    seen: dict[tuple[str, str], list[int]] = defaultdict(list)
    for record in records(context, "visit"):
        context.examined()
        data_id = {"instrument": record.instrument, "visit": record.id}
        same = seen[record.instrument, "".join(str(record.name).casefold().split())]
        same.append(record.id)
        if len(same) > 1:
            yield Finding(
                f"visit {record.id} has the name of another one",
                data_id=data_id,
                where="visit.name",
                seen=f"{record.name} is visits {', '.join(map(str, same))}",
                expected="one visit for each name",
                look=look_record("visit", {"instrument": record.instrument}),
            )
        mine = exposures.get((record.instrument, record.id), [])
        if len(mine) == 1 and not str(record.name).startswith(mine[0].obs_id):
            yield Finding(
                f"visit {record.id} is not called after its only exposure",
                data_id=data_id,
                where="visit.name",
                seen=record.name,
                expected=mine[0].obs_id,
                look=look_record("visit", data_id),
            )


CHECKS: tuple[Check, ...] = (exposures_covered, sky_only, definitions_complete, fields, names_unique)
