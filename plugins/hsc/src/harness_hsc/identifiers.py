"""EXP-ID and FRAMEID, the names that the observatory gives, and the exposure ids made from them."""

from __future__ import annotations

import re

from harness.errors import HarnessError

__all__ = ["NEW_SCHEME_MJD", "exposure_id", "frame_id", "observation_id"]

NEW_SCHEME_MJD = 57553
"""2016-06-14 (UTC), from when EXP-ID holds the exposure id as it is."""

_OLD = re.compile(r"HSC([A-Z])(\d{6})00")
_NEW = re.compile(r"HSCE(\d{8})")
_PER_LETTER = 1_000_000


def observation_id(exposure: int, mjd: float) -> str:
    """Give the EXP-ID of an exposure.

    Parameters
    ----------
    exposure : `int`
        Exposure id.
    mjd : `float`
        Start of the exposure (UTC, days).

    Returns
    -------
    name : `str`
        ``HSCA90402400`` for exposure 904024 before 2016-06-14, ``HSCE00904024`` after.

    Raises
    ------
    HarnessError
        If the exposure id has no name: too large, or, before 2016-06-14, one of the million that would begin with
        ``HSCE`` and be read by the new rule.
    """
    if exposure < 0:
        raise _unnamed(exposure, "ids are not negative")
    if mjd >= NEW_SCHEME_MJD:
        if exposure >= 10**8:
            raise _unnamed(exposure, "EXP-ID has eight digits")
        return f"HSCE{exposure:08d}"
    letter, number = divmod(exposure, _PER_LETTER)
    if letter >= 26:
        raise _unnamed(exposure, "EXP-ID has one letter and six digits before 2016-06-14")
    name = f"HSC{chr(ord('A') + letter)}{number:06d}00"
    if _NEW.fullmatch(name):
        raise _unnamed(exposure, "before 2016-06-14 its EXP-ID would be read as one of the scheme that came then")
    return name


def exposure_id(observation: str) -> int:
    """Give the exposure id that an EXP-ID stands for; the inverse of `observation_id`.

    Raises
    ------
    HarnessError
        If it is no EXP-ID of HSC.
    """
    text = observation.strip()
    if match := _NEW.fullmatch(text):
        return int(match[1])
    if match := _OLD.fullmatch(text):
        return (ord(match[1]) - ord("A")) * _PER_LETTER + int(match[2])
    raise HarnessError(
        f"EXP-ID {observation!r} is not one of HSC", remedy="HSCA90402400 or HSCE00904024 is", code="exposure-id"
    )


def frame_id(exposure: int, board: int, channel: int) -> str:
    """Give the FRAMEID of one detector's file, which is also the file's name.

    Parameters
    ----------
    exposure : `int`
        Exposure id; even, because board 1 takes the next number.
    board : `int`
        T_BEEID, 0 or 1: the first part of the detector's name.
    channel : `int`
        T_SDOID, 0 to 57: the second part of the detector's name.

    Returns
    -------
    name : `str`
        ``HSCA90402512`` for detector 1_12 of exposure 904024.

    Raises
    ------
    HarnessError
        If the exposure id is odd or too large.
    """
    if exposure % 2:
        raise HarnessError(
            f"HSC exposure {exposure} is odd",
            remedy="HSC counts exposures by two; the odd number belongs to the frames of board 1",
            code="exposure-id",
        )
    # One number for the frame, in the scheme of one letter and eight digits at any date.
    letter, digits = divmod(100 * exposure + 100 * board + channel, 100 * _PER_LETTER)
    if letter >= 26:
        raise _unnamed(exposure, "FRAMEID has one letter and eight digits")
    return f"HSC{chr(ord('A') + letter)}{digits:08d}"


def _unnamed(exposure: int, why: str) -> HarnessError:
    return HarnessError(f"HSC exposure {exposure} has no name", remedy=why, code="exposure-id")
