"""How much light: charge from a time series, electrons from the spots of an image."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.instrument.raw import Raw

__all__ = ["Charge", "electrometer_charge", "measure_spots", "trimmed_electrons"]

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Charge:
    """A measured charge.

    Parameters
    ----------
    charge, error : `float`
        Charge that the light gave, and its standard error (C).
    dark_current : `float`
        Slope of the baseline (A).
    noise : `float`
        R.m.s. scatter of the measurements about the baseline (C).
    """

    charge: float
    error: float
    dark_current: float
    noise: float


def electrometer_charge(time: Floats, charge: Floats, quiet: float) -> Charge:
    """Measure the step between the baselines before and after the light.

    Both have one slope, which is fitted together with their levels.

    Parameters
    ----------
    time : `numpy.ndarray`
        Seconds, increasing, shape (n,).
    charge : `numpy.ndarray`
        Charge (C), shape (n,).
    quiet : `float`
        Seconds at either end in which there is no light.

    Raises
    ------
    HarnessError
        If there are fewer than three measurements at one end, or the ends overlap.
    """
    before, after = time <= time[0] + quiet, time >= time[-1] - quiet
    if min(before.sum(), after.sum()) < 3 or np.any(before & after):
        raise HarnessError(
            f"{time[-1] - time[0]:g} s with {len(time)} measurements have no quiet ends of {quiet:g} s",
            remedy="measure the baseline before and after the light",
            code="electrometer",
        )
    used = before | after
    design = np.stack([np.ones(used.sum()), time[used], after[used].astype(float)], axis=1)
    # The charge is some 10⁻⁸ C: scaled, so that nothing is lost in the solution.
    unit = float(np.max(np.abs(charge))) or 1.0
    solution, *_ = np.linalg.lstsq(design, charge[used] / unit, rcond=None)
    residual = charge[used] / unit - design @ solution
    variance = float(residual @ residual) / max(len(residual) - 3, 1)
    covariance = variance * np.linalg.inv(design.T @ design)
    return Charge(
        charge=float(solution[2]) * unit,
        error=float(np.sqrt(covariance[2, 2])) * unit,
        dark_current=float(solution[1]) * unit,
        noise=float(np.sqrt(variance)) * unit,
    )


def trimmed_electrons(raw: Raw) -> tuple[Floats, float]:
    """Assemble a raw image of any camera without the level of its overscan.

    Parameters
    ----------
    raw : `~harness.instrument.raw.Raw`
        The raw image.

    Returns
    -------
    electrons : `numpy.ndarray`
        Electrons, [y, x] of the trimmed detector.
    noise : `float`
        Largest read noise of an amplifier (electrons).

    Raises
    ------
    HarnessError
        If the detector does not know where its amplifiers are.
    """
    box = raw.detector.bbox
    image = np.zeros((box.y.stop - box.y.start, box.x.stop - box.x.start))
    noise = 0.0
    for amplifier in raw.detector.amplifiers:
        geometry, nominal = amplifier.assembled_raw_geometry, amplifier.nominal_calibrations
        if geometry is None or nominal is None:
            raise HarnessError(
                f"amplifier {amplifier.name} of detector {raw.detector.name} has no raw geometry", code="raw-geometry"
            )
        level = float(np.median(raw.image[geometry.serial_overscan_bbox].array))
        data = np.asarray(raw.image[geometry.data_bbox].array, np.float64) - level
        data = data[:: -1 if geometry.flip_y else 1, :: -1 if geometry.flip_x else 1]
        place = amplifier.bbox
        image[place.y.start : place.y.stop, place.x.start : place.x.stop] = data * nominal.gain
        noise = max(noise, float(nominal.read_noise))
    return image, noise


def measure_spots(
    image: Floats, read_noise: float, threshold: float, min_area: int, margin: float, annulus: float
) -> list[tuple[float, float, float, float, int, float]]:
    """Find spots and measure their fluxes in round apertures.

    Parameters
    ----------
    image : `numpy.ndarray`
        Electrons, [y, x].
    read_noise : `float`
        Electrons.
    threshold : `float`
        Height above the background, in units of the noise.
    min_area : `int`
        Pixels that a spot has at least.
    margin : `float`
        Pixels around the radius of a spot that belong to its aperture.
    annulus : `float`
        Pixels around the aperture whose median is the background.

    Returns
    -------
    spots : `list` [`tuple`]
        For each spot, the brightest first: x, y (pixels from 0), flux and its error (electrons), area (pixels),
        background (electrons per pixel).
    """
    from scipy import ndimage

    level = float(np.median(image))
    scatter = max(1.4826 * float(np.median(np.abs(image - level))), read_noise)
    # Opening takes away what is narrower than three pixels: cosmic rays, warm pixels. Closing joins what a dead column
    # has cut in two, whose halves would else be measured twice, each in the other's aperture.
    square = np.ones((3, 3), bool)
    bright = ndimage.binary_opening(image > level + threshold * scatter, square)
    bright = ndimage.binary_closing(bright, square, iterations=2)
    labels, count = ndimage.label(bright)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    out = []
    for index in range(1, count + 1):
        inside = labels == index
        area = int(inside.sum())
        if area < min_area:
            continue
        weight = (image - level)[inside]
        cx, cy = float(np.average(x[inside], weights=weight)), float(np.average(y[inside], weights=weight))
        radius = float(np.sqrt(area / np.pi)) + margin
        distance = np.hypot(x - cx, y - cy)
        aperture, around = distance <= radius, (distance > radius) & (distance <= radius + annulus) & ~bright
        background = float(np.median(image[around])) if around.sum() >= 10 else level
        spread = 1.4826 * float(np.median(np.abs(image[around] - background))) if around.sum() >= 10 else scatter
        n = int(aperture.sum())
        flux = float(image[aperture].sum()) - background * n
        # Photons of the spot, noise of the pixels, and the error of the median background.
        variance = max(flux, 0.0) + n * spread**2 + 1.57 * (n * spread) ** 2 / max(int(around.sum()), 1)
        out.append((cx, cy, flux, float(np.sqrt(variance)), area, background))
    return sorted(out, key=lambda spot: -spot[2])
