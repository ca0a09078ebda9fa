"""The matrix on a small real pipeline: right behaviour passes, and each kind of misbehaviour is found."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from misbehaviour import MISBEHAVIOURS
from processed import context_of

from harness.datasets.manifest import Dataset
from harness.drp.stage import first_run
from harness.engines.base import EngineResult, PipelineRun
from harness.engines.inprocess import InProcessEngine
from harness.engines.qbb import QuantumBackedEngine
from harness.instrument.kit import InstrumentKit
from harness.rerun.cells import CELLS, Invoke
from harness.rerun.injection import HOW
from harness.rerun.matrix import CellOutcome, Matrix
from harness.stages.fork import fork_repository
from harness.verdicts import Verdict

BY_ID = {cell.id: cell for cell in CELLS}
CHOSEN = (
    "new-run",
    "extend",
    "extend-done",
    "extend-clobber",
    "skip-existing-in-no-outputs",
    "replace",
    "replace-purge",
    "replace-unstore",
    "refused",
    "rebase",
    "partial-no-raise",
    "partial-upstream",
    "failed-rescued",
    "out-of-memory",
    "file-not-registered",
    "file-lost",
    "update-graph-run",
    "data-id-table",
)
"""Cells that have something of their own; ``benchmarks/rerun.py`` runs all of them, with the tasks of an instrument."""


@pytest.fixture(scope="module")
def matrix(
    processed: Path, dataset: Dataset, kit: InstrumentKit, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Matrix]:
    first = first_run(context_of(processed, processed, dataset, kit))
    made = Matrix(first, tmp_path_factory.mktemp("matrix"), fork_repository)
    yield made
    made.close()


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes find the modules that stand beside the tests."""
    here = Path(__file__).parent
    monkeypatch.setenv("PYTHONPATH", f"{here}:{here.parent / 'transfer'}")


@dataclasses.dataclass
class Remembering:
    """The engine in process, which puts back what it has done before for the same action of the same cell.

    Each cell begins with the same datasets, so that nothing but time is saved.
    """

    folder: Path
    done: dict[Path, EngineResult] = dataclasses.field(default_factory=dict)
    name: str = "inprocess"
    title: str = ""

    def run(self, request: PipelineRun, log: Path) -> EngineResult:
        place = self.folder / f"{log.parent.name}-{log.stem}"
        if log not in self.done:
            self.done[log] = InProcessEngine().run(request, log)
            fork_repository(request.repo, place)
            for file in (log, request.summary):
                if file and file.exists():
                    shutil.copy(file, f"{place}-{file.name}")
        else:
            shutil.rmtree(request.repo)
            fork_repository(place, request.repo)
            for file in (log, request.summary):
                if file and (kept := Path(f"{place}-{file.name}")).exists():
                    shutil.copy(kept, file)
        return self.done[log]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Remembering:
    return Remembering(tmp_path_factory.mktemp("remembered"))


def messages(outcome: CellOutcome) -> list[str]:
    assert outcome.result is not None
    return [f"{f.message}: seen {f.seen}, expected {f.expected}" for f in outcome.result.findings] + [
        outcome.result.reason
    ] * bool(outcome.result.reason)


def test_the_quanta_are_enough_to_tell_who_is_hit_and_who_is_not(matrix: Matrix) -> None:
    assert [q.name for q in matrix.world.quanta] == [
        f"isr {{instrument: Mini, detector: {d}, exposure: 101}}" for d in (0, 1)
    ] + [f"measure {{instrument: Mini, detector: {d}, visit: 101}}" for d in (0, 1)]
    assert [q.reads for q in matrix.world.quanta] == [
        (),
        (),
        (("post", ("Mini", 0, 101)),),
        (("post", ("Mini", 1, 101)),),
    ]


QUICK = {"new-run", "extend", "skip-existing-in-no-outputs", "replace-purge", "partial-no-raise", "failed-rescued"}


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in QUICK else pytest.mark.thorough) for n in CHOSEN])
def test_the_middleware_does_what_the_model_says(name: str, matrix: Matrix, engine: Remembering) -> None:
    outcome = matrix.run(BY_ID[name], engine, CELLS)
    assert messages(outcome) == []
    assert outcome.verdict is Verdict.PASS
    assert outcome.repo is None


def test_what_is_put_back_is_as_good_as_new(matrix: Matrix, engine: Remembering) -> None:
    """So that misbehaviour is all that the tests below can find."""
    cell = dataclasses.replace(BY_ID["partial-no-raise"], actions=BY_ID["partial-no-raise"].actions[:1])
    for _ in range(2):
        assert messages(matrix.run(cell, engine)) == []


