"""Groups and their integers."""

from __future__ import annotations

import datetime

import pytest
from harness_lsst.translators.groups import group_number
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.errors import HarnessError

TIMES = st.datetimes(datetime.datetime(2018, 1, 1), datetime.datetime(2050, 12, 31)).map(
    lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000)
)
MARKS = st.sampled_from("#+")
WORDS = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=64)


def name(time: datetime.datetime) -> str:
    return time.isoformat(timespec="milliseconds")


@pytest.mark.parametrize(
    ("group", "number"),
    [
        ("3018092000065", 3018092000065),
        ("2021-02-12T12:36:29.197", 1930629891970000),
        ("2024-06-25T01:26:31.895#1", 2992083918950001),
        ("2024-06-25T01:26:31.895+1", 2992083918950001),
        ("bias_0027_0100", 3575576933793566714),
        ("test", 4702443654717948604),
    ],
)
def test_numbers_of_real_groups(group, number):
    assert group_number(group) == number


@given(st.integers(0, 10**13))
def test_an_integer_stands_for_itself(number):
    assert group_number(str(number)) == number


@given(TIMES, TIMES, st.integers(0, 9999), st.integers(0, 9999), MARKS)
def test_times_keep_their_order_and_never_collide(one, two, first, second, mark):
    left, right = group_number(f"{name(one)}{mark}{first}"), group_number(f"{name(two)}{mark}{second}")
    assert (left < right) == ((one, first) < (two, second))
    assert (left == right) == ((one, first) == (two, second))


@given(TIMES)
def test_a_time_alone_is_its_group_zero(time):
    assert group_number(name(time)) == group_number(f"{name(time)}#0")


@given(WORDS)
def test_words_end_with_their_length_and_fit_a_signed_integer_of_64_bits(word):
    try:
        int(word)
    except ValueError:
        pass
    else:
        assume(False)
    number = group_number(word)
    assert number % 100 == len(word)
    assert 0 <= number < 2**63
    assert number == group_number(word)


@pytest.mark.parametrize("group", ["2024-13-25T01:26:31.895", "2024-06-25T25:26:31.895#1", "größe"])
def test_what_is_no_group_is_named(group):
    with pytest.raises(HarnessError, match="GROUPID is"):
        group_number(group)
