"""The model of an invocation by itself, on a state written down by hand."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.engines.base import PipelineRun
from harness.rerun.injection import Injection
from harness.rerun.semantics import EMPTY, KILLED, Expected, execute, without
from harness.rerun.world import Quantum, World, related
from harness.transfer.capture import MISSING
from harness.transfer.compare import compare
from harness.transfer.content import ANYTHING
from harness.transfer.state import KINDS, RepositoryState

NAMES = ("instrument", "detector", "visit")


def quantum(label: str, detector: int, reads: tuple[Any, ...] = ()) -> Quantum:
    values = ("I", detector, 1)
    outputs = tuple((f"{label}{x}", values) for x in "xy")
    data_id = dict(zip(NAMES, values, strict=True))
    return Quantum(label, data_id, outputs, (f"{label}_metadata", values), (f"{label}_log", values), reads)


A = tuple(quantum("a", d) for d in (0, 1))
B = tuple(quantum("b", d, A[d].outputs) for d in (0, 1))
INIT = {"a": ("a_config",), "b": ("b_config", "schema")}
FILES = {
    **{(*row, ""): ("F", "C", f"content of {row}") for q in (*A, *B) for row in q.all_outputs},
    **{(type_, (), ""): ("F", "C", f"content of {type_}") for types in INIT.values() for type_ in types},
    ("packages", (), ""): ("F", "Packages", ANYTHING),
}
WORLD = World((*A, *B), INIT, FILES)


def state() -> RepositoryState:
    """A repository with raws, calibrations, and nothing made."""
    types = {row[0] for row in FILES}
    return RepositoryState(
        ("u", 8),
        {},
        {name: NAMES if name[-2:-1] in "ab" and "config" not in name else () for name in types},
        {
            **{kind: {} for kind in KINDS},
            "collection": {("raw",): ("RUN", ""), ("calib",): ("RUN", ""), ("in",): ("CHAINED", "")},
            "chain": {("in",): (("raw", "calib"),)},
            "dataset": {("r",): ("raw", ("I", 1, 1), "raw")},
            "artifact": {("r", ""): ("F", "C", 1, "digest")},
        },
    )


def request(run: str = "out/1", **flags: Any) -> PipelineRun:
    return PipelineRun(Path("repo"), "p.yaml", ("in",), "out", run, **flags)


def rows(result: Expected | RepositoryState, run: str) -> set[tuple[str, int | None]]:
    """Dataset type and detector of what a run has."""
    found = result.state if isinstance(result, Expected) else result
    return {(v[0], v[1][1] if v[1] else None) for v in found["dataset"].values() if v[2] == run}


def complete(run: str = "out/1") -> RepositoryState:
    return execute(state(), WORLD, request(run)).state


def inject(how: str, q: Quantum, after: int = 0) -> list[Injection]:
    return [Injection(q.label, dict(q.data_id), how, after, "2GB")]


WHOLE = {(row[0], row[1][1]) for q in WORLD.quanta for row in q.all_outputs} | {
    (name, None) for name in ("a_config", "b_config", "schema", "packages")
}


def test_a_new_run_makes_everything_and_leads_the_flattened_inputs() -> None:
    after = execute(state(), WORLD, request())
    assert after.error == ""
    assert rows(after, "out/1") == WHOLE
    assert after.state["chain"]["out",] == (("out/1", "raw", "calib"),)
    assert set(after.quanta.values()) == {"success"}
    again = execute(after.state, WORLD, request("out/2"))
    assert rows(again, "out/2") == WHOLE
    assert again.state["chain"]["out",] == (("out/2", "out/1", "raw", "calib"),)
    assert {k: v for k, v in again.state["dataset"].items() if v[2] != "out/2"} == after.state["dataset"]


REFUSED: dict[str, tuple[PipelineRun, str]] = {
    "exists": (request(), "ValueError"),
    "not there": (request("out/2", extend_run=True), "ValueError"),
    "other inputs": (dataclasses.replace(request("out/2"), inputs=("calib", "raw")), "ValueError"),
    "prune nothing": (request("out/2", prune_replaced="purge"), "ValueError"),
    "no chain": (dataclasses.replace(request("new/1", replace_run=True), output="new"), "ValueError"),
    "rebase elsewhere": (dataclasses.replace(request("new/1", rebase=True)), "ValueError"),
    "nothing to do": (request(extend_run=True), EMPTY),
    "nothing to do elsewhere": (request("out/2", skip_existing_in=("out/1",)), EMPTY),
    "nothing to do in a chain": (request("out/2", skip_existing_in=("out",)), EMPTY),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_changes_nothing(name: str) -> None:
    wrong, error = REFUSED[name]
    before = complete()
    after = execute(before, WORLD, wrong)
    assert (after.error, after.untouched) == (error, True)
    assert compare(before, after.state) == []


def test_a_failure_blocks_what_depends_on_it_and_leaves_its_log() -> None:
    after = execute(state(), WORLD, request(), inject("raise", A[1], after=1))
    assert after.error == "InjectedError"
    assert after.quanta == {A[0].name: "success", A[1].name: "failure", B[0].name: "success", B[1].name: "skipped"}
    gone = {("ay", 1), ("a_metadata", 1), ("bx", 1), ("by", 1), ("b_metadata", 1), ("b_log", 1)}
    assert rows(after, "out/1") == WHOLE - gone


def test_leftovers_are_in_the_way_unless_clobbered() -> None:
    failed = execute(state(), WORLD, request(), inject("raise", A[1], after=1)).state
    assert execute(failed, WORLD, request(extend_run=True)).error == "OutputExistsError"
    rescued = execute(failed, WORLD, request(extend_run=True, clobber_outputs=True))
    assert rescued.error == ""
    assert rescued.quanta == {A[1].name: "success", B[1].name: "success"}
    assert sorted(rescued.state["dataset"].values()) == sorted(complete()["dataset"].values())
    assert rescued.state["chain"] == failed["chain"]


def test_clobbering_needs_extend_run() -> None:
    failed = execute(state(), WORLD, request(), inject("raise", B[1])).state
    assert execute(failed, WORLD, request(clobber_outputs=True)).error == "ValueError"


def test_a_rescue_that_fails_again_keeps_what_nobody_came_to() -> None:
    failed = execute(state(), WORLD, request(), inject("raise", B[1], after=1)).state
    row = next(v for v in failed["dataset"].values() if v[0] == "a_metadata" and v[1][1] == 1)
    lacking = without(failed, {k[0] for k, v in failed["dataset"].items() if v == row or v[0] in {"ax", "ay", "a_log"}})
    again = execute(lacking, WORLD, request(extend_run=True, clobber_outputs=True), inject("raise", A[1]))
    assert again.quanta[B[1].name] == "skipped"
    assert ("bx", 1) in rows(again, "out/1")


def test_partial_outputs_fail_or_count_as_success() -> None:
    raised = execute(state(), WORLD, request(), inject("partial", B[0], after=1))
    assert raised.error == "InjectedError"
    assert ("b_metadata", 0) not in rows(raised, "out/1")
    kept = execute(state(), WORLD, request(raise_on_partial_outputs=False), inject("partial", B[0], after=1))
    assert kept.error == ""
    assert rows(kept, "out/1") == WHOLE - {("by", 0)}
    assert execute(kept.state, WORLD, request(extend_run=True)).error == EMPTY


def test_without_inputs_there_is_nothing_to_do_and_that_is_a_success() -> None:
    after = execute(state(), WORLD, request(raise_on_partial_outputs=False), inject("partial", A[0]))
    assert set(after.quanta.values()) == {"success"}
    assert rows(after, "out/1") == WHOLE - {("ax", 0), ("ay", 0), ("bx", 0), ("by", 0)}


def test_with_some_inputs_the_result_may_be_another() -> None:
    reads_both = dataclasses.replace(B[0], reads=(*A[0].outputs, *A[1].outputs))
    world = dataclasses.replace(WORLD, quanta=(*A, reads_both))
    after = execute(state(), world, request(raise_on_partial_outputs=False), inject("partial", A[0])).state
    made = {v[0]: after["artifact"][k[0], ""][-1] for k, v in after["dataset"].items() if v[2] == "out/1"}
    assert (made["bx"], made["b_metadata"]) == (ANYTHING, f"content of {B[0].metadata}")


def test_a_lost_file_counts_as_not_written() -> None:
    one = dataclasses.replace(B[0], reads=A[0].outputs[:1])
    world = dataclasses.replace(WORLD, quanta=(A[0], one))
    after = execute(state(), world, request(), inject("lost", A[0])).state
    lost = next(k for k, v in after["dataset"].items() if v[0] == "ax")
    assert after["artifact"][*lost, ""][-1] == MISSING
    assert ("bx", 0) not in rows(after, "out/1")
    moved = execute(state(), world, request(), inject("lost", A[0]), transferred=True)
    assert ("ax", 0) not in rows(moved, "out/1")


def test_memory_that_is_enough_is_no_failure() -> None:
    assert execute(state(), WORLD, request(memory="1GB"), inject("memory", B[0])).error == "MemoryError"
    assert execute(state(), WORLD, request(memory="2000MB"), inject("memory", B[0])).error == ""


def test_a_killed_process_leaves_whole_quanta_in_their_order() -> None:
    struck = inject("kill", A[1], after=1)
    after = execute(state(), WORLD, request(), struck, done={A[0].name, B[0].name, B[1].name})
    assert after.error == KILLED
    assert after.quanta == {A[0].name: "success", B[0].name: "success"}  # what depends on the killed one was not run
    assert ("ax", 1) in rows(after, "out/1")
    assert ("a_log", 1) not in rows(after, "out/1")
    batch = execute(state(), WORLD, request(), struck, transferred=True)
    assert (batch.state, batch.strays) == (state(), None)


def test_replacing_prunes_what_it_is_told_to() -> None:
    before = complete()
    plain = execute(before, WORLD, request("out/2", replace_run=True)).state
    assert plain["chain"]["out",] == (("out/2", "raw", "calib"),)
    assert rows(plain, "out/1") == WHOLE
    unstored = execute(before, WORLD, request("out/2", replace_run=True, prune_replaced="unstore")).state
    kept = {v[0] for k, v in unstored["dataset"].items() if v[2] == "out/1" and (k[0], "") in unstored["artifact"]}
    assert rows(unstored, "out/1") == WHOLE
    assert kept == {"a_config", "b_config", "schema", "packages"}
    purged = execute(before, WORLD, request("out/2", replace_run=True, prune_replaced="purge")).state
    assert rows(purged, "out/1") == set()
    assert ("out/1",) not in purged["collection"]


def test_rebasing_puts_new_inputs_behind_own_runs() -> None:
    before = complete()
    more = before.replace(collection={**before["collection"], ("new",): ("RUN", "")})
    other = dataclasses.replace(request("out/2", rebase=True), inputs=("new", "in"))
    assert execute(more, WORLD, other).state["chain"]["out",] == (("out/2", "out/1", "new", "raw", "calib"),)


def test_another_configuration_is_refused_where_there_is_one() -> None:
    made = {k[0] for k, v in complete()["dataset"].items() if v[0].startswith("b") and v[1]}
    lacking = without(complete(), made)
    assert execute(lacking, WORLD, request(extend_run=True), changed={"b"}).error == "ConflictingDefinitionError"
    assert execute(lacking, WORLD, request(extend_run=True), changed={"a"}).error == ""
    assert execute(lacking, WORLD, request("out/2"), changed={"b"}).error == ""


def test_metadata_alone_say_what_is_done() -> None:
    no_metadata = {k[0] for k, v in complete()["dataset"].items() if v[:2] == A[0].metadata}
    after = execute(without(complete(), no_metadata), WORLD, request("out/2", skip_existing_in=("out/1",)))
    assert after.quanta == {A[0].name: "success"}
    nothing_else = {k[0] for k, v in complete()["dataset"].items() if v[0] in {"ax", "ay", "bx", "by", "b_metadata"}}
    starved = execute(without(complete(), nothing_else), WORLD, request("out/2", skip_existing_in=("out/1",)))
    assert starved.error == EMPTY


@given(st.sets(st.integers(0, 3)), st.booleans())
def test_extending_makes_what_is_missing_and_keeps_the_rest(missing: set[int], clobber: bool) -> None:
    gone = {row for i in missing for row in WORLD.quanta[i].all_outputs}
    before = without(complete(), {k[0] for k, v in complete()["dataset"].items() if v[:2] in gone})
    after = execute(before, WORLD, request(extend_run=True, clobber_outputs=clobber))
    assert (after.error == EMPTY) == (not missing)
    assert set(after.quanta) == {WORLD.quanta[i].name for i in missing}
    assert before["dataset"].items() <= after.state["dataset"].items()
    assert rows(after, "out/1") == WHOLE


@given(
    st.sampled_from(["raise", "partial", "orphan"]),
    st.integers(0, 3),
    st.integers(0, 1),
    st.booleans(),
)
def test_a_rescue_always_ends_in_the_complete_state(how: str, struck: int, after: int, transferred: bool) -> None:
    failure = inject(how, WORLD.quanta[struck], after)
    failed = execute(state(), WORLD, request(), failure, transferred=transferred)
    assert failed.state["collection"]["out/1",] == ("RUN", "")
    rescued = execute(
        failed.state, WORLD, request(extend_run=True, clobber_outputs=True), transferred=transferred
    ).state
    assert sorted(rescued["dataset"].values()) == sorted(complete()["dataset"].values())
    assert sorted(map(str, rescued["artifact"].values())) == sorted(map(str, complete()["artifact"].values()))


def test_exposures_and_visits_are_related_by_their_definitions() -> None:
    records = {
        ("exposure", "I", 1): ("g1", "r"),
        ("exposure", "I", 2): ("g2", "r"),
        ("visit_definition", "I", 1, 10): (),
        ("visit_definition", "I", 2, 10): (),
        ("visit_definition", "I", 2, 20): (),
    }
    known = dataclasses.replace(
        state().replace(record=records),
        elements={"exposure": ("group", "physical_filter")},
        dimensions={"visit_definition": ("instrument", "exposure", "visit")},
    )
    same = related(known)
    assert same({"instrument": "I", "exposure": 1, "detector": 3}, {"instrument": "I", "visit": 10, "detector": 3})
    assert not same({"instrument": "I", "exposure": 1}, {"instrument": "I", "visit": 20})
    assert not same({"instrument": "I", "visit": 10, "detector": 3}, {"instrument": "I", "exposure": 1, "detector": 4})
    assert same({"instrument": "I", "group": "g2"}, {"instrument": "I", "exposure": 2})
    assert not same({"instrument": "I", "group": "g1"}, {"instrument": "I", "exposure": 2})
