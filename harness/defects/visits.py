"""Seeded defects of visits."""

from __future__ import annotations

import sqlite3

from .base import Defect, DefectTarget, defect
from .tools import one

__all__ = ["DEFECTS"]


def _visit(db: sqlite3.Connection, target: DefectTarget, index: int = 0) -> int:
    """Return the n-th visit that has an exposure."""
    query = "SELECT DISTINCT visit FROM visit_definition WHERE instrument=? ORDER BY visit LIMIT 1 OFFSET ?"
    number: int = one(db, query, target.kit.name, index)[0]
    return number


@defect("visit-membership-lost", found_by="visits.exposures-covered", after="visits")
def visit_membership_lost(target: DefectTarget) -> None:
    """A visit belongs to no visit system any more."""
    with target.sql() as db:
        key = (target.kit.name, _visit(db, target))
        db.execute("DELETE FROM visit_system_membership WHERE instrument=? AND visit=?", key)


@defect("exposure-in-two-visits", found_by="visits.exposures-covered", after="visits")
def exposure_in_two_visits(target: DefectTarget) -> None:
    """An exposure is also in the visit of another one."""
    with target.sql() as db:
        first, second = _visit(db, target, 0), _visit(db, target, 1)
        exposure = one(db, "SELECT exposure FROM visit_definition WHERE visit=?", first)[0]
        db.execute(
            "INSERT INTO visit_definition (instrument, exposure, visit) VALUES (?, ?, ?)",
            (target.kit.name, exposure, second),
        )


@defect("dark-in-visit", found_by="visits.sky-only", after="visits")
def dark_in_visit(target: DefectTarget) -> None:
    """An exposure that cannot see the sky is in a visit."""
    with target.sql() as db:
        exposure = one(db, "SELECT exposure FROM visit_definition WHERE visit=?", _visit(db, target))[0]
        db.execute("UPDATE exposure SET can_see_sky=0 WHERE instrument=? AND id=?", (target.kit.name, exposure))


@defect("visit-definition-lost", found_by="visits.definitions-complete", after="visits")
def visit_definition_lost(target: DefectTarget) -> None:
    """A visit came without its definition, as from an incomplete export."""
    with target.sql() as db:
        key = (target.kit.name, _visit(db, target))
        db.execute("DELETE FROM visit_definition WHERE instrument=? AND visit=?", key)


@defect("visit-filter-wrong", found_by="visits.fields", after="visits")
def visit_filter_wrong(target: DefectTarget) -> None:
    """A visit has another filter than its exposure."""
    with target.sql() as db:
        visit = _visit(db, target)
        used = one(db, "SELECT physical_filter FROM visit WHERE instrument=? AND id=?", target.kit.name, visit)[0]
        other = one(db, "SELECT name FROM physical_filter WHERE instrument=? AND name<>?", target.kit.name, used)[0]
        db.execute("UPDATE visit SET physical_filter=? WHERE instrument=? AND id=?", (other, target.kit.name, visit))


@defect("visit-exposure-time-doubled", found_by="visits.fields", after="visits")
def visit_exposure_time_doubled(target: DefectTarget) -> None:
    """A visit claims twice the exposure time of its exposures."""
    with target.sql() as db:
        key = (target.kit.name, _visit(db, target))
        db.execute("UPDATE visit SET exposure_time = 2 * exposure_time WHERE instrument=? AND id=?", key)


@defect("visit-name-duplicate", found_by="visits.names-unique", after="visits")
def visit_name_duplicate(target: DefectTarget) -> None:
    """Two visits have the same name, but for its case."""
    with target.sql() as db:
        first, second = _visit(db, target, 0), _visit(db, target, 1)
        name = one(db, "SELECT name FROM visit WHERE instrument=? AND id=?", target.kit.name, first)[0]
        key = (name.swapcase(), target.kit.name, second)
        db.execute("UPDATE visit SET name=? WHERE instrument=? AND id=?", key)


@defect("visit-number-lost", found_by="visits.fields", after="visits")
def visit_number_lost(target: DefectTarget) -> None:
    """A visit has no sequence number, which its exposure has."""
    with target.sql() as db:
        key = (target.kit.name, _visit(db, target))
        db.execute("UPDATE visit SET seq_num=NULL WHERE instrument=? AND id=?", key)


DEFECTS: tuple[Defect, ...] = (
    visit_number_lost,
    visit_membership_lost,
    exposure_in_two_visits,
    dark_in_visit,
    visit_definition_lost,
    visit_filter_wrong,
    visit_exposure_time_doubled,
    visit_name_duplicate,
)
