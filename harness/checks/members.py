"""Datasets in sets: which are asked about, what they are, and the statements that find those that are wrong."""

from __future__ import annotations

import datetime
import itertools
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .tables import tables

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from .context import CheckContext
    from .rows import DatasetTypeRow

__all__ = ["BATCH", "Described", "Member", "asked", "describe", "described", "members", "since", "within"]

BATCH = 500
"""Datasets that are described with one statement."""


class Member(NamedTuple):
    """A dataset as a member of its own RUN."""

    id: uuid.UUID
    type_id: int
    run_id: int
    ingest_date: Any
    values: tuple[Any, ...]
    """Of the required dimensions of its type."""


class Described(NamedTuple):
    """What there is to say about one dataset."""

    id: uuid.UUID
    type_id: int
    kind: str
    run: str
    ingest_date: Any
    data_id: Mapping[str, Any]
    """Empty if it is not a member of its own RUN."""


def asked(context: CheckContext) -> frozenset[int] | None:
    """Return the numbers of the collections that the scope names; `None` if all are asked about."""
    numbers = tables(context).collection_ids
    scope = context.scope.collections
    return frozenset(numbers[n] for n in scope if n in numbers) if scope else None


def within(
    context: CheckContext, identifier: ColumnElement[Any], run: ColumnElement[Any], date: ColumnElement[Any]
) -> list[ColumnElement[bool]]:
    """Return the conditions under which datasets belong to the scope; none if it is the whole repository.

    Parameters
    ----------
    context : `~harness.checks.context.CheckContext`
        The repository.
    identifier, run, date : `sqlalchemy.ColumnElement`
        Columns with the id, the number of the RUN and the ingest date of a dataset.
    """
    import sqlalchemy

    data, numbers = tables(context), asked(context)
    conditions: list[ColumnElement[bool]] = []
    if numbers is not None:
        others = [n for n in numbers if data.collections[n].type != "RUN"]
        ways: list[ColumnElement[bool]] = [run.in_(sorted(numbers))]
        holding = {kind for collection, kind in data.held[0] if collection in others}
        for name, kinds in (*data.tags_tables.items(), *data.calibs_tables.items()):
            if any(k.id in holding for k in kinds):
                clause = data.table(name, "dataset_id", "collection_id")
                found = sqlalchemy.select(clause.c.dataset_id).where(clause.c.collection_id.in_(others))
                ways.append(identifier.in_(found))
        conditions.append(sqlalchemy.or_(*ways))
    if context.scope.since is not None:
        conditions.append(since(context, date))
    return conditions


def since(context: CheckContext, date: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the condition that an ingest date is not before the time that the scope gives."""
    assert context.scope.since is not None
    return date >= _moment(context, context.scope.since)


def _moment(context: CheckContext, nanoseconds: int) -> Any:
    """Return a time (ns since 1970 TAI) as the repository writes those of ingest: old ones have a date and time."""
    import sqlalchemy
    from lsst.daf.butler.time_utils import TimeConverter

    data = tables(context)
    clause = data.table("dataset", "ingest_date")
    for (value,) in data.stream(sqlalchemy.select(clause.c.ingest_date).limit(1)):
        if isinstance(value, str | datetime.datetime):
            moment = TimeConverter().nsec_to_astropy(nanoseconds).utc.to_datetime()
            return moment if isinstance(value, datetime.datetime) else moment.strftime("%Y-%m-%d %H:%M:%S")
    return nanoseconds


def members(context: CheckContext, kinds: Iterable[DatasetTypeRow], *, everything: bool = False) -> Iterator[Member]:
    """Iterate over the datasets of some types that belong to the scope, or over all, with their data IDs.

    Those that are not members of their own RUN are left out: `collections.members` finds them.
    """
    import sqlalchemy

    data, wanted = tables(context), {k.id for k in kinds}
    for name, of_table in data.tags_tables.items():
        numbers = [k.id for k in of_table if k.id in wanted]
        if not numbers:
            continue
        tags = data.table(name, "dataset_id", "dataset_type_id", "collection_id", *of_table[0].dimensions)
        dataset = data.table("dataset", "id", "run_id", "ingest_date")
        own = sqlalchemy.and_(dataset.c.id == tags.c.dataset_id, dataset.c.run_id == tags.c.collection_id)
        statement = (
            sqlalchemy.select(
                tags.c.dataset_id,
                tags.c.dataset_type_id,
                tags.c.collection_id,
                dataset.c.ingest_date,
                *(tags.c[d] for d in of_table[0].dimensions),
            )
            .select_from(tags.join(dataset, own))
            .where(tags.c.dataset_type_id.in_(numbers))
        )
        if not everything:
            scope = within(context, tags.c.dataset_id, tags.c.collection_id, dataset.c.ingest_date)
            statement = statement.where(*scope)
        for identifier, kind, run, date, *values in data.stream(statement):
            yield Member(identifier, kind, run, date, tuple(values))


def described[T](
    context: CheckContext, items: Iterable[T], dataset: Callable[[T], uuid.UUID]
) -> Iterator[tuple[T, Described | None]]:
    """Say of things that belong to datasets what these are.

    Parameters
    ----------
    context : `~harness.checks.context.CheckContext`
        The repository.
    items : `~collections.abc.Iterable`
        The things, in any number.
    dataset : `~collections.abc.Callable`
        Takes one, returns the id of its dataset.

    Yields
    ------
    item, description : `tuple`
        In the same order; `None` for a dataset that is not in the registry.
    """
    for batch in itertools.batched(items, BATCH):
        found = describe(context, [dataset(item) for item in batch])
        for item in batch:
            yield item, found.get(dataset(item))


def describe(context: CheckContext, ids: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, Described]:
    """Return what there is to say about a few datasets; those that are not in the registry are left out."""
    import sqlalchemy

    data = tables(context)
    dataset = data.table("dataset", "id", "dataset_type_id", "run_id", "ingest_date")
    rows = list(data.stream(sqlalchemy.select(*dataset.columns).where(dataset.c.id.in_(ids))))
    values: dict[uuid.UUID, dict[str, Any]] = {}
    by_table: dict[str, list[Any]] = {}
    for row in rows:
        if row.dataset_type_id in data.dataset_types:
            by_table.setdefault(data.dataset_types[row.dataset_type_id].tags_table, []).append(row)
    for name, mine in by_table.items():
        if name not in data.tags_tables:
            continue
        dimensions = data.tags_tables[name][0].dimensions
        tags = data.table(name, "dataset_id", "collection_id", *dimensions)
        runs = {row.id: row.run_id for row in mine}
        for identifier, collection, *found in data.stream(
            sqlalchemy.select(*tags.columns).where(tags.c.dataset_id.in_(list(runs)))
        ):
            if runs[identifier] == collection:
                values[identifier] = dict(zip(dimensions, found, strict=True))
    return {
        row.id: Described(
            row.id,
            row.dataset_type_id,
            data.dataset_type_name(row.dataset_type_id),
            data.collection_name(row.run_id),
            row.ingest_date,
            values.get(row.id, {}),
        )
        for row in rows
    }
