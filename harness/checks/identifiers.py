"""Invariants of identifiers: what names an exposure, a detector or a dataset names one, and names it everywhere."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from ..instrument.kit import Capability
from ..instrument.visits import first_snap_number
from ..verdicts import Check, Finding, check
from .records import by_key, exposures_of_visits, known_instruments, look_record, records
from .tables import tables

if TYPE_CHECKING:
    from lsst.daf.butler import DimensionRecord, DimensionUniverse

    from .context import CheckContext

__all__ = ["CHECKS"]


@check(
    "identifiers.obs-id-unique",
    title="No two exposures of an instrument have the same obs_id, upper or lower case",
    after="ingest",
    remedy="write a metadata correction for the exposure's header, and ingest its raws again",
)
def obs_id_unique(context: CheckContext) -> Iterator[Finding]:
    """People and observatory systems find exposures by obs_id; the Butler by exposure id.

    If two ids share an obs_id, a query by name returns the wrong data half of the time, and file names, which
    contain the obs_id, let one exposure's files overwrite the other's. The database refuses equal ones, but not
    those that differ in case or in blanks, which are one file on many disks.
    """
    seen: dict[tuple[str, str], list[DimensionRecord]] = defaultdict(list)
    for record in records(context, "exposure"):
        context.examined()
        seen[record.instrument, "".join(str(record.obs_id).casefold().split())].append(record)
    for same in seen.values():
        if len(same) > 1:
            ids = sorted(r.id for r in same)
            data_id = {"instrument": same[0].instrument, "exposure": ids[-1]}
            yield Finding(
                f"obs_id {same[0].obs_id} belongs to {len(same)} exposures",
                data_id=data_id,
                where="exposure.obs_id",
                seen=", ".join(f"{r.obs_id!r} is exposure {r.id}" for r in same),
                expected="one exposure for each obs_id",
                look=look_record("exposure", data_id),
            )


@check(
    "identifiers.seq-num-unique",
    title="Within a day no two exposures of an instrument have the same sequence number",
    after="ingest",
    remedy="write a metadata correction for the exposure's header, and ingest its raws again",
)
def seq_num_unique(context: CheckContext) -> Iterator[Finding]:
    """The day and the sequence number are an alternate key of exposures: summit tools and nightly logs use it.

    A duplicate makes ``day_obs=… AND seq_num=…`` ambiguous. It happens when controllers number independently.
    """
    seen: dict[tuple[str, int, int], list[int]] = defaultdict(list)
    for record in records(context, "exposure"):
        if record.seq_num is not None:
            context.examined()
            seen[record.instrument, record.day_obs, record.seq_num].append(record.id)
    for (instrument, day, number), ids in seen.items():
        if len(ids) > 1:
            yield Finding(
                f"sequence number {number} of day {day} belongs to {len(ids)} exposures",
                data_id={"instrument": instrument, "exposure": max(ids)},
                where="exposure.seq_num",
                seen=f"exposures {', '.join(map(str, sorted(ids)))}",
                expected="one exposure for each day_obs and seq_num",
                look=look_record("exposure", {"instrument": instrument, "day_obs": day, "exposure.seq_num": number}),
            )


def _beyond(
    context: CheckContext, element: str, limit: str, *, inclusive: bool, sources: Mapping[Any, int] | None = None
) -> Iterator[Finding]:
    """Compare ids with a limit, and in place of an id (by instrument and id) the source that it is made from."""
    instruments = by_key(context, "instrument")
    for record in records(context, element):
        owner = instruments.get((record.instrument,))
        most = getattr(owner, limit, None)
        if most is None:
            continue
        context.examined()
        number = (sources or {}).get((record.instrument, record.id), record.id)
        if number < 0 or number > most or (number == most and not inclusive):
            yield Finding(
                f"{element} {record.id} lies outside the range that {record.instrument} declares",
                data_id={"instrument": record.instrument, element: record.id},
                where=element,
                seen=str(record.id),
                expected=f"0 ≤ id {'≤' if inclusive else '<'} {most} ({limit})",
                look=look_record("instrument", {"instrument": record.instrument}),
            )


@check(
    "identifiers.exposure-max",
    title="Exposure ids lie within the instrument's exposure_max",
    after="ingest",
    remedy="register the instrument's class again, with --update: butler register-instrument",
)
def exposure_max(context: CheckContext) -> Iterator[Finding]:
    """Packed ids of sources and exposures reserve as many bits as exposure_max needs.

    An id beyond it overflows into the detector's bits, and two sources get the same id without any error.
    """
    yield from _beyond(context, "exposure", "exposure_max", inclusive=True)


@check(
    "identifiers.visit-max",
    title="Visit ids lie within the instrument's visit_max",
    after="visits",
    needs={Capability.VISITS},
    remedy="register the instrument's class again, with --update: butler register-instrument",
)
def visit_max(context: CheckContext) -> Iterator[Finding]:
    """Packed ids of sources reserve as many bits as visit_max needs.

    The one-to-one visit of the first of several snaps has the id of its exposure with a 9 before it, from which packers
    take it off again: of such a visit, the exposure's id must lie within the range.
    """
    firsts = {
        (name, number): found[0].id
        for (name, number), found in exposures_of_visits(context).items()
        if len(found) == 1 and number == first_snap_number(found[0].id)
    }
    yield from _beyond(context, "visit", "visit_max", inclusive=True, sources=firsts)


@check(
    "identifiers.detector-max",
    title="Detector ids lie below the instrument's detector_max",
    after="register",
    remedy="register the instrument's class again, with --update: butler register-instrument",
)
def detector_max(context: CheckContext) -> Iterator[Finding]:
    """detector_max is the number of detectors that packed ids make room for, so that every id must be below it."""
    yield from _beyond(context, "detector", "detector_max", inclusive=False)


@check(
    "identifiers.instrument-as-registered",
    title="The records of an instrument and its filters are those that its class registers",
    after="register",
    remedy="register the instrument's class again, with --update: butler register-instrument",
)
def instrument_as_registered(context: CheckContext) -> Iterator[Finding]:
    """Registration is silent about records that are already there with other values.

    A repository registered by an older class keeps old limits, class names and bands, and data are then labelled,
    packed and read by rules that the code no longer follows.
    """
    kits = known_instruments(context)
    expected = _register(context.butler.dimensions, tuple(k.instrument_class for k in kits.values())) if kits else {}
    for element in ("instrument", "physical_filter"):
        here = {k: r for k, r in by_key(context, element).items() if k[0] in kits}
        there = expected.get(element, {})
        for key in sorted(here.keys() | there.keys()):
            context.examined()
            seen, wanted = here.get(key), there.get(key)
            mine = seen.toDict() if seen is not None else {}
            theirs = wanted.toDict() if wanted is not None else {}
            differing = [n for n in mine.keys() | theirs.keys() if mine.get(n) != theirs.get(n)]
            if differing:
                names = sorted(differing) if mine and theirs else ["record"]
                data_id = dict(zip(("instrument", element), key, strict=False))
                yield Finding(
                    f"{element} {key[-1]} is not what the instrument class registers: {', '.join(names)}",
                    data_id=data_id,
                    where=element,
                    seen=_fields(mine, names),
                    expected=_fields(theirs, names),
                    look=look_record(element, data_id),
                )


def _fields(record: dict[str, Any], names: list[str]) -> str:
    if not record:
        return "no record"
    return ", ".join(f"{n}={record[n]!r}" for n in names if n in record) or "a record"


@cache
def _register(universe: DimensionUniverse, classes: tuple[Any, ...]) -> dict[str, dict[tuple[Any, ...], Any]]:
    """Register instruments in an empty repository and return the records that are there then.

    Remembered for the life of the process: making a repository takes a quarter of a second.
    """
    import tempfile

    from lsst.daf.butler import Butler

    with tempfile.TemporaryDirectory(prefix="harness-register-") as folder:
        Butler.makeRepo(folder, dimensionConfig=universe.dimensionConfig)
        with Butler.from_config(folder, writeable=True) as scratch:
            for instrument in classes:
                instrument().register(scratch.registry)
            return {
                element: {
                    tuple(r.dataId.required_values): r
                    for r in scratch.query_dimension_records(element, explain=False, limit=None)
                }
                for element in ("instrument", "physical_filter")
            }


@check(
    "identifiers.detectors-as-camera",
    title="Detector records agree with the instrument's camera: ids, names, rafts, purposes",
    after="register",
    remedy="register the instrument's class again, with --update: butler register-instrument",
)
def detectors_as_camera(context: CheckContext) -> Iterator[Finding]:
    """Queries select detectors by name, raft and purpose; pixels are placed on the sky by the camera.

    If they disagree, a quantum is run on another detector than the one that was asked for.
    """
    for name, kit in known_instruments(context).items():
        here = {r.id: r for r in records(context, "detector") if r.instrument == name}
        camera = {d.id: d for d in kit.camera.detectors}
        for number in sorted(here.keys() | camera.keys()):
            context.examined()
            record, model = here.get(number), camera.get(number)
            data_id = {"instrument": name, "detector": number}
            seen = (record.full_name, record.raft, record.name_in_raft, record.purpose) if record else "no record"
            wanted = (model.name, model.raft, model.name_in_raft, str(model.purpose)) if model else "no detector"
            if seen != wanted:
                yield Finding(
                    f"detector {number} of {name} is not the camera's",
                    data_id=data_id,
                    where="detector",
                    seen=str(seen),
                    expected=str(wanted),
                    look=look_record("detector", data_id),
                )


@check(
    "identifiers.references-resolve",
    title="Every dimension record that another one refers to exists",
    after="register",
    remedy="insert the missing record again, or remove what refers to it: butler import {repo} EXPORT",
)
def references_resolve(context: CheckContext) -> Iterator[Finding]:
    """Joins drop rows whose partner is missing: the data are there and no query finds them.

    Databases guarantee this only while foreign keys are enforced, which copies, merges and repairs by hand bypass.
    """
    universe, names = context.butler.dimensions, tables(context).names
    stored = [e for e in universe.elements if e.has_own_table and e.name in names]
    for element in stored:
        for target in [d for d in (*element.required, *element.implied) if d.name != element.name]:
            if any(target.name == e.name for e in stored):
                yield from _unresolved(context, element, target)


def _unresolved(context: CheckContext, element: Any, target: Any) -> Iterator[Finding]:
    """Find the records that an element refers to, and which do not exist."""
    import sqlalchemy

    data, own = tables(context), _key_columns(element)
    columns = dict(zip([d.name for d in element.required], own, strict=True)) | {
        d.name: d.name for d in element.implied
    }
    if any(d.name not in columns for d in target.required):
        return
    theirs = _key_columns(target)
    mine = [columns[d.name] for d in target.required]
    here = data.table(element.name, *dict.fromkeys([*mine, *own])).alias("here")
    there = data.table(target.name, *theirs).alias("there")
    context.examined(data.count(sqlalchemy.select(here.c[own[0]])))
    same = [there.c[a] == here.c[b] for a, b in zip(theirs, mine, strict=True)]
    statement = sqlalchemy.select(*(here.c[n] for n in mine), *(here.c[n] for n in own)).where(
        *(here.c[n].is_not(None) for n in mine), ~sqlalchemy.exists().where(*same)
    )
    missing: dict[tuple[Any, ...], list[tuple[Any, ...]]] = defaultdict(list)
    for row in data.stream(statement):
        missing[tuple(row[: len(mine)])].append(tuple(row[len(mine) :]))
    for key, owners in missing.items():
        yield Finding(
            f"{element.name} refers to {target.name} {key[-1]}, which does not exist",
            data_id=dict(zip([d.name for d in target.required], key, strict=True)),
            where=element.name,
            seen=f"{element.name} {owners[0]}" + (f" and {len(owners) - 1} more" if len(owners) > 1 else ""),
            expected=f"a record of {target.name} {key}",
            look=look_record(target.name, {}),
        )


def _key_columns(element: Any) -> list[str]:
    """Return the columns of an element's table that hold its required dimensions."""
    names = [d.name for d in element.required]
    if element.name in names:  # a dimension keeps its own value under the name of its primary key
        names[names.index(element.name)] = element.primaryKey.name
    return names


