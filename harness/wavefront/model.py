"""The image of a donut as a function of the wavefront, the inverse way round from the simulation.

The simulation sends rays from the pupil to the pixels. Here every subpixel asks from which point of the pupil its
light comes: the map from pupil to detector is inverted by iteration, and its determinant is the brightness. Both
follow the same geometrical optics, but share no code beyond the polynomials.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..instrument.zernikes import Wavefront

__all__ = ["DonutModel"]

Floats = NDArray[np.float64]

NM = 1e-6
"""One nanometre in mm."""

REACH = 1.5
"""Distance from the centre (radii of the undisturbed donut) to which aberrations may move its edge."""

CONVERGED = 2e-4
"""Change of a position on the pupil (radii) at which the iteration ends: a hundredth of a subpixel."""

WING_FRACTION, WING_RATIO = 0.1, 2.0
"""Share of the seeing's wide Gaussian, and its width relative to the narrow one."""

SIGMA_PER_FWHM = 1 / 2.3867
"""Width of the narrow Gaussian over the FWHM of both."""


@dataclasses.dataclass(frozen=True)
class DonutModel:
    """Makes images of a star out of focus.

    Parameters
    ----------
    f_number, obscuration : `float`
        Focal ratio, and inner over outer radius of the pupil.
    distance : `float`
        How far the detector lies behind the focus (mm); not 0.
    yaw : `float`
        Rotation of the detector's pixels against the focal plane (degrees).
    pixel_mm : `float`
        Side of a pixel.
    size : `int`
        Side of the image (pixels), odd.
    """

    f_number: float
    obscuration: float
    distance: float
    yaw: float
    pixel_mm: float
    size: int

    @property
    def radius(self) -> float:
        """Outer radius of the undisturbed donut (pixels)."""
        return abs(self.distance) / (2 * self.f_number) / self.pixel_mm

    @cached_property
    def fine(self) -> int:
        """Subpixels along the side of a pixel: some 40 across the donut."""
        return max(1, int(np.ceil(40 / (2 * self.radius))))

    @cached_property
    def _grid(self) -> tuple[Floats, Floats]:
        """Centres of the subpixels on the focal plane (mm), from the central pixel."""
        n = self.size * self.fine
        axis = ((np.arange(n) + 0.5) / self.fine - self.size / 2) * self.pixel_mm
        px, py = np.meshgrid(axis, axis)
        c, s = np.cos(np.radians(self.yaw)), np.sin(np.radians(self.yaw))
        return c * px - s * py, s * px + c * py

    def image(self, coefficients: Mapping[int, float], dx: float, dy: float, fwhm: float) -> Floats:
        """Return the image of a star of unit flux, [y, x].

        Parameters
        ----------
        coefficients : `~collections.abc.Mapping` [`int`, `float`]
            Zernike coefficients (nm, by Noll index).
        dx, dy : `float`
            Position of the ray through the pupil's centre, from that of the central pixel (pixels).
        fwhm : `float`
            Seeing (pixels).
        """
        wave = Wavefront(coefficients, self.obscuration)
        ratio = 2 * self.f_number
        c, s = np.cos(np.radians(self.yaw)), np.sin(np.radians(self.yaw))
        x = self._grid[0] - (c * dx - s * dy) * self.pixel_mm
        y = self._grid[1] - (s * dx + c * dy) * self.pixel_mm
        u, v = -x * ratio / self.distance, -y * ratio / self.distance
        # Elsewhere is no light, and beyond the pupil the polynomials mean nothing.
        rho = np.hypot(u, v)
        near = (rho < REACH) & (rho > self.obscuration - (REACH - 1))
        x, y, u, v = x[near], y[near], u[near], v[near]
        for _ in range(12):
            wx, wy = wave.gradient(u, v)
            before = u, v
            u = -(x + ratio * NM * wx) * ratio / self.distance
            v = -(y + ratio * NM * wy) * ratio / self.distance
            # What lies beyond the edge only has to stay there.
            rho = np.hypot(u, v)
            far = np.maximum(rho / REACH, 1.0)
            u, v = u / far, v / far
            moved = np.abs(u - before[0]) + np.abs(v - before[1])
            if np.max(moved, where=rho < 1.1, initial=0.0) < CONVERGED:
                break
        xx, xy, yy = wave.curvature(u, v)
        scale, bend = -self.distance / ratio, -ratio * NM
        determinant = (scale + bend * xx) * (scale + bend * yy) - (bend * xy) ** 2
        rho = np.hypot(u, v)
        edge = self.radius * self.fine
        bright = np.clip((1 - rho) * edge + 0.5, 0, 1) * np.clip((rho - self.obscuration) * edge + 0.5, 0, 1)
        bright *= (self.pixel_mm / self.fine) ** 2 / (np.pi * (1 - self.obscuration**2))
        bright /= np.maximum(np.abs(determinant), 0.1 * scale**2)
        light = np.zeros(near.shape)
        light[near] = bright
        sigma = fwhm * SIGMA_PER_FWHM * self.fine
        blurred = (1 - WING_FRACTION) * ndimage.gaussian_filter(light, sigma, mode="constant", truncate=3.5)
        blurred += WING_FRACTION * ndimage.gaussian_filter(light, WING_RATIO * sigma, mode="constant", truncate=3.5)
        out: Floats = blurred.reshape(self.size, self.fine, self.size, self.fine).sum(axis=(1, 3))
        return out
