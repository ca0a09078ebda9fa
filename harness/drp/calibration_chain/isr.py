"""Instrument signature removal for exposures that become calibrations: only what comes before them in the chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from lsst.pex.config import Field, RangeField
from lsst.pipe.base import (
    InputQuantizedConnection,
    OutputQuantizedConnection,
    PipelineTask,
    PipelineTaskConfig,
    PipelineTaskConnections,
    QuantumContext,
    Struct,
    connectionTypes,
)

from .. import names
from ..cache import shared
from ..signature import dark_seconds, trim

if TYPE_CHECKING:
    from lsst.images import Image

    from ...instrument.camera import Camera
    from ...instrument.raw import Raw

__all__ = [
    "EXPOSURE",
    "INHERITED",
    "NOISE",
    "SECONDS",
    "CalibrationIsrConfig",
    "CalibrationIsrConnections",
    "CalibrationIsrTask",
]

_EXPOSURE = ("instrument", "exposure", "detector")
_DETECTOR = ("instrument", "detector")

EXPOSURE, SECONDS = "EXPOSURE", "DARKTIME"
"""Metadata of processed exposures: exposure id, and seconds for which dark current gathered."""

NOISE, INHERITED = "NOISE", "INHERITED"
"""Metadata: of a calibration the standard deviation of its pixels; of a processed exposure that part (electrons) which
comes from calibrations, and which no averaging over exposures makes smaller."""


class CalibrationIsrConnections(PipelineTaskConnections, dimensions=_EXPOSURE, defaultTemplates={"kind": "Bias"}):
    """Inputs and outputs of `CalibrationIsrTask`."""

    raw = connectionTypes.Input(doc="Raw image.", name=names.RAW, storageClass="HarnessRaw", dimensions=_EXPOSURE)
    camera = connectionTypes.PrerequisiteInput(
        doc="Camera geometry, gains and read noise.",
        name=names.CAMERA,
        storageClass="HarnessCamera",
        dimensions=("instrument",),
        isCalibration=True,
        deferLoad=True,
    )
    bias = connectionTypes.PrerequisiteInput(
        doc="Structure of the bias above the overscan (ADU).",
        name=names.BIAS,
        storageClass="ImageV2",
        dimensions=_DETECTOR,
        isCalibration=True,
    )
    dark = connectionTypes.PrerequisiteInput(
        doc="Dark current (electrons per second).",
        name=names.DARK,
        storageClass="ImageV2",
        dimensions=_DETECTOR,
        isCalibration=True,
    )
    processed = connectionTypes.Output(
        doc="Trimmed image.",
        name="cp{kind}Proc",
        storageClass="ImageV2",
        dimensions=_EXPOSURE,
    )

    def __init__(self, *, config: CalibrationIsrConfig | None = None) -> None:
        super().__init__(config=config)
        if config is not None and not config.doBias:
            del self.bias
        if config is not None and not config.doDark:
            del self.dark


class CalibrationIsrConfig(PipelineTaskConfig, pipelineConnections=CalibrationIsrConnections):
    """Configuration of `CalibrationIsrTask`."""

    overscanOrder = RangeField[int](
        doc="Order of the polynomial fitted to an amplifier's overscan.", default=1, min=0, max=10
    )
    doBias = Field[bool](doc="Subtract the bias, and convert to electrons?", default=True)
    doDark = Field[bool](doc="Subtract the dark current?", default=True)


class CalibrationIsrTask(PipelineTask):
    """Subtract the overscan, and the bias and dark that were certified for the time of the exposure."""

    ConfigClass = CalibrationIsrConfig
    _DefaultName = "cpIsr"
    config: CalibrationIsrConfig

    def runQuantum(
        self, butlerQC: QuantumContext, inputRefs: InputQuantizedConnection, outputRefs: OutputQuantizedConnection
    ) -> None:
        """Process one detector."""
        inputs = butlerQC.get(inputRefs)
        inputs["camera"] = shared(inputs["camera"])
        butlerQC.put(self.run(**inputs), outputRefs)

    def run(self, *, raw: Raw, camera: Camera, bias: Image | None = None, dark: Image | None = None) -> Struct:
        """Process one detector.

        Parameters
        ----------
        raw : `~harness.instrument.raw.Raw`
            Raw image.
        camera : `~harness.instrument.camera.Camera`
            Camera, binned as the raw image is.
        bias : `lsst.images.Image`, optional
            Structure of the bias (ADU).
        dark : `lsst.images.Image`, optional
            Dark current (electrons per second).

        Returns
        -------
        result : `lsst.pipe.base.Struct`
            ``processed`` (`lsst.images.Image`): ADU without, electrons with a bias; metadata `EXPOSURE`, `SECONDS`
            and `INHERITED`.
        """
        from astropy import units
        from lsst.images import Image

        trimmed = trim(raw, camera[raw.detector.id], self.config.overscanOrder)
        seconds = dark_seconds(raw.obs_info)
        image: Any = trimmed.image
        inherited = 0.0
        if bias is not None:
            image = (image - bias.array) * trimmed.gain
            inherited = float(bias.metadata.get(NOISE, 0.0)) * float(trimmed.gain.mean())
        if dark is not None:
            image = image - dark.array * np.float32(seconds)
            inherited = float(np.hypot(inherited, float(dark.metadata.get(NOISE, 0.0)) * seconds))
        metadata = {EXPOSURE: int(raw.obs_info.exposure_id), SECONDS: seconds, INHERITED: inherited}
        unit = units.adu if bias is None else units.electron
        return Struct(processed=Image(image, unit=unit, metadata=metadata))
