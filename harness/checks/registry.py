"""Invariants of the registry as a database: whatever a table holds, it is of its type and refers to what exists."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ..verdicts import Check, Finding, check
from .records import iso, look_rows
from .reflected import database, declared, reflected, rows, stored
from .survey import datasets, files
from .tables import tables

if TYPE_CHECKING:
    import sqlalchemy

    from .context import CheckContext

__all__ = ["CHECKS"]

MOST = 100
"""How many findings one question to the database gives at most: a table that is all wrong is wrong once."""

LARGEST = 1.7e308
"""Beyond it there is only infinity (IEEE 754, double precision)."""

RESTORE = "restore the table from a backup, or write the value that the finding expects with the database's own client"

FREE_TEXT = {"doc", "region", "value", "hash"}
"""Columns whose text may be of any form, or has a form of its own."""


class Reference(NamedTuple):
    """A foreign key."""

    table: str
    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]


def _references(table: sqlalchemy.Table) -> Iterator[Reference]:
    """Give the foreign keys of a table."""
    for constraint in table.foreign_key_constraints:
        places = [str(e.target_fullname).split(".")[-2:] for e in constraint.elements]
        yield Reference(table.name, tuple(constraint.column_keys), places[0][0], tuple(p[1] for p in places))


def _shown(names: tuple[str, ...], values: tuple[Any, ...]) -> str:
    return " ".join(f"{n}={v}" for n, v in zip(names, values, strict=True))


@check(
    "registry.references",
    title="Whatever a row of any table refers to exists",
    after="register",
    remedy="delete the rows that refer to nothing with the database's own client, or restore what they refer to",
)
def references(context: CheckContext) -> Iterator[Finding]:
    """Joins drop rows whose partner is missing, and deletions stop at them, with an error that names neither.

    Databases guarantee it only while foreign keys are enforced, which copies, merges and repairs by hand bypass; and
    only those that a database still has. All that the middleware declares are asked about, and all that it has.
    """
    import sqlalchemy

    here = stored(context)
    known = {r for table in (*here.values(), *reflected(context).values()) for r in _references(table)}
    context.examined(len(known))
    broken = _broken(context, [r for r in sorted(known) if r.target in here])
    for reference in sorted(known):
        table, target = here[reference.table], here.get(reference.target)
        if target is None:
            yield Finding(
                f"{reference.table} refers to the table {reference.target}, which does not exist",
                where=reference.table,
                seen="no such table",
                expected=f"a table {reference.target}",
                look="sqlite3 {repo}/gen3.sqlite3 .tables",
            )
        if reference not in broken:
            continue
        own = [table.columns[c] for c in reference.columns]
        missing = sqlalchemy.select(*own, sqlalchemy.func.count()).where(_dangles(here, reference)).group_by(*own)
        for *values, count in rows(context, missing, MOST):
            key = _shown(reference.columns, tuple(values))
            yield Finding(
                f"{reference.table} refers to {reference.target} {key}, which does not exist",
                data_id=dict(zip(reference.columns, values, strict=True)),
                where=reference.table,
                seen=f"{count} row{'s' if count > 1 else ''} with {key}",
                expected=f"a row of {reference.target} with {_shown(reference.target_columns, tuple(values))}",
                look=look_rows(f"[{reference.table}]", reference.columns[-1], values[-1]),
            )


def _broken(context: CheckContext, references: list[Reference]) -> set[Reference]:
    """Return those references that some row breaks, asked for table by table."""
    import sqlalchemy

    here, sound, out = stored(context), _sound(context), set()
    asked_for = [r for r in references if r not in sound]
    for name, group in itertools.groupby(asked_for, key=lambda r: r.table):
        of_table = list(group)
        asked = [
            sqlalchemy.exists(sqlalchemy.select(here[name].columns[r.columns[0]]).where(_dangles(here, r)))
            for r in of_table
        ]
        for answers in rows(context, sqlalchemy.select(*asked)):
            out |= {r for r, answer in zip(of_table, answers, strict=True) if answer}
    return out


def _sound(context: CheckContext) -> set[Reference]:
    """Return the references that an SQLite database itself, asked for all at once, finds no fault with."""
    import sqlalchemy

    if database(context).dialect.name != "sqlite":
        return set()
    try:
        with database(context).query(sqlalchemy.text("PRAGMA foreign_key_check")) as cursor:
            tables = {row[0] for row in cursor}
    except sqlalchemy.exc.DatabaseError:
        return set()  # a table that is referred to is gone, or has lost its keys
    return {r for t in reflected(context).values() if t.name not in tables for r in _references(t)}


def _dangles(here: Mapping[str, sqlalchemy.Table], reference: Reference) -> Any:
    """Return the condition that a row refers to something, and that it is not there."""
    import sqlalchemy

    own = [here[reference.table].columns[c] for c in reference.columns]
    partner = here[reference.target].alias("partner")
    pairs = zip(reference.target_columns, own, strict=True)
    found = sqlalchemy.exists().where(*(partner.columns[t] == c for t, c in pairs))
    return sqlalchemy.and_(*(c.is_not(None) for c in own), ~found)


@check(
    "registry.schema",
    title="Every table has the columns, keys and constraints that the middleware declares",
    after="register",
    remedy="make an empty repository of the same version, and copy the rows into its tables",
)
def schema(context: CheckContext) -> Iterator[Finding]:
    """What a database no longer refuses will be written: without its keys a table takes two rows for one thing."""
    here = reflected(context)
    for name, table in sorted(declared(context).items()):
        context.examined()
        look = f"sqlite3 {{repo}}/gen3.sqlite3 '.schema {name}'"
        if name not in here:
            yield Finding(f"there is no table {name}", where=name, seen="no such table", expected="a table", look=look)
            continue
        for what, wanted, seen in _compared(table, here[name]):
            lost = sorted(wanted - seen, key=str)
            if lost:
                yield Finding(
                    f"the table {name} lacks {what} {'; '.join(map(_words, lost))}",
                    where=name,
                    seen="; ".join(map(_words, sorted(seen, key=str))) or "none",
                    expected="; ".join(map(_words, sorted(wanted, key=str))),
                    look=look,
                )


def _compared(wanted: sqlalchemy.Table, seen: sqlalchemy.Table) -> Iterator[tuple[str, set[Any], set[Any]]]:
    """Pair what is declared of a table with what it has."""
    import sqlalchemy

    def unique(table: sqlalchemy.Table) -> set[Any]:
        found = [c for c in table.constraints if isinstance(c, sqlalchemy.UniqueConstraint)]
        keys = {tuple(sorted(c.name for c in item.columns)) for item in found}
        return keys | {tuple(sorted(c.name for c in i.columns)) for i in table.indexes if i.unique}

    yield "the columns", {c.name for c in wanted.columns}, {c.name for c in seen.columns}
    yield (
        "the key",
        {tuple(sorted(wanted.primary_key.columns.keys()))},
        {tuple(sorted(seen.primary_key.columns.keys()))},
    )
    yield "the unique key", unique(wanted), unique(seen)
    yield "the reference", set(_references(wanted)), set(_references(seen))
    yield (
        "values in",
        {c.name for c in wanted.columns if not c.nullable},
        {c.name for c in seen.columns if not c.nullable},
    )


def _words(item: Any) -> str:
    if isinstance(item, Reference):
        return f"{', '.join(item.columns)} → {item.target}"
    return ", ".join(item) if isinstance(item, tuple) else str(item)


@check(
    "registry.values",
    title="Every value is of the type of its column: numbers finite, ids whole, flags true or false, none missing",
    after="register",
    remedy=RESTORE,
)
def values(context: CheckContext) -> Iterator[Finding]:
    """SQLite stores a text where a number belongs without a word, and every comparison with it is then false.

    An infinite position or time passes every test for a missing value, and poisons what is computed from it.
    """
    import sqlalchemy

    sqlite = database(context).dialect.name == "sqlite"
    for name, table in sorted(stored(context).items()):
        context.examined()
        known = _typed(context, name)
        full = {c.name for c in reflected(context)[name].columns if not c.nullable}
        asked = ((c, _wrong(c, sqlite, c.name in full)) for c in table.columns if c.name not in known)
        conditions = {column: condition for column, condition in asked if condition is not None}
        for column in _where(context, table, conditions):
            condition = conditions[column]
            keys = list(table.primary_key.columns) or list(table.columns)[:3]
            plain = [sqlalchemy.type_coerce(c, sqlalchemy.types.NullType()) for c in (column, *keys)]
            for value, *key in rows(context, sqlalchemy.select(*plain).where(condition), MOST):
                shown = _shown(tuple(k.name for k in keys), tuple(key))
                yield Finding(
                    f"{name}.{column.name} of {shown} is {'missing' if value is None else f'no {_kind(column)}'}",
                    where=f"{name}.{column.name}",
                    seen=repr(value),
                    expected=f"a {_kind(column)}",
                    look=look_rows(f"[{name}]", keys[-1].name, key[-1]),
                )


def _where(
    context: CheckContext, table: sqlalchemy.Table, conditions: Mapping[sqlalchemy.Column[Any], Any]
) -> list[sqlalchemy.Column[Any]]:
    """Return the columns of a table for which some row fulfils the column's condition.

    It is asked first whether there are any: a sound table is read once.
    """
    import sqlalchemy

    def ask(wanted: list[Any]) -> tuple[Any, ...]:
        some = [sqlalchemy.exists(sqlalchemy.select(sqlalchemy.literal(1)).select_from(table).where(w)) for w in wanted]
        return next(rows(context, sqlalchemy.select(*some)))

    if not conditions or not ask([sqlalchemy.or_(*conditions.values())])[0]:
        return []
    return [c for c, found in zip(conditions, ask([*conditions.values()]), strict=True) if found]


def _typed(context: CheckContext, name: str) -> set[str]:
    """Return the columns of a table which are known to hold nothing but values of their type."""
    if name == "dataset":
        column = stored(context)[name].columns["ingest_date"]
        known = {"id", "ingest_date"} if _kind(column) == "whole number" else {"id"}
        return known if datasets(context).typed else set()
    return _clean(context, name)


def _clean(context: CheckContext, name: str) -> set[str]:
    """Return the columns of a datastore's table of records which are known to hold nothing wrong."""
    of_files = {table for table, _ in tables(context).datastores.values()} & tables(context).names
    return files(context, name).clean if name in of_files else set()


