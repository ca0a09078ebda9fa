"""Overscan, cosmic rays, interpolation and background of one detector."""

from __future__ import annotations

import numpy as np
import pytest

from harness.drp.pixels import chebyshev_background, chebyshev_surface, cosmic_rays, fill, overscan_level
from harness.errors import HarnessError
from harness.simulate.profiles import MIN_FWHM, render


def test_overscan_follows_a_slope_and_ignores_an_outlier() -> None:
    rng = np.random.default_rng(1)
    truth = 1000 + np.linspace(-3, 3, 500)
    overscan = truth[:, None] + rng.normal(0, 3, (500, 2))
    overscan[100] += 5000
    level = overscan_level(overscan, order=1)
    assert level.shape == (500, 1)
    assert np.abs(level[:, 0] - truth).max() < 0.6  # 3/√2 ADU per row, two parameters from 500 rows: 0.2 at the ends
    assert np.std(np.diff(level[:, 0])) < 1e-6  # smooth: no row carries its own noise


def test_overscan_without_pixels_is_refused() -> None:
    with pytest.raises(HarnessError, match="no overscan pixels"):
        overscan_level(np.zeros((10, 0)), 1)


def _stars(seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Bright stars, as sharp as the simulation makes them, on a sky that falls by 5 %."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(10, 240, 60), rng.uniform(10, 240, 60)
    light = render((250, 250), x, y, 10 ** rng.uniform(3, 5.5, 60), None, MIN_FWHM)
    light += 5000 * (1 + 0.05 * np.linspace(0, 1, 250)[:, None])
    return light + np.sqrt(light) * rng.standard_normal(light.shape), light


def test_stars_are_no_cosmic_rays() -> None:
    image, variance = _stars()
    hit = cosmic_rays(image, variance, np.zeros(image.shape, bool))
    assert hit.sum() <= 3  # six standard deviations in 4 directions of 62,500 pixels: chance gives none


def test_single_bright_pixels_and_tracks_are_cosmic_rays() -> None:
    image, variance = _stars()
    image[50, 60] += 3000
    image[120, 100:108] += 3000
    image[200:206, 30] += np.arange(6) * 500 + 1500
    hit = cosmic_rays(image, variance, np.zeros(image.shape, bool))
    assert hit[50, 60]
    assert hit[120, 100:108].sum() >= 7
    assert hit[200:206, 30].sum() >= 5


def test_known_bad_pixels_are_not_searched() -> None:
    image, variance = _stars()
    image[50, 60] += 3000
    bad = np.zeros(image.shape, bool)
    bad[50, 60] = True
    assert not cosmic_rays(image, variance, bad)[50, 60]


def test_fill_takes_values_from_around_and_leaves_the_rest() -> None:
    y, x = np.mgrid[:40, :50]
    image = (100 + x + 2 * y).astype(np.float32)
    truth = image.copy()
    bad = np.zeros(image.shape, bool)
    bad[10, 10] = bad[:, 30] = True
    image[bad] = 1e6
    fill(image, bad)
    assert (image[~bad] == truth[~bad]).all()
    assert np.abs(image[bad] - truth[bad]).max() < 3  # the gradient is 1 and 2 per pixel


def test_background_is_found_under_sources() -> None:
    rng = np.random.default_rng(5)
    coefficients = np.zeros((3, 3))
    coefficients[0, 0], coefficients[1, 0], coefficients[0, 2] = 5000, 100, -40
    truth = chebyshev_surface(coefficients, (512, 256))
    image = truth + np.sqrt(truth) * rng.standard_normal(truth.shape)
    image += render(image.shape, rng.uniform(0, 256, 100), rng.uniform(0, 512, 100), np.full(100, 2e4), None, 2.2)
    found = chebyshev_background(image, np.zeros(image.shape, bool))
    # 128 cells of 70/√1024 = 2.2 electrons each, six parameters: 0.5; clipping leaves a little of the sources.
    assert np.abs(chebyshev_surface(found, truth.shape) - truth).max() < 4


def test_background_of_a_masked_image_is_refused() -> None:
    with pytest.raises(HarnessError, match="less than a fifth"):
        chebyshev_background(np.zeros((100, 100)), np.ones((100, 100), bool))
