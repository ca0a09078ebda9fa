"""Files that are there beside those that are recorded: each folder is listed once, each file is asked once.

Names are kept as 64-bit hashes, 16 bytes for each file and each record; whatever does not fit is looked at again
under its own name, so that two names of one hash cannot make a finding.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import uuid
from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from ..errors import HarnessError
from .artifacts import is_external, sizes_of
from .members import BATCH, asked, within
from .rows import FileRow
from .survey import files
from .tables import NO_COMPONENT, tables

if TYPE_CHECKING:
    from sqlalchemy import Select, TableClause

    from .context import CheckContext

__all__ = ["Inventory", "file_rows", "files_of", "inventory", "select_files", "to_file"]

REPOSITORY_FILES = (".yaml", ".json", ".sqlite3", ".sqlite3-wal", ".sqlite3-shm", ".sqlite3-journal")
"""Endings of files at the top of a repository that are its configuration and its database."""

UNKNOWN = -1
"""A size that is not recorded, or of which nothing follows."""


@dataclasses.dataclass
class Inventory:
    """What came of comparing files with records.

    Parameters
    ----------
    records : `int`
        Records that were looked at.
    files : `int`
        Files that were met below the roots of datastores.
    missing : `list` [`~harness.checks.rows.FileRow`]
        Records without a file.
    resized : `list` [`tuple`]
        Records whose file has another size, with that size (bytes).
    orphans : `list` [`str`]
        Files without a record, relative to the root of their datastore.
    unreadable : `list` [`str`]
        Folders and files that cannot be looked at.
    """

    records: int = 0
    files: int = 0
    missing: list[FileRow] = dataclasses.field(default_factory=list)
    resized: list[tuple[FileRow, int]] = dataclasses.field(default_factory=list)
    orphans: list[str] = dataclasses.field(default_factory=list)
    unreadable: list[str] = dataclasses.field(default_factory=list)

    def ensure_readable(self) -> None:
        """Raise if something could not be looked at: what was found is true, but may not be all."""
        if self.unreadable:
            raise HarnessError(
                f"{len(self.unreadable)} folders or files cannot be looked at, {_shown(self.unreadable[0])} first",
                remedy="run as somebody who may read them",
                code="unreadable-files",
            )


def _shown(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode()


def inventory(context: CheckContext) -> Inventory:
    """Return the comparison of files and records, made once for all checks."""

    def make() -> Inventory:
        out = Inventory()
        for name, (table, root) in tables(context).datastores.items():
            if table in tables(context).names:
                _Comparison(context, name, table, root, out).run()
        return out

    return context.cached("inventory", make)


def file_rows(context: CheckContext, *, ordered: bool = False) -> Iterator[FileRow]:
    """Iterate over the records of all file datastores that belong to the scope, by dataset if they are ordered."""
    data = tables(context)
    for name, (table, _) in data.datastores.items():
        if table in data.names:
            statement, clause = select_files(context, table)
            if ordered:
                statement = statement.order_by(clause.c.dataset_id, clause.c.component)
            yield from (to_file(row, name) for row in data.stream(statement))


def files_of(context: CheckContext, ids: Iterable[uuid.UUID]) -> Mapping[uuid.UUID, FileRow]:
    """Return the record of each of some datasets that is stored whole."""
    data = tables(context)
    out: dict[uuid.UUID, FileRow] = {}
    for batch in itertools.batched(ids, BATCH):
        for name, (table, _) in data.datastores.items():
            if table in data.names:
                statement, clause = select_files(context, table, everything=True)
                found = (to_file(row, name) for row in data.stream(statement.where(clause.c.dataset_id.in_(batch))))
                out |= {row.dataset_id: row for row in found if not row.component}
    return out


def select_files(
    context: CheckContext, table: str, *names: str, everything: bool = False
) -> tuple[Select[*tuple[Any, ...]], TableClause]:
    """Return the statement that selects records of one datastore, those of the scope or all, and their table."""
    import sqlalchemy

    data = tables(context)
    columns = ("dataset_id", "path", "formatter", "storage_class", "component", "checksum", "file_size")
    clause = data.table(table, *columns)
    statement = sqlalchemy.select(*(clause.c[n] for n in names or columns))
    dataset = data.table("dataset", "id", "run_id", "ingest_date")
    conditions = within(context, dataset.c.id, dataset.c.run_id, dataset.c.ingest_date)
    if conditions and not everything:
        joined = clause.join(dataset, dataset.c.id == clause.c.dataset_id)
        statement = statement.select_from(joined).where(*conditions)
    return statement, clause


def to_file(row: Sequence[Any], datastore: str) -> FileRow:
    """Return a selected row as a record of a datastore."""
    identifier, path, formatter, storage, component, checksum, size = row
    return FileRow(
        identifier, path, formatter, storage, "" if component == NO_COMPONENT else component, checksum, size, datastore
    )


def inside(path: str, root: str) -> str:
    """Return the path, relative to a root, of a file that was ingested where it is."""
    plain = unquote(urlsplit(path).path) if "://" in path else path
    return plain.removeprefix(root.rstrip("/") + "/")


class _Comparison:
    """Compares the files below one root with one table of records."""

    def __init__(self, context: CheckContext, name: str, table: str, root: Any, out: Inventory) -> None:
        self._context, self._name, self._table, self._root, self._out = context, name, table, root, out

    def run(self) -> None:
        """Fill in what is missing, of another size or an orphan."""
        import numpy as np

        if not self._root.isLocal:
            self._ask(None)
            return
        top = str(self._root.ospath).rstrip("/")
        if not os.path.isdir(top):  # noqa: PTH112 - a million times cheaper things follow
            raise HarnessError(
                f"the folder of datastore {self._name} is not there: {_shown(top)}",
                remedy="put it back, or correct datastore.root in the repository's butler.yaml",
                code="datastore-moved",
            )
        walk = Walk(top, self._folders(top), self._out.unreadable)
        keys, sizes = self._records(top)
        matched = np.zeros(len(walk.keys), dtype=bool)
        doubtful = np.ones(len(keys), dtype=bool)
        if len(walk.keys):
            order = np.argsort(walk.keys)
            place = np.searchsorted(walk.keys, keys, sorter=order)
            place = order[np.minimum(place, len(order) - 1)]
            there = walk.keys[place] == keys
            matched[place[there]] = True
            seen = walk.sizes[place]
            doubtful = ~there | (seen < 0) | ((sizes != UNKNOWN) & (seen != sizes))
        if not self._context.scope.whole:
            self._ask(None)
        else:
            self._out.records += len(keys)
            if doubtful.any():
                self._ask(set(keys[doubtful].tolist()))
        self._out.files += len(walk.keys)
        self._out.orphans += [p for p in walk.names(np.flatnonzero(~matched)) if self._is_orphan(top, p)]

    def _folders(self, top: str) -> list[str]:
        """Return the folders that are walked: all, or those of the runs that are asked about."""
        numbers = asked(self._context)
        if numbers is None:
            return [""]
        found = (tables(self._context).collections[n] for n in numbers)
        names = sorted(c.name.replace(" ", "_") for c in found if c.type == "RUN")
        # A run below another one is walked with it.
        outer = [n for i, n in enumerate(names) if not any(n.startswith(f"{o}/") for o in names[:i])]
        return [n for n in outer if os.path.isdir(f"{top}/{n}")]  # noqa: PTH112

    def _records(self, top: str) -> tuple[Any, Any]:
        """Return hashes of the recorded paths and the recorded sizes; of all records, as files may belong to any."""
        import numpy as np
        import sqlalchemy

        survey = files(self._context, self._table)
        if survey.plain:
            return survey.keys, survey.sizes
        data = tables(self._context)
        clause = data.table(self._table, "path", "file_size")
        keys, sizes = [], []
        for rows in data.batches(sqlalchemy.select(*clause.columns)):
            recorded = tuple(UNKNOWN if "#" in p else n for p, n in rows)
            paths = tuple(_plain(p, top) for p, _ in rows)
            keys.append(np.fromiter(map(hash, paths), dtype=np.int64, count=len(paths)))
            known = (n if n is not None and n >= 0 else UNKNOWN for n in recorded)
            sizes.append(np.fromiter(known, dtype=np.int64, count=len(paths)))
        empty = [np.empty(0, dtype=np.int64)]
        return np.concatenate(keys or empty), np.concatenate(sizes or empty)

    def _ask(self, doubtful: Collection[int] | None) -> None:
        """Ask for the files of records one by one: of those whose path has one of these hashes, or of all."""
        data = tables(self._context)
        statement, _ = select_files(self._context, self._table)
        top = str(self._root.ospath).rstrip("/") if self._root.isLocal else ""
        rows = (to_file(row, self._name) for row in data.stream(statement))
        if doubtful is not None:
            rows = (r for r in rows if hash(_plain(r.path, top)) in doubtful)
        for row, size in sizes_of(self._context, rows):
            self._out.records += doubtful is None
            if isinstance(size, OSError):
                self._out.unreadable.append(row.path)
            elif size is None:
                self._out.missing.append(row)
            elif row.size is not None and row.size >= 0 and "#" not in row.path and size != row.size:
                self._out.resized.append((row, size))

    def _is_orphan(self, top: str, path: str) -> bool:
        """Tell whether a file without a record belongs to nobody; folders may be links, with records below them."""
        import sqlalchemy

        whole = f"{top}/{path}"
        since = self._context.scope.since
        if since is not None and os.lstat(whole).st_ctime_ns < since:
            return False
        if not (os.path.islink(whole) and os.path.isdir(whole)):  # noqa: PTH112, PTH114 - may be no valid UTF-8
            return True
        data = tables(self._context)
        clause = data.table(self._table, "path")
        below = sqlalchemy.func.substr(clause.c.path, 1, len(path) + 1) == f"{path}/"
        return not list(data.stream(sqlalchemy.select(clause.c.path).where(below).limit(1)))


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except OSError:  # a link that leads nowhere, or a file just deleted: looked at by its record
        return UNKNOWN


def _plain(path: str, top: str) -> str:
    return inside(path, top) if is_external(path) else path.partition("#")[0]


class Walk:
    """The files below some folders, met once; links to folders are not followed.

    Parameters
    ----------
    top : `str`
        The root of a datastore.
    folders : `~collections.abc.Iterable` [`str`]
        Where to begin, relative to it; an empty name is the root itself.
    unreadable : `list` [`str`]
        Folders that cannot be listed are added to it.

    Attributes
    ----------
    keys, sizes : `numpy.ndarray`
        Hashes of the paths, and sizes (bytes), of all files in the order in which they were met.
    """

    def __init__(self, top: str, folders: Iterable[str], unreadable: list[str]) -> None:
        import numpy as np

        self._top = top
        self._names: list[str] = []
        self._starts: list[int] = []
        self._keys, self._sizes = array("q"), array("q")
        todo = list(folders)
        while todo:
            folder = todo.pop()
            self._names.append(folder)
            self._starts.append(len(self._keys))
            try:
                # Names are looked up from the open folder: the way to it is gone once, not for every file.
                number = os.open(f"{top}/{folder}" if folder else top, os.O_RDONLY | os.O_DIRECTORY)
            except FileNotFoundError:
                continue  # deleted since
            except OSError:
                unreadable.append(folder)
                continue
            try:
                todo += self._meet(number, folder)
            finally:
                os.close(number)
        keys, sizes = self._keys, self._sizes
        self.keys = np.frombuffer(keys, dtype=np.int64) if keys else np.empty(0, dtype=np.int64)
        self.sizes = np.frombuffer(sizes, dtype=np.int64) if sizes else np.empty(0, dtype=np.int64)

    def _meet(self, number: int, folder: str) -> list[str]:
        """Note the files of an open folder, and return the folders in it."""
        prefix = f"{folder}/" if folder else ""
        with os.scandir(number) as entries:
            met = list(entries)
            inner = [prefix + e.name for e in met if e.is_dir(follow_symlinks=False)]
            if inner:
                met = [e for e in met if not e.is_dir(follow_symlinks=False)]
            if not folder:
                met = [e for e in met if not e.name.endswith(REPOSITORY_FILES)]
            self._keys.extend([hash(prefix + e.name) for e in met])
            try:
                self._sizes.extend([e.stat().st_size for e in met])
            except OSError:
                self._sizes.extend(map(_size, met))
        return inner

    def names(self, indices: Iterable[int]) -> Iterator[str]:
        """Yield the paths of some files, relative to the root, from a second look into their folders."""
        by_folder: dict[int, set[int]] = {}
        for i in indices:
            by_folder.setdefault(bisect_right(self._starts, i) - 1, set()).add(int(self.keys[i]))
        for number, keys in by_folder.items():
            folder = self._names[number]
            prefix = f"{folder}/" if folder else ""
            with os.scandir(f"{self._top}/{folder}") as entries:
                yield from (prefix + entry.name for entry in entries if hash(prefix + entry.name) in keys)
