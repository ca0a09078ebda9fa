"""Visits of each system in a real repository, down to every record."""

from __future__ import annotations

import dataclasses
import json

import pytest
from snapcam import DAY, KIT, MIDNIGHT, NAME, change, exposure, insert, state, visits

from harness.bootstrap.visits import define_visits
from harness.errors import HarnessError
from harness.verdicts import Verdict

FIRST, SECOND, SINGLE = (DAY * 100_000 + n for n in (348, 349, 347))


def night():
    """One exposure by itself, two snaps of one visit, and a dark between them in the same run."""
    return [exposure(347), exposure(348, 348, 349), exposure(349, 348, 349), exposure(350, can_see_sky=False)]


def names(*numbers):
    return {n: f"SC_O_{DAY}_{n % 100_000:06d}" for n in numbers}


def test_one_to_one_and_by_counter_is_what_system_2_asks_for(butler, judge):
    insert(butler, night())
    report = define_visits(butler, KIT)
    name = names(SINGLE, FIRST, SECOND)
    assert visits(butler) == {
        SINGLE: (name[SINGLE], {SINGLE}, {0, 2}),
        FIRST: (name[FIRST], {FIRST, SECOND}, {2}),
        SECOND: (name[SECOND], {SECOND}, {0}),
        int(f"9{FIRST}"): (f"{name[FIRST]}_first", {FIRST}, {0}),
    }
    assert [(r.id, r.name) for r in sorted(butler.query_dimension_records("visit_system"), key=lambda r: r.id)] == [
        (0, "one-to-one"),
        (2, "by-seq-start-end"),
    ]
    assert report.inserted == {
        "visit": 4,
        "visit_definition": 5,
        "visit_system_membership": 5,
        "visit_detector_region": 8,
    }
    assert (report.beyond, report.waiting, list(report.skipped)) == ([], {}, [DAY * 100_000 + 350])
    assert json.loads(json.dumps(report.facts())) == report.facts()
    assert str(report) == f"visits of {NAME} (one-to-one-and-by-counter): 4 defined, 1 exposures left out"
    bad = {k: [f.message for f in r.findings] for k, r in judge().items() if r.verdict is not Verdict.PASS}
    assert not bad

    before = state(butler)
    again = define_visits(butler, KIT)
    assert (len(again.unchanged), sum(again.inserted.values())) == (4, 0)
    assert state(butler) == before


def test_the_record_of_a_visit_of_two_snaps(butler):
    insert(butler, [exposure(348, 348, 349), exposure(349, 348, 349, observation_reason="other")])
    define_visits(butler, KIT)
    (visit,) = butler.query_dimension_records("visit", instrument=NAME, visit=FIRST)
    assert (visit.exposure_time, visit.seq_num, visit.day_obs) == (60.0, 348, DAY)
    assert (visit.target_name, visit.observation_reason, visit.science_program) == ("field 348", "various", "test")
    assert visit.zenith_angle == 30.5
    assert visit.azimuth == pytest.approx(0.25), "the mean of 359.5 and 1 degrees"
    begin, end = visit.timespan.begin, visit.timespan.end
    assert (begin - MIDNIGHT).sec == pytest.approx(348 * 40, abs=1e-6)
    assert (end - MIDNIGHT).sec == pytest.approx(349 * 40 + 32, abs=1e-6)


@pytest.mark.parametrize(
    ("grouping", "wanted"),
    [
        ("one-to-one", {(SINGLE, 0), (FIRST, 0), (SECOND, 0)}),
        ("by-seq-start-end", {(SINGLE, 2), (FIRST, 2)}),
        # 229132800 s from 2015 to 2022-04-06, 40 s for each number
        ("by-group-metadata", {(2291466800000000, 1), (2291467200000000, 1)}),
    ],
)
def test_other_groupings_by_argument_and_by_kit(butler, judge, grouping, wanted):
    insert(butler, night())
    kit = dataclasses.replace(KIT, visit_grouping=grouping)
    report = define_visits(butler, KIT, grouping=grouping)
    assert report.grouping == grouping
    found = visits(butler)
    assert {(n, s) for n, (_, _, systems) in found.items() for s in systems} == wanted
    assert define_visits(butler, kit).unchanged == report.defined
    bad = {k for k, r in judge("visits.", "geometry.", "time.visit-hull", kit=kit).items() if r.verdict != "pass"}
    assert not bad
    by_group = grouping == "by-group-metadata"
    assert report.beyond == (sorted(found) if by_group else [])
    limit = judge("identifiers.visit-max")["identifiers.visit-max"]
    assert limit.verdict == ("fail" if by_group else "pass")


@pytest.mark.parametrize(("number", "grouping"), [(0, "one-to-one"), (1, "by-group-metadata"), (2, None), (5, None)])
def test_the_record_of_the_instrument_decides(butler, number, grouping):
    (record,) = butler.query_dimension_records("instrument", instrument=NAME)
    butler.registry.syncDimensionData("instrument", record.toDict() | {"visit_system": number}, update=True)
    insert(butler, night())
    if number == 5:
        with pytest.raises(HarnessError, match="SnapCam is registered with visit system 5"):
            define_visits(butler, KIT)
        assert len(define_visits(butler, KIT, grouping="one-to-one").defined) == 3
    else:
        assert define_visits(butler, KIT).grouping == (grouping or "one-to-one-and-by-counter")


