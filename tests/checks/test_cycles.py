"""Cycles of chains, against the standard library's topological sort."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

from hypothesis import given
from hypothesis import strategies as st

from harness.checks.chains import find_cycles

graphs = st.dictionaries(st.integers(0, 7), st.lists(st.integers(0, 7), max_size=4), max_size=8)


def has_cycle(graph: dict[int, list[int]]) -> bool:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError:
        return True
    return False


@given(graphs)
def test_there_is_a_cycle_if_and_only_if_one_is_found(graph: dict[int, list[int]]) -> None:
    assert bool(find_cycles(graph)) == has_cycle(graph)


@given(graphs)
def test_each_cycle_is_a_walk_back_to_its_beginning(graph: dict[int, list[int]]) -> None:
    for cycle in find_cycles(graph):
        for here, there in zip(cycle, (*cycle[1:], cycle[0]), strict=True):
            assert there in graph[here]


def test_a_diamond_is_no_cycle() -> None:
    assert not find_cycles({"top": ["left", "right"], "left": ["bottom"], "right": ["bottom"]})


def test_a_deep_chain_does_not_exhaust_the_stack() -> None:
    deep = {i: [i + 1] for i in range(5_000)}
    assert not find_cycles(deep)
    assert len(find_cycles(deep | {5_000: [0]})) == 1
