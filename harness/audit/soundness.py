"""Checks of a repository as a whole, which need no Butler: they are made before one is opened."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..verdicts import Check, Finding, NotApplicableError
from .folding import fold

if TYPE_CHECKING:
    from ..checks.context import CheckContext
    from .source import Root, Source

__all__ = ["FAMILY", "closed_checks", "repository_checks"]

FAMILY = "repository"

MOST = 1000
"""SQLite stops to look for damage after so many faults."""


def repository_checks(source: Source) -> tuple[Check, ...]:
    """Return the checks of a repository that has been found.

    Parameters
    ----------
    source : `~harness.audit.source.Source`
        The repository; the functions of the checks take their context, and ask nothing of its butler.
    """
    return (
        Check(
            "repository.datastore-root",
            "The root of every datastore is there",
            "A repository that was moved without its datastore, or restored in half, opens without complaint: the "
            "middleware makes an empty folder where the root was, and a million files seem to be lost.",
            FAMILY,
            "create",
            lambda context: _roots(source, context),
            remedy="restore the folder, or correct datastore.root in butler.yaml",
        ),
        Check(
            "repository.database",
            "The database is whole",
            "A disk error, or a copy made while somebody wrote, damages single pages: most queries still work, and the "
            "datasets of those pages are lost one day.",
            FAMILY,
            "create",
            lambda context: _database(source, context),
            remedy="restore the database from a backup",
        ),
    )


def closed_checks(source: Source) -> tuple[Check, ...]:
    """Return the checks that are safe on a registry that the middleware cannot open.

    Parameters
    ----------
    source : `~harness.audit.source.Source`
        The repository.
    """
    return (
        Check(
            "repository.recorded-files",
            "Every recorded file is there, as far as records can be read without the middleware",
            "A registry that is newer than the installed middleware cannot be asked; its files can still be counted.",
            FAMILY,
            "create",
            lambda context: _recorded_files(source, context),
        ),
    )


def _roots(source: Source, context: CheckContext) -> Iterator[Finding]:
    for root in source.roots:
        context.examined()
        if root.missing:
            path = root.uri.ospath.rstrip("/")
            yield Finding(
                f"the root of a datastore is gone: {path}",
                where="/".join(map(str, root.key)),
                seen="no such folder",
                expected="a folder",
                look=f"ls -ld {shlex.quote(path)}",
                remedy=_moved_to(source, root),
            )


def _moved_to(source: Source, root: Root) -> str:
    """Say whether the files of a root lie beside the configuration; empty if they don't."""
    first = next(_recorded(source, root, 1), None)
    folder = source.folder.rstrip("/")
    if first is None or not os.path.exists(f"{folder}/{first}"):  # noqa: PTH110
        return ""
    return f"its files lie in {folder}: set datastore.root to <butlerRoot> in {folder}/butler.yaml"


def _recorded(source: Source, root: Root, limit: int | None = None) -> Iterator[str]:
    """Iterate over the relative paths that a datastore has recorded; over nothing if it has no such records."""
    import sqlalchemy

    name = source.config.get((*root.key[:-1], "records", "table"))
    path: sqlalchemy.ColumnClause[str] = sqlalchemy.column("path")
    with source.connect() as database, contextlib.suppress(sqlalchemy.exc.DatabaseError):
        table = sqlalchemy.table(name, path, schema=database.namespace)
        inside = sqlalchemy.not_(path.contains("://"))
        with database.query(sqlalchemy.select(path).select_from(table).where(inside).limit(limit)) as rows:
            yield from (str(row[0]).partition("#")[0] for row in rows.yield_per(10_000))


def _recorded_files(source: Source, context: CheckContext) -> Iterator[Finding]:
    for root in source.roots:
        if root.missing or not root.uri.isLocal:
            continue
        folder = root.uri.ospath.rstrip("/")
        missing = (_missing(folder, path) for path in _recorded(source, root) if _looked_for(folder, path, context))
        yield from fold(missing, [folder])


def _looked_for(folder: str, path: str, context: CheckContext) -> bool:
    """Count a file; tell whether it is missing."""
    context.examined()
    return not os.path.exists(f"{folder}/{path}")  # noqa: PTH110


def _missing(folder: str, path: str) -> Finding:
    look = f"ls -l {shlex.quote(f'{folder}/{path}')}"
    return Finding("a recorded file is missing", where=path, seen="no such file", expected="a file", look=look)


def _database(source: Source, context: CheckContext) -> Iterator[Finding]:
    if source.dialect != "sqlite":
        raise NotApplicableError(f"{source.dialect} looks after that itself")
    import sqlalchemy

    context.examined()
    try:
        with source.connect() as database, database.query(sqlalchemy.text(f"PRAGMA quick_check({MOST})")) as rows:
            damage = [str(row[0]) for row in rows]
    except sqlalchemy.exc.DatabaseError as error:
        damage = [str(error.orig)]  # so damaged that it cannot be looked through
    for text in damage:
        if text != "ok":
            yield Finding(
                f"the database is damaged: {' '.join(text.split())}",
                where=str(source.database),
                seen=text.splitlines()[0],
                expected="ok",
                look=f"sqlite3 {shlex.quote(str(source.database))} 'PRAGMA integrity_check'",
            )
