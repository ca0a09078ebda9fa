"""Every hook is documented, has the arguments that it says, and is called."""

from __future__ import annotations

import datetime
import inspect
from pathlib import Path

import click
import pytest

from harness import hookspecs
from harness.hookspecs import hook_names, hookimpl
from harness.results import RunRecord
from harness.stages.runner import Runner
from harness.stages.snapshots import SnapshotStore


class Recorder:
    """Implements every hook with the arguments of its specification, and remembers the calls."""

    def __init__(self) -> None:
        self.calls: dict[str, list[dict]] = {}


def recorder() -> Recorder:
    made = Recorder()
    for name in hook_names():
        arguments = list(inspect.signature(getattr(hookspecs, name)).parameters)
        space: dict = {"calls": made.calls.setdefault(name, [])}
        given = ", ".join(f"{a!r}: {a}" for a in arguments)
        exec(f"def {name}({', '.join(arguments)}):\n    calls.append({{{given}}})\n    return []", space)
        setattr(made, name, hookimpl(space[name]))
    return made


@pytest.fixture(scope="module")
def recorded(dataset, kit, plugins, tmp_path_factory) -> Recorder:
    """A recorder that has seen a short run and everything being collected."""
    made = recorder()
    work: Path = tmp_path_factory.mktemp("hooks")
    plugins.add("recorder", lambda: made, "recorder", "1")
    try:
        for kind in ("instruments", "dataset_folders", "stages", "checks", "defects", "engines"):
            plugins._collected.clear()
            getattr(plugins, kind)()
        list(plugins.each("harness_commands", group=click.Group("harness")))
        runner = Runner(plugins, dataset, kit, plugins.find("engine", "inprocess"), SnapshotStore(work / "s"))
        run = RunRecord("r", work / "run", dataset, "inprocess", 8, {}, datetime.datetime.now(datetime.UTC))
        runner.execute(run, runner.stages("skymap"))
        plugins.notify("harness_run_finished", run=run)
    finally:
        plugins.manager.unregister(made)
        plugins.states[:] = [s for s in plugins.states if s.name != "recorder"]
        plugins._collected.clear()
    return made


@pytest.mark.parametrize("name", hook_names())
def test_documented(name: str) -> None:
    text = inspect.getdoc(getattr(hookspecs, name))
    assert text
    assert text.endswith(".")


@pytest.mark.parametrize("name", hook_names())
def test_called_with_what_it_says(name: str, recorded: Recorder) -> None:
    assert recorded.calls[name], f"{name} is never called"
    for call in recorded.calls[name]:
        assert all(value is not None for value in call.values())


def test_order_of_what_happens(recorded: Recorder) -> None:
    stages = [c["stage"].name for c in recorded.calls["harness_stage_started"]]
    assert stages == ["create", "register", "calibs", "refcats", "skymap"]
    assert [c["stage"].name for c in recorded.calls["harness_stage_finished"]] == stages
    assert {c["result"].stage for c in recorded.calls["harness_check_finished"]} <= set(stages)
    assert len(recorded.calls["harness_run_started"]) == len(recorded.calls["harness_run_finished"]) == 1
