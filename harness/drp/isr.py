"""Instrument signature removal: from raw pixels to electrons."""

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

from . import names, pixels
from .cache import shared
from .planes import VISIT_SCHEMA
from .signature import dark_seconds, trim

if TYPE_CHECKING:
    from astropy.table import Table
    from lsst.images import Image, MaskedImage

    from ..instrument.camera import Camera
    from ..instrument.raw import Raw

__all__ = ["IsrConfig", "IsrConnections", "IsrTask"]

_DETECTOR = ("instrument", "detector")


class IsrConnections(PipelineTaskConnections, dimensions=("instrument", "exposure", "detector")):
    """Inputs and outputs of `IsrTask`."""

    raw = connectionTypes.Input(
        doc="Raw image.",
        name=names.RAW,
        storageClass="HarnessRaw",
        dimensions=("instrument", "exposure", "detector"),
    )
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
    flat = connectionTypes.PrerequisiteInput(
        doc="Relative response to light.",
        name=names.FLAT,
        storageClass="ImageV2",
        dimensions=(*_DETECTOR, "physical_filter"),
        isCalibration=True,
    )
    defects = connectionTypes.PrerequisiteInput(
        doc="Boxes of bad pixels: x0, y0, width, height.",
        name=names.DEFECTS,
        storageClass="ArrowAstropy",
        dimensions=_DETECTOR,
        isCalibration=True,
    )
    post_isr_image = connectionTypes.Output(
        doc="Trimmed image in electrons.",
        name=names.POST_ISR,
        storageClass="MaskedImageV2",
        dimensions=("instrument", "exposure", "detector"),
    )

    def __init__(self, *, config: IsrConfig | None = None) -> None:
        super().__init__(config=config)
        if config is not None and not config.doDark:
            del self.dark


class IsrConfig(PipelineTaskConfig, pipelineConnections=IsrConnections):
    """Configuration of `IsrTask`."""

    overscanOrder = RangeField[int](
        doc="Order of the polynomial fitted to an amplifier's overscan.", default=1, min=0, max=10
    )
    doDark = Field[bool](doc="Subtract the dark current?", default=False)
    doCosmicRays = Field[bool](doc="Look for cosmic rays?", default=True)
    cosmicRayThreshold = RangeField[float](doc="Significance of a cosmic ray's sharpest pixel.", default=6.0, min=1.0)
    minFwhm = RangeField[float](
        doc="FWHM (pixels) than which nothing on the sky is sharper; cosmic rays are.", default=2.0, min=0.5
    )


class IsrTask(PipelineTask):
    """Subtract overscan, bias and dark, convert to electrons, divide by the flat, mask what is no measurement."""

    ConfigClass = IsrConfig
    _DefaultName = "isr"
    config: IsrConfig

    def runQuantum(
        self, butlerQC: QuantumContext, inputRefs: InputQuantizedConnection, outputRefs: OutputQuantizedConnection
    ) -> None:
        """Process one detector."""
        inputs = butlerQC.get(inputRefs)
        inputs["camera"] = shared(inputs["camera"])
        butlerQC.put(self.run(**inputs), outputRefs)

    def run(
        self, *, raw: Raw, camera: Camera, bias: Image, flat: Image, defects: Table, dark: Image | None = None
    ) -> Struct:
        """Process one detector.

        Parameters
        ----------
        raw : `~harness.instrument.raw.Raw`
            Raw image.
        camera : `~harness.instrument.camera.Camera`
            Camera, binned as the raw image is.
        bias, flat : `lsst.images.Image`
            Calibrations, trimmed.
        defects : `astropy.table.Table`
            Boxes of bad pixels.
        dark : `lsst.images.Image`, optional
            Dark current (electrons per second), trimmed.

        Returns
        -------
        result : `lsst.pipe.base.Struct`
            ``post_isr_image`` (`lsst.images.MaskedImage`).

        Raises
        ------
        HarnessError
            If the raw image has not the shape that the camera says.
        """
        trimmed = trim(raw, camera[raw.detector.id], self.config.overscanOrder)
        image = (trimmed.image - bias.array) * trimmed.gain
        if dark is not None:
            image -= dark.array * np.float32(dark_seconds(raw.obs_info))
        variance = (np.maximum(image, 0.0) + trimmed.read_variance) / flat.array**2
        image /= flat.array
        return Struct(post_isr_image=self._masked(raw, image, variance, trimmed.saturated, defects))

    def _masked(self, raw: Raw, image: Any, variance: Any, saturated: Any, defects: Table) -> MaskedImage:
        from astropy import units
        from lsst.images import Image, MaskedImage
        from scipy import ndimage

        bad = np.zeros(image.shape, bool)
        for x0, y0, width, height in zip(
            *(np.asarray(defects[c]).tolist() for c in ("x0", "y0", "width", "height")), strict=True
        ):
            bad[y0 : y0 + height, x0 : x0 + width] = True
        # The neighbours of a full pixel have lost or gained charge as well.
        saturated = ndimage.binary_dilation(saturated, np.ones((3, 3), bool)) if saturated.any() else saturated
        hit = np.zeros_like(bad)
        if self.config.doCosmicRays:
            hit = pixels.cosmic_rays(
                image,
                variance,
                bad | saturated,
                min_fwhm=self.config.minFwhm,
                threshold=self.config.cosmicRayThreshold,
            )
        filled = (bad | hit) & ~saturated
        pixels.fill(image, filled)
        out = MaskedImage(
            Image(image, unit=units.electron),
            mask_schema=VISIT_SCHEMA,
            variance=Image(np.asarray(variance, np.float32), unit=units.electron**2),
            metadata={
                "OBS_INFO": raw.obs_info.to_json(),
                "SIMSCALE": raw.scale,
                "N_COSMIC_RAY": int(hit.sum()),
                "N_SATURATED": int(saturated.sum()),
            },
        )
        for plane, where in (("BAD", bad), ("SATURATED", saturated), ("COSMIC_RAY", hit), ("INTERPOLATED", filled)):
            out.mask.set(plane, where)
        self.metadata["n_cosmic_ray"] = int(hit.sum())
        self.metadata["n_saturated"] = int(saturated.sum())
        self.log.info("%d pixels hit by cosmic rays, %d saturated, %d bad", hit.sum(), saturated.sum(), bad.sum())
        return out
