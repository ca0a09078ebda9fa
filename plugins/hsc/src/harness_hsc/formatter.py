"""Reader of raw files of Hyper Suprime-Cam."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.instrument.formatter import RawFormatter

from .camera import make_camera
from .translator import HscTranslator

if TYPE_CHECKING:
    from harness.instrument.camera import Camera

__all__ = ["HscRawFormatter"]


class HscRawFormatter(RawFormatter):
    """Read raw files of Hyper Suprime-Cam, real or simulated."""

    translator = HscTranslator

    @classmethod
    def camera(cls, scale: int) -> Camera:
        """Return the camera with its pixels binned (`~harness.instrument.camera.Camera`)."""
        return make_camera(scale)
