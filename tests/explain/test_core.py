"""The smallest contradiction, and the parts of a query."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from harness.errors import HarnessError
from harness.explain.core import shrink
from harness.explain.question import conjuncts


@given(
    st.integers(1, 8).flatmap(
        lambda n: st.tuples(
            st.just(list(range(n))),
            st.lists(st.sets(st.integers(0, n - 1), min_size=1), min_size=1, max_size=4),
        )
    )
)
def test_a_core_fails_and_none_of_its_parts_does(case) -> None:
    items, contradictions = case

    def fails(some) -> bool:
        return any(c <= set(some) for c in contradictions)

    core = shrink(items, fails)
    assert fails(core)
    assert not any(fails([i for i in core if i != left_out]) for left_out in core)


TERMS = st.sampled_from(
    ["visit = 1", "band = 'r'", "detector IN (1, 2)", "(visit = 1 OR visit = 2)", "NOT (visit = 3)"]
)


@given(st.lists(TERMS, min_size=1, max_size=4), st.booleans())
def test_a_query_is_split_at_its_outer_ands_only(terms, nested) -> None:
    query = " AND ".join(terms)
    if nested:
        query = f"(({query}) AND exposure = 5)"
    found = list(conjuncts(query))
    assert len(found) == len(terms) + nested
    assert not any(t.startswith("(") for t in found)


def test_a_query_without_and_is_one_term() -> None:
    assert list(conjuncts("visit = 1 OR (visit = 2 AND detector = 3)")) == ["visit = 1 OR (visit = 2 AND detector = 3)"]
    assert list(conjuncts("  ")) == []


@pytest.mark.parametrize("query", ["visit =", "visit = $", "AND"])
def test_no_expression(query) -> None:
    with pytest.raises(HarnessError, match="is no expression"):
        list(conjuncts(query))
