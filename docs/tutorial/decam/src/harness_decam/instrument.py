"""DECam as the Butler sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.instrument.base import HarnessInstrument

from .camera import make_camera
from .formatter import DECamRawFormatter
from .translator import DECamTranslator

if TYPE_CHECKING:
    from lsst.daf.butler import FormatterV2

    from harness.instrument.camera import Camera

FILTERS = {"g": "g", "r": "r"}  # REPLACE_ME: the band of each physical filter


class DECam(HarnessInstrument):
    """DECam."""

    exposure_max = 1_000_000  # REPLACE_ME: exclusive limits of ids; they can never be changed
    visit_max = 1_000_000  # REPLACE_ME: as large as exposure_max where a visit has the id of its exposure
    detector_max = 10  # REPLACE_ME: with room for detectors to come
    visit_system = 0  # REPLACE_ME: 0 one exposure per visit, 1 by group, 2 by sequence number
    translatorClass = DECamTranslator

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

    def getRawFormatter(self, dataId: Any) -> type[FormatterV2]:
        """Return the formatter of raw files."""
        return DECamRawFormatter
