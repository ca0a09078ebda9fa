"""Where the telescope points and what its clocks say, for the headers of an exposure."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from astropy.time import Time

__all__ = ["SITE", "HorizonView", "airmass", "horizon", "sexagesimal"]

SITE = (-155.476667, 19.825556, 4139.0)
"""Longitude and latitude (degrees, east positive) and height (m) of the Subaru telescope."""


@dataclasses.dataclass(frozen=True)
class HorizonView:
    """A direction seen from the telescope; angles in degrees, without refraction."""

    altitude: float
    azimuth: float
    """From north through east."""
    sidereal_time: float


def horizon(ra: float, dec: float, time: Time) -> HorizonView:
    """Find where an ICRS position stands over the telescope.

    Parameters
    ----------
    ra, dec : `float`
        Position (degrees).
    time : `astropy.time.Time`
        When.

    Notes
    -----
    ERFA is called directly, with UT1 taken as UTC: the error is below 14″ and no table of Earth rotation is
    needed, which astropy would want to download.
    """
    import erfa  # type: ignore[import-untyped]  # it has no types to import

    longitude, latitude, height = SITE
    utc = time.utc
    lon, lat = math.radians(longitude), math.radians(latitude)
    azimuth, zenith_distance, *_ = erfa.atco13(
        *(math.radians(ra), math.radians(dec), 0.0, 0.0, 0.0, 0.0),
        *(utc.jd1, utc.jd2, 0.0, lon, lat, height, 0.0, 0.0),
        *(0.0, 0.0, 0.0, 0.55),
    )
    tt = time.tt
    sidereal = erfa.gst06a(utc.jd1, utc.jd2, tt.jd1, tt.jd2) + lon
    return HorizonView(
        altitude=90.0 - math.degrees(zenith_distance),
        azimuth=math.degrees(azimuth) % 360.0,
        sidereal_time=math.degrees(sidereal) % 360.0,
    )


def airmass(altitude: float) -> float:
    """Give the airmass at an altitude (degrees); at the horizon's, 40, below it.

    Formula of Rozenberg (1966), within 0.2 % of the one in real headers at the altitudes that are observed.
    """
    sine = math.sin(math.radians(max(altitude, 0.0)))
    return 1.0 / (sine + 0.025 * math.exp(-11.0 * sine))


def sexagesimal(value: float, decimals: int, *, signed: bool = False, modulus: int | None = None) -> str:
    """Write a number of hours or degrees as ``21:22:59.982``.

    Parameters
    ----------
    value : `float`
        The number.
    decimals : `int`
        Decimals of the seconds; more are written, up to 9, if the number needs them.
    signed : `bool`, optional
        Write a ``+`` too.
    modulus : `int`, optional
        Wrap what rounding carries up to it: 24 for hours.
    """
    size = abs(value)
    while True:
        unit: int = 10**decimals
        ticks = round(size * 3600 * unit)
        if decimals >= 9 or abs(ticks / unit / 3600 - size) < 1e-12:
            break
        decimals += 1
    if modulus is not None:
        ticks %= modulus * 3600 * unit
    seconds, fraction = divmod(ticks, unit)
    minutes, seconds = divmod(seconds, 60)
    whole, minutes = divmod(minutes, 60)
    sign = "-" if value < 0 else "+" if signed else ""
    return f"{sign}{whole:02d}:{minutes:02d}:{seconds:02d}.{fraction:0{decimals}d}"
