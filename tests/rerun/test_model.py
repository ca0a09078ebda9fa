"""The model by itself, on states written down by hand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.rerun.model import TaskShape, compatible, flattened, matched, outputs, quanta, remade, replaced
from harness.transfer.capture import MISSING
from harness.transfer.compare import compare
from harness.transfer.state import KINDS, RepositoryState

MEASURE = TaskShape(
    label="measure",
    dimensions=("instrument", "visit"),
    inputs=("post",),
    outputs=("stars", "measure_metadata", "measure_log"),
    init_outputs=("measure_config",),
    metadata="measure_metadata",
)
CHAINS = {
    "all": ("b", "new", "all/inputs"),
    "all/inputs": ("raw", "b", "calib"),
}


def state() -> RepositoryState:
    """Two quanta of one task in run ``first``, with an input, a tag, and a chain in front of it all."""
    datasets = {
        ("r",): ("post", ("I", 1), "raw"),
        ("p",): ("packages", (), "first"),
        ("c",): ("measure_config", (), "first"),
        **{(f"s{v}",): ("stars", ("I", v), "first") for v in (1, 2)},
        **{(f"m{v}",): ("measure_metadata", ("I", v), "first") for v in (1, 2)},
    }
    runs = {"raw": "RUN", "first": "RUN", "calib": "CALIBRATION", "best": "TAGGED", "in": "CHAINED", "out": "CHAINED"}
    tables = {
        **{kind: {} for kind in KINDS},
        "dataset": datasets,
        "artifact": {(*k, ""): ("Formatter", "Class", 10, f"digest of {k[0]}") for k in datasets},
        "collection": {(name,): (type_, "") for name, type_ in runs.items()},
        "chain": {("in",): (("raw", "calib"),), ("out",): (("first", "in"),)},
        "tag": {("best", "s1"): ("stars", ("I", 1)), ("best", "s2"): ("stars", ("I", 2))},
    }
    names = dict.fromkeys(("post", "stars", "measure_metadata"), ("instrument", "visit"))
    return RepositoryState(("u", 8), {}, {**names, "packages": (), "measure_config": ()}, tables)


CONTENTS = {(id_, ""): f"content of {id_}" for id_ in ("s1", "m1", "c", "p")}


def test_outputs_of_a_quantum() -> None:
    assert quanta(state(), MEASURE, "first") == [{"instrument": "I", "visit": 1}, {"instrument": "I", "visit": 2}]
    assert outputs(state(), MEASURE, "first", {"instrument": "I", "visit": 2}) == {"s2", "m2"}
    assert outputs(state(), MEASURE, "second", {"instrument": "I", "visit": 2}) == set()


def test_data_ids_agree_where_both_say_something() -> None:
    assert compatible({"a": 1, "b": 2}, {"b": 2, "c": 3})
    assert compatible({"a": 1}, {"b": 2})
    assert not compatible({"a": 1, "b": 2}, {"b": 3})


def test_a_chain_is_searched_in_order_and_once() -> None:
    nested = state().replace(
        collection={
            **{(c,): ("CHAINED", "") for c in CHAINS},
            **{(c,): ("RUN", "") for c in ("b", "new", "raw", "calib")},
        },
        chain={(c,): (children,) for c, children in CHAINS.items()},
    )
    assert flattened(nested, "all") == ("b", "new", "raw", "calib")


def test_what_is_made_again_leaves_its_tags() -> None:
    after = remade(state(), ["s1", "m1"], CONTENTS)
    lines = [str(d) for d in compare(state(), after)]
    assert lines == [
        "tag stars {instrument: 'I', visit: 1} in best: lost",
        "dataset measure_metadata {instrument: 'I', visit: 1}: lost",
        "dataset measure_metadata {instrument: 'I', visit: 1}: added",
        "dataset stars {instrument: 'I', visit: 1}: lost",
        "dataset stars {instrument: 'I', visit: 1}: added",
        "artifact measure_metadata {instrument: 'I', visit: 1}: lost",
        "artifact measure_metadata {instrument: 'I', visit: 1}: added",
        # the versions of the run may have been written again
        "artifact packages: size 10 → None; digest 'digest of p' → 'anything'",
        "artifact stars {instrument: 'I', visit: 1}: lost",
        "artifact stars {instrument: 'I', visit: 1}: added",
    ]


def test_a_replacing_run_leads_and_the_old_one_stays() -> None:
    after = replaced(state(), state(), "out", "second", ["s1", "m1", "c", "p"], CONTENTS)
    assert after["chain"]["out",] == (("second", "raw", "calib"),)
    assert after["chain"]["in",] == state()["chain"]["in",]
    assert set(after.ids(runs=["first"])) == set(state().ids(runs=["first"]))
    assert {after["dataset"][id_,][:2] for id_ in after.ids(runs=["second"])} == {
        state()["dataset"][id_,][:2] for id_ in ("s1", "m1", "c", "p")
    }


def really(expected: RepositoryState, **changes: str) -> RepositoryState:
    """Return the state as the middleware would leave it: with real ids for what was made, and some changes."""
    ids = {
        k[0]: changes.get(k[0], f"id{i}") if k[0].startswith("new ") else k[0]
        for i, k in enumerate(expected["dataset"])
    }
    return expected.replace(
        dataset={(ids[k[0]],): v for k, v in expected["dataset"].items()},
        artifact={(ids[k[0]], k[1]): v for k, v in expected["artifact"].items()},
    )


def test_what_was_made_is_recognised_whatever_its_id() -> None:
    expected = replaced(remade(state(), ["s1", "m1"], CONTENTS), state(), "out", "second", ["s1", "p"], CONTENTS)
    found, names = matched(expected, really(expected))
    assert compare(expected, found) == []
    assert len(names) == 4


def test_what_was_not_to_be_made_again_is_noticed() -> None:
    expected = remade(state(), ["s1", "m1"], CONTENTS)
    actual = really(expected)
    other = actual.replace(
        dataset={("other",) if k == ("s2",) else k: v for k, v in actual["dataset"].items()},
        artifact={("other", "") if k == ("s2", "") else k: v for k, v in actual["artifact"].items()},
    )
    found = compare(expected, matched(expected, other)[0], kinds=("dataset",))
    assert {(d.name, d.key, d.change) for d in found} == {("stars", ("s2",), "lost"), ("stars", ("other",), "added")}


def test_versions_may_be_replaced_but_not_lost() -> None:
    expected = remade(state(), ["s1", "m1"], CONTENTS)
    actual = really(expected)
    rows = dict(actual["artifact"])
    rows["p", ""] = ("Formatter", "Class", 99, "more versions")
    assert compare(expected, matched(expected, actual.replace(artifact=rows))[0]) == []
    replaced_row = {("p2", "") if k == ("p", "") else k: v for k, v in rows.items()}
    again = actual.replace(
        dataset={("p2",) if k == ("p",) else k: v for k, v in actual["dataset"].items()}, artifact=replaced_row
    )
    assert compare(expected, matched(expected, again)[0]) == []
    rows["p", ""] = ("Formatter", "Class", -1, MISSING)
    lost = compare(expected, matched(expected, actual.replace(artifact=rows))[0])
    assert [d.name for d in lost] == ["packages"]


@given(st.sets(st.sampled_from(["s1", "s2", "m1", "m2"])))
def test_making_again_keeps_what_there_is(ids: set[str]) -> None:
    before, after = state(), remade(state(), ids, CONTENTS)
    assert sorted(before["dataset"].values()) == sorted(after["dataset"].values())
    assert {k for k in before["dataset"] if k in after["dataset"]} == {k for k in before["dataset"] if k[0] not in ids}
    assert all(before[kind] == after[kind] for kind in ("record", "dataset-type", "collection", "chain"))
