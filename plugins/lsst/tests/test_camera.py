from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from harness_lsst.camera import make_comcam, make_latiss, make_lsstcam
from harness_lsst.translators.tables import detectors as translators_table
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.instrument.assembly import amplifier_views, assemble, raw_mosaic, raw_shape
from harness.instrument.camera import Camera, Detector, Purpose
from harness.instrument.kit import InstrumentKit
from harness.instrument.lsst_detector import lsst_detector, sky_projection
from harness.instrument.pointing import Pointing
from harness.sky.regions import detector_corners, hull, unit_vectors

MAKERS: Mapping[str, Callable[[int], Camera]] = {
    "LATISS": make_latiss,
    "LSSTComCam": make_comcam,
    "LSSTCam": make_lsstcam,
}
EXAMPLES = [("LATISS", 0), ("LSSTComCam", 4), ("LSSTCam", 0), ("LSSTCam", 98), ("LSSTCam", 190), ("LSSTCam", 203)]
"""Each kind of sensor: ITL, e2v (98), guider (190), half of a wavefront sensor (203)."""


def test_corners_on_the_sky(data: Path) -> None:
    items = json.loads((data / "corners.json").read_text())["detectors"]
    assert {i["instrument"] for i in items} == set(MAKERS)
    for item in items:
        camera, number = MAKERS[item["instrument"]](1), item["detector"]
        assert camera[number].name == item["name"]
        pointing = Pointing(item["tracking_ra"], item["tracking_dec"], item["sky_angle"], camera.sky_parity)
        ra, dec = detector_corners(camera, pointing, number)
        np.testing.assert_allclose(np.array([ra, dec]).T, item["corners_radec"], rtol=0, atol=1e-9)
        # The region of the detector holds what the truth says it does, and no more.
        truth = unit_vectors(*np.array(item["corners_radec"]).T)
        region = hull(unit_vectors(ra, dec))
        assert region.getBoundingCircle().getOpeningAngle().asDegrees() < 0.2
        center = truth.mean(axis=0)
        for corner in truth:
            inside, outside = corner + 1e-6 * (center - corner), corner - 1e-6 * (center - corner)
            assert region.contains(_vector(inside))
            assert not region.contains(_vector(outside))


def _vector(values: Any) -> Any:
    from lsst.sphgeom import UnitVector3d

    return UnitVector3d(*values)


def test_detector_tables_are_complete() -> None:
    for name, make in MAKERS.items():
        camera = make(1)
        # The translators have their own table of names: an independent source.
        assert {d.name: (d.id, d.serial) for d in camera.detectors} == {
            d.name: (d.id, d.serial) for d in translators_table(name).values()
        }
        assert [d.id for d in camera.detectors] == list(range(len(camera.detectors)))
        assert camera.name == name
    assert Counter(d.purpose for d in make_lsstcam(1).detectors) == {
        Purpose.SCIENCE: 189,
        Purpose.GUIDER: 8,
        Purpose.WAVEFRONT: 8,
    }
    assert [d.name for d in make_comcam(1).detectors] == [f"R22_S{i}{j}" for i in range(3) for j in range(3)]
    (latiss,) = make_latiss(1).detectors
    assert (latiss.name, latiss.raft, latiss.name_in_raft, latiss.purpose) == ("RXX_S00", None, "S00", Purpose.SCIENCE)
    assert (make_latiss(1).sky_parity, make_comcam(1).sky_parity, make_lsstcam(1).sky_parity) == (1, -1, -1)


def test_wavefront_sensors_are_out_of_focus_on_both_sides() -> None:
    sensors = [d for d in make_lsstcam(8).detectors if d.purpose is Purpose.WAVEFRONT]
    assert {d.name_in_raft: d.z_mm for d in sensors} == {"SW0": -1.5, "SW1": 1.5}
    assert {d.id for d in sensors if d.z_mm < 0} == {191, 195, 199, 203}
    assert all(len(d.amplifiers) == 8 for d in sensors)
    assert all(d.z_mm == 0 for d in make_lsstcam(8).detectors if d.purpose is not Purpose.WAVEFRONT)
    # Each amplifier has an HDU of its own: two with one place would read the same pixels twice.
    assert all(len({a.extension for a in d.amplifiers}) == 8 for d in sensors)


@pytest.mark.parametrize(("instrument", "number"), EXAMPLES)
def test_unbinned_sections_are_the_real_ones(instrument: str, number: int) -> None:
    detector = MAKERS[instrument](1)[number]
    e2v = detector.physical_type == "E2V"
    data = (10, 512, 54, 2002, 46) if e2v else (3, 509, 64, 2000, 48)
    for a in detector.amplifiers:
        parallel = a.raw_parallel_overscan
        assert parallel is not None
        assert a.raw_prescan is not None
        assert (a.raw_bbox.nx, a.raw_bbox.ny) == (576, 2048)
        assert (a.raw_prescan.nx, a.raw_data.nx, a.raw_serial_overscan.nx, a.raw_data.ny, parallel.ny) == data
        assert a.extension == "Segment" + a.name[1:]
    halves = 1 if detector.purpose is Purpose.WAVEFRONT else 2
    assert (detector.nx, detector.ny) == (8 * data[1], halves * data[3])


