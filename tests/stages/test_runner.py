"""The runner with small stages of its own: what fails, what goes on, what is restored."""

from __future__ import annotations

import datetime
import errno
from pathlib import Path
from types import SimpleNamespace

import pytest
from lsst.daf.butler import Butler

from harness.errors import ExitCode, HarnessError
from harness.hookspecs import hookimpl
from harness.plugins import Plugins
from harness.results import RunRecord
from harness.stage import Stage
from harness.stages.runner import Runner
from harness.stages.snapshots import SnapshotStore
from harness.verdicts import Check, Finding, Verdict


class Small:
    """A plugin with stages and checks that count how often they run."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.failure: BaseException | None = None
        self.proves: frozenset[str] = frozenset()

    def create(self, context) -> dict:
        self.ran.append("create")
        Butler.makeRepo(str(context.repo))
        return {"made": 1}

    def grow(self, context) -> dict:
        self.ran.append("grow")
        if self.failure:
            (context.outputs / "half").write_text("")
            raise self.failure
        with context.butler() as butler:
            butler.collections.register("grown")
        return {"from": context.facts["create"]["made"]}

    def after(self, context) -> dict:
        return self.side(context, "after")

    def side(self, context, name="side") -> dict:
        self.ran.append(name)
        return {"inputs": sorted(context.inputs), "repo": context.repo.exists()}

    @hookimpl
    def harness_stages(self):
        return [
            Stage("create", "", self.create),
            Stage("grow", "", self.grow, extends="create"),
            Stage("after", "", self.after, extends="grow", proves=self.proves),
            Stage("side", "", self.side, needs=("create",)),
        ]

    @hookimpl
    def harness_checks(self):
        def grown(context):
            context.examined()
            if "grown" not in context.butler.collections.query("*"):
                yield Finding("nothing has grown")

        def always(context):
            context.examined()
            return []

        return [
            Check("collections.grown", "", "", "collections", "grow", grown),
            Check("collections.always", "", "", "collections", "create", always),
            Check("quality.content", "", "", "quality", "grow", always, deep=True),
            Check("datastore.content", "", "", "datastore", "grow", always, deep=True),
            Check("collections.other", "", "", "collections", "create", always, needs=frozenset({"visits"})),
        ]


@pytest.fixture
def small() -> Small:
    return Small()


@pytest.fixture
def make(small, dataset, tmp_path: Path):
    plugins = Plugins()
    plugins.add("small", lambda: small, "small", "1")
    kit = SimpleNamespace(
        name="Small",
        capabilities=frozenset({"images"}),
        instrument_class=Runner,
        repository_config={},
        applicable=lambda dataset: frozenset({"images"}),
    )
    engine = SimpleNamespace(name="none")

    def runner(**kwargs) -> Runner:
        return Runner(plugins, dataset, kit, engine, SnapshotStore(tmp_path / "store"), **kwargs)

    return runner


@pytest.fixture
def record(dataset, tmp_path: Path):
    def new() -> RunRecord:
        return RunRecord("r", tmp_path / "run", dataset, "none", 8, {}, datetime.datetime.now(datetime.UTC))

    return new


def test_stages_checks_and_facts(make, record, small) -> None:
    run = record()
    make().execute(run)
    assert {o.stage.name: dict(o.facts) for o in run.outcomes} == {
        "create": {"made": 1},
        "grow": {"from": 1},
        "after": {"inputs": ["grow"], "repo": True},
        "side": {"inputs": ["create"], "repo": False},
    }
    # after a stage from which nothing goes on, all that hold by then; nothing that needs what is not there
    assert {(r.stage, r.check.id) for r in run.results} == {
        ("create", "collections.always"),
        ("grow", "collections.grown"),
        ("grow", "quality.content"),
        ("grow", "datastore.content"),
        ("after", "collections.grown"),
        ("after", "collections.always"),
        ("after", "quality.content"),
        ("after", "datastore.content"),
    }
    assert run.verdict is Verdict.PASS


def test_files_are_not_opened_again_where_a_stage_has_proven_them(make, record, small) -> None:
    small.proves = frozenset({"collections", "quality"})
    run = record()
    make().execute(run)
    assert {r.check.id for r in run.results if r.stage == "grow"} >= {"quality.content", "datastore.content"}
    # nothing that reads tables only is left out, nor what is of another family
    assert {r.check.id for r in run.results if r.stage == "after"} == {
        "collections.grown",
        "collections.always",
        "datastore.content",
    }


def test_the_second_run_starts_from_snapshots(make, record, small) -> None:
    make().execute(record())
    first, small.ran = small.ran, []
    run = record()
    make().execute(run)
    assert len(first) == 4
    assert small.ran == []
    assert all(o.restored for o in run.outcomes)
    assert len(run.results) == 8, "checks are run on what is restored, too"
    make(fresh=True).execute(record())
    assert small.ran == first


@pytest.mark.parametrize(
    ("failure", "error", "remedy"),
    [
        (HarnessError("no bias", remedy="make one"), "no bias", "make one"),
        (OSError(errno.ENOSPC, "No space left on device", "/repo/x"), "No space left on device: /repo/x", "make room"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero", "this is a bug"),
    ],
)
def test_a_failure_stops_only_what_depends_on_it(make, record, small, failure, error, remedy) -> None:
    small.failure = failure
    run = record()
    make().execute(run)
    assert {o.stage.name for o in run.outcomes} == {"create", "grow", "side"}
    failed = run.failed_stage
    assert failed is not None
    assert failed.stage.name == "grow"
    assert failed.error == error
    assert failed.remedy.startswith(remedy)
    environment = isinstance(failure, OSError)
    assert run.verdict is (Verdict.UNKNOWN if environment else Verdict.FAIL)
    assert run.exit_code == (ExitCode.USAGE if environment else ExitCode.FAIL)
    if isinstance(failure, ZeroDivisionError):
        assert "Traceback" in (run.folder / "logs" / "grow.log").read_text()
    small.failure, small.ran = None, []
    again = record()
    make().execute(again)
    assert small.ran == ["grow", "after"], "goes on where it failed"
    assert again.verdict is Verdict.PASS
    assert not (again.repos["grow"].parent / "outputs" / "half").exists()


def test_an_interruption_leaves_nothing_half_built(make, record, small) -> None:
    small.failure = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        make().execute(record())
    small.failure, small.ran = None, []
    make().execute(record())
    assert small.ran[0] == "grow"


def test_building_one_state(make, small) -> None:
    snapshot = make().build("grow")
    assert small.ran == ["create", "grow"]
    assert snapshot.facts == {"from": 1}
    small.failure = HarnessError("no bias")
    with pytest.raises(HarnessError, match="stage grow failed: no bias"):
        make(fresh=True).build("grow")


def test_nothing_of_a_snapshot_is_changed_by_those_that_start_from_it(make, record) -> None:
    run = record()
    make().execute(run)
    with Butler.from_config(str(run.repos["create"]), writeable=False) as butler:
        assert "grown" not in butler.collections.query("*")


def test_the_log_of_a_stage_that_fails_outlives_it(make, small, tmp_path: Path) -> None:
    def fail(context) -> dict:
        log = context.log("tool.log")
        log.write_text("why")
        raise HarnessError("the tool failed", remedy=f"its log is {log}")

    small.grow = fail
    with pytest.raises(HarnessError, match="stage grow failed: the tool failed") as caught:
        make().build("after")
    log = Path(caught.value.remedy.removeprefix("its log is "))
    assert log.read_text() == "why"
    assert log.is_relative_to(tmp_path / "store")
