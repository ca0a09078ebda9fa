"""The files of a repository, beside those that its datasets account for."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import os
import uuid
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..checks.members import BATCH
from ..checks.tables import Tables

if TYPE_CHECKING:
    from lsst.daf.butler import Butler

__all__ = ["FileChanges", "changes", "listing", "misjudged", "recorded"]

Listing = Mapping[str, tuple[int | str, ...]]
"""By path: inode, time of change (ns) and size; of files at the top the digest, as opening a database may touch it."""


@dataclasses.dataclass(frozen=True)
class FileChanges:
    """What has become of the files.

    Parameters
    ----------
    touched : `tuple` [`str`]
        Files that were there before and were written again or removed, although their datasets were to stay.
    strays : `tuple` [`str`]
        New files of which the repository knows nothing.
    """

    touched: tuple[str, ...]
    strays: tuple[str, ...]


def listing(root: Path, *, database: bool = False) -> Listing:
    """List the files of a repository.

    Parameters
    ----------
    root : `~pathlib.Path`
        The repository.
    database : `bool`, optional
        Whether to read the database too, which is left out otherwise: whoever writes a dataset changes it.
    """
    out: dict[str, tuple[int | str, ...]] = {}
    start = str(root)
    folders = [start]
    while folders:
        folder = folders.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif folder != start:
                    status = entry.stat(follow_symlinks=False)
                    out[entry.path[len(start) + 1 :]] = (status.st_ino, status.st_mtime_ns, status.st_size)
                elif ".sqlite3" not in entry.name or (database and entry.name.endswith(".sqlite3")):
                    with open(entry.path, "rb") as stream:  # noqa: PTH123 - database and configuration
                        out[entry.name] = (hashlib.file_digest(stream, "blake2b").hexdigest(),)
    return out


def recorded(butler: Butler, ids: Iterable[str]) -> dict[str, int]:
    """Return the files that the datastore has on record for some datasets.

    Parameters
    ----------
    butler : `lsst.daf.butler.Butler`
        The repository.
    ids : `~collections.abc.Iterable` [`str`]
        Dataset ids.

    Returns
    -------
    files : `dict` [`str`, `int`]
        Size on record (bytes; negative if there is none, or if the dataset is a part of the file) by path below
        the root.
    """
    import sqlalchemy

    data, out = Tables(butler), dict[str, int]()
    for table, _ in data.datastores.values():
        if table not in data.names:
            continue
        clause = data.table(table, "dataset_id", "path", "file_size")
        for some in itertools.batched(sorted(map(uuid.UUID, ids)), BATCH):
            statement = sqlalchemy.select(clause.c.path, clause.c.file_size).where(clause.c.dataset_id.in_(some))
            for recorded_path, size in data.stream(statement):
                path, _, part = recorded_path.partition("#")
                out[path] = -1 if part else size
    return out


def misjudged(root: Path, files: Mapping[str, int]) -> list[tuple[str, int, int]]:
    """Return the files that have another size than the datastore has on record, which then refuses to read them.

    Parameters
    ----------
    root : `~pathlib.Path`
        The repository.
    files : `~collections.abc.Mapping` [`str`, `int`]
        What `recorded` found.

    Returns
    -------
    files : `list` [`tuple` [`str`, `int`, `int`]]
        Path, size on record and size (bytes).
    """
    sizes = ((p, size, root / p) for p, size in sorted(files.items()) if size >= 0)
    found = ((p, size, file.stat().st_size) for p, size, file in sizes if file.exists())
    return [(p, size, real) for p, size, real in found if size != real]


def changes(before: Listing, after: Listing, free: Collection[str], owned: Collection[str]) -> FileChanges:
    """Say which files have changed that must not.

    Parameters
    ----------
    before, after : `~collections.abc.Mapping`
        Listings.
    free : `~collections.abc.Collection` [`str`]
        Files that may be written again or removed.
    owned : `~collections.abc.Collection` [`str`]
        Files of new datasets.
    """
    touched = (p for p, facts in before.items() if after.get(p) != facts and p not in free)
    strays = (p for p in after if p not in before and p not in owned)
    return FileChanges(tuple(sorted(touched)), tuple(sorted(strays)))
