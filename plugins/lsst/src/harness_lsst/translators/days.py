"""When an observing day begins: at noon (TAI) in Chile, at Pacific midnight in the laboratory."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from astropy.time import Time, TimeDelta

__all__ = ["SUMMIT_OFFSET", "observing_offset", "pacific_offset", "tai_mjd"]

SUMMIT_OFFSET = 12 * 3600
"""Seconds after 0:00 TAI at which the observing day begins in Chile."""
_STANDARD = 8 * 3600
_DAYLIGHT = 7 * 3600


def _sunday(year: int, month: int, number: int) -> datetime.date:
    """Return the first, second … Sunday of a month."""
    first = datetime.date(year, month, 1)
    return first + datetime.timedelta(days=(6 - first.weekday()) % 7 + 7 * (number - 1))


def pacific_offset(utc: datetime.datetime) -> int:
    """Return by how many seconds US Pacific time is behind UTC.

    Parameters
    ----------
    utc : `datetime.datetime`
        The moment, in UTC, without a time zone; from 2007 on, when the present rule came into force: daylight time
        from the second Sunday of March to the first of November, 2:00 local time.

    Notes
    -----
    Computed, since not every machine has a database of time zones.
    """
    two = datetime.time(2)
    begin = datetime.datetime.combine(_sunday(utc.year, 3, 2), two) + datetime.timedelta(seconds=_STANDARD)
    end = datetime.datetime.combine(_sunday(utc.year, 11, 1), two) + datetime.timedelta(seconds=_DAYLIGHT)
    return _DAYLIGHT if begin <= utc < end else _STANDARD


def observing_offset(date: Time, shipped: int | None) -> TimeDelta:
    """Return what to subtract from a time to get its observing day.

    Parameters
    ----------
    date : `astropy.time.Time`
        Time of the observation.
    shipped : `int` or `None`
        Month (YYYYMM) from which the camera keeps the observatory's days; before it, those of its laboratory in
        California. `None` if it always kept the observatory's.

    Returns
    -------
    offset : `astropy.time.TimeDelta`
        25200, 28800 or 43200 s.
    """
    from astropy.time import TimeDelta

    tai = date.tai
    if shipped is None or tai.ymdhms["year"] * 100 + tai.ymdhms["month"] >= shipped:
        seconds = SUMMIT_OFFSET
    else:
        seconds = pacific_offset(date.utc.to_datetime())
    return TimeDelta(float(seconds), format="sec", scale="tai")


def tai_mjd(utc: str) -> float:
    """Return a moment, given in UTC as ``2020-01-01T00:00:00``, as modified Julian date in TAI (d)."""
    from astropy.time import Time

    return float(Time(utc, format="isot", scale="utc").tai.mjd)
