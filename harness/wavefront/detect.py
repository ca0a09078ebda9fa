"""Finding donuts: a ring of known size is looked for all over the image."""

from __future__ import annotations

import dataclasses

import numpy as np
import sep
from numpy.typing import NDArray
from scipy import ndimage, signal

__all__ = ["FAINT", "OVERLAP", "Donuts", "find_donuts"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

FAINT = 0.02
"""Light of a neighbour, relative to that of a donut, below which it does not matter."""

OVERLAP = 0.3
"""Part of a donut's disk that neighbours may cover: their pixels are not used."""


@dataclasses.dataclass(frozen=True)
class Donuts:
    """Donuts on one image, the brightest first; arrays of one length.

    Parameters
    ----------
    x, y : `numpy.ndarray`
        Centres (pixels, to about one).
    flux : `numpy.ndarray`
        Electrons.
    snr : `numpy.ndarray`
        Flux over its error.
    isolated : `numpy.ndarray`
        Whether the donut is whole, has few bad pixels, and others cover less than `OVERLAP` of its disk.
    """

    x: Floats
    y: Floats
    flux: Floats
    snr: Floats
    isolated: Mask


def find_donuts(
    image: Floats, variance: Floats, bad: Mask, radius: float, obscuration: float, threshold: float = 50.0
) -> Donuts:
    """Find donuts of a given size.

    Parameters
    ----------
    image, variance : `numpy.ndarray`
        Electrons and their variance, [y, x].
    bad : `numpy.ndarray`
        Pixels not to be trusted.
    radius : `float`
        Outer radius (pixels).
    obscuration : `float`
        Inner radius over the outer one.
    threshold : `float`, optional
        Least ratio of flux to error.

    Returns
    -------
    donuts : `Donuts`
        Those that are as bright as the threshold.
    """
    cell = int(np.clip(8 * radius, 32, 256))
    sky = sep.Background(np.ascontiguousarray(image, np.float32), mask=bad, bw=cell, bh=cell).back()
    above = np.where(bad, 0.0, image - sky)
    half = int(np.ceil(1.5 * radius + 2))
    dy, dx = np.mgrid[-half : half + 1, -half : half + 1]
    distance = np.hypot(dx, dy)
    ring = np.clip(radius - distance + 0.5, 0, 1) * np.clip(distance - obscuration * radius + 0.5, 0, 1)
    around = np.clip(distance - radius, 0, 1) * np.clip(1.5 * radius - distance, 0, 1)
    # Light in the ring, less what its surroundings make one expect there: zero for any slope of the sky.
    kernel = ring - around * (ring.sum() / around.sum())
    flux = signal.fftconvolve(above, kernel[::-1, ::-1], mode="same")
    noise = np.sqrt(np.maximum(signal.fftconvolve(variance, kernel[::-1, ::-1] ** 2, mode="same"), 1e-9))
    # The hole counts as well: it tells the middle of a donut from a place on the ring of a brighter one.
    hole = np.clip(obscuration * radius - distance, 0, 1)
    contrast = flux / ring.sum() - (signal.fftconvolve(above, hole, mode="same") / hole.sum() if hole.any() else 0.0)
    window = 2 * int(np.ceil(radius)) + 1
    peak = (contrast == ndimage.maximum_filter(contrast, window)) & (flux > 0.2 * threshold * noise)
    y, x = np.nonzero(peak)
    light, snr = flux[y, x], flux[y, x] / noise[y, x]
    order = np.argsort(-light, kind="stable")
    y, x, light, snr = y[order], x[order], light[order], snr[order]
    spoilt = (
        signal.fftconvolve(bad.astype(float), (distance <= radius).astype(float), mode="same")[y, x]
        > 0.05 * np.pi * radius**2
    )
    ny, nx = image.shape
    whole = (x >= half) & (x < nx - half) & (y >= half) & (y < ny - half)
    isolated = whole & ~spoilt & (_overlaps(x, y, light, radius) < OVERLAP)
    keep = snr >= threshold
    return Donuts(x[keep].astype(float), y[keep].astype(float), light[keep], snr[keep], isolated[keep])


def _overlaps(x: NDArray[np.int64], y: NDArray[np.int64], light: Floats, radius: float) -> Floats:
    """Return which part of each donut's disk those of its neighbours cover; of several the sum."""
    apart = np.hypot(x[:, None] - x, y[:, None] - y) / (2 * radius)
    h = np.clip(apart, 0.0, 1.0)
    lens = 2 / np.pi * (np.arccos(h) - h * np.sqrt(1 - h**2))
    matter = (light > FAINT * light[:, None]) & ~np.eye(len(x), dtype=bool)
    return np.sum(np.where(matter, lens, 0.0), axis=1)
