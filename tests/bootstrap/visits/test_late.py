"""Exposures that come one by one, late, changed or not at all."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from snapcam import DAY, KIT, NAME, change, exposure, insert, make, state, visits

from harness.bootstrap.visits import define_visits
from harness.errors import HarnessError
from harness.repository import open_repository
from harness.stages.fork import fork_repository

BASE = DAY * 100_000
FIRST, SECOND, THIRD = BASE + 348, BASE + 349, BASE + 350
NINE = int(f"9{FIRST}")


def two():
    return exposure(348, 348, 349), exposure(349, 348, 349)


def members(butler):
    return {n: (sorted(e), sorted(s)) for n, (_, e, s) in visits(butler).items()}


def test_the_second_snap_comes_first(butler, judge):
    one, other = two()
    insert(butler, [other])
    report = define_visits(butler, KIT)
    assert members(butler) == {SECOND: ([SECOND], [0])}
    assert report.waiting == {SECOND: "in no visit of by-seq-start-end before the first exposure of its run is there"}
    assert judge("visits.exposures-covered")["visits.exposures-covered"].verdict == "pass"
    insert(butler, [one])
    report = define_visits(butler, KIT)
    assert sorted(report.defined) == [FIRST, NINE], "nothing that was there had to change"
    assert report.unchanged == [SECOND]
    assert members(butler) == {SECOND: ([SECOND], [0]), FIRST: ([FIRST, SECOND], [2]), NINE: ([FIRST], [0])}


def test_the_first_snap_comes_first(butler, judge):
    """Alone it has a visit of its own id already, which the second one joins; so nothing has to be taken back."""
    one, other = two()
    insert(butler, [one])
    define_visits(butler, KIT)
    assert members(butler) == {FIRST: ([FIRST], [2]), NINE: ([FIRST], [0])}
    assert {k for k, r in judge().items() if r.verdict != "pass"} == set()
    insert(butler, [other])
    before = state(butler)
    words = f"visit {FIRST} of SnapCam is defined with exposure {FIRST} and without {SECOND}, which came later"
    with pytest.raises(HarnessError, match=words) as error:
        define_visits(butler, KIT)
    assert error.value.remedy == "define visits with update=True (--update) to change it"
    assert state(butler) == before, "the one-to-one visit of the second snap is not left behind either"
    report = define_visits(butler, KIT, update=True)
    assert (report.updated, report.defined, report.unchanged) == ([FIRST], [SECOND], [NINE])
    assert members(butler) == {SECOND: ([SECOND], [0]), FIRST: ([FIRST, SECOND], [2]), NINE: ([FIRST], [0])}
    assert {k for k, r in judge().items() if r.verdict != "pass"} == set()


def test_without_the_middle_of_a_run(butler, judge):
    rows = [exposure(n, 348, 350) for n in (348, 349, 350)]
    insert(butler, [rows[0], rows[2]])
    define_visits(butler, KIT)
    assert members(butler)[FIRST] == ([FIRST, THIRD], [2])
    assert judge("visits.exposures-covered")["visits.exposures-covered"].verdict == "pass"
    insert(butler, [rows[1]])
    define_visits(butler, KIT, update=True)
    assert members(butler)[FIRST] == ([FIRST, SECOND, THIRD], [2])


def test_a_first_snap_that_cannot_see_the_sky_is_as_a_missing_one(butler, judge):
    insert(butler, [exposure(348, 348, 349, can_see_sky=False), exposure(349, 348, 349)])
    report = define_visits(butler, KIT)
    assert list(report.skipped) == [FIRST]
    assert list(report.waiting) == [SECOND]
    assert members(butler) == {SECOND: ([SECOND], [0])}
    assert judge("visits.exposures-covered")["visits.exposures-covered"].verdict == "pass"


def test_a_part_of_a_run_brings_the_rest(butler):
    """Whatever is asked for, visits are whole; and other visits are left alone."""
    insert(butler, [exposure(347), *two(), exposure(360, 360, 361)])
    report = define_visits(butler, KIT, exposures=[SECOND])
    assert report.joined == [FIRST]
    assert sorted(members(butler)) == [FIRST, SECOND, NINE]
    assert define_visits(butler, KIT, exposures=[FIRST]).defined == []
    report = define_visits(butler, KIT, where="exposure.seq_num < :n", bind={"n": 348})
    assert (report.defined, report.joined) == ([BASE + 347], [])
    report = define_visits(butler, KIT, where="exposure.seq_num > 400")
    assert str(report) == "visits of SnapCam (one-to-one-and-by-counter): nothing to do"


def test_a_group_is_found_whole_whatever_its_days(butler):
    insert(butler, [exposure(900, group="night"), exposure(1, group="night", day_obs=DAY + 1), exposure(5)])
    report = define_visits(butler, KIT, exposures=[BASE + 900], grouping="by-group-metadata")
    assert report.joined == [(DAY + 1) * 100_000 + 1]
    assert len(report.defined) == 1


def test_exposures_with_raws_in_a_collection(butler):
    from lsst.daf.butler import DatasetType

    insert(butler, [exposure(1), exposure(2)])
    raw = DatasetType("raw", {"instrument", "exposure", "detector"}, "StructuredDataDict", universe=butler.dimensions)
    butler.registry.registerDatasetType(raw)
    butler.collections.register("SnapCam/raw/all")
    for detector in (0, 1):
        butler.put({}, raw, instrument=NAME, exposure=BASE + 2, detector=detector, run="SnapCam/raw/all")
    butler.collections.register("SnapCam/raw/none")
    assert define_visits(butler, KIT, collections="SnapCam/raw/n*").defined == []
    assert define_visits(butler, KIT, collections=["SnapCam/raw/*"]).defined == [BASE + 2]
    assert define_visits(butler, KIT, collections="SnapCam/raw/all", exposures=[BASE + 1]).defined == []


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"where": "exposure >"}, r"cannot be chosen by 'exposure >': "),
        ({"where": "banana = 3"}, r"cannot be chosen by 'banana = 3': Unrecognized identifier 'banana'"),
        ({"collections": "nowhere"}, r"cannot be chosen by nowhere: No collection with name 'nowhere'"),
        ({"collections": "there"}, r"cannot be chosen by there: .*raw.* does not exist"),
        (
            {"exposures": [FIRST, 77]},
            r"1 of 2 exposures of SnapCam are not in the repository: 77 \(ingest them first\)",
        ),
    ],
)
def test_what_cannot_be_asked_for(butler, asked, says):
    insert(butler, two())
    butler.collections.register("there")
    with pytest.raises(HarnessError, match=says):
        define_visits(butler, KIT, **asked)
    assert not visits(butler)


def test_what_the_middleware_cannot_take_back_is_refused(butler):
    """Each with what is there; with update too, and nothing is changed."""
    insert(butler, two())
    define_visits(butler, KIT)
    change(butler, SECOND, seq_start=349, seq_end=349)
    before = state(butler)
    words = (
        rf"visit {FIRST} of SnapCam is defined with exposure {SECOND}, which is not in it, and an exposure cannot be"
        r" taken out of a visit \(the middleware cannot remove records of visits: start from a new repository\)"
    )
    for update in (False, True):
        with pytest.raises(HarnessError, match=words):
            define_visits(butler, KIT, update=update)
    change(butler, SECOND, seq_start=348, seq_end=349)
    change(butler, FIRST, seq_start=348, seq_end=348)
    with pytest.raises(HarnessError, match=f"visit {FIRST} of SnapCam is defined with exposure {SECOND}"):
        define_visits(butler, KIT, update=True)
    assert state(butler) == before


def test_another_way_to_group_is_refused_where_visits_would_have_to_go(butler):
    insert(butler, two())
    define_visits(butler, KIT, grouping="one-to-one")
    before = state(butler)
    words = (
        rf"visit {FIRST} of SnapCam is defined in visit system 0 \(one-to-one\), into which one-to-one-and-by-counter"
        r" does not put it, and a visit cannot be taken out of a system"
    )
    with pytest.raises(HarnessError, match=words):
        define_visits(butler, KIT, update=True)
    assert state(butler) == before


def test_a_visit_of_before_is_in_the_way(butler):
    """The run of a snap that was alone was corrected: its own visit stays, and would be a second one of its system."""
    insert(butler, [exposure(348), exposure(349)])
    define_visits(butler, KIT)
    for number in (FIRST, SECOND):
        change(butler, number, seq_start=348, seq_end=349)
    with pytest.raises(HarnessError, match=rf"visit {SECOND} of SnapCam is defined in visit system 2"):
        define_visits(butler, KIT, update=True)
    change(butler, FIRST, can_see_sky=False)
    with pytest.raises(HarnessError, match=rf"visit {SECOND} of SnapCam is defined in visit system 2"):
        define_visits(butler, KIT, update=True)


def test_an_exposure_in_a_visit_of_another_id_is_refused(butler):
    insert(butler, [exposure(1), exposure(2, group="7")])
    define_visits(butler, KIT, grouping="by-group-metadata")
    insert(butler, [exposure(3, group="8")])
    change(butler, BASE + 2, group="8")
    words = rf"exposure {BASE + 2} of SnapCam is in visit 7 of visit system 1 \(by-group-metadata\), where it does not"
    with pytest.raises(HarnessError, match=words):
        define_visits(butler, KIT, grouping="by-group-metadata", exposures=[BASE + 3], update=True)


def test_an_exposure_that_turns_out_to_be_dark(butler):
    """It blocks nothing, and the report says that its visit stays."""
    insert(butler, [exposure(1), exposure(2)])
    define_visits(butler, KIT)
    change(butler, BASE + 1, can_see_sky=False)
    report = define_visits(butler, KIT)
    why = f"cannot see the sky; is in visit {BASE + 1}, out of which it cannot be taken"
    assert report.skipped == {BASE + 1: why}
    assert report.unchanged == [BASE + 2]


def test_interrupted_in_the_middle(butler, monkeypatch):
    insert(butler, two())
    define_visits(butler, KIT, exposures=[FIRST], grouping="one-to-one-and-by-counter")
    insert(butler, [exposure(n) for n in range(400, 404)])
    change(butler, SECOND, tracking_dec=-44.9)
    before = state(butler)
    real = type(butler.registry).insertDimensionData

    def failing(self, element, *rows, **kwargs):
        if element == "visit_detector_region":
            raise KeyboardInterrupt
        return real(self, element, *rows, **kwargs)

    monkeypatch.setattr(type(butler.registry), "insertDimensionData", failing)
    with pytest.raises(KeyboardInterrupt):
        define_visits(butler, KIT, update=True)
    assert state(butler) == before


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    return make(tmp_path_factory.mktemp("late") / "repo")


runs = st.lists(
    st.integers(1, 3).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.booleans(), min_size=n, max_size=n))),
    min_size=1,
    max_size=3,
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(runs=runs, data=st.data(), grouping=st.sampled_from(["one-to-one-and-by-counter", "by-group-metadata"]))
def test_the_order_of_arrival_does_not_matter(empty, tmp_path_factory, runs, data, grouping):
    """In whatever order and portions exposures are ingested and defined, in the end there is the same."""
    rows, seq = [], 1
    for n, seen in runs:
        rows += [exposure(seq + i, seq, seq + n - 1, can_see_sky=sky) for i, sky in enumerate(seen)]
        seq += n
    order = data.draw(st.permutations(rows))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(rows)), max_size=3)) | {0, len(rows)})
    folder = tmp_path_factory.mktemp("order")
    kit = dataclasses.replace(KIT, visit_grouping=grouping)
    found = []
    for name, portions in (("once", [rows]), ("late", [order[a:b] for a, b in itertools.pairwise(cuts)])):
        fork_repository(empty, folder / name)
        with open_repository(folder / name, writeable=True) as butler:
            for portion in portions:
                ids = insert(butler, portion)
                define_visits(butler, kit, exposures=ids, update=True)
            report = define_visits(butler, kit)
            assert sum(report.inserted.values()) == 0
            found.append(state(butler))
    assert found[0] == found[1]
