"""Invariants of the ObsCore table, in repositories that keep one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..verdicts import Check, Finding, check
from .records import look_rows, spread
from .reflected import rows, stored
from .tables import tables

if TYPE_CHECKING:
    import uuid

    from .context import CheckContext

__all__ = ["CHECKS"]

SAMPLE = 500
"""How many rows are computed again at most; they are spread evenly."""

KEY = "registry_dataset_id"
"""The column that holds the dataset id."""

CLOSE = 1e-9
"""Relative difference of two computations of one number."""


def _manager(context: CheckContext) -> Any:
    """Return the manager of the ObsCore table, `None` if the repository has none.

    Repositories without one are sound: what is looked at in them is that question.
    """
    context.examined()
    return getattr(context.butler.registry, "obsCoreTableManager", None)


def _expected(context: CheckContext, manager: Any) -> set[uuid.UUID]:
    """Return the datasets that must have a row: those of the configured types, in the configured collections."""
    import sqlalchemy

    data, here = tables(context), stored(context)
    types = {t.id: t for t in data.dataset_types.values() if t.name in manager.config.dataset_types}
    if manager.tagged_collection is not None:
        number, found = data.collection_ids.get(manager.tagged_collection), set()
        for name in {t.tags_table for t in types.values()} & here.keys():
            columns = here[name].columns
            of_types = columns["dataset_type_id"].in_(list(types))
            query = sqlalchemy.select(columns["dataset_id"]).where(columns["collection_id"] == number, of_types)
            found |= {i for (i,) in rows(context, query)}
        return found
    patterns = manager.run_patterns
    runs = [
        c.id
        for c in data.collections.values()
        if c.type == "RUN" and (not patterns or any(p.fullmatch(c.name) for p in patterns))
    ]
    columns = here["dataset"].columns
    query = sqlalchemy.select(columns["id"]).where(
        columns["dataset_type_id"].in_(list(types)), columns["run_id"].in_(runs)
    )
    return {i for (i,) in rows(context, query)}


@check(
    "registry.obscore-rows",
    title="The ObsCore table, where there is one, has a row for each dataset that it is configured for, and no others",
    after="calibs",
    remedy="insert the rows again: the table's manager adds those of datasets that have none (add_datasets)",
)
def obscore_rows(context: CheckContext) -> Iterator[Finding]:
    """The world outside of the Butler finds data by this table alone; what is missing there does not exist for it."""
    import sqlalchemy

    manager = _manager(context)
    if manager is None:
        return
    table = manager.table
    present = {i for (i,) in rows(context, sqlalchemy.select(table.columns[KEY]))}
    wanted = _expected(context, manager)
    context.examined(len(wanted | present))
    for identifier in sorted(wanted ^ present, key=str):
        there = identifier in present
        yield Finding(
            f"dataset {identifier} has {'a' if there else 'no'} row in the ObsCore table",
            where=table.name,
            seen="a row" if there else "no row",
            expected="none: it is not of the configured types and collections" if there else "a row",
            look=look_rows(table.name, KEY, identifier.hex),
        )


@check(
    "registry.obscore-values",
    title="The rows of the ObsCore table say what the middleware would write of their datasets now",
    after="calibs",
    remedy="delete the row and insert it again: the table's manager computes it from the dimension records",
)
def obscore_values(context: CheckContext) -> Iterator[Finding]:
    """Rows are written once, when a dataset is put: records that change later, and regions, are not followed.

    A region that is missing where a visit has one by now is among them.
    """
    import sqlalchemy

    manager = _manager(context)
    if manager is None:
        return
    table = manager.table
    everything = [dict(zip(table.columns.keys(), r, strict=True)) for r in rows(context, sqlalchemy.select(table))]
    for row in spread(sorted(everything, key=lambda r: str(r[KEY])), SAMPLE):
        ref = context.butler.get_dataset(row[KEY], dimension_records=True)
        wanted: Mapping[str, Any] | None = manager.record_factory(ref) if ref is not None else None
        if ref is None or wanted is None:
            continue  # found by registry.obscore-rows
        context.examined()
        differing = [n for n in wanted if n in row and n != KEY and not _same(row[n], wanted[n])]
        if differing:
            yield Finding(
                f"the ObsCore row of {ref.datasetType.name} {ref.dataId} is out of date: {', '.join(differing)}",
                data_id=dict(ref.dataId.required),
                where=f"{table.name}.{differing[0]}",
                seen=", ".join(f"{n}={row[n]!r:.60}" for n in differing),
                expected=", ".join(f"{n}={wanted[n]!r:.60}" for n in differing),
                look=look_rows(table.name, KEY, row[KEY].hex),
            )


def _same(seen: Any, wanted: Any) -> bool:
    if isinstance(seen, float) and isinstance(wanted, int | float):
        return abs(seen - wanted) <= CLOSE * max(1.0, abs(seen))
    return bool(seen == wanted)


CHECKS: tuple[Check, ...] = (obscore_rows, obscore_values)
