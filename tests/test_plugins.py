"""A broken plugin is named with its distribution and the reason, and takes nothing else down."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
import types
from pathlib import Path

import click
import pytest

from harness.errors import HarnessError
from harness.hookspecs import hookimpl
from harness.plugins import Plugins, load_plugins
from harness.report.summary import final_verdict
from harness.results import RunRecord
from harness.stage import Stage
from harness.verdicts import Check, CheckResult, Verdict


def sound_check(name: str = "time.sound") -> Check:
    return Check(name, "", "", name.partition(".")[0], "create", lambda _: [])


def plugin(**hooks) -> types.SimpleNamespace:
    return types.SimpleNamespace(**hooks)


def good() -> object:
    @hookimpl
    def harness_checks():
        return [sound_check()]

    return plugin(harness_checks=harness_checks)


def misspelt() -> object:
    @hookimpl
    def harness_cheks():
        return []

    return plugin(harness_cheks=harness_cheks)


def unmarked() -> object:
    return plugin(harness_checks=lambda: [])


def wrong_arguments() -> object:
    @hookimpl
    def harness_commands(group, colour):
        return []

    return plugin(harness_commands=harness_commands)


def raises() -> object:
    @hookimpl
    def harness_checks():
        raise KeyError("gone")

    return plugin(harness_checks=harness_checks)


def no_list() -> object:
    @hookimpl
    def harness_checks():
        return 3

    return plugin(harness_checks=harness_checks)


def wrong_type() -> object:
    @hookimpl
    def harness_checks():
        return [sound_check("time.other"), "time.text"]

    return plugin(harness_checks=harness_checks)


def taken() -> object:
    @hookimpl
    def harness_checks():
        return [sound_check()]

    return plugin(harness_checks=harness_checks)


def twice() -> object:
    @hookimpl
    def harness_checks():
        return [sound_check("time.mine"), sound_check("time.mine")]

    return plugin(harness_checks=harness_checks)


def not_importable() -> object:
    raise ModuleNotFoundError("No module named 'lsst.obs'")


class Nameless(Check):
    """A check whose name is computed, and cannot be."""

    @property
    def id(self) -> str:
        raise LookupError("no name today")

    @id.setter
    def id(self, value: str) -> None:
        pass


def lazy() -> object:
    @hookimpl
    def harness_checks():
        check = object.__new__(Nameless)
        return [sound_check("time.other"), check]

    return plugin(harness_checks=harness_checks)


@pytest.mark.parametrize(
    ("load", "reason"),
    [
        (lazy, "harness_checks gave a Check without a name: LookupError: no name today"),
        (not_importable, "cannot be imported: ModuleNotFoundError: No module named 'lsst.obs'"),
        (misspelt, "no such hook: unknown hook 'harness_cheks' (did you mean 'harness_checks'?)"),
        (unmarked, "harness_checks is not marked with @hookimpl"),
        (wrong_arguments, "'colour'"),
        (raises, "harness_checks raised KeyError: 'gone'"),
        (no_list, "harness_checks raised TypeError: 'int' object is not iterable"),
        (wrong_type, "harness_checks gave 'time.text', which is no Check"),
        (taken, "harness_checks gave 'time.sound', which good provides already"),
        (twice, "harness_checks gave 'time.mine', which bad provides already"),
    ],
    ids=lambda v: getattr(v, "__name__", ""),
)
def test_broken(load, reason: str) -> None:
    plugins = Plugins()
    plugins.add("good", good, "good-dist", "1")
    plugins.add("bad", load, "bad-dist", "2.1")
    assert list(plugins.checks()) == ["time.sound"], "nothing of a broken plugin is used, all of the others is"
    (state,) = plugins.quarantined
    assert (state.name, state.distribution, state.version) == ("bad", "bad-dist", "2.1")
    assert reason in state.reason
    assert "\n" not in state.reason


def test_a_broken_plugin_is_suspected_when_something_is_missing() -> None:
    plugins = Plugins()
    plugins.add("good", good, "good-dist", "1")
    plugins.add("bad", not_importable, "bad-dist", "2")
    with pytest.raises(
        HarnessError, match=r"unknown check 'time.sond' \(did you mean 'time.sound'\?; .*bad \(bad-dist\)"
    ):
        plugins.find("check", "time.sond")


def test_an_observer_that_raises_is_quarantined_and_the_others_go_on() -> None:
    heard = []

    def observer(name: str, error: Exception | None) -> object:
        @hookimpl
        def harness_run_started(run):
            heard.append(name)
            if error:
                raise error

        return plugin(harness_run_started=harness_run_started)

    plugins = Plugins()
    for name, error in (("a", None), ("b", ValueError("no disk")), ("c", None)):
        plugins.add(name, lambda n=name, e=error: observer(n, e), name, "1")
    plugins.notify("harness_run_started", run=None)
    plugins.notify("harness_run_started", run=None)
    assert sorted(heard) == ["a", "a", "b", "c", "c"]
    assert plugins.quarantined[0].reason == "harness_run_started raised ValueError: no disk"


def test_what_a_quarantined_plugin_had_given_is_withdrawn() -> None:
    @hookimpl
    def harness_stages():
        raise RuntimeError("late")

    plugins = Plugins()
    plugins.add("late", lambda: plugin(harness_checks=good().harness_checks, harness_stages=harness_stages), "d", "1")
    assert list(plugins.checks()) == ["time.sound"]
    plugins.stages()
    assert plugins.checks() == {}


def test_a_run_without_some_plugin_is_at_best_unknown(dataset, tmp_path: Path) -> None:
    run = RunRecord("r", tmp_path, dataset, "none", 8, {}, datetime.datetime.now(datetime.UTC))
    run.results.append(CheckResult(sound_check(), "create", Verdict.PASS, (), 1, 0.0))
    plugins = Plugins()
    assert final_verdict(run, plugins.quarantined) is Verdict.PASS
    plugins.add("bad", not_importable, "bad-dist", "2")
    assert final_verdict(run, plugins.quarantined) is Verdict.UNKNOWN
    run.results.append(CheckResult(sound_check(), "create", Verdict.FAIL, (), 1, 0.0))
    assert final_verdict(run, plugins.quarantined) is Verdict.FAIL


def test_the_core_is_itself_a_plugin() -> None:
    plugins = load_plugins()
    assert plugins.states[0].name == "builtin"
    assert {"process", "rerun"} <= set(plugins.stages())
    assert {"inprocess", "pipetask", "qbb"} == set(plugins.engines())
    assert all(isinstance(s, Stage) for s in plugins.stages().values())
    assert not plugins.quarantined


@pytest.fixture
def broken_distribution(tmp_path: Path) -> dict[str, str]:
    """An installed third-party distribution whose plugin has a command of a taken name and a misspelt hook."""
    for name, hook in (("third_a", "harness_comands"), ("third_b", "harness_commands")):
        (tmp_path / f"{name}.py").write_text(
            "import click\nfrom harness.hookspecs import hookimpl\n"
            f"@hookimpl\ndef {hook}(group):\n    return [click.Command('run')]\n"
        )
        info = tmp_path / f"{name}-3.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 3.0\n")
        (info / "entry_points.txt").write_text(f"[gen3_harness]\n{name} = {name}\n")
    return {**os.environ, "PYTHONPATH": str(tmp_path)}


def harness(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_installed_and_broken(broken_distribution) -> None:
    done = harness(broken_distribution, "plugins")
    assert done.returncode == 1
    assert "third_a (third_a 3.0): no such hook: unknown hook 'harness_comands'" in done.stderr
    assert "third_b (third_b 3.0): harness_commands gave 'run', which exists already" in done.stderr
    rows = {line.split("\t")[0]: line.split("\t")[3] for line in done.stdout.splitlines()}
    assert rows["builtin"] == rows["hsc"] == "ok"
    assert rows["third_a"] == rows["third_b"] == "quarantined"


def distribution(folder: Path, name: str, entry: str, code: str) -> None:
    """Lay out an installed distribution with one plugin."""
    module = name.replace("-", "_")
    (folder / f"{module}.py").write_text(code)
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[gen3_harness]\n{entry} = {module}\n")


KIT = """
from pathlib import Path
from harness.hookspecs import hookimpl
from harness.instrument.kit import InstrumentKit
from lsst.pipe.base import Instrument

