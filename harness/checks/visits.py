"""Invariants of visits: every exposure of the sky is in one, and each is what its exposures are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..instrument.kit import Capability
from ..instrument.visits import BY_COUNTER, counter_key, ineligible, systems_asked_for
from ..verdicts import Check, Finding, check
from .records import by_key, exposures_of_visits, look_record, records

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from lsst.daf.butler import DimensionRecord

    from .context import CheckContext

__all__ = ["CHECKS", "VISITS", "eligible", "systems_in_use", "systems_of_visits"]

VISITS = {Capability.VISITS}


def eligible(exposure: DimensionRecord) -> bool:
    """Tell whether an exposure belongs into a visit: it has a place on the sky, and may have seen it."""
    return not ineligible(exposure)


def systems_of_visits(context: CheckContext) -> Mapping[tuple[str, int], AbstractSet[int]]:
    """Return the visit systems that each visit is a member of."""

    def make() -> Mapping[tuple[str, int], AbstractSet[int]]:
        out: dict[tuple[str, int], set[int]] = defaultdict(set)
        for row in records(context, "visit_system_membership"):
            out[row.instrument, row.visit].add(row.visit_system)
        return out

    return context.cached("systems of visits", make)


def systems_in_use(context: CheckContext) -> Mapping[str, AbstractSet[int]]:
    """Return the visit systems in which each instrument's exposures must have a visit.

    Those that the kit's own grouping makes; without one, that of the instrument's record, and those that are defined
    along with it, if the repository has them. A repository may have others too, from times when visits were defined in
    another way: they need not have all exposures.
    """

    def make() -> Mapping[str, AbstractSet[int]]:
        here: dict[str, set[int]] = defaultdict(set)
        for record in records(context, "visit_system"):
            here[record.instrument].add(record.id)
        out: dict[str, AbstractSet[int]] = {}
        for owner in records(context, "instrument"):
            kit = context.kits.get(owner.name)
            asked = systems_asked_for(owner.visit_system, kit.visit_grouping if kit is not None else None)
            own = kit is not None and kit.visit_grouping is not None
            out[owner.name] = asked if own else asked & (here[owner.name] | {owner.visit_system})
        return out

    return context.cached("visit systems in use", make)


def _awaited(context: CheckContext) -> AbstractSet[tuple[str, int]]:
    """Return the exposures whose run of sequence numbers lacks its first one: the middleware numbers no visit of it."""

    def make() -> AbstractSet[tuple[str, int]]:
        runs: dict[tuple[str, Any], list[DimensionRecord]] = defaultdict(list)
        for record in records(context, "exposure"):
            if hasattr(record, "seq_start") and eligible(record):
                runs[record.instrument, counter_key(record)].append(record)
        return {
            (name, e.id)
            for (name, key), found in runs.items()
            if isinstance(key, tuple) and not any(e.seq_num == e.seq_start for e in found)
            for e in found
        }

    return context.cached("exposures without the first of their run", make)


@check(
    "visits.exposures-covered",
    title="Every exposure of the sky is in exactly one visit of each visit system that the instrument uses",
    after="visits",
    needs=VISITS,
    remedy="harness define-visits {repo}",
)
def exposures_covered(context: CheckContext) -> Iterator[Finding]:
    """An exposure without visit is silently left out of all processing after isr; one in two is processed twice.

    A snap whose first companion is not in the repository needs no visit of the system that puts snaps together.
    """
    members, used, awaited = systems_of_visits(context), systems_in_use(context), _awaited(context)
    visits: dict[tuple[str, int, int], list[int]] = defaultdict(list)
    for row in records(context, "visit_definition"):
        for system in members.get((row.instrument, row.visit), ()):
            visits[row.instrument, row.exposure, system].append(row.visit)
    all_systems: dict[str, set[int]] = defaultdict(set)
    for instrument, _, system in visits:
        all_systems[instrument].add(system)
    for record in records(context, "exposure"):
        wanted = used.get(record.instrument, frozenset())
        systems = wanted | all_systems[record.instrument]
        if not systems or not eligible(record):
            continue
        context.examined()
        for system in sorted(systems):
            found = sorted(visits.get((record.instrument, record.id, system), []))
            waits = system == BY_COUNTER and (record.instrument, record.id) in awaited
            needed = system in wanted and not waits
            if len(found) == 1 or not (found or needed):
                continue
            data_id = {"instrument": record.instrument, "exposure": record.id}
            yield Finding(
                f"exposure {record.id} is in {len(found) or 'no'} visit{'s' if len(found) > 1 else ''}"
                f" of visit system {system}",
                data_id=data_id,
                where="visit_definition, visit_system_membership",
                seen=f"visits {', '.join(map(str, found)) or 'none'}",
                expected="exactly one visit" if needed else "at most one visit",
                look=look_record("visit_definition", data_id),
            )


@check(
    "visits.sky-only",
    title="No exposure that cannot see the sky is in a visit",
    after="visits",
    needs=VISITS,
    remedy="delete the rows of visit_definition that lead to the exposure, and define visits with --update",
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
    remedy="harness define-visits {repo} --update",
)
def definitions_complete(context: CheckContext) -> Iterator[Finding]:
    """A visit whose definition was lost joins to no exposure: its raws are there and out of reach.

    Exports and transfers of visits have dropped their definitions and memberships more than once.
    """
    defined = {(r.instrument, r.visit) for r in records(context, "visit_definition")}
    members = systems_of_visits(context).keys()
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
    title="Filter, target, program, reason, day, number and exposure time of a visit are those of its exposures",
    after="visits",
    needs=VISITS,
    remedy="harness define-visits {repo} --update",
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
    for name in ("physical_filter", "target_name", "science_program", "observation_reason"):
        values = {getattr(e, name) for e in exposures}
        if len(values) == 1:
            yield name, getattr(visit, name), values.pop()
        elif name == "physical_filter":
            yield name, f"{visit.physical_filter} of {sorted(map(str, values))}", "one filter in all exposures"
    yield "day_obs", visit.day_obs, min(e.day_obs for e in exposures)
    numbers = [e.seq_num for e in exposures if getattr(e, "seq_num", None) is not None]
    if numbers and hasattr(visit, "seq_num"):
        yield "seq_num", visit.seq_num, min(numbers)
    times = [e.exposure_time for e in exposures]
    if None not in times:
        yield "exposure_time", visit.exposure_time, float(sum(times))


@check(
    "visits.names-unique",
    title="No two visits of an instrument have the same name, not even in upper and lower case",
    after="visits",
    needs=VISITS,
    remedy="harness define-visits {repo} --update",
)
def names_unique(context: CheckContext) -> Iterator[Finding]:
    """Files and plots are labelled with the visit's name; it leads people back to the exposure's obs_id.

    The database refuses equal names, but not those that differ in case or in blanks.
    """
    seen: dict[tuple[str, str], list[int]] = defaultdict(list)
    for record in records(context, "visit"):
        context.examined()
        same = seen[record.instrument, "".join(str(record.name).casefold().split())]
        same.append(record.id)
        if len(same) > 1:
            yield Finding(
                f"visit {record.id} has the name of another one",
                data_id={"instrument": record.instrument, "visit": record.id},
                where="visit.name",
                seen=f"{record.name} is visits {', '.join(map(str, same))}",
                expected="one visit for each name",
                look=look_record("visit", {"instrument": record.instrument}),
            )


CHECKS: tuple[Check, ...] = (
    exposures_covered,
    sky_only,
    definitions_complete,
    fields,
    names_unique,
)
