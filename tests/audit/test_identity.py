from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from harness.audit.identity import identify
from harness.verdicts import Finding

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="{}"), min_size=1, max_size=8)
DATA_IDS = st.dictionaries(st.sampled_from(["instrument", "exposure", "detector", "band"]), st.integers() | NAMES)
FINDINGS = st.builds(
    Finding, message=NAMES, data_id=DATA_IDS, where=NAMES, seen=NAMES, expected=NAMES, look=NAMES, remedy=NAMES
)


@given(FINDINGS, st.randoms())
def test_independent_of_the_order_of_the_data_id_and_of_the_remedy(finding: Finding, random) -> None:
    items = list(finding.data_id.items())
    random.shuffle(items)
    again = dataclasses.replace(finding, data_id=dict(items), remedy="another")
    assert identify("a.b", again) == identify("a.b", finding)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.floats(0.1, 9), st.floats(0.1, 9))
def test_counts_and_values_are_content(few: int, many: int, low: float, high: float) -> None:
    def finding(count: int, value: float) -> Finding:
        seen = f"{value:.3f} s"
        return Finding(f"{count} of 112 detectors are {seen} late", where="visit", seen=seen, data_id={"visit": 7})

    one, other = identify("a.b", finding(few, low)), identify("a.b", finding(many, high))
    assert one.id == other.id
    assert (one.content == other.content) == (few == many and f"{low:.3f}" == f"{high:.3f}")


@given(FINDINGS, FINDINGS)
def test_different_things_have_different_ids(one: Finding, other: Finding) -> None:
    same = {k: str(v) for k, v in one.data_id.items()} == {k: str(v) for k, v in other.data_id.items()} and (
        one.where,
        one.look,
    ) == (other.where, other.look)
    if not same:
        assert identify("a.b", one).id != identify("a.b", other).id
    assert identify("a.b", one).id != identify("a.c", one).id


def test_two_faults_of_one_thing_are_two() -> None:
    one = Finding("the filter is wrong", data_id={"exposure": 1}, where="exposure")
    assert identify("a.b", one).id != identify("a.b", dataclasses.replace(one, message="the band is wrong")).id


def test_numbers_tell_things_apart_where_nothing_else_does() -> None:
    assert identify("a.b", Finding("visit 1 is lost")).id != identify("a.b", Finding("visit 2 is lost")).id


@given(NAMES)
def test_where_the_repository_lies_is_no_part_of_it(name: str) -> None:
    def finding(folder: str) -> Finding:
        return Finding(f"{folder}/x is gone", where=f"{folder}/x", seen=f"no {folder}/x", look=f"ls {folder}/x")

    assert identify("a.b", finding("/data/one"), "/data/one/") == identify("a.b", finding("/old"), "/old")
    assert identify("a.b", Finding(name + "\udcff")).id