class Wrong(Instrument):
    @classmethod
    def getName(cls):
        raise RuntimeError("not known yet")

@hookimpl
def harness_instruments():
    return [InstrumentKit(Wrong, None, None, frozenset())]
"""
DATASETS = """
from pathlib import Path
from harness.hookspecs import hookimpl

@hookimpl
def harness_datasets():
    return [Path(__file__).parent / "torn"]
"""


def test_broken_third_parties_break_nothing_else(tmp_path: Path) -> None:
    """A kit without a name, a manifest with a mistake, and the name of another plugin: each named, HSC goes on."""
    distribution(tmp_path, "third-kit", "third_kit", KIT)
    distribution(tmp_path, "third-data", "third_data", DATASETS)
    distribution(tmp_path, "third-twin", "hsc", "raise RuntimeError('must not even be imported')")
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "manifest.toml").write_text('name = "torn"\n')
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "HARNESS_WORK": str(tmp_path / "work")}
    done = harness(environment, "plugins")
    assert done.returncode == 1
    reasons = dict(line.split(": ", 1) for line in done.stderr.splitlines())
    assert reasons["third_kit (third-kit 1.0)"] == (
        "harness_instruments gave a InstrumentKit without a name: RuntimeError: not known yet"
    )
    assert reasons["third_data (third-data 1.0)"].startswith(f"manifest {tmp_path}/torn/manifest.toml has mistakes: ")
    assert reasons["hsc (third-twin 1.0)"] == (
        "the name 'hsc' is that of a plugin of gen3-harness-hsc: uninstall one of them"
    )
    rows = [line.split("\t")[:4] for line in done.stdout.splitlines()]
    assert ["hsc", "gen3-harness-hsc", "0.1.0", "ok"] in rows
    assert ["hsc", "third-twin", "1.0", "quarantined"] in rows

    done = harness(environment, "datasets")
    assert done.returncode == 0
    assert "ci_hsc\tHSC" in done.stdout
    assert "torn" not in done.stdout
    assert "third_data (third-data 1.0) is quarantined: manifest" in done.stderr

    done = harness(environment, "run", "HSC", "--until", "register")
    assert done.returncode == 3, "all that was run passed, but something could not be asked"
    assert "third_kit" in done.stdout
    assert "register" in done.stdout
    done = harness(environment, "run", "torn")
    assert done.returncode == 2
    assert "torn/manifest.toml has mistakes" in done.stderr


def test_tracing_shows_every_call(broken_distribution) -> None:
    for environment, words in (
        (os.environ | {"HARNESS_TRACE_HOOKS": "1"}, ["datasets"]),
        (dict(os.environ), ["--trace-hooks", "datasets"]),
    ):
        done = harness(environment, *words)
        assert done.returncode == 0
        assert "hook: harness_datasets() -> builtin" in done.stderr.splitlines()
        assert "hook: harness_commands(group=main) -> builtin" in done.stderr.splitlines()
    assert "hook:" not in harness(dict(os.environ), "datasets").stderr


def test_commands_of_a_plugin_are_there() -> None:
    from harness.cli.main import Harness

    @hookimpl
    def harness_commands(group):
        return [click.Command("mine", callback=lambda: None)]

    group = Harness("harness")
    group.plugins = Plugins()
    group.plugins.add("mine", lambda: plugin(harness_commands=harness_commands), "mine", "1")
    for _, commands in group.plugins.each("harness_commands", group=group):
        for command in commands:
            group.add_command(command)
    assert group.get_command(click.Context(group), "mine") is not None
