"""Pairs of exposures: thresholds to the digit, whatever the order; and a reason for whatever is in no pair."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.instrument.optics import Optics
from harness.wavefront.pairing import ExposurePair, FocusedExposure, Thresholds, pair_exposures

SIMONYI = Optics(f_number=1.2, obscuration=0.6, focus_offset_mm=1.5, focus_sign=1, source="")
AUXILIARY = Optics(f_number=18.0, obscuration=0.35, focus_offset_mm=0.8, focus_sign=-1, source="")


def exposure(number: int, focus: float | None, group: str = "g", **more: object) -> FocusedExposure:
    values = {"begin": 60.0 * number, "ra": 10.0, "dec": -30.0, "sky_angle": 0.0} | more
    return FocusedExposure(number, group, focus=focus, **values)  # type: ignore[arg-type]


def test_focus_decides_which_half_is_which() -> None:
    halves = [exposure(1, -1.9), exposure(2, 1.1)]
    assert pair_exposures(halves, SIMONYI).pairs == (ExposurePair(extra=2, intra=1),)
    near = [exposure(1, 0.3), exposure(2, -1.3)]
    assert pair_exposures(near, AUXILIARY).pairs == (ExposurePair(extra=2, intra=1),)
    assert pair_exposures(halves, AUXILIARY).pairs == ()


def test_the_image_in_focus_belongs_to_the_pair() -> None:
    found = pair_exposures([exposure(1, -2.2), exposure(2, -0.7), exposure(3, 0.8)], SIMONYI)
    assert found.pairs == (ExposurePair(extra=3, intra=1, in_focus=(2,)),)
    assert found.unpaired == {}
    assert found.in_focus == {2}
    assert set(found.halves) == {1, 3}


def test_exposures_of_other_groups_are_no_pair() -> None:
    found = pair_exposures([exposure(1, -1.5, "a"), exposure(2, 1.5, "b")], SIMONYI)
    assert found.pairs == ()
    assert found.unpaired[1] == "one half of the pair is missing: group 'a' has no other exposure"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"begin": 420.0}, "300.0 s apart, less than 300 s"),
        ({"dec": -30.0 + 61 / 3600}, "61.00″ apart, less than 60″"),
        ({"sky_angle": 1.0}, "turned by 1.000°, less than 1°"),
        ({"sky_angle": -1.0}, "turned by 1.000°"),
        ({"focus": 1.35}, "focus differs by 2.850 mm, 3.000 mm wanted"),
        ({"focus": None}, "the focus of exposure 2 is not known"),
        ({"ra": None}, "no pointing"),
        ({"sky_angle": None}, "no rotation"),
    ],
)
def test_what_is_beyond_a_threshold_is_named(change: dict, word: str) -> None:
    first, second = exposure(1, -1.5, begin=120.0), dataclasses.replace(exposure(2, 1.5, begin=121.0), **change)
    found = pair_exposures([first, second], SIMONYI)
    assert found.pairs == ()
    assert word in found.unpaired[1]
    assert word in found.unpaired[2]


@pytest.mark.parametrize(
    "change",
    [
        {"begin": 419.9},
        {"dec": -30.0 + 59.9 / 3600},
        {"sky_angle": 0.99},
        {"sky_angle": 359.01},
        {"focus": 1.36},
        {"focus": 1.64},
    ],
)
def test_what_is_within_a_threshold_is_a_pair(change: dict) -> None:
    first, second = exposure(1, -1.5, begin=120.0), dataclasses.replace(exposure(2, 1.5, begin=121.0), **change)
    assert pair_exposures([first, second], SIMONYI).pairs == (ExposurePair(2, 1),)


def test_right_ascension_counts_as_much_as_it_is_on_the_sky() -> None:
    first = exposure(1, -1.5, dec=-80.0)
    second = exposure(2, 1.5, dec=-80.0, ra=10.0 + 300 / 3600)  # 52″ on the sky
    assert pair_exposures([first, second], SIMONYI).pairs
    across = [exposure(1, -1.5, ra=359.999), exposure(2, 1.5, ra=0.001)]
    assert pair_exposures(across, SIMONYI).pairs


def test_the_nearest_in_time_are_paired_and_the_third_is_told() -> None:
    found = pair_exposures([exposure(1, -1.5), exposure(2, 1.5), exposure(4, -1.5)], SIMONYI)
    assert found.pairs == (ExposurePair(2, 1),)
    assert found.unpaired == {4: "exposure 2 would do, but is paired with exposure 1"}


def test_snaps_of_one_focus_are_no_pair() -> None:
    found = pair_exposures([exposure(1, 0.0), exposure(2, 0.0)], SIMONYI)
    assert found.pairs == ()
    assert "focus differs by 0.000 mm" in found.unpaired[1]


_EXPOSURES = st.lists(
    st.builds(
        FocusedExposure,
        exposure=st.integers(1, 10**12),
        group=st.sampled_from(["a", "b"]),
        begin=st.one_of(st.sampled_from([0.0, 30.0, 299.0, 300.0, 600.0]), st.floats(0, 1000)),
        ra=st.one_of(st.none(), st.sampled_from([0.0, 0.01, 359.99])),
        dec=st.sampled_from([-45.0, -45.01]),
        sky_angle=st.sampled_from([0.0, 0.5, 1.0, 359.6]),
        focus=st.one_of(st.none(), st.sampled_from([-1.5, -1.4, 0.0, 1.4, 1.5])),
    ),
    max_size=8,
    unique_by=lambda e: e.exposure,
)


@given(_EXPOSURES, st.randoms(use_true_random=False), st.sampled_from([SIMONYI, AUXILIARY]))
def test_any_exposures(exposures: list[FocusedExposure], random: object, optics: Optics) -> None:
    found = pair_exposures(exposures, optics)
    shuffled = list(exposures)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert pair_exposures(shuffled, optics) == found
    used = [e for p in found.pairs for e in (p.extra, p.intra, *p.in_focus)]
    assert len(used) == len(set(used))
    assert sorted([*used, *found.unpaired]) == sorted(e.exposure for e in exposures)
    assert all(reason and "\n" not in reason for reason in found.unpaired.values())
    by_id = {e.exposure: e for e in exposures}
    limits = Thresholds()
    for pair in found.pairs:
        extra, intra = by_id[pair.extra], by_id[pair.intra]
        assert extra.group == intra.group
        assert abs(extra.begin - intra.begin) < limits.seconds
        assert extra.focus is not None
        assert intra.focus is not None
        apart = optics.focus_sign * (extra.focus - intra.focus)
        assert abs(apart - 2 * optics.focus_offset_mm) < limits.focus * optics.focus_offset_mm


@given(_EXPOSURES)
def test_the_other_sign_swaps_the_halves(exposures: list[FocusedExposure]) -> None:
    mirrored = [e if e.focus is None else dataclasses.replace(e, focus=-e.focus) for e in exposures]
    straight, turned = pair_exposures(exposures, SIMONYI), pair_exposures(mirrored, SIMONYI)
    assert {(p.extra, p.intra) for p in straight.pairs} == {(p.intra, p.extra) for p in turned.pairs}
