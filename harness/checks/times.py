"""Invariants of times: spans are what the telescope did, and everybody means TAI."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from ..instrument.kit import Capability
from ..verdicts import Check, Finding, check
from .raws import exposure_detectors, translated
from .records import by_key, exposures_of_visits, iso, known_instruments, look_datasets, look_record, records

if TYPE_CHECKING:
    from lsst.daf.butler import DimensionRecord

    from .context import CheckContext

__all__ = ["CHECKS", "Span", "overlapping"]

SECOND = 1_000_000_000
"""Nanoseconds."""

TOLERANCE = 2_000_000
"""2 ms: headers give times to the millisecond, and begin and end are each rounded."""

OFFSET = 14 * 3600 * SECOND
"""A night may roll over at any hour of any time zone: at most 14 hours from 0h UTC."""


class Span(NamedTuple):
    """A half-open span of time with what it belongs to."""

    begin: int
    end: int
    key: Any


def overlapping(spans: Iterable[Span]) -> Iterator[tuple[Span, Span]]:
    """Find all pairs of spans that have an instant in common.

    Parameters
    ----------
    spans : `~collections.abc.Iterable` [`Span`]
        Half-open spans; empty ones overlap nothing.

    Yields
    ------
    earlier, later : `Span`
        A pair, ordered by its beginnings.

    Notes
    -----
    A sweep over the sorted beginnings: time grows as n log n plus the number of pairs found.
    """
    active: list[Span] = []
    for span in sorted((s for s in spans if s.end > s.begin), key=lambda s: (s.begin, s.end)):
        active = [a for a in active if a.end > span.begin]
        for earlier in active:
            yield earlier, span
        active.append(span)


@check(
    "time.exposure-spans",
    title="Every exposure has a span of time, at least as long as its exposure time",
    after="ingest",
    remedy="write a metadata correction for the exposure's header, and ingest its raws again",
)
def exposure_spans(context: CheckContext) -> Iterator[Finding]:
    """Calibrations are found by the exposure's span: an empty one overlaps nothing and finds nothing.

    Ends before beginnings come from headers with a clock that was set between the two.
    """
    for record in records(context, "exposure"):
        context.examined()
        data_id = {"instrument": record.instrument, "exposure": record.id}
        look = look_record("exposure", data_id)
        span = record.timespan
        if span is None or span.isEmpty():
            yield Finding(
                f"the time span of exposure {record.id} is empty",
                data_id=data_id,
                where="exposure.timespan",
                seen="none" if span is None else str(span),
                expected="begin < end",
                look=look,
            )
        elif (
            record.exposure_time is not None and span.nsec[1] - span.nsec[0] + TOLERANCE < record.exposure_time * SECOND
        ):
            yield Finding(
                f"exposure {record.id} lasted shorter than its shutter was open",
                data_id=data_id,
                where="exposure.timespan",
                seen=f"{(span.nsec[1] - span.nsec[0]) / SECOND:.3f} s",
                expected=f"at least {record.exposure_time} s",
                look=look,
            )


@check(
    "time.within-day",
    title="Every exposure begins within the span of its day_obs",
    after="ingest",
    remedy="write a metadata correction for the exposure's header, and ingest its raws again",
)
def within_day(context: CheckContext) -> Iterator[Finding]:
    """Queries by time and queries by night must find the same exposures.

    The rollover hour is easily got wrong by a time zone, and then the exposures of an evening change night.
    """
    days = by_key(context, "day_obs")
    for record in records(context, "exposure"):
        day = days.get((record.instrument, record.day_obs))
        if day is None or day.timespan is None or record.timespan is None:
            continue
        context.examined()
        begin = record.timespan.nsec[0]
        kit = context.kits.get(record.instrument)
        by_date = kit is not None and getattr(kit.instrument_class, "observing_day_is_date", False)
        if by_date and iso(begin)[:10].replace("-", "") == str(record.day_obs):
            continue  # an instrument that gives the date of the begin, by its own rule
        if not day.timespan.nsec[0] <= begin < day.timespan.nsec[1]:
            data_id = {"instrument": record.instrument, "exposure": record.id}
            yield Finding(
                f"exposure {record.id} begins outside its day {record.day_obs}",
                data_id=data_id,
                where="exposure.timespan",
                seen=iso(begin),
                expected=f"from {iso(day.timespan.nsec[0])} to {iso(day.timespan.nsec[1])}",
                look=look_record("exposure", data_id),
            )


@check(
    "time.day-spans",
    title="Days last 24 hours, belong to their date, begin when the instrument's days do, and do not overlap",
    after="ingest",
    remedy="correct the translator's observing_day_offset, and insert the record with replace=True",
)
def day_spans(context: CheckContext) -> Iterator[Finding]:
    """An instant must belong to exactly one night of an instrument, or nightly counts do not add up."""
    spans: dict[str, list[Span]] = defaultdict(list)
    for record in records(context, "day_obs"):
        context.examined()
        data_id = {"instrument": record.instrument, "day_obs": record.id}
        look = look_record("day_obs", data_id)
        if record.timespan is None:
            yield Finding(
                f"day {record.id} has no span of time",
                data_id=data_id,
                where="day_obs.timespan",
                seen="none",
                expected="24 hours",
                look=look,
            )
            continue
        begin, end = record.timespan.nsec
        spans[record.instrument].append(Span(begin, end, record.id))
        try:
            date = datetime.datetime.strptime(f"{record.id}+0000", "%Y%m%d%z")
        except ValueError:
            continue  # found by identifiers.day-obs
        midnight = int(date.timestamp()) * SECOND
        # Leap seconds and the offset between UTC and TAI stay below a minute.
        length_ok = abs(end - begin - 86_400 * SECOND) <= 60 * SECOND
        if not length_ok or abs(begin - midnight) > OFFSET + 60 * SECOND:
            yield Finding(
                f"the span of day {record.id} is not that day",
                data_id=data_id,
                where="day_obs.timespan",
                seen=f"{iso(begin)} to {iso(end)}",
                expected=f"24 hours around {date:%Y-%m-%d}",
                look=look,
            )
            continue
        known = _offsets(context, record)
        if known and all(abs(begin - midnight - o) > 60 * SECOND for o in known):
            yield Finding(
                f"day {record.id} does not begin when those of {record.instrument} do",
                data_id=data_id,
                where="day_obs.timespan",
                seen=iso(begin),
                expected=" or ".join(iso(midnight + o) for o in sorted(known)),
                look=look,
            )
    for instrument, items in spans.items():
        for earlier, later in overlapping(items):
            data_id = {"instrument": instrument, "day_obs": later.key}
            yield Finding(
                f"days {earlier.key} and {later.key} overlap",
                data_id=data_id,
                where="day_obs.timespan",
                seen=f"{later.key} begins {iso(later.begin)}",
                expected=f"not before {iso(earlier.end)}, the end of {earlier.key}",
                look=look_record("day_obs", {"instrument": instrument}),
            )


def _offsets(context: CheckContext, day: DimensionRecord) -> set[int]:
    """Return when a day of an installed instrument begins (ns after midnight) by its translator; two if it changes."""
    kit = known_instruments(context).get(day.instrument)
    if kit is None:
        return set()
    found = (kit.translator.observing_date_to_offset(t) for t in (day.timespan.begin, day.timespan.end))
    return {round(offset.to_value("s") * SECOND) for offset in found if offset is not None}


@check(
    "time.no-overlap",
    title="A detector never takes two exposures at once",
    after="ingest",
    remedy="write a metadata correction for the exposure's header, and ingest its raws again",
)
def no_overlap(context: CheckContext) -> Iterator[Finding]:
    """Two exposures of one detector that overlap are one exposure ingested twice, or have a wrong clock.

    Exposures that share no detector may overlap: guiders and parts of a camera run on their own.
    """
    detectors = exposure_detectors(context)
    spans: dict[str, list[Span]] = defaultdict(list)
    for record in records(context, "exposure"):
        if record.timespan is not None:
            context.examined()
            spans[record.instrument].append(Span._make((*record.timespan.nsec, record.id)))
    for instrument, items in spans.items():
        for earlier, later in overlapping(items):
            here = detectors.get((instrument, earlier.key), frozenset())
            common = sorted(here & detectors.get((instrument, later.key), frozenset()))
            if common:
                data_id = {"instrument": instrument, "exposure": later.key}
                yield Finding(
                    f"exposures {earlier.key} and {later.key} overlap in detector {common[0]}",
                    data_id=data_id | {"detector": common[0]},
                    where="exposure.timespan",
                    seen=f"{later.key} begins {iso(later.begin)}",
                    expected=f"not before {iso(earlier.end)}, the end of {earlier.key}",
                    look=look_record("exposure", data_id),
                )


@check(
    "time.visit-hull",
    title="A visit lasts from the beginning of its first exposure to the end of its last",
    after="visits",
    needs={Capability.VISITS},
    remedy="harness define-visits {repo} --update",
)
def visit_hull(context: CheckContext) -> Iterator[Finding]:
    """Calibrations and moving objects are looked up by the visit's span, after isr used the exposure's."""
    visits = by_key(context, "visit")
    for key, exposures in exposures_of_visits(context).items():
        visit = visits.get(key)
        spans = [e.timespan.nsec for e in exposures if e.timespan is not None]
        if visit is None or not spans:
            continue
        context.examined()
        hull = (min(b for b, _ in spans), max(e for _, e in spans))
        seen = visit.timespan.nsec if visit.timespan is not None else None
        if seen != hull:
            data_id = {"instrument": key[0], "visit": key[1]}
            yield Finding(
                f"the time span of visit {key[1]} is not that of its exposures",
                data_id=data_id,
                where="visit.timespan",
                seen=f"{iso(seen[0])} to {iso(seen[1])}" if seen else "none",
                expected=f"{iso(hull[0])} to {iso(hull[1])}",
                look=look_record("visit", data_id),
            )


@check(
    "time.raw-header",
    title="The times and the exposure time in raw headers are those of the exposure record, in TAI",
    after="ingest",
    deep=True,
    remedy="write a metadata correction for the exposure's header, and ingest its raws again",
)
def raw_header(context: CheckContext) -> Iterator[Finding]:
    """A difference of 35 to 37 s is UTC taken for TAI: positions of moving objects and night limits go wrong."""
    exposures = by_key(context, "exposure")
    for raw, info in translated(context):
        record = exposures.get((raw.data_id["instrument"], raw.data_id["exposure"]))
        if isinstance(info, Exception) or record is None or record.timespan is None:
            continue  # found by identifiers.raw-header, identifiers.references-resolve, time.exposure-spans
        context.examined()
        look = look_datasets(raw.dataset_type, raw.run, raw.data_id)
        for name, seen in zip(("datetime_begin", "datetime_end"), record.timespan.nsec, strict=True):
            value = getattr(info, name)
            wanted = _nanoseconds(value) if value is not None else seen
            if abs(seen - wanted) > TOLERANCE:
                yield Finding(
                    f"{name} in the header differs by {(wanted - seen) / SECOND:.3f} s from the exposure record",
                    data_id=raw.data_id,
                    where="exposure.timespan",
                    seen=f"{iso(seen)} in the registry",
                    expected=f"{iso(wanted)} in the header",
                    look=look,
                )
        requested = info.exposure_time_requested
        if requested is not None and record.exposure_time is not None:
            wanted_time = float(requested.to_value("s"))
            if abs(wanted_time - record.exposure_time) > 1e-3:
                yield Finding(
                    "the exposure time in the header is not the exposure record's",
                    data_id=raw.data_id,
                    where="exposure.exposure_time",
                    seen=f"{record.exposure_time} s in the registry",
                    expected=f"{wanted_time} s in the header",
                    look=look,
                )


def _nanoseconds(time: Any) -> int:
    from lsst.daf.butler.time_utils import TimeConverter

    value: int = TimeConverter().astropy_to_nsec(time)
    return value


CHECKS: tuple[Check, ...] = (exposure_spans, within_day, day_spans, no_overlap, visit_hull, raw_header)
