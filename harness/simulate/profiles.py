"""Profiles of stars and galaxies as sums of Gaussians, and their rendering on pixels.

The PSF is a double Gaussian, a galaxy a sum of three that follows an exponential disk: convolving one with the
other only adds covariances, so nothing is convolved numerically. The PSF is meant to include the pixel: light
is evaluated at the centres of pixels. With a FWHM of at least `MIN_FWHM` pixels the sum over pixels equals the
flux to 1e-6.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..instrument.camera import Floats

__all__ = ["FWHM_PER_SIGMA", "MIN_FWHM", "psf_components", "render", "stamp_radius"]

MIN_FWHM = 2.2
"""Smallest FWHM (pixels) that is rendered; narrower ones are widened to stay sampled."""

WING_FRACTION, WING_RATIO = 0.1, 2.0
"""Share of the light in the wide Gaussian of the PSF, and its width relative to the narrow one; an assumption."""

FWHM_PER_SIGMA = 2.386701676985813
"""FWHM of the PSF over the standard deviation of its narrow Gaussian: numerical root for the two numbers above."""

DISK_WEIGHTS = np.array([0.15208435, 0.53520114, 0.31271451])
DISK_SIGMAS = np.array([0.35313288, 0.81035702, 1.47778104])
"""Three Gaussians for an exponential profile of half-light radius 1: own least-squares fit to the enclosed
flux out to 6 radii, largest error 0.4 % of the flux."""

TAIL_FRACTION, TAIL_ELECTRONS = 1e-4, 5.0
"""Light that a stamp may leave out: this fraction of the flux or so many electrons, whichever is less."""

_CHUNK = 1 << 17


def psf_components(fwhm: float) -> tuple[Floats, Floats]:
    """Return weights and variances (pixels²) of the Gaussians of a PSF.

    Parameters
    ----------
    fwhm : `float`
        FWHM (pixels).
    """
    core = (fwhm / FWHM_PER_SIGMA) ** 2
    return np.array([1 - WING_FRACTION, WING_FRACTION]), np.array([core, core * WING_RATIO**2])


def stamp_radius(electrons: Floats, weights: Floats, sigma: Floats) -> NDArray[np.int64]:
    """Return the half-width of the stamp that each source needs (pixels), rounded up on a geometric ladder.

    Parameters
    ----------
    electrons : `numpy.ndarray`
        Flux of each source (electrons), shape (n,).
    weights : `numpy.ndarray`
        Share of each Gaussian, shape (k,).
    sigma : `numpy.ndarray`
        Largest standard deviation of each Gaussian (pixels), shape (n, k).
    """
    tail = np.minimum(TAIL_FRACTION, TAIL_ELECTRONS / np.maximum(electrons, TAIL_ELECTRONS))
    reach = np.sqrt(2 * np.log(np.maximum(weights / tail[:, None], 1.0)))
    radius = np.max(sigma * reach, axis=1) + 0.5
    # Few different sizes, so that sources are rendered together: 5, 6, 8, 10, 12, 15 …
    step = np.ceil(4 * np.log2(np.maximum(radius, 5.0) / 5.0))
    return np.ceil(5.0 * 2 ** (step / 4)).astype(np.int64)


def render(
    shape: tuple[int, int],
    x: Floats,
    y: Floats,
    electrons: Floats,
    covariance: Floats | None,
    fwhm: float,
    out: Floats | None = None,
) -> Floats:
    """Add up the images of sources of one kind.

    Parameters
    ----------
    shape : `tuple` [`int`, `int`]
        Rows and columns of the image.
    x, y : `numpy.ndarray`
        Positions (pixels; the centre of the first pixel is 0), shape (n,); may lie outside the image.
    electrons : `numpy.ndarray`
        Fluxes (electrons), shape (n,).
    covariance : `numpy.ndarray` or `None`
        For galaxies the matrix of the ellipse that holds half of the light: xx, xy, yy (pixels², the squared
        radius along an axis), shape (n, 3). `None` for point sources.
    fwhm : `float`
        FWHM of the PSF (pixels).
    out : `numpy.ndarray`, optional
        Image to add to; by default a new one.

    Returns
    -------
    image : `numpy.ndarray`
        Electrons, float64, [y, x].
    """
    image = np.zeros(shape) if out is None else out
    psf_weights, psf_variances = psf_components(fwhm)
    if covariance is None:
        weights = psf_weights
        cov = np.zeros((len(x), len(weights), 3))
        cov[:, :, 0] = cov[:, :, 2] = psf_variances
    else:
        weights = np.outer(DISK_WEIGHTS, psf_weights).ravel()
        cov = np.repeat(covariance[:, None, :] * (DISK_SIGMAS**2)[:, None], len(psf_weights), axis=1)
        cov[:, :, [0, 2]] += np.tile(psf_variances, len(DISK_WEIGHTS))[:, None]
    half = (cov[..., 0] + cov[..., 2]) / 2
    spread = np.hypot((cov[..., 0] - cov[..., 2]) / 2, cov[..., 1])
    radius = stamp_radius(electrons, weights, np.sqrt(half + spread))

    ix, iy = np.rint(x).astype(np.int64), np.rint(y).astype(np.int64)
    ny, nx = shape
    seen = (ix + radius >= 0) & (ix - radius < nx) & (iy + radius >= 0) & (iy - radius < ny)
    for r in np.unique(radius[seen]):
        members = np.flatnonzero(seen & (radius == r))
        size = 2 * int(r) + 1
        step = max(1, _CHUNK // size**2)
        for start in range(0, len(members), step):
            m = members[start : start + step]
            grid = np.arange(-r, r + 1)
            stamps = _stamps(grid - (x[m] - ix[m])[:, None], grid - (y[m] - iy[m])[:, None], weights, cov[m])
            stamps *= electrons[m, None, None]
            _add(image, stamps, ix[m] - r, iy[m] - r)
    return image


def _stamps(dx: Floats, dy: Floats, weights: Floats, cov: Floats) -> Floats:
    """Return unit-flux images (n, size, size) for offsets (n, size) from the centres and covariances (n, k, 3)."""
    xx, xy, yy = cov[..., 0], cov[..., 1], cov[..., 2]
    determinant = xx * yy - xy**2
    amplitude = weights / (2 * np.pi * np.sqrt(determinant))
    if not xy.any():  # round: outer products of one-dimensional Gaussians
        gx = np.exp(-0.5 * dx[:, None, :] ** 2 / xx[..., None])
        gy = np.exp(-0.5 * dy[:, None, :] ** 2 / yy[..., None]) * amplitude[..., None]
        out: Floats = np.matmul(gy.transpose(0, 2, 1), gx)
        return out
    a, b, c = -0.5 * yy / determinant, xy / determinant, -0.5 * xx / determinant
    total = np.zeros((len(dx), dy.shape[1], dx.shape[1]))
    product = dy[:, :, None] * dx[:, None, :]
    work = np.empty_like(total)
    for k in range(len(weights)):
        np.multiply(product, b[:, k, None, None], out=work)
        work += (a[:, k, None] * dx**2)[:, None, :]
        work += (c[:, k, None] * dy**2 + np.log(amplitude[:, k, None]))[:, :, None]
        np.exp(work, out=work)
        total += work
    return total


def _add(image: Floats, stamps: Floats, x0: NDArray[np.int64], y0: NDArray[np.int64]) -> None:
    """Add stamps to an image, cut at its edges.

    A slice per stamp is faster than ``numpy.add.at`` or ``bincount`` over all their pixels (measured).
    """
    ny, nx = image.shape
    size = stamps.shape[1]
    for stamp, sx, sy in zip(stamps, x0.tolist(), y0.tolist(), strict=True):
        left, low = max(0, -sx), max(0, -sy)
        right, high = min(size, nx - sx), min(size, ny - sy)
        image[sy + low : sy + high, sx + left : sx + right] += stamp[low:high, left:right]
