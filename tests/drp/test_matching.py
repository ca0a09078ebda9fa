"""Astrometric matches survive chance neighbours, and chance is not taken for a match."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.drp.matching import MatchError, clipped_mean, fit_astrometry

LIMITS = {"max_offset": 25.0, "radius": 2.0}


def field(seed: int, n: int = 60) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 500, (n, 2))


@given(st.integers(0, 10_000), st.floats(-20, 20), st.floats(-20, 20), st.floats(-2e-3, 2e-3))
@settings(max_examples=25, deadline=None)
def test_shift_and_rotation_are_found_among_strangers(seed: int, dx: float, dy: float, angle: float) -> None:
    rng = np.random.default_rng(seed + 1)
    stars = field(seed)
    c, s = np.cos(angle), np.sin(angle)
    there = (stars - 250) @ np.array([[c, s], [-s, c]]) + 250 + [dx, dy] + rng.normal(0, 0.02, stars.shape)
    # A third of the stars are unknown to the catalogue, which has as many others.
    reference = np.concatenate([there[:40], field(seed + 2, 40)])
    fit = fit_astrometry(stars, reference, **LIMITS)
    moved = stars[:40] @ fit.matrix[:2, :2].T + fit.matrix[:2, 2]
    assert np.abs(moved - there[:40]).max() < 0.15
    assert (fit.stars == fit.reference).mean() > 0.9  # chance neighbours within the clipping radius are rare
    assert np.median(fit.residual) < 0.05


def test_catalogues_without_relation_do_not_match() -> None:
    with pytest.raises(MatchError) as caught:
        fit_astrometry(field(1), field(2), **LIMITS)
    assert caught.value.n_stars == 60


def test_a_shift_beyond_the_limit_is_not_found() -> None:
    stars = field(7)
    with pytest.raises(MatchError):
        fit_astrometry(stars, stars + np.array([60.0, 0.0]), **LIMITS)


def test_too_few_stars_are_refused() -> None:
    with pytest.raises(MatchError, match="too few stars"):
        fit_astrometry(field(1, 3), field(1, 60), **LIMITS)


def test_the_clipped_mean_leaves_a_bright_outlier_out() -> None:
    rng = np.random.default_rng(8)
    error = np.concatenate([[0.001], np.full(30, 0.01)])
    value = np.concatenate([[1.13], 1.02 + rng.normal(0, 0.01, 30)])
    mean, mean_error, used = clipped_mean(value, error, floor=0.003)
    assert not used[0]
    assert abs(mean - 1.02) < 4 * mean_error
    assert mean_error == pytest.approx(0.01 / np.sqrt(used.sum()), rel=0.1)
