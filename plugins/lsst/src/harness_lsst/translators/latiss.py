"""LATISS, the spectrograph and imager of the auxiliary telescope."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from typing import Any, ClassVar

import astropy.units as u
from astro_metadata_translator import cache_translation
from astropy.coordinates import EarthLocation

from .days import tai_mjd
from .latiss_faults import dated_faults, early_faults
from .pointing import defined
from .rubin import FILTER_DELIMITER, RubinTranslator, is_empty

__all__ = ["LatissTranslator"]

_GROUP, _NAME = "RXX", "S00"


class LatissTranslator(RubinTranslator):
    """One detector, a filter wheel and a grating wheel."""

    name = "LSST_LATISS"
    supported_instrument = "LATISS"
    _const_map: ClassVar[dict[str, Any]] = {"instrument": "LATISS", "telescope": "Rubin Auxiliary Telescope"}

    camera = "LATISS"
    on_telescope = tai_mjd("2020-01-01T00:00:00")
    site = EarthLocation.from_geodetic(-70.747698, -30.244728, 2663.0)
    rotation_default = None

    @classmethod
    def claims(cls, header: Mapping[str, Any]) -> bool:
        """Return whether INSTRUME is LATISS or LSST_ATISS, or there is none and DETNAME is RXX_S00 (`bool`)."""
        if defined(header, "INSTRUME") is None:
            return cls._said(header, "DETNAME") == f"{_GROUP}_{_NAME}"  # combined calibrations lost the other keys
        return cls._said(header, "INSTRUME") in ("LATISS", "LSST_ATISS")

    @classmethod
    def faults(cls, header: Mapping[str, Any]) -> dict[str, Any]:
        """Return the faults of `~.latiss_faults`."""
        changes = early_faults(header, cls(header).to_observation_id())
        current = ChainMap(changes, header)  # type: ignore[arg-type]
        try:
            date = cls(current).to_datetime_begin()
        except KeyError:
            return changes  # a combined calibration
        return changes | dated_faults(current, date)

    @cache_translation
    def to_observation_id(self) -> str:
        """Return OBSID, or IMGNAME, as it was called in the first weeks."""
        name = self._text("OBSID")
        return self._required("IMGNAME") if name is None else name

    @cache_translation
    def to_detector_group(self) -> str:
        """Return RXX: there is no raft."""
        return _GROUP

    @cache_translation
    def to_detector_name(self) -> str:
        """Return S00."""
        return _NAME

    @cache_translation
    def to_detector_serial(self) -> str:
        """Return LSST_NUM, or DETSER."""
        serial = self._text("LSST_NUM")
        return self._required("DETSER") if serial is None else serial

    @cache_translation
    def to_exposure_time_requested(self) -> u.Quantity:
        """Return EXPTIME (s); -1 if it is missing."""
        seconds = self._number("EXPTIME")
        return (-1.0 if seconds is None else seconds) * u.s

    @cache_translation
    def to_exposure_time(self) -> u.Quantity:
        """Return EXPTIME (s): the shutter's own time is never right."""
        return self.to_exposure_time_requested()

    @cache_translation
    def to_dark_time(self) -> u.Quantity:
        """Return DARKTIME, but never less than the exposure time (s)."""
        seconds = self._number("DARKTIME")
        exposure_time = self.to_exposure_time()
        return exposure_time if seconds is None else max(exposure_time, seconds * u.s)

    @cache_translation
    def to_observation_type(self) -> str:
        """Return OBSTYPE or IMGTYPE in lower case; without them, ``bias`` if nothing was exposed, else ``unknown``.

        OBJECT is ``science``, and ``labobject`` in the laboratory, where there is no sky.
        """
        for key in ("OBSTYPE", "IMGTYPE"):
            if (kind := self._text(key)) is not None:
                kind = kind.lower()
                if kind == "object" and not self.is_on_mountain():
                    return "labobject"
                return "science" if kind in ("object", "skyexp") else kind
        return "bias" if self.to_exposure_time().value == 0.0 else "unknown"

    @cache_translation
    def to_object(self) -> str:
        """Return OBJECT; ``UNKNOWN`` without it, unless it is of the sky.

        Raises
        ------
        KeyError
            If a science observation on the mountain has no target.
        """
        target = self._text("OBJECT")
        if target is None and self.to_observation_type() == "science" and self.is_on_mountain():
            raise KeyError("OBJECT is missing from an observation of the sky")
        return "UNKNOWN" if target is None else target

    @cache_translation
    def to_physical_filter(self) -> str:
        """Return filter and grating, joined by ``~``; an empty place is ``empty``, a missing key ``unknown``."""
        filter_name, grating = self._text("FILTER"), self._text("GRATING")
        if filter_name is None:
            filter_name = "unknown"
        elif is_empty(filter_name):
            filter_name = "empty"
        if grating is None:
            grating = "unknown"
        elif not grating or grating.lower().startswith("empty"):
            grating = "empty"
        return f"{filter_name}{FILTER_DELIMITER}{grating}"
