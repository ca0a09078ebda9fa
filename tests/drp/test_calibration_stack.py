"""Averages without outliers, on plain arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsst.images import Image

from harness.drp.calibration_chain.isr import EXPOSURE, INHERITED, SECONDS
from harness.drp.calibration_chain.stack import combine, mean_response
from harness.drp.calibration_chain.tasks import CpBiasCombineTask, CpDarkCombineTask, CpFlatCombineTask
from harness.errors import HarnessError
from harness.instrument.camera import Amplifier, Camera, Detector, Purpose, RadialDistortion, Rect

SHAPE = (40, 50)


def frames(n: int, seed: int, sigma: float) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(100.0, sigma, SHAPE).astype(np.float32) for _ in range(n)]


def constant(value: float) -> np.ndarray:
    return np.full(SHAPE, value, np.float32)


@given(st.integers(3, 8), st.integers(0, 10**6), st.floats(0.5, 50.0))
@settings(max_examples=20, deadline=None)
def test_a_hit_in_one_image_leaves_no_trace(n: int, seed: int, sigma: float) -> None:
    images = frames(n, seed, sigma)
    hit = [v.copy() for v in images]
    hit[seed % n][10:12, 20:30] += 100 * sigma
    clean, result = (combine(v, [constant(sigma)] * n, [1.0] * n, clip=5.0) for v in (images, hit))
    assert np.abs(result.image - 100)[10:12, 20:30].max() < 6 * sigma / np.sqrt(n - 1)
    assert (result.count[10:12, 20:30] <= n - 1).all()
    elsewhere = np.ones(SHAPE, bool)
    elsewhere[10:12, 20:30] = False
    np.testing.assert_array_equal(result.image[elsewhere], clean.image[elsewhere])
    assert result.rejected - clean.rejected == 20


@given(st.integers(3, 9), st.integers(0, 10**6))
@settings(max_examples=10, deadline=None)
def test_the_stated_noise_is_that_of_the_pixels(n: int, seed: int) -> None:
    result = combine(frames(n, seed, 7.0), [constant(7.0)] * n, [1.0] * n, clip=5.0)
    assert result.noise == pytest.approx(7.0 / np.sqrt(n), rel=0.01)
    assert np.std(result.image) == pytest.approx(result.noise, rel=0.1)


def test_weights_count() -> None:
    images = [constant(v) for v in (10.0, 12.0, 14.0)]
    result = combine(images, [constant(10.0)] * 3, [1.0, 1.0, 6.0], clip=5.0)
    np.testing.assert_allclose(result.image, (10 + 12 + 6 * 14) / 8, rtol=1e-6)


def test_where_nothing_agrees_the_median_is_left() -> None:
    result = combine([constant(v) for v in (0.0, 50.0, 100.0, 200.0)], [constant(1.0)] * 4, [1.0] * 4, clip=5.0)
    np.testing.assert_array_equal(result.image, 75.0)
    assert not result.count.any()


@pytest.mark.parametrize("n", [0, 1, 2])
def test_fewer_than_three_are_refused(n: int) -> None:
    with pytest.raises(HarnessError, match=f"combined of {n} exposures"):
        combine([constant(1.0)] * n, [constant(1.0)] * n, [1.0] * n, clip=5.0)


def test_dead_pixels_do_not_count_in_the_mean() -> None:
    image = constant(200.0)
    image[:, :5] = 0.0
    assert mean_response(image, 0.2) == 200.0


@pytest.mark.parametrize("level", [0.0, -3.0])
def test_a_flat_without_light_is_refused(level: float) -> None:
    with pytest.raises(HarnessError, match="no light"):
        mean_response(constant(level), 0.2)


# --- tasks -------------------------------------------------------------------------------------------


@pytest.fixture
def camera():
    """A camera of one detector with one amplifier: gain 2, read noise 6 electrons."""
    amplifier = Amplifier(
        name="A",
        bbox=Rect(x0=0, y0=0, nx=SHAPE[1], ny=SHAPE[0]),
        raw_bbox=Rect(x0=0, y0=0, nx=SHAPE[1] + 4, ny=SHAPE[0]),
        raw_data=Rect(x0=0, y0=0, nx=SHAPE[1], ny=SHAPE[0]),
        raw_serial_overscan=Rect(x0=SHAPE[1], y0=0, nx=4, ny=SHAPE[0]),
        gain=2.0,
        read_noise=6.0,
    )
    detector = Detector(
        id=5,
        name="five",
        raft=None,
        name_in_raft="five",
        serial="5",
        purpose=Purpose.SCIENCE,
        nx=SHAPE[1],
        ny=SHAPE[0],
        x_mm=0.0,
        y_mm=0.0,
        yaw_deg=0.0,
        ref_x=0.0,
        ref_y=0.0,
        pixel_mm=0.01,
        amplifiers=(amplifier,),
    )
    distortion = RadialDistortion(coefficients=(0.0, 1.0))
    return Camera(name="One", plate_scale=20.0, distortion=distortion, detectors=(detector,), source="made up")


def exposures(arrays, seconds=0.0, inherited=0.0) -> list[Image]:
    lengths = np.broadcast_to(seconds, len(arrays)).tolist()
    return [
        Image(np.asarray(a, np.float32), metadata={EXPOSURE: 101 + i, SECONDS: t, INHERITED: inherited})
        for i, (a, t) in enumerate(zip(arrays, lengths, strict=True))
    ]


def test_darks_of_unlike_length_give_one_rate(camera) -> None:
    rng = np.random.default_rng(1)
    lengths = [10.0, 40.0, 100.0, 300.0]
    arrays = [3.0 * t + rng.normal(0, np.sqrt(36 + 3.0 * t), SHAPE) for t in lengths]
    image = CpDarkCombineTask().run(exposures=exposures(arrays, lengths), camera=camera, detector=5).calibration
    assert np.mean(image.array) == pytest.approx(3.0, abs=0.01)
    assert np.std(image.array) == pytest.approx(image.metadata["NOISE"], rel=0.1)
    assert image.metadata["EXPOSURES"] == "101 102 103 104"
    assert str(image.unit) == "electron / s"


def test_a_dark_without_length_is_refused_by_its_number(camera) -> None:
    some = exposures([constant(0)] * 3, [100.0, 0.0, 100.0])
    with pytest.raises(HarnessError, match="exposure 102 is no dark: it lasted 0 s"):
        CpDarkCombineTask().run(exposures=some, camera=camera, detector=5)


def test_lamps_that_drift_give_one_flat_and_dead_pixels_are_left_alone(camera) -> None:
    rng = np.random.default_rng(2)
    response = 1 + 0.1 * np.linspace(-1, 1, SHAPE[1]) * np.ones(SHAPE)
    response[:, 7] = 0.0
    arrays = [level * response + rng.normal(0, np.sqrt(level), SHAPE) for level in (20e3, 24e3, 18e3)]
    task = CpFlatCombineTask()
    flat = task.run(exposures=exposures(arrays), camera=camera, detector=5).calibration.array
    alive = np.arange(SHAPE[1]) != 7
    expected = response[:, alive] / response[:, alive].mean()
    np.testing.assert_allclose(flat[:, alive], expected, atol=0.03)
    np.testing.assert_array_equal(flat[:, 7], 1.0)
    assert task.metadata["n_dead"] == SHAPE[0]


def test_what_a_calibration_inherits_is_in_its_noise(camera) -> None:
    arrays = [constant(300.0)] * 3
    alone, with_bias = (
        CpDarkCombineTask()
        .run(exposures=exposures(arrays, 100.0, inherited), camera=camera, detector=5)
        .calibration.metadata["NOISE"]
        for inherited in (0.0, 50.0)
    )
    assert with_bias == pytest.approx(np.hypot(alone, 0.5), rel=1e-6)


def test_biases_are_averaged_in_adu(camera) -> None:
    rng = np.random.default_rng(3)
    arrays = [7.0 + rng.normal(0, 3.0, SHAPE) for _ in range(5)]
    bias = CpBiasCombineTask().run(exposures=exposures(arrays), camera=camera, detector=5).calibration
    assert np.mean(bias.array) == pytest.approx(7.0, abs=0.2)
    assert bias.metadata["NOISE"] == pytest.approx(3.0 / np.sqrt(5), rel=0.01)
    assert str(bias.unit) == "adu"
