"""Seeded defects of dataset types, and of what collections and datastores hold."""

from __future__ import annotations

from .base import Defect, DefectTarget, defect
from .tools import (
    artifact,
    association_table,
    calibration_table,
    calibration_type,
    dataset_type_id,
    one,
    raw_run,
    rebuild,
)

__all__ = ["DEFECTS"]


@defect("type-named-like-a-component", found_by="types.names", after="calibs")
def type_named_like_a_component(target: DefectTarget) -> None:
    """A dataset type has the name of a component of another one."""
    with target.sql() as db:
        name = calibration_type(db, "detector")
        db.execute("UPDATE dataset_type SET name=? WHERE name=?", (f"{name}.image", name))


@defect("storage-class-of-other", found_by="types.storage-classes", after="calibs")
def storage_class_of_other(target: DefectTarget) -> None:
    """A dataset type promises what its files do not hold."""
    with target.sql() as db:
        name = calibration_type(db, "detector")
        db.execute("UPDATE dataset_type SET storage_class='Packages' WHERE name=?", (name,))


@defect("storage-class-unknown", found_by="types.storage-classes", after="calibs")
def storage_class_unknown(target: DefectTarget) -> None:
    """A dataset type has a storage class that nobody knows."""
    with target.sql() as db:
        name = calibration_type(db, "detector")
        db.execute("UPDATE dataset_type SET storage_class='ImageOfThePast' WHERE name=?", (name,))


@defect("validity-in-other-table", found_by="types.calibrations", after="calibs")
def validity_in_other_table(target: DefectTarget) -> None:
    """The validity ranges of a dataset type are looked for in the table of another one."""
    with target.sql() as db:
        name = calibration_type(db, "detector")
        query = "SELECT calibration_association_table FROM dataset_type WHERE calibration_association_table<>?"
        other = one(db, query, calibration_table(db, name))[0]
        db.execute("UPDATE dataset_type SET calibration_association_table=? WHERE name=?", (other, name))


@defect("formatter-of-other-suffix", found_by="datastore.formatter-and-suffix", after="calibs")
def formatter_of_other_suffix(target: DefectTarget) -> None:
    """A FITS file is to be read as JSON."""
    formatter = "lsst.daf.butler.formatters.json.JsonFormatter"
    with target.sql() as db:
        path = one(db, "SELECT path FROM file_datastore_records WHERE path LIKE '%.fits' ORDER BY path")[0]
        db.execute("UPDATE file_datastore_records SET formatter=? WHERE path=?", (formatter, path))


@defect("storage-class-of-one-file", found_by="datastore.formatter-of-type", after="calibs")
def storage_class_of_one_file(target: DefectTarget) -> None:
    """One file of many of its kind claims to hold something else."""
    with target.sql() as db:
        identifier, _ = artifact(target, calibration_type(db, "detector"))
        query = "UPDATE file_datastore_records SET storage_class='StructuredDataDict' WHERE dataset_id=?"
        db.execute(query, (identifier,))


@defect("run-unregistered", found_by="collections.runs-registered", after="refcats")
def run_unregistered(target: DefectTarget) -> None:
    """A RUN is missing in the table of runs."""
    with target.sql() as db:
        number = one(db, "SELECT max(collection_id) FROM run")[0]
        db.execute("DELETE FROM run WHERE collection_id=?", (number,))


@defect("run-named-with-wildcard", found_by="collections.names", after="ingest")
def run_named_with_wildcard(target: DefectTarget) -> None:
    """The RUN of the raws has a name that matches others."""
    run = raw_run(target)
    with target.sql() as db:
        db.execute("UPDATE collection SET name=? WHERE name=?", (f"{run}*", run))


