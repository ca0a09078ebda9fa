"""Which dataset types have changed in a registry, found by comparing its tables with a copy of them.

Reading the whole state of a repository costs a query for each dataset type. SQLite compares whole tables in some
milliseconds, so that only the types that have changed need to be read again.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["changed_types", "copy_of_registry"]

DATABASE = "gen3.sqlite3"

READ_ANYWAY = frozenset({"collection", "run", "collection_chain", "collection_summary_instrument"})
"""Tables of what is read again in any case, or is no part of the state."""


def copy_of_registry(repo: Path, target: Path) -> Path | None:
    """Copy the database of a repository that nobody is writing to.

    Parameters
    ----------
    repo : `~pathlib.Path`
        The repository.
    target : `~pathlib.Path`
        File to write.

    Returns
    -------
    copy : `~pathlib.Path` or `None`
        ``target``; `None` if the registry is in no such file.
    """
    source = repo / DATABASE
    if not source.is_file():
        return None
    shutil.copyfile(source, target)
    return target


def changed_types(repo: Path, copy: Path) -> set[str] | None:
    """Return the dataset types of which any row of any table has changed.

    Parameters
    ----------
    repo : `~pathlib.Path`
        The repository.
    copy : `~pathlib.Path`
        What `copy_of_registry` made of it before.

    Returns
    -------
    types : `set` [`str`] or `None`
        Names of dataset types; `None` if something else has changed as well, dimension records or what a release
        has that is not known here: all must then be read.
    """
    connection = sqlite3.connect(f"file:{repo / DATABASE}?mode=ro", uri=True)
    try:
        connection.execute("ATTACH ? AS old", (f"file:{copy}?mode=ro",))
        tables = _tables(connection, "main")
        if tables != _tables(connection, "old"):
            return None
        names = dict(_union(connection, "SELECT id, name FROM {}.dataset_type"))
        types: set[str | None] = set()
        for table in tables:
            if table in READ_ANYWAY or table.startswith("dimension_graph"):
                continue
            rows = _differing(connection, table)
            if not rows:
                continue
            columns = [row[1] for row in connection.execute(f"PRAGMA main.table_info('{table}')")]
            if table == "dataset_type":
                types.update(row[columns.index("name")] for row in rows)
            elif "dataset_type_id" in columns:
                place = columns.index("dataset_type_id")
                types.update(names.get(row[place]) for row in rows)
            elif "dataset_id" in columns:
                place = columns.index("dataset_id")
                owners = dict(_union(connection, "SELECT id, dataset_type_id FROM {}.dataset"))
                types.update(names.get(owners.get(row[place])) for row in rows)
            else:
                return None
    except sqlite3.OperationalError:
        return None  # no such table or column: a registry of another release
    finally:
        connection.close()
    return None if None in types else {name for name in types if name}


def _tables(connection: sqlite3.Connection, database: str) -> list[str]:
    query = "SELECT name FROM {}.sqlite_master WHERE type = 'table' ORDER BY name"
    names = (name for (name,) in connection.execute(query.format(database)))
    return [name for name in names if not name.startswith("sqlite_")]


def _union(connection: sqlite3.Connection, query: str) -> Iterator[tuple[Any, Any]]:
    for database in ("old", "main"):
        yield from connection.execute(query.format(database))


def _differing(connection: sqlite3.Connection, table: str) -> list[tuple[Any, ...]]:
    """Return the rows that only one of both has."""
    old, new = f'old."{table}"', f'main."{table}"'
    out: list[tuple[Any, ...]] = list(connection.execute(f"SELECT * FROM {new} EXCEPT SELECT * FROM {old}"))  # noqa: S608 - names of tables
    counts = f"SELECT (SELECT count(*) FROM {new}) = (SELECT count(*) FROM {old})"  # noqa: S608
    if out or connection.execute(counts).fetchone() != (1,):
        out += connection.execute(f"SELECT * FROM {old} EXCEPT SELECT * FROM {new}")  # noqa: S608
    return out
