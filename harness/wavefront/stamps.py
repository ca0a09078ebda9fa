"""Tables of donuts and of their images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import HarnessError
from .detect import FAINT, find_donuts
from .model import DonutModel

if TYPE_CHECKING:
    from astropy.table import Table
    from lsst.images import MaskedImage

    from ..instrument.camera import Camera

__all__ = ["BAD_PLANES", "cut_out", "donut_model", "donut_table", "nominal_distance", "stamp_size"]

BAD_PLANES = ("BAD", "SATURATED", "COSMIC_RAY", "INTERPOLATED")
"""Mask planes of pixels that are not used."""


def nominal_distance(camera: Camera, detector: int) -> float:
    """Return the distance from focus (mm) at which a detector is used, without its sign.

    Raises
    ------
    HarnessError
        If the camera has no optics.
    """
    if camera.optics is None:
        raise HarnessError(f"{camera.name} says nothing of its optics", code="no-optics")
    z = camera[detector].z_mm
    return abs(z) if z else camera.optics.focus_offset_mm * camera.optics.focus_magnification


def donut_model(camera: Camera, detector: int, distance: float, size: int) -> DonutModel:
    """Return what makes images of stars on a detector (`~harness.wavefront.model.DonutModel`)."""
    optics, item = camera.optics, camera[detector]
    assert optics is not None
    return DonutModel(optics.f_number, optics.obscuration, distance, item.yaw_deg, item.pixel_mm, size)


def stamp_size(radius: float) -> int:
    """Return the side (pixels) of stamps of donuts of an outer radius (pixels): odd, with room for aberrations."""
    return 2 * int(np.ceil(1.45 * radius + 2)) + 1


def donut_table(image: MaskedImage, camera: Camera, detector: int, threshold: float) -> Table:
    """Find the donuts on an image.

    Parameters
    ----------
    image : `lsst.images.MaskedImage`
        Image (electrons) with its translated header in ``metadata``.
    camera : `~harness.instrument.camera.Camera`
        Camera, binned as the image is.
    detector : `int`
        Id of the detector.
    threshold : `float`
        Least ratio of flux to error.

    Returns
    -------
    table : `astropy.table.Table`
        ``x``, ``y`` (pixels), ``flux`` (electrons), ``snr``, ``isolated``, ``field_x``, ``field_y`` (degrees), the
        brightest first; in every row the ``exposure``, ``detector`` and ``focus`` (mm; NaN if unknown), because the
        middleware does not keep ``meta``.
    """
    from astro_metadata_translator import ObservationInfo
    from astropy import units
    from astropy.table import Table

    info = ObservationInfo.from_json(image.metadata["OBS_INFO"])
    model = donut_model(camera, detector, nominal_distance(camera, detector), 1)
    found = find_donuts(
        np.asarray(image.image.array, np.float64),
        np.asarray(image.variance.array, np.float64),
        _bad(image),
        model.radius,
        model.obscuration,
        threshold,
    )
    fx, fy = (np.degrees(v) for v in camera.pixel_to_field(detector, found.x, found.y))
    focus = np.nan if info.focus_z is None else float(info.focus_z.to_value("mm"))
    n = len(found.x)
    return Table(
        {
            "x": found.x * units.pix,
            "y": found.y * units.pix,
            "flux": found.flux * units.electron,
            "snr": found.snr,
            "isolated": found.isolated,
            "field_x": fx * units.deg,
            "field_y": fy * units.deg,
            "exposure": np.full(n, int(info.exposure_id), np.int64),
            "detector": np.full(n, detector, np.int32),
            "focus": np.full(n, focus) * units.mm,
        }
    )


def cut_out(
    image: MaskedImage,
    table: Table,
    camera: Camera,
    detector: int,
    distance: float,
    most: int,
    only_isolated: bool,
) -> Table:
    """Cut donuts out of an image.

    Parameters
    ----------
    image : `lsst.images.MaskedImage`
        Image (electrons).
    table : `astropy.table.Table`
        Its donuts; see `donut_table`.
    camera : `~harness.instrument.camera.Camera`
        Camera, binned as the image is.
    detector : `int`
        Id of the detector.
    distance : `float`
        How far it lies behind the focus (mm).
    most : `int`
        How many to cut out; the brightest are.
    only_isolated : `bool`
        Whether to leave out those that another spoils.

    Returns
    -------
    stamps : `astropy.table.Table`
        The columns of the donuts, the ``distance``, and ``image``, ``variance`` (electrons) and ``good``, each of shape
        (n, size, size).
    """
    from astropy import units
    from astropy.table import Column

    radius = donut_model(camera, detector, distance, 1).radius
    size = stamp_size(radius)
    half = size // 2
    ny, nx = image.image.array.shape
    x, y = np.asarray(table["x"], int), np.asarray(table["y"], int)
    fits = (x >= half) & (x < nx - half) & (y >= half) & (y < ny - half)
    if only_isolated:
        fits &= np.asarray(table["isolated"], bool)
    rows = np.flatnonzero(fits)[:most]
    planes: dict[str, Any] = {"image": image.image.array, "variance": image.variance.array, "good": ~_bad(image)}
    stamps = table[rows]
    stamps["distance"] = np.full(len(rows), distance) * units.mm
    for name, pixels in planes.items():
        cut = [pixels[y[i] - half : y[i] + half + 1, x[i] - half : x[i] + half + 1] for i in rows]
        stamps[name] = Column(np.array(cut, pixels.dtype).reshape(len(rows), size, size))
    light = np.asarray(table["flux"], float)
    py, px = np.mgrid[-half : half + 1, -half : half + 1]
    for k, i in enumerate(rows):
        near = (np.abs(x - x[i]) < 2 * size) & (np.abs(y - y[i]) < 2 * size) & (light > FAINT * light[i])
        for j in np.flatnonzero(near):
            if j != i:
                stamps["good"][k] &= np.hypot(px - (x[j] - x[i]), py - (y[j] - y[i])) > 1.05 * radius + 1.5
    return stamps


def _bad(image: MaskedImage) -> Any:
    bad = np.zeros(image.image.array.shape, bool)
    for plane in BAD_PLANES:
        bad |= image.mask.get(plane)
    return bad
