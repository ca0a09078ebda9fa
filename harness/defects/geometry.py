"""Seeded defects of regions."""

from __future__ import annotations

import sqlite3
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

from .base import Defect, DefectTarget, defect
from .tools import one

if TYPE_CHECKING:
    from lsst.sphgeom import ConvexPolygon

__all__ = ["DEFECTS", "read_region", "scaled", "write_region"]


def read_region(text: str) -> ConvexPolygon:
    """Decode a region as the registry stores it (base64 of sphgeom's encoding)."""
    from lsst.sphgeom import ConvexPolygon

    region = ConvexPolygon.decode(b64decode(text))
    assert isinstance(region, ConvexPolygon)
    return region


def write_region(region: Any) -> str:
    """Encode a region as the registry stores it."""
    return b64encode(region.encode()).decode()


def scaled(region: ConvexPolygon, factor: float) -> ConvexPolygon:
    """Return a polygon whose vertices have another distance, by a factor, from its centroid."""
    from lsst.sphgeom import ConvexPolygon, UnitVector3d, Vector3d

    centre = region.getCentroid()
    return ConvexPolygon(
        [
            UnitVector3d(Vector3d(*(c + factor * (x - c) for c, x in zip(_xyz(centre), _xyz(v), strict=True))))
            for v in region.getVertices()
        ]
    )


def _xyz(vector: Any) -> tuple[float, float, float]:
    return vector.x(), vector.y(), vector.z()


def _visit(db: sqlite3.Connection, target: DefectTarget) -> tuple[int, str]:
    query = "SELECT id, region FROM visit WHERE instrument=? ORDER BY id"
    number, region = one(db, query, target.kit.name)
    return number, region


@defect("pointing-beyond-circle", found_by="geometry.pointing-range", after="ingest")
def pointing_beyond_circle(target: DefectTarget) -> None:
    """A right ascension was not wrapped to 0 … 360 degrees."""
    with target.sql() as db:
        key = (target.kit.name, target.dataset.observations[0].exposure)
        db.execute("UPDATE exposure SET tracking_ra = tracking_ra + 360 WHERE instrument=? AND id=?", key)


@defect("visit-region-shrunk", found_by="geometry.visit-contains-detectors", after="visits")
def visit_region_shrunk(target: DefectTarget) -> None:
    """The region of a visit is the hull of its inner detectors only."""
    with target.sql() as db:
        visit, text = _visit(db, target)
        small = write_region(scaled(read_region(text), 0.9))
        db.execute("UPDATE visit SET region=? WHERE instrument=? AND id=?", (small, target.kit.name, visit))


@defect("detector-region-missing", found_by="geometry.detector-regions-complete", after="visits")
def detector_region_missing(target: DefectTarget) -> None:
    """A visit has no region for one of its detectors."""
    with target.sql() as db:
        key = (target.kit.name, _visit(db, target)[0], target.dataset.detectors[0])
        db.execute("DELETE FROM visit_detector_region WHERE instrument=? AND visit=? AND detector=?", key)


@defect("detector-regions-swapped", found_by="geometry.detector-regions", after="visits")
def detector_regions_swapped(target: DefectTarget) -> None:
    """Two detectors of a visit have each other's region."""
    entry = next(o for o in target.dataset.observations if len(o.detectors) > 1)
    with target.sql() as db:
        visit = one(db, "SELECT visit FROM visit_definition WHERE exposure=?", entry.exposure)[0]
        regions = {}
        for detector in entry.detectors[:2]:
            query = "SELECT region FROM visit_detector_region WHERE instrument=? AND visit=? AND detector=?"
            regions[detector] = one(db, query, target.kit.name, visit, detector)[0]
        for detector, text in zip(reversed(regions), regions.values(), strict=True):
            db.execute(
                "UPDATE visit_detector_region SET region=? WHERE instrument=? AND visit=? AND detector=?",
                (text, target.kit.name, visit, detector),
            )


@defect("exposure-pointing-moved", found_by="geometry.exposure-in-visit", after="visits")
def exposure_pointing_moved(target: DefectTarget) -> None:
    """The pointing of an exposure was changed after its visit was defined."""
    with target.sql() as db:
        key = (target.kit.name, target.dataset.observations[0].exposure)
        db.execute("UPDATE exposure SET tracking_dec = tracking_dec + 10 WHERE instrument=? AND id=?", key)


@defect("overlap-rows-lost", found_by="geometry.overlap-tables", after="visits")
def overlap_rows_lost(target: DefectTarget) -> None:
    """The overlaps of a detector's region with the sky pixelization are not stored."""
    with target.sql() as db:
        key = (target.kit.name, _visit(db, target)[0], target.dataset.detectors[0])
        table = "visit_detector_region_skypix_overlap"
        query = f"DELETE FROM {table} WHERE instrument=? AND visit=? AND detector=?"  # noqa: S608 - a table's name
        db.execute(query, key)


DEFECTS: tuple[Defect, ...] = (
    pointing_beyond_circle,
    visit_region_shrunk,
    detector_region_missing,
    detector_regions_swapped,
    exposure_pointing_moved,
    overlap_rows_lost,
)
