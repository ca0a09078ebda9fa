"""The signature that an instrument leaves in its raw images, taken off step by step."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import HarnessError
from ..instrument.assembly import amplifier_views
from . import pixels

if TYPE_CHECKING:
    from astro_metadata_translator import ObservationInfo

    from ..instrument.camera import Detector
    from ..instrument.raw import Raw

__all__ = ["Trimmed", "dark_seconds", "read_noise_image", "trim"]

Image = NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Trimmed:
    """A trimmed, assembled image without the level of its overscan.

    Parameters
    ----------
    image : `numpy.ndarray`
        ADU, shape (ny, nx) of the detector.
    gain, read_variance : `numpy.ndarray`
        Gain (electrons per ADU) and variance of the read noise (electrons²) of every pixel.
    saturated : `numpy.ndarray`
        Pixels at the level at which their amplifier saturates.
    """

    image: Image
    gain: Image
    read_variance: Image
    saturated: NDArray[np.bool_]


def trim(raw: Raw, detector: Detector, overscan_order: int) -> Trimmed:
    """Assemble a raw image and subtract the level of the overscan.

    Parameters
    ----------
    raw : `~harness.instrument.raw.Raw`
        Raw image.
    detector : `~harness.instrument.camera.Detector`
        Its detector, binned as the image is.
    overscan_order : `int`
        Order of the polynomial fitted to an amplifier's overscan.

    Raises
    ------
    HarnessError
        If the raw image has not the shape that the camera says.
    """
    shape = (detector.ny, detector.nx)
    image, gain, variance = (np.empty(shape, np.float32) for _ in range(3))
    saturated = np.zeros(shape, bool)
    for view in amplifier_views(raw.image.array, detector):
        amplifier, here = view.amplifier, view.amplifier.bbox.slices
        level = pixels.overscan_level(np.asarray(view.serial_overscan, np.float64), overscan_order)
        image[here] = view.data - level
        gain[here] = amplifier.gain
        variance[here] = amplifier.read_noise**2
        saturated[here] = view.data >= amplifier.saturation
    return Trimmed(image, gain, variance, saturated)


def read_noise_image(detector: Detector) -> tuple[Image, Image]:
    """Return gain (electrons per ADU) and read noise (electrons) of every pixel of a trimmed detector."""
    gain, noise = (np.empty((detector.ny, detector.nx), np.float32) for _ in range(2))
    for amplifier in detector.amplifiers:
        gain[amplifier.bbox.slices] = amplifier.gain
        noise[amplifier.bbox.slices] = amplifier.read_noise
    return gain, noise


def dark_seconds(info: ObservationInfo) -> float:
    """Return for how long an exposure gathered dark current (seconds); the exposure time if the header is silent.

    Raises
    ------
    HarnessError
        If the header has neither.
    """
    from astropy import units

    value = info.dark_time if info.dark_time is not None else info.exposure_time
    if value is None:
        raise HarnessError(
            f"exposure {info.exposure_id} has neither dark time nor exposure time",
            remedy="correct its header",
            code="dark-time",
        )
    return float(value.to_value(units.s))
