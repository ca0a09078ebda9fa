"""Spectra of dispersed images, as a pipeline task."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units
from astropy.table import Table
from lsst.pex.config import DictField, RangeField
from lsst.pipe.base import (
    AnnotatedPartialOutputsError,
    Instrument,
    NoWorkFound,
    PipelineTask,
    PipelineTaskConfig,
    PipelineTaskConnections,
    Struct,
    connectionTypes,
)

from ..drp import names
from ..drp.cache import shared
from ..drp.planes import UNUSABLE
from ..errors import HarnessError
from ..instrument.dispersion import SPECTRAL_LINES, Trace
from .calibrate import calibrate
from .errors import SpectrumError
from .extract import Aperture, extract, refine_direction
from .lines import continuum, find_lines
from .names import SPECTRUM, SPECTRUM_LINES, SPECTRUM_SUMMARY
from .zeroth import find_zeroth

if TYPE_CHECKING:
    from lsst.daf.butler import DataCoordinate
    from lsst.images import MaskedImage
    from lsst.pipe.base import InputQuantizedConnection, OutputQuantizedConnection, QuantumContext

    from ..instrument.camera import Camera
    from ..instrument.dispersion import Disperser
    from .calibrate import WavelengthScale
    from .extract import Extracted
    from .lines import FoundLine
    from .zeroth import Zeroth

__all__ = ["ExtractSpectrumConfig", "ExtractSpectrumConnections", "ExtractSpectrumTask"]

_DIMENSIONS = ("instrument", "exposure", "detector")
_FLUX = units.electron / units.nm


class ExtractSpectrumConnections(PipelineTaskConnections, dimensions=_DIMENSIONS):
    """Inputs and outputs of `ExtractSpectrumTask`."""

    image = connectionTypes.Input(
        doc="Trimmed image in electrons.", name=names.POST_ISR, storageClass="MaskedImageV2", dimensions=_DIMENSIONS
    )
    camera = connectionTypes.PrerequisiteInput(
        doc="Camera geometry.",
        name=names.CAMERA,
        storageClass="HarnessCamera",
        dimensions=("instrument",),
        isCalibration=True,
        deferLoad=True,
    )
    spectrum = connectionTypes.Output(
        doc="Flux by wavelength.", name=SPECTRUM, storageClass="ArrowAstropy", dimensions=_DIMENSIONS
    )
    lines = connectionTypes.Output(
        doc="Spectral lines.", name=SPECTRUM_LINES, storageClass="ArrowAstropy", dimensions=_DIMENSIONS
    )
    summary = connectionTypes.Output(
        doc="Undispersed image and disperser.",
        name=SPECTRUM_SUMMARY,
        storageClass="ArrowAstropy",
        dimensions=_DIMENSIONS,
    )

    def adjustQuantum(self, inputs: Any, outputs: Any, label: str, data_id: DataCoordinate) -> Any:
        """Leave out images that nothing disperses."""
        if _disperser(data_id) is None:
            raise NoWorkFound(f"{data_id['physical_filter']} of {data_id['instrument']} disperses nothing")
        return super().adjustQuantum(inputs, outputs, label, data_id)


class ExtractSpectrumConfig(PipelineTaskConfig, pipelineConnections=ExtractSpectrumConnections):
    """Configuration of `ExtractSpectrumTask`."""

    order = RangeField[int](doc="Order whose spectrum is extracted; not 0.", default=1, min=-3, max=3)
    minWavelength = RangeField[float](doc="Least wavelength (nm).", default=320.0, min=50.0)
    maxWavelength = RangeField[float](doc="Largest wavelength (nm).", default=1080.0, min=50.0)
    reach = RangeField[float](doc="Half-width of the trace (standard deviations of the PSF).", default=6.0, min=1.0)
    backgroundWidth = RangeField[float](doc="Width of the background on each side (pixels).", default=14.0, min=4.0)
    lineThreshold = RangeField[float](doc="Significance of a line.", default=5.0, min=1.0)
    distanceTolerance = RangeField[float](
        doc="Relative error that the nominal distance of a disperser may have.", default=0.01, min=0.0, max=0.1
    )
    lines = DictField[str, float](doc="Wavelengths (nm) of known lines.", default=dict(SPECTRAL_LINES))

    def validate(self) -> None:
        """Refuse what makes no spectrum."""
        super().validate()
        if self.order == 0 or self.minWavelength >= self.maxWavelength:
            raise ValueError(f"order {self.order} from {self.minWavelength} to {self.maxWavelength} nm is no spectrum")


def _disperser(data_id: DataCoordinate) -> Disperser | None:
    """Return the disperser of an exposure, as the instrument's class says."""
    known = getattr(Instrument.from_data_id(data_id), "disperser", None)
    return known(data_id["physical_filter"]) if known else None


