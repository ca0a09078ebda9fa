"""The registry's tables as the database itself describes them, and questions that the database answers in one go.

What the middleware declares and what the database has may differ after a copy, a merge or a repair by hand. Statements
are made with SQLAlchemy, so that they run on any database that the middleware runs on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .tables import tables

if TYPE_CHECKING:
    import sqlalchemy

    from .context import CheckContext

__all__ = ["database", "declared", "filled", "reflected", "rows", "stored"]


def database(context: CheckContext) -> Any:
    """Return the middleware's own connection to the registry's database (``lsst.daf.butler`` ``Database``)."""
    tables(context)  # says so in one line if there is no database to be had
    registry: Any = getattr(context.butler, "_registry")  # noqa: B009 - no part of the interface of the class
    return registry._db


def reflected(context: CheckContext) -> dict[str, sqlalchemy.Table]:
    """Return the tables that the database has, by name, with their columns, keys and constraints."""

    def make() -> dict[str, sqlalchemy.Table]:
        import warnings

        import sqlalchemy

        db, found = database(context), sqlalchemy.MetaData()
        with warnings.catch_warnings():
            # A foreign key to a table that is gone: asked about below, by who compares with what is declared.
            warnings.simplefilter("ignore", sqlalchemy.exc.SAWarning)
            found.reflect(db._engine, schema=db.namespace, resolve_fks=False)
        return {t.name: t for t in found.tables.values()}

    return context.cached("reflected tables", make)


def declared(context: CheckContext) -> dict[str, sqlalchemy.Table]:
    """Return the tables that the installed middleware believes in: fixed ones, and dataset types' in use."""
    return dict(database(context)._metadata._tables)


def stored(context: CheckContext) -> dict[str, sqlalchemy.Table]:
    """Return the tables with the types of their columns that the middleware declares, where both have them.

    Types matter to how values are read: ids, regions, times.
    """
    known = declared(context)
    return {name: known.get(name, table) for name, table in reflected(context).items()}


def rows(context: CheckContext, statement: Any, most: int | None = None) -> Iterator[tuple[Any, ...]]:
    """Iterate over the rows that a statement selects.

    Parameters
    ----------
    context : `~harness.checks.context.CheckContext`
        The repository.
    statement : `sqlalchemy.Select`
        What to ask.
    most : `int`, optional
        How many rows at most.
    """
    limited = statement if most is None else statement.limit(most)
    with database(context).query(limited) as cursor:
        for batch in cursor.yield_per(10_000).partitions():
            yield from map(tuple, batch)


def filled(context: CheckContext, element: str) -> int | None:
    """Return how many records an element has if nothing is missing in any of them; `None` otherwise."""
    import sqlalchemy

    if element not in reflected(context):
        return 0
    table = stored(context)[element]
    count = sqlalchemy.func.count
    ((total, *full),) = rows(context, sqlalchemy.select(count(), *(count(c) for c in table.columns)))
    return int(total) if all(n == total for n in full) else None
