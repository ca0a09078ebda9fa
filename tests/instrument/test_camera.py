from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from harness.errors import HarnessError
from harness.instrument.camera import Camera, PolynomialDistortion
from harness.instrument.pointing import Pointing

points = arrays(float, (2, 5), elements=st.floats(-20, 30))
angles = st.floats(0, 360)


@given(points, st.sampled_from([0, 1, 7]))
def test_pixels_survive_the_way_to_field_angles(camera: Camera, xy: np.ndarray, detector: int) -> None:
    back = camera.field_to_pixel(detector, *camera.pixel_to_field(detector, *xy))
    np.testing.assert_allclose(back, xy, rtol=0, atol=1e-9)


@given(points, angles, st.floats(-89, 89), angles, st.sampled_from([-1, 1]))
def test_pixels_survive_the_way_to_the_sky(
    camera: Camera, xy: np.ndarray, ra: float, dec: float, sky_angle: float, parity: int
) -> None:
    pointing = Pointing(ra, dec, sky_angle, parity)
    back = pointing.sky_to_pixel(camera, 7, *pointing.pixel_to_sky(camera, 7, *xy))
    np.testing.assert_allclose(back, xy, rtol=0, atol=1e-6)


def test_polynomial_terms_are_in_the_documented_order() -> None:
    x_terms = tuple(float(i) for i in range(6))  # 1, y, y², x, xy, x²
    distortion = PolynomialDistortion(order=2, unit_mm=2.0, x_coefficients=x_terms, y_coefficients=(0.0,) * 6)
    u, v = 1.5, 2.5
    expected = 2.0 * (0 + 1 * v + 2 * v**2 + 3 * u + 4 * u * v + 5 * u**2)
    assert distortion.distort(np.array(2 * u), np.array(2 * v))[0] == pytest.approx(expected)


def test_sky_angle_turns_and_parity_mirrors() -> None:
    field = np.radians(0.1)
    for sky_angle, parity, expected in [(0, 1, (0.1, 0)), (0, -1, (-0.1, 0)), (90, 1, (0, -0.1)), (90, -1, (0, 0.1))]:
        ra, dec = Pointing(180.0, 0.0, sky_angle, parity).field_to_sky(field, 0.0)
        np.testing.assert_allclose((ra - 180, dec), expected, atol=1e-6)


def test_cameras_compare_after_use(camera: Camera) -> None:
    copy = Camera.model_validate_json(camera.model_dump_json())
    for used in (camera, copy):
        used.pixel_to_field(7, 1.0, 2.0)
    assert copy == camera
    assert hash(copy) == hash(camera)
    assert camera.model_copy(update={"plate_scale": 21.0}) != camera


@pytest.mark.parametrize("deep", [False, True])
def test_a_copy_finds_its_own_detectors(camera: Camera, deep: bool) -> None:
    assert camera[7].nx == 12  # the camera remembers where its detectors are
    changed = tuple(d.model_copy(update={"nx": 24}) for d in camera.detectors if d.id != 0)
    copy = camera.model_copy(update={"detectors": changed}, deep=deep)
    assert copy[7].nx == 24
    with pytest.raises(HarnessError, match="ids run from 1 to 7"):
        copy[0]
    assert (camera[7].nx, camera[0].id) == (12, 0)


def test_unknown_detectors_are_named(camera: Camera) -> None:
    with pytest.raises(HarnessError, match=r"Toy has no detector 2.*0 to 7"):
        camera[2]
    with pytest.raises(HarnessError, match="did you mean 'R_S7'"):
        camera["R_S8"]


@pytest.mark.parametrize("camera", ["radial", "polynomial"], indirect=True)
def test_beyond_the_optics_is_an_error(camera: Camera) -> None:
    with pytest.raises(HarnessError, match="outside the field of Toy"):
        camera.field_to_focal(1.5, 1.5)
