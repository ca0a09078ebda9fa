"""Seeded defects of exposures, visits, detectors and regions that need no knowledge of the instrument."""

from __future__ import annotations

import base64
import sqlite3
from typing import Any

from .base import Defect, DefectTarget, defect
from .tools import first_exposure, one

__all__ = ["DEFECTS"]


def _change(target: DefectTarget, table: str, column: str, value: Any, number: int) -> None:
    """Write a value into a column of a record of the instrument."""
    with target.sql() as db:
        query = f"UPDATE {table} SET {column}=? WHERE instrument=? AND id=?"  # noqa: S608 - names of this module
        db.execute(query, (value, target.kit.name, number))


def _first(target: DefectTarget) -> int:
    with target.sql() as db:
        return first_exposure(db, target)


@defect("group-of-nobody", found_by="identifiers.records-used", after="ingest")
def group_of_nobody(target: DefectTarget) -> None:
    """There is a group that no exposure belongs to."""
    with target.sql() as db:
        db.execute('INSERT INTO "group" (instrument, name) VALUES (?, ?)', (target.kit.name, "nobody"))


@defect("sequence-left", found_by="identifiers.sequence-ranges", after="ingest")
def sequence_left(target: DefectTarget) -> None:
    """An exposure's sequence ended before it."""
    with target.sql() as db:
        query = "SELECT seq_num FROM exposure WHERE instrument=? ORDER BY id"
        number = one(db, query, target.kit.name)[0]
    _change(target, "exposure", "seq_end", number - 1, _first(target))


@defect("sequences-cross", found_by="identifiers.sequence-ranges", after="ingest")
def sequences_cross(target: DefectTarget) -> None:
    """An exposure's sequence reaches into the next one of the night."""
    with target.sql() as db:
        key = (target.kit.name, first_exposure(db, target))
        night = "(SELECT day_obs FROM exposure WHERE instrument=? AND id=?)"
        most = one(db, f"SELECT max(seq_num) FROM exposure WHERE day_obs={night}", *key)[0]  # noqa: S608 - a constant
    _change(target, "exposure", "seq_end", most, key[1])


@defect("numbers-exchanged", found_by="time.sequence-order", after="ingest")
def numbers_exchanged(target: DefectTarget) -> None:
    """Two exposures have each other's sequence number."""
    with target.sql() as db:
        _exchange(db, target, "seq_num")


@defect("clock-set-back", found_by="time.sequence-order", after="ingest")
def clock_set_back(target: DefectTarget) -> None:
    """Two exposures have each other's time."""
    with target.sql() as db:
        _exchange(db, target, "timespan_begin", "timespan_end")


def _exchange(db: sqlite3.Connection, target: DefectTarget, *columns: str) -> None:
    """Exchange columns of the first two exposures."""
    names = ", ".join(columns)
    query = f"SELECT id, {names} FROM exposure WHERE instrument=? ORDER BY id LIMIT 2"  # noqa: S608 - names of this module
    (first, *mine), (second, *other) = db.execute(query, (target.kit.name,)).fetchall()
    for number, values in ((first, other), (second, mine)):
        for column, value in zip(columns, values, strict=True):
            change = f"UPDATE exposure SET {column}=? WHERE instrument=? AND id=?"  # noqa: S608 - names of this module
            db.execute(change, (value, target.kit.name, number))


@defect("obs-id-of-nobody", found_by="identifiers.names-follow-numbers", after="ingest")
def obs_id_of_nobody(target: DefectTarget) -> None:
    """An exposure has the obs_id of one that does not exist."""
    number = _first(target)
    with target.sql() as db:
        name = one(db, "SELECT obs_id FROM exposure WHERE instrument=? AND id=?", target.kit.name, number)[0]
    digits = str.maketrans("0123456789", "1234567890")
    _change(target, "exposure", "obs_id", name.translate(digits), number)


@defect("zenith-angle-unknown", found_by="identifiers.cells-filled", after="ingest")
def zenith_angle_unknown(target: DefectTarget) -> None:
    """Of one exposure alone it is not known where it was over the horizon."""
    _change(target, "exposure", "zenith_angle", None, _first(target))


@defect("dark-time-short", found_by="time.dark-time", after="ingest")
def dark_time_short(target: DefectTarget) -> None:
    """The pixels of an exposure collected for a shorter time than light fell on them."""
    with target.sql() as db:
        key = (target.kit.name, first_exposure(db, target))
        db.execute("UPDATE exposure SET dark_time=exposure_time / 2 WHERE instrument=? AND id=?", key)


@defect("dark-under-the-sky", found_by="identifiers.observation-kinds", after="ingest")
def dark_under_the_sky(target: DefectTarget) -> None:
    """An exposure of the sky is said to be a dark."""
    with target.sql() as db:
        query = "SELECT id FROM exposure WHERE instrument=? AND can_see_sky ORDER BY id"
        number = one(db, query, target.kit.name)[0]
    _change(target, "exposure", "observation_type", "dark", number)


