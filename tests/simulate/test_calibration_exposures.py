"""Bias, dark and flat exposures: what is in them, and what is not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from harness.errors import HarnessError
from harness.instrument.kit import Capability
from harness.simulate.exposure import Simulator
from harness.simulate.light import LIGHTS, light_of
from harness.simulate.sensor import full_well


@pytest.fixture(scope="module")
def simulator(toy_dataset, toy_kit, make_sources) -> Simulator:
    """A simulator of a camera that takes darks."""
    kit = dataclasses.replace(toy_kit, capabilities=toy_kit.capabilities | {Capability.CALIBRATION_CHAIN})
    return Simulator(toy_dataset, kit, make_sources([], [], []))


def observation(simulator, kind: str, seconds: float, number: int = 101):
    found = next(o for o in simulator.dataset.observations if o.exposure == number)
    changes = {"ra": None, "dec": None, "sky_angle": None, "observation_type": kind, "exposure_time": seconds}
    return dataclasses.replace(found, **changes)


def electrons(simulator, seen, detector: int = 0) -> np.ndarray:
    """Return the trimmed image without level and structure of the bias."""
    truth = simulator.calibration(seen, detector)
    pixels = simulator.expose(seen, detector).pixels
    out = np.empty(truth.shape)
    for a in truth.detector.amplifiers:
        box, data, over = a.raw_bbox, a.raw_data, a.raw_serial_overscan
        raw = pixels[a.name].astype(float)
        level = raw[over.y0 - box.y0 :, over.x0 - box.x0 :][: over.ny, : over.nx].mean()
        part = raw[data.y0 - box.y0 :, data.x0 - box.x0 :][: data.ny, : data.nx] - level
        part = part[:: -1 if a.flip_y else 1, :: -1 if a.flip_x else 1]
        out[a.bbox.slices] = (part - truth.bias[a.bbox.slices]) * a.gain
    return out


@pytest.mark.parametrize("seconds", [60.0, 600.0])
def test_dark_current_gathers_with_time(seconds, simulator) -> None:
    dark = observation(simulator, "dark", seconds)
    truth = simulator.calibration(dark, 0)
    good = ~truth.defect_mask & (truth.dark < 100)
    seen = electrons(simulator, dark)[good]
    expected = truth.dark[good] * seconds
    noise = np.sqrt(expected + max(a.read_noise for a in truth.detector.amplifiers) ** 2)
    assert abs(np.median(seen - expected)) < 0.1 * noise.mean()
    assert np.median(expected) > 0.4 * seconds * 500 * truth.detector.pixel_mm**2


def test_a_bias_has_nothing_but_noise(simulator) -> None:
    bias = observation(simulator, "bias", 0.0)
    seen = electrons(simulator, bias)
    assert abs(np.mean(seen)) < 2.0
    assert np.std(seen) < 1.2 * max(a.read_noise for a in simulator.camera[0].amplifiers)


def test_a_camera_that_takes_no_darks_has_hot_pixels_only(empty_sky) -> None:
    dark = observation(empty_sky, "dark", 600.0)
    truth = empty_sky.calibration(dark, 0)
    seen = electrons(empty_sky, dark)
    assert abs(np.median(seen[~truth.defect_mask])) < 2.0
    x, y, _ = truth.hot_pixels
    assert np.median(seen[y, x]) > 10_000


def test_a_flat_is_the_response_times_an_even_light(simulator) -> None:
    flat = observation(simulator, "flat", 10.0)
    truth = simulator.calibration(flat, 0)
    good = ~truth.defect_mask & (truth.dark < 100)
    seen = electrons(simulator, flat)
    light = simulator.light(flat, 0)
    assert np.ptp(light) == 0
    ratio = (seen / (light * truth.flat("Toy-R")))[good]
    assert np.median(ratio) == pytest.approx(1, abs=0.003)
    other = (seen / (light * truth.flat("Toy-I")))[good]
    assert np.std(other) > 1.5 * np.std(ratio)


def test_lamps_drift_and_all_detectors_see_the_same_one(simulator) -> None:
    first, second = (observation(simulator, "flat", 10.0, n) for n in (101, 103))
    levels = {(o.exposure, d): simulator.light(o, d)[0, 0] for o in (first, second) for d in (0, 7)}
    assert levels[101, 0] == levels[101, 7] != levels[103, 0]


def test_a_flat_that_would_saturate_is_refused_with_a_time_that_would_not(simulator) -> None:
    with pytest.raises(HarnessError, match="fills") as caught:
        simulator.light(observation(simulator, "flat", 100.0), 0)
    assert caught.value.remedy is not None
    short = float(caught.value.remedy.split()[4])
    well = min(full_well(simulator.camera[0], simulator.calibration(observation(simulator, "flat", 1), 0)).values())
    assert simulator.light(observation(simulator, "flat", 0.9 * short), 0).max() < well


def test_what_looks_nowhere_and_is_no_calibration_is_refused(simulator) -> None:
    with pytest.raises(HarnessError, match="cannot simulate type 'focus' off the sky"):
        light_of(simulator, observation(simulator, "focus", 10.0))


def test_the_pointing_of_a_calibration_does_not_matter(simulator) -> None:
    """Telescopes point somewhere while they take biases; that puts no sky into them."""
    pointed = next(o for o in simulator.dataset.observations if o.exposure == 103)
    assert pointed.ra is not None
    assert light_of(simulator, pointed).name == "darkness"
    assert [s.name for s in LIGHTS][-1] == "sky"


def test_darks_differ_between_epochs(simulator) -> None:
    one, two = (simulator.calibration(observation(simulator, "dark", 1.0, n), 0).dark for n in (101, 102))
    assert (one != two).mean() > 0.9
    assert one.min() > 0