@check(
    "identifiers.day-obs",
    title="Every day_obs is a date, and a visit has that of its first exposure",
    after="ingest",
    remedy="write a metadata correction for the exposure's header, and ingest its raws again",
)
def day_obs(context: CheckContext) -> Iterator[Finding]:
    """Nights are processed, transferred and counted by day_obs: a wrong one loses data from its night."""
    for element in ("day_obs", "exposure", "visit"):
        for record in records(context, element):
            context.examined()
            day = record.id if element == "day_obs" else record.day_obs
            try:
                datetime.datetime.strptime(str(day), "%Y%m%d")
            except ValueError:
                data_id = {"instrument": record.instrument, element: record.id}
                yield Finding(
                    f"day_obs {day} of {element} {record.id} is no date",
                    data_id=data_id,
                    where=element,
                    seen=str(day),
                    expected="YYYYMMDD",
                    look=look_record(element, data_id),
                )
    visits = by_key(context, "visit")
    for key, exposures in exposures_of_visits(context).items():
        visit = visits.get(key)
        if visit is None:
            continue
        context.examined()
        first = min(exposures, key=lambda e: e.day_obs)
        if first.day_obs != visit.day_obs:
            yield Finding(
                f"visit {key[1]} and its exposure {first.id} are of different days",
                data_id={"instrument": key[0], "visit": key[1], "exposure": first.id},
                where="visit.day_obs",
                seen=str(visit.day_obs),
                expected=str(first.day_obs),
                look=look_record("visit", {"instrument": key[0], "visit": key[1]}),
            )


CHECKS: tuple[Check, ...] = (
    instrument_as_registered,
    detectors_as_camera,
    detector_max,
    references_resolve,
    obs_id_unique,
    seq_num_unique,
    exposure_max,
    visit_max,
    day_obs,
)