@defect("target-renamed", found_by="identifiers.exposure-header", after="ingest")
def target_renamed(target: DefectTarget) -> None:
    """An exposure's target has another name than in its header."""
    _change(target, "exposure", "target_name", "M31", _first(target))


@defect("visit-azimuth-other", found_by="visits.horizontal", after="visits")
def visit_azimuth_other(target: DefectTarget) -> None:
    """A visit was taken in another direction than its exposures."""
    with target.sql() as db:
        query = "SELECT id, azimuth FROM visit WHERE instrument=? AND azimuth IS NOT NULL ORDER BY id"
        number, azimuth = one(db, query, target.kit.name)
    _change(target, "visit", "azimuth", (azimuth + 90.0) % 360.0, number)


@defect("visit-system-misnamed", found_by="visits.systems", after="visits")
def visit_system_misnamed(target: DefectTarget) -> None:
    """A visit system has the name of another."""
    with target.sql() as db:
        query = "SELECT id FROM visit_system WHERE instrument=? AND id=0"
        number = one(db, query, target.kit.name)[0]
        db.execute("UPDATE visit_system SET name='elsewhere' WHERE name='by-group-metadata'")
    _change(target, "visit_system", "name", "by-group-metadata", number)


@defect("visit-system-unknown", found_by="visits.systems", after="visits")
def visit_system_unknown(target: DefectTarget) -> None:
    """The instrument names a visit system that is not there."""
    with target.sql() as db:
        db.execute("UPDATE instrument SET visit_system=7 WHERE name=?", (target.kit.name,))


@defect("detector-in-other-raft", found_by="identifiers.detector-names", after="register")
def detector_in_other_raft(target: DefectTarget) -> None:
    """A detector is registered in a raft that its full name contradicts."""
    with target.sql() as db:
        number = one(db, "SELECT min(id) FROM detector WHERE instrument=?", target.kit.name)[0]
    _change(target, "detector", "raft", "R99", number)


@defect("detectors-at-one-place", found_by="identifiers.detector-names", after="register")
def detectors_at_one_place(target: DefectTarget) -> None:
    """Two detectors are at the same place of the same raft."""
    with target.sql() as db:
        query = "SELECT raft, name_in_raft FROM detector WHERE instrument=? ORDER BY id"
        raft, name = one(db, query, target.kit.name)
        number = one(db, "SELECT max(id) FROM detector WHERE instrument=?", target.kit.name)[0]
    _change(target, "detector", "raft", raft, number)
    _change(target, "detector", "name_in_raft", name, number)


@defect("region-cut-off", found_by="geometry.regions-sound", after="visits")
def region_cut_off(target: DefectTarget) -> None:
    """The region of a visit was cut off when it was copied."""
    number, region = _visit(target)
    _change(target, "visit", "region", region[:40], number)


@defect("region-inside-out", found_by="geometry.regions-sound", after="visits")
def region_inside_out(target: DefectTarget) -> None:
    """The vertices of a visit's region go the wrong way round."""
    number, region = _visit(target)
    code = base64.b64decode(region)
    # One byte for the kind of region, then three doubles for each vertex.
    vertices = [code[i : i + 24] for i in range(1, len(code), 24)]
    turned = base64.b64encode(code[:1] + b"".join(reversed(vertices))).decode()
    _change(target, "visit", "region", turned, number)


@defect("visit-region-doubled", found_by="geometry.region-sizes", after="visits")
def visit_region_doubled(target: DefectTarget) -> None:
    """The region of a visit is twice as wide as the camera."""
    from lsst.sphgeom import ConvexPolygon, Region, UnitVector3d

    number, region = _visit(target)
    polygon: Any = Region.decode(base64.b64decode(region))
    middle = polygon.getCentroid()
    wide = [UnitVector3d(*(2.0 * getattr(v, c)() - getattr(middle, c)() for c in "xyz")) for v in polygon.getVertices()]
    _change(target, "visit", "region", base64.b64encode(ConvexPolygon(wide).encode()).decode(), number)


def _visit(target: DefectTarget) -> tuple[int, str]:
    """Return the first visit that has a region, with it."""
    with target.sql() as db:
        query = "SELECT id, region FROM visit WHERE instrument=? AND region IS NOT NULL ORDER BY id"
        number, region = one(db, query, target.kit.name)
    return number, region


DEFECTS: tuple[Defect, ...] = (
    group_of_nobody,
    sequence_left,
    sequences_cross,
    numbers_exchanged,
    clock_set_back,
    obs_id_of_nobody,
    zenith_angle_unknown,
    dark_time_short,
    dark_under_the_sky,
    target_renamed,
    visit_azimuth_other,
    visit_system_misnamed,
    visit_system_unknown,
    detector_in_other_raft,
    detectors_at_one_place,
    region_cut_off,
    region_inside_out,
    visit_region_doubled,
)
