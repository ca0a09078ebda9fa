"""Sky maps against positions computed with the production stack's code, and what must hold everywhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lsst.images import YX, Box
from lsst.sphgeom import DISJOINT

from harness.datasets.manifest import RingsSkyMapEntry
from harness.errors import HarnessError
from harness.sky.regions import hull, unit_vectors, vertices
from harness.sky.skymaps import SkyMapDefinition

POSITIONS = {"ra": st.floats(0, 360, exclude_max=True), "dec": st.floats(-90, 90)}


def angle(a, b) -> np.ndarray:
    """Distance between unit vectors (radians), precise at small angles."""
    return 2 * np.arcsin(np.clip(np.linalg.norm(a - b, axis=-1) / 2, 0, 1))


def pick(truth, rings, discrete, which):
    return truth[which], {"rings": rings, "discrete": discrete}[which]


@pytest.mark.parametrize("which", ["rings", "discrete"])
def test_hash_is_that_of_the_production_stack(which, truth, rings, discrete):
    expected, skymap = pick(truth, rings, discrete, which)
    assert skymap.sha1.hex() == expected["sha1"]


@pytest.mark.parametrize("which", ["rings", "discrete"])
def test_points_fall_on_their_tract_patch_and_pixel(which, truth, rings, discrete):
    expected, skymap = pick(truth, rings, discrete, which)
    points = expected["points"]
    ra, dec = (np.array([p[k] for p in points]) for k in ("ra", "dec"))
    tracts, patches = skymap.find_patch(ra, dec)
    assert tracts.tolist() == [p["tract"] for p in points]
    assert patches.tolist() == [p["patch"] for p in points]
    for p in points:
        tract = skymap.tract(p["tract"])
        np.testing.assert_allclose(tract.sky_to_pixel(p["ra"], p["dec"]), p["pixel"], rtol=0, atol=1e-6)
        assert list(tract.patch_index(p["patch"])) == p["patch_index"]
        assert list(skymap.tracts_at(p["ra"], p["dec"])) == p.get("all_tracts", [p["tract"]])


def test_rings_have_the_tracts_of_the_production_stack(truth, rings):
    expected = truth["rings"]
    assert rings.n_tracts == expected["n_tracts"]
    assert rings.layout.ring_nums.tolist() == expected["ring_nums"]
    for row in expected["tracts"]:
        tract = rings.tract(row["tract"])
        np.testing.assert_allclose([tract.ra, tract.dec], row["center"], rtol=0, atol=1e-11)
        np.testing.assert_allclose(rings.layout.inner_range(tract.id), row["inner_ra_dec_range"], rtol=0, atol=1e-11)
        assert [int(v) for v in rings.layout.ring_of(tract.id)] == [row["ring"], row["num_in_ring"]]
        assert [tract.size, tract.size] == row["bbox"]
        assert [tract.n_patches, tract.n_patches] == row["num_patches"]
        assert [tract.crpix, tract.crpix] == row["crpix0"]


def test_discrete_patch_69(truth, discrete):
    expected = truth["discrete"]["patch69"]
    tract = discrete.tract(0)
    assert list(tract.patch_index(69)) == expected["index"]
    for name, box in (("inner", tract.inner_box(69)), ("outer", tract.outer_box(69))):
        assert [[box.x.min, box.y.min], [box.x.max, box.y.max]] == expected[name]
    box = tract.inner_box(69)
    x, y = (np.array([i.min - 0.5, i.max + 0.5]) for i in (box.x, box.y))
    corners = tract.pixel_to_sky(x[[0, 1, 1, 0]], y[[0, 0, 1, 1]])
    np.testing.assert_allclose(np.transpose(corners), expected["inner_corners_radec"], rtol=0, atol=1e-11)


@given(**POSITIONS)
@example(ra=0.0, dec=90.0)
@example(ra=359.99999999999994, dec=-90.0)
@example(ra=359.99999999999994, dec=0.0)
@example(ra=180.0, dec=89.25619834710744)
@settings(deadline=None)
def test_every_position_belongs_to_exactly_one_tract_of_rings(rings, ra, dec):
    tract = int(rings.find_tract(ra, dec))
    west, east, south, north = rings.layout.inner_range(tract)
    close = 1e-9
    assert south - close <= dec <= north + close
    assert (ra - west + close) % 360 <= (east - west) % 360 + 2 * close or (west, east) == (0.0, 360.0)
    # It is on the pixels of that tract, with the overlap to spare on every side.
    x, y = rings.tract(tract).sky_to_pixel(ra, dec)
    overlap = rings.layout.tract_overlap * 3600 / rings.pixel_arcsec
    assert overlap * 0.9 < min(x, y)
    assert max(x, y) < rings.tract(tract).size - overlap * 0.9
    assert tract in rings.tracts_at(ra, dec)


@given(
    num_rings=st.integers(3, 200),
    ra_start=st.floats(0, 360, exclude_max=True),
    ra=POSITIONS["ra"],
    dec=POSITIONS["dec"],
)
@settings(deadline=None)
def test_own_areas_tile_the_sky_for_any_rings(num_rings, ra_start, ra, dec):
    made = SkyMapDefinition.from_entry(RingsSkyMapEntry(kind="rings", name="any", num_rings=num_rings))
    layout = made.layout.model_copy(update={"ra_start": ra_start})
    tract = int(layout.find(ra, dec))
    assert 0 <= tract < layout.n_tracts
    ra0, dec0 = (float(v) for v in layout.centres(tract))
    assert int(layout.find(ra0, dec0)) == tract
    away = np.degrees(angle(unit_vectors(ra, dec), unit_vectors(ra0, dec0)))
    assert away <= np.sqrt(2) * layout.half_size + 1e-9


@given(tract=st.integers(0, 18937), x=st.floats(-100, 36100), y=st.floats(-100, 36100))
@settings(deadline=None)
def test_pixels_survive_the_way_to_the_sky_and_back(rings, tract, x, y):
    at = rings.tract(tract)
    ra, dec = at.pixel_to_sky(x, y)
    np.testing.assert_allclose(at.sky_to_pixel(ra, dec), (x, y), rtol=0, atol=1e-6)


@given(tract=st.integers(0, 18937), fx=st.floats(0, 1, exclude_max=True), fy=st.floats(0, 1, exclude_max=True))
@settings(deadline=None)
def test_own_areas_of_patches_tile_a_tract(rings, tract, fx, fy):
    at = rings.tract(tract)
    # Not nearer to an edge of a pixel than the way to the sky and back is precise.
    x, y = np.floor(fx * at.size) + 0.3, np.floor(fy * at.size) + 0.3
    patch = int(at.find_patch(*at.pixel_to_sky(x, y)))
    owners = [p for p in at.patches if at.inner_box(p).contains(YX(y=round(y), x=round(x)))]
    assert owners == [patch]


@pytest.mark.parametrize("scale", [1, 2, 3, 7, 8, 16, 32])
def test_binned_patches_tile_the_binned_tract(scale, discrete):
    tract = discrete.tract(0)
    whole = tract.projection(scale).pixel_frame.bbox
    rows = [tract.grid_boxes(p * tract.n_patches, scale) for p in range(tract.n_patches)]
    edges = [inner.y.start for _, inner in rows] + [rows[-1][1].y.stop]
    assert edges == sorted(edges)
    assert (edges[0], edges[-1]) == (0, whole.y.stop)
    assert [inner.y.stop for _, inner in rows] == edges[1:]
    for patch in (0, 69, tract.patches[-1]):
        outer, inner = tract.grid_boxes(patch, scale)
        assert outer.contains(inner)
        assert whole.contains(outer)
        full = tract.outer_box(patch)
        assert outer.x.start * scale <= full.x.start < (outer.x.start + 1) * scale
        assert (outer.x.stop - 1) * scale < full.x.stop <= outer.x.stop * scale


@pytest.mark.parametrize("scale", [1, 3, 8])
def test_binned_grid_covers_the_same_sky(scale, discrete):
    """The centre of a binned pixel is the mean of the centres of its pixels; the middleware's transform agrees."""
    tract = discrete.tract(0)
    grid = discrete.grid(0, 69, scale)
    assert grid.pixel_arcsec == pytest.approx(0.168 * scale)
    assert grid.projection.pixel_frame.skymap == discrete.name
    i = np.array([grid.outer.x.start, grid.outer.x.stop - 1], float)
    j = np.array([grid.outer.y.start, grid.outer.y.stop - 1], float)
    sky = grid.projection.pixel_to_sky_transform.apply_forward(x=i, y=j)
    x, y = tract.sky_to_pixel(np.degrees(sky.x), np.degrees(sky.y))
    np.testing.assert_allclose(x, i * scale + (scale - 1) / 2, rtol=0, atol=1e-6)
    np.testing.assert_allclose(y, j * scale + (scale - 1) / 2, rtol=0, atol=1e-6)


