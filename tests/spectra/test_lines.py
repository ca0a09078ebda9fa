"""Lines of a spectrum, and the distance of the disperser that follows from them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.instrument.camera import Camera, Detector, Purpose, RadialDistortion
from harness.instrument.dispersion import SPECTRAL_LINES, Disperser, Trace
from harness.spectra.calibrate import calibrate
from harness.spectra.lines import FoundLine, continuum, find_lines

S = np.arange(100.0, 400.0)


def _smooth(s: np.ndarray) -> np.ndarray:
    u = (s - 250) / 150
    return 8000 * (1 - 0.5 * u - 0.3 * u**2)


def _spectrum(lines: list[tuple[float, float]], noise: float, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    flux = _smooth(S)
    for centre, height in lines:
        flux = flux * (1 + height * np.exp(-0.5 * ((S - centre) / 1.1) ** 2))
    error = np.full_like(S, noise)
    return flux + noise * np.random.default_rng(seed).standard_normal(len(S)), error


LINES = [(130.3, -0.3), (160.0, 0.6), (207.75, -0.25), (290.5, 0.3), (340.2, -0.4)]


def test_lines_are_found_with_honest_errors() -> None:
    pulls = []
    for seed in range(12):
        flux, error = _spectrum(LINES, 90.0, seed)
        found = find_lines(S, flux, error, 1.05)
        for centre, height in LINES:
            line = min(found, key=lambda item: abs(item.along - centre))
            assert line.height == pytest.approx(height, abs=0.12)
            assert line.snr > 5
            pulls.append((line.along - centre) / line.error)
    assert np.abs(pulls).max() < 5
    assert 0.5 < np.sqrt(np.mean(np.square(pulls))) < 1.6


def test_noise_has_no_lines() -> None:
    found = [len(find_lines(S, *_spectrum([], 90.0, seed), 1.05)) for seed in range(20)]
    assert sum(found) == 0


def test_the_continuum_passes_over_lines() -> None:
    flux, error = _spectrum(LINES, 90.0)
    assert np.abs(continuum(flux, error) / _smooth(S) - 1)[5:-5].max() < 0.04


@pytest.mark.parametrize("n", [1, 4, 8, 20])
def test_a_spectrum_of_few_samples_has_a_continuum(n) -> None:
    flux = np.full(n, 7.0)
    assert continuum(flux, np.ones(n)) == pytest.approx(7.0)


def _trace(distance: float = 181.0) -> Trace:
    detector = Detector(
        id=0, name="d", raft=None, name_in_raft="d", serial="1", purpose=Purpose.SCIENCE, nx=500, ny=500,
        x_mm=0.0, y_mm=0.0, yaw_deg=0.0, ref_x=249.5, ref_y=249.5, pixel_mm=0.08,
    )  # fmt: skip
    camera = Camera(
        name="c", plate_scale=9.6, distortion=RadialDistortion(coefficients=(0.0, 1.0)), detectors=(detector,),
        source="made up",
    )  # fmt: skip
    return Trace(Disperser("d", 156.0, distance, -90.0), camera, 0, 250.0, 480.0)


def _seen(true: Trace, wavelengths: list[float], error: float = 0.05, seed: int = 0) -> list[FoundLine]:
    along = true.along(*true.pixel(np.array(wavelengths)))
    along = along + error * np.random.default_rng(seed).standard_normal(len(along))
    return [FoundLine(float(a), error, -0.3, 12.0, 1.1) for a in along]


@settings(max_examples=40, deadline=None)
@given(
    st.floats(0.9925, 1.0075),
    st.sets(st.sampled_from(sorted(SPECTRAL_LINES.values())), min_size=3),
    st.lists(st.sampled_from([375.0, 520.0, 560.0, 600.0, 840.0, 905.0]), unique=True),
    st.integers(0, 1000),
)
def test_the_distance_follows_from_known_lines_among_others(factor, known, others, seed) -> None:
    true = _trace(181.0 * factor)
    wavelengths = sorted([*known, *others])
    scale = calibrate(_trace(), _seen(true, wavelengths, seed=seed), SPECTRAL_LINES)
    assert scale.distance == pytest.approx(factor, abs=6 * scale.error)
    assert scale.error < 0.002  # known to 0.0033 before
    named = {wavelengths[i]: name for i, name in scale.names.items()}
    assert all(SPECTRAL_LINES[name] == wavelength for wavelength, name in named.items())
    assert set(named) <= known


@pytest.mark.parametrize("wavelengths", [[], [486.13], [530.0, 600.0, 840.0]])
def test_too_few_known_lines_leave_the_nominal_distance(wavelengths) -> None:
    scale = calibrate(_trace(), _seen(_trace(182.0), wavelengths), SPECTRAL_LINES)
    assert (scale.distance, scale.names, scale.used) == (1.0, {}, ())
    assert scale.error > 0.003  # no better than what the distance was known to before


def test_a_line_that_is_not_where_it_should_be_does_not_decide() -> None:
    true = _trace(181.0 * 1.002)
    found = _seen(true, [410.17, 434.05, 486.13, 656.28, 687.2, 762.1], error=0.03)
    found[3] = dataclasses.replace(found[3], along=found[3].along + 1.5)  # a star of the field on top of H alpha
    scale = calibrate(_trace(), found, SPECTRAL_LINES)
    assert scale.distance == pytest.approx(1.002, abs=0.0005)
    assert "H alpha" not in scale.names.values()
