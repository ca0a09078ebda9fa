"""PSF widths and fluxes of simulated stars."""

from __future__ import annotations

import numpy as np
import pytest

from harness.drp.characterize import measure, measure_psf
from harness.drp.sources import adaptive_moments, detect
from harness.simulate.profiles import render

SKY = 3000.0


def scene(fwhm: float, n: int = 80, seed: int = 1):
    """Stars of 10 to 200 thousand electrons on a grid, with noise; image, variance, x, y, flux."""
    rng = np.random.default_rng(seed)
    x, y = (v.ravel().astype(float) for v in np.meshgrid(np.arange(20, 300, 28), np.arange(20, 250, 28)))
    x, y = x[:n] + rng.uniform(-0.5, 0.5, n), y[:n] + rng.uniform(-0.5, 0.5, n)
    flux = 10 ** rng.uniform(4, 5.3, n)
    light = render((260, 310), x, y, flux, None, fwhm)
    variance = light + SKY
    return light + np.sqrt(variance) * rng.standard_normal(light.shape), variance, x, y, flux


@pytest.mark.parametrize("fwhm", [2.2, 3.0, 4.2])
def test_fluxes_and_positions_of_stars_are_right(fwhm: float) -> None:
    image, variance, x, y, flux = scene(fwhm)
    mask = np.zeros(image.shape, bool)
    psf = measure_psf(image, variance, mask, x, y, min_stars=5)
    assert psf is not None
    clean = render((61, 61), np.array([30.2]), np.array([30.4]), np.array([1e6]), None, fwhm)
    expected = adaptive_moments(clean, np.array([30.2]), np.array([30.4]))
    assert psf.sigma == pytest.approx(float(expected.sigma[0]), rel=0.01)
    found = measure(image, variance, mask, x, y, psf)
    pull = (found.flux - flux) / found.error
    assert abs(np.median(found.flux / flux) - 1) < 0.012  # 0.7 % of the light lies beyond the aperture
    assert 1.4826 * np.median(np.abs(pull - np.median(pull))) < 2
    assert np.median(np.hypot(found.x - x, found.y - y)) < 0.03
    assert not found.masked.any()


def test_galaxies_are_not_taken_for_the_psf() -> None:
    rng = np.random.default_rng(3)
    image, variance, x, y, _ = scene(2.2, n=40)
    n = 40
    gx, gy = rng.uniform(20, 290, n), rng.uniform(20, 240, n)
    covariance = np.zeros((n, 3))
    covariance[:, 0] = covariance[:, 2] = rng.uniform(2, 9, n)
    image = image + render(image.shape, gx, gy, np.full(n, 5e4), covariance, 2.2)
    psf = measure_psf(image, variance, np.zeros(image.shape, bool), np.append(x, gx), np.append(y, gy), min_stars=5)
    assert psf is not None
    assert psf.sigma == pytest.approx(0.946, rel=0.05)


def test_too_few_stars_give_no_psf() -> None:
    image, variance, x, y, _ = scene(2.2)
    assert measure_psf(image, variance, np.zeros(image.shape, bool), x[:3], y[:3], min_stars=5) is None


def test_masked_and_outlying_sources_are_flagged() -> None:
    image, variance, x, y, _ = scene(2.2)
    mask = np.zeros(image.shape, bool)
    mask[round(y[5]), round(x[5])] = True
    psf = measure_psf(image, variance, mask, x, y, min_stars=5)
    assert psf is not None
    found = measure(image, variance, mask, np.append(x, -3.0), np.append(y, 4.0), psf, refine=False)
    assert found.masked[5]
    assert found.masked[-1]
    assert found.masked.sum() == 2


def test_faint_stars_near_bright_ones_are_detected() -> None:
    """Guards against SExtractor's "cleaning", which takes them for wings of the bright ones."""
    rng = np.random.default_rng(9)
    x, y = np.array([100.0, 120.0, 60.0, 100.0]), np.array([100.0, 100.0, 110.0, 75.0])
    flux = np.array([5e6, 3000.0, 3000.0, 3000.0])  # S/N of 3000: 3000/(√3000·√(4π·0.95²)) = 16
    light = render((200, 200), x, y, flux, None, 2.2)
    image = light + np.sqrt(light + SKY) * rng.standard_normal(light.shape)
    sources, detected = detect(image, light + SKY, np.zeros(image.shape, bool), 5.0)
    assert [bool(detected[round(b), round(a)]) for a, b in zip(x, y, strict=True)] == [True] * 4
    assert 4 <= len(sources) <= 8
