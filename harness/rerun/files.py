"""The files of a repository, beside those that its datasets account for."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lsst.daf.butler import Butler

__all__ = ["FileChanges", "changes", "listing", "misjudged", "paths"]

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
    for folder, _, names in os.walk(start):
        for name in names:
            path = f"{folder}/{name}"
            if folder == start and ".sqlite3" in name and not (database and name.endswith(".sqlite3")):
                continue
            if folder == start:  # database and configuration
                with open(path, "rb") as stream:  # noqa: PTH123 - as below
                    out[name] = (hashlib.file_digest(stream, "blake2b").hexdigest(),)
                continue
            status = os.stat(path, follow_symlinks=False)  # noqa: PTH116 - some thousands of files
            out[path[len(start) + 1 :]] = (status.st_ino, status.st_mtime_ns, status.st_size)
    return out


def paths(butler: Butler, root: Path, ids: Iterable[str]) -> set[str]:
    """Return the files of some datasets, as paths below the root.

    Parameters
    ----------
    butler : `lsst.daf.butler.Butler`
        The repository.
    root : `~pathlib.Path`
        Its folder.
    ids : `~collections.abc.Iterable` [`str`]
        Dataset ids; those that have no files are left out.
    """
    from lsst.resources import ResourcePath

    top = ResourcePath(root, forceDirectory=True)
    out: set[str] = set()
    for ref in butler.get_many_datasets(sorted(ids)):
        try:
            uris = butler.getURIs(ref)
        except FileNotFoundError:
            continue
        for uri in (uris.primaryURI, *uris.componentURIs.values()):
            if uri is not None and (path := uri.replace(fragment="").relative_to(top)):
                out.add(path)
    return out


def misjudged(butler: Butler, root: Path, ids: Iterable[str]) -> list[tuple[str, int, int]]:
    """Return the files that have another size than the datastore has on record, which then refuses to read them.

    Parameters
    ----------
    butler : `lsst.daf.butler.Butler`
        The repository.
    root : `~pathlib.Path`
        Its folder.
    ids : `~collections.abc.Iterable` [`str`]
        Dataset ids.

    Returns
    -------
    files : `list` [`tuple` [`str`, `int`, `int`]]
        Path, size on record and size (bytes).
    """
    out = []
    datastore = butler._datastore  # as in `harness.transfer.capture`
    refs = butler.get_many_datasets(sorted(ids))
    for data in datastore.export_records(refs).values():
        for by_table in data.records.values():
            for info in (i for infos in by_table.values() for i in infos):
                file = root / info.path.partition("#")[0]
                if info.file_size < 0 or "#" in info.path or not file.exists():
                    continue  # not on record, or a part of a file
                if file.stat().st_size != info.file_size:
                    out.append((info.path, info.file_size, file.stat().st_size))
    return sorted(out)


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