@defect("two-of-one-data-id", found_by="collections.one-per-data-id", after="calibs")
def two_of_one_data_id(target: DefectTarget) -> None:
    """A RUN has two calibrations of one detector: the table was copied without its keys."""
    with target.sql() as db:
        name = calibration_type(db, "detector")
        table, number = association_table(db, name), dataset_type_id(db, name)
        rebuild(db, table)
        query = f"SELECT detector, collection_id FROM {table} WHERE dataset_type_id=? ORDER BY detector"  # noqa: S608
        first, run = one(db, query, number)
        change = f"UPDATE {table} SET detector=? WHERE dataset_type_id=? AND collection_id=? AND detector="  # noqa: S608
        other = f"(SELECT min(detector) FROM {table} WHERE dataset_type_id=? AND detector>?)"  # noqa: S608
        db.execute(change + other, (first, number, run, number, first))


@defect("tag-empty", found_by="collections.not-empty", after="defaults")
def tag_empty(target: DefectTarget) -> None:
    """A tag has lost its members."""
    from lsst.daf.butler import CollectionType

    with target.butler() as butler:
        butler.collections.register("best/of/all", CollectionType.TAGGED)


@defect("detector-uncertified", found_by="calibrations.all-certified", after="calibs")
def detector_uncertified(target: DefectTarget) -> None:
    """One detector's calibration is not certified, in the last epoch."""
    with target.sql() as db:
        name = calibration_type(db, "detector")
        table, number = calibration_table(db, name), dataset_type_id(db, name)
        last = f"(SELECT max(id) FROM {table} WHERE dataset_type_id=?)"  # noqa: S608 - a table of the registry
        db.execute(f"DELETE FROM {table} WHERE id={last}", (number,))  # noqa: S608 - a table of the registry


@defect("validity-of-one-shorter", found_by="calibrations.spans-agree", after="calibs")
def validity_of_one_shorter(target: DefectTarget) -> None:
    """One detector's calibration is valid for a day less than the others'."""
    with target.sql() as db:
        name = calibration_type(db, "detector")
        table, number = calibration_table(db, name), dataset_type_id(db, name)
        last = f"(SELECT max(id) FROM {table} WHERE dataset_type_id=?)"  # noqa: S608 - a table of the registry
        change = f"UPDATE {table} SET timespan_end=timespan_end - ? WHERE id={last}"  # noqa: S608
        db.execute(change, (86_400 * 10**9, number))


@defect("stored-nowhere", found_by="datastore.locations", after="calibs")
def stored_nowhere(target: DefectTarget) -> None:
    """A dataset is said to be in a datastore that does not exist."""
    with target.sql() as db:
        identifier = one(db, "SELECT id FROM dataset ORDER BY id")[0]
        query = "INSERT INTO dataset_location (datastore_name, dataset_id) VALUES ('FileDatastore@elsewhere', ?)"
        db.execute(query, (identifier,))


@defect("component-lost", found_by="datastore.components-complete", after="calibs")
def component_lost(target: DefectTarget) -> None:
    """Two datasets are stored in parts, and one of them lacks a part."""
    with target.sql() as db:
        name = calibration_type(db, "detector")
        for index, parts in ((0, ("image", "mask")), (1, ("image",))):
            identifier, _ = artifact(target, name, index)
            columns = "path, formatter, storage_class, checksum, file_size"
            for part in parts:
                db.execute(
                    f"INSERT INTO file_datastore_records (dataset_id, component, {columns})"  # noqa: S608 - columns above
                    f" SELECT dataset_id, ?, {columns} FROM file_datastore_records"
                    " WHERE dataset_id=? AND component='__NULL_STRING__'",
                    (part, identifier),
                )
            db.execute(
                "DELETE FROM file_datastore_records WHERE dataset_id=? AND component='__NULL_STRING__'", (identifier,)
            )


DEFECTS: tuple[Defect, ...] = (
    type_named_like_a_component,
    storage_class_of_other,
    storage_class_unknown,
    validity_in_other_table,
    formatter_of_other_suffix,
    storage_class_of_one_file,
    run_unregistered,
    run_named_with_wildcard,
    two_of_one_data_id,
    tag_empty,
    detector_uncertified,
    validity_of_one_shorter,
    stored_nowhere,
    component_lost,
)
