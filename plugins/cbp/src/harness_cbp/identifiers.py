"""OBSID, the name that an exposure of the projector has, and the exposure id made of it."""

from __future__ import annotations

import datetime
import re

from harness.errors import HarnessError

__all__ = ["SEQUENCE", "exposure_id", "observation_id", "split_exposure_id", "split_observation_id"]

SEQUENCE = 100_000
"""Exclusive limit of sequence numbers: five digits of the exposure id, as for Rubin's cameras."""
_OBSID = re.compile(r"CB_O_(\d{8})_(\d{6})")


def exposure_id(day: int, sequence: int) -> int:
    """Return day·100000 + sequence number.

    Parameters
    ----------
    day : `int`
        Observing day, YYYYMMDD; it turns over at 12:00 TAI.
    sequence : `int`
        Number of the exposure in the day, from 1.

    Raises
    ------
    HarnessError
        If the day is no date, or the number is out of range.
    """
    try:
        datetime.datetime.strptime(f"{day:08d}+0000", "%Y%m%d%z")
    except ValueError:
        raise HarnessError(f"day {day} is no date", remedy="write YYYYMMDD", code="exposure-id") from None
    if not 0 < sequence < SEQUENCE:
        raise HarnessError(
            f"sequence number {sequence} is out of range", remedy=f"1 to {SEQUENCE - 1}", code="exposure-id"
        )
    return day * SEQUENCE + sequence


def split_exposure_id(exposure: int) -> tuple[int, int]:
    """Return day and sequence number of an exposure id; the inverse of `exposure_id`."""
    return divmod(exposure, SEQUENCE)


def observation_id(day: int, sequence: int) -> str:
    """Return the name of an exposure, ``CB_O_20250301_000012`` (`str`)."""
    return f"CB_O_{day:08d}_{sequence:06d}"


def split_observation_id(name: str) -> tuple[int, int]:
    """Return day and sequence number that a name stands for; the inverse of `observation_id`.

    Raises
    ------
    HarnessError
        If it is no name of an exposure of the projector.
    """
    match = _OBSID.fullmatch(name.strip())
    if match is None:
        raise HarnessError(
            f"OBSID {name!r} is not one of the projector", remedy="CB_O_20250301_000012 is", code="obsid"
        )
    return int(match[1]), int(match[2])
