"""The sensor: charge that is no light, charge that overflows, and the way through the amplifiers to a raw file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..instrument.camera import Detector, Floats

if TYPE_CHECKING:
    from numpy.random import Generator

    from .calibration import DetectorCalibration

__all__ = ["COSMIC_RAYS", "bleed", "cosmic_rays", "full_well", "read_out"]

COSMIC_RAYS = 0.025
"""Cosmic rays per cm² and second: 1.5 per cm² and minute, a usual number for thick detectors; an assumption."""

TRACK_MM, TRACK_ELECTRONS = 0.08, 8000.0
"""Medians of the length of a track (mm) and of its charge (electrons): 100 e per µm of a 200 µm thick detector
would be 20,000; most tracks leave less."""

LEVEL_DRIFT = 1.0
"""R.m.s. drift of an amplifier's bias level (ADU) from exposure to exposure: the reason for the overscan."""


def cosmic_rays(detector: Detector, exposure_time: float, rng: Generator) -> Floats:
    """Return the charge left by cosmic rays in an exposure (electrons, [y, x]).

    Tracks are drawn in mm, so that another binning shows the same ones.

    Parameters
    ----------
    detector : `~harness.instrument.camera.Detector`
        The (binned) detector.
    exposure_time : `float`
        Seconds.
    rng : `numpy.random.Generator`
        Source of randomness.
    """
    image = np.zeros((detector.ny, detector.nx))
    width, height = detector.nx * detector.pixel_mm, detector.ny * detector.pixel_mm
    n = int(rng.poisson(COSMIC_RAYS * exposure_time * width * height / 100))
    x0, y0 = rng.uniform(0, width, n), rng.uniform(0, height, n)
    angle = rng.uniform(0, 2 * np.pi, n)
    length = TRACK_MM * rng.lognormal(0.0, 1.0, n)
    charge = TRACK_ELECTRONS * rng.lognormal(0.0, 0.5, n) * np.hypot(length / TRACK_MM, 1.0)
    points = np.linspace(0, 1, 200)
    x = (x0[:, None] + np.outer(length * np.cos(angle), points)) / detector.pixel_mm
    y = (y0[:, None] + np.outer(length * np.sin(angle), points)) / detector.pixel_mm
    ix, iy = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    inside = (ix >= 0) & (ix < detector.nx) & (iy >= 0) & (iy < detector.ny)
    share = np.broadcast_to(charge[:, None] / len(points), ix.shape)
    np.add.at(image, (iy[inside], ix[inside]), share[inside])
    return image


def full_well(detector: Detector, calibration: DetectorCalibration) -> dict[str, float]:
    """Return the charge at which pixels of each amplifier are full (electrons).

    It lies a little above the saturation of the ADU, so that noise and drift leave full pixels at that value.
    """
    return {
        a.name: (a.saturation - calibration.bias_levels[a.name] + 10) * a.gain + 10 * a.read_noise
        for a in detector.amplifiers
    }


def bleed(charge: Floats, full: float) -> NDArray[np.bool_]:
    """Let the charge above full well flow along columns, half of it each way, in place.

    Charge that reaches the end of a column is lost.

    Parameters
    ----------
    charge : `numpy.ndarray`
        Charge of the pixels of one amplifier (electrons, [y, x]); changed.
    full : `float`
        Full well (electrons).

    Returns
    -------
    saturated : `numpy.ndarray`
        Mask of the pixels that are full, or hold some of the charge that overflowed.
    """
    saturated = charge >= full
    columns = np.flatnonzero((charge > full).any(axis=0))
    if len(columns):
        block = charge[:, columns]
        excess = np.maximum(block - full, 0.0)
        np.minimum(block, full, out=block)
        rows = np.flatnonzero(excess.any(axis=1))
        for order in (range(rows[0], len(block)), range(rows[-1], -1, -1)):
            carried = np.zeros(len(columns))
            last = rows[-1] if order.step > 0 else rows[0]
            for y in order:
                carried += excess[y] / 2
                taken = np.minimum(carried, full - block[y])
                block[y] += taken
                carried -= taken
                saturated[y, columns] |= taken > 0
                if not carried.any() and (y - last) * order.step >= 0:
                    break
        charge[:, columns] = block
    return saturated


def read_out(
    charge: Floats, calibration: DetectorCalibration, levels: Generator, noise: Generator
) -> dict[str, NDArray[np.uint16]]:
    """Read a detector through its amplifiers.

    Parameters
    ----------
    charge : `numpy.ndarray`
        Charge of the trimmed detector (electrons, [y, x]), at most full well.
    calibration : `~harness.simulate.calibration.DetectorCalibration`
        The truth about the detector.
    levels, noise : `numpy.random.Generator`
        Sources of randomness of the drift of the bias level and of the read noise.

    Returns
    -------
    pixels : `dict` [`str`, `numpy.ndarray`]
        Raw pixels (ADU) of each amplifier, of the shape of its ``raw_bbox``. Overscan and prescan hold the
        level; the data also the structure of the bias and the charge.
    """
    out: dict[str, NDArray[np.uint16]] = {}
    for amplifier in calibration.detector.amplifiers:
        box, data = amplifier.raw_bbox, amplifier.raw_data
        raw = noise.standard_normal((box.ny, box.nx), dtype=np.float32).astype(np.float64)
        raw *= amplifier.read_noise / amplifier.gain
        raw += calibration.bias_levels[amplifier.name] + levels.normal(0.0, LEVEL_DRIFT)
        here = amplifier.bbox.slices
        signal = charge[here] / amplifier.gain + calibration.bias[here]
        signal = signal[:: -1 if amplifier.flip_y else 1, :: -1 if amplifier.flip_x else 1]
        y0, x0 = data.y0 - box.y0, data.x0 - box.x0
        raw[y0 : y0 + data.ny, x0 : x0 + data.nx] += signal
        np.rint(raw, out=raw)
        out[amplifier.name] = np.clip(raw, 0, min(amplifier.saturation, 65535)).astype(np.uint16)
    return out
