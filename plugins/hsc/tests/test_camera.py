from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from astro_metadata_translator.translators import HscTranslator as Upstream
from astropy.coordinates import SkyCoord
from harness_hsc.camera import make_camera

from harness.errors import HarnessError
from harness.instrument.camera import Purpose
from harness.instrument.lsst_detector import lsst_detector, sky_projection
from harness.instrument.pointing import Pointing

SCALES = (1, 2, 4, 8, 16)


def test_geometry_agrees_with_the_truth_to_1e_9(data: Path) -> None:
    camera = make_camera(1)
    truth = json.loads((data / "focal_plane.json").read_text())["detectors"]
    assert len(truth) == 28
    for name, item in truth.items():
        x, y, focal_x, focal_y, field_x, field_y = np.array(item["corners"]).T
        assert camera[name].id == item["id"]
        np.testing.assert_allclose(camera[name].pixel_to_focal(x, y), (focal_x, focal_y), rtol=0, atol=1e-9)
        np.testing.assert_allclose(camera.pixel_to_field(name, x, y), (field_x, field_y), rtol=0, atol=1e-9)


def test_corners_on_the_sky(data: Path) -> None:
    camera = make_camera(1)
    for item in json.loads((data / "corners.json").read_text())["detectors"]:
        pointing = Pointing(item["tracking_ra"], item["tracking_dec"], item["sky_angle"], camera.sky_parity)
        ra, dec = pointing.pixel_to_sky(camera, item["detector"], *camera[item["detector"]].corners())
        np.testing.assert_allclose(np.array([ra, dec]).T, item["corners_radec"], rtol=0, atol=1e-9)


def test_detector_table_is_complete() -> None:
    camera = make_camera(1)
    assert [d.id for d in camera.detectors] == list(range(112))
    # The translator has its own table of names: an independent source.
    assert [d.name for d in camera.detectors] == Upstream._DETECTOR_NUM_TO_UNIQUE_NAME
    assert all(d.name == f"{d.raft}_{d.name_in_raft}" for d in camera.detectors)
    assert Counter(d.purpose for d in camera.detectors) == {Purpose.SCIENCE: 104, Purpose.FOCUS: 8}
    assert {d.id for d in camera.detectors if d.purpose is Purpose.FOCUS} == set(range(104, 112))
    rotated = {d.id for d in camera.detectors if abs(np.cos(np.radians(d.yaw_deg))) < 0.1}
    assert rotated == {100, 101, 102, 103}


@pytest.mark.parametrize("scale", SCALES)
def test_binning_keeps_the_footprint(scale: int) -> None:
    camera, full = make_camera(scale), make_camera(1)
    for id_ in (0, 50, 100, 111):
        for a, b in zip(camera[id_].corners(), full[id_].corners(), strict=True):
            np.testing.assert_allclose((a + 0.5) * scale, b + 0.5)
        np.testing.assert_allclose(
            camera.pixel_to_field(id_, *camera[id_].corners()),
            full.pixel_to_field(id_, *full[id_].corners()),
            rtol=0,
            atol=1e-15,
        )


@pytest.mark.parametrize("scale", SCALES)
def test_amplifiers_tile_the_detector_and_the_raw(scale: int) -> None:
    for detector in (make_camera(scale)[id_] for id_ in (0, 50, 101, 111)):
        trimmed = np.zeros((detector.ny, detector.nx), int)
        ny = detector.amplifiers[0].raw_bbox.ny
        raw = np.zeros((ny, sum(a.raw_bbox.nx for a in detector.amplifiers)), int)
        sections = np.zeros_like(raw)
        for a in detector.amplifiers:
            trimmed[a.bbox.slices] += 1
            raw[a.raw_bbox.slices] += 1
            assert (a.raw_data.nx, a.raw_data.ny) == (a.bbox.nx, a.bbox.ny)
            assert a.raw_parallel_overscan is not None
            assert a.raw_prescan is not None
            for box in (a.raw_data, a.raw_serial_overscan, a.raw_parallel_overscan, a.raw_prescan):
                assert box.nx >= 2
                assert box.ny >= 2
                sections[box.slices] += 1
                assert raw[box.slices].all(), "a section leaves its amplifier"
        assert (trimmed == 1).all()
        assert (raw == 1).all()
        assert sections.max() == 1, "sections overlap"


@pytest.mark.parametrize("scale", [0, -1, 3, 32])
def test_impossible_binning_is_refused(scale: int) -> None:
    with pytest.raises(HarnessError, match="use one of 1, 2, 4, 8, 16"):
        make_camera(scale)


def test_camera_survives_json() -> None:
    camera = make_camera(8)
    assert type(camera).model_validate_json(camera.model_dump_json()) == camera


@pytest.mark.parametrize("detector", [0, 8, 50, 95, 100, 103, 104, 111])
def test_projections_are_within_a_thousandth_of_a_pixel(detector: int) -> None:
    camera, pointing = make_camera(1), Pointing(320.25, 0.0, 300.0)
    item = camera[detector]
    x, y = (a.ravel() for a in np.meshgrid(np.linspace(-0.5, 2047.5, 9), np.linspace(-0.5, 4175.5, 13)))
    truth = SkyCoord(*pointing.pixel_to_sky(camera, detector, x, y), unit="deg")
    projection = sky_projection(camera, detector, pointing)
    assert projection.pixel_to_sky(x=x, y=y).separation(truth).arcsec.max() < 0.168e-3
    back = projection.sky_to_pixel(truth)
    assert np.hypot(back.x - x, back.y - y).max() < 1e-3
    # The detector itself carries the exact optics.
    angles = lsst_detector(camera, item.id).to_field_angle.apply_forward(x=x, y=y)
    np.testing.assert_allclose(angles, camera.pixel_to_field(detector, x, y), rtol=0, atol=1e-13)
