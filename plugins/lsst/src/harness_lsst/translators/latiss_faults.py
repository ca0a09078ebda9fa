"""Known faults of LATISS's headers, each with the dates between which it holds.

A header that was put right before, by other software, must come out the same. Where a right value could be taken for
a wrong one, other keys decide; see `_rotation` and `_start_coordinates`.
"""

from __future__ import annotations

import math
import re
from collections import ChainMap
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .days import tai_mjd
from .pointing import defined, separation

if TYPE_CHECKING:
    from astropy.time import Time

__all__ = ["dated_faults", "early_faults"]

Header = Mapping[str, Any]
Changes = dict[str, Any]


_NEW_DETECTOR = tai_mjd("2019-06-24T00:00:00")
_IMGTYPE_BEGINS = tai_mjd("2019-11-07T00:00:00")
_OBJECT_BEGINS = tai_mjd("2020-01-27T20:00:00")
_RADIANS_END = tai_mjd("2020-01-28T22:00:00")
_DATE_END_BEGINS = tai_mjd("2020-02-01T00:00:00")
_RASTART_BEGINS = tai_mjd("2020-05-01T00:00:00")
_RASTART_HOURS_END = tai_mjd("2021-02-11T18:45:00")
_RASTART_UTC_END = tai_mjd("2021-02-12T00:00:00")
_ROTPA_TURNS = tai_mjd("2020-11-19T00:00:00")
_ROTPA_TURNS_BACK = tai_mjd("2021-10-29T00:00:00")
_SPEC_ENDS = tai_mjd("2022-07-10T00:00:00")

_DAY_AND_SEQUENCE = re.compile(r"_(\d{8})_(\d+)$")
_SERIAL_SINCE = "ITL-3800C-068"
_LEAP_SECONDS = 37.0
"""TAI - UTC (s) in the months when the sidereal time was computed with the wrong one."""
_CLOCK_OFFSET = _LEAP_SECONDS / 3600.0 * 15.0
"""Degrees of right ascension in this time, without the difference of sidereal seconds, as upstream has it."""
_NEAR = 2.0
"""Degrees from RA within which RASTART is believed to be in degrees."""


def early_faults(header: Header, obsid: str) -> Changes:
    """Return what has to be known before the date of a header can be told.

    Parameters
    ----------
    header : `~collections.abc.Mapping`
        The header.
    obsid : `str`
        Name of the observation.
    """
    changes: Changes = {}
    if defined(header, "OBSID") is None:
        changes["OBSID"] = obsid
    name = _DAY_AND_SEQUENCE.search(obsid)  # the names of the first weeks differ, and may have neither
    if defined(header, "DAYOBS") is None:
        day = name[1] if name else defined(header, "OBS-NITE")
        if day is not None:
            changes["DAYOBS"] = day
    if defined(header, "SEQNUM") is None and name:
        changes["SEQNUM"] = int(name[2])
    date = defined(header, "DATE")
    if date is not None and str(defined(header, "DATE-OBS") or "").startswith("1970"):
        # The clock was not set; DATE, when the file was begun, is all there is. The end follows from EXPTIME.
        changes |= dict.fromkeys(("DATE-OBS", "DATE-BEG"), date)
        changes |= dict.fromkeys(("MJD-OBS", "MJD-BEG"), defined(header, "MJD"))
        changes |= {"DATE-END": None, "MJD-END": None}
    return changes


def dated_faults(header: Header, date: Time) -> Changes:
    """Return the keys that were wrong on a date, with their right values.

    Parameters
    ----------
    header : `~collections.abc.Mapping`
        The header, as the file has it but for `early_faults`.
    date : `astropy.time.Time`
        Begin of the exposure.
    """
    changes: Changes = {}
    mjd = float(date.tai.mjd)  # times of astropy take a hundred times as long to compare
    for rule in _RULES:
        changes |= rule(ChainMap(changes, header), mjd)  # type: ignore[arg-type]
    return changes


def _serial(_header: Header, date: float) -> Changes:
    """The CCD was exchanged; headers went on naming the old one, or none."""
    return {"LSST_NUM": _SERIAL_SINCE} if date > _NEW_DETECTOR else {}


def _end(header: Header, date: float) -> Changes:
    """DATE-END was in TAI or in UTC, and sometimes before the begin."""
    if date < _DATE_END_BEGINS and defined(header, "DATE-END") is not None:
        return {"DATE-END": None, "MJD-END": None}
    return {}


def _type_in_group(header: Header, date: float) -> Changes:
    """GROUPID held the type of the image: alone, with a number behind, or as in ``bias_0027_0100``."""
    group = defined(header, "GROUPID")
    if date >= _IMGTYPE_BEGINS or not group or group.startswith("test"):
        return {}
    kind = defined(header, "IMGTYPE")
    if kind:
        return {"GROUPID": None} if kind == group else {}
    if "_" in group:
        return {"IMGTYPE": group.partition("_")[0]}
    if group.upper() != "FOCUS" and group.upper().startswith("FOCUS"):
        return {"IMGTYPE": "FOCUS"}
    return {"IMGTYPE": group, "GROUPID": None}


