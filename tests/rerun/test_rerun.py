from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lsst.daf.butler import Butler
from processed import Rerun

from harness.checks.context import CheckContext
from harness.defects.base import Defect, DefectTarget
from harness.rerun.checks import CHECKS, EMPTY
from harness.rerun.defects import DEFECTS
from harness.stages.fork import fork_repository
from harness.transfer.capture import capture
from harness.transfer.state import RepositoryState
from harness.verdicts import CheckResult, Verdict, run_check

OUTPUT = "Mini/runs/tiny"


SHARED: dict[str, Any] = {}
"""What the checks compute from the original, which no test changes: computed once for all of them."""


def results(repo: Path, facts: dict[str, Any]) -> dict[str, CheckResult]:
    with Butler.from_config(str(repo), writeable=False) as butler:
        context = CheckContext(butler, repo, {}, facts={"rerun": facts})
        for key, value in SHARED.items():
            context.cached(key, lambda value=value: value)
        found = {check.id: run_check(check, context, "rerun") for check in CHECKS}
        SHARED["rerun.expected"] = context.cached("rerun.expected", dict)
    return found


@pytest.fixture(scope="module")
def states(rerun: Rerun) -> tuple[RepositoryState, RepositoryState]:
    """The states before and after."""
    with Butler.from_config(str(rerun.original)) as before, Butler.from_config(str(rerun.repo)) as after:
        return capture(before), capture(after)


def test_the_middleware_does_what_the_model_says(rerun: Rerun) -> None:
    for name in ("nothing", "extend", "replace"):
        assert [d["text"] for d in rerun.facts[name]["differences"]] == []
    bad = {id_: r for id_, r in results(rerun.repo, rerun.facts).items() if r.verdict is not Verdict.PASS}
    assert bad == {}


def test_nothing_to_do_fails_as_it_must(rerun: Rerun) -> None:
    assert rerun.facts["nothing"]["exit_code"] != 0
    assert EMPTY in rerun.facts["nothing"]["message"]
    assert rerun.facts["extend"]["exit_code"] == rerun.facts["replace"]["exit_code"] == 0


def test_the_scope_has_quanta_that_are_run_again_and_some_that_are_not(rerun: Rerun) -> None:
    assert rerun.facts["scope"] == {
        "tasks": ["isr", "measure"],
        "where": "(instrument='Mini' AND exposure < 103) AND instrument='Mini' AND exposure=101",
        "quanta": 4,
    }
    assert rerun.facts["extend"]["quanta"] == [
        "measure {instrument: Mini, detector: 0, visit: 101}",
        "isr {instrument: Mini, detector: 1, exposure: 101}",
        "measure {instrument: Mini, detector: 1, visit: 101}",
    ]


def test_each_quantum_is_executed_as_often_as_it_must(
    rerun: Rerun, states: tuple[RepositoryState, RepositoryState]
) -> None:
    """Said by the ids of their metadata, not by the model."""
    before, after = states
    first, second = f"{OUTPUT}/first", f"{OUTPUT}/again/second"

    def metadata(state: RepositoryState, run: str) -> dict[tuple[Any, ...], str]:
        types = [f"{label}_metadata" for label in ("isr", "measure", "gather")]
        return {state["dataset"][id_,][:2]: id_ for id_ in state.ids(types, [run])}

    old, new = metadata(before, first), metadata(after, first)
    assert old.keys() == new.keys()
    assert len(old) == 4 + 4 + 2
    assert {k for k, v in old.items() if new[k] != v} == {
        ("isr_metadata", ("Mini", 1, 101)),
        ("measure_metadata", ("Mini", 0, 101)),
        ("measure_metadata", ("Mini", 1, 101)),
    }
    assert metadata(after, second).keys() == {k for k in old if k[0] != "gather_metadata" and k[1][-1] == 101}
    assert after["chain"][f"{OUTPUT}/again",] == ((second, "Mini/raw/all", "Mini/calib"),)
    assert after["chain"][OUTPUT,] == ((first, "Mini/raw/all", "Mini/calib"),)


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda d: d.id)
def test_a_defect_is_found_by_its_check(defect: Defect, rerun: Rerun, tmp_path: Path) -> None:
    fork_repository(rerun.repo, tmp_path / "repo")
    defect.apply(DefectTarget(tmp_path / "repo", rerun.dataset, rerun.kit))
    found = {id_: r for id_, r in results(tmp_path / "repo", rerun.facts).items() if r.verdict is not Verdict.PASS}
    assert {id_: r.verdict for id_, r in found.items()} == {defect.found_by: Verdict.FAIL}


def test_every_check_has_a_defect() -> None:
    assert {d.found_by for d in DEFECTS} == {c.id for c in CHECKS}


@pytest.mark.parametrize(
    ("name", "change", "check"),
    [
        ("nothing", {"exit_code": 0, "message": ""}, "rerun.nothing-to-do-changes-nothing"),
        ("nothing", {"exit_code": 1, "message": "OSError: disk full"}, "rerun.nothing-to-do-changes-nothing"),
        ("extend", {"exit_code": 1, "message": "RuntimeError: no"}, "rerun.extend-remakes-only-missing"),
        ("replace", {"exit_code": 1, "message": "RuntimeError: no"}, "rerun.replace-leads-the-chain"),
        (
            "extend",
            {"differences": [{"kind": "dataset", "name": "x", "data_id": {}, "text": "dataset x: lost"}]},
            "rerun.extend-remakes-only-missing",
        ),
    ],
)
def test_what_the_engine_says_is_judged(rerun: Rerun, name: str, change: dict[str, Any], check: str) -> None:
    facts = {**rerun.facts, name: {**rerun.facts[name], **change}}
    failed = {id_ for id_, r in results(rerun.repo, facts).items() if r.verdict is Verdict.FAIL}
    assert failed == {check}
