"""Donuts: the simulation follows geometrical optics, and the fit finds the wavefront that it is given."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from harness.errors import HarnessError
from harness.instrument.zernikes import NOLL
from harness.simulate.donuts import Donut, defocus, is_defocused, wavefront
from harness.wavefront.detect import find_donuts
from harness.wavefront.estimate import Estimate, Stamp, combine, fit
from harness.wavefront.model import DonutModel

WAVE = {4: 150.0, 5: -200.0, 6: 120.0, 7: 90.0, 8: -110.0, 9: 60.0, 10: -80.0, 11: 30.0}


def moments(image: np.ndarray) -> tuple[float, float]:
    """First moments about the central pixel."""
    axis = np.arange(len(image)) - len(image) // 2
    return float((image.sum(axis=0) * axis).sum()), float((image.sum(axis=1) * axis).sum())


@pytest.mark.parametrize("distance", [1.2, -1.2])
def test_a_perfect_donut_is_a_ring_of_the_right_size(toy_camera, distance: float) -> None:
    donut = Donut(toy_camera.optics, toy_camera[3], distance, 0.0)
    assert donut.radius == pytest.approx(1.2 / 4 / 0.04)
    stamp = donut.stamp({})
    assert stamp.sum() == pytest.approx(1.0)
    y, x = np.mgrid[: len(stamp), : len(stamp)] - len(stamp) // 2
    # Mean squared radius of a ring of even brightness: (1 + ε²)/2.
    wanted = donut.radius**2 * (1 + 0.45**2) / 2 + 1 / 6
    assert float((stamp * (x**2 + y**2)).sum()) == pytest.approx(wanted, rel=0.01)
    assert stamp[len(stamp) // 2, len(stamp) // 2] == 0.0


def test_defocus_is_a_zernike_term(toy_camera) -> None:
    """Moving the detector by δ is the same as adding δ/(16√3 N²)·(1 - ε²) of the fourth term."""
    optics = toy_camera.optics
    extra = 0.1
    nanometres = extra * 1e6 / (16 * np.sqrt(3) * optics.f_number**2) * (1 - optics.obscuration**2)
    moved = Donut(optics, toy_camera[3], 1.2 + extra, 1.0).stamp({})
    bent = Donut(optics, toy_camera[3], 1.2, 1.0).stamp({4: nanometres})
    size = min(len(moved), len(bent))
    cut = [
        s[(len(s) - size) // 2 : (len(s) + size) // 2, (len(s) - size) // 2 : (len(s) + size) // 2]
        for s in (moved, bent)
    ]
    assert np.abs(cut[0] - cut[1]).max() < 0.01 * cut[0].max()


def test_a_tilt_moves_both_sides_alike_and_coma_too(toy_camera) -> None:
    """A term that is odd in the pupil displaces rays the same way on both sides; an even one the opposite way."""
    for term, shift in ((2, True), (8, True), (4, False)):
        image = [Donut(toy_camera.optics, toy_camera[3], d, 0.0).stamp({term: 400.0}) for d in (1.2, -1.2)]
        (x1, _), (x2, _) = map(moments, image)
        assert x1 == pytest.approx(x2, abs=0.02)
        assert (abs(x1) > 0.03) is shift, term


def test_a_turned_detector_sees_a_turned_donut(toy_camera) -> None:
    straight = toy_camera[3]
    turned = straight.model_copy(update={"yaw_deg": 90.0})
    images = [Donut(toy_camera.optics, d, 1.2, 1.0).stamp({7: 300.0, 6: 200.0}) for d in (straight, turned)]
    # Columns of the turned detector run along the focal plane's y.
    assert np.allclose(np.rot90(images[0]), images[1], atol=0.02 * images[0].max())


@pytest.mark.parametrize("distance", [1.2, -1.2])
@pytest.mark.parametrize("yaw", [0.0, 70.0])
def test_model_and_simulation_agree(toy_camera, distance: float, yaw: float) -> None:
    detector = toy_camera[3].model_copy(update={"yaw_deg": yaw})
    stamp = Donut(toy_camera.optics, detector, distance, 1.5).stamp(WAVE, 0.3, -0.2)
    model = DonutModel(2.0, 0.45, distance, yaw, 0.04, len(stamp))
    image = model.image(WAVE, 0.3, -0.2, 1.5)
    assert image.sum() == pytest.approx(1.0, abs=0.005)
    assert np.sqrt(np.mean((image - stamp) ** 2)) < 0.01 * stamp.max()


def stamps(toy_camera, coefficients: dict[int, float], flux: float, seed: int = 0) -> list[Stamp]:
    rng = np.random.default_rng(seed)
    out = []
    for distance, yaw in ((1.2, -110.0), (-1.2, 70.0)):
        detector = toy_camera[3].model_copy(update={"yaw_deg": yaw})
        image = Donut(toy_camera.optics, detector, distance, 1.2).stamp(coefficients, *rng.uniform(-0.5, 0.5, 2))
        image = np.pad(image, 2) * flux + 1000.0
        variance = image.copy()
        image = image + rng.standard_normal(image.shape) * np.sqrt(variance)
        model = DonutModel(2.0, 0.45, distance, yaw, 0.04, len(image))
        out.append(Stamp(image, variance, np.ones(image.shape, bool), model, 1.0))
    return out


@pytest.mark.parametrize("term", NOLL)
def test_each_term_is_recovered_alone(toy_camera, term: int) -> None:
    found = fit(stamps(toy_camera, {term: 150.0}, 3e6)).coefficients
    assert all(abs(found[j] - (150.0 if j == term else 0.0)) < 25.0 for j in NOLL), found


def test_all_terms_are_recovered_together_with_errors(toy_camera) -> None:
    found = fit(stamps(toy_camera, WAVE, 3e6))
    assert all(abs(found.coefficients[j] - WAVE[j]) < 40.0 for j in NOLL), found
    assert all(0.1 < found.errors[j] < 40.0 for j in NOLL)
    assert found.misfit < 0.1
    assert found.flux == pytest.approx((3e6, 3e6), rel=0.03)
    assert all(e > 2 * found.errors[j] for j, e in fit(stamps(toy_camera, WAVE, 1e5)).errors.items() if j != 11)


def test_bad_pixels_are_not_looked_at(toy_camera) -> None:
    rng = np.random.default_rng(1)
    spoilt = []
    for stamp in stamps(toy_camera, WAVE, 3e6):
        bad = rng.random(stamp.image.shape) < 0.05
        spoilt.append(dataclasses.replace(stamp, image=np.where(bad, 1e6, stamp.image), good=~bad))
    found = fit(spoilt).coefficients
    assert all(abs(found[j] - WAVE[j]) < 50.0 for j in NOLL), found
    with pytest.raises(ValueError, match="usable"):
        fit([dataclasses.replace(s, good=np.zeros(s.image.shape, bool)) for s in spoilt])


def test_a_pair_that_stands_apart_is_left_out() -> None:
    def estimate(value: float, misfit: float = 0.05) -> Estimate:
        return Estimate(dict.fromkeys(NOLL, value), dict.fromkeys(NOLL, 1.0), misfit, (1.0, 1.0))

    mean, used = combine([estimate(10.0), estimate(12.0), estimate(11.0), estimate(500.0)])
    assert used.tolist() == [True, True, True, False]
    assert mean[4] == pytest.approx(11.0)
    _, used = combine([estimate(10.0), estimate(12.0), estimate(11.0, misfit=0.9)])
    assert used.tolist() == [True, True, False]
    mean, used = combine([estimate(10.0)])
    assert used.all()
    assert mean[4] == 10.0


def test_donuts_are_found_where_they_are(simulator, post_isr) -> None:
    image = post_isr(1, 8)
    radius = 1.2 / 4 / 0.04
    bad = np.zeros(image.image.array.shape, bool)
    found = find_donuts(
        image.image.array.astype(float), image.variance.array.astype(float), bad, radius, 0.45, threshold=300.0
    )
    assert len(found.x) == 3
    for x, y in ((60.3, 60.9), (170.8, 70.1), (110.2, 160.5)):
        assert np.hypot(found.x - x, found.y - y).min() < 1.5
    assert found.isolated.all()
    bad[55:68, 55:68] = True
    spoilt = find_donuts(
        image.image.array.astype(float), image.variance.array.astype(float), bad, radius, 0.45, threshold=300.0
    )
    first = np.argmin(np.hypot(spoilt.x - 60.3, spoilt.y - 60.9))
    assert np.hypot(spoilt.x[first] - 60.3, spoilt.y[first] - 60.9) > 4 or not spoilt.isolated[first]


def test_the_true_wavefront_depends_on_seed_group_and_place_alone(toy_camera, toy_dataset) -> None:
    one, intra, extra, other = toy_dataset.observations
    assert wavefront(1, toy_camera, intra, 0.001, 0.0) == wavefront(1, toy_camera, extra, 0.001, 0.0)
    assert wavefront(1, toy_camera, one, 0.0, 0.0) != wavefront(1, toy_camera, other, 0.0, 0.0)
    assert wavefront(1, toy_camera, one, 0.0, 0.0) != wavefront(2, toy_camera, one, 0.0, 0.0)
    here = [wavefront(1, toy_camera, one, f, 0.0)[5] for f in (0.0, 0.01, 0.02)]
    assert here[2] - here[1] == pytest.approx(here[1] - here[0])
    assert here[1] != here[0]


def test_stars_are_donuts_only_out_of_focus(simulator, toy_camera, toy_dataset) -> None:
    one, intra, _, sharp = toy_dataset.observations
    assert is_defocused(toy_camera, 8, one)
    assert not is_defocused(toy_camera, 3, one)
    assert is_defocused(toy_camera, 3, intra)
    focused, blurred = simulator.light(sharp, 3), simulator.light(intra, 3)
    assert focused.max() > 10 * blurred.max()
    # The same light, but for what lies across the edge.
    sky = np.median(focused)
    assert (blurred - sky).sum() == pytest.approx((focused - sky).sum(), rel=0.05)


def test_a_camera_without_optics_cannot_be_out_of_focus(toy_camera, toy_dataset) -> None:
    plain = toy_camera.model_copy(update={"optics": None})
    assert defocus(plain, 3, toy_dataset.observations[3]) == 0.0
    for observation, detector in ((toy_dataset.observations[1], 3), (toy_dataset.observations[0], 7)):
        with pytest.raises(HarnessError, match="out of focus"):
            defocus(plain, detector, observation)
