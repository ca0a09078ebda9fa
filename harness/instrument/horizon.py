"""Where an exposure's field stands over its telescope, for the headers of raw files."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from astropy.time import Time

__all__ = ["HorizonView", "Site", "airmass", "horizon"]


@dataclasses.dataclass(frozen=True)
class Site:
    """Where a telescope stands."""

    longitude: float
    """Degrees, east positive."""
    latitude: float
    """Degrees."""
    height: float
    """Metres."""


@dataclasses.dataclass(frozen=True)
class HorizonView:
    """A direction seen from the telescope; angles in degrees, without refraction."""

    altitude: float
    azimuth: float
    """From north through east."""
    sidereal_time: float
    hour_angle: float
    """From -180 to 180."""


def horizon(site: Site, ra: float, dec: float, time: Time) -> HorizonView:
    """Find where an ICRS position stands over a telescope.

    Parameters
    ----------
    site : `Site`
        The telescope's.
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

    utc = time.utc
    lon, lat = math.radians(site.longitude), math.radians(site.latitude)
    azimuth, zenith_distance, hour_angle, *_ = erfa.atco13(
        *(math.radians(ra), math.radians(dec), 0.0, 0.0, 0.0, 0.0),
        *(utc.jd1, utc.jd2, 0.0, lon, lat, site.height, 0.0, 0.0),
        *(0.0, 0.0, 0.0, 0.55),
    )
    tt = time.tt
    sidereal = erfa.gst06a(utc.jd1, utc.jd2, tt.jd1, tt.jd2) + lon
    return HorizonView(
        altitude=90.0 - math.degrees(zenith_distance),
        azimuth=math.degrees(azimuth) % 360.0,
        sidereal_time=math.degrees(sidereal) % 360.0,
        hour_angle=math.degrees(hour_angle),
    )


def airmass(altitude: float) -> float:
    """Give the airmass at an altitude (degrees); at the horizon's, 40, below it.

    Formula of Rozenberg (1966), within 0.2 % of the one in real headers at the altitudes that are observed.
    """
    sine = math.sin(math.radians(max(altitude, 0.0)))
    return 1.0 / (sine + 0.025 * math.exp(-11.0 * sine))
