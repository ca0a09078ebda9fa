"""Finding and measuring sources on an image: positions, sizes, PSF and aperture fluxes."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import sep
from numpy.typing import NDArray

__all__ = ["Shapes", "adaptive_moments", "detect", "psf_photometry", "stamps", "windowed_positions"]

Floats = NDArray[np.float64]
Image = NDArray[np.float32] | Floats
Mask = NDArray[np.bool_]


def detect(image: Image, variance: Image, mask: Mask, threshold: float, *, sigma: float = 1.0) -> tuple[Any, Mask]:
    """Detect sources.

    Parameters
    ----------
    image : `numpy.ndarray`
        Background-subtracted pixels, shape (ny, nx).
    variance : `numpy.ndarray`
        Their variance.
    mask : `numpy.ndarray`
        Pixels without a measurement.
    threshold : `float`
        Least significance of a pixel after filtering with a Gaussian.
    sigma : `float`, optional
        Standard deviation of the Gaussian (pixels).

    Returns
    -------
    sources : `numpy.ndarray`
        The structured array of `sep.extract`.
    detected : `numpy.ndarray`
        Mask of the pixels that belong to sources.
    """
    radius = max(1, int(np.ceil(2.5 * sigma)))
    axis = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    sources, segments = sep.extract(
        np.ascontiguousarray(image, np.float32),
        threshold,
        var=np.ascontiguousarray(variance, np.float32),
        mask=mask,
        minarea=3,
        filter_kernel=np.outer(axis, axis),
        filter_type="matched",
        deblend_nthresh=16,
        deblend_cont=0.005,
        # "Cleaning" takes faint sources for the wings of bright ones tens of pixels away: it removed half of them.
        clean=False,
        segmentation_map=True,
    )
    return sources, segments > 0


def windowed_positions(image: Image, mask: Mask, x: Floats, y: Floats, sigma: float) -> tuple[Floats, Floats, Mask]:
    """Refine positions with a Gaussian window.

    Parameters
    ----------
    image : `numpy.ndarray`
        Background-subtracted pixels.
    mask : `numpy.ndarray`
        Pixels without a measurement.
    x, y : `numpy.ndarray`
        First positions (pixels).
    sigma : `float`
        Standard deviation of the window (pixels).

    Returns
    -------
    x, y : `numpy.ndarray`
        Refined positions; the first ones where no refinement is possible or it moves further than 2 pixels.
    failed : `numpy.ndarray`
        Where the first ones were kept.
    """
    if not len(x):
        return x, y, np.zeros(0, bool)
    data = np.ascontiguousarray(image, np.float32)
    wx, wy, flag = sep.winpos(data, x, y, np.full(len(x), sigma), mask=mask)
    failed = ~np.isfinite(wx) | ~np.isfinite(wy) | (np.hypot(wx - x, wy - y) > 2.0) | (flag & sep.APER_TRUNC > 0)
    return np.where(failed, x, wx), np.where(failed, y, wy), failed


def stamps(
    image: Image | Mask, x: Floats, y: Floats, radius: int, fill: float = 0.0
) -> tuple[NDArray[np.float64], Floats, Floats]:
    """Cut out square stamps around positions.

    Parameters
    ----------
    image : `numpy.ndarray`
        Image, shape (ny, nx).
    x, y : `numpy.ndarray`
        Positions, shape (n,).
    radius : `int`
        Half-width of the stamps: they have 2 radius + 1 pixels on a side.
    fill : `float`, optional
        Value beyond the edges.

    Returns
    -------
    cut : `numpy.ndarray`
        Shape (n, side, side).
    dx, dy : `numpy.ndarray`
        Offsets of the stamps' columns and rows from the positions, shape (n, side).
    """
    ix, iy = np.rint(x).astype(np.int64), np.rint(y).astype(np.int64)
    grid = np.arange(-radius, radius + 1)
    padded = np.pad(np.asarray(image, np.float64), radius + 1, constant_values=fill)
    ny, nx = padded.shape
    rows = np.clip(iy[:, None] + grid + radius + 1, 0, ny - 1)
    columns = np.clip(ix[:, None] + grid + radius + 1, 0, nx - 1)
    cut = padded[rows[:, :, None], columns[:, None, :]]
    return cut, grid + (ix - x)[:, None], grid + (iy - y)[:, None]


@dataclasses.dataclass(frozen=True)
class Shapes:
    """Gaussian-weighted second moments of sources.

    Parameters
    ----------
    xx, yy, xy : `numpy.ndarray`
        Moments (pixels²), with the weight's own width taken out; NaN where the iteration failed.
    """

    xx: Floats
    yy: Floats
    xy: Floats

    @property
    def sigma(self) -> Floats:
        """Standard deviation of the round Gaussian of the same area (pixels)."""
        area = self.xx * self.yy - self.xy**2
        return np.where(area > 0, np.abs(area), np.nan) ** 0.25


def adaptive_moments(image: Image, x: Floats, y: Floats, *, sigma: float = 1.0, iterations: int = 12) -> Shapes:
    """Measure second moments with a round Gaussian weight that adapts to each source.

    Parameters
    ----------
    image : `numpy.ndarray`
        Background-subtracted pixels.
    x, y : `numpy.ndarray`
        Positions (pixels).
    sigma : `float`, optional
        First width of the weights (pixels).
    iterations : `int`, optional
        How often they are adapted.

    Returns
    -------
    shapes : `Shapes`
        For a Gaussian source its true moments, for a PSF with wings about those of its core.
    """
    n = len(x)
    cut, dx, dy = stamps(image, x, y, radius=10)
    width2 = np.full(n, sigma**2)
    xx = yy = xy = np.full(n, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        for _ in range(iterations):
            gx = np.exp(-0.5 * dx**2 / width2[:, None])
            gy = np.exp(-0.5 * dy**2 / width2[:, None])
            # Moments of a separable weight: contractions with the rows and the columns.
            along = np.einsum("nij,nj->ni", cut, gx)
            total = np.einsum("ni,ni->n", along, gy)
            myy = np.einsum("ni,ni->n", along, gy * dy**2) / total
            along_x = np.einsum("nij,nj->ni", cut, gx * dx**2)
            mxx = np.einsum("ni,ni->n", along_x, gy) / total
            cross = np.einsum("nij,nj->ni", cut, gx * dx)
            mxy = np.einsum("ni,ni->n", cross, gy * dy) / total
            # The product of two Gaussians has the inverse of the sum of their inverse widths; the
            # off-diagonal term is taken to first order.
            xx = 1 / (1 / mxx - 1 / width2)
            yy = 1 / (1 / myy - 1 / width2)
            xy = mxy * (xx / mxx) * (yy / myy)
            bad = (total <= 0) | (xx <= 0) | (yy <= 0) | (xx > 100) | (yy > 100) | ~np.isfinite(xx + yy)
            width2 = np.where(bad, width2, np.clip((xx + yy) / 2, 0.25, 25.0))
            xx, yy, xy = (np.where(bad, np.nan, m) for m in (xx, yy, xy))
    return Shapes(xx, yy, xy)


def psf_photometry(
    image: Image, variance: Image, mask: Mask, x: Floats, y: Floats, sigma: float
) -> tuple[Floats, Floats, Mask]:
    """Fit the flux of a round Gaussian of known width at given positions.

    The weights do not depend on the pixels' own noise, so that bright and faint stars are weighted alike and a
    PSF that is no exact Gaussian biases all of them by the same factor.

    Parameters
    ----------
    image : `numpy.ndarray`
        Background-subtracted pixels.
    variance : `numpy.ndarray`
        Their variance.
    mask : `numpy.ndarray`
        Pixels that are left out.
    x, y : `numpy.ndarray`
        Positions (pixels).
    sigma : `float`
        Standard deviation of the PSF (pixels).

    Returns
    -------
    flux, error : `numpy.ndarray`
        In units of the image; NaN where nothing could be fitted.
    masked : `numpy.ndarray`
        Where pixels within 2 sigma were left out or lie beyond the edges.
    """
    radius = int(np.ceil(4 * sigma))
    cut, dx, dy = stamps(image, x, y, radius)
    var, _, _ = stamps(variance, x, y, radius)
    good = stamps(~mask, x, y, radius)[0] > 0
    norm = 1 / (2 * np.pi * sigma**2)
    profile = norm * np.exp(-0.5 * (dx[:, None, :] ** 2 + dy[:, :, None] ** 2) / sigma**2)
    weight = profile * good
    with np.errstate(invalid="ignore", divide="ignore"):
        power = np.einsum("nij,nij->n", weight, profile)
        flux = np.einsum("nij,nij->n", weight, np.where(good, cut, 0.0)) / power
        error = np.sqrt(np.einsum("nij,nij->n", weight**2, np.where(good, var, 0.0))) / power
    core = dx[:, None, :] ** 2 + dy[:, :, None] ** 2 <= (2 * sigma) ** 2
    masked = (core & ~good).any(axis=(1, 2))
    usable = power > 0.5 * norm / 2
    return np.where(usable, flux, np.nan), np.where(usable, error, np.nan), masked
