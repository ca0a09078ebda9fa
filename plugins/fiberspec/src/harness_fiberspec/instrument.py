"""The Butler's view of the calibration fiber spectrographs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from harness.instrument.base import HarnessInstrument
from harness.instrument.camera import Camera, Detector, Purpose, RadialDistortion

from .devices import DEVICES
from .translator import FiberSpecTranslator

if TYPE_CHECKING:
    from lsst.daf.butler import FormatterV2

__all__ = ["PIXELS", "FiberSpec", "make_camera"]

PIXELS = 2048
"""Pixels of a spectrum."""
_PIXEL_MM = 0.014
"""Pitch of the pixels (mm), of a common linear detector; an assumption that nothing depends on."""


@lru_cache(maxsize=1)
def make_camera(scale: int = 1) -> Camera:  # noqa: ARG001
    """Return the one line of pixels (`~harness.instrument.camera.Camera`); spectra are never binned.

    The serial number is that of the device Broad: the three devices share the detector's record.
    """
    detector = Detector(
        id=0,
        name="ccd0",
        raft=None,
        name_in_raft="ccd0",
        serial=DEVICES["Broad"].serial,
        purpose=Purpose.SCIENCE,
        physical_type="linear",
        nx=PIXELS,
        ny=1,
        x_mm=0.0,
        y_mm=0.0,
        yaw_deg=0.0,
        ref_x=(PIXELS - 1) / 2,
        ref_y=0.0,
        pixel_mm=_PIXEL_MM,
    )
    return Camera(
        name="FiberSpec",
        plate_scale=1.0,  # it sees no sky
        distortion=RadialDistortion(coefficients=(0.0, 1.0)),
        detectors=(detector,),
        source="instruments.md, 'Calibration fiber spectrograph'; pitch of the pixels assumed",
    )


class FiberSpec(HarnessInstrument):
    """The calibration fiber spectrographs of the Rubin observatory: Blue, Red and Broad.

    There are no visits. Exposure ids are those of Rubin's cameras without a controller, whose limit therefore holds.
    """

    visit_max = 7050123199999
    exposure_max = 7050123199999
    detector_max = 1
    translatorClass = FiberSpecTranslator
    policyName = "fiberSpec"
    raw_definition = ("rawSpectrum", ("instrument", "exposure", "detector"), "HarnessFiberSpectrum")
    observing_day_is_date = True

    @classmethod
    def getName(cls) -> str:
        """Return the name in the ``instrument`` dimension (`str`)."""
        return "FiberSpec"

    @classmethod
    def camera(cls) -> Camera:
        """Return the one line of pixels (`~harness.instrument.camera.Camera`)."""
        return make_camera(1)

    @classmethod
    def filters(cls) -> Mapping[str, str]:
        """Return the band of the one filter (`~collections.abc.Mapping` [`str`, `str`])."""
        return {"empty": "white"}

    def getRawFormatter(self, dataId: Any) -> type[FormatterV2]:  # noqa: ARG002
        """Return the formatter of raw files (`type` [`lsst.daf.butler.FormatterV2`])."""
        from .formatter import FiberSpectrumFormatter

        return FiberSpectrumFormatter
