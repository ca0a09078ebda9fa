"""Charges and spots of known size are measured within their errors."""

from __future__ import annotations

import numpy as np
import pytest
from harness_cbp.photometry import electrometer_charge, measure_spots
from harness_cbp.writer import simulate_series
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError


@given(st.integers(1, 10_000), st.integers(1, 8), st.floats(1e-10, 1e-6))
@settings(max_examples=50, deadline=None)
def test_charges_are_measured_within_five_errors(number: int, bursts: int, charge: float) -> None:
    time, series = simulate_series(7, number, 30.0, bursts, charge)
    found = electrometer_charge(time, series, 3.5)
    assert abs(found.charge - charge) < 5.5 * found.error
    assert 1e-12 < found.error < 1e-11


def test_no_light_is_no_charge() -> None:
    time, series = simulate_series(7, 1, 30.0, 0, 0.0)
    found = electrometer_charge(time, series, 3.5)
    assert abs(found.charge) < 5.5 * found.error


def test_the_dark_current_is_not_charge() -> None:
    time = np.arange(0.0, 30.05, 0.1)
    found = electrometer_charge(time, 5e-11 * time + np.where(time > 15, 1e-8, 0.0), 4.0)
    assert found.charge == pytest.approx(1e-8, rel=1e-9)
    assert found.dark_current == pytest.approx(5e-11, rel=1e-9)


def test_a_series_without_quiet_ends_is_refused() -> None:
    time = np.arange(0.0, 6.0, 0.1)
    with pytest.raises(HarnessError, match="no quiet ends"):
        electrometer_charge(time, time * 0, 3.5)
    with pytest.raises(HarnessError, match="no quiet ends"):
        electrometer_charge(np.array([0.0, 30.0]), np.zeros(2), 3.5)


def _scene(spots, noise: float = 20.0, background: float = 100.0):
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:200, :240]
    image = background + noise * rng.standard_normal(x.shape)
    for cx, cy, radius, flux in spots:
        disk = np.clip(radius + 0.5 - np.hypot(x - cx, y - cy), 0, 1)
        image += flux * disk / disk.sum()
    return image


def test_spots_are_found_where_they_are_with_their_fluxes() -> None:
    truth = [(60.3, 50.7, 9.0, 2e6), (150.0, 120.2, 9.0, 5e5)]
    found = measure_spots(_scene(truth), 20.0, 5.0, 25, 3.0, 10.0)
    assert len(found) == 2
    for (x, y, flux, error, _, background), (cx, cy, _, true) in zip(found, truth, strict=True):
        assert (x, y) == pytest.approx((cx, cy), abs=0.1)
        assert abs(flux - true) < 5 * error
        assert background == pytest.approx(100.0, abs=5.0)


def test_cosmic_rays_and_hot_pixels_are_no_spots() -> None:
    image = _scene([])
    image[40, 30:90] += 5000.0
    image[100, 100] += 1e6
    assert measure_spots(image, 20.0, 5.0, 25, 3.0, 10.0) == []


def test_a_spot_cut_by_a_dead_column_is_one() -> None:
    image = _scene([(60.0, 50.0, 9.0, 2e6)])
    image[:, 62] = 100.0
    ((_, _, flux, *_),) = measure_spots(image, 20.0, 5.0, 25, 3.0, 10.0)
    assert flux == pytest.approx(2e6, rel=0.1)