@pytest.mark.parametrize(("instrument", "number"), EXAMPLES)
@pytest.mark.parametrize("scale", [1, 3, 8, 32])
def test_amplifiers_tile_the_detector_and_the_raw(instrument: str, number: int, scale: int) -> None:
    detector = MAKERS[instrument](scale)[number]
    trimmed = np.zeros((detector.ny, detector.nx), np.uint8)
    raw = np.zeros(raw_shape(detector), np.uint8)
    sections = np.zeros_like(raw)
    for a in detector.amplifiers:
        trimmed[a.bbox.slices] += 1
        raw[a.raw_bbox.slices] += 1
        assert (a.raw_data.nx, a.raw_data.ny) == (a.bbox.nx, a.bbox.ny)
        for box, least in (
            (a.raw_data, 4),
            (a.raw_serial_overscan, 4),
            (a.raw_parallel_overscan, 4),
            (a.raw_prescan, 1),
        ):
            assert box is not None
            assert min(box.nx, box.ny) >= least
            sections[box.slices] += 1
            inner, outer = box, a.raw_bbox
            assert outer.x0 <= inner.x0
            assert outer.y0 <= inner.y0
            assert inner.x0 + inner.nx <= outer.x0 + outer.nx, "a section leaves its amplifier"
            assert inner.y0 + inner.ny <= outer.y0 + outer.ny, "a section leaves its amplifier"
    assert (trimmed == 1).all()
    assert (raw == 1).all()
    assert sections.max() == 1, "sections overlap"
    assert len({(a.raw_bbox.nx, a.raw_bbox.ny) for a in detector.amplifiers}) == 1, "HDUs of one size"


@pytest.mark.parametrize(("instrument", "number"), EXAMPLES)
@pytest.mark.parametrize("scale", [2, 8, 16, 32])
def test_binning_keeps_the_footprint(instrument: str, number: int, scale: int) -> None:
    binned, full = MAKERS[instrument](scale), MAKERS[instrument](1)
    item, whole = binned[number], full[number]
    assert 0 <= whole.nx - item.nx * scale < scale
    assert 0 <= whole.ny - item.ny * scale < scale
    x, y = item.corners()
    np.testing.assert_allclose(
        binned.pixel_to_field(number, x, y),
        full.pixel_to_field(number, (x + 0.5) * scale - 0.5, (y + 0.5) * scale - 0.5),
        rtol=0,
        atol=1e-14,
    )
    for a, b in zip(item.amplifiers, whole.amplifiers, strict=True):
        assert (a.gain, a.read_noise) == pytest.approx((b.gain * scale, b.read_noise * scale))
        assert abs(a.bbox.x0 * scale - b.bbox.x0) < 2 * scale
        assert abs(a.bbox.y0 * scale - b.bbox.y0) < 2 * scale


@given(st.sampled_from(EXAMPLES), st.integers(8, 32))
def test_assembly_turns_each_amplifier(example: tuple[str, int], scale: int) -> None:
    """A gradient over the detector, read through the amplifiers, is there again once assembled."""
    detector = MAKERS[example[0]](scale)[example[1]]
    y, x = np.mgrid[: detector.ny, : detector.nx]
    truth = 10_000 * y + x
    pixels = _read_out(detector, truth)
    assert np.array_equal(assemble(raw_mosaic(pixels, detector), detector), truth)
    for view in amplifier_views(raw_mosaic(pixels, detector), detector):
        assert (view.serial_overscan == -2).all()
        assert (view.parallel_overscan == -3).all()


def _read_out(detector: Detector, truth: Any) -> dict[str, Any]:
    """Read out as the electronics do: from the corner of the amplifier on, prescan first."""
    pixels = {}
    for a in detector.amplifiers:
        part = truth[a.bbox.slices]
        part = part[::-1] if a.flip_y else part
        part = part[:, ::-1] if a.flip_x else part
        rows, columns = part.shape
        assert a.raw_prescan is not None
        out = np.full((a.raw_bbox.ny, a.raw_bbox.nx), -3)
        out[:rows] = -2
        before = a.raw_prescan.nx
        out[:rows, :before] = -1
        out[:rows, before : before + columns] = part
        pixels[a.name] = out
    return pixels


@pytest.mark.parametrize("scale", [0, -1, 33])
@pytest.mark.parametrize("instrument", MAKERS)
def test_impossible_binning_is_refused(instrument: str, scale: int) -> None:
    with pytest.raises(HarnessError, match=f"{instrument} cannot be binned by {scale} .use 1 to 32"):
        MAKERS[instrument](scale)


def test_camera_survives_json(kits: Mapping[str, InstrumentKit]) -> None:
    assert kits["LSSTComCamSim"].make_camera(8) is kits["LSSTComCam"].make_camera(8)
    for make in MAKERS.values():
        camera = make(8)
        assert type(camera).model_validate_json(camera.model_dump_json()) == camera


@pytest.mark.parametrize(("instrument", "number"), EXAMPLES)
def test_projections_are_within_a_thousandth_of_a_pixel(instrument: str, number: int) -> None:
    camera, pointing = MAKERS[instrument](1), Pointing(53.1, -27.9, 102.8, MAKERS[instrument](1).sky_parity)
    item = camera[number]
    x, y = (a.ravel() for a in np.meshgrid(np.linspace(-0.5, item.nx - 0.5, 9), np.linspace(-0.5, item.ny - 0.5, 9)))
    truth = SkyCoord(*pointing.pixel_to_sky(camera, number, x, y), unit="deg")
    projection = sky_projection(camera, number, pointing)
    assert projection.pixel_to_sky(x=x, y=y).separation(truth).arcsec.max() < 0.1e-3
    back = projection.sky_to_pixel(truth)
    assert np.hypot(back.x - x, back.y - y).max() < 1e-3
    made = lsst_detector(camera, number)
    np.testing.assert_allclose(
        made.to_field_angle.apply_forward(x=x, y=y), camera.pixel_to_field(number, x, y), rtol=0, atol=1e-13
    )
    assert made.type.value == item.purpose.value
