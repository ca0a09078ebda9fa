"""Random walks agree with the model; a fault of the middleware shrinks to a short script that can be replayed."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from lsst.daf.butler.registry.sql_registry import SqlRegistry

from harness.cli.explore import command as explore_command
from harness.cli.replay import command as replay_command
from harness.errors import HarnessError
from harness.stateful import steps as s
from harness.stateful.machine import machine
from harness.stateful.script import Script


def test_walks_agree_with_the_model(template) -> None:
    run_state_machine_as_test(
        machine(template), settings=settings(max_examples=1, stateful_step_count=25, deadline=None, derandomize=True)
    )


@pytest.mark.thorough
def test_a_fault_shrinks_to_a_short_script(tmp_path, monkeypatch) -> None:
    """Tagging that does nothing: found by chance, and left with the two steps that it takes."""
    script = tmp_path / "steps.json"
    arguments = ["--examples", "5", "--steps", "6", "--seed", "1", "--script", str(script)]
    with monkeypatch.context() as patch:
        patch.setattr(SqlRegistry, "associate", lambda *_: None)
        found = CliRunner().invoke(explore_command, arguments)
        assert found.exit_code == 1, found.output
        assert [step.name for step in Script.read(script).steps] == ["put", "tag"]
        again = CliRunner().invoke(replay_command, [str(script)])
        assert again.exit_code == 1
        assert "✗ 2." in again.output
        assert "tagged" in again.output
    sound = CliRunner().invoke(replay_command, [str(script)])
    assert sound.exit_code == 0, sound.output
    assert "2 steps, the repository is what the model says" in sound.output


@pytest.mark.parametrize(
    "step", [s.Put("note", (), "run/a", 1), s.Decertify("c", -1, 3, (1,)), s.Chain("k", ("a", "b"))]
)
def test_a_step_is_written_and_read(step, tmp_path) -> None:
    Script((step,), True, ("wrong",)).write(tmp_path / "script.json")
    assert Script.read(tmp_path / "script.json") == Script((step,), True, ("wrong",))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read: No such file"),
        ("steps", "is no script of steps"),
        ("{}", "its format is not"),
        (json.dumps({"format": "harness-steps-1", "steps": [{"step": "jump"}]}), "a step that does not exist: 'jump'"),
        (json.dumps({"format": "harness-steps-1", "steps": [{"step": "remove"}]}), "a step that does not exist"),
    ],
)
def test_a_bad_script_is_one_line(text, words, tmp_path) -> None:
    path = tmp_path / "script.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(HarnessError, match=words):
        Script.read(path)