class ExtractSpectrumTask(PipelineTask):
    """Find the undispersed image, extract the flux along the trace, and calibrate the wavelengths.

    Wavelengths begin from the nominal disperser. The direction of the trace is measured, and the distance of the
    disperser fitted to known lines, if there are two at least.
    """

    ConfigClass = ExtractSpectrumConfig
    _DefaultName = "extractSpectrum"
    config: ExtractSpectrumConfig

    def runQuantum(
        self, butlerQC: QuantumContext, inputRefs: InputQuantizedConnection, outputRefs: OutputQuantizedConnection
    ) -> None:
        """Process one detector."""
        data_id = butlerQC.quantum.dataId
        disperser = _disperser(data_id)
        if disperser is None:  # unless somebody built the graph without the connections' adjustQuantum
            raise NoWorkFound(f"{data_id['physical_filter']} disperses nothing")
        inputs = butlerQC.get(inputRefs)
        try:
            result = self.run(
                image=inputs["image"],
                camera=shared(inputs["camera"]),
                detector=int(data_id["detector"]),
                disperser=disperser,
            )
        except SpectrumError as error:
            raise AnnotatedPartialOutputsError.annotate(error, self, log=self.log) from error
        butlerQC.put(result, outputRefs)

    def run(self, *, image: MaskedImage, camera: Camera, detector: int, disperser: Disperser) -> Struct:
        """Process one detector.

        Parameters
        ----------
        image : `lsst.images.MaskedImage`
            Trimmed image (electrons), background and all.
        camera : `~harness.instrument.camera.Camera`
            Camera, binned as the image is.
        detector : `int`
            The detector.
        disperser : `~harness.instrument.dispersion.Disperser`
            The nominal disperser.

        Returns
        -------
        result : `lsst.pipe.base.Struct`
            ``spectrum``, ``lines`` and ``summary`` (`astropy.table.Table`).

        Raises
        ------
        SpectrumError
            If there is no star, or no spectrum of it.
        HarnessError
            If the image has not the size that the camera says.
        """
        item = camera[detector]
        if image.image.array.shape != (item.ny, item.nx):
            raise HarnessError(
                f"image of detector {detector} has shape {image.image.array.shape}",
                remedy=f"the camera says {(item.ny, item.nx)}; is it of another binning?",
                code="raw-shape",
            )
        usable = ~np.logical_or.reduce([image.mask.get(plane) for plane in UNUSABLE])
        pixels, variance = (np.asarray(p.array, np.float64) for p in (image.image, image.variance))
        zeroth = find_zeroth(pixels, variance, usable)
        reach = max(self.config.reach * zeroth.sigma, 4.0)
        aperture = Aperture(
            reach=reach,
            inner=reach + 2,
            outer=reach + 2 + self.config.backgroundWidth,
            low=self.config.minWavelength,
            high=self.config.maxWavelength,
        )
        trace = Trace(disperser, camera, detector, zeroth.x, zeroth.y, self.config.order)
        turned, _ = refine_direction(pixels, variance, usable, trace, aperture)
        trace = dataclasses.replace(trace, disperser=disperser.adjusted(angle=turned))
        extracted = extract(pixels, variance, usable, trace, aperture)
        good = ~extracted.flag
        found = find_lines(
            extracted.along[good],
            extracted.flux[good],
            extracted.error[good],
            zeroth.sigma,
            threshold=self.config.lineThreshold,
        )
        scale = calibrate(trace, found, self.config.lines, tolerance=self.config.distanceTolerance)
        for name, value in (("turned", turned), ("distance", scale.distance), ("zeroth_x", zeroth.x)):
            self.metadata[name] = float(value)
        self.metadata["lines_found"], self.metadata["lines_used"] = len(found), len(scale.used)
        self.log.info(
            "undispersed image at (%.2f, %.2f); trace turned by %.3f°, distance × %.5f from %d of %d lines",
            zeroth.x, zeroth.y, turned, scale.distance, len(scale.used), len(found),
        )  # fmt: skip
        return Struct(
            spectrum=self._spectrum(extracted, scale),
            lines=self._lines(found, scale),
            summary=self._summary(scale, zeroth, turned),
        )

    @staticmethod
    def _spectrum(extracted: Extracted, scale: WavelengthScale) -> Table:
        trace = scale.trace
        x, y = trace.point(extracted.along)
        dispersion = _dispersion(trace, extracted.along)
        return Table(
            {
                "wavelength": trace.wavelength(x, y) * units.nm,
                "dispersion": dispersion * units.nm / units.pixel,
                "flux": extracted.flux / dispersion * _FLUX,
                "fluxErr": extracted.error / dispersion * _FLUX,
                "continuum": continuum(extracted.flux, extracted.error) / dispersion * _FLUX,
                "background": extracted.background * units.electron,
                "x": x * units.pixel,
                "y": y * units.pixel,
                "flag": extracted.flag,
            }
        )

    @staticmethod
    def _summary(scale: WavelengthScale, zeroth: Zeroth, turned: float) -> Table:
        disperser = scale.trace.disperser
        return Table(
            {
                "disperser": np.array([disperser.name], dtype="U64"),
                "order": [scale.trace.order],
                "x": [zeroth.x] * units.pixel,
                "y": [zeroth.y] * units.pixel,
                "psfSigma": [zeroth.sigma] * units.pixel,
                "turned": [turned] * units.deg,
                "distance": [disperser.distance_mm] * units.mm,
                "distanceFactor": [scale.distance],
                "distanceFactorErr": [scale.error],
                "nLinesUsed": [len(scale.used)],
            }
        )

    def _lines(self, found: tuple[FoundLine, ...], scale: WavelengthScale) -> Table:
        trace = scale.trace
        along = np.array([line.along for line in found])
        wavelength = trace.wavelength(*trace.point(along))
        error = np.array([line.error for line in found]) * _dispersion(trace, along)
        expected = np.full(len(found), np.nan)
        for i, name in scale.names.items():
            expected[i] = self.config.lines[name]
        return Table(
            {
                "name": np.array([scale.names.get(i, "") for i in range(len(found))], dtype="U32"),
                "wavelength": wavelength * units.nm,
                "wavelengthErr": error * units.nm,
                "expected": expected * units.nm,
                "residual": (wavelength - expected) * units.nm,
                "height": np.array([line.height for line in found], float),
                "snr": np.array([line.snr for line in found], float),
                "along": along * units.pixel,
                "used": np.isin(np.arange(len(found)), scale.used),
            }
        )


def _dispersion(trace: Trace, along: Any) -> Any:
    """Return nm per pixel at some distances along a trace."""
    return trace.wavelength(*trace.point(along + 0.5)) - trace.wavelength(*trace.point(along - 0.5))
