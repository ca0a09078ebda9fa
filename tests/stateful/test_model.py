"""The rules of the model itself: validity ranges, search order, removal."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from harness.stateful.model import DAYS, Held, Key, Model, Validity, cut

RANGE = st.tuples(st.integers(-1, DAYS), st.integers(0, DAYS + 1)).filter(lambda r: r[0] < r[1])


@given(RANGE, RANGE)
def test_what_is_cut_out_is_gone_and_the_rest_is_left(whole, out) -> None:
    left = {day for begin, end in cut(*whole, *out) for day in range(begin, end)}
    assert left == set(range(*whole)) - set(range(*out))


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), RANGE), max_size=5), RANGE)
def test_decertified_days_find_nothing(certified, out) -> None:
    model = Model()
    model.register("c", "CALIBRATION")
    for run, (begin, end) in certified:
        key = Key("cal", (1,), run)
        if not model.overlapping("c", key, begin, end):
            model.validities["c"].add(Validity(key, begin, end))
    before = {day: model.find("cal", (1,), ["c"], day) for day in range(DAYS)}
    model.decertify("c", "cal", *out, None)
    after = {day: model.find("cal", (1,), ["c"], day) for day in range(DAYS)}
    assert after == {day: None if out[0] <= day < out[1] else found for day, found in before.items()}


@given(st.permutations(["r1", "r2", "r3"]), st.sets(st.sampled_from(["r1", "r2", "r3"]), min_size=1))
def test_a_chain_finds_what_comes_first(order, holders) -> None:
    model = Model()
    for run in order:
        model.register(run, "RUN")
    for run in holders:
        model.datasets[Key("note", (), run)] = Held(0)
    model.register("inner", "CHAINED")
    model.chains["inner"] = tuple(order[1:])
    model.register("outer", "CHAINED")
    model.chains["outer"] = (order[0], "inner")
    first = next(run for run in order if run in holders)
    assert model.find("note", (), ["outer"]) == Key("note", (), first)


def test_a_run_that_is_removed_leaves_nothing_behind() -> None:
    model = Model()
    for name, type_ in (("r", "RUN"), ("t", "TAGGED"), ("c", "CALIBRATION"), ("k", "CHAINED")):
        model.register(name, type_)
    key = Key("cal", (1,), "r")
    model.datasets[key] = Held(0)
    model.tags["t"].add(key)
    model.validities["c"].add(Validity(key, 0, 1))
    model.chains["k"] = ("r", "t")
    model.remove("r")
    assert (model.datasets, model.tags, model.validities, model.chains) == (
        {},
        {"t": set()},
        {"c": set()},
        {"k": ("t",)},
    )
