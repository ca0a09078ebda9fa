"""Files behind the records of a datastore: where they are, how big, and whether they begin as they should."""

from __future__ import annotations

import errno
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .rows import FileRow
from .tables import tables

if TYPE_CHECKING:
    from .context import CheckContext

__all__ = ["is_external", "local_path", "problem", "sizes_of"]

REMOTE = 1000
"""Remote files that are asked for at a time."""

GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
"""Errors that say that a file is not there; a link that leads back to itself is none."""

FITS_BLOCK = 2880
"""FITS files are a whole number of blocks of this many bytes (FITS standard 4.0, section 3.1)."""

JSON_LIMIT = 4_000_000
"""JSON files beyond this size (bytes) are not parsed, only looked at."""


def is_external(path: str) -> bool:
    """Tell whether a recorded path is that of a file that was ingested where it is, outside the datastore's root."""
    return "://" in path or path.startswith(("/", "file:"))


def local_path(context: CheckContext, row: FileRow) -> Path | None:
    """Return where the file of a record is, or `None` if that is no local file system.

    A part of a zip file stands for the zip file.
    """
    root = tables(context).datastores[row.datastore][1]
    if is_external(row.path):
        from lsst.resources import ResourcePath

        uri = ResourcePath(row.path, forceAbsolute=True, forceDirectory=False)
        return Path(uri.ospath) if uri.isLocal else None
    # Records hold plain paths, except that a fragment names the member of a zip file.
    return Path(root.ospath) / row.path.partition("#")[0] if root.isLocal else None


def sizes_of(context: CheckContext, rows: Iterable[FileRow]) -> Iterator[tuple[FileRow, int | OSError | None]]:
    """Ask for the files of records, one by one.

    Yields
    ------
    row, size : `tuple`
        A record with the size of its file (bytes); `None` if it is not there, the error if that cannot be said (no
        permission, I/O error).
    """
    for batch in itertools.batched(rows, REMOTE):
        paths = [local_path(context, row) for row in batch]
        remote = _remote_sizes(context, [row for row, path in zip(batch, paths, strict=True) if path is None])
        for row, path in zip(batch, paths, strict=True):
            if path is None:
                yield row, remote[row.datastore, row.path]
                continue
            try:
                yield row, os.stat(path).st_size  # noqa: PTH116 - a million times in an audit
            except OSError as error:
                yield row, None if error.errno in GONE else error


def _remote_sizes(context: CheckContext, rows: list[FileRow]) -> Mapping[tuple[str, str], int | None]:
    """Return the sizes of remote files by datastore and recorded path, `None` for those that are not there."""
    from lsst.resources import ResourcePath

    roots = {name: root for name, (_, root) in tables(context).datastores.items()}
    uris = {}
    for row in rows:
        outside = is_external(row.path)
        plain = row.path if outside else row.path.partition("#")[0]
        uri = ResourcePath(plain) if outside else roots[row.datastore].join(plain, forceDirectory=False)
        uris[row.datastore, row.path] = uri
    there = ResourcePath.mexists(uris.values()) if uris else {}
    return {key: uri.size() if there[uri] else None for key, uri in uris.items()}


# --- contents ----------------------------------------------------------------------------------------


def problem(path: Path, recorded: str) -> str:
    """Say what is wrong with the form of a file, judged by its name's extension.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file; must exist.
    recorded : `str`
        Its path as the datastore records it, which has the extension.

    Returns
    -------
    problem : `str`
        Empty if it looks as it should. Only the parts that tell are read, never pixels.
    """
    size = path.stat().st_size
    if not size:
        return "the file is empty"
    name = urlsplit(recorded).path if "://" in recorded else recorded.partition("#")[0]
    suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 - the recorded path may be a URI
    look = _FORMS.get(suffix)
    return look(path, size) if look else ""


def _fits(path: Path, size: int) -> str:
    if _head(path, 9) != b"SIMPLE  =":
        return "it does not begin like FITS"
    return "" if size % FITS_BLOCK == 0 else f"its {size} bytes are no whole number of FITS blocks: it is cut off"


def _parquet(path: Path, size: int) -> str:
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(max(size - 4, 0))
        tail = file.read(4)
    if head != b"PAR1":
        return "it does not begin like Parquet"
    return "" if tail == b"PAR1" and size >= 12 else "it does not end like Parquet: it is cut off"


def _json(path: Path, size: int) -> str:
    if size > JSON_LIMIT:
        return "" if _head(path, 1) in b"{[" else "it does not begin like JSON"
    try:
        json.loads(path.read_bytes())
    except ValueError as error:
        return f"it is not JSON: {error}"
    return ""


def _text(path: Path, _size: int) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        return f"it is no text: {error}"
    return "it holds nothing printable" if "\0" in text or not text.strip() else ""


def _python(path: Path, size: int) -> str:
    bad = _text(path, size)
    if bad:
        return bad
    try:
        compile(path.read_bytes(), str(path), "exec")
    except SyntaxError as error:
        return f"it is no Python: {error}"
    return ""


def _begins(expected: bytes, name: str, path: Path, _size: int) -> str:
    return "" if _head(path, len(expected)) == expected else f"it does not begin like {name}"


def _head(path: Path, n: int) -> bytes:
    with path.open("rb") as file:
        return file.read(n)


_FORMS: Mapping[str, Callable[[Path, int], str]] = {
    ".fits": _fits,
    ".fit": _fits,
    ".fz": _fits,
    ".gz": partial(_begins, b"\x1f\x8b", "gzip"),
    ".parq": _parquet,
    ".parquet": _parquet,
    ".json": _json,
    ".yaml": _text,
    ".ecsv": _text,
    ".py": _python,
    ".zip": partial(_begins, b"PK", "zip"),
}
