"""Helpers around the sky projections of ``lsst.images``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..instrument.lsst_detector import sky_projection
from ..instrument.pointing import Pointing
from .sources import Floats

if TYPE_CHECKING:
    from astro_metadata_translator import ObservationInfo
    from astropy.table import Table
    from lsst.images import SkyProjection

    from ..instrument.camera import Camera

__all__ = ["corrected", "first_guess", "pixel_scale", "to_pixels"]


def first_guess(
    camera: Camera, detector: int, info: ObservationInfo, visit: int | None = None
) -> SkyProjection[Any] | None:
    """Return where the header says that a detector looks.

    Parameters
    ----------
    camera : `~harness.instrument.camera.Camera`
        Camera, binned as the image is.
    detector : `int`
        Detector.
    info : `astro_metadata_translator.ObservationInfo`
        Translated header.
    visit : `int`, optional
        Visit whose geometry this is.

    Returns
    -------
    projection : `lsst.images.SkyProjection` or `None`
        `None` if the telescope was not looking at the sky.
    """
    if info.tracking_radec is None or info.boresight_rotation_angle is None:
        return None
    pointing = Pointing(
        float(info.tracking_radec.ra.deg),
        float(info.tracking_radec.dec.deg),
        float(info.boresight_rotation_angle.deg),
        camera.sky_parity,
    )
    return sky_projection(camera, detector, pointing, visit=visit)


def pixel_scale(projection: SkyProjection[Any], shape: tuple[int, int]) -> float:
    """Return the mean size of the central pixel (arcsec)."""
    ny, nx = shape
    x, y = np.array([0.0, 1.0, 0.0]) + nx / 2, np.array([0.0, 0.0, 1.0]) + ny / 2
    sky = projection.pixel_to_sky_transform.apply_forward(x=x, y=y)
    cos = np.cos(sky.y[0])
    dx = (np.array([sky.x[1:] - sky.x[0], sky.y[1:] - sky.y[0]])) * np.array([[cos], [1.0]])
    return float(np.sqrt(abs(np.linalg.det(dx))) * 180 / np.pi * 3600)


def to_pixels(projection: SkyProjection[Any], references: Table, shape: tuple[int, int], margin: float) -> Floats:
    """Return where references should be (pixels, shape (n, 2)); NaN for those off the detector."""
    ra, dec = (np.radians(np.asarray(references[c], np.float64)) for c in ("ra", "dec"))
    # Far outside, the polynomials of a sky projection may fold back onto the detector: cut on the sky first.
    ny, nx = shape
    edge = projection.pixel_to_sky_transform.apply_forward(
        x=np.array([nx / 2, 0.0, nx, 0.0, nx]), y=np.array([ny / 2, 0.0, 0.0, ny, ny])
    )
    vectors = _unit(np.asarray(edge.x), np.asarray(edge.y))
    reach = np.max(np.linalg.norm(vectors[1:] - vectors[0], axis=1)) * 1.2
    near = np.linalg.norm(_unit(ra, dec) - vectors[0], axis=1) < reach
    out = np.full((len(references), 2), np.nan)
    if near.any():
        xy = projection.sky_to_pixel_transform.apply_forward(x=ra[near], y=dec[near])
        out[near] = np.column_stack([xy.x, xy.y])
    far = (out < -margin).any(axis=1) | (out[:, 0] > nx + margin) | (out[:, 1] > ny + margin)
    out[far] = np.nan
    return out


def _unit(ra: Floats, dec: Floats) -> Floats:
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def corrected(projection: SkyProjection[Any], matrix: Floats) -> SkyProjection[Any]:
    """Put an affine correction of the pixels before a sky projection."""
    from lsst.images import SkyProjection, Transform

    frame = projection.pixel_frame
    first = Transform.affine(frame, frame, matrix)
    return SkyProjection(first.then(projection.pixel_to_sky_transform, remember_components=False))
