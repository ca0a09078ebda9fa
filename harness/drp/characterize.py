"""The PSF of an image, and point-source fluxes that mean the whole light of a star."""

from __future__ import annotations

import dataclasses

import numpy as np
import sep
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from .matching import clipped_mean
from .sources import Floats, Image, Mask, adaptive_moments, psf_photometry, windowed_positions

__all__ = ["Photometry", "Psf", "aperture_flux", "measure", "measure_psf"]

APERTURE_SIGMAS = 4.5
"""Radius of the aperture that stands for all of a star's light, in standard deviations of the PSF's core.

It scales with the PSF, so the little that it leaves outside is the same share in all images, and the zero points
take it up."""


@dataclasses.dataclass(frozen=True)
class Psf:
    """A round Gaussian PSF and its aperture correction.

    Parameters
    ----------
    sigma : `float`
        Standard deviation (pixels).
    correction : `float`
        Factor from a Gaussian's fitted flux to the whole light of a star.
    correction_error : `float`
        Its standard error.
    n_stars : `int`
        Stars that it was measured from.
    """

    sigma: float
    correction: float
    correction_error: float
    n_stars: int


@dataclasses.dataclass(frozen=True)
class Photometry:
    """Measurements of sources, one element each, in units of the image.

    Parameters
    ----------
    x, y : `numpy.ndarray`
        Positions (pixels).
    flux, error : `numpy.ndarray`
        Flux of a point source with its standard error.
    aperture, aperture_error : `numpy.ndarray`
        Flux within `APERTURE_SIGMAS`.
    xx, yy, xy : `numpy.ndarray`
        Adaptive second moments (pixels²).
    masked : `numpy.ndarray`
        Whether pixels in the core were left out.
    centroid_failed : `numpy.ndarray`
        Whether the position could not be refined.
    """

    x: Floats
    y: Floats
    flux: Floats
    error: Floats
    aperture: Floats
    aperture_error: Floats
    xx: Floats
    yy: Floats
    xy: Floats
    masked: Mask
    centroid_failed: Mask


def aperture_flux(
    image: Image, variance: Image, mask: Mask, x: Floats, y: Floats, radius: float
) -> tuple[Floats, Floats]:
    """Sum the light in circles; masked pixels are replaced by the mean of the others.

    Parameters
    ----------
    image, variance : `numpy.ndarray`
        Background-subtracted pixels and their variance.
    mask : `numpy.ndarray`
        Pixels that are left out.
    x, y : `numpy.ndarray`
        Positions (pixels).
    radius : `float`
        Radius (pixels).

    Returns
    -------
    flux, error : `numpy.ndarray`
        In units of the image.
    """
    if not len(x):
        return np.zeros(0), np.zeros(0)
    flux, error, _ = sep.sum_circle(
        np.ascontiguousarray(image, np.float32),
        x,
        y,
        radius,
        var=np.ascontiguousarray(variance, np.float32),
        mask=mask,
        subpix=5,
    )
    return flux, error


def measure_psf(
    image: Image, variance: Image, mask: Mask, x: Floats, y: Floats, *, min_stars: int, first: float = 1.0
) -> Psf | None:
    """Measure the PSF from the stars among some sources.

    Stars are where most of the bright sources' sizes agree: galaxies are larger, and each by as much as it likes.

    Parameters
    ----------
    image, variance : `numpy.ndarray`
        Background-subtracted pixels and their variance.
    mask : `numpy.ndarray`
        Pixels that are left out.
    x, y : `numpy.ndarray`
        Positions of the sources (pixels).
    min_stars : `int`
        Least number of stars.
    first : `float`, optional
        First guess of the width (pixels).

    Returns
    -------
    psf : `Psf` or `None`
        `None` if there are too few stars.
    """
    x, y, failed = windowed_positions(image, mask, x, y, first)
    flux, error, masked = psf_photometry(image, variance, mask, x, y, first)
    ny, nx = image.shape
    margin = 8
    inside = (x > margin) & (y > margin) & (x < nx - 1 - margin) & (y < ny - 1 - margin)
    with np.errstate(invalid="ignore"):
        usable = np.flatnonzero((flux > 30 * error) & ~masked & ~failed & inside)
    if len(usable) < min_stars:
        return None
    # The brightest have the least noisy sizes; a few hundred are enough.
    usable = usable[np.argsort(-flux[usable] / error[usable], kind="stable")][:300]
    size = adaptive_moments(image, x[usable], y[usable], sigma=first).sigma
    usable, size = usable[np.isfinite(size)], size[np.isfinite(size)]
    if len(usable) < min_stars:
        return None
    mode = _half_sample_mode(size)
    stars = np.abs(size / mode - 1) < 0.1
    if stars.sum() < min_stars:
        return None
    sigma = float(np.median(size[stars]))
    stars = np.abs(size / sigma - 1) < 0.1
    sigma = float(np.median(size[stars]))
    use = usable[stars]
    flux, error, masked = psf_photometry(image, variance, mask, x[use], y[use], sigma)
    total, total_error = aperture_flux(image, variance, mask, x[use], y[use], APERTURE_SIGMAS * sigma)
    good = ~masked & (flux > 0) & (total > 0)
    alone = good & _isolated(x[use], y[use], x, y, 2 * APERTURE_SIGMAS * sigma)
    good = alone if alone.sum() >= min_stars else good
    if good.sum() < min_stars:
        return None
    ratio = total[good] / flux[good]
    correction, correction_error, used = clipped_mean(ratio, total_error[good] / flux[good], floor=0.003)
    return Psf(sigma, correction, correction_error, int(used.sum()))


def measure(
    image: Image, variance: Image, mask: Mask, x: Floats, y: Floats, psf: Psf, *, refine: bool = True
) -> Photometry:
    """Measure sources with a known PSF.

    Parameters
    ----------
    image, variance : `numpy.ndarray`
        Background-subtracted pixels and their variance.
    mask : `numpy.ndarray`
        Pixels that are left out.
    x, y : `numpy.ndarray`
        Positions (pixels).
    psf : `Psf`
        The PSF.
    refine : `bool`, optional
        Whether to refine the positions; forced photometry does not.
    """
    failed: Mask = np.zeros(len(x), bool)
    if refine:
        x, y, failed = windowed_positions(image, mask, x, y, psf.sigma)
    flux, error, masked = psf_photometry(image, variance, mask, x, y, psf.sigma)
    total, total_error = aperture_flux(image, variance, mask, x, y, APERTURE_SIGMAS * psf.sigma)
    shape = adaptive_moments(image, x, y, sigma=psf.sigma)
    return Photometry(
        x,
        y,
        flux * psf.correction,
        error * psf.correction,
        total,
        total_error,
        shape.xx,
        shape.yy,
        shape.xy,
        masked,
        failed,
    )


def _isolated(x: Floats, y: Floats, all_x: Floats, all_y: Floats, radius: float) -> Mask:
    """Return which positions have no other source than themselves within a radius."""
    tree = cKDTree(np.column_stack([all_x, all_y]))
    return np.asarray(tree.query_ball_point(np.column_stack([x, y]), radius, return_length=True) <= 1)


def _half_sample_mode(value: NDArray[np.float64]) -> float:
    """Return where values crowd most: the densest half, of that the densest half, and so on."""
    value = np.sort(value)
    while len(value) > 3:
        half = (len(value) + 1) // 2
        width = value[half - 1 :] - value[: len(value) - half + 1]
        start = int(np.argmin(width))
        value = value[start : start + half]
    return float(np.mean(value))
