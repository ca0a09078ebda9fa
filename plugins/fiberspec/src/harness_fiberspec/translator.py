"""Headers of the calibration fiber spectrographs."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, ClassVar

import astropy.units as u
from astro_metadata_translator import cache_translation
from astro_metadata_translator.translators import FitsTranslator
from astropy.coordinates import EarthLocation
from astropy.time import Time, TimeDelta

from .devices import INSTRUME, exposure_id

__all__ = ["SIMULATED_KEY", "FiberSpecTranslator", "load_translators"]

SIMULATED_KEY = "SIMULATE"
"""Header key that is true in simulated files; the name that Rubin's cameras use for it."""

_SITE = (-70.749417, -30.244639, 2663.0)
"""Longitude, latitude (degrees) and height (m) where the headers don't say; instruments.md."""
_FIRST_DAY = datetime.date(2010, 1, 1).toordinal()
_SIMULATING = frozenset("HPQS")
"""Controllers (the second part of OBSID) that mean simulated data; instruments.md."""


class FiberSpecTranslator(FitsTranslator):
    """Translator of the headers of the calibration fiber spectrographs Blue, Red and Broad.

    They are one instrument, ``FiberSpec``, of one detector. All times are TAI. The exposure id is made of DAYOBS and
    SEQNUM and ignores the device. DAYOBS is the date on which the exposure began and may differ from the day in
    OBSID; both are taken as they are. CONTRLLR holds the prefix of OBSID and is not used.
    """

    name: ClassVar[str] = "FiberSpec"
    supported_instrument: ClassVar[str] = "FiberSpec"

    _const_map: ClassVar[dict[str, Any]] = {
        "detector_group": "None",
        "detector_name": "ccd0",
        "detector_num": 0,
        "physical_filter": "empty",
        "instrument": "FiberSpec",
        "object": None,
        "tracking_radec": None,
        "altaz_begin": None,
        "altaz_end": None,
        "boresight_airmass": None,
        "boresight_rotation_angle": None,
        "boresight_rotation_coord": "unknown",
        "relative_humidity": None,
        "temperature": None,
        "pressure": None,
        "focus_z": None,
        "can_see_sky": None,
    }
    _trivial_map: ClassVar[dict[str, Any]] = {
        "observation_id": "OBSID",
        "detector_serial": "SERIAL",
        "observation_counter": "SEQNUM",
    }

    @classmethod
    def can_translate(cls, header: Mapping[str, Any], filename: str | None = None) -> bool:  # noqa: ARG003
        """Say whether a header is one of a fiber spectrograph (`bool`)."""
        return str(header.get("INSTRUME") or "").startswith(INSTRUME)

    def _text(self, *keys: str, default: str) -> str:
        """Return the first of some keys that says something, in lower case."""
        for key in keys:
            if self.is_key_ok(key) and str(self._header[key]).strip():
                self._used_these_cards(key)
                return str(self._header[key]).strip()
        return default

    @cache_translation
    def to_telescope(self) -> str:
        """Return the telescope that it serves (`str`)."""
        return self._text("TELESCOP", default="Simonyi Survey Telescope")

    @cache_translation
    def to_location(self) -> EarthLocation:
        """Return where it stands (`astropy.coordinates.EarthLocation`)."""
        if all(self.is_key_ok(f"OBSGEO-{axis}") for axis in "XYZ"):
            return super().to_location()
        return EarthLocation.from_geodetic(*_SITE)

    @cache_translation
    def to_datetime_begin(self) -> Time:
        """Return the begin (`astropy.time.Time`, TAI)."""
        begin = self._time("BEG", "OBS")
        if begin is None:
            raise KeyError("DATE-BEG")
        return begin

    @cache_translation
    def to_datetime_end(self) -> Time:
        """Return the end (`astropy.time.Time`, TAI): begin and exposure time if it is not there, never before begin."""
        begin = self.to_datetime_begin()
        end = self._time("END")
        if end is None:
            end = begin + TimeDelta(self.to_exposure_time())
        return max(begin, end)

    def _time(self, *names: str) -> Time | None:
        for name in names:
            time = self._from_fits_date(f"DATE-{name}", mjd_key=f"MJD-{name}", scale="tai")
            if time is not None:
                return time
        return None

    @cache_translation
    def to_exposure_time(self) -> u.Quantity:
        """Return the exposure time (`astropy.units.Quantity`)."""
        return self.quantity_from_card("EXPTIME", u.s)

    @cache_translation
    def to_exposure_time_requested(self) -> u.Quantity:
        """Return the exposure time (`astropy.units.Quantity`)."""
        return self.to_exposure_time()

    @cache_translation
    def to_dark_time(self) -> u.Quantity:
        """Return the exposure time (`astropy.units.Quantity`): there is no shutter."""
        return self.to_exposure_time()

    @cache_translation
    def to_exposure_id(self) -> int:
        """Return the exposure id (`int`); see `~harness_fiberspec.devices.exposure_id`."""
        day, sequence = int(self._header["DAYOBS"]), int(self._header["SEQNUM"])
        self._used_these_cards("DAYOBS", "SEQNUM")
        return exposure_id(day, sequence)

    @cache_translation
    def to_visit_id(self) -> int:
        """Return the exposure id (`int`)."""
        return self.to_exposure_id()

    @cache_translation
    def to_exposure_group(self) -> str:
        """Return GROUPID or, as for most spectra, the exposure id (`str`)."""
        return self._text("GROUPID", default=str(self.to_exposure_id()))

    @cache_translation
    def to_detector_exposure_id(self) -> int:
        """Return detector + 256·(sequence number + 32768·(days since 2010-01-01)) (`int`)."""
        day, sequence = divmod(self.to_exposure_id(), 100_000)
        days = datetime.datetime.strptime(f"{day}+0000", "%Y%m%d%z").date().toordinal() - _FIRST_DAY
        return self.to_detector_num() + 256 * (sequence + 32768 * days)

    @cache_translation
    def to_detector_unique_name(self) -> str:
        """Return ``None_ccd0`` (`str`)."""
        return f"{self.to_detector_group()}_{self.to_detector_name()}"

    @cache_translation
    def to_observation_type(self) -> str:
        """Return IMGTYPE (`str`); a spectrum if it says nothing."""
        return self._text("IMGTYPE", default="spectrum").lower()

    @cache_translation
    def to_observation_reason(self) -> str:
        """Return REASON (`str`)."""
        return self._text("REASON", default="unknown").lower()

    @cache_translation
    def to_science_program(self) -> str:
        """Return PROGRAM (`str`)."""
        return self._text("PROGRAM", default="unknown")

    @cache_translation
    def to_observing_day(self) -> int:
        """Return DAYOBS (`int`)."""
        day = int(self._header["DAYOBS"])
        self._used_these_cards("DAYOBS")
        return day

    @cache_translation
    def to_observing_day_offset(self) -> TimeDelta:
        """Return 12 h, as of all Rubin instruments (`astropy.time.TimeDelta`)."""
        return TimeDelta(43200.0, format="sec", scale="tai")

    @cache_translation
    def to_group_counter_start(self) -> int:
        """Return SEQNUM − CURINDEX + 1, or SEQNUM without counters (`int`)."""
        return self._counter()[0]

    @cache_translation
    def to_group_counter_end(self) -> int:
        """Return SEQNUM + MAXINDEX − CURINDEX, or SEQNUM without counters (`int`)."""
        return self._counter()[1]

    def _counter(self) -> tuple[int, int]:
        sequence = int(self._header["SEQNUM"])
        self._used_these_cards("SEQNUM")
        if not (self.is_key_ok("CURINDEX") and self.is_key_ok("MAXINDEX")):
            return sequence, sequence
        self._used_these_cards("CURINDEX", "MAXINDEX")
        current, most = int(self._header["CURINDEX"]), int(self._header["MAXINDEX"])
        return sequence - current + 1, sequence + most - current

    @cache_translation
    def to_has_simulated_content(self) -> bool:
        """Return whether the file, or the controller in OBSID, says that it was simulated (`bool`)."""
        if self.is_key_ok(SIMULATED_KEY):
            self._used_these_cards(SIMULATED_KEY)
            if self._header[SIMULATED_KEY]:
                return True
        return self.to_observation_id().partition("_")[2][:1] in _SIMULATING


def load_translators() -> list[str]:
    """Return the names of the translators (`list` [`str`]) that importing this module has registered."""
    return [FiberSpecTranslator.name]
