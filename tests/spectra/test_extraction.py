"""From the pixels of a dispersed image to flux along its trace."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from harness.instrument.dispersion import Trace
from harness.simulate.profiles import render
from harness.simulate.spectra import mounted, target
from harness.spectra.errors import SpectrumError
from harness.spectra.extract import Aperture, extract, refine_direction
from harness.spectra.zeroth import find_zeroth

APERTURE = Aperture(reach=6.5, inner=8.5, outer=22.0, low=320.0, high=1080.0)
ORDERS = {1: 1, 2: 1, 3: -1}


def _truth(toy_dataset, toy_kit, exposed, number: int) -> tuple[Trace, object]:
    star, disperser = (f(toy_dataset, toy_kit, exposed.observation) for f in (target, mounted))
    camera = toy_kit.make_camera(1)
    return Trace(disperser, camera, 3, *star.pixel(camera, 3), ORDERS[number]), star


def _nominal(toy_kit, exposed, true: Trace) -> Trace:
    return dataclasses.replace(true, disperser=toy_kit.disperser(exposed.observation.physical_filter))


@pytest.mark.parametrize("number", ORDERS)
def test_the_undispersed_image_is_found(toy_dataset, toy_kit, expose, number) -> None:
    exposed = expose(number)
    true, _ = _truth(toy_dataset, toy_kit, exposed, number)
    zeroth = find_zeroth(exposed.image, exposed.variance, exposed.usable)
    assert np.hypot(zeroth.x - true.x, zeroth.y - true.y) < 0.02
    assert zeroth.error < 0.02


def test_a_saturated_star_has_its_centre_where_it_was(toy_dataset, toy_kit, expose) -> None:
    exposed = expose(1)
    true, _ = _truth(toy_dataset, toy_kit, exposed, 1)
    rows, columns = np.indices(exposed.image.shape)
    # Full pixels, and some that overflowed along the column, all known as such.
    full = (np.hypot(columns - true.x, rows - true.y) < 1.5) | (
        (np.abs(columns - true.x) < 0.6) & (np.abs(rows - true.y) < 6)
    )
    image = np.where(full, 120_000.0, exposed.image)
    zeroth = find_zeroth(image, exposed.variance, exposed.usable & ~full)
    assert np.hypot(zeroth.x - true.x, zeroth.y - true.y) < 0.05


def test_an_empty_image_has_no_star() -> None:
    image = np.random.default_rng(1).normal(1000, 30, (200, 200))
    with pytest.raises(SpectrumError, match="no source stands out"):
        find_zeroth(image, np.full_like(image, 900.0), np.ones(image.shape, bool))


def test_a_star_without_usable_pixels_is_no_star() -> None:
    image = np.full((200, 200), 1000.0) + np.random.default_rng(1).normal(0, 30, (200, 200))
    render(image.shape, np.array([90.0]), np.array([100.0]), np.array([1e6]), None, 2.4, out=image)
    usable = np.ones(image.shape, bool)
    usable[85:115, 75:105] = False
    with pytest.raises(SpectrumError, match=r"usable|no source"):
        find_zeroth(image, np.full_like(image, 900.0), usable)


@pytest.mark.parametrize("number", ORDERS)
def test_the_direction_is_measured(toy_dataset, toy_kit, expose, number) -> None:
    exposed = expose(number)
    true, _ = _truth(toy_dataset, toy_kit, exposed, number)
    nominal = _nominal(toy_kit, exposed, true)
    angle, error = refine_direction(exposed.image, exposed.variance, exposed.usable, nominal, APERTURE)
    wanted = true.disperser.angle_deg - nominal.disperser.angle_deg
    assert abs(wanted) > 0.05
    assert error < 0.01
    assert angle == pytest.approx(wanted, abs=5 * error)


@pytest.mark.parametrize("number", ORDERS)
def test_the_flux_is_what_was_simulated(toy_dataset, toy_kit, expose, number) -> None:
    exposed = expose(number)
    true, star = _truth(toy_dataset, toy_kit, exposed, number)
    out = extract(exposed.image, exposed.variance, exposed.usable, true, APERTURE)
    assert (np.diff(out.along[~out.flag]) > 0.5).all()
    efficiency = true.disperser.efficiency[true.order]
    ratios, pulls = [], []
    for first in range(0, len(out.along) - 20, 20):
        here = slice(first, first + 20)
        ends = true.wavelength(*true.point(out.along[here][[0, -1]]))
        grid = np.linspace(*ends, 500)
        expected = float(np.trapezoid(star.density(grid), grid)) * efficiency
        noise = float(np.sqrt(np.sum(out.error[here] ** 2)))
        if expected > 30 * noise and not out.flag[here].any():
            ratios.append(np.trapezoid(out.flux[here], out.along[here]) / expected)
            pulls.append((ratios[-1] - 1) * expected / noise)
    assert len(ratios) >= 6
    assert np.median(ratios) == pytest.approx(1.0, abs=0.02)
    # Honest errors: the stars of the field, in whose light some pieces lie, are why it isn't the mean.
    assert np.median(np.abs(pulls)) < 3


def test_masked_pixels_do_not_count(toy_dataset, toy_kit, expose) -> None:
    """A dead column through the trace changes the flux by no more than noise, and flags what is gone altogether."""
    exposed = expose(2)
    true, _ = _truth(toy_dataset, toy_kit, exposed, 2)
    before = extract(exposed.image, exposed.variance, exposed.usable, true, APERTURE)
    usable = exposed.usable.copy()
    x, y = (round(float(v)) for v in true.point(150.0))
    usable[y - 12 : y + 13, x] = False
    x, y = (round(float(v)) for v in true.point(220.0))
    usable[y - 9 : y + 10, x - 9 : x + 10] = False
    image = np.where(usable, exposed.image, -1e6)
    after = extract(image, exposed.variance, usable, true, APERTURE)
    gone = np.abs(after.along - 220) < 6
    assert after.flag[gone].all() or not gone.any()
    good = ~after.flag
    there = np.interp(after.along[good], before.along, before.flux)
    change = (after.flux[good] - there) / np.hypot(
        after.error[good], np.interp(after.along[good], before.along, before.error)
    )
    assert np.percentile(np.abs(change), 99) < 4


def test_a_trace_beside_the_detector_is_named(toy_kit, expose) -> None:
    exposed = expose(1)
    trace = Trace(toy_kit.disperser("clear~coarse"), toy_kit.make_camera(1), 3, 230.0, 40.0)
    with pytest.raises(SpectrumError, match="outside the detector"):
        extract(exposed.image, exposed.variance, exposed.usable, trace, APERTURE)


def test_no_light_has_no_direction(toy_kit) -> None:
    image = np.random.default_rng(3).normal(500, 25, (420, 460))
    trace = Trace(toy_kit.disperser("clear~coarse"), toy_kit.make_camera(1), 3, 230.0, 380.0)
    with pytest.raises(SpectrumError, match="no light along the trace"):
        refine_direction(image, np.full_like(image, 625.0), np.ones(image.shape, bool), trace, APERTURE)
