"""Observations: the exposures of a manifest, resolved."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from astropy.time import Time

__all__ = ["Observation"]


@dataclasses.dataclass(frozen=True)
class Observation:
    """One exposure, as it will be simulated and as it must be found again in the repository.

    Parameters
    ----------
    instrument : `str`
        Name of the instrument.
    exposure : `int`
        Exposure id.
    physical_filter : `str`
        Filter, as in the dimension of that name.
    begin : `astropy.time.Time`
        Start (TAI).
    exposure_time : `float`
        Seconds.
    ra, dec : `float`
        Boresight (degrees, ICRS).
    sky_angle : `float`
        Rotation (degrees); see `~harness.instrument.pointing.Pointing`.
    seeing : `float`
        FWHM of the PSF (arcsec).
    detectors : `tuple` [`int`]
        The detectors that have a raw file.
    observation_type : `str`
        ``science``, ``bias`` …
    target, program : `str`
        Object name and proposal.
    """

    instrument: str
    exposure: int
    physical_filter: str
    begin: Time
    exposure_time: float
    ra: float
    dec: float
    sky_angle: float
    seeing: float
    detectors: tuple[int, ...]
    observation_type: str = "science"
    target: str = ""
    program: str = ""

    @property
    def end(self) -> Time:
        """End of the exposure (`astropy.time.Time`, TAI)."""
        from astropy.time import TimeDelta

        return self.begin + TimeDelta(self.exposure_time, format="sec")
