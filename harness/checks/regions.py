"""Convex polygons on the sphere as arrays: containment with a tolerance, which exact predicates cannot give."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..sky.regions import vertices as sky_vertices
from .tables import tables

if TYPE_CHECKING:
    from lsst.sphgeom import Region

    from .context import CheckContext

__all__ = ["decode", "excess", "excesses", "hull_excess", "inward_normals", "polygons", "stored_regions", "vertices"]

Floats = NDArray[np.float64]


def vertices(region: Region | None) -> Floats | None:
    """Return the vertices of a convex polygon.

    Returns
    -------
    vertices : `numpy.ndarray` or `None`
        Unit vectors, shape (n, 3), counter-clockwise seen from outside; `None` if the region is no convex polygon.
    """
    from lsst.sphgeom import ConvexPolygon

    return sky_vertices(region) if isinstance(region, ConvexPolygon) else None


def stored_regions(context: CheckContext, element: str) -> Sequence[tuple[str | None, tuple[Any, ...]]]:
    """Return the regions of an element as they are stored, with the values of its required dimensions; read once."""

    def make() -> Sequence[tuple[str | None, tuple[Any, ...]]]:
        known = context.butler.dimensions[element]
        columns = [known.primaryKey.name if d.name == element else d.name for d in known.required]
        return [(text, tuple(values)) for text, *values in tables(context).select(element, "region", *columns)]

    return context.cached(f"stored regions of {element}", make)


def decode(text: str) -> Region:
    """Return a region from its stored form, base 64."""
    import base64

    from lsst.sphgeom import Region

    return Region.decode(base64.b64decode(text, validate=True))


def polygons(stored: Sequence[str | None]) -> Iterator[tuple[list[int], Floats]]:
    """Read stored regions, those of equally many vertices together.

    Parameters
    ----------
    stored : `~collections.abc.Sequence` [`str` or `None`]
        Regions in base 64.

    Yields
    ------
    indices, vertices : `tuple`
        Which of the regions, and their vertices, shape (region, vertex, 3). What is no polygon or is of another form
        is in none of them.
    """
    import binascii

    found: dict[int, list[tuple[int, bytes]]] = defaultdict(list)
    for i, text in enumerate(stored):
        try:
            packed = binascii.a2b_base64(text or "", strict_mode=True)
        except (ValueError, TypeError):
            continue
        # The form of lsst.sphgeom: a letter, and three numbers of double precision for each vertex.
        if packed[:1] == b"p" and len(packed) >= 73 and len(packed) % 24 == 1:
            found[len(packed)].append((i, packed))
    for same in found.values():
        indices = [i for i, _ in same]
        joined = b"".join(packed[1:] for _, packed in same)
        places = np.frombuffer(joined, dtype="<f8").reshape(len(same), -1, 3)
        first = vertices(decode(stored[indices[0]] or ""))
        if first is not None and np.array_equal(first, places[0], equal_nan=True):
            yield indices, places


def inward_normals(polygon: Floats) -> Floats:
    """Return the unit normals of a polygon's edges that point inwards.

    Parameters
    ----------
    polygon : `numpy.ndarray`
        Vertices, shape (..., n, 3), counter-clockwise.
    """
    normals = np.cross(polygon, np.roll(polygon, -1, axis=-2))
    out: Floats = normals / np.linalg.norm(normals, axis=-1, keepdims=True)
    return out


def excess(outer: Floats, points: Floats) -> Any:
    """Return by how much points lie outside a convex polygon.

    Parameters
    ----------
    outer : `numpy.ndarray`
        Vertices of the polygon, shape (..., n, 3), counter-clockwise.
    points : `numpy.ndarray`
        Unit vectors, shape (..., m, 3).

    Returns
    -------
    excess : `numpy.ndarray` or `float`
        For each polygon the largest distance (radians) of one of its points from the half-sphere of an edge;
        negative if all points lie inside.
    """
    depth: Floats = np.matmul(points, np.swapaxes(inward_normals(outer), -1, -2))
    return np.arcsin(np.clip(np.max(np.negative(depth), axis=(-2, -1)), -1.0, 1.0))


def excesses(outer: Sequence[Floats], points: Sequence[Floats]) -> Floats:
    """Return `excess` for many polygons, computed together where they have equally many vertices.

    Parameters
    ----------
    outer, points : `~collections.abc.Sequence` [`numpy.ndarray`]
        Pairs of a polygon and the points that may lie outside it.
    """
    out = np.empty(len(outer))
    shapes: dict[tuple[int, int], list[int]] = defaultdict(list)
    for i, (polygon, inside) in enumerate(zip(outer, points, strict=True)):
        shapes[len(polygon), len(inside)].append(i)
    for same in shapes.values():
        out[same] = excess(np.stack([outer[i] for i in same]), np.stack([points[i] for i in same]))
    return out


def hull_excess(region: Region | None, points: Floats) -> float | None:
    """Return by how much (radians) points lie outside a region, `None` if it is no convex polygon."""
    outer = vertices(region)
    return None if outer is None or not len(outer) else float(excess(outer, points))
