"""The Butler's view of the collimated beam projector."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from harness.instrument.base import HarnessInstrument
from harness.instrument.camera import Camera, Detector, Purpose, RadialDistortion

from .translator import DETECTOR, CbpTranslator

if TYPE_CHECKING:
    from lsst.daf.butler import FormatterV2

__all__ = ["CollimatedBeamProjector", "make_camera"]


@lru_cache(maxsize=1)
def make_camera(scale: int = 1) -> Camera:  # noqa: ARG001
    """Return the one detector, a photodiode (`~harness.instrument.camera.Camera`); it has no pixels to bin."""
    photodiode = Detector(
        id=0,
        name=DETECTOR,
        raft=None,
        name_in_raft=DETECTOR,
        serial="unknown",
        purpose=Purpose.SCIENCE,
        physical_type="photodiode",
        nx=1,
        ny=1,
        x_mm=0.0,
        y_mm=0.0,
        yaw_deg=0.0,
        ref_x=0.0,
        ref_y=0.0,
        pixel_mm=10.0,
    )
    return Camera(
        name="CBP",
        plate_scale=1.0,  # it sees no sky
        distortion=RadialDistortion(coefficients=(0.0, 1.0)),
        detectors=(photodiode,),
        source="instruments.md, 'Collimated beam projector'; size of the photodiode assumed",
    )


class CollimatedBeamProjector(HarnessInstrument):
    """The collimated beam projector of the Rubin observatory.

    There are no visits. Exposure ids are made as those of Rubin's cameras, whose limit therefore holds.
    """

    visit_max = 7050123199999
    exposure_max = 7050123199999
    detector_max = 1
    translatorClass = CbpTranslator
    policyName = "cbp"
    raw_definition = ("rawCbp", ("instrument", "exposure", "detector"), "HarnessCbpExposure")

    @classmethod
    def getName(cls) -> str:
        """Return the name in the ``instrument`` dimension (`str`)."""
        return "CBP"

    @classmethod
    def camera(cls) -> Camera:
        """Return the one detector (`~harness.instrument.camera.Camera`)."""
        return make_camera(1)

    @classmethod
    def filters(cls) -> Mapping[str, str]:
        """Return the band of the one filter (`~collections.abc.Mapping` [`str`, `str`])."""
        return {"empty": "white"}

    def getRawFormatter(self, dataId: Any) -> type[FormatterV2]:  # noqa: ARG002
        """Return the formatter of raw files (`type` [`lsst.daf.butler.FormatterV2`])."""
        from .formatter import CbpFormatter

        return CbpFormatter
