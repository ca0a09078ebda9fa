"""Identifiers of Rubin's exposures: OBSID, exposure id, day and sequence number, detector-exposure id."""

from __future__ import annotations

import datetime
import re
from typing import NamedTuple

from harness.errors import HarnessError

__all__ = [
    "CONTROLLERS",
    "MAX_EXPOSURE_ID",
    "SIMULATED",
    "ObservationId",
    "day_number",
    "detector_exposure_id",
    "exposure_id",
    "observation_id",
    "parse_observation_id",
    "unpack_exposure_id",
]

CONTROLLERS = "OCHPQS"
"""Who took the image; the place in this list is part of the exposure id. O is the observatory's control system (OCS),
C the camera's (CCS), H phosim, P a simulated OCS, Q a simulated CCS, S simulated images."""
SIMULATED = frozenset("HPQS")
"""Controllers whose images are simulated."""
UNIFIED = {"C": 20231004, "P": 20250417, "Q": 20250417, "S": 20250417}
"""Last day on which a controller counted its exposures by itself; later it shares the count of O."""
MAX_EXPOSURE_ID = 7050123199999
"""Largest exposure id: 2050-12-31, sequence number 99999, the last controller."""

_SEQUENCE = 100_000
"""Exclusive limit of sequence numbers."""
_PER_CONTROLLER = 10_000_000
"""A thousand years, as YYYYMMDD."""
_DETECTORS = 256
_PACKED_SEQUENCE = 32768
_PACKED_DAYS = 16384
_PACKED_ORIGIN = datetime.date(2010, 1, 1)
_OBSID = re.compile(r"([A-Z]{2}|FS\d+)_([A-Z])_(\d{8})_(\d{6})")


class ObservationId(NamedTuple):
    """Parts of an OBSID."""

    camera: str
    """AT (LATISS), CC (LSSTComCam), MC (LSSTCam; MT in playback), FS and a number (fiber spectrographs)."""
    controller: str
    day_obs: int
    seq_num: int


def day_number(day_obs: int | str) -> int:
    """Return a day as an integer YYYYMMDD.

    Parameters
    ----------
    day_obs : `int` or `str`
        ``20240624``, ``"20240624"``, ``"2024-06-24"`` or an ISO date with a time.

    Raises
    ------
    HarnessError
        If it is no day of the calendar.
    """
    text = str(day_obs).strip().partition("T")[0].replace("-", "")
    if len(text) == 8 and text.isdecimal():
        try:
            datetime.date(int(text[:4]), int(text[4:6]), int(text[6:]))
        except ValueError:
            pass
        else:
            return int(text)
    raise HarnessError(f"DAYOBS is {day_obs!r}", remedy="a day YYYYMMDD is expected", code="day-obs")


def _index(controller: str | None, day: int) -> int:
    """Return what the controller adds to the exposure id, in thousands of years."""
    if not controller:
        return 0
    index = CONTROLLERS.find(controller)
    if index < 0 or len(controller) != 1:
        raise HarnessError(
            f"CONTRLLR is {controller!r}",
            remedy=f"one of {', '.join(CONTROLLERS)} is expected",
            code="controller",
        )
    return 0 if day > UNIFIED.get(controller, day) else index


def exposure_id(day_obs: int | str, seq_num: int, controller: str | None = None) -> int:
    """Make an exposure id.

    Parameters
    ----------
    day_obs : `int` or `str`
        Observing day; see `day_number`.
    seq_num : `int`
        Sequence number within the day, below 100000.
    controller : `str`, optional
        One of `CONTROLLERS`; `None` where a header names none, which counts as O.

    Returns
    -------
    exposure : `int`
        ``YYYYMMDDnnnnn``, a thousand years later for each place of the controller.

    Raises
    ------
    HarnessError
        If day, sequence number or controller are not possible.

    Notes
    -----
    From the days after `UNIFIED` on, exposures of different controllers with the same day and sequence number have
    the same id. They share one count, so that no two such exposures ought to exist.
    """
    day = day_number(day_obs)
    if not 0 <= seq_num < _SEQUENCE:
        raise HarnessError(f"SEQNUM is {seq_num}", remedy="0 to 99999 are expected", code="seq-num")
    return (day + _PER_CONTROLLER * _index(controller, day)) * _SEQUENCE + seq_num


def unpack_exposure_id(exposure: int) -> tuple[int, int, str]:
    """Return observing day (YYYYMMDD), sequence number and controller of an exposure id.

    The controller is O for those that share its count as well.

    Raises
    ------
    HarnessError
        If no exposure has this id.
    """
    day, sequence = divmod(exposure, _SEQUENCE)
    index = day // _PER_CONTROLLER - 2  # years of observing begin with 2
    if not 0 <= index < len(CONTROLLERS):
        raise HarnessError(
            f"{exposure} is no exposure id",
            remedy=f"YYYYMMDDnnnnn, up to {MAX_EXPOSURE_ID}, is expected",
            code="exposure-id",
        )
    return day_number(day - index * _PER_CONTROLLER), sequence, CONTROLLERS[index]


def observation_id(camera: str, controller: str, day_obs: int | str, seq_num: int) -> str:
    """Make an OBSID, such as ``AT_O_20240624_000106``.

    Raises
    ------
    HarnessError
        If day, sequence number or controller are not possible.
    """
    exposure_id(day_obs, seq_num, controller)
    return f"{camera}_{controller}_{day_number(day_obs)}_{seq_num:06d}"


def parse_observation_id(text: str) -> ObservationId:
    """Take an OBSID apart; any letter is taken for a controller, since doctored files have others.

    Raises
    ------
    HarnessError
        If it has another form.
    """
    match = _OBSID.fullmatch(text.strip())
    if match is None:
        raise HarnessError(
            f"OBSID is {text!r}", remedy="the form AT_O_20240624_000106 is expected", code="observation-id"
        )
    return ObservationId(match[1], match[2], day_number(match[3]), int(match[4]))


def detector_exposure_id(exposure: int, detector: int) -> int:
    """Pack an exposure id and a detector into one number.

    Parameters
    ----------
    exposure : `int`
        Exposure id, of a day from 2010-01-01 on.
    detector : `int`
        Detector id, below 256.

    Raises
    ------
    HarnessError
        If there is no room: detectors from 256 on, sequence numbers from 32768 on, days before 2010 or after
        2054-11-09.
    """
    day, sequence, controller = unpack_exposure_id(exposure)
    date = datetime.date(day // 10000, day // 100 % 100, day % 100)
    days = (date - _PACKED_ORIGIN).days
    limits = (
        ("detector", detector, _DETECTORS),
        ("sequence number", sequence, _PACKED_SEQUENCE),
        ("days since 2010-01-01", days, _PACKED_DAYS),
    )
    for name, value, limit in limits:
        if not 0 <= value < limit:
            raise HarnessError(
                f"no detector-exposure id for exposure {exposure}, detector {detector}: {name} is {value}",
                remedy=f"0 to {limit - 1} fit",
                code="detector-exposure-id",
            )
    packed = days + _PACKED_DAYS * CONTROLLERS.index(controller)
    return detector + _DETECTORS * (sequence + _PACKED_SEQUENCE * packed)
