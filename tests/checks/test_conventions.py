"""Rules that most records keep: believed of many, broken by few, and never made up of nothing."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.checks.conventions import believed, exceptions, template
from harness.checks.exposures import _has, _out_of_order


@pytest.mark.parametrize(
    ("kept", "broken", "rule"),
    [
        (3, 0, False),
        (4, 0, True),
        (4, 1, True),
        (7, 2, False),
        (8, 2, True),
        (8, 3, False),
        (1000, 50, True),
        (1000, 51, False),
        (0, 9, False),
    ],
)
def test_a_rule_is_one_that_nearly_all_keep(kept: int, broken: int, rule: bool) -> None:
    assert believed(kept, broken) is rule
    found = exceptions([(i, i < kept) for i in range(kept + broken)])
    assert found.broken == (tuple(range(kept, kept + broken)) if rule else ())
    assert found.kept == kept


@given(st.lists(st.booleans(), max_size=200))
def test_the_minority_alone_is_named(keeps: list[bool]) -> None:
    found = exceptions(enumerate(keeps))
    assert all(not keeps[i] for i in found.broken)
    assert 2 * len(found.broken) <= len(keeps)


@given(st.text(), st.integers(0, 10**12), st.integers(0, 10**12))
def test_names_of_one_source_differ_in_numbers_alone(name: str, one: int, other: int) -> None:
    assert template(f"{name}x{one}y") == template(f"{name}x{other}y")
    assert template(f"{name}x{one}y") != template(f"{name}z{one}y")


@pytest.mark.parametrize(
    ("name", "number", "has"),
    [
        ("HSCA90333400", 903334, True),
        ("HSCA90333400", 3334, False),
        ("MC_O_20240102_000345", 345, True),
        ("MC_O_20240102_000345", 20240102, True),
        ("", 1, False),
        ("M1", 11, False),
    ],
)
def test_a_number_is_recognised_in_a_name(name: str, number: int, has: bool) -> None:
    assert _has(name, number) is has


@given(st.lists(st.integers(0, 30), max_size=30))
def test_what_is_left_is_in_order_and_as_many_as_can_be(values: list[int]) -> None:
    items = [(i, v) for i, v in enumerate(values)]
    out = {record for record, _ in _out_of_order(items)}
    left = [v for i, v in items if i not in out]
    assert all(a < b for a, b in itertools.pairwise(left))
    longest = [1] * len(values)
    for i, value in enumerate(values):
        longest[i] = 1 + max((longest[j] for j in range(i) if values[j] < value), default=0)
    assert len(left) == max(longest, default=0)
