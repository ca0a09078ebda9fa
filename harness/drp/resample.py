"""Resampling of images from one pixel grid to another."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.interpolate import RectBivariateSpline

from .sources import Floats, Mask

__all__ = ["Resampled", "noise_factor", "resample"]

_STEP = 16
"""Pixels between the points at which the mapping is computed; between them it is interpolated with cubic splines
(1e-4 pixels and better for the optics of a camera)."""

_PHASES = 64
_EDGE = 1e-6


@dataclasses.dataclass(frozen=True)
class Resampled:
    """A part of the target grid, filled.

    Parameters
    ----------
    rows, columns : `slice`
        Where it lies in the target grid.
    image, variance : `numpy.ndarray`
        Resampled pixels and their variance; 0 where there are none.
    valid : `numpy.ndarray`
        Where the source image reaches.
    masks : `numpy.ndarray`
        For each plane whether a pixel of the source that it marks contributes, shape (planes, rows, columns).
    """

    rows: slice
    columns: slice
    image: NDArray[np.float32]
    variance: NDArray[np.float32]
    valid: Mask
    masks: Mask


def noise_factor(phase: Floats) -> Floats:
    """Return how much of a pixel's variance cubic spline interpolation leaves at a fraction of a pixel.

    Parameters
    ----------
    phase : `numpy.ndarray`
        Positions (pixels); only their fractions count.

    Returns
    -------
    factor : `numpy.ndarray`
        1 on pixel centres, least between them, in one dimension.
    """
    index = np.rint((phase - np.floor(phase)) * _PHASES).astype(np.int64)
    return _FACTORS[index]


def _factors() -> Floats:
    """Tabulate the sum of squares of the cardinal cubic spline over the pixels, by phase."""
    impulse = np.zeros(65)
    impulse[32] = 1.0
    phases = np.arange(_PHASES + 1) / _PHASES
    offsets = np.arange(-16, 17)
    values = ndimage.map_coordinates(impulse, [(32 + offsets[None, :] + phases[:, None]).ravel()], order=3)
    out: Floats = np.sum(values.reshape(len(phases), -1) ** 2, axis=1)
    return out


_FACTORS = _factors()


def resample(
    image: NDArray[np.float32],
    variance: NDArray[np.float32],
    masks: Mask,
    mapping: Callable[[Floats, Floats], tuple[Floats, Floats]],
    target: tuple[int, int],
    corners: tuple[Floats, Floats],
) -> Resampled | None:
    """Resample an image of fluxes per pixel onto another grid with cubic splines.

    Fluxes follow the area of pixels, so that the sum over a source stays what it was.

    Parameters
    ----------
    image, variance : `numpy.ndarray`
        Source pixels without gaps, shape (ny, nx).
    masks : `numpy.ndarray`
        Planes of the source's mask, shape (planes, ny, nx).
    mapping : `~collections.abc.Callable`
        From x and y of the target grid to x and y of the source.
    target : `tuple` [`int`, `int`]
        Rows and columns of the target grid.
    corners : `tuple` [`numpy.ndarray`, `numpy.ndarray`]
        x and y, on the target grid, of points around the edge of the source.

    Returns
    -------
    result : `Resampled` or `None`
        `None` if the source does not reach the target grid.
    """
    ny, nx = target
    x0, x1 = max(0, int(np.floor(corners[0].min())) - 1), min(nx, int(np.ceil(corners[0].max())) + 2)
    y0, y1 = max(0, int(np.floor(corners[1].min())) - 1), min(ny, int(np.ceil(corners[1].max())) + 2)
    if x0 >= x1 or y0 >= y1:
        return None
    xs, ys = np.arange(x0, x1, dtype=float), np.arange(y0, y1, dtype=float)
    knots_x, knots_y = _knots(xs), _knots(ys)
    grid_x, grid_y = np.meshgrid(knots_x, knots_y)
    source_x, source_y = mapping(grid_x.ravel(), grid_y.ravel())
    spline_x, spline_y = (
        RectBivariateSpline(knots_y, knots_x, np.asarray(s).reshape(grid_x.shape), kx=3, ky=3)
        for s in (source_x, source_y)
    )
    sx, sy = spline_x(ys, xs), spline_y(ys, xs)
    # Jacobian of the mapping: source pixels per target pixel.
    area = np.abs(spline_x(ys, xs, dy=1) * spline_y(ys, xs, dx=1) - spline_x(ys, xs, dx=1) * spline_y(ys, xs, dy=1))
    height, width = image.shape
    # Pixels on the very edge are there, whatever rounding says.
    valid: Mask = (sx >= -_EDGE) & (sx <= width - 1 + _EDGE) & (sy >= -_EDGE) & (sy <= height - 1 + _EDGE)
    if not valid.any():
        return None
    at = np.stack([np.clip(sy[valid], 0, height - 1), np.clip(sx[valid], 0, width - 1)])
    pixels = ndimage.map_coordinates(image, at, order=3, mode="nearest")
    noise = ndimage.map_coordinates(variance, at, order=1, mode="nearest")
    noise *= noise_factor(at[0]) * noise_factor(at[1])
    out, out_variance = (np.zeros(valid.shape, np.float32) for _ in range(2))
    out[valid] = pixels * area[valid]
    out_variance[valid] = noise * area[valid] ** 2
    low = np.floor(at).astype(np.int64)
    high = np.minimum(low + 1, np.array([[height - 1], [width - 1]]))
    touched = np.zeros((len(masks), *valid.shape), bool)
    for plane, mask in zip(touched, masks, strict=True):
        if mask.any():
            plane[valid] = mask[low[0], low[1]] | mask[low[0], high[1]] | mask[high[0], low[1]] | mask[high[0], high[1]]
    return Resampled(slice(y0, y1), slice(x0, x1), out, out_variance, valid, touched)


def _knots(values: Floats) -> Floats:
    """Return evenly spaced points from the first to the last value, at least four."""
    n = max(4, int(np.ceil((values[-1] - values[0]) / _STEP)) + 1)
    last = values[-1] if values[-1] > values[0] else values[0] + 1.0
    return np.linspace(values[0], last, n)
