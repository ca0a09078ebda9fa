"""Observations: the exposures of a manifest, resolved."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import HarnessError

if TYPE_CHECKING:
    from astropy.time import Time

__all__ = ["SKYLESS_TYPES", "Observation"]

SKYLESS_TYPES = frozenset({"bias", "dark", "flat"})
"""Types of observation that see nothing of the sky, wherever the telescope points."""


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
    ra, dec : `float` or `None`
        Boresight (degrees, ICRS); `None` if the telescope does not look at the sky.
    sky_angle : `float` or `None`
        Rotation (degrees); see `~harness.instrument.pointing.Pointing`.
    seeing : `float`
        FWHM of the PSF (arcsec).
    detectors : `tuple` [`int`]
        The detectors that have a raw file.
    observation_type : `str`
        ``science``, ``bias`` …
    target, program : `str`
        Object name and proposal.
    reason : `str`
        Why it was taken.
    group : `str`
        Name of the group of exposures that it belongs to; empty if none is given.
    snap : `tuple` [`int`, `int`]
        Its place in the group, from 1, and the number of exposures that the group was to have.
    focus : `float`
        Offset of the focus (mm).
    settings : `~collections.abc.Mapping`
        What only one instrument understands.
    """

    instrument: str
    exposure: int
    physical_filter: str
    begin: Time
    exposure_time: float
    ra: float | None
    dec: float | None
    sky_angle: float | None
    seeing: float
    detectors: tuple[int, ...]
    observation_type: str = "science"
    target: str = ""
    program: str = ""
    reason: str = ""
    group: str = ""
    snap: tuple[int, int] = (1, 1)
    focus: float = 0.0
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict, hash=False)

    @property
    def on_sky(self) -> bool:
        """Whether the telescope looks at the sky (`bool`)."""
        return self.ra is not None and self.observation_type not in SKYLESS_TYPES

    @property
    def pointing(self) -> tuple[float, float, float]:
        """Right ascension, declination and rotation (degrees).

        Raises
        ------
        HarnessError
            If the telescope does not look at the sky.
        """
        if self.ra is None or self.dec is None or self.sky_angle is None:
            raise HarnessError(
                f"exposure {self.exposure} of {self.instrument} has no pointing",
                remedy="give ra, dec and sky_angle in the manifest",
                code="no-pointing",
            )
        return self.ra, self.dec, self.sky_angle

    @property
    def end(self) -> Time:
        """End of the exposure (`astropy.time.Time`, TAI)."""
        from astropy.time import TimeDelta

        return self.begin + TimeDelta(self.exposure_time, format="sec")
