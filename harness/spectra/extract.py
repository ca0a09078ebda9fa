"""The flux along a trace.

Nothing is resampled. Every pixel near the trace has a place along and across it; pixels are sorted into bins of one
pixel along, and light of f electrons per pixel of length leaves f·P(across) electrons in a pixel, P being the
profile of unit area. This holds for any direction of the trace.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .errors import SpectrumError

if TYPE_CHECKING:
    from ..instrument.dispersion import Trace

__all__ = ["Aperture", "Extracted", "extract", "refine_direction"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

PROFILE_STEP = 0.25
"""Spacing of the points that the profile is measured at (pixels)."""

SEGMENTS = 12
"""Parts of a trace whose distances from the expected line give its direction."""


@dataclasses.dataclass(frozen=True)
class Aperture:
    """Which pixels take part.

    Parameters
    ----------
    reach : `float`
        Half-width of the trace (pixels).
    inner, outer : `float`
        Distances from the trace (pixels) between which there is only background, on both sides.
    low, high : `float`
        Wavelengths (nm).
    """

    reach: float
    inner: float
    outer: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class Extracted:
    """Flux along a trace, sample by sample.

    Parameters
    ----------
    along : `numpy.ndarray`
        Distance from the undispersed image (pixels).
    flux, error : `numpy.ndarray`
        Electrons per pixel of length, and standard errors.
    background : `numpy.ndarray`
        Background on the trace (electrons per pixel).
    flag : `numpy.ndarray`
        Whether pixels were missing that would have had at least a fifth of the light.
    """

    along: Floats
    flux: Floats
    error: Floats
    background: Floats
    flag: Mask


@dataclasses.dataclass(frozen=True)
class _Strip:
    """The pixels on both sides of a trace, as lists."""

    along: Floats
    across: Floats
    value: Floats
    variance: Floats
    usable: Mask
    first: int
    bins: NDArray[np.int64]
    n: int

    @classmethod
    def cut(cls, image: Floats, variance: Floats, usable: Mask, trace: Trace, aperture: Aperture) -> _Strip:
        rows, columns = np.divmod(np.arange(image.size), image.shape[1])
        near = np.abs(trace.across(columns, rows)) <= aperture.outer
        x, y = columns[near], rows[near]
        along = trace.along(x, y)
        limits = np.sort(trace.along(*trace.pixel(np.array([aperture.low, aperture.high]))))
        number = np.rint(along).astype(np.int64)
        here = (number >= limits[0] + 0.5) & (number <= limits[1] - 0.5)  # whole bins only
        if here.sum() < 100:
            raise SpectrumError("trace", "the spectrum lies outside the detector")
        x, y, along, number = x[here], y[here], along[here], number[here]
        first = int(number.min())
        return cls(
            along=along,
            across=trace.across(x, y),
            value=np.asarray(image[y, x], np.float64),
            variance=np.asarray(variance[y, x], np.float64),
            usable=usable[y, x],
            first=first,
            bins=number - first,
            n=int(number.max()) - first + 1,
        )

    def sum(self, value: Floats) -> Floats:
        """Add up values of pixels in each bin."""
        return np.bincount(self.bins, value, self.n)


def _background(strip: _Strip, aperture: Aperture) -> Floats:
    """Fit a polynomial (third order along, first across) to the pixels at the sides; return it at all pixels."""
    side = (np.abs(strip.across) >= aperture.inner) & strip.usable
    if side.sum() < 50:
        raise SpectrumError("extract", "too few pixels beside the trace to measure the background")
    middle, half = (strip.along.max() + strip.along.min()) / 2, (strip.along.max() - strip.along.min()) / 2
    u, v = (strip.along - middle) / max(half, 1.0), strip.across / aperture.outer
    basis = np.stack([*(u**k for k in range(4)), v, u * v], axis=-1)
    keep = np.flatnonzero(side)
    solution = np.zeros(basis.shape[1])
    for _ in range(6):  # stars beside the trace are clipped away
        solution = np.linalg.lstsq(basis[keep], strip.value[keep], rcond=None)[0]
        residual = (strip.value - basis @ solution)[side]
        spread = 1.4826 * float(np.median(np.abs(residual - np.median(residual)))) or 1.0
        keep = np.flatnonzero(side)[np.abs(residual) < 3 * spread]
    return basis @ solution


def refine_direction(
    image: Floats, variance: Floats, usable: Mask, trace: Trace, aperture: Aperture
) -> tuple[float, float]:
    """Measure by how much the trace is turned from where it should be.

    The line goes through the undispersed image; its slope is fitted to the centres of parts of the trace.

    Parameters
    ----------
    image, variance : `numpy.ndarray`
        Pixels (electrons) and their variance, [y, x].
    usable : `numpy.ndarray`
        Pixels that measure light.
    trace : `~harness.instrument.dispersion.Trace`
        Where it should be.
    aperture : `Aperture`
        Where to look.

    Returns
    -------
    angle, error : `float`
        Degrees to add to the direction of the trace (from +x towards +y), and the standard error.

    Raises
    ------
    SpectrumError
        If no part of the trace has enough light, or the trace lies outside the image.
    """
    strip = _Strip.cut(image, variance, usable, trace, aperture)
    light = strip.value - _background(strip, aperture)
    parts = (strip.bins * SEGMENTS) // strip.n
    near = (np.abs(strip.across) <= aperture.inner) & strip.usable
    along, centres, errors = [], [], []
    for part in range(SEGMENTS):
        here = near & (parts == part)
        centre = _centre(strip.across[here], light[here], strip.variance[here], aperture.reach)
        if centre is not None:
            along.append(float(np.mean(strip.along[here])))
            centres.append(centre[0])
            errors.append(centre[1])
    if len(along) < 2:
        raise SpectrumError("trace", "no light along the trace")
    s, c, e = (np.array(v) for v in (along, centres, errors))
    e = np.hypot(e, 0.02)
    keep = np.ones(len(s), bool)
    slope = error = 0.0
    for _ in range(3):
        weight = keep / e**2
        slope = float(np.sum(weight * s * c) / np.sum(weight * s**2))
        error = float(1 / np.sqrt(np.sum(weight * s**2)))
        residual = np.abs(c - slope * s)
        keep = residual <= 4 * np.maximum(e, 1.4826 * float(np.median(residual[keep])))
    return float(np.degrees(np.arctan(slope))), float(np.degrees(error))


def _centre(across: Floats, light: Floats, variance: Floats, reach: float) -> tuple[float, float] | None:
    """Return centre and error of the light across a part of a trace; `None` if there is too little."""
    step = 0.5
    number = np.rint(across / step).astype(np.int64)
    low = int(number.min())
    count = np.bincount(number - low)
    level = np.bincount(number - low, light) / np.maximum(count, 1)
    noise = np.sqrt(np.bincount(number - low, variance)) / np.maximum(count, 1)
    smooth = ndimage.gaussian_filter1d(level, 2.0)
    peak = int(np.argmax(smooth))
    if smooth[peak] < 5 * noise[peak] / np.sqrt(2 * np.sqrt(np.pi) * 2.0):
        return None
    centre, error = (peak + low) * step, 0.0
    for _ in range(5):  # moments in a Gaussian window that follows the centre
        window = np.exp(-0.5 * ((across - centre) / (reach / 3)) ** 2)
        total = float(np.sum(window * light))
        if total <= 0:
            return None
        centre += 2 * float(np.sum(window * light * (across - centre))) / total
        error = 2 * float(np.sqrt(np.sum(window**2 * variance * (across - centre) ** 2))) / total
    return (centre, error) if abs(centre - (peak + low) * step) < reach else None


def extract(image: Floats, variance: Floats, usable: Mask, trace: Trace, aperture: Aperture) -> Extracted:
    """Extract the flux along a trace, each pixel weighted by its part of the profile and its noise.

    Parameters
    ----------
    image, variance : `numpy.ndarray`
        Pixels (electrons) and their variance, [y, x].
    usable : `numpy.ndarray`
        Pixels that measure light.
    trace : `~harness.instrument.dispersion.Trace`
        The trace.
    aperture : `Aperture`
        Which pixels take part.

    Returns
    -------
    extracted : `Extracted`
        The samples, in order.

    Raises
    ------
    SpectrumError
        If the trace lies outside the image, or has no light.
    """
    strip = _Strip.cut(image, variance, usable, trace, aperture)
    background = _background(strip, aperture)
    light = strip.value - background
    inside = np.abs(strip.across) <= aperture.reach
    good = inside & strip.usable
    flux = strip.sum(np.where(inside, light, 0.0))
    profile = np.zeros_like(light)
    for _ in range(3):
        profile = _profile(strip, light, flux, good, aperture.reach)
        weight = np.where(good, profile / strip.variance, 0.0)
        norm = strip.sum(weight * profile)
        with np.errstate(invalid="ignore", divide="ignore"):
            flux = np.where(norm > 0, strip.sum(weight * light) / norm, 0.0)
    share = strip.sum(np.where(good, profile, 0.0)) / np.maximum(strip.sum(np.where(inside, profile, 0.0)), 1e-9)
    here = norm > 0
    mean = np.maximum(norm, 1e-300)
    along = (strip.sum(weight * profile * strip.along) / mean)[here]
    return Extracted(
        along=along,
        flux=flux[here],
        error=1 / np.sqrt(norm[here]),
        background=(strip.sum(weight * profile * background) / mean)[here],
        flag=(share < 0.8)[here] | _cut_off(trace, along, aperture.reach / 2, image.shape),
    )


def _cut_off(trace: Trace, along: Floats, reach: float, shape: tuple[int, ...]) -> Mask:
    """Return where the trace is so near to an edge of the image that a part of its width is lost."""
    x, y = trace.point(along)
    dx, dy = trace.direction
    out = np.zeros(len(along), bool)
    for side in (-reach, reach):
        px, py = x - side * dy, y + side * dx
        out |= (px < -0.5) | (px > shape[1] - 0.5) | (py < -0.5) | (py > shape[0] - 0.5)
    return out


def _profile(strip: _Strip, light: Floats, flux: Floats, good: Mask, reach: float) -> Floats:
    """Measure the profile across the trace, and return its value at each pixel: not negative, of unit area."""
    grid = np.arange(-reach - PROFILE_STEP, reach + 2 * PROFILE_STEP, PROFILE_STEP)
    error = np.sqrt(strip.sum(np.where(good, strip.variance, 0.0)))
    bright = (flux > 10 * error)[strip.bins]
    if (good & bright).sum() < 10 * len(grid):
        bright = (flux > np.percentile(flux, 50))[strip.bins]
    use = good & bright & (flux[strip.bins] > 0)
    if not use.any():
        raise SpectrumError("extract", "no light along the trace")
    ratio = light[use] / flux[strip.bins][use]
    number = np.clip(np.rint((strip.across[use] - grid[0]) / PROFILE_STEP).astype(np.int64), 0, len(grid) - 1)
    order = np.argsort(number, kind="stable")
    edges = np.searchsorted(number[order], np.arange(len(grid) + 1))
    value = np.zeros(len(grid))
    known = np.zeros(len(grid), bool)
    for k in range(len(grid)):
        members = ratio[order[edges[k] : edges[k + 1]]]
        if len(members) >= 3:
            value[k], known[k] = float(np.median(members)), True
    value = np.maximum(np.interp(grid, grid[known], value[known]), 0.0) if known.any() else value
    value[np.abs(grid) > reach] = 0.0
    value /= np.trapezoid(value, grid)
    out: Floats = np.interp(strip.across, grid, value, left=0.0, right=0.0)
    return out
