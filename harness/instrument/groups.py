"""Names of groups of exposures as integers, for visits that are numbered after their group."""

from __future__ import annotations

import datetime
import hashlib
import re

__all__ = ["group_number"]

_EPOCH = datetime.datetime(2015, 1, 1)
"""Second 0 of groups that are named after a time; of no time scale, as the names are not either."""

_TIME = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})\.(\d{3})(?:[#+](\d+))?", re.ASCII)
"""``2022-04-06T02:58:07.181``, and with a number of its part: ``…#1`` or ``…+1``."""


def group_number(group: str) -> int:
    """Return the integer that a group's name stands for.

    Parameters
    ----------
    group : `str`
        Name of the group, e.g. the value of a raw's ``GROUPID``.

    Returns
    -------
    number : `int`
        The name itself, if it is an integer. For a time, whole seconds since 2015-01-01, three digits of the fraction
        and four (or more) of the number of its part; negative for a time before (a lost clock says 1970). For any
        other name 56 bits of its BLAKE2b hash with the name's length (two or more digits) appended: at most 19
        digits, and within 64 bits, for names up to 99 characters.

    Notes
    -----
    The rule of the Rubin instruments; source: instruments.md, "Data model", from obs_lsst 2026-04.
    """
    try:
        return int(group)
    except ValueError:
        pass
    if found := _TIME.fullmatch(group):
        try:
            seconds = int((datetime.datetime.fromisoformat(found[1]) - _EPOCH).total_seconds())
        except ValueError:
            pass  # the digits are no date, as in 2022-13-40: a name like any other
        else:
            return int(f"{seconds}{found[2]}{int(found[3] or 0):04d}")
    digest = hashlib.blake2b(group.encode()).hexdigest()[:14]
    return int(f"{int(digest, 16)}{len(group):02d}")
