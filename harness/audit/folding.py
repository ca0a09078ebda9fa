"""One finding for a folder that is gone, in place of one for each file that was in it."""

from __future__ import annotations

import dataclasses
import os
import shlex
from collections.abc import Iterable, Iterator
from functools import cache

from ..verdicts import Finding

__all__ = ["fold"]


def fold(findings: Iterable[Finding], roots: Iterable[str]) -> Iterator[Finding]:
    """Put together the findings about files of which the folder itself is gone.

    Parameters
    ----------
    findings : `~collections.abc.Iterable` [`~harness.verdicts.Finding`]
        What a check found, `~harness.verdicts.Finding.where` a path below the root of a datastore.
    roots : `~collections.abc.Iterable` [`str`]
        The local roots of the datastores.

    Yields
    ------
    finding : `~harness.verdicts.Finding`
        Those about other things as they come; those of folders at the end, in order.
    """
    there = [root.rstrip("/") for root in roots]

    @cache
    def gone(folder: str) -> str:
        """Return the topmost folder that is gone, of this one and those that it is in; empty if it is there."""
        if not folder or any(os.path.isdir(f"{root}/{folder}") for root in there):  # noqa: PTH112
            return ""
        return gone(folder.rpartition("/")[0]) or folder

    folded: dict[str, tuple[int, Finding]] = {}
    for finding in findings:
        place = finding.where.partition("#")[0]
        inside = there and place and not place.startswith("/") and "://" not in place
        folder = gone(place.rpartition("/")[0]) if inside and "/" in place else ""
        if not folder:
            yield finding
            continue
        count, first = folded.get(folder, (0, finding))
        folded[folder] = count + 1, first
    for folder, (count, first) in sorted(folded.items()):
        yield first if count == 1 else _of_folder(folder, count, first)


def _of_folder(folder: str, count: int, first: Finding) -> Finding:
    return dataclasses.replace(
        first,
        message=f"the folder {folder} is gone, with {count} of its files",
        data_id={},
        where=folder,
        seen="no such folder",
        expected=f"a folder with {count} files",
        look="ls -ld {repo}/" + shlex.quote(folder),
        remedy="",
    )
