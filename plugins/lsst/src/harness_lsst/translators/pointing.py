"""Where a Rubin telescope pointed: what every camera's headers say about it in the same way."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import astropy.units as u
from astro_metadata_translator import FitsTranslator, cache_translation
from astro_metadata_translator.translators.helpers import altaz_from_degree_headers, tracking_from_degree_headers
from astropy.coordinates import ICRS, AltAz, Angle, EarthLocation, SkyCoord

from harness.errors import HarnessError

__all__ = ["NO_SKY_TYPES", "SIMONYI_SITE", "PointingTranslator", "defined", "separation"]

NO_SKY_TYPES = ("bias", "dark", "flat")
"""Types of observation that never show the sky."""
SIMONYI_SITE = EarthLocation.from_geodetic(-70.749417, -30.244639, 2663.0)
"""Where a Simonyi camera is if its header doesn't say."""
LOWEST, HIGHEST = -5.55, 95.55
"""Degrees of altitude that the telescope can reach, beyond zenith too."""


def defined(header: Mapping[str, Any], key: str) -> Any:
    """Return the value of a header key; `None` if it has none, or astropy's undefined one."""
    return header[key] if FitsTranslator.is_keyword_defined(header, key) else None


def separation(one: float, other: float) -> float:
    """Return how far apart two angles are, 0 to 180 (degrees)."""
    return abs((one - other + 180.0) % 360.0 - 180.0)


class PointingTranslator(FitsTranslator):
    """Location, coordinates and rotation; subclasses know type, times and whether the camera is on its telescope."""

    site = SIMONYI_SITE
    """Location of the telescope where the header does not say."""
    rotation_default: float | None = 0.0
    """Degrees that a missing rotation stands for, when it doesn't matter; `None` is not a number."""

    def is_on_mountain(self) -> bool:
        """Return whether the camera was on its telescope (`bool`)."""
        raise NotImplementedError

    def is_on_sky(self) -> bool:
        """Return whether the telescope may have looked at the sky, judging by type and tracking (`bool`)."""
        tracking = self._value("TRACKSYS")
        if isinstance(tracking, str) and tracking.strip().lower() == "local":
            return False
        return self.to_observation_type() not in NO_SKY_TYPES and self.is_on_mountain()

    def _value(self, key: str) -> Any:
        """Return the value of a key, `None` if there is none, and note that it was used."""
        value = defined(self._header, key)
        if value is not None:
            self._used_these_cards(key)
        return value

    def _text(self, key: str) -> str | None:
        """Return the value of a key as text; `None` if there is none."""
        value = self._value(key)
        return None if value is None else str(value)

    def _number(self, key: str) -> float | None:
        """Return the value of a key as a number; `None` if there is none; text that isn't a number is refused."""
        value = self._value(key)
        if value is None:
            return None
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise HarnessError(f"{key} is {value!r}", remedy="a finite number is expected", code="header-value")
        return number

    def _integer(self, key: str) -> int | None:
        """Return the value of a key as an integer; `None` if there is none."""
        number = self._number(key)
        if number is None:
            return None
        if not number.is_integer():
            raise HarnessError(f"{key} is {number!r}", remedy="an integer is expected", code="header-value")
        return int(number)

    @cache_translation
    def to_location(self) -> EarthLocation | None:
        """Return the place of the telescope; `None` for a camera in the laboratory."""
        if not self.is_on_mountain():
            return None
        place = [self._number(f"OBSGEO-{axis}") for axis in "XYZ"]
        if None in place:
            return self.site
        return EarthLocation.from_geocentric(*place, unit=u.m)

    @cache_translation
    def to_tracking_radec(self) -> SkyCoord | None:
        """Return where the telescope tracked.

        Returns
        -------
        radec : `astropy.coordinates.SkyCoord` or `None`
            RASTART and DECSTART, else RA and DEC, in the system RADESYS. `None` for biases and flats, when the
            telescope did not track the sky, and for what isn't of the sky and has no coordinates. Darks have
            coordinates: some are taken while tracking.

        Raises
        ------
        KeyError
            If an observation of the sky has no coordinates.
        """
        if self.to_observation_type() in NO_SKY_TYPES and self.to_observation_type() != "dark":
            return None
        tracking = self._value("TRACKSYS")
        if tracking is not None and tracking != "RADEC":
            return None
        try:
            return self._radec()
        except Exception:  # whatever is wrong with coordinates that nobody needs
            if self.is_on_sky():
                raise
            return None

    def _radec(self) -> SkyCoord | None:
        if defined(self._header, "DATE-OBS") is not None and self._value("DATE-OBS") == self._value("DATE"):
            # The clock was not set when the control system derived RA and Dec: only altitude and azimuth hold.
            altaz = self.to_altaz_begin()
            if altaz is None:
                raise KeyError("ELSTART is missing, and RA and DEC were derived with a wrong time")
            return SkyCoord(altaz.transform_to(ICRS()), obstime=altaz.obstime, location=altaz.location)
        system = ("RADESYS",) if (self._text("RADESYS") or "").strip() else ()
        return tracking_from_degree_headers(self, system, (("RASTART", "DECSTART"), ("RA", "DEC")))

    @cache_translation
    def to_altaz_begin(self) -> AltAz | None:
        """Return altitude and azimuth at the begin; `None` in the laboratory, or without them if not of the sky."""
        if not self.is_on_mountain():
            return None
        begin = self.to_datetime_begin()
        return altaz_from_degree_headers(self, (("ELSTART", "AZSTART"),), begin, max_alt=HIGHEST, min_alt=LOWEST)

    @cache_translation
    def to_boresight_airmass(self) -> float | None:
        """Return AMSTART, else the secant of the zenith angle, else 1; `None` if not on the sky."""
        if not self.is_on_sky():
            return None
        airmass = self._number("AMSTART")
        if airmass is not None:
            return airmass
        altaz = self.to_altaz_begin()
        return 1.0 if altaz is None else float(altaz.secz.to_value())

    @cache_translation
    def to_boresight_rotation_coord(self) -> str:
        """Return the frame of the rotation angle, ROTCOORD; ``unknown`` if not on the sky."""
        if not self.is_on_sky():
            return "unknown"
        return self._text("ROTCOORD") or "unknown"

    @cache_translation
    def to_boresight_rotation_angle(self) -> Angle:
        """Return ROTPA, else ROTANGLE (degrees).

        Raises
        ------
        KeyError
            If a science observation on the mountain has neither.
        """
        for key in ("ROTPA", "ROTANGLE"):
            angle = self._number(key)
            if angle is not None:
                return Angle(angle * u.deg)
        if self.to_observation_type() == "science" and self.is_on_mountain():
            raise KeyError("ROTPA is missing from an observation of the sky")
        return Angle((math.nan if self.rotation_default is None else self.rotation_default) * u.deg)

    @cache_translation
    def to_focus_z(self) -> u.Quantity:
        """Return FOCUSZ (mm), 0 if there is none."""
        return (self._number("FOCUSZ") or 0.0) * u.mm
