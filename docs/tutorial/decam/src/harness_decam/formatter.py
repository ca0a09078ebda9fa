"""Reader of raw files of DECam."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.instrument.formatter import RawFormatter

from .camera import make_camera
from .translator import DECamTranslator

if TYPE_CHECKING:
    from harness.instrument.camera import Camera


class DECamRawFormatter(RawFormatter):
    """Read raw files: one image, or one extension for each amplifier, as the camera says."""

    translator = DECamTranslator

    @classmethod
    def camera(cls, scale: int) -> Camera:
        """Return the camera with its pixels binned."""
        return make_camera(scale)