def _kind(column: sqlalchemy.Column[Any]) -> str:
    """Say what belongs into a column."""
    import sqlalchemy
    from lsst.daf.butler import ddl

    kind: Any = column.type
    if isinstance(kind, ddl.GUID):
        return "dataset id"
    while isinstance(kind, sqlalchemy.types.TypeDecorator):
        kind = kind.impl_instance
    if isinstance(kind, sqlalchemy.Boolean):
        return "flag (0 or 1)"
    if isinstance(kind, sqlalchemy.DateTime):
        return "date"
    if isinstance(kind, sqlalchemy.Integer):
        return "whole number"
    if isinstance(kind, (sqlalchemy.Numeric, sqlalchemy.Float)):
        return "finite number"
    return "text" if isinstance(kind, sqlalchemy.String) else "other"  # PostgreSQL has ranges of its own


def _wrong(column: sqlalchemy.Column[Any], sqlite: bool, full: bool) -> Any:
    """Return the condition that a value is not what belongs into its column; `None` if there is nothing to ask.

    Most databases see to types themselves, and all to columns that they declare to be full.
    """
    import sqlalchemy
    from sqlalchemy import func, or_

    kind, value = _kind(column), sqlalchemy.type_coerce(column, sqlalchemy.types.NullType())
    of_type = func.typeof(value)
    types = {"whole number": ("integer",), "finite number": ("real", "integer"), "date": ("text",), "text": ("text",)}
    conditions: list[Any] = [] if column.nullable or full else [column.is_(None)]
    if column.foreign_keys:  # it is what it refers to, which registry.references sees to
        return or_(*conditions) if conditions else None
    if kind == "finite number":
        conditions.append(func.abs(value) > LARGEST)
    if sqlite and kind in types:
        conditions.append(of_type.not_in((*types[kind], "null")))
    elif sqlite and kind == "dataset id":
        conditions += [func.length(value) != 32, value.op("GLOB")("*[^0-9a-f]*")]
    elif sqlite and kind != "other":
        conditions.append(value.not_in((sqlalchemy.literal_column("0"), sqlalchemy.literal_column("1"))))
    return or_(*conditions) if conditions else None


