"""From the header of DECam to the properties of an exposure."""

from __future__ import annotations

from typing import Any, ClassVar

import astropy.units as u
from astro_metadata_translator import cache_translation
from astro_metadata_translator.translators import FitsTranslator
from astropy.coordinates import Angle, EarthLocation, SkyCoord
from astropy.time import Time, TimeDelta

SITE = (-70.749, -30.245, 2663.0)  # REPLACE_ME: longitude and latitude (deg, east positive), height (m)
DAY_OFFSET = 12 * 3600  # REPLACE_ME: seconds after midnight (TAI) at which the observing day begins


class DECamTranslator(FitsTranslator):
    """Translator of the headers that ``INSTRUME`` says are of DECam."""

    name = "DECam"
    supported_instrument = "DECam"  # REPLACE_ME: what INSTRUME says; see FitsTranslator.can_translate

    _const_map: ClassVar[dict[str, Any]] = {
        "boresight_rotation_coord": "sky",
        "telescope": "DECam telescope",  # REPLACE_ME
        "temperature": None,
        "pressure": None,
        "relative_humidity": None,
        "boresight_airmass": None,
        "altaz_begin": None,
        "detector_group": None,
    }
    """Properties that are the same in all headers, or in none."""

    # REPLACE_ME: the header keys of each property
    _trivial_map: ClassVar[dict[str, Any]] = {
        "exposure_id": "EXPID",
        "visit_id": "EXPID",
        "observation_id": "OBSID",
        "observation_counter": "SEQNUM",
        "group_counter_start": "SEQSTART",
        "group_counter_end": "SEQEND",
        "exposure_group": "GROUPID",
        "physical_filter": "FILTER",
        "exposure_time": ("EXPTIME", {"unit": u.s}),
        "dark_time": ("EXPTIME", {"unit": u.s}),
        "observation_type": "IMGTYPE",
        "observation_reason": "REASON",
        "science_program": "PROGRAM",
        "object": "OBJECT",
        "detector_num": "DETNUM",
        "detector_name": "DETNAME",
        "detector_serial": "DETSER",
        "has_simulated_content": "SIMULATE",
    }

    def to_location(self) -> EarthLocation:
        """Return where the telescope stands."""
        return EarthLocation.from_geodetic(*SITE)

    @classmethod
    def observing_date_to_offset(cls, observing_date: Time) -> TimeDelta:
        """Return how long after midnight the observing day begins."""
        return TimeDelta(DAY_OFFSET, format="sec", scale="tai")

    @cache_translation
    def to_detector_exposure_id(self) -> int:
        """Return a number of its own for each detector of each exposure."""
        return 10 * self.to_exposure_id() + self.to_detector_num()

    @cache_translation
    def to_tracking_radec(self) -> SkyCoord | None:
        """Return where the telescope looks; `None` if it does not look at the sky."""
        if not self.are_keys_ok(["RA", "DEC"]):
            return None
        return SkyCoord(self.quantity_from_card("RA", u.deg), self.quantity_from_card("DEC", u.deg), frame="icrs")

    @cache_translation
    def to_boresight_rotation_angle(self) -> Angle | None:
        """Return the rotation of the camera on the sky."""
        if not self.is_key_ok("ROTANG"):
            return None
        return Angle(self.quantity_from_card("ROTANG", u.deg))

    @cache_translation
    def to_can_see_sky(self) -> bool:
        """Return whether the exposure looks at the sky."""
        return self.to_tracking_radec() is not None
