"""Lines in an extracted spectrum."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize, signal

__all__ = ["FoundLine", "continuum", "find_lines"]

Floats = NDArray[np.float64]

WINDOW = 4.5
"""Half-width of the window in which a line is fitted, in widths of the PSF; at least 4 samples."""


@dataclasses.dataclass(frozen=True)
class FoundLine:
    """A line.

    Parameters
    ----------
    along, error : `float`
        Centre (pixels from the undispersed image) and its standard error.
    height : `float`
        Height above the continuum, relative to it; negative in absorption.
    snr : `float`
        Height over its standard error.
    width : `float`
        Standard deviation (pixels).
    """

    along: float
    error: float
    height: float
    snr: float
    width: float


def continuum(flux: Floats, error: Floats, *, window: int = 25) -> Floats:
    """Return a smooth curve through a spectrum that passes over its lines.

    Parameters
    ----------
    flux, error : `numpy.ndarray`
        The spectrum and its standard errors.
    window : `int`, optional
        Samples that the curve is a cubic over; several times the width of a line.
    """
    window = min(window, len(flux) - (1 - len(flux) % 2))
    window -= 1 - window % 2
    if window < 7:
        return np.full_like(flux, float(np.median(flux)))
    curve: Floats = ndimage.gaussian_filter1d(ndimage.median_filter(flux, window, mode="nearest"), window / 8)
    for _ in range(8):
        line = ndimage.binary_dilation(np.abs(flux - curve) > 3 * error + 0.01 * np.abs(curve))
        curve = signal.savgol_filter(np.where(line, curve, flux), window, 3)
    return curve


def find_lines(
    along: Floats, flux: Floats, error: Floats, width: float, *, threshold: float = 5.0
) -> tuple[FoundLine, ...]:
    """Find lines that are as wide as the PSF or a little wider, and fit their centres.

    Parameters
    ----------
    along, flux, error : `numpy.ndarray`
        The spectrum: distance (pixels), flux and standard error.
    width : `float`
        Width of the PSF (pixels, standard deviation).
    threshold : `float`, optional
        Least ratio of a line's height to its error.

    Returns
    -------
    lines : `tuple` [`FoundLine`]
        In order. At steep edges of the spectrum some may be there that are none.
    """
    curve = continuum(flux, error)
    reach = int(np.ceil(4 * width))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    matched = np.convolve((flux - curve) / error**2, kernel, "same")
    noise = np.sqrt(np.convolve(1 / error**2, kernel**2, "same"))
    significance = np.abs(matched / noise)
    around = ndimage.maximum_filter1d(significance, 2 * int(np.ceil(1.5 * width)) + 1)
    found = []
    for peak in np.flatnonzero((significance == around) & (significance > threshold)):
        line = _fit(along, flux, error, curve, int(peak), width)
        if line is not None and line.snr >= threshold:
            found.append(line)
    return tuple(found)


def _fit(along: Floats, flux: Floats, error: Floats, curve: Floats, peak: int, width: float) -> FoundLine | None:
    """Fit a Gaussian on a straight continuum; `None` if that fails."""
    half = max(4, int(np.ceil(WINDOW * width)))
    here = slice(max(0, peak - half), peak + half + 1)
    s, value, sigma = along[here] - along[peak], flux[here], error[here]
    level = float(curve[peak])
    if level <= 0 or len(s) < 7:
        return None

    def residuals(p: Floats) -> Floats:
        line = p[0] * np.exp(-0.5 * ((s - p[1]) / p[2]) ** 2)
        out: Floats = (level * (1 + p[3] + p[4] * s + line) - value) / sigma
        return out

    start = np.array([float(flux[peak]) / level - 1, 0.0, 1.1 * width, 0.0, 0.0])
    bounds = (
        [-np.inf, -1.5 * width, 0.7 * width, -np.inf, -np.inf],
        [np.inf, 1.5 * width, 2.5 * width, np.inf, np.inf],
    )
    fit = optimize.least_squares(residuals, start, bounds=bounds)
    covariance = np.linalg.pinv(fit.jac.T @ fit.jac)
    # Where the fit is worse than noise allows, so are its errors.
    scale = max(1.0, float(np.sum(fit.fun**2)) / max(len(s) - 5, 1))
    height_error, centre_error = (float(np.sqrt(scale * covariance[i, i])) for i in (0, 1))
    if not (fit.success and height_error > 0 and centre_error > 0) or abs(fit.x[1]) > 1.45 * width:
        return None
    return FoundLine(
        along=float(along[peak] + fit.x[1]),
        error=centre_error,
        height=float(fit.x[0]),
        snr=abs(float(fit.x[0])) / height_error,
        width=float(fit.x[2]),
    )
