"""Seeded defects of visits of several exposures; they need a repository that has some."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from ..instrument.visits import BY_COUNTER, BY_GROUP, ONE_TO_ONE, first_snap_number
from .base import Defect, DefectTarget, defect
from .tools import one

__all__ = ["DEFECTS"]


class _Pair(NamedTuple):
    """A visit of several exposures with the first two of them."""

    visit: int
    first: int
    second: int


def _pair(db: sqlite3.Connection, target: DefectTarget, system: int = BY_COUNTER) -> _Pair:
    """Return the first visit of a system that has several exposures."""
    row = one(
        db,
        "SELECT d.visit, min(d.exposure), max(d.exposure) FROM visit_definition d JOIN visit_system_membership m"
        " ON m.instrument = d.instrument AND m.visit = d.visit WHERE d.instrument = ? AND m.visit_system = ?"
        " GROUP BY d.visit HAVING count(*) > 1 ORDER BY d.visit",
        target.kit.name,
        system,
    )
    return _Pair(*row)


@defect("visit-left-system", found_by="visits.exposures-covered", after="visits")
def visit_left_system(target: DefectTarget) -> None:
    """A visit of a single exposure lost one of its two visit systems."""
    with target.sql() as db:
        visit = one(
            db,
            "SELECT visit FROM visit_system_membership WHERE instrument = ? GROUP BY visit"
            " HAVING count(*) = 2 ORDER BY visit",
            target.kit.name,
        )[0]
        key = (target.kit.name, visit, BY_COUNTER)
        db.execute("DELETE FROM visit_system_membership WHERE instrument=? AND visit=? AND visit_system=?", key)


@defect("snap-left-out", found_by="visits.exposures-covered", after="visits")
def snap_left_out(target: DefectTarget) -> None:
    """The visit of several snaps lacks one that came later."""
    with target.sql() as db:
        pair = _pair(db, target)
        key = (target.kit.name, pair.visit, pair.second)
        db.execute("DELETE FROM visit_definition WHERE instrument=? AND visit=? AND exposure=?", key)


@defect("snap-of-other-run", found_by="visits.members-belong-together", after="visits")
def snap_of_other_run(target: DefectTarget) -> None:
    """The counters of a snap were corrected after its visit was defined."""
    with target.sql() as db:
        key = (target.kit.name, _pair(db, target).second)
        db.execute("UPDATE exposure SET seq_start=seq_num, seq_end=seq_num WHERE instrument=? AND id=?", key)


@defect("snap-of-other-group", found_by="visits.members-belong-together", after="visits")
def snap_of_other_group(target: DefectTarget) -> None:
    """An exposure was put into another group after the visit of its group was defined."""
    with target.sql() as db:
        pair = _pair(db, target, BY_GROUP)
        other = one(
            db,
            'SELECT "group" FROM exposure WHERE instrument=? AND "group" <>'
            ' (SELECT "group" FROM exposure WHERE instrument=? AND id=?) ORDER BY id',
            target.kit.name,
            target.kit.name,
            pair.second,
        )[0]
        db.execute('UPDATE exposure SET "group"=? WHERE instrument=? AND id=?', (other, target.kit.name, pair.second))


@defect("one-to-one-visit-of-two", found_by="visits.members-belong-together", after="visits")
def one_to_one_visit_of_two(target: DefectTarget) -> None:
    """The one-to-one visit of a first snap has the second one, too."""
    with target.sql() as db:
        pair = _pair(db, target)
        visit = one(
            db,
            "SELECT visit FROM visit_system_membership WHERE instrument=? AND visit_system=? AND visit=?",
            target.kit.name,
            ONE_TO_ONE,
            first_snap_number(pair.first),
        )[0]
        row = (target.kit.name, pair.second, visit)
        db.execute("INSERT INTO visit_definition (instrument, exposure, visit) VALUES (?, ?, ?)", row)


@defect("first-snap-lost", found_by="visits.numbers", after="visits")
def first_snap_lost(target: DefectTarget) -> None:
    """A visit of several snaps lacks the first, from which it has its id."""
    with target.sql() as db:
        pair = _pair(db, target)
        key = (target.kit.name, pair.visit, pair.first)
        db.execute("DELETE FROM visit_definition WHERE instrument=? AND visit=? AND exposure=?", key)


@defect("first-snap-misnamed", found_by="visits.numbers", after="visits")
def first_snap_misnamed(target: DefectTarget) -> None:
    """The one-to-one visit of a first snap is called in another way."""
    with target.sql() as db:
        key = (target.kit.name, first_snap_number(_pair(db, target).first))
        db.execute("UPDATE visit SET name = replace(name, '_first', '_1') WHERE instrument=? AND id=?", key)


@defect("snaps-out-of-order", found_by="visits.snaps-in-order", after="visits")
def snaps_out_of_order(target: DefectTarget) -> None:
    """Two snaps of a visit have each other's time span."""
    with target.sql() as db:
        pair = _pair(db, target)
        query = "SELECT timespan_begin, timespan_end FROM exposure WHERE instrument=? AND id=?"
        spans = [one(db, query, target.kit.name, e) for e in (pair.first, pair.second)]
        for span, exposure in zip(reversed(spans), (pair.first, pair.second), strict=True):
            db.execute(
                "UPDATE exposure SET timespan_begin=?, timespan_end=? WHERE instrument=? AND id=?",
                (*span, target.kit.name, exposure),
            )


@defect("snap-elsewhere", found_by="geometry.detector-regions", after="visits")
def snap_elsewhere(target: DefectTarget) -> None:
    """The pointing of a later snap was corrected by a tenth of a degree after its visit was defined."""
    with target.sql() as db:
        key = (target.kit.name, _pair(db, target).second)
        db.execute("UPDATE exposure SET tracking_dec = tracking_dec + 0.1 WHERE instrument=? AND id=?", key)


@defect("snap-cut-off", found_by="time.visit-hull", after="visits")
def snap_cut_off(target: DefectTarget) -> None:
    """A visit of several snaps ends with the first of them."""
    with target.sql() as db:
        pair = _pair(db, target)
        query = "SELECT timespan_end FROM exposure WHERE instrument=? AND id=?"
        key = (one(db, query, target.kit.name, pair.first)[0], target.kit.name, pair.visit)
        db.execute("UPDATE visit SET timespan_end=? WHERE instrument=? AND id=?", key)


DEFECTS: tuple[Defect, ...] = (
    visit_left_system,
    snap_left_out,
    snap_of_other_run,
    snap_of_other_group,
    one_to_one_visit_of_two,
    first_snap_lost,
    first_snap_misnamed,
    snaps_out_of_order,
    snap_elsewhere,
    snap_cut_off,
)
