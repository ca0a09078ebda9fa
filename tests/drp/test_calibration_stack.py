"""Averages without outliers, on plain arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.drp.calibration_chain.stack import combine, mean_response
from harness.errors import HarnessError

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
