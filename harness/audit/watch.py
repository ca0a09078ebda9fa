"""Whether somebody writes to a repository while it is audited."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .source import Source

__all__ = ["state_of"]


def state_of(source: Source) -> tuple[object, ...]:
    """Return what changes whenever somebody writes to a registry.

    Parameters
    ----------
    source : `~harness.audit.source.Source`
        The repository.

    Returns
    -------
    state : `tuple`
        For SQLite size and time of the file and of its log or journal; it is not opened, since closing it would drop
        the locks of this process. For PostgreSQL the rows written since its statistics began.
    """
    if source.database is not None:
        found: list[object] = []
        for ending in ("", "-wal", "-journal"):
            with contextlib.suppress(FileNotFoundError):
                status = os.stat(f"{source.database}{ending}")  # noqa: PTH116
                found.append((ending, status.st_ino, status.st_size, status.st_mtime_ns))
        return tuple(found)
    import sqlalchemy

    with source.connect() as database:
        names = ("n_tup_ins", "n_tup_upd", "n_tup_del", "schemaname")
        columns: dict[str, sqlalchemy.ColumnClause[int]] = {name: sqlalchemy.column(name) for name in names}
        table = sqlalchemy.table("pg_stat_user_tables", *columns.values())
        written = columns["n_tup_ins"] + columns["n_tup_upd"] + columns["n_tup_del"]
        query = (
            sqlalchemy.select(sqlalchemy.func.sum(written))
            .select_from(table)
            .where(columns["schemaname"] == database.namespace)
        )
        with database.query(query) as rows:
            return tuple(rows.one())
