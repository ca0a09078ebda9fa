"""From what a user names to the files that it means."""

from __future__ import annotations

import dataclasses
import fnmatch
import glob
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .reasons import BadRaw, Reason

if TYPE_CHECKING:
    from lsst.resources import ResourcePath

__all__ = ["Finder", "Missing"]

FITS_NAME = re.compile(r"\.(fits?|fts)(\.(fz|gz))?$", re.IGNORECASE)
"""Names that are taken for raws in a folder; a file that is named itself, or by a pattern, is always tried."""
_MAGIC = re.compile(r"[*?[]")


@dataclasses.dataclass(frozen=True)
class Missing:
    """A location that leads to no file, and why."""

    path: str
    error: BadRaw


class Finder:
    """Finds files, in a stable order, one after the other.

    Parameters
    ----------
    locations : `~collections.abc.Iterable` [`str` or `~pathlib.Path`]
        Files, folders (searched with all subfolders), patterns with ``*``, ``?``, ``[…]`` or ``**``, and any URI
        that ``lsst.resources`` understands.

    Attributes
    ----------
    ignored : `int`
        Files in folders that were left alone because they are hidden or not named like FITS files.
    """

    def __init__(self, locations: Iterable[str | Path]) -> None:
        self._locations = [str(item) for item in locations]
        self.ignored = 0

    def __iter__(self) -> Iterator[str | ResourcePath | Missing]:
        """Yield absolute local paths, other resources, and locations that lead nowhere."""
        if len(self._locations) == 1:
            yield from self._location(self._locations[0])
            return
        seen: set[str] = set()  # overlapping locations must not make duplicates of a file
        for location in self._locations:
            for item in self._location(location):
                name = item.path if isinstance(item, Missing) else str(item)
                if name not in seen:
                    seen.add(name)
                    yield item

    def _location(self, location: str) -> Iterator[str | ResourcePath | Missing]:
        if "://" in location:
            from lsst.resources import ResourcePath

            uri = ResourcePath(location)
            if uri.scheme != "file":
                yield from self._remote(uri)
                return
            location = uri.ospath
        path = Path(location).absolute()
        if path.is_dir():
            yield from self._folder(path, location)
        elif path.exists():
            yield str(path)
        elif _MAGIC.search(location):
            matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207  (patterns may be absolute)
            if not matches:
                yield Missing(location, BadRaw(Reason.NOT_FOUND, "no file matches the pattern"))
            for match in matches:
                if not Path(match).is_dir():
                    yield match
        else:
            yield Missing(location, BadRaw(Reason.NOT_FOUND, "no such file or folder"))

    def _folder(self, folder: Path, location: str) -> Iterator[str | Missing]:
        found = False
        problems: list[OSError] = []
        for parent, folders, names in os.walk(folder, onerror=problems.append):
            folders[:] = sorted(f for f in folders if not f.startswith("."))
            for name in sorted(names):
                if name.startswith(".") or not FITS_NAME.search(name):
                    self.ignored += 1
                else:
                    found = True
                    yield os.path.join(parent, name)  # noqa: PTH118  (a Path per file costs as much as its header)
        for problem in problems:
            yield Missing(
                str(problem.filename), BadRaw(Reason.UNREADABLE, f"folder cannot be read: {problem.strerror}")
            )
        if not found and not problems:
            yield Missing(location, BadRaw(Reason.NOT_FOUND, "folder holds no file named like FITS"))

    def _remote(self, uri: ResourcePath) -> Iterator[str | ResourcePath | Missing]:
        from lsst.resources import ResourcePath

        pattern = uri.basename()
        try:
            if uri.dirLike or (not _MAGIC.search(pattern) and not uri.exists() and uri.isdir()):
                files: Iterable[ResourcePath] = ResourcePath.findFileResources([uri], FITS_NAME)
            elif _MAGIC.search(pattern):
                names = ResourcePath.findFileResources([uri.dirname()], re.compile(fnmatch.translate(pattern)))
                files = (n for n in names if n.dirname() == uri.dirname())
            elif uri.exists():
                files = [uri]
            else:
                files = []
            found = sorted(files, key=str)
        except (OSError, NotImplementedError) as error:
            yield Missing(str(uri), BadRaw(Reason.UNREADABLE, f"cannot be read: {error}"))
            return
        yield from found
        if not found:
            yield Missing(str(uri), BadRaw(Reason.NOT_FOUND, "nothing is there"))
