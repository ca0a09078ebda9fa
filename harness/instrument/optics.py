"""What defocus does to the image of a star, and which exposures and detectors are out of focus.

Distances from focus are positive where the detector lies behind the focus (extra-focal).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Literal

import pydantic

if TYPE_CHECKING:
    from .camera import Detector

__all__ = ["FocalRole", "Optics"]


class FocalRole(StrEnum):
    """On which side of the focus an image is."""

    EXTRA = "extra"
    INTRA = "intra"
    FOCUS = "focus"


class Optics(pydantic.BaseModel):
    """A telescope with an annular pupil, and how its images are taken out of focus.

    Parameters
    ----------
    f_number : `float`
        Focal length over the diameter of the pupil.
    obscuration : `float`
        Diameter of the central obscuration over that of the pupil.
    focus_offset_mm : `float`
        Change of the focus (mm; ``FOCUSZ`` of a header) from focus to either half of a pair.
    focus_sign : `int`
        1 if the extra-focal half is the one with the larger focus, -1 if the one with the smaller.
    focus_magnification : `float`
        Shift of the image (mm) for 1 mm of focus; 1 if the camera itself is moved.
    source : `str`
        Where the numbers come from.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    f_number: float = pydantic.Field(gt=0)
    obscuration: float = pydantic.Field(ge=0, lt=1)
    focus_offset_mm: float = pydantic.Field(gt=0)
    focus_sign: Literal[-1, 1] = 1
    focus_magnification: float = pydantic.Field(default=1.0, gt=0)
    source: str

    def defocus(self, detector: Detector, focus: float) -> float:
        """Return how far a detector lies behind the focus (mm).

        Parameters
        ----------
        detector : `~harness.instrument.camera.Detector`
            The detector; one with a negative ``z_mm`` is extra-focal when the camera is in focus.
        focus : `float`
            Focus relative to the best one (mm).
        """
        return self.focus_sign * self.focus_magnification * focus - detector.z_mm

    def radius_mm(self, defocus: float) -> float:
        """Return the outer radius of a star's image (mm) at a distance from focus (mm)."""
        return abs(defocus) / (2 * self.f_number)

    def role(self, defocus: float) -> FocalRole:
        """Return on which side of the focus a distance is (`FocalRole`).

        A fifth of the distance at which pairs are taken still counts as in focus.
        """
        if abs(defocus) < 0.2 * self.focus_offset_mm * self.focus_magnification:
            return FocalRole.FOCUS
        return FocalRole.EXTRA if defocus > 0 else FocalRole.INTRA
