"""DECam as the Butler sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.instrument.base import HarnessInstrument

from .camera import make_camera
from .formatter import DecamRawFormatter
from .translator import DecamTranslator

if TYPE_CHECKING:
    from lsst.daf.butler import FormatterV2

    from harness.instrument.camera import Camera

FILTERS = {
    "u DECam c0006 3500.0 1000.0": "u",
    "g DECam SDSS c0001 4720.0 1520.0": "g",
    "r DECam SDSS c0002 6415.0 1480.0": "r",
    "i DECam SDSS c0003 7835.0 1470.0": "i",
    "z DECam SDSS c0004 9260.0 1520.0": "z",
    "Y DECam c0005 10095.0 1130.0": "y",
    "VR DECam c0007 6300.0 2600.0": "VR",
    "N964 DECam c0008 9645.0 94.0": "N964",
    "solid plate 0.0 0.0": "dark",
}
"""The band of each filter: name, central wavelength and width (Å) as FILTER has them in headers of the archive."""


class DECam(HarnessInstrument):
    """The Dark Energy Camera on the Blanco telescope."""

    exposure_max = 2**22  # EXPNUM is a count: 1.4 million in 2025
    visit_max = 2**22
    detector_max = 63
    translatorClass = DecamTranslator

    @classmethod
    def getName(cls) -> str:
        """Return the name in the ``instrument`` dimension."""
        return "DECam"

    @classmethod
    def camera(cls) -> Camera:
        """Return the unbinned camera."""
        return make_camera(1)

    @classmethod
    def filters(cls) -> Mapping[str, str]:
        """Return the band of each physical filter."""
        return FILTERS

    def getRawFormatter(self, dataId: Any) -> type[FormatterV2]:  # noqa: ARG002
        """Return the formatter of raw files."""
        return DecamRawFormatter