def test_all_systems_in_one_repository(butler, judge):
    insert(butler, night())
    for grouping in ("by-group-metadata", "by-seq-start-end", "one-to-one-and-by-counter"):
        define_visits(butler, KIT, grouping=grouping)
    assert len(visits(butler)) == 6
    bad = {k: r.findings for k, r in judge("visits.", "geometry.", "time.visit-hull").items() if r.verdict != "pass"}
    assert not bad


def test_a_group_over_the_end_of_a_day(butler, judge):
    last = exposure(900, group="night")
    early = exposure(1, group="night", day_obs=DAY + 1)
    insert(butler, [early, last])
    define_visits(butler, KIT, grouping="by-group-metadata")
    (visit,) = butler.query_dimension_records("visit", instrument=NAME)
    assert (visit.name, visit.day_obs, visit.seq_num) == ("night", DAY, 1)
    kit = dataclasses.replace(KIT, visit_grouping="by-group-metadata")
    assert judge("identifiers.day-obs", kit=kit)["identifiers.day-obs"].verdict == "pass"


def test_different_filters_in_one_visit(butler):
    insert(butler, [exposure(347), exposure(348, 348, 349), exposure(349, 348, 349, physical_filter="g1")])
    words = f"exposures of visit {FIRST} have different filters: {FIRST} r1, {SECOND} g1"
    with pytest.raises(HarnessError, match=words) as error:
        define_visits(butler, KIT)
    assert error.value.code == "visit-filters"
    assert not any(state(butler).values()), "nothing is left behind"
    assert len(define_visits(butler, KIT, grouping="one-to-one").defined) == 3


def test_two_snaps_of_one_number(butler):
    """As from two controllers that number independently."""
    rows = [exposure(348, 348, 349), exposure(349, 348, 349), exposure(349, 348, 349, id=77, obs_id="SC_P")]
    insert(butler, rows)
    with pytest.raises(
        HarnessError, match=rf"exposures 77 and {SECOND} have the same sequence number 349 of day {DAY}"
    ):
        define_visits(butler, KIT)


def test_a_visit_system_of_another_meaning(butler):
    insert(butler, night())
    butler.registry.insertDimensionData("visit_system", {"instrument": NAME, "id": 2, "name": "by-night"})
    with pytest.raises(HarnessError, match="visit system 2 of SnapCam is not called by-seq-start-end"):
        define_visits(butler, KIT)
    assert not visits(butler)


def test_a_name_that_another_visit_has(butler):
    """The database would refuse it too, but not say which."""
    insert(butler, [exposure(1), exposure(2, group=f"SC_O_{DAY}_000001")])
    define_visits(butler, KIT, exposures=[DAY * 100_000 + 1])
    with pytest.raises(
        HarnessError, match=rf"would have the name SC_O_{DAY}_000001, which visit {DAY * 100_000 + 1} has"
    ):
        define_visits(butler, KIT, exposures=[DAY * 100_000 + 2], grouping="by-group-metadata")


def test_a_moved_exposure_changes_its_regions_and_their_overlaps(butler, judge):
    """Before: the overlaps of the old place. After: those of the new one and no others."""
    insert(butler, night())
    define_visits(butler, KIT)
    change(butler, SECOND, tracking_dec=-44.0)
    assert judge("geometry.detector-regions")["geometry.detector-regions"].verdict == "fail"
    with pytest.raises(HarnessError, match="is defined with other values: region is another one"):
        define_visits(butler, KIT)
    report = define_visits(butler, KIT, update=True)
    assert sorted(report.updated) == [FIRST, SECOND]
    assert len(report.unchanged) == 2
    assert report.inserted["visit_detector_region"] == 4
    results = judge("geometry.")
    assert {k: r.verdict for k, r in results.items()} == dict.fromkeys(results, Verdict.PASS)
    assert results["geometry.overlap-tables"].examined == 12
    assert len(define_visits(butler, KIT).unchanged) == 4


def test_a_misspelt_grouping(butler):
    insert(butler, night())
    with pytest.raises(HarnessError, match=r"unknown visit grouping 'by-seq-start' \(did you mean 'by-seq-start-end'"):
        define_visits(butler, KIT, grouping="by-seq-start")


def test_a_limit_that_is_too_small(butler, judge):
    """The visit of a first snap counts as its exposure, not as the longer number."""
    insert(butler, night())
    (record,) = butler.query_dimension_records("instrument", instrument=NAME)
    for limit, beyond in ((FIRST, [SECOND]), (FIRST - 1, [FIRST, SECOND, int(f"9{FIRST}")])):
        butler.registry.syncDimensionData("instrument", record.toDict() | {"visit_max": limit}, update=True)
        assert sorted(define_visits(butler, KIT).beyond) == beyond
        result = judge("identifiers.visit-max")["identifiers.visit-max"]
        assert sorted(f.data_id["visit"] for f in result.findings) == beyond