@pytest.mark.parametrize(
    "name",
    [
        "extend-clobber",
        pytest.param("partial-upstream", marks=pytest.mark.thorough),
        pytest.param("file-not-registered", marks=pytest.mark.thorough),
    ],
)
def test_so_it_does_without_a_registry(name: str, matrix: Matrix) -> None:
    outcome = matrix.run(BY_ID[name], QuantumBackedEngine(), CELLS)
    assert messages(outcome) == []
    assert outcome.verdict is Verdict.PASS


@pytest.mark.thorough
@pytest.mark.usefixtures("importable")
def test_a_killed_process_is_rescued(matrix: Matrix) -> None:
    outcome = matrix.run(BY_ID["killed"], InProcessEngine())
    assert messages(outcome) == []
    killed, rescue = outcome.invocations
    assert (killed.result.exit_code, rescue.result.exit_code) == (-9, 0)


def test_what_an_engine_cannot_do_is_said(matrix: Matrix) -> None:
    for name, reason in (("replace", "cannot --replace-run"), ("rebase", "cannot --rebase"), ("killed", "see killed-")):
        outcome = matrix.run(BY_ID[name], QuantumBackedEngine())
        assert outcome.verdict is None
        assert reason in outcome.reason
    assert "one process" in matrix.run(BY_ID["together"], InProcessEngine()).reason


@pytest.mark.parametrize(
    ("name", "number", "misbehave"),
    [
        pytest.param(n, i, f, id=f"{n}-{f.__name__}", marks=[] if n in {"extend", "new-run"} else pytest.mark.thorough)
        for n, i, f in MISBEHAVIOURS
    ],
)
def test_misbehaviour_is_found(
    name: str, number: int, misbehave: Callable[[Path], None], matrix: Matrix, engine: Remembering
) -> None:
    cell = dataclasses.replace(BY_ID[name], actions=BY_ID[name].actions[: number + 1])
    outcome = matrix.run(cell, engine, CELLS, {number: misbehave})
    assert outcome.result is not None
    assert outcome.verdict is Verdict.FAIL, outcome.result.reason
    assert outcome.repo is not None
    assert outcome.repo.is_dir()


@dataclasses.dataclass(frozen=True)
class Liar:
    """An engine that reports something else than has happened."""

    change: Callable[[PipelineRun, EngineResult], EngineResult]
    engine: Remembering
    name: str = "inprocess"
    title: str = ""

    def run(self, request: PipelineRun, log: Path) -> EngineResult:
        return self.change(request, self.engine.run(request, log))


def no_error(_: PipelineRun, result: EngineResult) -> EngineResult:
    return dataclasses.replace(result, exit_code=0, message="")


def other_error(_: PipelineRun, result: EngineResult) -> EngineResult:
    return dataclasses.replace(result, message="OSError: disk full")


def fewer_quanta(request: PipelineRun, result: EngineResult) -> EngineResult:
    assert request.summary is not None
    report = json.loads(request.summary.read_text())
    report["quantaReports"].pop()
    request.summary.write_text(json.dumps(report))
    return result


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (no_error, "did not fail as it must: seen exit code 0"),
        (other_error, "did not fail as it must: seen exit code 1, OSError"),
        (fewer_quanta, "is reported as not run: seen , expected "),
    ],
    ids=["no-error", "other-error", "fewer-quanta"],
)
def test_what_is_reported_is_judged(change: Any, text: str, matrix: Matrix, engine: Remembering) -> None:
    cell = dataclasses.replace(BY_ID["failed-rescued"], actions=BY_ID["failed-rescued"].actions[:1])
    outcome = matrix.run(cell, Liar(change, engine))
    assert outcome.verdict is Verdict.FAIL
    assert len(messages(outcome)) == 1
    assert text in messages(outcome)[0]


def test_a_crash_is_unknown_and_never_a_pass(matrix: Matrix, engine: Remembering) -> None:
    def crash(_: PipelineRun, __: EngineResult) -> EngineResult:
        raise ZeroDivisionError("told to")

    outcome = matrix.run(BY_ID["update-graph-run"], Liar(crash, engine))
    assert outcome.verdict is Verdict.UNKNOWN
    assert outcome.result is not None
    assert "ZeroDivisionError: told to" in outcome.result.reason


def test_the_table_covers_what_there_is() -> None:
    assert len(BY_ID) == len(CELLS)
    invocations = [a for c in CELLS for a in c.actions if isinstance(a, Invoke)]
    assert {a.fault.how for a in invocations if a.fault} == set(HOW)
    flags = {name for a in invocations for name, _ in a.flags}
    asked_for = {"extend_run", "skip_existing", "skip_existing_in", "clobber_outputs", "replace_run", "prune_replaced"}
    assert flags >= asked_for | {"rebase", "raise_on_partial_outputs", "memory", "planned_run"}
