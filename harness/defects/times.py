"""Seeded defects of times."""

from __future__ import annotations

from .base import Defect, DefectTarget, defect
from .tools import one, science_pair

__all__ = ["DEFECTS"]

SECOND = 1_000_000_000
"""Nanoseconds."""


def _shift(target: DefectTarget, table: str, number: int, begin: int, end: int) -> None:
    """Add nanoseconds to the bounds of one record's time span."""
    with target.sql() as db:
        db.execute(
            f"UPDATE {table} SET timespan_begin = timespan_begin + ?, timespan_end = timespan_end + ?"  # noqa: S608
            " WHERE instrument=? AND id=?",
            (begin, end, target.kit.name, number),
        )


@defect("exposure-span-empty", found_by="time.exposure-spans", after="ingest")
def exposure_span_empty(target: DefectTarget) -> None:
    """An exposure ends an hour before it begins."""
    _shift(target, "exposure", target.dataset.observations[0].exposure, 0, -3600 * SECOND)


@defect("exposure-span-short", found_by="time.exposure-spans", after="ingest")
def exposure_span_short(target: DefectTarget) -> None:
    """An exposure lasts half a second less than its exposure time."""
    _shift(target, "exposure", target.dataset.observations[0].exposure, 0, -SECOND // 2)


@defect("exposure-day-late", found_by="time.within-day", after="ingest")
def exposure_day_late(target: DefectTarget) -> None:
    """An exposure has the clock of the day after."""
    _shift(target, "exposure", target.dataset.observations[0].exposure, 86_400 * SECOND, 86_400 * SECOND)


@defect("day-too-long", found_by="time.day-spans", after="ingest")
def day_too_long(target: DefectTarget) -> None:
    """A day has 25 hours."""
    with target.sql() as db:
        day = one(db, "SELECT id FROM day_obs WHERE instrument=? ORDER BY id", target.kit.name)[0]
    _shift(target, "day_obs", day, 0, 3600 * SECOND)


@defect("day-an-hour-late", found_by="time.day-spans", after="ingest")
def day_an_hour_late(target: DefectTarget) -> None:
    """A day's span was computed with another offset."""
    with target.sql() as db:
        day = one(db, "SELECT id FROM day_obs WHERE instrument=? ORDER BY id", target.kit.name)[0]
    _shift(target, "day_obs", day, 3600 * SECOND, 3600 * SECOND)


@defect("day-on-other-date", found_by="time.day-spans", after="ingest")
def day_on_other_date(target: DefectTarget) -> None:
    """A day's span is that of two days later."""
    with target.sql() as db:
        day = one(db, "SELECT id FROM day_obs WHERE instrument=? ORDER BY id", target.kit.name)[0]
    _shift(target, "day_obs", day, 2 * 86_400 * SECOND, 2 * 86_400 * SECOND)


@defect("exposures-overlap", found_by="time.no-overlap", after="ingest")
def exposures_overlap(target: DefectTarget) -> None:
    """An exposure begins while another one of the same detector is being taken."""
    first, second = science_pair(target)
    with target.sql() as db:
        begin = one(db, "SELECT timespan_begin FROM exposure WHERE instrument=? AND id=?", target.kit.name, first)[0]
        db.execute(
            "UPDATE exposure SET timespan_end = timespan_end - timespan_begin + ?, timespan_begin = ?"
            " WHERE instrument=? AND id=?",
            (begin + 3 * SECOND, begin + 3 * SECOND, target.kit.name, second),
        )


@defect("visit-span-too-long", found_by="time.visit-hull", after="visits")
def visit_span_too_long(target: DefectTarget) -> None:
    """A visit ends ten seconds after its last exposure."""
    with target.sql() as db:
        visit = one(db, "SELECT visit FROM visit_definition WHERE instrument=? ORDER BY visit", target.kit.name)[0]
    _shift(target, "visit", visit, 0, 10 * SECOND)


@defect("utc-taken-for-tai", found_by="time.raw-header", after="ingest")
def utc_taken_for_tai(target: DefectTarget) -> None:
    """The times of an exposure are UTC: 35 s before TAI, as from 2012 to 2015."""
    _shift(target, "exposure", target.dataset.observations[0].exposure, -35 * SECOND, -35 * SECOND)


DEFECTS: tuple[Defect, ...] = (
    exposure_span_empty,
    exposure_span_short,
    exposure_day_late,
    day_too_long,
    day_an_hour_late,
    day_on_other_date,
    exposures_overlap,
    visit_span_too_long,
    utc_taken_for_tai,
)
