"""Which commands an invocation is made of."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from harness.engines.base import PipelineRun
from harness.engines.inprocess import run_in_process
from harness.engines.pipetask import run_as_processes
from harness.engines.steps import Step, direct, quantum_backed
from harness.errors import HarnessError

REQUEST = PipelineRun(Path("repo"), "p.yaml#a", ("in",), "out", "out/1", "visit=1")


def words(steps: list[Step]) -> list[str]:
    return [f"{s.program} {s.arguments[0]}" for s in steps]


def option(step: Step, name: str) -> list[str]:
    """Return what follows an option, each time that it is there."""
    return [b for a, b in zip(step.arguments, step.arguments[1:], strict=False) if a == name]


def test_one_command_is_enough(tmp_path: Path) -> None:
    (step,) = direct(REQUEST, tmp_path / "log")
    assert (step.program, step.arguments[0]) == ("pipetask", "run")
    assert option(step, "-p") == ["p.yaml#a"]
    assert option(step, "-d") == ["visit=1"]
    assert option(step, "--output-run") == ["out/1"]


@pytest.mark.parametrize(
    ("change", "argument"),
    [
        ({"rebase": True}, "--rebase"),
        ({"extend_run": True}, "--extend-run"),
        ({"clobber_outputs": True}, "--clobber-outputs"),
        ({"raise_on_partial_outputs": False}, "--no-raise-on-partial-outputs"),
        ({"memory": "2GB"}, "--memory-per-quantum"),
        ({"data_id_tables": ("t.ecsv",)}, "--data-id-table"),
        ({"skip_existing_in": ("x",)}, "--skip-existing-in"),
        ({"summary": Path("s.json")}, "--summary"),
    ],
)
def test_each_flag_reaches_a_command_of_every_engine(change: dict[str, object], argument: str, tmp_path: Path) -> None:
    request = dataclasses.replace(REQUEST, **change)  # type: ignore[arg-type]
    for steps in (direct, quantum_backed):
        try:
            found = [a for s in steps(request, tmp_path / "log") for a in s.arguments]
        except HarnessError as refusal:
            assert argument in str(refusal)  # noqa: PT017 - or it is refused by name
        else:
            assert argument in found


@pytest.mark.parametrize("flag", ["replace_run", "rebase", "prune_replaced"])
def test_what_cannot_be_done_without_a_registry_is_refused_in_one_line(flag: str, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=f"qbb cannot --{flag.replace('_', '-')}: ") as caught:
        quantum_backed(dataclasses.replace(REQUEST, **{flag: "purge"}), tmp_path / "log")  # type: ignore[arg-type]
    assert (caught.value.code, "\n" in str(caught.value)) == ("engine-flag", False)


def test_a_graph_that_is_there_is_not_built_again(tmp_path: Path) -> None:
    request = dataclasses.replace(REQUEST, graph=tmp_path / "g.qg", planned_run="out/plan")
    built = direct(request, tmp_path / "log")
    assert words(built) == ["pipetask qgraph", "pipetask update-graph-run", "pipetask run"]
    assert option(built[0], "--output-run") == ["out/plan"]
    assert option(built[2], "--output-run") == ["out/1"]
    (tmp_path / "g-moved.qg").touch()
    assert words(direct(request, tmp_path / "log")) == ["pipetask run"]
    with pytest.raises(HarnessError, match="planned_run without graph"):
        direct(dataclasses.replace(REQUEST, planned_run="x"), tmp_path / "log")


def script(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("fails", "ran"),
    [("none", "abc"), ("b", "abc"), ("a", "a")],
    ids=["all", "before-the-last", "the-first"],
)
def test_only_the_step_after_a_failure_may_go_on(fails: str, ran: str, tmp_path: Path) -> None:
    """What succeeded is transferred after a failed execution, but not if there was none."""
    said = tmp_path / "said"
    fake = script(
        tmp_path / "fake",
        f'for w in "$@"; do case $w in [abc]) echo $w >> {said}; last=$w;; esac; done\n[ "$last" != {fails} ]',
    )
    steps = [Step("x", ("a",)), Step("x", ("b",)), Step("x", ("c",), regardless=True)]
    result = run_as_processes(steps, REQUEST, tmp_path / "log", fake)
    assert said.read_text().split() == list(ran)
    assert result.exit_code == (0 if fails == "none" else 1)
    assert result.message == ("" if fails == "none" else f"x {fails} ended with exit code 1")


def test_a_killed_step_is_the_last(tmp_path: Path) -> None:
    steps = [Step("x", ("a",)), Step("x", ("b",), regardless=True)]
    result = run_as_processes(steps, REQUEST, tmp_path / "log", script(tmp_path / "fake", "kill -9 $$"))
    assert (result.exit_code, result.message) == (-9, "x a ended with signal SIGKILL")


def test_the_environment_of_tasks_is_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_ONE", "before")
    monkeypatch.delenv("HARNESS_TWO", raising=False)
    request = dataclasses.replace(REQUEST, environment={"HARNESS_ONE": "1", "HARNESS_TWO": "2"})
    result = run_in_process([Step("pipetask", ("no-such-command",))], request, tmp_path / "log")
    assert result.exit_code != 0
    assert "no-such-command" in result.message
    assert (os.environ["HARNESS_ONE"], "HARNESS_TWO" in os.environ) == ("before", False)
