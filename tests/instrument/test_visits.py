"""How exposures are grouped into visits, for any exposures."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.instrument.visits import (
    BY_COUNTER,
    BY_GROUP,
    GROUPINGS,
    ONE_TO_ONE,
    counter_key,
    group_key,
    ineligible,
    systems_asked_for,
    visit_grouping,
)

DAYS = 20220405, 20220406, 20240131


def exposure(seq, first=None, last=None, *, day=DAYS[0], group=None):
    first = seq if first is None else first
    number = day * 100_000 + seq
    return SimpleNamespace(
        id=number,
        obs_id=f"XX_O_{day}_{seq:06d}",
        day_obs=day,
        seq_num=seq,
        seq_start=first,
        seq_end=first if last is None else last,
        group=str(number) if group is None else group,
    )


@st.composite
def nights(draw):
    """Runs of one to four snaps, of which any may be absent; some share a group."""
    rows = []
    for day in draw(st.lists(st.sampled_from(DAYS), min_size=1, max_size=3, unique=True)):
        seq = draw(st.integers(1, 99_000))
        for _ in range(draw(st.integers(1, 4))):
            n = draw(st.integers(1, 4))
            group = draw(st.sampled_from([None, "survey", f"{day}", "2022-04-06T02:58:07.181#1"]))
            rows += [exposure(seq + i, seq, seq + n - 1, day=day, group=group) for i in range(n) if draw(st.booleans())]
            seq += n + draw(st.integers(0, 2))
    return rows


def table(groups):
    return {g.id: (g.name, tuple(e.id for e in g.exposures), g.systems) for g in groups}


def without_first(rows):
    there = {(e.day_obs, e.seq_num) for e in rows}
    return {e.id for e in rows if (e.day_obs, e.seq_start) not in there}


@pytest.mark.parametrize("grouping", GROUPINGS.values(), ids=lambda g: g.name)
@given(rows=nights(), random=st.randoms(use_true_random=False))
def test_each_exposure_is_in_one_visit_of_each_system(grouping, rows, random):
    groups = grouping.group(rows)
    for system in grouping.systems:
        found = [e.id for g in groups if system in g.systems for e in g.exposures]
        assert len(found) == len(set(found))
        waiting = without_first(rows) if system == BY_COUNTER else set()
        assert set(found) == {e.id for e in rows} - waiting
    assert len({g.id for g in groups}) == len({g.name for g in groups}) == len(groups)
    assert all(g.systems and g.systems <= grouping.systems for g in groups)
    mixed = list(rows)
    random.shuffle(mixed)
    assert [g.id for g in grouping.group(mixed)] == [g.id for g in groups], "the order of exposures does not matter"
    assert table(grouping.group(mixed)) == table(groups)


@pytest.mark.parametrize("grouping", GROUPINGS.values(), ids=lambda g: g.name)
@given(rows=nights(), data=st.data())
def test_what_comes_later_takes_nothing_back(grouping, rows, data):
    """No visit of fewer exposures loses an exposure, a system, its name or itself: nothing must be removed."""
    some = [e for e in rows if data.draw(st.booleans())]
    before, after = table(grouping.group(some)), table(grouping.group(rows))
    for number, (name, exposures, systems) in before.items():
        assert after[number][0] == name
        assert set(exposures) <= set(after[number][1])
        assert systems == after[number][2]


@given(rows=nights())
def test_visits_are_what_their_system_puts_together(rows):
    for grouping in GROUPINGS.values():
        for group in grouping.group(rows):
            if ONE_TO_ONE in group.systems:
                assert len(group.exposures) == 1
            if BY_GROUP in group.systems:
                assert {group_key(e) for e in group.exposures} == {group.name}
            if BY_COUNTER in group.systems:
                assert len({counter_key(e) for e in group.exposures}) == 1
                assert (group.id, group.name) == (group.exposures[0].id, group.exposures[0].obs_id)
                numbers = [e.seq_num for e in group.exposures]
                assert numbers == sorted(numbers)
                assert numbers[0] == group.exposures[0].seq_start


def test_snaps_have_a_visit_each_and_one_together():
    rows = [exposure(n, 348, 350) for n in (350, 348)] + [exposure(347)]
    first, day = DAYS[0] * 100_000 + 348, DAYS[0]
    assert table(GROUPINGS["one-to-one-and-by-counter"].group(rows)) == {
        first - 1: (f"XX_O_{day}_000347", (first - 1,), {0, 2}),
        int(f"9{first}"): (f"XX_O_{day}_000348_first", (first,), {0}),
        first + 2: (f"XX_O_{day}_000350", (first + 2,), {0}),
        first: (f"XX_O_{day}_000348", (first, first + 2), {2}),
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"seq_start": None, "seq_end": None},
        {"seq_end": None},
        {"seq_start": 5, "seq_end": 5, "seq_num": 0},  # as without a counter
        {"seq_start": 5, "seq_end": 4},
        {"seq_num": None, "seq_start": None, "seq_end": None},
    ],
    ids=str,
)
def test_exposures_without_a_run_are_alone(changes):
    rows = [exposure(5), exposure(6)]
    for row in rows:
        vars(row).update(changes)
    groups = GROUPINGS["one-to-one-and-by-counter"].group(rows)
    assert [(g.id, g.systems) for g in groups] == [(e.id, {0, 2}) for e in rows]


@pytest.mark.parametrize("group", ["", None])
def test_exposures_without_group_are_their_own(group):
    rows = [exposure(5), exposure(6)]
    for row in rows:
        row.group = group
    assert [g.id for g in GROUPINGS["by-group-metadata"].group(rows)] == [e.id for e in rows]


def test_two_groups_of_one_number():
    rows = [exposure(5, group="7"), exposure(6, group="07")]
    with pytest.raises(HarnessError, match=rf"two visits would have the id 7: of exposure {rows[0].id} and of"):
        GROUPINGS["by-group-metadata"].group(rows)


def test_the_nine_of_a_first_snap_may_be_another_exposure():
    one, two, other = exposure(5, 5, 6), exposure(6, 5, 6), exposure(7)
    one.id, two.id, other.id = 1, 2, 91
    with pytest.raises(HarnessError, match="two visits would have the id 91: of exposure 1 and of exposure 91"):
        GROUPINGS["one-to-one-and-by-counter"].group([one, two, other])


def test_an_id_that_no_database_holds():
    with pytest.raises(HarnessError, match=r"visit 99999999999999999999 would have the id .* more than 64 bits"):
        GROUPINGS["by-group-metadata"].group([exposure(5, group="9" * 20)])


def test_two_visits_of_one_name():
    one, two = exposure(5), exposure(6)
    two.obs_id = one.obs_id
    with pytest.raises(HarnessError, match=rf"the name {one.obs_id}: of exposure {one.id} and of exposure {two.id}"):
        GROUPINGS["one-to-one"].group([one, two])


def test_systems_by_number():
    names = [visit_grouping(n, "X").name for n in (0, 1, 2)]
    assert names == ["one-to-one", "by-group-metadata", "one-to-one-and-by-counter"]
    assert [systems_asked_for(n) for n in (None, 0, 2, 7)] == [set(), {0}, {0, 2}, {7}]
    assert systems_asked_for(7, "by-group-metadata") == {1}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"can_see_sky": None}, ""),
        ({"observation_type": "flat"}, ""),
        ({"can_see_sky": False}, "cannot see the sky"),
        ({"tracking_ra": None, "sky_angle": None}, "no tracking_ra, sky_angle"),
        ({"tracking_dec": None}, "no tracking_dec"),
        ({"tracking_ra": 0.0, "tracking_dec": 0.0, "sky_angle": 0.0}, ""),
    ],
    ids=str,
)
def test_what_belongs_into_visits(changes, reason):
    fields = {"tracking_ra": 1.0, "tracking_dec": 2.0, "sky_angle": 3.0, "can_see_sky": True}
    assert ineligible(SimpleNamespace(**(fields | changes))) == reason
