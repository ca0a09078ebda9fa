from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsst.daf.butler import Butler
from minirepo import DETECTORS, EXPOSURES, NAME

from harness.errors import HarnessError
from harness.transfer.capture import capture
from harness.transfer.closure import Relations, closure, reach, records_of, relations
from harness.transfer.selection import prerequisites, select
from harness.transfer.state import Key, RepositoryState

JOINED = ("visit_definition", "visit_system_membership")


@pytest.fixture(scope="module")
def state(pristine: Path) -> RepositoryState:
    with Butler.from_config(str(pristine)) as butler:
        return capture(butler, hashes=False)


@pytest.fixture(scope="module")
def known() -> Relations:
    from lsst.daf.butler import DimensionUniverse

    return relations(DimensionUniverse())


@pytest.fixture(scope="module")
def oracle(pristine: Path) -> dict[str, set[Key]]:
    """What each dataset needs, by the middleware's own expansion of data IDs and by queries for what joins visits."""
    out: dict[str, set[Key]] = {}
    with Butler.from_config(str(pristine)) as butler:
        joined = {e: butler.query_dimension_records(e, explain=False) for e in JOINED}

        def expand(data_id: Any) -> set[Key]:
            full = butler.registry.expandDataId(data_id)
            records = (full.records[e] for e in full.dimensions.elements)
            return {
                (r.definition.name, *r.dataId.required_values)
                for r in records
                if r is not None and r.definition.has_own_table
            }

        for ref in butler.query_all_datasets("*", find_first=False):
            needed = expand(ref.dataId)
            for element, records in joined.items():
                for record in records:
                    if ref.dataId.get("visit") == record.visit:
                        needed |= {(element, *record.dataId.required_values)} | expand(record.dataId)
            out[str(ref.id)] = needed
    return out


def subsets() -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, 18), unique=True, max_size=8)


def chosen(state: RepositoryState, numbers: list[int]) -> list[str]:
    ids = sorted(i for (i,) in state["dataset"])
    return [ids[n] for n in numbers]


@given(numbers=subsets())
@settings(deadline=None)
def test_it_is_what_the_middleware_says(
    numbers: list[int], state: RepositoryState, known: Relations, oracle: dict[str, set[Key]]
) -> None:
    """Closed, as all that is needed is there, and minimal, as nothing else is."""
    ids = chosen(state, numbers)
    assert records_of(state, ids, known) == set().union(*(oracle[i] for i in ids))


@given(numbers=subsets())
@settings(deadline=None)
def test_it_is_closed(numbers: list[int], state: RepositoryState, known: Relations) -> None:
    part = closure(state, chosen(state, numbers), known)
    for key, row in part["record"].items():
        values = dict(zip(known.required[key[0]], key[1:], strict=True))
        fields = state.elements[key[0]]
        values |= {n: row[fields.index(n)] for n in known.implied[key[0]]}
        for element, names in known.required.items():
            if set(names) <= set(values) and element in values:
                assert (element, *(values[n] for n in names)) in part["record"]
    for type_, _, run in part["dataset"].values():
        assert (type_,) in part["dataset-type"]
        assert (run,) in part["collection"]


@given(numbers=subsets())
@settings(deadline=None)
def test_it_is_idempotent(numbers: list[int], state: RepositoryState, known: Relations) -> None:
    ids = chosen(state, numbers)
    part = closure(state, ids, known)
    assert closure(part, ids, known) == part


@given(few=subsets(), more=subsets())
@settings(deadline=None)
def test_it_is_monotone(few: list[int], more: list[int], state: RepositoryState, known: Relations) -> None:
    small, large = (closure(state, chosen(state, n), known) for n in (few, sorted({*few, *more})))
    for kind, table in small.tables.items():
        assert table.items() <= large[kind].items()
    within = reach(state, chosen(state, few), known)
    assert small["record"].items() <= within.items()
    assert within.items() <= state["record"].items()


def test_regions_of_other_detectors_are_within_reach_only(state: RepositoryState, known: Relations) -> None:
    (id_,) = (i for (i,), row in state["dataset"].items() if row[:2] == ("src", (NAME, 0, 101)))
    regions = {k for k in records_of(state, [id_], known) if k[0] == "visit_detector_region"}
    assert regions == {("visit_detector_region", NAME, 0, 101)}
    assert {k for k in reach(state, [id_], known) if k[0] == "visit_detector_region"} == {
        ("visit_detector_region", NAME, d, 101) for d in DETECTORS
    }


def test_calibrations_of_that_time_are_needed(state: RepositoryState, known: Relations) -> None:
    """The first two exposures are of the first epoch, the third begins with the second."""

    def levels(exposure: int, detector: int) -> set[tuple[Any, ...]]:
        ids = [i for (i,), row in state["dataset"].items() if row[:2] == ("raw", (NAME, detector, exposure))]
        return {state["dataset"][i,][1:] for i in prerequisites(state, ids, [f"{NAME}/calib"], known)}

    assert levels(EXPOSURES[0], 0) == {((NAME, 0), f"{NAME}/calib/a")}
    assert levels(EXPOSURES[2], 1) == {((NAME, 1), f"{NAME}/calib/b")}


def test_a_selection_by_query(pristine: Path, state: RepositoryState, known: Relations) -> None:
    with Butler.from_config(str(pristine)) as butler:
        found = select(butler, state, known, where=f"instrument='{NAME}' AND visit=101", types=["src"])
        assert {state["dataset"][i,][1] for i in found.chosen} == {(NAME, d, 101) for d in DETECTORS}
        assert {state["dataset"][i,][0] for i in found.ids} == {"src", "bias"}
        assert len(found.ids) == 4
        chain = select(butler, state, known, collections=[f"{NAME}/defaults"])
        assert chain.collections == (f"{NAME}/defaults", f"{NAME}/raw/all", f"{NAME}/calib")
        assert {state["dataset"][i,][0] for i in chain.chosen} == {"raw"}
        assert select(butler, state, known).whole


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"where": "instrument='Mini' AND visit=7"}, "nothing-selected"),
        ({"where": "visit ="}, "bad-query"),
        ({"where": "telescope='x'"}, "bad-query"),
        ({"collections": ["Mini/defauls"]}, "unknown-collection"),
        ({"types": ["rav"]}, "unknown-dataset type"),
    ],
)
def test_a_query_that_is_wrong_is_one_line(
    query: dict[str, Any], code: str, pristine: Path, state: RepositoryState, known: Relations
) -> None:
    with Butler.from_config(str(pristine)) as butler, pytest.raises(HarnessError) as caught:
        select(butler, state, known, **query)
    assert caught.value.code == code
    assert "\n" not in str(caught.value)
