"""Invariants of the records of a datastore: registry and datastore believe in the same, and it can be loaded."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..verdicts import Check, Finding, check
from .conventions import believed
from .datastore import about
from .inventory import select_files, to_file
from .members import describe, described, within
from .records import look_datasets, look_rows, text
from .survey import files
from .tables import tables

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, TableClause

    from .context import CheckContext

__all__ = ["CHECKS"]


def _stores(context: CheckContext) -> list[tuple[str, str]]:
    """Return names and tables of the file datastores that have one."""
    data = tables(context)
    return [(name, table) for name, (table, _) in data.datastores.items() if table in data.names]


def _absent(clause: TableClause, column: str, other: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the condition that a value is not in a column of another table."""
    import sqlalchemy

    return ~sqlalchemy.exists().where(clause.c[column] == other)


@check(
    "datastore.registry-agrees",
    title="Datasets of the registry and records of the datastore are the same set",
    after="calibs",
    remedy="compare with a copy of the repository's database; what cannot be restored is for 'butler prune-datasets'",
)
def registry_agrees(context: CheckContext) -> Iterator[Finding]:
    """A dataset without record is found and cannot be read; a record without dataset is a file lost to queries."""
    import sqlalchemy

    data = tables(context)
    if not data.datastores:
        return
    dataset = data.table("dataset", "id", "dataset_type_id", "run_id", "ingest_date")
    location = data.table("dataset_location", "dataset_id", "datastore_name")
    ours = location.c.datastore_name.in_(list(data.datastores))
    recorded = [_absent(data.table(t, "dataset_id"), "dataset_id", dataset.c.id) for _, t in _stores(context)]
    no_record = sqlalchemy.and_(sqlalchemy.true(), *recorded)
    no_location = ~sqlalchemy.exists().where(location.c.dataset_id == dataset.c.id, ours)
    scope = within(context, dataset.c.id, dataset.c.run_id, dataset.c.ingest_date)
    context.examined(data.count(sqlalchemy.select(dataset.c.id).where(*scope)))
    statement = sqlalchemy.select(
        dataset.c.id,
        sqlalchemy.case((no_record, 1), else_=0),
        sqlalchemy.case((no_location, 1), else_=0),
    ).where(sqlalchemy.or_(no_record, no_location), *scope)
    for row, owner in described(context, data.stream(statement), lambda r: r[0]):
        missing = [name for name, lacks in zip(("record of a file", "location"), row[1:], strict=True) if lacks]
        if owner is not None:
            yield Finding(
                f"{owner.kind} {text(owner.data_id)} is in the registry but has no {' and no '.join(missing)}",
                data_id=owner.data_id,
                where=owner.run,
                seen="not stored",
                expected="stored",
                look=look_datasets(owner.kind, owner.run, owner.data_id),
            )
    if context.scope.whole:
        yield from _strangers(context)


def _strangers(context: CheckContext) -> Iterator[Finding]:
    """Find rows of the datastore about datasets that the registry does not know, nor waits to delete."""
    import sqlalchemy

    data = tables(context)
    found: dict[uuid.UUID, str] = {}
    places: list[tuple[str, str, list[str]]] = [
        (t, "file_datastore_records", []) for _, t in _stores(context) if not files(context, t).owned
    ]
    places.append(("dataset_location", "dataset_location", list(data.datastores)))
    dataset, trash = data.table("dataset", "id"), data.table("dataset_location_trash", "dataset_id")
    for table, shown, names in places:
        clause = data.table(table, "dataset_id", "datastore_name") if names else data.table(table, "dataset_id")
        statement = sqlalchemy.select(clause.c.dataset_id).where(
            _absent(dataset, "id", clause.c.dataset_id), _absent(trash, "dataset_id", clause.c.dataset_id)
        )
        if names:
            statement = statement.where(clause.c.datastore_name.in_(names))
        found |= {row[0]: shown for row in data.stream(statement)}
    for identifier in sorted(found, key=str):
        yield Finding(
            f"dataset {identifier} has a row in {found[identifier]} but is not in the registry",
            where=found[identifier],
            seen=str(identifier),
            expected="a dataset of the registry",
            look=look_rows(found[identifier], "dataset_id", identifier.hex),
            remedy="Delete its rows, and its file if nothing else records that, once nobody writes to the repository.",
        )


@check(
    "datastore.records-filled",
    title="What nearly all records of files say of them, size and checksum, every record says",
    after="calibs",
    remedy="restore the cell in the datastore's table of records from a backup, or measure the file and write it again",
)
def records_filled(context: CheckContext) -> Iterator[Finding]:
    """Where no size is recorded, no reader and no audit notices that a file was cut off."""
    data = tables(context)
    for name, table in _stores(context):
        for column in ("file_size", "checksum"):
            statement, clause = select_files(context, table)
            total, filled = _filled(context, table, column)
            context.examined(filled)
            if filled == total or not believed(filled, total - filled):
                continue
            empty = statement.where(clause.c[column].is_(None)).order_by(clause.c.dataset_id)
            rows = (to_file(row, name) for row in data.stream(empty))
            for row, owner in described(context, rows, lambda r: r.dataset_id):
                yield about(
                    row,
                    owner,
                    f"no {column} is recorded of its file",
                    seen="NULL",
                    expected=f"a {column}, as {filled} of {total} records have",
                    look=look_rows(table, "dataset_id", row.dataset_id.hex),
                )


