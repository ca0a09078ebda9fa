"""Stars out of focus: donuts of geometrical optics, from a wavefront that can be computed again by whoever judges.

A ray through the point u of the pupil (in units of its radius) meets a detector at -δ/(2N)·u - 2N·∇W(u) from the
ray through the centre, with δ the distance behind the focus, N the focal ratio and W the wavefront. Rays from an
even grid on the pupil are collected in subpixels, convolved with the seeing and added up in pixels.

What is an assumption: no diffraction, no vignetting, and a wavefront that is linear in the field.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage, signal

from ..errors import HarnessError
from ..instrument.camera import Camera, Floats
from ..instrument.optics import FocalRole, Optics
from ..instrument.zernikes import NOLL, Wavefront
from ..sky.seeds import generator
from .profiles import psf_components
from .scene import render_sources

if TYPE_CHECKING:
    from ..datasets.observations import Observation
    from ..instrument.camera import Detector
    from .scene import Placed

__all__ = ["Donut", "defocus", "is_defocused", "render_defocused", "wavefront"]

AMPLITUDES: Mapping[int, float] = MappingProxyType(
    {4: 300.0, 5: 250.0, 6: 250.0, 7: 150.0, 8: 150.0, 9: 100.0, 10: 100.0, 11: 50.0}
)
"""R.m.s. of each term over exposures (nm); an assumption: several times what an aligned telescope leaves."""

GRADIENT = 0.2
"""R.m.s. change of each term over a degree of field, relative to its amplitude; an assumption."""

NM = 1e-6
"""One nanometre in mm."""

RAYS = 300
"""Rays across the pupil."""

SUBPIXELS = 48
"""Subpixels across a donut, at least."""

BRIGHT_ELECTRONS = 3e5
"""Stars with more light have a donut of their own; fainter ones, and galaxies, that of the detector's centre."""


def wavefront(seed: int, camera: Camera, observation: Observation, fx: float, fy: float) -> dict[int, float]:
    """Return the true Zernike coefficients (nm, by Noll index) at a place in the field.

    The two halves of a pair are taken with the same mirrors: exposures of one group share their wavefront.

    Parameters
    ----------
    seed : `int`
        Seed of the dataset.
    camera : `~harness.instrument.camera.Camera`
        The camera.
    observation : `~harness.datasets.observations.Observation`
        The exposure.
    fx, fy : `float`
        Field angles (radians).
    """
    key = observation.group or observation.exposure
    draws = generator(seed, camera.name, key, purpose="wavefront").standard_normal((len(NOLL), 3))
    x, y = np.degrees(fx), np.degrees(fy)
    return {
        j: float(AMPLITUDES[j] * (a + GRADIENT * (b * x + c * y))) for j, (a, b, c) in zip(NOLL, draws, strict=True)
    }


def defocus(camera: Camera, detector: int, observation: Observation) -> float:
    """Return how far a detector lies behind the focus in an exposure (mm).

    Raises
    ------
    HarnessError
        If it is out of focus and the camera says nothing of its optics.
    """
    item = camera[detector]
    if camera.optics is not None:
        return camera.optics.defocus(item, observation.focus)
    if observation.focus or item.z_mm:
        raise HarnessError(
            f"exposure {observation.exposure}: detector {item.name} of {camera.name} is out of focus",
            remedy="give the camera its optics, or the exposure no focus",
            code="no-optics",
        )
    return 0.0


def is_defocused(camera: Camera, detector: int, observation: Observation) -> bool:
    """Say whether stars are donuts on a detector in an exposure (`bool`)."""
    distance = defocus(camera, detector, observation)
    return camera.optics is not None and camera.optics.role(distance) is not FocalRole.FOCUS


