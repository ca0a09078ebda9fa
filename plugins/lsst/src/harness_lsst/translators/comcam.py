"""LSSTComCam, and its simulated twin."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import astropy.units as u
from astro_metadata_translator import cache_translation
from astropy.coordinates import AltAz

from .days import tai_mjd
from .lsstcam import on_simonyi
from .pointing import defined
from .rubin import RubinTranslator
from .tables import detector

__all__ = ["LsstComCamSimTranslator", "LsstComCamTranslator"]

_TO_CHILE = tai_mjd("2020-03-13T00:00:00")
"""When the camera left Tucson; until then a filter called ``r``, or nothing, was r_03, after that an empty place."""


class LsstComCamTranslator(RubinTranslator):
    """The commissioning camera: one raft of nine CCDs."""

    name = "LSSTComCam"
    supported_instrument = "LSSTComCam"
    _const_map: ClassVar[dict[str, Any]] = {"instrument": "LSSTComCam", "telescope": "Simonyi Survey Telescope"}

    camera = "LSSTComCam"
    shipped = 202003
    on_telescope = tai_mjd("2024-08-24T00:00:00")
    type_tells_sky = False

    @classmethod
    def claims(cls, header: Mapping[str, Any]) -> bool:
        """Return whether INSTRUME is ComCam, or LSST_CAMERA with TELCODE CC, on the Simonyi telescope (`bool`)."""
        instrument = cls._said(header, "INSTRUME").lower()
        laboratory = instrument == "lsst_camera" and cls._said(header, "TELCODE") == "CC"
        return (instrument == "comcam" or laboratory) and on_simonyi(header)

    @classmethod
    def faults(cls, header: Mapping[str, Any]) -> dict[str, Any]:
        """Return the faults of name, filter and rotation: LSST_CAMERA, no filter or a band, and no rotation."""
        changes: dict[str, Any] = {}
        if cls._said(header, "INSTRUME").lower() == "lsst_camera":
            changes["INSTRUME"] = "ComCam"
        physical_filter = defined(header, "FILTER")
        if physical_filter is None:
            changes["FILTER"] = "unknown"
        elif physical_filter in ("r", ""):
            changes["FILTER"] = "empty" if cls(header).to_datetime_begin().mjd > _TO_CHILE else "r_03"
        if defined(header, "ROTPA") is None:
            changes["ROTPA"] = 0.0
        return changes

    @cache_translation
    def to_detector_serial(self) -> str:
        """Return LSST_NUM; without it, the serial of the place, since no CCD was ever exchanged (`str`)."""
        # Not among the faults: an exposure's other properties would depend on what differs from detector to detector.
        serial = self._text("LSST_NUM")
        return detector(self.camera, self.to_detector_unique_name()).serial if serial is None else serial

    def to_can_see_sky(self) -> bool | None:
        """Return whether light of the sky could fall on the detector; never in the laboratory."""
        return super().to_can_see_sky() if self.is_on_mountain() else False


class LsstComCamSimTranslator(RubinTranslator):
    """Simulated LSSTComCam: images of rehearsals, always as if on the telescope."""

    name = "LSSTComCamSim"
    supported_instrument = "LSSTComCamSim"
    _const_map: ClassVar[dict[str, Any]] = {"instrument": "LSSTComCamSim", "telescope": "Simonyi Survey Telescope"}

    camera = "LSSTComCam"

    @classmethod
    def claims(cls, header: Mapping[str, Any]) -> bool:
        """Return whether INSTRUME is ComCamSim, in any case of letters, on the Simonyi telescope (`bool`)."""
        return cls._said(header, "INSTRUME").lower() == "comcamsim" and on_simonyi(header)

    @cache_translation
    def to_altaz_begin(self) -> AltAz | None:
        """Return altitude and azimuth: from the header, else the altitude of its airmass, else those of RA and Dec.

        Simulated pointings don't fit the time of the image, so that RA and Dec, where there is an airmass, would
        give another altitude. Of an airmass alone no azimuth is known: it is 0.
        """
        if defined(self._header, "ELSTART") is not None and defined(self._header, "AZSTART") is not None:
            return super().to_altaz_begin()
        place = {"obstime": self.to_datetime_begin(), "location": self.to_location()}
        airmass = self._number("AMSTART")
        if airmass is not None and airmass >= 1.0:
            return AltAz(0.0 * u.deg, math.degrees(math.asin(1.0 / airmass)) * u.deg, **place)
        radec = self.to_tracking_radec()
        return None if radec is None else radec.transform_to(AltAz(**place)).frame
