"""The three real exposures from which the observatory's own test defines visits."""

from __future__ import annotations

import json

import pytest
from snapcam import KIT, NAME, insert, visits

from harness.bootstrap.visits import define_visits

TRUTH = {
    2022040500347: {2022040500347},
    2022040500348: {2022040500348, 2022040500349},
    2022040500349: {2022040500349},
    92022040500348: {2022040500348},
}


@pytest.fixture
def rows(real):
    from lsst.daf.butler import Timespan

    found = []
    for path in sorted((real / "define_visits").glob("*.json")):
        row = json.loads(path.read_text())["definition"] and json.loads(path.read_text())["record"]
        span = Timespan(None, None, _nsec=tuple(row["timespan"]))
        found.append(row | {"instrument": NAME, "physical_filter": "r1", "timespan": span})
    return found


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
@pytest.mark.parametrize("at_once", [True, False])
def test_the_truth(butler, rows, judge, order, at_once):
    assert len(rows) == 3
    for portion in [rows] if at_once else [[rows[i]] for i in order]:
        insert(butler, portion)
        define_visits(butler, KIT, update=not at_once)
    assert {n: exposures for n, (_, exposures, _) in visits(butler).items()} == TRUTH
    found = {n: (name, systems) for n, (name, _, systems) in visits(butler).items()}
    assert found[2022040500347] == ("AT_O_20220405_000347", {0, 2})
    assert found[92022040500348] == ("AT_O_20220405_000348_first", {0})
    assert not {k for k, r in judge("visits.", "geometry.", "time.visit-hull").items() if r.verdict != "pass"}


def test_by_group(butler, rows):
    insert(butler, rows)
    define_visits(butler, KIT, grouping="by-group-metadata")
    found = {n: exposures for n, (_, exposures, _) in visits(butler).items()}
    assert found[2291434871810000] == {2022040500348, 2022040500349}
    assert len(found) == 2