@dataclasses.dataclass(frozen=True)
class Donut:
    """Makes images of a star on one detector.

    Parameters
    ----------
    optics : `~harness.instrument.optics.Optics`
        The telescope.
    detector : `~harness.instrument.camera.Detector`
        The (binned) detector.
    distance : `float`
        How far it lies behind the focus (mm).
    fwhm : `float`
        Seeing (pixels); 0 for none.
    """

    optics: Optics
    detector: Detector
    distance: float
    fwhm: float

    @property
    def radius(self) -> float:
        """Outer radius (pixels)."""
        return self.optics.radius_mm(self.distance) / self.detector.pixel_mm

    def stamp(self, coefficients: Mapping[int, float], dx: float = 0.0, dy: float = 0.0) -> Floats:
        """Return the image of a star of unit flux, [y, x].

        Parameters
        ----------
        coefficients : `~collections.abc.Mapping` [`int`, `float`]
            Zernike coefficients (nm).
        dx, dy : `float`, optional
            Position of the ray through the pupil's centre, from that of the central pixel.
        """
        grid = (np.arange(RAYS) + 0.5) / RAYS * 2 - 1
        u, v = np.meshgrid(grid, grid)
        rho = np.hypot(u, v)
        inside = (rho <= 1) & (rho >= self.optics.obscuration)
        u, v = u[inside], v[inside]
        wx, wy = Wavefront(coefficients, self.optics.obscuration).gradient(u, v)
        ratio = 2 * self.optics.f_number
        x_mm, y_mm = -self.distance / ratio * u - ratio * NM * wx, -self.distance / ratio * v - ratio * NM * wy
        c, s = np.cos(np.radians(self.detector.yaw_deg)), np.sin(np.radians(self.detector.yaw_deg))
        x = (c * x_mm + s * y_mm) / self.detector.pixel_mm + dx
        y = (-s * x_mm + c * y_mm) / self.detector.pixel_mm + dy
        fine = max(1, int(np.ceil(SUBPIXELS / (2 * self.radius))))
        reach = max(float(np.abs(x).max(initial=1.0)), float(np.abs(y).max(initial=1.0)))
        half = int(np.ceil(reach + 2 + 3 * self.fwhm))
        image = self._collect(x, y, half, fine)
        if self.fwhm:
            weights, variances = psf_components(self.fwhm * fine)
            image = sum(
                w * ndimage.gaussian_filter(image, np.sqrt(var), mode="constant")
                for w, var in zip(weights, variances, strict=True)
            )
        size = 2 * half + 1
        out: Floats = image.reshape(size, fine, size, fine).sum(axis=(1, 3))
        return out

    @staticmethod
    def _collect(x: Floats, y: Floats, half: int, fine: int) -> Floats:
        """Share rays of equal light among the four subpixels around each."""
        n = (2 * half + 1) * fine
        px, py = (x + half + 0.5) * fine - 0.5, (y + half + 0.5) * fine - 0.5
        ix, iy = np.floor(px).astype(np.int64), np.floor(py).astype(np.int64)
        ax, ay = px - ix, py - iy
        total = np.zeros(n * n)
        for oy, wy in ((0, 1 - ay), (1, ay)):
            for ox, wx in ((0, 1 - ax), (1, ax)):
                total += np.bincount((iy + oy) * n + ix + ox, wy * wx, minlength=n * n)
        return total.reshape(n, n) / len(x)


def render_defocused(camera: Camera, detector: int, observation: Observation, placed: Placed, seed: int) -> Floats:
    """Return the noise-free light of stars and galaxies on a detector that is out of focus (electrons, [y, x]).

    Parameters
    ----------
    camera : `~harness.instrument.camera.Camera`
        The (binned) camera.
    detector : `int`
        Detector id.
    observation : `~harness.datasets.observations.Observation`
        The exposure.
    placed : `~harness.simulate.scene.Placed`
        The sources on the detector.
    seed : `int`
        Seed of the dataset.
    """
    assert camera.optics is not None
    item = camera[detector]
    distance = defocus(camera, detector, observation)
    pixel = camera.plate_scale * item.pixel_mm
    sharp, seen = (Donut(camera.optics, item, distance, fwhm) for fwhm in (0.0, observation.seeing / pixel))
    own = placed.is_star & (placed.electrons > BRIGHT_ELECTRONS)
    index = np.flatnonzero(~own)
    faint = dataclasses.replace(placed, **{f.name: getattr(placed, f.name)[index] for f in dataclasses.fields(placed)})
    fx, fy = (float(v) for v in camera.pixel_to_field(detector, (item.nx - 1) / 2, (item.ny - 1) / 2))
    kernel = sharp.stamp(wavefront(seed, camera, observation, fx, fy))
    image: Floats = signal.fftconvolve(render_sources(camera, detector, observation, faint), kernel, mode="same")
    np.maximum(image, 0.0, out=image)
    for i in np.flatnonzero(own):
        x, y = float(placed.x[i]), float(placed.y[i])
        ix, iy = round(x), round(y)
        margin = seen.radius + 20
        if not (-margin < x < item.nx + margin and -margin < y < item.ny + margin):
            continue
        fx, fy = (float(v) for v in camera.pixel_to_field(detector, x, y))
        stamp = seen.stamp(wavefront(seed, camera, observation, fx, fy), x - ix, y - iy) * placed.electrons[i]
        half = stamp.shape[0] // 2
        left, low = max(0, half - ix), max(0, half - iy)
        right, high = min(len(stamp), item.nx - ix + half), min(len(stamp), item.ny - iy + half)
        if left < right and low < high:
            here = (slice(iy - half + low, iy - half + high), slice(ix - half + left, ix - half + right))
            image[here] += stamp[low:high, left:right]
    return image
