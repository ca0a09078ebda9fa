"""Between the pixels of a raw file and those of a trimmed detector."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import HarnessError

if TYPE_CHECKING:
    from .camera import Amplifier, Detector, Rect

__all__ = ["AmplifierView", "amplifier_views", "assemble", "raw_mosaic", "raw_shape", "require_pixels"]

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


def raw_shape(detector: Detector) -> tuple[int, int]:
    """Return rows and columns of a detector's raw image (`tuple` [`int`, `int`])."""
    boxes = [a.raw_bbox for a in detector.amplifiers]
    return max(b.y0 + b.ny for b in boxes), max(b.x0 + b.nx for b in boxes)


def require_pixels(pixels: Mapping[str, Pixels], detector: Detector) -> None:
    """Refuse pixels that are not those of a detector's amplifiers.

    Parameters
    ----------
    pixels : `~collections.abc.Mapping` [`str`, `numpy.ndarray`]
        Raw pixels of each amplifier by name.
    detector : `~harness.instrument.camera.Detector`
        The detector, binned as the pixels are.

    Raises
    ------
    HarnessError
        If an amplifier's are missing or have another shape than (raw_bbox.ny, raw_bbox.nx).
    """
    for amplifier in detector.amplifiers:
        box = amplifier.raw_bbox
        given = pixels.get(amplifier.name)
        if given is None or given.shape != (box.ny, box.nx):
            raise HarnessError(
                f"amplifier {amplifier.name} of detector {detector.name} "
                + ("has no pixels" if given is None else f"has pixels of shape {given.shape}"),
                remedy=f"give an array of shape {(box.ny, box.nx)}",
                code="raw-pixels",
            )


def raw_mosaic(pixels: Mapping[str, Pixels], detector: Detector) -> Pixels:
    """Put the amplifiers of a detector beside each other, as they are read out.

    Parameters
    ----------
    pixels : `~collections.abc.Mapping` [`str`, `numpy.ndarray`]
        Raw pixels of each amplifier by name, shape (raw_bbox.ny, raw_bbox.nx), all of one type.
    detector : `~harness.instrument.camera.Detector`
        The detector, binned as the pixels are.

    Returns
    -------
    raw : `numpy.ndarray`
        New array of shape `raw_shape`.

    Raises
    ------
    HarnessError
        If an amplifier's pixels are missing or have another shape.
    """
    require_pixels(pixels, detector)
    # Uncompressed FITS has the bytes of numbers the other way round; whatever comes later wants them native.
    raw = np.zeros(raw_shape(detector), dtype=next(iter(pixels.values())).dtype.newbyteorder("="))
    for amplifier in detector.amplifiers:
        raw[amplifier.raw_bbox.slices] = pixels[amplifier.name]
    return raw


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
    ny, nx = raw_shape(detector)
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
