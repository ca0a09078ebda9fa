"""Work on the pixels of one detector: overscan, cosmic rays, interpolation, background."""

from __future__ import annotations

import numpy as np
import sep
from numpy.typing import NDArray
from scipy import ndimage

from ..errors import HarnessError

__all__ = ["chebyshev_background", "chebyshev_surface", "cosmic_rays", "fill", "overscan_level"]

Floats = NDArray[np.float64]
Image = NDArray[np.float32] | Floats
Mask = NDArray[np.bool_]


def overscan_level(overscan: Image, order: int) -> Floats:
    """Fit a polynomial to an amplifier's serial overscan.

    A fit and not the row's own median: binned raws have overscans of two columns, whose noise would be written
    into every row.

    Parameters
    ----------
    overscan : `numpy.ndarray`
        Overscan pixels (ADU), shape (rows, columns).
    order : `int`
        Order of the polynomial in the row.

    Returns
    -------
    level : `numpy.ndarray`
        Bias level of each row (ADU), shape (rows, 1).

    Raises
    ------
    HarnessError
        If there are no overscan pixels.
    """
    if not overscan.size:
        raise HarnessError("an amplifier has no overscan pixels", remedy="check the raw geometry of the camera")
    rows = np.linspace(-1.0, 1.0, overscan.shape[0])
    level: Floats = np.median(np.asarray(overscan, np.float64), axis=1)
    keep = np.ones(len(level), bool)
    fit = np.polynomial.Chebyshev.fit(rows, level, order, domain=[-1, 1])
    for _ in range(2):
        residual = level - fit(rows)
        keep = np.abs(residual) <= 4 * max(float(np.std(residual[keep])), 1e-6)
        fit = np.polynomial.Chebyshev.fit(rows[keep], level[keep], order, domain=[-1, 1])
    return np.asarray(fit(rows), np.float64)[:, None]


def cosmic_rays(image: Image, variance: Image, ignore: Mask, *, min_fwhm: float = 2.0, threshold: float = 6.0) -> Mask:
    """Find pixels that are sharper than any star can be.

    A pixel is hit if along some direction the mean of its two neighbours stands less above the sky than the
    narrowest possible PSF would make it. Neighbours of a hit pixel need only half the threshold.

    Parameters
    ----------
    image : `numpy.ndarray`
        Pixels with the sky in them (electrons), shape (ny, nx).
    variance : `numpy.ndarray`
        Their variance.
    ignore : `numpy.ndarray`
        Pixels that are known to be bad.
    min_fwhm : `float`, optional
        FWHM (pixels) below which nothing on the sky can be.
    threshold : `float`, optional
        Significance in standard deviations.

    Returns
    -------
    hit : `numpy.ndarray`
        Mask of the hit pixels.
    """
    if ignore.all():
        return np.zeros(image.shape, bool)
    # The sky as it is here: above a falling sky everything would look sharp.
    sky = sep.Background(np.ascontiguousarray(image, np.float32), mask=ignore, bw=32, bh=32).back()
    above = np.where(ignore, 0.0, image - sky)
    padded = np.pad(above, 1, mode="edge")
    noise = np.pad(np.asarray(variance, np.float64), 1, mode="edge")
    sigma2 = (min_fwhm / 2.3548) ** 2
    ny, nx = above.shape
    significance = np.full(above.shape, -np.inf)
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        # A star's two opposite neighbours hold on average at least this share of the central pixel.
        share = np.exp(-(dy * dy + dx * dx) / (2 * sigma2))
        ahead = (slice(1 + dy, 1 + dy + ny), slice(1 + dx, 1 + dx + nx))
        behind = (slice(1 - dy, 1 - dy + ny), slice(1 - dx, 1 - dx + nx))
        pair = (padded[ahead] + padded[behind]) / 2
        error = np.sqrt(share**2 * variance + (noise[ahead] + noise[behind]) / 4)
        np.maximum(significance, (share * above - pair) / error, out=significance)
    significance[ignore] = -np.inf
    hit: Mask = significance > threshold
    for _ in range(3):
        grown = ndimage.binary_dilation(hit, np.ones((3, 3), bool)) & (significance > threshold / 2)
        if not (grown & ~hit).any():
            break
        hit |= grown
    return hit


