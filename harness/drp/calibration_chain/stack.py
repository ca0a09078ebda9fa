"""Averages of images of the same thing, without what is in one of them only."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...errors import HarnessError

__all__ = ["Combined", "combine", "mean_response"]

Image = NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Combined:
    """An average image.

    Parameters
    ----------
    image : `numpy.ndarray`
        The average, shape (ny, nx).
    count : `numpy.ndarray`
        How many images each pixel is the average of.
    rejected : `int`
        How many pixels of single images were left out.
    noise : `float`
        Standard deviation of its pixels, r.m.s. over the image, that follows from those of the images.
    """

    image: Image
    count: NDArray[np.int64]
    rejected: int
    noise: float


def combine(images: Sequence[Image], sigmas: Sequence[Image], weights: Sequence[float], *, clip: float) -> Combined:
    """Average images, leaving out pixels that are further from the median than their noise allows.

    The noise is known and not measured from the scatter: of three values, one of which was hit by a cosmic ray, the
    scatter says nothing.

    Parameters
    ----------
    images : `~collections.abc.Sequence` [`numpy.ndarray`]
        Three images or more, of the same shape and scale.
    sigmas : `~collections.abc.Sequence` [`numpy.ndarray`]
        Standard deviation of their pixels.
    weights : `~collections.abc.Sequence` [`float`]
        Weight of each image.
    clip : `float`
        Standard deviations from the median beyond which a pixel is left out.

    Returns
    -------
    combined : `Combined`
        The average. Where nothing is left, it is the median.

    Raises
    ------
    HarnessError
        If there are fewer than three images: the median could not tell which is wrong.
    """
    if len(images) < 3:
        raise HarnessError(
            f"a calibration cannot be combined of {len(images)} exposures",
            remedy="give the epoch three or more of each kind, detector and filter",
            code="calibration-inputs",
        )
    stack = np.stack(images)
    middle = np.median(stack, axis=0)
    # The median of n has itself an error, of π/2 of the variance of the mean.
    widening = np.float32(np.sqrt(1 + np.pi / 2 / len(images)))
    keep = np.stack([np.abs(v - middle) <= clip * widening * s for v, s in zip(stack, sigmas, strict=True)])
    weight = keep * np.asarray(weights, np.float32)[:, None, None]
    total = weight.sum(axis=0)
    mean = np.where(total > 0, np.sum(weight * stack, axis=0) / np.where(total > 0, total, 1), middle)
    variance = np.sum((weight * np.stack(sigmas)) ** 2, axis=0)[total > 0] / total[total > 0] ** 2
    noise = float(np.sqrt(np.mean(variance, dtype=np.float64))) if variance.size else float("nan")
    return Combined(mean.astype(np.float32), keep.sum(axis=0), int((~keep).sum()), noise)


def mean_response(image: Image, least: float) -> float:
    """Return the mean of an image over the pixels that respond to light: those above some part of the median.

    Raises
    ------
    HarnessError
        If there is no light in the image.
    """
    median = float(np.median(image))
    if not median > 0:
        raise HarnessError(
            f"a flat has no light: its median is {median:.1f} electrons",
            remedy="leave the exposure out of the data query",
            code="flat-dark",
        )
    return float(np.mean(image[image > least * median], dtype=np.float64))
