"""The tasks that make bias, dark and flat of exposures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from lsst.pex.config import RangeField
from lsst.pipe.base import PipelineTaskConfig, PipelineTaskConnections, connectionTypes

from ...errors import HarnessError
from .. import names
from ..signature import read_noise_image
from .combination import CombineConfig, CombineTask
from .isr import EXPOSURE, INHERITED, SECONDS
from .stack import Combined, combine, mean_response

if TYPE_CHECKING:
    from lsst.images import Image

    from ...instrument.camera import Camera

__all__ = [
    "CpBiasCombineConfig",
    "CpBiasCombineConnections",
    "CpBiasCombineTask",
    "CpDarkCombineConfig",
    "CpDarkCombineConnections",
    "CpDarkCombineTask",
    "CpFlatCombineConfig",
    "CpFlatCombineConnections",
    "CpFlatCombineTask",
]

_DETECTOR = ("instrument", "detector")


def _exposures(name: str, kind: str) -> connectionTypes.Input:
    return connectionTypes.Input(
        doc=f"Processed {kind} exposures.",
        name=name,
        storageClass="ImageV2",
        dimensions=("instrument", "exposure", "detector"),
        multiple=True,
        deferLoad=True,
    )


def _camera() -> connectionTypes.PrerequisiteInput:
    return connectionTypes.PrerequisiteInput(
        doc="Gains and read noise.",
        name=names.CAMERA,
        storageClass="HarnessCamera",
        dimensions=("instrument",),
        isCalibration=True,
        deferLoad=True,
    )


def _calibration(name: str, doc: str, dimensions: tuple[str, ...] = _DETECTOR) -> connectionTypes.Output:
    return connectionTypes.Output(doc=doc, name=name, storageClass="ImageV2", dimensions=dimensions, isCalibration=True)


class CpBiasCombineConnections(PipelineTaskConnections, dimensions=_DETECTOR):
    """Inputs and outputs of `CpBiasCombineTask`."""

    exposures = _exposures(names.CP_BIAS, "bias")
    camera = _camera()
    calibration = _calibration(names.BIAS, "Structure of the bias above the overscan (ADU).")


class CpBiasCombineConfig(PipelineTaskConfig, CombineConfig, pipelineConnections=CpBiasCombineConnections):
    """Configuration of `CpBiasCombineTask`."""


class CpBiasCombineTask(CombineTask):
    """Average bias exposures."""

    ConfigClass = CpBiasCombineConfig
    _DefaultName = "cpBiasCombine"
    unit = "adu"

    def combined(self, exposures: Sequence[Image], camera: Camera, detector: int) -> Combined:
        """Average the exposures, all alike."""
        gain, noise = read_noise_image(camera[detector])
        sigma = noise / gain
        n = len(exposures)
        return combine([e.array for e in exposures], [sigma] * n, [1.0] * n, clip=self.config.clip)


class CpDarkCombineConnections(PipelineTaskConnections, dimensions=_DETECTOR):
    """Inputs and outputs of `CpDarkCombineTask`."""

    exposures = _exposures(names.CP_DARK, "dark")
    camera = _camera()
    calibration = _calibration(names.DARK, "Dark current (electrons per second).")


class CpDarkCombineConfig(PipelineTaskConfig, CombineConfig, pipelineConnections=CpDarkCombineConnections):
    """Configuration of `CpDarkCombineTask`."""

    minSeconds = RangeField[float](doc="Shortest dark that is of use (seconds).", default=1.0, min=0.001)


class CpDarkCombineTask(CombineTask):
    """Average the dark current of exposures, the longer ones with more weight."""

    ConfigClass = CpDarkCombineConfig
    _DefaultName = "cpDarkCombine"
    unit = "electron / s"
    config: CpDarkCombineConfig

    def combined(self, exposures: Sequence[Image], camera: Camera, detector: int) -> Combined:
        """Average what gathers in a second."""
        _, noise = read_noise_image(camera[detector])
        lengths = [float(e.metadata[SECONDS]) for e in exposures]
        for exposure, seconds in zip(exposures, lengths, strict=True):
            if not seconds >= self.config.minSeconds:
                raise HarnessError(
                    f"exposure {exposure.metadata[EXPOSURE]} is no dark: it lasted {seconds:g} s",
                    remedy="leave the exposure out of the data query",
                    code="dark-short",
                )
        rates = [e.array / np.float32(t) for e, t in zip(exposures, lengths, strict=True)]
        rate = np.maximum(np.median(np.stack(rates), axis=0), np.float32(0))
        sigmas = [(np.sqrt(noise**2 + rate * np.float32(t)) / np.float32(t)).astype(np.float32) for t in lengths]
        result = combine(rates, sigmas, lengths, clip=self.config.clip)
        # The bias is the same in all of them.
        inherited = [float(e.metadata[INHERITED]) / t for e, t in zip(exposures, lengths, strict=True)]
        return dataclasses.replace(result, noise=float(np.hypot(result.noise, np.mean(inherited))))


class CpFlatCombineConnections(PipelineTaskConnections, dimensions=(*_DETECTOR, "physical_filter")):
    """Inputs and outputs of `CpFlatCombineTask`."""

    exposures = _exposures(names.CP_FLAT, "flat")
    camera = _camera()
    calibration = _calibration(names.FLAT, "Relative response to light.", (*_DETECTOR, "physical_filter"))


class CpFlatCombineConfig(PipelineTaskConfig, CombineConfig, pipelineConnections=CpFlatCombineConnections):
    """Configuration of `CpFlatCombineTask`."""

    minResponse = RangeField[float](
        doc="Relative response below which a pixel is taken for dead and given a response of 1.",
        default=0.2,
        min=0.0,
        max=1.0,
    )


class CpFlatCombineTask(CombineTask):
    """Average flats, each scaled to a mean response of 1: lamps drift.

    Every detector is scaled by itself: differences between detectors are left to the photometric calibration.
    """

    ConfigClass = CpFlatCombineConfig
    _DefaultName = "cpFlatCombine"
    unit = ""
    config: CpFlatCombineConfig

    def combined(self, exposures: Sequence[Image], camera: Camera, detector: int) -> Combined:
        """Average the responses, weighted by the light."""
        _, noise = read_noise_image(camera[detector])
        least = self.config.minResponse
        levels = [mean_response(e.array, least) for e in exposures]
        scaled = [e.array / np.float32(level) for e, level in zip(exposures, levels, strict=True)]
        response = np.maximum(np.median(np.stack(scaled), axis=0), 0.0)
        sigmas = [np.sqrt(noise**2 + response * np.float32(v)) / np.float32(v) for v in levels]
        result = combine(scaled, sigmas, levels, clip=self.config.clip)
        image = result.image / np.float32(mean_response(result.image, least))
        dead = image < least
        image[dead] = 1.0
        self.metadata["n_dead"] = int(dead.sum())
        inherited = np.mean([float(e.metadata[INHERITED]) / v for e, v in zip(exposures, levels, strict=True)])
        return dataclasses.replace(result, image=image, noise=float(np.hypot(result.noise, inherited)))
