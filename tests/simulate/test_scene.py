"""Where light falls, and how much of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from harness.errors import HarnessError
from harness.simulate.photometry import flux_to_electrons, sky_electrons, zero_point
from harness.simulate.profiles import DISK_SIGMAS, DISK_WEIGHTS, MIN_FWHM, psf_components, render
from harness.simulate.scene import place, pointing, psf_fwhm, render_sources, sky_background

SHAPE = (61, 71)


def moments(image: np.ndarray) -> tuple[float, float, float]:
    """Sum, mean column and mean row."""
    total = image.sum()
    y, x = np.indices(image.shape)
    return total, (image * x).sum() / total, (image * y).sum() / total


@settings(max_examples=60, deadline=None)
@given(x=st.floats(25, 45), y=st.floats(25, 35), fwhm=st.floats(MIN_FWHM, 4.0), flux=st.floats(10, 1e6))
def test_star_keeps_flux_and_centroid(x, y, fwhm, flux):
    image = render(SHAPE, np.array([x]), np.array([y]), np.array([flux]), None, fwhm)
    total, cx, cy = moments(image)
    assert total == pytest.approx(flux, rel=1e-3)
    assert (cx, cy) == pytest.approx((x, y), abs=0.002)


@settings(max_examples=60, deadline=None)
@given(
    x=st.floats(30, 40),
    y=st.floats(28, 32),
    radius=st.floats(0.1, 3.0),
    ratio=st.floats(0.2, 1.0),
    angle=st.floats(0, np.pi),
)
def test_galaxy_keeps_flux_and_centroid(x, y, radius, ratio, angle):
    c, s = np.cos(angle), np.sin(angle)
    a, b = radius**2, (radius * ratio) ** 2
    covariance = np.array([[a * c * c + b * s * s, (a - b) * c * s, a * s * s + b * c * c]])
    image = render(SHAPE, np.array([x]), np.array([y]), np.array([1000.0]), covariance, 2.5)
    total, cx, cy = moments(image)
    assert total == pytest.approx(1000.0, rel=1e-3)
    assert (cx, cy) == pytest.approx((x, y), abs=0.005)


@pytest.mark.parametrize("fwhm", [2.2, 3.0, 6.5])
def test_psf_has_the_fwhm_asked_for(fwhm):
    weights, variances = psf_components(fwhm)
    assert weights.sum() == pytest.approx(1)

    def half_way(r: float) -> float:
        peak = weights / variances
        return float((peak * np.exp(-(r**2) / 2 / variances)).sum() - peak.sum() / 2)

    assert 2 * brentq(half_way, 0.1, fwhm) == pytest.approx(fwhm, rel=1e-9)


def test_disk_is_exponential():
    """The Gaussians hold the light of an exponential disk within any radius, half of it within 1."""
    r = np.linspace(0.05, 6, 100)
    scale = 1.67834699
    truth = 1 - (1 + scale * r) * np.exp(-scale * r)
    sum_of_gaussians = (DISK_WEIGHTS * (1 - np.exp(-(r[:, None] ** 2) / 2 / DISK_SIGMAS**2))).sum(axis=1)
    assert DISK_WEIGHTS.sum() == pytest.approx(1, abs=1e-7)
    assert np.abs(sum_of_gaussians - truth).max() < 0.004


def test_position_angle_runs_from_north_to_east(toy_dataset, toy_kit, make_sources):
    """The long axis of a rendered galaxy points along its position angle on the sky."""
    camera, observation = toy_kit.camera, toy_dataset.observations[0]
    at = pointing(camera, observation)
    for detector, angle in ((0, 0.0), (0, 60.0), (7, 110.0)):
        ra, dec = at.pixel_to_sky(camera, detector, 60.0, 50.0)
        galaxy = make_sources(ra, dec, 1e5, r_half=3.0, axis_ratio=0.3, angle=angle)
        image = render_sources(camera, detector, observation, place(camera, detector, observation, galaxy, "r"))
        y, x = np.indices(image.shape)
        weight = image / image.sum()
        xx, yy = (weight * (x - 60) ** 2).sum(), (weight * (y - 50) ** 2).sum()
        axis = 0.5 * np.arctan2(2 * (weight * (x - 60) * (y - 50)).sum(), xx - yy)
        tip_ra, tip_dec = at.pixel_to_sky(camera, detector, 60 + 5 * np.cos(axis), 50 + 5 * np.sin(axis))
        measured = np.degrees(np.arctan2((tip_ra - ra) * np.cos(np.radians(dec)), tip_dec - dec))
        assert (measured - angle + 90) % 180 - 90 == pytest.approx(0, abs=1.0)


@pytest.mark.parametrize("detector", [0, 7])
def test_stars_are_found_where_they_are_with_their_flux(detector, toy_dataset, toy_kit, make_sources):
    """Aperture fluxes and centroids of isolated stars agree with the truth, through the real geometry."""
    camera, observation = toy_kit.camera, toy_dataset.observations[0]
    at = pointing(camera, observation)
    x, y = (v.ravel() for v in np.meshgrid([20.3, 60.0, 99.81], [20.5, 77.2]))
    flux = np.array([1e3, 1e4, 1e5, 1e6, 3e5, 2e4])
    stars = make_sources(*at.pixel_to_sky(camera, detector, x, y), flux)
    image = render_sources(camera, detector, observation, place(camera, detector, observation, stars, "r"))
    expected = flux_to_electrons(flux, "r", observation.exposure_time)
    for i in range(len(x)):
        cx, cy = round(x[i]), round(y[i])
        stamp = image[cy - 15 : cy + 16, cx - 15 : cx + 16]
        total, mx, my = moments(stamp)
        assert total == pytest.approx(expected[i], rel=0.005)
        assert (mx + cx - 15, my + cy - 15) == pytest.approx((x[i], y[i]), abs=0.02)


def test_source_across_the_edge_gives_its_part(toy_dataset, toy_kit, make_sources):
    camera, observation = toy_kit.camera, toy_dataset.observations[0]
    at = pointing(camera, observation)
    total = flux_to_electrons(1e5, "r", 30.0)
    for x, y, share in ((-0.5, 50.0, 0.5), (60.0, 99.5, 0.5), (119.5, -0.5, 0.25), (-40.0, 50.0, 0.0)):
        star = make_sources(*at.pixel_to_sky(camera, 0, x, y), 1e5)
        image = render_sources(camera, 0, observation, place(camera, 0, observation, star, "r"))
        assert image.sum() == pytest.approx(share * total, abs=0.002 * total)


def test_psf_follows_seeing_until_it_is_not_sampled(toy_dataset, toy_kit):
    import dataclasses

    observation = toy_dataset.observations[0]
    at = dataclasses.replace(observation, seeing=1.5)
    assert psf_fwhm(toy_kit.camera, 0, at) == pytest.approx(1.5 / 0.3, rel=0.05)
    assert psf_fwhm(toy_kit.camera, 0, dataclasses.replace(observation, seeing=0.3)) == MIN_FWHM


def test_zero_point_is_the_magnitude_of_one_electron_per_second():
    flux = 10 ** (0.4 * (31.4 - zero_point("r")))
    assert flux_to_electrons(flux, "r", 1.0) == pytest.approx(1.0)
    assert flux_to_electrons(flux, "r", 30.0) == pytest.approx(30.0)


def test_unknown_band_is_named():
    with pytest.raises(HarnessError, match="'q'"):
        zero_point("q")


def test_catalogue_without_the_band_is_refused(toy_dataset, toy_kit, make_sources):
    with pytest.raises(HarnessError, match="no z fluxes"):
        place(toy_kit.camera, 0, toy_dataset.observations[0], make_sources(10.0, 40.0, 1.0), "z")


def test_sky_follows_the_area_of_pixels(toy_dataset, toy_kit):
    """The mean level is the model's per square arcsecond, within the gradient of an exposure."""
    camera, observation = toy_kit.camera, toy_dataset.observations[0]
    at = pointing(camera, observation)
    sky = sky_background(camera, 0, observation, "r", seed=1)
    ra, dec = at.pixel_to_sky(camera, 0, np.array([59.0, 60.0, 59.5, 59.5]), np.array([49.5, 49.5, 49.0, 50.0]))
    east, north = (ra - ra[0]) * np.cos(np.radians(dec[0])) * 3600, (dec - dec[0]) * 3600
    area = abs((east[1] - east[0]) * (north[3] - north[2]) - (east[3] - east[2]) * (north[1] - north[0]))
    assert sky[49:51, 59:61].mean() == pytest.approx(sky_electrons("r", 30.0) * area, rel=0.01)
    assert 0 < np.ptp(sky) < 0.05 * sky.mean()
    assert not np.array_equal(sky, sky_background(camera, 0, observation, "r", seed=2))
