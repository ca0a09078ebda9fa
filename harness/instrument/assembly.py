"""Between the pixels of a raw file and those of a trimmed detector."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import HarnessError

if TYPE_CHECKING:
    from .camera import Amplifier, Detector, Rect

__all__ = ["AmplifierView", "amplifier_views", "assemble"]

Pixels = np.ndarray[Any, np.dtype[Any]]


@dataclasses.dataclass(frozen=True)
class AmplifierView:
    """One amplifier's sections of a raw array: views, turned as in the assembled detector.

    Parameters
    ----------
    amplifier : `~harness.instrument.camera.Amplifier`
        The amplifier.
    data : `numpy.ndarray`
        Its pixels, shape (bbox.ny, bbox.nx); writing to them changes the raw array.
    serial_overscan : `numpy.ndarray`
        Columns read after the last pixel, shape (rows, columns).
    parallel_overscan : `numpy.ndarray`
        Rows read after the last row; of shape (0, 0) if there are none.
    """

    amplifier: Amplifier
    data: Pixels
    serial_overscan: Pixels
    parallel_overscan: Pixels


def amplifier_views(raw: Pixels, detector: Detector) -> Iterator[AmplifierView]:
    """Yield the sections of each amplifier.

    Parameters
    ----------
    raw : `numpy.ndarray`
        Pixels of the raw image [y, x].
    detector : `~harness.instrument.camera.Detector`
        The detector, binned as the image is.

    Raises
    ------
    HarnessError
        If the array is too small to hold the detector's amplifiers.
    """
    nx = max(a.raw_bbox.x0 + a.raw_bbox.nx for a in detector.amplifiers)
    ny = max(a.raw_bbox.y0 + a.raw_bbox.ny for a in detector.amplifiers)
    if raw.shape != (ny, nx):
        raise HarnessError(
            f"raw image of detector {detector.name} is {raw.shape[1]} × {raw.shape[0]} pixels",
            remedy=f"its amplifiers cover {nx} × {ny}; is the camera of another binning?",
            code="raw-shape",
        )
    for amplifier in detector.amplifiers:
        parallel = amplifier.raw_parallel_overscan
        yield AmplifierView(
            amplifier,
            _turned(raw, amplifier.raw_data, amplifier),
            _turned(raw, amplifier.raw_serial_overscan, amplifier),
            raw[:0, :0] if parallel is None else _turned(raw, parallel, amplifier),
        )


def assemble(raw: Pixels, detector: Detector) -> Pixels:
    """Trim a raw image and put its amplifiers in their places, values unchanged.

    Parameters
    ----------
    raw : `numpy.ndarray`
        Pixels of the raw image [y, x].
    detector : `~harness.instrument.camera.Detector`
        The detector, binned as the image is.

    Returns
    -------
    trimmed : `numpy.ndarray`
        New array of shape (detector.ny, detector.nx) and the raw image's type.
    """
    trimmed = np.empty((detector.ny, detector.nx), dtype=raw.dtype)
    for view in amplifier_views(raw, detector):
        trimmed[view.amplifier.bbox.slices] = view.data
    return trimmed


def _turned(raw: Pixels, box: Rect, amplifier: Amplifier) -> Pixels:
    return raw[box.slices][:: -1 if amplifier.flip_y else 1, :: -1 if amplifier.flip_x else 1]
