"""Seeded defects of calibrations."""

from __future__ import annotations

import sqlite3
from typing import Any

from .base import Defect, DefectTarget, defect
from .tools import calibration_table, dataset_type_id, one

__all__ = ["DEFECTS"]

DAY = 86_400 * 1_000_000_000
"""Nanoseconds."""


def _ranges(db: sqlite3.Connection, target: DefectTarget, kind: str = "bias") -> tuple[str, list[tuple[Any, ...]]]:
    """Return the table, and its rows (id, begin, end) for one detector in time order."""
    table = calibration_table(db, kind)
    query = (
        f"SELECT id, timespan_begin, timespan_end FROM {table}"  # noqa: S608 - the registry's own name
        " WHERE dataset_type_id=? AND instrument=? AND detector=? ORDER BY timespan_begin"
    )
    key = (dataset_type_id(db, kind), target.kit.name, target.dataset.detectors[0])
    one(db, query, *key)
    return table, db.execute(query, key).fetchall()


@defect("calibration-overlap", found_by="calibrations.no-overlap", after="calibs")
def calibration_overlap(target: DefectTarget) -> None:
    """An epoch ends a day after the next one began, for one detector."""
    with target.sql() as db:
        table, rows = _ranges(db, target)
        query = f"UPDATE {table} SET timespan_end = timespan_end + ? WHERE id=?"  # noqa: S608 - the registry's own name
        db.execute(query, (DAY, rows[0][0]))


@defect("calibration-gap", found_by="calibrations.no-gaps", after="calibs")
def calibration_gap(target: DefectTarget) -> None:
    """An epoch ends a day before the next one begins, for one detector."""
    with target.sql() as db:
        table, rows = _ranges(db, target)
        query = f"UPDATE {table} SET timespan_end = timespan_end - ? WHERE id=?"  # noqa: S608 - the registry's own name
        db.execute(query, (DAY, rows[0][0]))


@defect("validity-range-empty", found_by="calibrations.validity-ranges", after="calibs")
def validity_range_empty(target: DefectTarget) -> None:
    """A validity range ends when it begins."""
    with target.sql() as db:
        table, rows = _ranges(db, target)
        query = f"UPDATE {table} SET timespan_begin = timespan_end WHERE id=?"  # noqa: S608 - the registry's own name
        db.execute(query, (rows[0][0],))


@defect("certified-for-other-detector", found_by="calibrations.certified-exist", after="calibs")
def certified_for_other_detector(target: DefectTarget) -> None:
    """A detector's bias is certified for another detector."""
    with target.sql() as db:
        table, rows = _ranges(db, target)
        query = f"UPDATE {table} SET detector=? WHERE id=?"  # noqa: S608 - the registry's own name
        db.execute(query, (target.dataset.detectors[1], rows[0][0]))


@defect("certified-dataset-gone", found_by="calibrations.certified-exist", after="calibs")
def certified_dataset_gone(target: DefectTarget) -> None:
    """What is certified was deleted."""
    with target.sql() as db:
        table, rows = _ranges(db, target)
        query = f"UPDATE {table} SET dataset_id=? WHERE id=?"  # noqa: S608 - the registry's own name
        db.execute(query, ("0123456789ab7def8123456789abcdef", rows[0][0]))


@defect("calibration-type-unmarked", found_by="calibrations.types-marked", after="calibs")
def calibration_type_unmarked(target: DefectTarget) -> None:
    """The dataset type of the biases is not marked as a calibration."""
    with target.sql() as db:
        db.execute("UPDATE dataset_type SET calibration_association_table=NULL WHERE name='bias'")


@defect("epochs-late", found_by="calibrations.epochs-as-manifest", after="calibs")
def epochs_late(target: DefectTarget) -> None:
    """The change between two epochs is a day late, for one detector."""
    with target.sql() as db:
        table, rows = _ranges(db, target)
        end = f"UPDATE {table} SET timespan_end = timespan_end + ? WHERE id=?"  # noqa: S608 - the registry's own name
        begin = end.replace("timespan_end", "timespan_begin")
        db.execute(end, (DAY, rows[0][0]))
        db.execute(begin, (DAY, rows[1][0]))


@defect("flat-decertified", found_by="calibrations.found-once", after="ingest")
def flat_decertified(target: DefectTarget) -> None:
    """There is no flat for one detector and filter any more."""
    from lsst.daf.butler import DataCoordinate, Timespan

    entry = target.dataset.observations[0]
    with target.butler() as butler:
        flat = butler.get_dataset_type("flat")
        data_id = DataCoordinate.standardize(
            {
                "instrument": target.kit.name,
                "detector": entry.detectors[0],
                "physical_filter": entry.physical_filter,
            },
            dimensions=flat.dimensions,
        )
        collection = target.kit.instrument_class().makeCalibrationCollectionName()
        butler.registry.decertify(collection, "flat", Timespan(None, None), dataIds=[data_id])


DEFECTS: tuple[Defect, ...] = (
    calibration_overlap,
    calibration_gap,
    validity_range_empty,
    certified_for_other_detector,
    certified_dataset_gone,
    calibration_type_unmarked,
    epochs_late,
    flat_decertified,
)