def test_unbinned_grid_is_the_patch(discrete):
    grid = discrete.grid(0, 69)
    assert grid.outer == Box.from_shape((4200, 4200), (15900, 19900))
    assert grid.inner == Box.from_shape((4000, 4000), (16000, 20000))


def test_patch_regions_lie_in_the_tract_and_are_counter_clockwise(discrete):
    tract = discrete.tract(0)
    outer = vertices(tract.region)
    normals = np.cross(outer, np.roll(outer, -1, axis=0))
    regions = tract.patch_regions()
    assert list(regions) == list(tract.patches)
    for region in regions.values():
        corners = vertices(region)
        assert len(corners) == 4
        assert np.dot(np.cross(corners[0], corners[1]), corners[2]) > 0
        assert (corners @ normals.T).min() > -1e-12
    x, y = tract.sky_to_pixel(*_radec(vertices(regions[69])))
    np.testing.assert_allclose(sorted(x), [19899.5, 19899.5, 24099.5, 24099.5], atol=1e-6)
    np.testing.assert_allclose(sorted(y), [15899.5, 15899.5, 20099.5, 20099.5], atol=1e-6)


def _radec(vectors):
    return np.degrees(np.arctan2(vectors[:, 1], vectors[:, 0])) % 360, np.degrees(np.arcsin(vectors[:, 2]))


