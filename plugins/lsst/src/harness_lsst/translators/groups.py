"""Groups of exposures, and the integers that stand for them."""

from __future__ import annotations

import datetime
import hashlib
import re

from harness.errors import HarnessError

__all__ = ["group_number"]

_ISO = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})\.(\d{3})(?:[+#](\d+))?", re.ASCII)
_EPOCH = datetime.datetime(2015, 1, 1)
_HASH_DIGITS = 14


def group_number(group: str) -> int:
    """Return the integer that stands for a group.

    Parameters
    ----------
    group : `str`
        GROUPID. Usually a time, ``2024-06-25T01:26:31.895``, with ``#1`` or ``+1`` for the second of its groups; in
        early data any word.

    Returns
    -------
    number : `int`
        The group itself if it is an integer. For a time, the seconds since 2015 begin the number, then come three
        digits of milliseconds and at least four of the group's number. For a word, it is a hash, followed by the
        length of the word.

    Raises
    ------
    HarnessError
        If it looks like a time and is none, or if it isn't ASCII.
    """
    try:
        return int(group)
    except ValueError:
        pass
    if match := _ISO.fullmatch(group):
        try:
            time = datetime.datetime.fromisoformat(match[1])
        except ValueError as error:
            raise HarnessError(f"GROUPID is {group!r}: {error}", remedy="a time is expected", code="group") from error
        seconds = int((time - _EPOCH).total_seconds())
        return int(f"{seconds}{match[2]}{int(match[3] or 0):04d}")
    if not group.isascii():
        raise HarnessError(f"GROUPID is {group!r}", remedy="ASCII is expected", code="group")
    digest = hashlib.blake2b(group.encode("ascii")).hexdigest()[:_HASH_DIGITS]
    return int(f"{int(digest, 16)}{len(group):02d}")