@check(
    "registry.text",
    title="No text begins or ends with blanks or has control characters, and no name is empty",
    after="register",
    remedy=RESTORE,
)
def text(context: CheckContext) -> Iterator[Finding]:
    """What looks equal and is not is never found again, by people least of all."""
    import sqlalchemy

    for name, table in sorted(stored(context).items()):
        keys, known = {c.name for c in table.primary_key.columns}, _clean(context, name)
        conditions: dict[sqlalchemy.Column[Any], Any] = {}
        for column in table.columns:
            # What refers to a name of another table is as long as that, and would be found many times.
            if _kind(column) != "text" or column.name in FREE_TEXT or column.foreign_keys:
                continue
            context.examined()
            if column.name in known:
                continue
            bad = [column != sqlalchemy.func.trim(column), *(column.contains(c) for c in "\t\n\r")]
            if column.name in keys or not column.nullable:
                bad.append(column == "")
            conditions[column] = sqlalchemy.or_(*bad)
        for column in _where(context, table, conditions):
            for (value,) in rows(context, sqlalchemy.select(column).where(conditions[column]).distinct(), MOST):
                yield Finding(
                    f"{name}.{column.name} {value!r} is empty, or has blanks around it or control characters",
                    where=f"{name}.{column.name}",
                    seen=repr(value),
                    expected=repr(" ".join(value.split())) if value.strip() else "a name",
                    look=look_rows(f"[{name}]", column.name, value),
                )


