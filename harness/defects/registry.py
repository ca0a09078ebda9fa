"""Seeded defects of the registry as a database, and of what it writes about itself."""

from __future__ import annotations

import sqlite3

from .base import Defect, DefectTarget, defect
from .tools import association_table, calibration_type, dataset_type_id, first_exposure, one, rebuild

__all__ = ["DEFECTS"]


@defect("overlap-summary-emptied", found_by="registry.references", after="visits")
def overlap_summary_emptied(target: DefectTarget) -> None:
    """The rows that the overlaps of visits with the sky refer to are gone."""
    with target.sql() as db:
        db.execute("DELETE FROM visit_skypix_overlap_summary")


@defect("membership-of-nothing", found_by="registry.references", after="calibs")
def membership_of_nothing(target: DefectTarget) -> None:
    """A calibration is of a detector that does not exist."""
    with target.sql() as db:
        kind = calibration_type(db, "detector")
        table = association_table(db, kind)
        number, identifier = dataset_type_id(db, kind), one(db, f"SELECT dataset_id FROM {table} ORDER BY 1")[0]  # noqa: S608
        query = f"UPDATE {table} SET detector=9999 WHERE dataset_type_id=? AND dataset_id=?"  # noqa: S608 - a registry's name
        db.execute(query, (number, identifier))


@defect("keys-lost", found_by="registry.schema", after="register")
def keys_lost(target: DefectTarget) -> None:
    """The table of detectors was copied without its keys."""
    with target.sql() as db:
        rebuild(db, "detector")


@defect("column-lost", found_by="registry.schema", after="register")
def column_lost(target: DefectTarget) -> None:
    """The table of runs was copied without the name of the host."""
    with target.sql() as db:
        db.execute("ALTER TABLE run DROP COLUMN host")


@defect("text-for-number", found_by="registry.values", after="ingest")
def text_for_number(target: DefectTarget) -> None:
    """An exposure time is a text."""
    with target.sql() as db:
        number = first_exposure(db, target)
        key = (target.kit.name, number)
        db.execute("UPDATE exposure SET exposure_time='half a minute' WHERE instrument=? AND id=?", key)


@defect("position-infinite", found_by="registry.values", after="ingest")
def position_infinite(target: DefectTarget) -> None:
    """An exposure was taken at an infinite right ascension."""
    with target.sql() as db:
        key = (float("inf"), target.kit.name, first_exposure(db, target))
        db.execute("UPDATE exposure SET tracking_ra=? WHERE instrument=? AND id=?", key)


@defect("target-with-blank", found_by="registry.text", after="ingest")
def target_with_blank(target: DefectTarget) -> None:
    """A target's name ends with a blank."""
    with target.sql() as db:
        key = (target.kit.name, first_exposure(db, target))
        db.execute("UPDATE exposure SET target_name=target_name || ' ' WHERE instrument=? AND id=?", key)


@defect("span-without-end", found_by="registry.spans", after="ingest")
def span_without_end(target: DefectTarget) -> None:
    """A night has a beginning and no end."""
    with target.sql() as db:
        day = one(db, "SELECT id FROM day_obs WHERE instrument=? ORDER BY id", target.kit.name)[0]
        db.execute("UPDATE day_obs SET timespan_end=NULL WHERE instrument=? AND id=?", (target.kit.name, day))


@defect("version-of-nobody", found_by="registry.attributes", after="register")
def version_of_nobody(target: DefectTarget) -> None:
    """The registry has a version of a manager that it does not use."""
    with target.sql() as db:
        db.execute("INSERT INTO butler_attributes VALUES ('version:a.manager.of.Another', '1.0.0')")


@defect("dimension-group-partial", found_by="registry.dimension-groups", after="calibs")
def dimension_group_partial(target: DefectTarget) -> None:
    """A group of dimensions has lost one of them."""
    with target.sql() as db:
        kind = calibration_type(db, "detector")
        group = one(db, "SELECT dimensions_key FROM dataset_type WHERE name=?", kind)[0]
        query = "DELETE FROM dimension_graph_definition WHERE dimension_graph_id=? AND dimension_name='instrument'"
        db.execute(query, (group,))


