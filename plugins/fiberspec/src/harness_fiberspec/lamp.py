"""The simulated light, which is the truth of checks: lines of a mercury-argon lamp as the spectrographs see them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError, nearest
from harness.sky.seeds import generator

from .instrument import PIXELS

__all__ = ["BIAS", "FWHM", "LAMPS", "RANGES", "READ_NOISE", "Line", "simulate_flux", "true_lines", "wavelengths"]

Floats = NDArray[np.float64]

RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"Blue": (296.0, 565.0), "Red": (552.0, 1095.0), "Broad": (277.14, 1416.47)}
)
"""First and last wavelength (nm) by device; Broad as in a real file (instruments.md), the others are assumptions."""

_CURVATURE = 0.02
"""Departure of wavelengths from a straight line, as a part of the range; an assumption."""

FWHM = 3.2
"""Width of a line (pixels); an assumption."""
BIAS, READ_NOISE, GAIN = 1500.0, 12.0, 20.0
"""Level (counts), noise (counts) and gain (electrons per count) of the readout; assumptions."""
_CONTINUUM = 150.0
"""Peak of the lamp's continuum (counts per second); an assumption."""


@dataclasses.dataclass(frozen=True)
class Line:
    """An emission line.

    Parameters
    ----------
    wavelength : `float`
        Wavelength in air (nm).
    rate : `float`
        Counts per second.
    """

    wavelength: float
    rate: float


_HG_AR = (
    (312.567, 400.0),
    (334.148, 120.0),
    (365.015, 900.0),
    (404.656, 1000.0),
    (435.833, 1800.0),
    (546.074, 2000.0),
    (576.960, 250.0),
    (579.066, 260.0),
    (696.543, 1000.0),
    (706.722, 350.0),
    (738.398, 450.0),
    (750.387, 900.0),
    (763.511, 1700.0),
    (794.818, 500.0),
    (811.531, 1700.0),
    (826.452, 600.0),
    (842.465, 900.0),
    (852.144, 250.0),
    (866.794, 150.0),
    (912.297, 1300.0),
    (965.779, 400.0),
)

LAMPS: Mapping[str, tuple[Line, ...]] = MappingProxyType(
    {"HgAr": tuple(Line(*line) for line in _HG_AR), "none": ()},
)
"""Lines of the lamps by name. Wavelengths: the well-known lines of mercury and argon (NIST Atomic Spectra Database);
intensities are assumptions."""


def wavelengths(device: str) -> Floats:
    """Return the wavelength of each pixel (nm), shape (2048,)."""
    low, high = RANGES[device]
    x = np.linspace(0.0, 1.0, PIXELS)
    grid: Floats = low + (high - low) * (x + _CURVATURE * x * (1 - x))
    return np.round(grid, 9)


def true_lines(device: str, lamp: str) -> list[tuple[Line, float]]:
    """Return the lines that a device sees, each with the pixel (from 0) that it falls on.

    Raises
    ------
    HarnessError
        If there is no such lamp.
    """
    if lamp not in LAMPS:
        raise nearest("lamp", lamp, LAMPS)
    grid = wavelengths(device)
    return [
        (line, float(np.interp(line.wavelength, grid, np.arange(PIXELS))))
        for line in LAMPS[lamp]
        if grid[0] < line.wavelength < grid[-1]
    ]


def simulate_flux(seed: int, exposure: int, device: str, lamp: str, seconds: float) -> Floats:
    """Simulate the signal of an exposure.

    Parameters
    ----------
    seed, exposure : `int`
        Seed of the dataset and exposure id: what the noise depends on.
    device, lamp : `str`
        Which spectrograph looks at which lamp.
    seconds : `float`
        Exposure time.

    Returns
    -------
    flux : `numpy.ndarray`
        Counts of each pixel, rounded to thousandths, shape (2048,).

    Raises
    ------
    HarnessError
        If the brightest line would saturate.
    """
    pixels = np.arange(PIXELS)
    sigma = FWHM / np.sqrt(8 * np.log(2))
    level = _CONTINUUM * seconds * np.sin(np.pi * (pixels + 0.5) / PIXELS) if lamp != "none" else np.zeros(PIXELS)
    for line, place in true_lines(device, lamp):
        level = level + line.rate * seconds * np.exp(-0.5 * ((pixels - place) / sigma) ** 2) / (
            sigma * np.sqrt(2 * np.pi)
        )
    if BIAS + level.max() > 65535:
        raise HarnessError(
            f"exposure {exposure}: {seconds:g} s saturate the spectrograph", remedy="expose for less", code="saturated"
        )
    noise = np.sqrt(READ_NOISE**2 + level / GAIN)
    random = generator(seed, "FiberSpec", exposure, device, purpose="noise of the spectrum")
    return np.round(BIAS + level + noise * random.standard_normal(PIXELS), 3)
