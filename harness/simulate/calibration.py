"""What a detector does to light, and the calibration frames that undo it.

Everything here is a pure function of the seed, the camera, the detector, the filter and the label of the
calibration epoch: the raw files and the calibrations of a repository are made independently, and agree.
Amplitudes are assumptions: large enough that an uncorrected image fails the quality checks.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..datasets.manifest import CalibrationEpoch
from ..errors import HarnessError
from ..instrument.camera import Detector, Floats, Rect
from ..sky.seeds import generator
from .scene import surface

if TYPE_CHECKING:
    from ..datasets.manifest import Dataset
    from ..datasets.observations import Observation

__all__ = [
    "BIAS_FRAMES",
    "DARK_FRAMES",
    "DARK_SECONDS",
    "FLAT_ELECTRONS",
    "FLAT_FRAMES",
    "DetectorCalibration",
    "epoch_of",
]

BIAS_LEVEL = 1000.0
"""Mean bias level (ADU) of amplifiers; each has its own, with a spread of 50."""

BIAS_GLOW, BIAS_PATTERN = 6.0, 1.0
"""Amplitude of the ramps at the edges of an amplifier and r.m.s. of the fixed pattern (ADU)."""

ILLUMINATION, PIXEL_RESPONSE = 0.03, 0.005
"""Relative amplitude of the smooth part of the flat field, and r.m.s. of the pixels' own response."""

HOT_PIXELS, HOT_RATE = 20, 300.0
"""Hot pixels per detector and epoch, and the median of their dark current (electrons per second)."""

DARK_RATE, DARK_GRADIENT = 500.0, 0.3
"""Mean dark current (electrons per second and mm²) and relative r.m.s. of its linear change across a detector. Some
0.05 electrons per second in a pixel of 10 µm: a warm detector."""

WARM_SHARE, WARM_RATE = 0.003, 100.0
"""Share of warm pixels, which no list of defects has, and the median of their dark current (electrons per second):
above the noise of the sky in half a minute, so that an image without dark subtraction shows them as sources."""

BAD_COLUMNS = 3
"""Dead columns per detector; they are the same in all epochs."""

BIAS_FRAMES, FLAT_FRAMES, FLAT_ELECTRONS = 20, 10, 50_000.0
"""Frames averaged in a bias and in a flat, and electrons per pixel in each frame of a flat."""

DARK_FRAMES, DARK_SECONDS = 10, 300.0
"""Frames averaged in a dark, and seconds of each."""


ALWAYS = CalibrationEpoch(label="always", begin=datetime.datetime(1980, 1, 1))
"""The epoch of datasets that have no calibrations: their detectors never change."""


def epoch_of(dataset: Dataset, observation: Observation) -> CalibrationEpoch:
    """Return the calibration epoch that an exposure lies in; one for all times, if the dataset has none.

    Raises
    ------
    HarnessError
        If it lies in none, or reaches from one into the next: the lookup of its calibrations would be empty or
        ambiguous.
    """
    from astropy.time import Time

    if not dataset.calibrations:
        return ALWAYS
    for epoch in dataset.calibrations:
        begin = Time(epoch.begin, format="datetime", scale="tai")
        end = None if epoch.end is None else Time(epoch.end, format="datetime", scale="tai")
        if observation.begin >= begin and (end is None or observation.begin < end):
            if end is not None and observation.end > end:
                raise HarnessError(
                    f"exposure {observation.exposure} of {dataset.name} lasts beyond the end of epoch {epoch.label}",
                    remedy=f"move the exposure or the epoch's end {epoch.end} in the manifest",
                    code="calibration-epoch",
                )
            return epoch
    raise HarnessError(
        f"exposure {observation.exposure} of {dataset.name} ({observation.begin.isot} TAI) is in no calibration epoch",
        remedy="add a [[calibrations]] entry to the manifest that covers it",
        code="calibration-epoch",
    )


