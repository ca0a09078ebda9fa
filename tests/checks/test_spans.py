"""Overlaps and gaps of time spans, against brute force."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from harness.checks.calibrations import gaps
from harness.checks.times import Span, overlapping

# A small range of instants makes touching, nested and equal spans common.
bounds = st.tuples(st.integers(0, 12), st.integers(0, 12))
spans = st.lists(bounds, max_size=9).map(lambda pairs: [Span(b, e, i) for i, (b, e) in enumerate(pairs)])


def instants(span: Span) -> set[int]:
    return set(range(span.begin, span.end))


@given(spans)
def test_overlapping_finds_every_pair_with_a_common_instant_once(items: list[Span]) -> None:
    expected = {frozenset((a.key, b.key)) for a, b in combinations(items, 2) if instants(a) & instants(b)}
    found = [frozenset((a.key, b.key)) for a, b in overlapping(items)]
    assert set(found) == expected
    assert len(found) == len(expected)


@given(spans)
def test_overlapping_gives_the_earlier_first(items: list[Span]) -> None:
    assert all(a.begin <= b.begin for a, b in overlapping(items))


def test_spans_that_touch_do_not_overlap() -> None:
    assert not list(overlapping([Span(0, 5, "a"), Span(5, 9, "b")]))


@given(spans)
def test_gaps_are_what_no_span_covers(items: list[Span]) -> None:
    covered = set().union(*map(instants, items))
    uncovered = set(range(min(covered, default=0), max(covered, default=-1) + 1)) - covered
    found = {t for before, after in gaps(items) for t in range(before.end, after.begin)}
    assert found == uncovered


@given(spans)
def test_gaps_lie_between_the_spans_that_are_named(items: list[Span]) -> None:
    for before, after in gaps(items):
        assert before in items
        assert after in items
        assert before.end < after.begin


def test_a_long_span_hides_the_gap_between_short_ones() -> None:
    assert not list(gaps([Span(0, 100, "long"), Span(1, 2, "a"), Span(50, 51, "b"), Span(100, 101, "c")]))
