"""Regions on the sky: of detectors, visits and rectangles of pixels, as the middleware's convex polygons."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ..errors import HarnessError
from ..instrument.camera import Camera, Floats

if TYPE_CHECKING:
    from lsst.sphgeom import ConvexPolygon

    from ..instrument.pointing import Pointing

__all__ = ["Footprint", "VisitRegions", "detector_corners", "hull", "unit_vectors", "vertices"]


def unit_vectors(ra: ArrayLike, dec: ArrayLike) -> Floats:
    """Convert positions (degrees) to unit vectors, shape (..., 3)."""
    lon, lat = np.radians(np.asarray(ra, float)), np.radians(np.asarray(dec, float))
    out: Floats = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
    return out


def vertices(polygon: ConvexPolygon) -> Floats:
    """Return the vertices of a polygon as unit vectors, shape (n, 3), counter-clockwise seen from outside."""
    return np.array([(v.x(), v.y(), v.z()) for v in polygon.getVertices()])


def hull(points: Floats) -> ConvexPolygon:
    """Return the convex hull of unit vectors.

    Parameters
    ----------
    points : `numpy.ndarray`
        Unit vectors, shape (..., 3), in any order.

    Raises
    ------
    HarnessError
        If they do not span a polygon within a half-sphere.
    """
    from lsst.sphgeom import ConvexPolygon, UnitVector3d

    flat = points.reshape(-1, 3)
    if not np.all(np.isfinite(flat)):
        raise HarnessError("no region can be made: a position is not finite", code="region")
    try:
        return ConvexPolygon.convexHull([UnitVector3d(*p) for p in flat.tolist()])
    except ValueError as error:
        raise HarnessError(f"no region can be made of {len(flat)} positions: {error}", code="region") from error


def detector_corners(camera: Camera, pointing: Pointing, detector: int, padding: float = 0.0) -> tuple[Floats, Floats]:
    """Return RA and Dec (degrees) of the four corners of a detector, counter-clockwise in pixels from the first.

    Parameters
    ----------
    camera : `~harness.instrument.camera.Camera`
        The camera.
    pointing : `~harness.instrument.pointing.Pointing`
        Where it looks.
    detector : `int`
        Detector id.
    padding : `float`, optional
        Pixels to add on every side.
    """
    return pointing.pixel_to_sky(camera, detector, *camera[detector].corners(padding))


@dataclasses.dataclass(frozen=True)
class VisitRegions:
    """The regions of one visit.

    Parameters
    ----------
    visit : `lsst.sphgeom.ConvexPolygon`
        Convex hull of the detectors' vertices.
    detectors : `~collections.abc.Mapping` [`int`, `lsst.sphgeom.ConvexPolygon`]
        Regions by detector.
    """

    visit: ConvexPolygon
    detectors: Mapping[int, ConvexPolygon]


class Footprint:
    """The corners of a camera's detectors in its field, computed once for all pointings.

    Parameters
    ----------
    camera : `~harness.instrument.camera.Camera`
        The camera.
    padding : `float`, optional
        Pixels of that camera to add on every side of each detector.
    detectors : `~collections.abc.Iterable` [`int`], optional
        Detectors; all by default.

    Attributes
    ----------
    detectors : `tuple` [`int`]
        Ids, in the order of the arrays.
    """

    def __init__(self, camera: Camera, padding: float = 0.0, detectors: Iterable[int] | None = None) -> None:
        self.parity = camera.sky_parity
        items = camera.detectors if detectors is None else tuple(camera[d] for d in detectors)
        if not items:
            raise HarnessError(f"no detector of {camera.name} to make a region of", code="region")
        self.detectors = tuple(d.id for d in items)
        corners = np.array([d.pixel_to_focal(*d.corners(padding)) for d in items])
        self._fx, self._fy = camera.focal_to_field(corners[:, 0], corners[:, 1])

    def on_sky(self, pointing: Pointing) -> Floats:
        """Return the corners as unit vectors, shape (detector, 4, 3)."""
        ra, dec = pointing.field_to_sky(self._fx.ravel(), self._fy.ravel())
        return unit_vectors(ra, dec).reshape(*self._fx.shape, 3)

    def regions(self, pointings: Sequence[Pointing]) -> VisitRegions:
        """Return the regions of a visit whose exposures have these pointings (`VisitRegions`)."""
        corners = np.concatenate([self.on_sky(p) for p in pointings], axis=1)
        polygons = {d: hull(c) for d, c in zip(self.detectors, corners, strict=True)}
        # Of the polygons' own vertices, which are rounded already: then no detector sticks out by a rounding.
        return VisitRegions(hull(np.concatenate([vertices(p) for p in polygons.values()])), polygons)
