from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.instrument.kit import Capability
from harness.stage import SHARED, Stage
from harness.stages.builtin import STAGES
from harness.stages.graph import StageGraph, parents

EVERYTHING = frozenset(Capability) | {SHARED}


def test_order_has_what_each_needs_before_it() -> None:
    seen: set[str] = set()
    for item in StageGraph(reversed(STAGES), EVERYTHING).stages.values():
        assert set(parents(item)) <= seen
        seen.add(item.name)
    assert seen == {s.name for s in STAGES}


def test_unknown_parent_is_named_with_the_nearest(stage) -> None:
    with pytest.raises(HarnessError, match=r"'two' needs 'oen'.*did you mean 'one'"):
        StageGraph([stage("one"), stage("two", extends="oen")], EVERYTHING)


def test_cycle_is_named(stage) -> None:
    with pytest.raises(HarnessError, match=r"cycle: .*(a → b|b → a)"):
        StageGraph([stage("a", extends="b"), stage("b", needs=("a",))], EVERYTHING)


def test_what_does_not_apply_leaves_the_repository_as_it_was(stage) -> None:
    graph = StageGraph(
        [
            stage("create"),
            stage("calibs", extends="create", capabilities=frozenset({"calibrations"})),
            stage("visits", extends="calibs", capabilities=frozenset({"visits"})),
            stage("ingest", extends="visits"),
            stage("report", needs=("calibs",)),
        ],
        frozenset({"images"}),
    )
    assert graph.stages["ingest"].extends == "create"
    assert graph.skipped == {
        "calibs": "needs capability calibrations",
        "visits": "needs capability visits",
        "report": "needs stage calibs",
    }
    with pytest.raises(HarnessError, match="'visits' does not apply: needs capability visits"):
        graph.until("visits")


def test_until_takes_only_what_comes_before() -> None:
    graph = StageGraph(STAGES, EVERYTHING)
    assert [s.name for s in graph.until("register")] == ["create", "register"]
    names = [s.name for s in graph.until("ingest")]
    assert "simulate" in names
    assert "visits" not in names
    with pytest.raises(HarnessError, match="did you mean 'ingest'"):
        graph.until("injest")


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20))
def test_ancestors_are_the_transitive_closure(pairs: list[tuple[int, int]]) -> None:
    edges = {(max(a, b), min(a, b)) for a, b in pairs if a != b}  # from later to earlier: no cycle
    stages = [
        Stage(str(i), "", lambda _: {}, needs=tuple(str(b) for a, b in sorted(edges) if a == i)) for i in range(10)
    ]
    graph = StageGraph(stages, frozenset())
    reach = {i: {b for a, b in edges if a == i} for i in range(10)}
    for _ in range(10):
        reach = {i: direct.union(*(reach[j] for j in direct)) for i, direct in reach.items()}
    assert {i: graph.ancestors(str(i)) for i in range(10)} == {i: {str(j) for j in js} for i, js in reach.items()}
