"""Where a camera looks: from field angles to the sky and back."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from .camera import Camera, Floats

if TYPE_CHECKING:
    from astropy.wcs import WCS

__all__ = ["Pointing"]


@dataclasses.dataclass(frozen=True)
class Pointing:
    """A boresight: ICRS position, rotation and parity.

    Parameters
    ----------
    ra, dec : `float`
        Boresight (degrees, ICRS); ``tracking_ra`` and ``tracking_dec`` of the exposure record.
    sky_angle : `float`
        ``sky_angle`` of the exposure record (degrees).
    parity : `int`
        `~harness.instrument.camera.Camera.sky_parity`.

    Notes
    -----
    ξ = s·cos(o)·fx + sin(o)·fy and η = -s·sin(o)·fx + cos(o)·fy on the tangent plane, with s the parity
    and o the sky angle.
    """

    ra: float
    dec: float
    sky_angle: float
    parity: int = -1

    @cached_property
    def _tangent(self) -> WCS:
        from astropy.wcs import WCS

        wcs = WCS(naxis=2)
        wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        wcs.wcs.crval = [self.ra, self.dec]
        wcs.wcs.crpix = [1.0, 1.0]
        o = np.radians(self.sky_angle)
        wcs.wcs.cd = [[self.parity * np.cos(o), np.sin(o)], [-self.parity * np.sin(o), np.cos(o)]]
        wcs.wcs.set()
        return wcs

    def field_to_sky(self, fx: ArrayLike, fy: ArrayLike) -> tuple[Floats, Floats]:
        """Convert field angles (radians) to ICRS RA and Dec (degrees)."""
        ra, dec = self._tangent.wcs_pix2world(np.degrees(fx), np.degrees(fy), 0)
        return ra, dec

    def sky_to_field(self, ra: ArrayLike, dec: ArrayLike) -> tuple[Floats, Floats]:
        """Convert ICRS RA and Dec (degrees) to field angles (radians)."""
        x, y = self._tangent.wcs_world2pix(ra, dec, 0)
        return np.radians(x), np.radians(y)

    def pixel_to_sky(self, camera: Camera, detector: int, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        """Convert a detector's pixels to RA and Dec (degrees)."""
        return self.field_to_sky(*camera.pixel_to_field(detector, x, y))

    def sky_to_pixel(self, camera: Camera, detector: int, ra: ArrayLike, dec: ArrayLike) -> tuple[Floats, Floats]:
        """Convert RA and Dec (degrees) to a detector's pixels."""
        return camera.field_to_pixel(detector, *self.sky_to_field(ra, dec))
