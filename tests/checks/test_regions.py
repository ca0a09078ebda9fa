"""Containment of polygons with a tolerance, against the exact predicates of sphgeom."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from lsst.sphgeom import ConvexPolygon, LonLat, UnitVector3d

from harness.checks.regions import excess, excesses, hull_excess, vertices
from harness.sky.regions import unit_vectors

ras, decs = st.floats(0, 359.9), st.floats(-80, 80)
offsets = st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=4, max_size=10)


def polygon(ra: float, dec: float, points: list[tuple[float, float]]) -> ConvexPolygon:
    positions = [LonLat.fromDegrees(ra + x / np.cos(np.radians(dec)), dec + y) for x, y in points]
    return ConvexPolygon([UnitVector3d(p) for p in positions])


@given(ras, decs, offsets, st.floats(-2, 2), st.floats(-2, 2))
def test_a_point_is_inside_where_sphgeom_says_so(ra, dec, points, x, y) -> None:
    try:
        outer = polygon(ra, dec, points)
    except ValueError:  # all points on one great circle
        assume(False)
    far = [ra + x / np.cos(np.radians(dec))], [dec + y]
    outside = hull_excess(outer, unit_vectors(*far))
    assert outside is not None
    if abs(outside) > 1e-9:
        assert outer.contains(UnitVector3d(LonLat.fromDegrees(far[0][0], far[1][0]))) == (outside < 0)


def test_the_excess_is_the_angle_beyond_the_edge() -> None:
    square = polygon(40.0, 0.0, [(-1, -1), (1, -1), (1, 1), (-1, 1)])
    corners = vertices(square)
    assert corners is not None
    # The edges at RA ± 1° are meridians, so that the distance of a point on the equator is its difference in RA.
    assert float(excess(corners, unit_vectors([41.25], [0.0]))) == pytest.approx(np.radians(0.25), rel=1e-9)
    assert float(excess(corners, unit_vectors([40.25], [0.0]))) == pytest.approx(-np.radians(0.75), rel=1e-3)


def test_a_polygon_contains_itself_but_for_rounding() -> None:
    own = polygon(359.9, 75.0, [(-0.3, -0.2), (0.4, -0.2), (0.1, 0.5)])
    assert abs(hull_excess(own, vertices(own))) < 1e-15


def test_what_is_no_polygon_has_no_vertices() -> None:
    assert vertices(None) is None
    assert hull_excess(None, unit_vectors([0.0], [0.0])) is None


@given(st.lists(st.integers(3, 6), min_size=1, max_size=6), st.integers(1, 5))
def test_many_at_once_are_as_one_by_one(sizes: list[int], n: int) -> None:
    angles = [np.linspace(0, 2 * np.pi, k, endpoint=False) for k in sizes]
    polygons = [unit_vectors(50 + np.cos(a), 20 + np.sin(a)) for a in angles]
    points = [unit_vectors(50 + np.linspace(0, i + 1, n), np.full(n, 20.0)) for i in range(len(sizes))]
    one_by_one = [float(excess(p, q)) for p, q in zip(polygons, points, strict=True)]
    assert excesses(polygons, points) == pytest.approx(one_by_one, abs=1e-15)