def _engineering(header: Header, date: float) -> Changes:
    """OBJECT was used for engineering."""
    return {"IMGTYPE": "ENGTEST"} if date < _OBJECT_BEGINS and defined(header, "IMGTYPE") == "OBJECT" else {}


def _radians(header: Header, date: float) -> Changes:
    """RA and DEC were in radians; values that can't be radians have been put right."""
    values = {key: value for key in ("RA", "DEC") if (value := defined(header, key)) is not None}
    limits = {"RA": 2 * math.pi, "DEC": math.pi / 2}
    if date >= _RADIANS_END or any(abs(value) > limits[key] for key, value in values.items()):
        return {}
    return {key: math.degrees(value) for key, value in values.items()}


def _start_coordinates(header: Header, date: float) -> Changes:
    """RASTART and the like: for another place on Earth at first, then right ascensions in hours, and 37 s off."""
    if date < _RASTART_BEGINS:
        keys = ("RASTART", "DECSTART", "RAEND", "DECEND")
        return {key: None for key in keys if defined(header, key) is not None}
    if date >= _RASTART_UTC_END:
        return {}
    demanded = defined(header, "RA")
    changes = {}
    for key in ("RASTART", "RAEND"):
        value = defined(header, key)
        if not value:
            continue
        if date < _RASTART_HOURS_END:
            if _is_degrees(value, demanded):
                continue
            value *= 15.0
        elif demanded is not None and separation(value, demanded) < separation(value + _CLOCK_OFFSET, demanded):
            continue
        changes[key] = value + _CLOCK_OFFSET
    return changes


def _is_degrees(value: float, demanded: float | None) -> bool:
    """Return whether a right ascension of the months of hours is in degrees: beyond 24, or near RA only as degrees."""
    if not 0.0 <= value <= 24.0:
        return True
    if demanded is None:
        return False
    distance = separation(value, demanded)
    return distance < _NEAR and distance < separation(15.0 * value, demanded)


def _rotation(header: Header, date: float) -> Changes:
    """ROTPA was turned by 180°.

    The headers of those months have a SHUTTIME, or say SIDEREAL. One that has neither was put right if it says RADEC,
    or if ROTPA is negative.
    """
    angle = defined(header, "ROTPA")
    if angle is None or not _ROTPA_TURNS < date < _ROTPA_TURNS_BACK:
        return {}
    tracking = defined(header, "TRACKSYS")
    as_written = tracking == "SIDEREAL" or defined(header, "SHUTTIME")
    return {} if not as_written and (tracking == "RADEC" or angle < 0) else {"ROTPA": angle - 180.0}


def _shutter(header: Header, _date: float) -> Changes:
    """SHUTTIME was never right, but for a shutter that stayed closed."""
    return {"SHUTTIME": None} if defined(header, "SHUTTIME") else {}


def _target(header: Header, date: float) -> Changes:
    """OBJECT was missing, or told that a spectrum was taken."""
    if "OBJECT" not in header:
        return {"OBJECT": "NOTSET"} if defined(header, "IMGTYPE") == "OBJECT" else {}
    target = defined(header, "OBJECT")
    if date < _SPEC_ENDS and isinstance(target, str) and target.startswith("spec:"):
        return {"OBJECT": target.removeprefix("spec:")}
    return {}


def _tracking(header: Header, _date: float) -> Changes:
    """The telescope's control system says SIDEREAL, and nothing for ICRS."""
    changes: Changes = {}
    if defined(header, "TRACKSYS") == "SIDEREAL":
        changes["TRACKSYS"] = "RADEC"
    if defined(header, "RADESYS") == "":
        changes["RADESYS"] = "ICRS"
    return changes


def _hemisphere(header: Header, _date: float) -> Changes:
    """OBSGEO-Z of a telescope in Chile is negative."""
    height = defined(header, "OBSGEO-Z")
    return {"OBSGEO-Z": -height} if height is not None and height > 0 else {}


def _diffuser(header: Header, _date: float) -> Changes:
    """The diffuser was entered as a disperser; no filter of this name exists."""
    return {"FILTER": "diffuser"} if defined(header, "FILTER") == "disperser" else {}


_RULES: tuple[Callable[[Header, float], Changes], ...] = (
    _serial,
    _end,
    _type_in_group,
    _engineering,
    _radians,
    _start_coordinates,
    _rotation,  # before the keys that it looks at are put right
    _shutter,
    _target,
    _tracking,
    _hemisphere,
    _diffuser,
)
