"""Pixels and wavelengths of a dispersed source."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.instrument.camera import Camera, Detector, Purpose, RadialDistortion
from harness.instrument.dispersion import Disperser, Trace

numbers = {"allow_nan": False, "allow_infinity": False}


def camera(yaw: float, pixel_mm: float) -> Camera:
    detector = Detector(
        id=0,
        name="d",
        raft=None,
        name_in_raft="d",
        serial="1",
        purpose=Purpose.SCIENCE,
        nx=1000,
        ny=800,
        x_mm=3.0,
        y_mm=-2.0,
        yaw_deg=yaw,
        ref_x=499.5,
        ref_y=399.5,
        pixel_mm=pixel_mm,
    )
    return Camera(
        name="c",
        plate_scale=10.0,
        distortion=RadialDistortion(coefficients=(0.0, 1.0)),
        detectors=(detector,),
        source="made up",
    )


traces = st.builds(
    lambda lines, distance, angle, yaw, pixel, x, y, order: Trace(
        Disperser("d", lines, distance, angle), camera(yaw, pixel), 0, x, y, order
    ),
    st.floats(30, 350, **numbers),
    st.floats(20, 500, **numbers),
    st.floats(-360, 360, **numbers),
    st.floats(-180, 180, **numbers),
    st.sampled_from([0.01, 0.08]),
    st.floats(-100, 1100, **numbers),
    st.floats(-100, 900, **numbers),
    st.sampled_from([1, -1, 2]),
)
wavelengths = st.floats(300, 1100, **numbers)


@given(traces, wavelengths)
def test_wavelength_and_pixel_are_inverse(trace: Trace, wavelength: float) -> None:
    x, y = trace.pixel(wavelength)
    assert trace.wavelength(x, y) == pytest.approx(wavelength, rel=1e-9)


@given(traces, wavelengths, st.floats(-20, 20, **numbers))
def test_wavelength_does_not_change_across_the_trace(trace: Trace, wavelength: float, across: float) -> None:
    x, y = trace.pixel(wavelength)
    dx, dy = trace.direction
    beside = trace.wavelength(x - across * dy, y + across * dx)
    assert beside == pytest.approx(wavelength, abs=1e-6)
    assert trace.across(x - across * dy, y + across * dx) == pytest.approx(across, abs=1e-6)


@given(traces, wavelengths)
def test_the_trace_is_a_straight_line_through_the_source(trace: Trace, wavelength: float) -> None:
    x, y = trace.pixel(wavelength)
    away = trace.along(x, y)
    assert away > 0  # wavelengths grow away from the source, in every order
    assert np.allclose(trace.point(away), (x, y), atol=1e-6)
    assert trace.along(*trace.pixel(wavelength + 1)) > away


def test_the_grating_equation_in_numbers() -> None:
    """170 lines per mm, 181 mm: 656.28 nm is diffracted by asin(0.1115676) and falls 20.32 mm away."""
    disperser = Disperser("ronchi", 170.0, 181.0)
    assert disperser.displacement(656.28) == pytest.approx(181 * np.tan(np.arcsin(170e-6 * 656.28)), rel=1e-12)
    assert disperser.displacement(656.28) == pytest.approx(20.3198, abs=1e-3)
    assert disperser.displacement(656.28, -1) == pytest.approx(-20.3198, abs=1e-3)


def test_orders_lie_on_opposite_sides() -> None:
    disperser, toy = Disperser("d", 100.0, 150.0, 30.0), camera(0.0, 0.05)
    plus, minus = (np.array(Trace(disperser, toy, 0, 500.0, 400.0, p).pixel(600.0)) for p in (1, -1))
    assert np.allclose(plus - [500, 400], [500, 400] - minus, rtol=2e-3)
    assert np.degrees(np.arctan2(plus[1] - 400, plus[0] - 500)) == pytest.approx(30.0)


def test_binning_does_not_move_wavelengths() -> None:
    """The pixel of a binned camera that holds a place on the focal plane sees the same wavelength."""
    disperser = Disperser("d", 156.0, 181.0, -90.0)
    fine, coarse = camera(0.0, 0.01), camera(0.0, 0.08)
    item = coarse[0]
    a = Trace(disperser, fine, 0, *map(float, fine[0].focal_to_pixel(4.0, 12.0)))
    b = Trace(disperser, coarse, 0, *map(float, item.focal_to_pixel(4.0, 12.0)))
    place = item.focal_to_pixel(4.0, -3.0)
    assert b.wavelength(*place) == pytest.approx(float(a.wavelength(*fine[0].focal_to_pixel(4.0, -3.0))), rel=1e-12)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"lines_per_mm": 0.0}, "lines_per_mm is 0"),
        ({"distance_mm": -1.0}, "distance_mm is -1"),
        ({"distance_mm": float("nan")}, "distance_mm is nan"),
        ({"angle_deg": float("inf")}, "angle_deg is inf"),
        ({"efficiency": {1: 0.5}}, "efficiency"),
        ({"efficiency": {0: 0.6, 1: 0.6}}, "efficiency"),
        ({"efficiency": {0: 0.6, 1: -0.1}}, "efficiency"),
    ],
)
def test_a_disperser_that_makes_no_sense_is_refused(changes, what) -> None:
    with pytest.raises(HarnessError, match=what):
        dataclasses.replace(Disperser("d", 100.0, 100.0), **changes)


def test_light_that_does_not_leave_the_grating_is_named() -> None:
    with pytest.raises(HarnessError, match="order 2 of 1100 nm does not leave it"):
        Disperser("d", 600.0, 100.0).displacement([400.0, 1100.0], 2)


def test_order_zero_has_no_wavelengths() -> None:
    with pytest.raises(HarnessError, match="order 0 has no wavelengths"):
        Disperser("d", 100.0, 100.0).wavelength(3.0, 0)
