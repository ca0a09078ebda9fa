"""Noise, levels, overflow and cosmic rays; what the calibrations undo."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from harness.errors import HarnessError
from harness.instrument.assembly import amplifier_views, raw_mosaic
from harness.simulate.calibration import BIAS_FRAMES, FLAT_ELECTRONS, FLAT_FRAMES, DetectorCalibration, epoch_of
from harness.simulate.exposure import Simulator
from harness.simulate.scene import place, pointing, render_sources
from harness.simulate.sensor import COSMIC_RAYS, bleed, cosmic_rays, full_well, read_out
from harness.sky.seeds import generator


def assembled(pixels, detector):
    """Trimmed ADU image, and the overscan pixels by amplifier."""
    image, overscan = np.zeros((detector.ny, detector.nx)), {}
    for view in amplifier_views(raw_mosaic(pixels, detector), detector):
        image[view.amplifier.bbox.slices] = view.data
        overscan[view.amplifier.name] = view.serial_overscan.astype(float)
    return image, overscan


def reduced(exposed, truth, physical_filter):
    """Electrons behind a flat field of 1: overscan, bias and flat frames applied."""
    image, overscan = assembled(exposed.pixels, truth.detector)
    for amplifier in truth.detector.amplifiers:
        image[amplifier.bbox.slices] -= overscan[amplifier.name].mean()
    image -= truth.bias_frame()
    for amplifier in truth.detector.amplifiers:
        image[amplifier.bbox.slices] *= amplifier.gain
    return image / truth.flat_frame(physical_filter)


@pytest.mark.parametrize("detector", [0, 7])
def test_raw_pixels_have_the_shape_and_type_of_the_camera(detector, empty_sky):
    exposed = empty_sky.expose(empty_sky.dataset.observations[0], detector)
    for amplifier in empty_sky.camera[detector].amplifiers:
        pixels = exposed.pixels[amplifier.name]
        assert pixels.shape == (amplifier.raw_bbox.ny, amplifier.raw_bbox.nx)
        assert pixels.dtype == np.uint16


@pytest.mark.parametrize("detector", [0, 7])
def test_overscan_and_prescan_hold_the_level_with_read_noise(detector, empty_sky):
    observation = empty_sky.dataset.observations[0]
    exposed, truth = empty_sky.expose(observation, detector), empty_sky.calibration(observation, detector)
    for amplifier in truth.detector.amplifiers:
        raw = exposed.pixels[amplifier.name].astype(float)
        level = truth.bias_levels[amplifier.name]
        noise = np.hypot(amplifier.read_noise / amplifier.gain, 12**-0.5)
        for box in (amplifier.raw_serial_overscan, amplifier.raw_prescan):
            if box is not None:
                here = raw[:, box.x0 - amplifier.raw_bbox.x0 :][: box.ny, : box.nx]
                assert here.mean() == pytest.approx(level, abs=4)  # drift of 1 ADU r.m.s.
                assert here.std() == pytest.approx(noise, rel=0.15)


@pytest.mark.parametrize("detector", [0, 7])
def test_noise_is_that_of_photons_and_readout(detector, empty_sky):
    """The variance of a reduced blank sky is its electrons plus the read noise squared."""
    observation = empty_sky.dataset.observations[0]
    exposed, truth = empty_sky.expose(observation, detector), empty_sky.calibration(observation, detector)
    good = ~(exposed.cosmic_rays | exposed.defects | exposed.saturated)
    flat = truth.flat(observation.physical_filter)
    residual = reduced(exposed, truth, observation.physical_filter) - exposed.light / flat
    for amplifier in truth.detector.amplifiers:
        mask = good[amplifier.bbox.slices]
        values = residual[amplifier.bbox.slices][mask]
        light = exposed.light[amplifier.bbox.slices][mask].mean()
        variance = light + amplifier.read_noise**2 * (1 + 1 / BIAS_FRAMES) + amplifier.gain**2 / 12
        assert values.var() == pytest.approx(variance, rel=0.08)
        assert values.mean() == pytest.approx(0, abs=4 * np.sqrt(variance / mask.sum()) + amplifier.gain)


def test_calibration_frames_remove_the_structure(empty_sky):
    """Without them the sky is far from flat; with them only noise is left."""
    observation = empty_sky.dataset.observations[0]
    truth = empty_sky.calibration(observation, 0)
    bias, flat = truth.bias_frame(), truth.flat_frame("Toy-R")
    left = (bias - truth.bias)[:, :60].std()
    assert left == pytest.approx(8.0 / 2.0 / np.sqrt(BIAS_FRAMES), rel=0.1)
    assert truth.bias.std() > 1.5
    ratio = flat / truth.flat("Toy-R")
    assert ratio.std() == pytest.approx(1 / np.sqrt(FLAT_FRAMES * FLAT_ELECTRONS), rel=0.1)
    assert truth.flat("Toy-R").std() > 0.005
    assert flat.mean() == pytest.approx(1, abs=1e-6)


def test_flats_differ_by_filter_and_epoch_and_bias_by_epoch(empty_sky):
    one, two = (empty_sky.calibration(o, 0) for o in empty_sky.dataset.observations[:2])
    assert (one.epoch, two.epoch) == ("one", "two")
    assert not np.array_equal(one.flat("Toy-R"), one.flat("Toy-I"))
    assert not np.array_equal(one.flat("Toy-R"), two.flat("Toy-R"))
    assert not np.array_equal(one.bias, two.bias)
    assert one.bad_columns == two.bad_columns
    assert one.defects != two.defects


def test_calibration_is_a_function_of_its_key(empty_sky):
    """A second object with the same key, as the stage of the calibrations makes it, tells the same truth."""
    truth = empty_sky.calibration(empty_sky.dataset.observations[0], 7)
    again = DetectorCalibration(5, "Toy", empty_sky.camera[7], "one")
    assert again is not truth
    np.testing.assert_array_equal(again.bias_frame(), truth.bias_frame())
    np.testing.assert_array_equal(again.flat_frame("Toy-R"), truth.flat_frame("Toy-R"))
    assert again.defects == truth.defects
    assert dataclasses.replace(again, seed=6).defects != truth.defects


def test_defects_are_where_the_truth_says(empty_sky):
    observation = empty_sky.dataset.observations[0]
    exposed, truth = empty_sky.expose(observation, 0), empty_sky.calibration(observation, 0)
    image = reduced(exposed, truth, observation.physical_filter)
    sky = np.median(image)
    for box in truth.bad_columns:
        assert np.abs(np.median(image[box.slices])) < 0.1 * sky
        assert exposed.defects[box.slices].all()
    x, y, rate = truth.hot_pixels
    dead = np.isin(x, [b.x0 for b in truth.bad_columns])
    expected = sky + (rate * observation.exposure_time)
    hot = image[y, x]
    noise = np.sqrt(expected) + 15
    assert (np.abs(hot - expected)[~dead] < 6 * noise[~dead] + 0.02 * expected[~dead]).mean() > 0.9


def test_saturated_star_is_clipped_and_bleeds_along_columns(toy_dataset, toy_kit, make_sources):
    observation = toy_dataset.observations[0]
    x, y = 80.0, 50.0  # amplifier B, which saturates at 40000 ADU
    ra, dec = pointing(toy_kit.camera, observation).pixel_to_sky(toy_kit.camera, 0, x, y)
    simulator = Simulator(toy_dataset, toy_kit, make_sources(ra, dec, 1e7))
    exposed = simulator.expose(observation, 0)
    image, _ = assembled(exposed.pixels, simulator.camera[0])
    rows, columns = np.nonzero(exposed.saturated)
    assert np.ptp(rows) > 2 * np.ptp(columns) > 0  # elongated along columns
    assert abs(rows.mean() - y) < 3
    assert (image[exposed.saturated] == 40000).mean() > 0.7  # the last pixels of a trail are partly filled
    assert image[:, 60:].max() == 40000
    assert image[~exposed.saturated & ~exposed.cosmic_rays & ~exposed.defects].max() < 40000


@settings(max_examples=50, deadline=None)
@given(charge=arrays(float, (40, 3), elements=st.floats(0, 5e3)), full=st.floats(500, 4e3))
def test_bleeding_makes_no_charge_and_leaves_no_excess(charge, full):
    before = charge.copy()
    saturated = bleed(charge, full)
    assert (charge <= full).all()
    assert (charge[~saturated] >= before[~saturated] - 1e-9).all()
    assert charge.sum() <= before.sum() * (1 + 1e-12)
    np.testing.assert_array_equal(saturated, (before >= full) | (charge > before))


def test_bleeding_away_from_the_ends_keeps_all_charge():
    charge = np.full((101, 4), 10.0)
    charge[50, 1], charge[52, 1], charge[30, 3] = 5000.0, 3000.0, 900.0
    before = charge.sum(axis=0)
    saturated = bleed(charge, 1000.0)
    np.testing.assert_allclose(charge.sum(axis=0), before)
    assert 7 <= saturated[:, 1].sum() <= 10
    assert not saturated[:, [0, 2, 3]].any()


def test_cosmic_rays_are_at_the_truth_mask(empty_sky):
    """Pixels far above the sky are cosmic rays or defects, and most cosmic rays are far above the sky."""
    observation = empty_sky.dataset.observations[0]
    long = dataclasses.replace(observation, exposure_time=1000.0)
    exposed, truth = empty_sky.expose(long, 0), empty_sky.calibration(long, 0)
    image = reduced(exposed, truth, long.physical_filter)
    light = exposed.light / truth.flat(long.physical_filter)
    outliers = np.abs(image - light) > 8 * np.sqrt(light + 200)
    outliers &= ~exposed.defects & ~exposed.saturated  # hot pixels overflow in so long a time
    assert exposed.cosmic_rays.any()
    assert not (outliers & ~exposed.cosmic_rays).any()
    assert (outliers & exposed.cosmic_rays).sum() > 0.3 * (exposed.cosmic_rays & ~exposed.defects).sum()


def test_cosmic_rays_come_at_their_rate_and_differ_between_exposures(toy_kit):
    detector = toy_kit.camera[0].model_copy(update={"nx": 1000, "ny": 1000})  # 9 cm²
    first, second = (cosmic_rays(detector, 60.0, generator(1, e, purpose="test")) > 0 for e in (1, 2))
    assert first.any()
    assert not np.array_equal(first, second)
    assert first.sum() >= 0.3 * COSMIC_RAYS * 60 * 9
    assert not cosmic_rays(detector, 0.0, generator(1, purpose="test")).any()


def test_binning_shows_the_same_cosmic_rays(toy_kit):
    fine = toy_kit.camera[0]
    coarse = fine.model_copy(update={"nx": fine.nx // 4, "ny": fine.ny // 4, "pixel_mm": fine.pixel_mm * 4})
    images = [cosmic_rays(d, 5000.0, generator(1, purpose="test")) for d in (fine, coarse)]
    binned = images[0].reshape(25, 4, 30, 4).sum(axis=(1, 3))
    np.testing.assert_allclose(binned, images[1])
    assert binned.any()


def test_bias_exposure_sees_no_light(empty_sky):
    observation = empty_sky.dataset.observations[2]
    exposed, truth = empty_sky.expose(observation, 0), empty_sky.calibration(observation, 0)
    image = reduced(exposed, truth, "Toy-R")
    assert not exposed.light.any()
    assert np.abs(np.median(image)) < 2


def test_negative_adu_and_overflow_are_clipped(toy_kit):
    truth = DetectorCalibration(1, "Toy", toy_kit.camera[7], "one")
    dark = np.full(truth.shape, -1e7)
    full = np.full(truth.shape, 1e9)
    for charge, value in ((dark, 0), (full, 65535)):
        pixels = read_out(charge, truth, generator(1, purpose="a"), generator(1, purpose="b"))
        assert (pixels["lower"][:, :120] == value).all()


def test_full_well_is_just_above_where_the_adu_saturate(toy_kit):
    truth = DetectorCalibration(1, "Toy", toy_kit.camera[0], "one")
    wells = full_well(truth.detector, truth)
    assert (40000 - truth.bias_levels["B"]) * 3.0 + 5 * 12 < wells["B"] < (40100 - truth.bias_levels["B"]) * 3.0


def test_sky_that_saturates_is_refused(empty_sky):
    long = dataclasses.replace(empty_sky.dataset.observations[0], exposure_time=40_000.0)
    with pytest.raises(HarnessError, match="the sky alone fills"):
        empty_sky.expose(long, 0)


def test_unknown_type_and_filter_are_named(empty_sky):
    observation = empty_sky.dataset.observations[0]
    with pytest.raises(HarnessError, match="'spectrum'"):
        empty_sky.light(dataclasses.replace(observation, observation_type="spectrum", ra=None), 0)
    with pytest.raises(HarnessError, match="'Toy-Q'"):
        empty_sky.light(dataclasses.replace(observation, physical_filter="Toy-Q"), 0)


def test_exposures_outside_or_across_epochs_are_refused(toy_dataset):
    from astropy.time import Time

    observation = toy_dataset.observations[0]
    assert epoch_of(toy_dataset, observation).label == "one"
    for begin, reason in (
        ("2019-12-31T23:00:00", "in no calibration epoch"),
        ("2020-05-31T23:59:45", "beyond the end"),
    ):
        moved = dataclasses.replace(observation, begin=Time(begin, scale="tai"))
        with pytest.raises(HarnessError, match=reason):
            epoch_of(toy_dataset, moved)
    for begin, label in (("2020-05-31T23:59:30", "one"), ("2020-06-01T00:00:00", "two")):
        assert epoch_of(toy_dataset, dataclasses.replace(observation, begin=Time(begin, scale="tai"))).label == label


def test_light_scales_with_the_flux(toy_dataset, toy_kit, make_sources):
    """The photometric model is linear: twice the flux gives twice the light."""
    observation = toy_dataset.observations[0]
    at = pointing(toy_kit.camera, observation).pixel_to_sky(toy_kit.camera, 0, 30.0, 30.0)
    one, two = (
        render_sources(
            toy_kit.camera, 0, observation, place(toy_kit.camera, 0, observation, make_sources(*at, flux), "r")
        ).sum()
        for flux in (1e4, 2e4)
    )
    assert two == pytest.approx(2 * one, rel=1e-3)
