"""Headers of the collimated beam projector."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, ClassVar

import astropy.units as u
from astro_metadata_translator import cache_translation
from astro_metadata_translator.translators import FitsTranslator
from astropy.coordinates import EarthLocation
from astropy.time import Time, TimeDelta

from harness.errors import HarnessError

from .identifiers import exposure_id, split_exposure_id, split_observation_id
from .settings import Settings

__all__ = ["DETECTOR", "SIMULATED_KEY", "CbpTranslator", "load_translators"]

SIMULATED_KEY = "SIMULATE"
"""Header key that is true in simulated files; the name that Rubin's cameras use for it."""
DETECTOR = "electrometer"
"""Name of the one detector: the electrometer that reads the projector's photodiode."""

_SITE = (-70.749417, -30.244639, 2663.0)
"""Longitude, latitude (degrees) and height (m) where the headers don't say; that of the main telescope's dome."""
_FIRST_DAY = datetime.date(2010, 1, 1).toordinal()


class CbpTranslator(FitsTranslator):
    """Translator of the headers of the collimated beam projector.

    All times are TAI. The projector sees no sky and tracks nothing. Its exposures share GROUPID with those of the
    camera that it shines into.
    """

    name: ClassVar[str] = "CBP"
    supported_instrument: ClassVar[str] = "CBP"

    _const_map: ClassVar[dict[str, Any]] = {
        "instrument": "CBP",
        "detector_group": None,
        "detector_name": DETECTOR,
        "detector_unique_name": DETECTOR,
        "detector_num": 0,
        "physical_filter": "empty",
        "tracking_radec": None,
        "altaz_begin": None,
        "altaz_end": None,
        "boresight_airmass": None,
        "boresight_rotation_angle": None,
        "boresight_rotation_coord": "unknown",
        "relative_humidity": None,
        "temperature": None,
        "pressure": None,
        "can_see_sky": False,
    }
    _trivial_map: ClassVar[dict[str, Any]] = {
        "observation_id": "OBSID",
        "observation_counter": "SEQNUM",
    }

    @classmethod
    def can_translate(cls, header: Mapping[str, Any], filename: str | None = None) -> bool:  # noqa: ARG003
        """Say whether a header is one of the projector (`bool`)."""
        return str(header.get("INSTRUME") or "").strip() == "CBP"

    def _text(self, key: str, default: str) -> str:
        if self.is_key_ok(key) and str(self._header[key]).strip():
            self._used_these_cards(key)
            return str(self._header[key]).strip()
        return default

    @cache_translation
    def to_telescope(self) -> str:
        """Return the telescope that it shines into (`str`)."""
        return self._text("TELESCOP", "Simonyi Survey Telescope")

    @cache_translation
    def to_location(self) -> EarthLocation:
        """Return where it stands (`astropy.coordinates.EarthLocation`)."""
        if all(self.is_key_ok(f"OBSGEO-{axis}") for axis in "XYZ"):
            return super().to_location()
        return EarthLocation.from_geodetic(*_SITE)

    @cache_translation
    def to_detector_serial(self) -> str:
        """Return the serial number of the electrometer (`str`)."""
        return self._text("ELECSER", "unknown")

    @cache_translation
    def to_datetime_begin(self) -> Time:
        """Return the begin (`astropy.time.Time`, TAI)."""
        return self._time("BEG")

    @cache_translation
    def to_datetime_end(self) -> Time:
        """Return the end (`astropy.time.Time`, TAI); begin and exposure time if it is not there."""
        if self.is_key_ok("DATE-END") or self.is_key_ok("MJD-END"):
            return self._time("END")
        return self.to_datetime_begin() + TimeDelta(self.to_exposure_time())

    def _time(self, name: str) -> Time:
        time = self._from_fits_date(f"DATE-{name}", mjd_key=f"MJD-{name}", scale="tai")
        if time is None:
            raise KeyError(f"DATE-{name}")
        return time

    @cache_translation
    def to_exposure_time(self) -> u.Quantity:
        """Return how long the electrometer measured (`astropy.units.Quantity`)."""
        return self.quantity_from_card("EXPTIME", u.s)

    @cache_translation
    def to_exposure_time_requested(self) -> u.Quantity:
        """Return the exposure time (`astropy.units.Quantity`)."""
        return self.to_exposure_time()

    @cache_translation
    def to_dark_time(self) -> u.Quantity:
        """Return the exposure time (`astropy.units.Quantity`)."""
        return self.to_exposure_time()

    @cache_translation
    def to_exposure_id(self) -> int:
        """Return the exposure id (`int`), after proving that OBSID says the same as DAYOBS and SEQNUM."""
        day, sequence = int(self._header["DAYOBS"]), int(self._header["SEQNUM"])
        self._used_these_cards("DAYOBS", "SEQNUM")
        if split_observation_id(self.to_observation_id()) != (day, sequence):
            raise HarnessError(
                f"OBSID is {self.to_observation_id()}, but DAYOBS {day} and SEQNUM {sequence}", code="obsid"
            )
        return exposure_id(day, sequence)

    @cache_translation
    def to_visit_id(self) -> int:
        """Return the exposure id (`int`)."""
        return self.to_exposure_id()

    @cache_translation
    def to_detector_exposure_id(self) -> int:
        """Return 256·(sequence number + 32768·(days since 2010-01-01)), as for Rubin's cameras (`int`)."""
        day, sequence = split_exposure_id(self.to_exposure_id())
        days = datetime.datetime.strptime(f"{day}+0000", "%Y%m%d%z").date().toordinal() - _FIRST_DAY
        return 256 * (sequence + 32768 * days)

    @cache_translation
    def to_exposure_group(self) -> str:
        """Return GROUPID, which the camera's exposure has, too; the exposure id without (`str`)."""
        return self._text("GROUPID", str(self.to_exposure_id()))

    @cache_translation
    def to_observation_type(self) -> str:
        """Return IMGTYPE in lower case (`str`); settings beyond their limits make it no observation at all."""
        self._settings()
        return self._text("IMGTYPE", "CBP").lower()

    @cache_translation
    def to_focus_z(self) -> u.Quantity:
        """Return the place of the focus stage (`astropy.units.Quantity`, µm)."""
        return self._settings().focus * u.um

    def _settings(self) -> Settings:
        keys = ("CBPAZ", "CBPEL", "CBPFOC", "CBPFUNIT", "CBPMASK", "CBPMROT", "LASERWL", "OPTCONF", "NBURST")
        self._used_these_cards(*(k for k in (*keys, "ELECMODE", "ELECITIM") if k in self._header))
        return Settings.from_header(self._header)

    @cache_translation
    def to_observation_reason(self) -> str:
        """Return REASON in lower case (`str`)."""
        return self._text("REASON", "unknown").lower()

    @cache_translation
    def to_science_program(self) -> str:
        """Return PROGRAM (`str`)."""
        return self._text("PROGRAM", "unknown")

    @cache_translation
    def to_object(self) -> str:
        """Return OBJECT (`str`)."""
        return self._text("OBJECT", "unknown")

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
        """Return whether the file says that it was simulated (`bool`)."""
        if not self.is_key_ok(SIMULATED_KEY):
            return False
        self._used_these_cards(SIMULATED_KEY)
        return bool(self._header[SIMULATED_KEY])


def load_translators() -> list[str]:
    """Return the names of the translators (`list` [`str`]) that importing this module has registered."""
    return [CbpTranslator.name]