@given(ra=POSITIONS["ra"], dec=POSITIONS["dec"], size=st.floats(0.05, 1.5))
@settings(max_examples=20, deadline=None)
def test_overlapping_tracts_are_found_without_trying_all(rings, ra, dec, size):
    """The shortcut by distance loses no tract that a test of every tract's region would find."""
    centre = unit_vectors(ra, dec)
    east = np.array([-np.sin(np.radians(ra)), np.cos(np.radians(ra)), 0.0])
    north = np.cross(centre, east)
    step = np.radians(size)
    corners = np.array([centre + step * (a * east + b * north) for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))])
    region = hull(corners / np.linalg.norm(corners, axis=1, keepdims=True))
    found = rings.tracts_overlapping([region])
    layout = rings.layout
    away = angle(unit_vectors(*layout.centres(np.arange(rings.n_tracts))), centre)
    candidates = np.flatnonzero(away < np.radians(2 * size + 3))
    assert found == tuple(int(t) for t in candidates if not rings.tract(int(t)).region.relate(region) & DISJOINT)
    assert int(rings.find_tract(ra, dec)) in found


def test_positions_far_from_the_discrete_tract_are_in_none(discrete):
    # The antipode and a position just over the edge, together with one inside.
    ra, dec = np.array([140.36749, 320.36749, 318.8]), np.array([-0.31315, 0.31315, 0.3])
    tracts, patches = discrete.find_patch(ra, dec)
    assert tracts.tolist() == [-1, 0, -1]
    assert patches.tolist() == [-1, 119, -1]
    assert discrete.tracts_at(140.36749, -0.31315) == ()


@pytest.mark.parametrize("which", ["rings", "discrete"])
def test_definition_survives_json(which, rings, discrete):
    skymap = {"rings": rings, "discrete": discrete}[which]
    again = SkyMapDefinition.model_validate_json(skymap.model_dump_json())
    assert again == skymap
    assert again.sha1 == skymap.sha1


def test_hash_depends_on_what_moves_pixels_and_not_on_the_name(rings):
    rings.tract(9813)  # which is remembered: by this sky map, not by its copies
    renamed = rings.model_copy(update={"name": "other"})
    assert renamed.sha1 == rings.sha1
    assert renamed.tract(9813).skymap == "other"
    other = SkyMapDefinition.from_entry(RingsSkyMapEntry(kind="rings", name="other", num_rings=119))
    finer = rings.model_copy(update={"pixel_arcsec": 0.2})
    assert len({rings.sha1, other.sha1, finer.sha1}) == 3


def test_unknown_tract_and_patch_are_refused(rings):
    with pytest.raises(HarnessError, match=r"hsc_rings_v1 has no tract 18938 \(ids run from 0 to 18937\)"):
        rings.tract(18938)
    with pytest.raises(HarnessError, match=r"tract 9813 of hsc_rings_v1 has no patch 81"):
        rings.tract(9813).patch_index(81)
    with pytest.raises(HarnessError, match="cannot bin"):
        rings.grid(9813, 40, 0)