def _filled(context: CheckContext, table: str, column: str) -> tuple[int, int]:
    """Return how many records of files there are in the scope, and how many of them have a value in a column."""
    import sqlalchemy

    if context.scope.whole:
        survey = files(context, table)
        return len(survey.sizes), len(survey.sizes) - survey.empty[column]
    statement, clause = select_files(context, table)
    count = sqlalchemy.func.count
    counted = statement.with_only_columns(count(), count(clause.c[column]), maintain_column_froms=True)
    total, filled = next(tables(context).stream(counted))
    return int(total), int(filled)


@check(
    "datastore.no-shared-file",
    title="No two datasets share a file, unless it was made for several of one type and run",
    after="calibs",
    remedy="Make the file of one of them again under a name of its own, before any of them is deleted.",
)
def no_shared_file(context: CheckContext) -> Iterator[Finding]:
    """Deleting one of the two deletes the other's content. File names that forget a dimension make them."""
    import sqlalchemy

    data = tables(context)
    for name, table in _stores(context):
        if context.scope.whole and not files(context, table).shared:
            context.examined(len(files(context, table).keys))
            continue
        statement, clause = select_files(context, table)
        context.examined(data.count(statement))
        # Which names are there twice is cheap to find: only these are asked for their datasets.
        twice = (
            sqlalchemy.select(clause.c.path)
            .group_by(clause.c.path, clause.c.component)
            .having(sqlalchemy.func.count() > 1)
            .subquery()
        )
        dataset = data.table("dataset", "id", "dataset_type_id", "run_id")
        both = clause.join(dataset, dataset.c.id == clause.c.dataset_id)
        mixed = (
            sqlalchemy.select(clause.c.path, clause.c.component)
            .select_from(both)
            .where(clause.c.path.in_(sqlalchemy.select(twice.c.path)))
            .group_by(clause.c.path, clause.c.component)
            .having(
                sqlalchemy.or_(
                    sqlalchemy.func.min(dataset.c.dataset_type_id) != sqlalchemy.func.max(dataset.c.dataset_type_id),
                    sqlalchemy.func.min(dataset.c.run_id) != sqlalchemy.func.max(dataset.c.run_id),
                )
            )
        )
        for path, component in data.stream(mixed):
            mine = statement.where(clause.c.path == path, clause.c.component == component)
            rows = [to_file(row, name) for row in data.stream(mine.order_by(clause.c.dataset_id))]
            if not rows:
                continue  # outside of what is asked about
            yield about(
                rows[0],
                describe(context, [rows[0].dataset_id]).get(rows[0].dataset_id),
                "its file belongs to other datasets too",
                seen=", ".join(str(r.dataset_id) for r in rows),
                expected="one owner",
                look=look_rows("file_datastore_records", "path", path),
            )


@check(
    "datastore.formatters",
    title="The formatter and the storage class of every file can be imported",
    after="calibs",
    remedy="Install the package that has it, or give the old name to a class that reads such files.",
)
def formatters(context: CheckContext) -> Iterator[Finding]:
    """A file whose formatter is gone is a file that nobody can read; code moves and records do not."""
    from lsst.daf.butler import StorageClassFactory
    from lsst.utils import doImportType

    data, factory = tables(context), StorageClassFactory()
    known: set[tuple[str, str]] = set()
    for store, table in _stores(context):
        statement, _ = select_files(context, table, "formatter", "storage_class")
        if context.scope.whole:
            here = {way[3:] for way in files(context, table).ways}
        else:
            here = {tuple(row) for row in data.stream(statement.distinct())}
        pairs = sorted(here - known)
        known |= set(pairs)
        for formatter, storage in pairs:
            context.examined()
            for kind, name in (("formatter", formatter), ("storage class", storage)):
                try:
                    _ = doImportType(name) if kind == "formatter" else factory.getStorageClass(name).pytype
                except (ImportError, KeyError, TypeError, AttributeError, ValueError) as error:
                    rows, file = select_files(context, table)
                    of_pair = (file.c.formatter == formatter, file.c.storage_class == storage)
                    [first] = data.stream(rows.where(*of_pair).order_by(file.c.dataset_id).limit(1))
                    row = to_file(first, store)
                    yield about(
                        row,
                        describe(context, [row.dataset_id]).get(row.dataset_id),
                        f"its {kind} {name} cannot be loaded",
                        seen=f"{type(error).__name__}: {error}",
                        expected="an importable class",
                        look=look_rows("file_datastore_records", "dataset_id", row.dataset_id.hex),
                    )


@check(
    "datastore.trash-empty",
    title="Nothing waits in the trash",
    after="calibs",
    remedy="Open the repository for writing in Python and call butler._datastore.emptyTrash().",
)
def trash_empty(context: CheckContext) -> Iterator[Finding]:
    """A deletion that was interrupted leaves its files in the trash table: no dataset any more, space still taken."""
    import sqlalchemy

    data = tables(context)
    location = data.table("dataset_location", "dataset_id")
    trash = data.table("dataset_location_trash", "datastore_name", "dataset_id")
    context.examined(data.count(sqlalchemy.select(location.c.dataset_id)))
    statement = sqlalchemy.select(*trash.columns).order_by(trash.c.datastore_name, trash.c.dataset_id)
    for datastore, identifier in data.stream(statement):
        context.examined()
        yield Finding(
            f"dataset {identifier} was deleted, but not its file",
            where="dataset_location_trash",
            seen=f"{identifier} in {datastore}",
            expected="an empty trash",
            look=look_rows("dataset_location_trash", "dataset_id", identifier.hex),
        )


CHECKS: tuple[Check, ...] = (registry_agrees, records_filled, no_shared_file, formatters, trash_empty)
