"""One exposure of one detector: from the truth to the pixels of a raw file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import nearest
from ..instrument.kit import Capability
from ..sky.seeds import generator
from .calibration import DetectorCalibration, epoch_of
from .light import light_of
from .scene import Sources
from .sensor import bleed, cosmic_rays, full_well, read_out

if TYPE_CHECKING:
    from ..datasets.manifest import Dataset
    from ..datasets.observations import Observation
    from ..instrument.camera import Camera, Detector, Floats
    from ..instrument.kit import InstrumentKit

__all__ = ["ExposedDetector", "Simulator", "band_of"]


def band_of(kit: InstrumentKit, physical_filter: str) -> str:
    """Return the band of a physical filter (`str`).

    Raises
    ------
    HarnessError
        If the instrument has no such filter.
    """
    bands: Mapping[str, str] = kit.instrument_class.filters()
    try:
        return bands[physical_filter]
    except KeyError:
        raise nearest(f"filter of {kit.name}", physical_filter, bands) from None


@dataclasses.dataclass(frozen=True)
class ExposedDetector:
    """A simulated detector, with the truth about its pixels.

    Parameters
    ----------
    pixels : `dict` [`str`, `numpy.ndarray`]
        Raw pixels (ADU) by amplifier.
    light : `numpy.ndarray`
        Expected electrons of sources and sky behind the flat field, without any noise, trimmed [y, x].
    cosmic_rays, saturated, defects : `numpy.ndarray`
        Masks of the trimmed detector: hit by a cosmic ray, full (or next to it in the
        column, with some of the charge that overflowed), defective.
    """

    pixels: Mapping[str, NDArray[np.uint16]]
    light: Floats
    cosmic_rays: NDArray[np.bool_]
    saturated: NDArray[np.bool_]
    defects: NDArray[np.bool_]


class Simulator:
    """Simulates the exposures of a dataset, detector by detector, in any order.

    Parameters
    ----------
    dataset : `~harness.datasets.manifest.Dataset`
        The manifest: its seed, scale and calibration epochs.
    kit : `~harness.instrument.kit.InstrumentKit`
        The instrument.
    sources : `Sources`
        Truth catalogue.
    """

    def __init__(self, dataset: Dataset, kit: InstrumentKit, sources: Sources) -> None:
        self.dataset = dataset
        self.kit = kit
        self.sources = sources
        # As many as fit into some 300 MB: at scale 1 a detector's truth alone takes half of that.
        pixels = max(d.nx * d.ny for d in self.camera.detectors)
        self._calibration = lru_cache(maxsize=max(1, 20_000_000 // pixels))(self._make_calibration)

    @cached_property
    def camera(self) -> Camera:
        """The binned camera."""
        return self.kit.make_camera(self.dataset.scale)

    def calibration(self, observation: Observation, detector: int) -> DetectorCalibration:
        """Return the truth about a detector at the time of an observation (`DetectorCalibration`)."""
        return self._calibration(detector, epoch_of(self.dataset, observation).label)

    def _make_calibration(self, detector: int, epoch: str) -> DetectorCalibration:
        return DetectorCalibration(self.dataset.seed, self.camera.name, self.camera[detector], epoch)

    def band(self, observation: Observation) -> str:
        """Return the band of an observation's filter (`str`)."""
        return band_of(self.kit, observation.physical_filter)

    def light(self, observation: Observation, detector: int) -> Floats:
        """Return the electrons that the light would give with a flat field of 1 (trimmed, [y, x]).

        Raises
        ------
        HarnessError
            If the type of observation cannot be simulated, or the light alone would saturate.
        """
        return light_of(self, observation).render(self, observation, detector)

    def expose(self, observation: Observation, detector: int) -> ExposedDetector:
        """Simulate one detector of an exposure (`ExposedDetector`)."""
        item = self.camera[detector]
        truth = self.calibration(observation, detector)

        def random(purpose: str) -> np.random.Generator:
            key = (self.camera.name, observation.exposure, detector)
            return generator(self.dataset.seed, *key, purpose=purpose)

        light = self.light(observation, detector)
        light *= truth.flat(observation.physical_filter)
        charge = light.copy()
        if Capability.CALIBRATION_CHAIN in self.kit.capabilities:
            charge += truth.dark * observation.exposure_time
        else:  # nobody takes darks of a detector that has no dark current to speak of
            hot_x, hot_y, rate = truth.hot_pixels
            charge[hot_y, hot_x] += rate * observation.exposure_time
        # Gaussian rather than Poisson noise: the sky gives hundreds of electrons per pixel and more, and the
        # number of draws does not depend on the last bits of the light, which differ between numpy builds.
        charge += np.sqrt(charge) * random("photons").standard_normal(charge.shape)
        np.maximum(charge, 0.0, out=charge)
        rays = cosmic_rays(item, observation.exposure_time, random("cosmic rays"))
        charge += rays
        for box in truth.bad_columns:
            charge[box.slices] = 0.0
        saturated = self._bleed(item, truth, charge)
        pixels = read_out(charge, truth, random("bias drift"), random("read noise"))
        return ExposedDetector(pixels, light, rays > 0, saturated, truth.defect_mask)

    @staticmethod
    def _bleed(detector: Detector, truth: DetectorCalibration, charge: Floats) -> NDArray[np.bool_]:
        wells = full_well(detector, truth)
        saturated = np.zeros(charge.shape, bool)
        for amplifier in detector.amplifiers:
            here = amplifier.bbox.slices
            saturated[here] = bleed(charge[here], wells[amplifier.name])
        return saturated
