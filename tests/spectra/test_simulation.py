"""What a dispersed exposure looks like."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from harness.errors import HarnessError
from harness.instrument.dispersion import SPECTRAL_LINES, Trace
from harness.instrument.pointing import Pointing
from harness.simulate.exposure import Simulator
from harness.simulate.photometry import flux_to_electrons
from harness.simulate.scene import Sources, place
from harness.simulate.spectra import SEPARATION, mounted, target
from harness.spectra.neighbours import foreign_light


@pytest.fixture(scope="module")
def alone(toy_dataset, toy_kit) -> Simulator:
    """A simulator whose sky has nothing but the targets."""
    nothing = Sources.none()
    return Simulator(toy_dataset, toy_kit, dataclasses.replace(nothing, flux={"white": np.zeros(0)}))


def _observation(toy_dataset, number):
    return next(o for o in toy_dataset.observations if o.exposure == number)


def test_the_light_of_each_order_is_its_share(toy_dataset, toy_kit, alone) -> None:
    observation = _observation(toy_dataset, 1)
    star, disperser = target(toy_dataset, toy_kit, observation), mounted(toy_dataset, toy_kit, observation)
    image = alone.light(observation, 3)
    image -= np.median(image)  # the sky; its gradient is far below the tolerance
    x, y = star.pixel(alone.camera, 3)
    rows, columns = np.indices(image.shape)
    near = np.hypot(columns - x, rows - y) < 12
    grid = np.linspace(*star.range, 20001)
    total = np.trapezoid(star.density(grid), grid)
    assert image[near].sum() == pytest.approx(disperser.efficiency[0] * total, rel=5e-3)
    trace = Trace(disperser, alone.camera, 3, x, y)
    strip = (np.abs(trace.across(columns, rows)) < 8) & (trace.along(columns, rows) > 60)
    ends = trace.pixel(star.range)
    assert ((ends[1] > 0) & (ends[1] < image.shape[0])).all()  # all of the order is on the detector
    assert image[strip].sum() == pytest.approx(disperser.efficiency[1] * total, rel=5e-3)


def test_light_falls_where_the_model_says(toy_dataset, toy_kit, alone) -> None:
    """What emission lines add is centred on the pixels of their wavelengths."""
    for observation in toy_dataset.observations[:2]:
        star, disperser = target(toy_dataset, toy_kit, observation), mounted(toy_dataset, toy_kit, observation)
        trace = Trace(disperser, alone.camera, 3, *star.pixel(alone.camera, 3))
        rows, columns = np.indices((alone.camera[3].ny, alone.camera[3].nx))
        along = trace.along(columns, rows)
        image = alone.light(observation, 3)
        image -= np.median(image)
        strip = np.abs(trace.across(columns, rows)) < 8
        for line in (line for line in star.lines if not line.name):
            at = float(trace.along(*trace.pixel(line.wavelength)))
            away = along[strip] - at
            window = np.exp(-0.5 * (away / 2) ** 2)
            # Less the continuum, as the model gives it.
            grid = np.arange(-12, 12, 0.01)
            wavelength = trace.wavelength(*trace.point(at + grid))
            smooth = star.continuum(wavelength) * np.gradient(wavelength, grid) * disperser.efficiency[1]
            smooth *= np.exp(-0.5 * (grid / 2) ** 2) * 0.01
            light = float(np.sum(window * image[strip])) - float(smooth.sum())
            moment = float(np.sum(window * image[strip] * away)) - float(np.sum(smooth * grid))
            assert light > 0
            assert abs(moment / light) < 0.05


def test_lines_are_known_and_unknown_and_apart(toy_dataset, toy_kit) -> None:
    for observation in toy_dataset.observations[:3]:
        lines = target(toy_dataset, toy_kit, observation).lines
        wavelengths = np.array([line.wavelength for line in lines])
        assert {line.name: line.wavelength for line in lines if line.name} == dict(SPECTRAL_LINES)
        unknown = [line for line in lines if not line.name]
        assert len(unknown) == 3
        assert all(line.equivalent_width < 0 for line in unknown)
        for line in unknown:
            assert np.sort(np.abs(wavelengths - line.wavelength))[1] >= SEPARATION
        density = target(toy_dataset, toy_kit, observation).density(np.linspace(300, 1100, 4000))
        assert (density > 0).all()


def test_the_truth_is_a_function_of_seed_and_exposure(toy_dataset, toy_kit) -> None:
    first, second = toy_dataset.observations[:2]
    assert target(toy_dataset, toy_kit, first) == target(toy_dataset, toy_kit, first)
    assert mounted(toy_dataset, toy_kit, first) == mounted(toy_dataset, toy_kit, first)
    assert target(toy_dataset, toy_kit, first).lines != target(toy_dataset, toy_kit, second).lines
    other = toy_dataset.model_copy(update={"seed": toy_dataset.seed + 1})
    assert target(other, toy_kit, first).lines != target(toy_dataset, toy_kit, first).lines
    assert mounted(other, toy_kit, first) != mounted(toy_dataset, toy_kit, first)


def test_field_stars_have_spectra_too(toy_dataset, toy_kit, alone) -> None:
    """A star of magnitude 15.5 at the boresight leaves the shares of its orders as the target does."""
    observation = _observation(toy_dataset, 1)
    flux = np.array([10 ** (0.4 * (31.4 - 15.5))])
    one = {name: np.zeros(1) for name in ("half_light_radius", "position_angle")}
    star = Sources(
        id=np.arange(1),
        ra=np.array([10.0]),
        dec=np.array([-40.0]),
        is_star=np.ones(1, bool),
        axis_ratio=np.ones(1),
        flux={"white": flux},
        **one,
    )
    extra = Simulator(toy_dataset, toy_kit, star).light(observation, 3) - alone.light(observation, 3)
    disperser, truth = mounted(toy_dataset, toy_kit, observation), target(toy_dataset, toy_kit, observation)
    electrons = float(flux_to_electrons(flux, "white", observation.exposure_time)[0])
    x, y = alone.camera.field_to_pixel(3, 0.0, 0.0)
    trace = Trace(disperser, alone.camera, 3, float(x), float(y))
    rows, columns = np.indices(extra.shape)
    near = np.hypot(columns - x, rows - y) < 12
    assert extra[near].sum() == pytest.approx(disperser.efficiency[0] * electrons, rel=5e-3)
    ends = trace.along(*trace.pixel(np.array([420.0, 560.0])))
    along = trace.along(columns, rows)
    strip = (np.abs(trace.across(columns, rows)) < 8) & (along > ends[0]) & (along < ends[1])
    grid = np.linspace(420, 560, 1000)
    share = np.trapezoid(truth.continuum(grid), grid) / truth.electrons
    assert extra[strip].sum() == pytest.approx(disperser.efficiency[1] * share * electrons, rel=0.02)


def test_a_filter_without_a_disperser_gives_a_direct_image(toy_dataset, simulator) -> None:
    light = simulator.light(_observation(toy_dataset, 4), 3)
    assert light.max() < 1e6
    assert light.min() > 0


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"target_magnitude": "bright"}, "target_magnitude is 'bright'"),
        ({"target_magnitude": True}, "target_magnitude is True"),
        ({"target_temperature": -3.0}, "target_temperature is -3"),
        ({"target_temperature": float("nan")}, "target_temperature is nan"),
        ({"target_field": 4.0}, "target_field is 4"),
        ({"target_field": (1.0, "a")}, "target_field is"),
    ],
)
def test_settings_that_make_no_sense_are_named(toy_dataset, toy_kit, settings, what) -> None:
    observation = dataclasses.replace(_observation(toy_dataset, 1), settings=settings)
    with pytest.raises(HarnessError, match=f"exposure 1: setting {what}"):
        target(toy_dataset, toy_kit, observation)


def test_an_unknown_filter_is_named(toy_dataset, toy_kit) -> None:
    observation = dataclasses.replace(_observation(toy_dataset, 1), physical_filter="clear~coarze")
    with pytest.raises(HarnessError, match=r"clear~coarze.*did you mean 'clear~coarse'"):
        target(toy_dataset, toy_kit, observation)


def test_only_dispersed_exposures_of_the_sky_make_a_dataset_one_of_spectra(toy_dataset, toy_kit) -> None:
    from harness.instrument.kit import Capability

    direct = toy_dataset.model_copy(update={"exposures": toy_dataset.exposures[3:]})
    flat = toy_dataset.exposures[0].model_copy(update={"type": "flat", "ra": None, "dec": None, "sky_angle": None})
    flats = toy_dataset.model_copy(update={"exposures": (flat,)})
    assert Capability.SPECTRA in toy_kit.applicable(toy_dataset)
    assert Capability.SPECTRA not in toy_kit.applicable(direct)
    assert Capability.SPECTRA not in toy_kit.applicable(flats)


def test_foreign_light_is_what_a_neighbour_adds_to_the_trace(toy_dataset, toy_kit, alone) -> None:
    """A star put on the trace: its undispersed image and its spectrum, in the place that the checks give them."""
    observation = _observation(toy_dataset, 1)
    disperser, truth = mounted(toy_dataset, toy_kit, observation), target(toy_dataset, toy_kit, observation)
    trace = Trace(disperser, alone.camera, 3, *truth.pixel(alone.camera, 3))
    x, y = trace.point(140.0)
    at = Pointing(10.0, -40.0, 30.0, alone.camera.sky_parity)
    ra, dec = at.pixel_to_sky(alone.camera, 3, x, y)
    one = {name: np.zeros(1) for name in ("half_light_radius", "position_angle")}
    star = Sources(
        id=np.arange(1),
        ra=np.atleast_1d(ra),
        dec=np.atleast_1d(dec),
        is_star=np.ones(1, bool),
        axis_ratio=np.ones(1),
        flux={"white": np.array([10 ** (0.4 * (31.4 - 16.0))])},
        **one,
    )
    simulator = Simulator(toy_dataset, toy_kit, star)
    extra = simulator.light(observation, 3) - alone.light(observation, 3)
    rows, columns = np.indices(extra.shape)
    offsets, along = trace.across(columns, rows), trace.along(columns, rows)
    samples = np.arange(100.0, 340.0)
    placed = place(simulator.camera, 3, observation, star, "white")
    light = foreign_light(trace, truth, placed, samples, 8.0)
    for low, high in ((130, 150), (275, 300), (305, 330)):
        here = (np.abs(offsets) < 8) & (along >= low) & (along < high)
        part = (samples >= low) & (samples < high)
        assert light[part].sum() == pytest.approx(extra[here].sum(), rel=0.05)
    # Beside the trace it is nobody's concern.
    assert not foreign_light(dataclasses.replace(trace, x=trace.x + 30), truth, placed, samples, 8.0).any()