@defect("tables-exchanged", found_by="registry.type-tables", after="ingest")
def tables_exchanged(target: DefectTarget) -> None:
    """The memberships of a dataset type are looked for in a table of other dimensions."""
    with target.sql() as db:
        name, table = one(db, "SELECT name, tag_association_table FROM dataset_type ORDER BY id")
        other = one(db, "SELECT tag_association_table FROM dataset_type WHERE tag_association_table<>?", table)[0]
        db.execute("UPDATE dataset_type SET tag_association_table=? WHERE name=?", (other, name))


@defect("records-table-unlisted", found_by="registry.opaque-tables", after="calibs")
def records_table_unlisted(target: DefectTarget) -> None:
    """The table of the datastore's records is not listed any more."""
    with target.sql() as db:
        db.execute("DELETE FROM opaque_meta")


@defect("id-typed", found_by="registry.dataset-ids", after="calibs")
def id_typed(target: DefectTarget) -> None:
    """A dataset has an id that somebody typed."""
    with target.sql() as db:
        identifier = one(db, "SELECT id FROM dataset ORDER BY id")[0]
        db.execute("UPDATE dataset SET id=? WHERE id=?", ("1".zfill(32), identifier))


@defect("ingested-in-the-future", found_by="registry.ingest-dates", after="calibs")
def ingested_in_the_future(target: DefectTarget) -> None:
    """A dataset comes from the year 2090."""
    with target.sql() as db:
        identifier = one(db, "SELECT id FROM dataset ORDER BY id")[0]
        db.execute("UPDATE dataset SET ingest_date=? WHERE id=?", (3_786_912_000 * 10**9, identifier))


@defect("ingested-before-made", found_by="registry.ingest-dates", after="calibs")
def ingested_before_made(target: DefectTarget) -> None:
    """A dataset was ingested a day before its id was made."""
    with target.sql() as db:
        identifier = one(db, "SELECT id FROM dataset WHERE substr(id, 13, 1)='7' ORDER BY id")[0]
        db.execute("UPDATE dataset SET ingest_date=ingest_date - ? WHERE id=?", (86_400 * 10**9, identifier))


@defect("sky-pixel-unknown", found_by="registry.sky-pixels", after="refcats")
def sky_pixel_unknown(target: DefectTarget) -> None:
    """A part of a reference catalogue is of a pixel that does not exist."""
    with target.sql() as db:
        table = one(db, "SELECT name FROM sqlite_master WHERE name LIKE 'dataset_tags_%' AND sql LIKE '%htm7 BIGINT%'")[
            0
        ]
        row = one(db, f"SELECT min(rowid) FROM {table}")[0]  # noqa: S608 - a table of the registry
        db.execute(f"UPDATE {table} SET htm7=7 WHERE rowid=?", (row,))  # noqa: S608 - a table of the registry


@defect("overlaps-of-other-level", found_by="registry.sky-pixels", after="skymap")
def overlaps_of_other_level(target: DefectTarget) -> None:
    """The overlaps of tracts are kept for pixels of another size."""
    with target.sql() as db:
        db.execute("UPDATE tract_skypix_overlap SET skypix_level=skypix_level + 1")


@defect("obscore-row-lost", found_by="registry.obscore-rows", after="calibs")
def obscore_row_lost(target: DefectTarget) -> None:
    """A dataset is missing in the ObsCore table."""
    with target.sql() as db:
        db.execute("DELETE FROM obscore WHERE registry_dataset_id=?", (_published(db),))


@defect("obscore-row-outdated", found_by="registry.obscore-values", after="calibs")
def obscore_row_outdated(target: DefectTarget) -> None:
    """The ObsCore table has the target that an exposure was of before it was corrected."""
    with target.sql() as db:
        db.execute("UPDATE obscore SET target_name='M33' WHERE registry_dataset_id=?", (_published(db),))


def _published(db: sqlite3.Connection) -> str:
    """Return the first dataset of the ObsCore table."""
    one(db, "SELECT 1 FROM sqlite_master WHERE name='obscore'")
    identifier: str = one(db, "SELECT registry_dataset_id FROM obscore ORDER BY 1")[0]
    return identifier


DEFECTS: tuple[Defect, ...] = (
    overlap_summary_emptied,
    membership_of_nothing,
    keys_lost,
    column_lost,
    text_for_number,
    position_infinite,
    target_with_blank,
    span_without_end,
    version_of_nobody,
    dimension_group_partial,
    tables_exchanged,
    records_table_unlisted,
    id_typed,
    ingested_in_the_future,
    ingested_before_made,
    sky_pixel_unknown,
    overlaps_of_other_level,
    obscore_row_lost,
    obscore_row_outdated,
)
