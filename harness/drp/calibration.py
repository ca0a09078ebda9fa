"""What is found out about one detector, or why nothing is."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from lsst.pipe.base import AlgorithmError

from .characterize import Photometry, Psf
from .matching import AstrometryFit
from .sources import Floats, Mask

if TYPE_CHECKING:
    from lsst.images import SkyProjection

__all__ = ["NANOJANSKY_AB", "Calibration", "CalibrationError"]

NANOJANSKY_AB = 31.4
"""AB magnitude of 1 nJy (8.9 + 2.5·9)."""


class CalibrationError(AlgorithmError):
    """A detector that cannot be calibrated.

    Parameters
    ----------
    step : `str`
        ``background``, ``psf``, ``astrometry`` or ``photometry``.
    reason : `str`
        Why.
    **numbers : `int`
        Numbers that explain it.
    """

    def __init__(self, step: str, reason: str, **numbers: int) -> None:
        super().__init__(f"{step}: {reason}")
        self.step, self.numbers = step, numbers

    @property
    def metadata(self) -> dict[str, Any]:
        """Step and numbers, for the task's metadata."""
        return {"step": self.step, **self.numbers}


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What was found out about one detector.

    Parameters
    ----------
    background : `numpy.ndarray`
        Chebyshev coefficients of the background (electrons).
    detected : `numpy.ndarray`
        Mask of the pixels of sources.
    psf : `~harness.drp.characterize.Psf`
        PSF.
    photometry : `~harness.drp.characterize.Photometry`
        Sources (electrons).
    is_star : `numpy.ndarray`
        Which sources have the size of the PSF.
    fit : `~harness.drp.matching.AstrometryFit`
        Match to the reference catalogue.
    projection : `lsst.images.SkyProjection`
        Corrected sky projection.
    scale, scale_error : `float`
        nJy per electron, with its standard error.
    used : `numpy.ndarray`
        Which sources gave the scale.
    residual_arcsec : `numpy.ndarray`
        Distances of the matches (arcsec).
    """

    background: Floats
    detected: Mask
    psf: Psf
    photometry: Photometry
    is_star: Mask
    fit: AstrometryFit
    projection: SkyProjection[Any]
    scale: float
    scale_error: float
    used: Mask
    residual_arcsec: Floats