@check(
    "registry.spans",
    title="Spans of time have both ends or none, in order, within the times that the middleware knows",
    after="register",
    remedy=RESTORE,
    upstream="daf_butler 2023.46: a span without ends becomes one without limits",
)
def spans(context: CheckContext) -> Iterator[Finding]:
    """Half a span is taken for none, or for all times, depending on who reads it."""
    import sqlalchemy
    from lsst.daf.butler.time_utils import TimeConverter

    least, most = TimeConverter().min_nsec, TimeConverter().max_nsec
    for name, table in sorted(stored(context).items()):
        if not {"timespan_begin", "timespan_end"} <= set(table.columns.keys()):
            continue
        context.examined()
        begin, end = table.columns["timespan_begin"], table.columns["timespan_end"]
        keys = list(table.primary_key.columns)
        # The middleware writes the empty span as one from the last to the first time.
        empty = sqlalchemy.and_(begin == most, end == least)
        wrong = sqlalchemy.or_(
            begin.is_(None) != end.is_(None), begin < least, end > most, sqlalchemy.and_(begin >= end, ~empty)
        )
        for first, last, *key in rows(context, sqlalchemy.select(begin, end, *keys).where(wrong), MOST):
            shown = _shown(tuple(k.name for k in keys), tuple(key))
            yield Finding(
                f"the span of time of {name} {shown} is none",
                data_id=dict(zip((k.name for k in keys), key, strict=True)),
                where=f"{name}.timespan",
                seen=" to ".join("nothing" if t is None else iso(t) for t in (first, last)),
                expected="a beginning before its end, or neither",
                look=look_rows(f"[{name}]", keys[-1].name, key[-1]),
            )


CHECKS: tuple[Check, ...] = (references, schema, values, text, spans)