@dataclasses.dataclass(frozen=True)
class DetectorCalibration:
    """The truth about one detector in one calibration epoch.

    Parameters
    ----------
    seed : `int`
        Seed of the dataset.
    camera : `str`
        Name of the camera.
    detector : `~harness.instrument.camera.Detector`
        The (binned) detector. All images have its trimmed shape (ny, nx).
    epoch : `str`
        Label of the epoch.
    """

    seed: int
    camera: str
    detector: Detector
    epoch: str

    def _random(self, purpose: str, *, epoch: bool = True) -> np.random.Generator:
        return generator(self.seed, self.camera, self.detector.id, self.epoch if epoch else "", purpose=purpose)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the trimmed detector."""
        return self.detector.ny, self.detector.nx

    @cached_property
    def bias_levels(self) -> Mapping[str, float]:
        """Level of the bias (ADU) of each amplifier, as the overscan shows it (`dict` [`str`, `float`])."""
        levels = self._random("bias level").normal(BIAS_LEVEL, 50.0, len(self.detector.amplifiers))
        return {a.name: float(v) for a, v in zip(self.detector.amplifiers, levels, strict=True)}

    @cached_property
    def bias(self) -> Floats:
        """Structure of the bias above the overscan's level (ADU), without noise."""
        rng = self._random("bias")
        image = BIAS_PATTERN * rng.standard_normal(self.shape)
        for amplifier in self.detector.amplifiers:
            box = amplifier.bbox
            u, v = np.linspace(0, 1, box.nx), np.linspace(0, 1, box.ny)
            near_register, near_edge = rng.uniform(0.5, 1.5, 2) * BIAS_GLOW
            columns = near_edge * np.exp(-10 * (u[::-1] if amplifier.flip_x else u))
            rows = near_register * np.exp(-15 * (v[::-1] if amplifier.flip_y else v))
            image[box.slices] += columns + rows[:, None]
        return image

    def flat(self, physical_filter: str) -> Floats:
        """Return the relative response to light, mean 1, without noise.

        Parameters
        ----------
        physical_filter : `str`
            Filter; the smooth part and a part of the pixels' response depend on it.
        """
        coefficients = self._random(f"illumination {physical_filter}").normal(0.0, ILLUMINATION / 2, (3, 3))
        coefficients[0, :2] = coefficients[1, 0] = 0.0  # no terms above the second order
        pixels = self._random("pixel response", epoch=False).standard_normal(self.shape)
        own = self._random(f"pixel response {physical_filter}").standard_normal(self.shape)
        image = (1 + surface(coefficients, self.shape)) * (1 + PIXEL_RESPONSE * (0.8 * pixels + 0.6 * own))
        out: Floats = image / image.mean()
        return out

    @cached_property
    def bad_columns(self) -> tuple[Rect, ...]:
        """Dead stretches of columns, in trimmed pixels."""
        rng = self._random("bad columns", epoch=False)
        ny, nx = self.shape
        out = []
        for x in sorted(int(v) for v in rng.choice(nx, min(BAD_COLUMNS, nx), replace=False)):
            y0 = int(rng.integers(0, ny // 2 + 1))
            out.append(Rect(x0=x, y0=y0, nx=1, ny=ny - y0))
        return tuple(out)

    @cached_property
    def hot_pixels(self) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
        """Columns, rows and dark currents (electrons per second) of the hot pixels, none twice."""
        rng = self._random("hot pixels")
        where = rng.choice(self.detector.ny * self.detector.nx, HOT_PIXELS, replace=False)
        where.sort()
        return where % self.detector.nx, where // self.detector.nx, HOT_RATE * rng.lognormal(0.0, 0.7, HOT_PIXELS)

    @cached_property
    def dark(self) -> Floats:
        """Dark current of every pixel (electrons per second), without noise; hot pixels are in it."""
        rng = self._random("dark")
        gradient = np.zeros((2, 2))
        gradient[0, 1], gradient[1, 0] = rng.normal(0.0, DARK_GRADIENT, 2)
        # Never below a tenth of the mean, however steep the gradient.
        image = DARK_RATE * self.detector.pixel_mm**2 * np.maximum(1 + surface(gradient, self.shape), 0.1)
        warm = rng.random(self.shape) < WARM_SHARE
        image[warm] += WARM_RATE * rng.lognormal(0.0, 0.5, self.shape)[warm]
        x, y, rate = self.hot_pixels
        image[y, x] += rate
        return image

    @cached_property
    def defects(self) -> tuple[Rect, ...]:
        """Boxes of pixels not to be trusted: bad columns, then hot pixels."""
        x, y, _ = self.hot_pixels
        hot = tuple(Rect(x0=int(i), y0=int(j), nx=1, ny=1) for i, j in zip(x, y, strict=True))
        return (*self.bad_columns, *hot)

    @cached_property
    def defect_mask(self) -> NDArray[np.bool_]:
        """The defects as an image."""
        mask = np.zeros(self.shape, bool)
        for box in self.defects:
            mask[box.slices] = True
        return mask

    def bias_frame(self) -> NDArray[np.float32]:
        """Return the bias as measured (ADU): the structure with the noise left by `BIAS_FRAMES` frames."""
        noise = self._random("bias frame").standard_normal(self.shape)
        for amplifier in self.detector.amplifiers:
            noise[amplifier.bbox.slices] *= amplifier.read_noise / amplifier.gain / np.sqrt(BIAS_FRAMES)
        return (self.bias + noise).astype(np.float32)

    def dark_frame(self) -> NDArray[np.float32]:
        """Return the dark as measured (electrons per second), with the noise of `DARK_FRAMES` long frames."""
        noise = self._random("dark frame").standard_normal(self.shape)
        variance = self.dark * DARK_SECONDS
        for amplifier in self.detector.amplifiers:
            variance[amplifier.bbox.slices] += amplifier.read_noise**2
        return (self.dark + noise * np.sqrt(variance / DARK_FRAMES) / DARK_SECONDS).astype(np.float32)

    def flat_frame(self, physical_filter: str) -> NDArray[np.float32]:
        """Return the flat as measured, mean 1: with the photon noise left by `FLAT_FRAMES` frames.

        Parameters
        ----------
        physical_filter : `str`
            Filter.
        """
        noise = self._random(f"flat frame {physical_filter}").standard_normal(self.shape)
        noise /= np.sqrt(FLAT_FRAMES * FLAT_ELECTRONS)
        image = self.flat(physical_filter) * (1 + noise)
        return (image / image.mean()).astype(np.float32)
