"""The photometric model: from fluxes above the atmosphere to electrons in a detector.

One zero point per band holds for all detectors of all cameras: what differs between pixels is the flat field
alone. A flux of 1 nJy is AB magnitude 31.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from ..errors import nearest
from ..instrument.camera import Floats

__all__ = ["NANOJANSKY_AB", "SKY_BRIGHTNESS", "ZERO_POINTS", "flux_to_electrons", "sky_electrons", "zero_point"]

NANOJANSKY_AB = 31.4
"""AB magnitude of 1 nJy (8.9 + 2.5·9, by the definition of the AB system)."""

ZERO_POINTS: Mapping[str, float] = MappingProxyType(
    {"u": 26.5, "g": 28.5, "r": 28.4, "i": 28.2, "z": 27.8, "y": 26.8, "white": 28.4}
)
"""AB magnitude that gives one electron per second, by band.

An assumption: round numbers near those expected of 8 m class telescopes (Rubin's throughput curves), whatever the
camera. The brightest stars of the truth catalogue saturate in 30 s."""

SKY_BRIGHTNESS: Mapping[str, float] = MappingProxyType(
    {"u": 23.0, "g": 22.2, "r": 21.2, "i": 20.5, "z": 19.6, "y": 18.6, "white": 21.2}
)
"""Brightness of the dark sky at zenith (AB magnitudes per square arcsecond), by band, rounded from what is
commonly quoted for Cerro Pachón and Mauna Kea; an assumption."""


def zero_point(band: str) -> float:
    """Return the AB magnitude of a source that gives one electron per second (`float`).

    It is the truth against which photometric calibrations can be judged.

    Parameters
    ----------
    band : `str`
        Name of the band, as in the ``band`` dimension. Bands without a number of their own (narrow bands)
        are refused.

    Raises
    ------
    HarnessError
        If the model has no such band.
    """
    try:
        return ZERO_POINTS[band]
    except KeyError:
        raise nearest("band of the photometric model", band, ZERO_POINTS) from None


def flux_to_electrons(flux: ArrayLike, band: str, exposure_time: float) -> Floats:
    """Convert fluxes (nJy) to electrons.

    Parameters
    ----------
    flux : `~numpy.typing.ArrayLike`
        Fluxes (nJy).
    band : `str`
        Band.
    exposure_time : `float`
        Seconds.

    Returns
    -------
    electrons : `numpy.ndarray`
        Expected electrons in an exposure, for a flat field of 1.
    """
    rate: float = 10 ** (0.4 * (zero_point(band) - NANOJANSKY_AB))
    return np.asarray(flux, float) * (rate * exposure_time)


def sky_electrons(band: str, exposure_time: float) -> float:
    """Return the electrons per square arcsecond of the mean sky in an exposure (`float`)."""
    zero = zero_point(band)
    level: float = 10 ** (0.4 * (zero - SKY_BRIGHTNESS[band]))
    return level * exposure_time
