"""The undispersed image of the target: the brightest source."""

from __future__ import annotations

import dataclasses

import numpy as np
import sep
from numpy.typing import NDArray
from scipy import ndimage, optimize

from .errors import SpectrumError

__all__ = ["Zeroth", "find_zeroth"]

Floats = NDArray[np.float64]

REACH = 4.0
"""Half-width of the window of the fit, in standard deviations of the PSF."""


@dataclasses.dataclass(frozen=True)
class Zeroth:
    """An undispersed image.

    Parameters
    ----------
    x, y : `float`
        Centre (pixels).
    sigma : `float`
        Width of the PSF (pixels, standard deviation).
    amplitude : `float`
        Height above the sky (electrons).
    error : `float`
        Standard error of the centre along an axis (pixels).
    """

    x: float
    y: float
    sigma: float
    amplitude: float
    error: float


def find_zeroth(image: Floats, variance: Floats, usable: NDArray[np.bool_]) -> Zeroth:
    """Find the brightest source and fit a Gaussian to it.

    Pixels that are not usable are left out of the fit, so that a star that saturates still has a centre.

    Parameters
    ----------
    image, variance : `numpy.ndarray`
        Pixels (electrons) and their variance, [y, x].
    usable : `numpy.ndarray`
        Pixels that measure light.

    Returns
    -------
    zeroth : `Zeroth`
        Where it is.

    Raises
    ------
    SpectrumError
        If nothing stands out, or what does cannot be fitted.
    """
    pixels = np.ascontiguousarray(image, np.float32)
    background = sep.Background(pixels, mask=np.ascontiguousarray(~usable), bw=32, bh=32)
    above = image - np.asarray(background.back(), np.float64)
    smooth = ndimage.gaussian_filter(above, 1.0)
    iy, ix = (int(i) for i in np.unravel_index(np.argmax(smooth), smooth.shape))
    # Noise after smoothing with a Gaussian of 1 pixel is 1/√(4π) of a pixel's.
    if smooth[iy, ix] < 20 * float(background.globalrms) / np.sqrt(4 * np.pi):
        raise SpectrumError("zeroth", "no source stands out of the sky")
    centre, sigma = (float(ix), float(iy)), 1.5
    fit = None
    for _ in range(3):
        fit = _fit(above, variance, usable, centre, sigma)
        centre, sigma = (float(fit.x[0]), float(fit.x[1])), float(np.exp(fit.x[2]))
        if np.hypot(centre[0] - ix, centre[1] - iy) > 5 * max(sigma, 1.0):
            raise SpectrumError("zeroth", f"the brightest source, at ({ix}, {iy}), is no star")
    assert fit is not None
    covariance = np.linalg.pinv(fit.jac.T @ fit.jac)
    return Zeroth(*centre, sigma, float(fit.x[3]), float(np.sqrt(covariance[0, 0] + covariance[1, 1]) / np.sqrt(2)))


def _fit(
    above: Floats, variance: Floats, usable: NDArray[np.bool_], centre: tuple[float, float], sigma: float
) -> optimize.OptimizeResult:
    reach = int(np.ceil(REACH * sigma))
    ny, nx = above.shape
    ix, iy = round(centre[0]), round(centre[1])
    rows, columns = (
        slice(max(0, iy - reach), min(ny, iy + reach + 1)),
        slice(max(0, ix - reach), min(nx, ix + reach + 1)),
    )
    y, x = np.mgrid[rows, columns]
    keep = usable[rows, columns]
    if keep.sum() < 12:
        raise SpectrumError("zeroth", f"only {int(keep.sum())} pixels of the star at ({ix}, {iy}) are usable")
    x, y, value = x[keep], y[keep], above[rows, columns][keep]
    # The model is not exact in the wings and the core; one part in 50 keeps bright pixels from deciding alone.
    error = np.sqrt(variance[rows, columns][keep] + (0.02 * np.maximum(value, 0.0)) ** 2)

    def residuals(p: Floats) -> Floats:
        r2 = (x - p[0]) ** 2 + (y - p[1]) ** 2
        out: Floats = (p[3] * np.exp(-0.5 * r2 * np.exp(-2 * p[2])) + p[4] - value) / error
        return out

    start = np.array([*centre, np.log(sigma), max(float(value.max()), 1.0), 0.0])
    return optimize.least_squares(residuals, start, x_scale=[1.0, 1.0, 1.0, start[3], np.sqrt(start[3])])
