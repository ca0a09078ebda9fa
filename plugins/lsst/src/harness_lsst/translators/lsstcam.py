"""LSSTCam, and the headers of its simulated twin."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from .days import tai_mjd
from .identifiers import day_number
from .pointing import SIMONYI_SITE, defined, separation
from .rubin import RubinTranslator
from .tables import night_faults

__all__ = ["LsstCamSimTranslator", "LsstCamTranslator", "on_simonyi"]

_PINHOLE_NIGHTS = (20231107, 20231108, 20241015, 20241016)
"""Days on which FILTER said ph_05 of the filter ph_5."""
_FIRST_ROTPA = 20250301
_ROTPA_RIGHT = 20250422
"""Between these days ROTPA was that of LSSTComCam, 90° more; on the last day, up to `_ROTPA_TURNED`, 180° off."""
_ROTPA_TURNED = 250
_SURE = 30.0
"""Degrees of the rotator's angle up to which a ROTPA of the first nights is taken to be right as it is."""
_ROTATOR_LIMIT = 90.0
"""Degrees that the rotator can turn, either way."""


def on_simonyi(header: Mapping[str, Any]) -> bool:
    """Return whether a header names the Simonyi telescope, or LSST as it was called before (`bool`)."""
    return defined(header, "TELESCOP") in ("Simonyi Survey Telescope", "LSST")


class LsstCamTranslator(RubinTranslator):
    """The camera of the survey."""

    name = "LSSTCam"
    supported_instrument = "LSSTCam"
    _const_map: ClassVar[dict[str, Any]] = {"instrument": "LSSTCam", "telescope": "Simonyi Survey Telescope"}

    camera = "LSSTCam"
    shipped: ClassVar[int | None] = 202405
    on_telescope: ClassVar[float | None] = tai_mjd("2025-03-01T00:00:00")
    type_tells_sky = False

    @classmethod
    def claims(cls, header: Mapping[str, Any]) -> bool:
        """Return whether INSTRUME is lsstCam, in any case of letters (`bool`)."""
        return cls._said(header, "INSTRUME").lower() == "lsstcam"

    @classmethod
    def faults(cls, header: Mapping[str, Any]) -> dict[str, Any]:
        """Return a filter of the second wheel without one of the first, ph_05, wrong rotations, and wrong nights."""
        changes: dict[str, Any] = {}
        if "FILTER" not in header and defined(header, "FILTER2") is not None:
            changes["FILTER2"] = None
        if defined(header, "DAYOBS") is None or defined(header, "SEQNUM") is None:
            return changes
        day, sequence = day_number(header["DAYOBS"]), int(header["SEQNUM"])
        if day in _PINHOLE_NIGHTS and cls._said(header, "FILTER") == "ph_05":
            changes["FILTER"] = "ph_5"
        angle = cls._true_rotation(header, day, sequence)
        if angle is not None:
            changes["ROTPA"] = angle
        for fault in night_faults(cls.camera):
            if fault.day_obs == day and fault.first <= sequence <= fault.last:
                changes |= {k: v for k, v in fault.values.items() if k in header and defined(header, k) != v}
        return changes

    @classmethod
    def _true_rotation(cls, header: Mapping[str, Any], day: int, sequence: int) -> float | None:
        """Return the ROTPA that a header ought to have; `None` if it has it."""
        angle = defined(header, "ROTPA")
        if not angle or not _FIRST_ROTPA < day <= _ROTPA_RIGHT:  # 0 stands for none
            return None
        rotator = _rotator_angle(header, angle)
        if day < _ROTPA_RIGHT:
            # 90° is within the rotator's reach in both directions. A small angle of the rotator is the usual one,
            # and says that ROTPA has been put right before.
            return None if rotator is not None and rotator <= _SURE else float(angle - 90.0)
        if sequence > _ROTPA_TURNED or (rotator is not None and rotator <= _ROTATOR_LIMIT):
            return None
        return float(angle % 360.0 - 180.0)

    def is_on_mountain(self) -> bool:
        """Return whether the camera was on its telescope, or simulated by phosim (`bool`)."""
        return self._controller() == "H" or super().is_on_mountain()

    def to_can_see_sky(self) -> bool | None:
        """Return whether light of the sky could fall on the detector; never in the laboratory."""
        return super().to_can_see_sky() if self.is_on_mountain() else False


def _rotator_angle(header: Mapping[str, Any], rotation: float) -> float | None:
    """Return how far the rotator was from its zero (degrees), if ROTPA was right.

    The angle is ROTPA + 90° - parallactic angle. In the real headers at hand it is within 45° of zero.
    """
    azimuth, altitude = defined(header, "AZSTART"), defined(header, "ELSTART")
    if azimuth is None or altitude is None:
        return None
    az, alt = math.radians(azimuth), math.radians(altitude)
    lat = SIMONYI_SITE.lat.radian
    # in the triangle of zenith, pole and target, the angle at the target
    cosine = math.sin(lat) * math.cos(alt) - math.cos(lat) * math.sin(alt) * math.cos(az)
    parallactic = math.atan2(-math.sin(az) * math.cos(lat), cosine)
    return separation(rotation + 90.0, math.degrees(parallactic))


class LsstCamSimTranslator(LsstCamTranslator):
    """Simulated LSSTCam; always as if on the telescope."""

    name = "LSSTCamSim"
    supported_instrument = "LSSTCamSim"
    _const_map: ClassVar[dict[str, Any]] = {"instrument": "LSSTCamSim", "has_simulated_content": True}

    shipped = None
    on_telescope = None
    type_tells_sky = True

    @classmethod
    def claims(cls, header: Mapping[str, Any]) -> bool:
        """Return whether INSTRUME is LSSTCamSim, in any case of letters, on the Simonyi telescope (`bool`)."""
        return cls._said(header, "INSTRUME").lower() == "lsstcamsim" and on_simonyi(header)

    @classmethod
    def faults(cls, header: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG003
        """Return nothing: no faults are known."""
        return {}
