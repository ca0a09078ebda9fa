"""Reader of raw files of DECam."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.instrument.formatter import RawFormatter

from .camera import make_camera
from .translator import DecamTranslator

if TYPE_CHECKING:
    from harness.instrument.camera import Camera


class DecamRawFormatter(RawFormatter):
    """Read one CCD out of the file of an exposure."""

    translator = DecamTranslator

    @classmethod
    def camera(cls, scale: int) -> Camera:
        """Return the camera with its pixels binned."""
        return make_camera(scale)

    @classmethod
    def hdus(cls, headers: Sequence[Mapping[str, Any]], detector: int) -> Sequence[int]:
        """Return which HDUs are those of a CCD: the one with its number."""
        return [i for i, header in enumerate(headers) if header.get("CCDNUM") == detector]
