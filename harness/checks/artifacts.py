"""Files behind the records of a datastore: where they are, how big, and whether they begin as they should."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .tables import FileRow, tables

if TYPE_CHECKING:
    from .context import CheckContext

__all__ = ["is_external", "local_path", "problem", "sizes"]

FITS_BLOCK = 2880
"""FITS files are a whole number of blocks of this many bytes (FITS standard 4.0, section 3.1)."""

JSON_LIMIT = 4_000_000
"""JSON files beyond this size (bytes) are not parsed, only looked at."""


def is_external(row: FileRow) -> bool:
    """Tell whether a file was ingested where it is, outside the datastore's root."""
    return "://" in row.path or row.path.startswith(("/", "file:"))


def local_path(context: CheckContext, row: FileRow) -> Path | None:
    """Return where the file of a record is, or `None` if that is no local file system.

    A part of a zip file stands for the zip file.
    """
    root = tables(context).datastores[row.datastore][1]
    if is_external(row):
        from lsst.resources import ResourcePath

        uri = ResourcePath(row.path, forceAbsolute=True, forceDirectory=False)
        return Path(uri.ospath) if uri.isLocal else None
    # Records hold plain paths, except that a fragment names the member of a zip file.
    return Path(root.ospath) / row.path.partition("#")[0] if root.isLocal else None


def sizes(context: CheckContext) -> Mapping[tuple[str, str], int | None]:
    """Return the size in bytes of each recorded file by datastore and recorded path, `None` if it is not there.

    Raises
    ------
    OSError
        If a file can neither be seen nor be said to be missing (no permission, I/O error).
    """

    def make() -> Mapping[tuple[str, str], int | None]:
        out: dict[tuple[str, str], int | None] = {}
        remote: list[FileRow] = []
        for row in tables(context).files:
            key = row.datastore, row.path
            if key in out:
                continue
            path = local_path(context, row)
            if path is None:
                remote.append(row)
                continue
            try:
                out[key] = os.stat(path).st_size  # noqa: PTH116 - a million times in an audit
            except (FileNotFoundError, NotADirectoryError):
                out[key] = None
        out.update(_remote_sizes(context, remote))
        return out

    return context.cached("sizes of files", make)


def _remote_sizes(context: CheckContext, rows: list[FileRow]) -> Mapping[tuple[str, str], int | None]:
    from lsst.resources import ResourcePath

    roots = {name: root for name, (_, root) in tables(context).datastores.items()}
    uris = {}
    for row in rows:
        outside = is_external(row)
        uri = ResourcePath(row.path) if outside else roots[row.datastore].join(row.path, forceDirectory=False)
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