def fill(image: NDArray[np.float32], bad: Mask, *, sigma: float = 1.0) -> None:
    """Replace bad pixels in place by a Gaussian-weighted mean of good ones around them.

    Parameters
    ----------
    image : `numpy.ndarray`
        Pixels, changed.
    bad : `numpy.ndarray`
        Pixels to replace. What lies too far from any good pixel becomes the median of the good ones.
    sigma : `float`, optional
        Width of the weights (pixels).
    """
    if not bad.any() or bad.all():
        return
    good = (~bad).astype(np.float32)
    weight = ndimage.gaussian_filter(good, sigma, mode="nearest")
    smooth = ndimage.gaussian_filter(np.where(bad, np.float32(0), image), sigma, mode="nearest")
    near = bad & (weight > 1e-3)
    image[near] = smooth[near] / weight[near]
    far = bad & ~near
    image[far] = np.median(image[~bad])


def chebyshev_surface(coefficients: Floats, shape: tuple[int, int]) -> Floats:
    """Evaluate a two-dimensional Chebyshev polynomial on all pixels of an image.

    Parameters
    ----------
    coefficients : `numpy.ndarray`
        Element [p, q] multiplies T_p(y) T_q(x); the edges of the image are at -1 and 1.
    shape : `tuple` [`int`, `int`]
        Rows and columns.
    """
    y, x = (((np.arange(n) + 0.5) / n * 2 - 1) for n in shape)
    return np.asarray(np.polynomial.chebyshev.chebgrid2d(y, x, coefficients), np.float64)


def chebyshev_background(image: Image, ignore: Mask, *, order: int = 2, cell: int = 32) -> Floats:
    """Fit a smooth background to an image full of sources.

    Parameters
    ----------
    image : `numpy.ndarray`
        Pixels, shape (ny, nx).
    ignore : `numpy.ndarray`
        Pixels to leave out: bad ones and, once known, those of sources.
    order : `int`, optional
        Highest order in each direction, and of their sum.
    cell : `int`, optional
        Side of the cells (pixels) that are averaged before the fit.

    Returns
    -------
    coefficients : `numpy.ndarray`
        See `chebyshev_surface`; shape (order + 1, order + 1).

    Raises
    ------
    HarnessError
        If too little of the image is usable, or it is too small.
    """
    ny, nx = image.shape
    if (~ignore).mean() < 0.2:
        raise HarnessError("less than a fifth of the image is usable for its background", code="background")
    # Clipped modes in cells, in C; at the centres of cells the interpolated map is the cell's own value.
    mesh = sep.Background(np.ascontiguousarray(image, np.float32), mask=ignore, bw=cell, bh=cell, fw=1, fh=1).back()
    rows, columns = (np.arange(n // cell or 1) * min(cell, n) + min(cell, n) // 2 for n in image.shape)
    value = np.asarray(mesh[np.ix_(rows, columns)], np.float64).ravel()
    ys, xs = (v.ravel() for v in np.meshgrid((2 * rows + 1) / ny - 1, (2 * columns + 1) / nx - 1, indexing="ij"))
    basis = np.polynomial.chebyshev.chebvander2d(ys, xs, [order, order])
    p, q = (a.ravel() for a in np.indices((order + 1, order + 1)))
    use = p + q <= order
    if len(value) < use.sum():
        raise HarnessError(f"an image of {nx} × {ny} pixels is too small for its background", code="background")
    keep = np.ones(len(value), bool)
    solution = np.zeros((order + 1) ** 2)
    for _ in range(3):
        solution[use] = np.linalg.lstsq(basis[keep][:, use], value[keep], rcond=None)[0]
        residual = value - basis @ solution
        keep = np.abs(residual) <= 3 * np.std(residual[keep]) + 1e-12
    return solution.reshape(order + 1, order + 1)
