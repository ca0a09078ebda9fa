"""Regions of detectors and visits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.instrument.camera import Camera, Detector, Purpose, RadialDistortion
from harness.instrument.pointing import Pointing
from harness.sky.regions import Footprint, detector_corners, hull, unit_vectors, vertices

POINTINGS = st.builds(
    Pointing,
    st.floats(0, 360, exclude_max=True),
    st.floats(-90, 90),
    st.floats(-360, 360),
    st.sampled_from([-1, 1]),
)
"""Anywhere, the poles included."""


def toy(parity: int = -1) -> Camera:
    """Four detectors of 1.1° × 0.55°, some turned, in a field with strong distortion."""
    places = ((0, 0.0, 0.0, 0.0), (1, 250.0, 30.0, 90.0), (2, -240.0, 200.0, 12.0), (5, 10.0, -150.0, 180.0))
    return Camera(
        name="Toy",
        plate_scale=20.0,
        distortion=RadialDistortion(coefficients=(0.0, 1.0, 0.0, 2e-7)),
        sky_parity=parity,
        source="made up",
        detectors=tuple(
            Detector(
                id=i,
                name=f"d{i}",
                raft=None,
                name_in_raft=f"d{i}",
                serial="0",
                purpose=Purpose.SCIENCE,
                nx=4000,
                ny=2000,
                x_mm=x,
                y_mm=y,
                yaw_deg=yaw,
                ref_x=1999.5,
                ref_y=999.5,
                pixel_mm=0.05,
            )
            for i, x, y, yaw in places
        ),
    )


def outside(polygon: np.ndarray, points: np.ndarray) -> float:
    """By how much (radians) points lie outside a counter-clockwise polygon; negative inside."""
    normals = np.cross(polygon, np.roll(polygon, -1, axis=0))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return float(np.max(-(points @ normals.T)))


def test_corners_of_a_real_camera(kit):
    data = json.loads((Path(__file__).parents[2] / "plugins/hsc/tests/data/corners.json").read_text())
    for row in data["detectors"]:
        pointing = Pointing(row["tracking_ra"], row["tracking_dec"], row["sky_angle"], kit.camera.sky_parity)
        found = detector_corners(kit.camera, pointing, row["detector"], row["padding"])
        np.testing.assert_allclose(np.transpose(found), row["corners_radec"], rtol=0, atol=1e-9)
        region = Footprint(kit.camera, row["padding"], [row["detector"]]).regions([pointing]).detectors[row["detector"]]
        wanted = unit_vectors(*np.transpose(row["corners_radec"]))
        distances = np.linalg.norm(vertices(region)[:, None] - wanted[None], axis=-1)
        assert (distances.min(axis=0) < np.radians(1e-9)).all()
    assert len(data["detectors"]) == 4


@given(pointing=POINTINGS, padding=st.floats(0, 300))
@settings(deadline=None)
def test_visit_region_contains_every_padded_detector(pointing, padding):
    camera = toy(pointing.parity)
    regions = Footprint(camera, padding).regions([pointing])
    assert list(regions.detectors) == [0, 1, 2, 5]
    whole = vertices(regions.visit)
    for detector, region in regions.detectors.items():
        polygon = vertices(region)
        assert outside(whole, polygon) < 1e-12
        # The detector's corners are inside its region; they are on its edge when there is no padding.
        item = camera[detector]
        corners = unit_vectors(*pointing.pixel_to_sky(camera, detector, *item.corners()))
        assert outside(polygon, corners) < 1e-12
        centre = unit_vectors(*pointing.pixel_to_sky(camera, detector, item.nx / 2, item.ny / 2))
        assert outside(polygon, centre[None]) < -0.004


@given(pointing=POINTINGS)
@settings(deadline=None)
def test_padding_grows_regions(pointing):
    camera = toy(pointing.parity)
    small, large = (Footprint(camera, p).regions([pointing]) for p in (0.0, 50.0))
    for detector in small.detectors:
        assert outside(vertices(large.detectors[detector]), vertices(small.detectors[detector])) < -1e-6


@given(pointing=POINTINGS, dx=st.floats(-0.01, 0.01))
@settings(deadline=None)
def test_region_of_several_exposures_covers_each(pointing, dx):
    camera = toy(pointing.parity)
    other = Pointing(pointing.ra, float(np.clip(pointing.dec + dx, -90, 90)), pointing.sky_angle + 1, pointing.parity)
    footprint = Footprint(camera)
    both = footprint.regions([pointing, other])
    for one in (pointing, other):
        for detector, region in footprint.regions([one]).detectors.items():
            assert outside(vertices(both.detectors[detector]), vertices(region)) < 1e-12
        assert outside(vertices(both.visit), vertices(footprint.regions([one]).visit)) < 1e-12


@given(pointing=POINTINGS, detector=st.sampled_from([0, 1, 2, 5]), x=st.floats(-300, 4300), y=st.floats(-300, 2300))
@settings(deadline=None)
def test_pixels_of_detectors_survive_the_way_to_the_sky_and_back(pointing, detector, x, y):
    camera = toy(pointing.parity)
    ra, dec = pointing.pixel_to_sky(camera, detector, x, y)
    np.testing.assert_allclose(pointing.sky_to_pixel(camera, detector, ra, dec), (x, y), rtol=0, atol=1e-5)


def test_unknown_detector_and_impossible_regions_are_refused():
    with pytest.raises(HarnessError, match="Toy has no detector 3"):
        Footprint(toy(), 0.0, [3])
    with pytest.raises(HarnessError, match="no detector of Toy"):
        Footprint(toy(), 0.0, [])
    with pytest.raises(HarnessError, match="not finite"):
        hull(np.array([[1.0, 0, 0], [0, 1.0, 0], [np.nan, 0, 0]]))
    with pytest.raises(HarnessError, match="no region can be made of 2 positions"):
        hull(np.array([[1.0, 0, 0], [0, 1.0, 0]]))
