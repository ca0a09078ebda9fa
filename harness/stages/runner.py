"""Running stages and checks, one after the other, from the snapshots that are valid."""

from __future__ import annotations

import dataclasses
import json
import logging
import shutil
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..checks.context import CheckContext
from ..errors import HarnessError
from ..results import RunRecord, StageOutcome
from ..stage import SHARED, Stage, StageContext
from ..verdicts import Check, run_check
from .fingerprint import fingerprint
from .fork import fork_repository
from .graph import StageGraph, parents
from .snapshots import Snapshot, SnapshotStore

if TYPE_CHECKING:
    from ..datasets.manifest import Dataset
    from ..engines.base import Engine
    from ..instrument.kit import InstrumentKit
    from ..plugins import Plugins

__all__ = ["FIRST", "Base", "Runner"]

FIRST = "create"
"""The stage that makes the repository; left out where there is one already."""


@dataclasses.dataclass(frozen=True)
class Base:
    """A repository that holds other datasets already.

    Parameters
    ----------
    snapshot : `~harness.stages.snapshots.Snapshot`
        Its state.
    fingerprint : `str`
        What the state depends on.
    datasets : `tuple` [`~harness.datasets.manifest.Dataset`]
        What is in it.
    """

    snapshot: Snapshot
    fingerprint: str
    datasets: tuple[Dataset, ...]


@dataclasses.dataclass
class Runner:
    """Runs the stages of one dataset.

    Parameters
    ----------
    plugins : `~harness.plugins.Plugins`
        Where stages, checks and observers come from.
    dataset : `~harness.datasets.manifest.Dataset`
        What to run.
    kit : `~harness.instrument.kit.InstrumentKit`
        Its instrument.
    engine : `~harness.engines.base.Engine`
        What executes quanta.
    store : `~harness.stages.snapshots.SnapshotStore`
        Where states are kept.
    fresh : `bool`, optional
        Build every stage again, even if there is a valid snapshot.
    base : `Base`, optional
        The repository of other datasets that this one is added to, rather than to an empty one.
    repository_config : `~collections.abc.Mapping`, optional
        Butler configuration of a new repository; what the kit needs by default.
    """

    plugins: Plugins
    dataset: Dataset
    kit: InstrumentKit
    engine: Engine
    store: SnapshotStore
    fresh: bool = False
    base: Base | None = None
    repository_config: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.repository_config is None:
            self.repository_config = self.kit.repository_config
        self.capabilities = self.kit.applicable(self.dataset) | (frozenset({SHARED}) if self.base else frozenset())
        self.graph = StageGraph(self.plugins.stages().values(), self.capabilities)
        self.done: dict[str, Snapshot] = {}
        self.prints: dict[str, str] = {}
        for stage in self.graph.stages.values():
            if self.base and stage.name == FIRST:
                self.prints[stage.name] = self.base.fingerprint
            else:
                self.prints[stage.name] = fingerprint(
                    stage,
                    self.dataset,
                    self.kit,
                    self.engine.name,
                    {p: self.prints[p] for p in parents(stage)},
                    self.repository_config if stage.extends is None else {},
                )

    def execute(self, record: RunRecord, stages: list[Stage] | None = None) -> None:
        """Run stages, and the checks after each; tell the observers.

        Parameters
        ----------
        record : `~harness.results.RunRecord`
            Filled in as the run goes on.
        stages : `list` [`~harness.stage.Stage`], optional
            What to run, in order; all stages by default.
        """
        start = time.perf_counter()
        self.plugins.notify("harness_run_started", run=record)
        done = self.done = {FIRST: self.base.snapshot} if self.base else {}
        facts: dict[str, Mapping[str, Any]] = {}
        for stage in self.stages() if stages is None else stages:
            if any(p not in done for p in parents(stage)):
                continue  # a stage before it failed, which is reported
            self.plugins.notify("harness_stage_started", run=record, stage=stage)
            outcome, snapshot = self._obtain(stage, done, facts, record)
            record.outcomes.append(outcome)
            self.plugins.notify("harness_stage_finished", run=record, stage=stage, outcome=outcome)
            if snapshot is None:
                continue
            done[stage.name] = snapshot
            facts[stage.name] = outcome.facts
            if snapshot.repo.exists():
                record.repos[stage.name] = snapshot.repo
                self._check(stage, snapshot, facts, record)
        record.seconds = time.perf_counter() - start

    def stages(self, until: str | None = None) -> list[Stage]:
        """Return the stages that are run up to one, in order (`list` [`~harness.stage.Stage`])."""
        return [s for s in self.graph.until(until) if not (self.base and s.name == FIRST)]

    def reached(self, stage: str) -> Base:
        """Return the state after a stage that has been run, for other datasets to be added to (`Base`)."""
        others = self.base.datasets if self.base else ()
        return Base(self.done[stage], self.prints[stage], (*others, self.dataset))

    def build(self, until: str) -> Snapshot:
        """Return the snapshot of a stage, running what is missing and no checks.

        Raises
        ------
        HarnessError
            If some stage fails.
        """
        done = self.done = {FIRST: self.base.snapshot} if self.base else {}
        facts: dict[str, Mapping[str, Any]] = {}
        for stage in self.stages(until):
            outcome, snapshot = self._obtain(stage, done, facts, None)
            if snapshot is None:
                raise HarnessError(f"stage {stage.name} failed: {outcome.error}", remedy=outcome.remedy)
            done[stage.name], facts[stage.name] = snapshot, outcome.facts
        return done[until]

    # --- one stage -------------------------------------------------------------------------------

    def _obtain(
        self,
        stage: Stage,
        done: Mapping[str, Snapshot],
        facts: Mapping[str, Mapping[str, Any]],
        record: RunRecord | None,
    ) -> tuple[StageOutcome, Snapshot | None]:
        start = time.perf_counter()
        key = (self.dataset.name, stage.name, self.prints[stage.name])
        with self.store.lock(*key):
            snapshot = self.store.find(*key)
            if snapshot is not None and not self.fresh:
                return StageOutcome(stage, time.perf_counter() - start, restored=True, facts=snapshot.facts), snapshot
            self.store.discard(*key)
            log = record.folder / "logs" / f"{stage.name}.log" if record else None
            try:
                with _logging_to(log), self.store.build(*key) as folder, self._logs_kept(stage, folder):
                    self._run(stage, folder, done, facts, record)
            except HarnessError as error:
                return self._failed(stage, start, str(error.args[0]), error.remedy), None
            except OSError as error:
                # The file system: full, read-only, no permission. Nothing half-built has been left.
                message = f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
                remedy = "make room there, or choose another folder with --work"
                return self._failed(stage, start, message, remedy, environment=True), None
            except Exception as error:  # a bug of a stage must not hide the verdicts of the others
                if log:
                    with log.open("a") as out:
                        traceback.print_exc(file=out)
                remedy = f"this is a bug: its traceback is in {log}" if log else ""
                if not record:
                    raise
                return self._failed(stage, start, f"{type(error).__name__}: {error}", remedy), None
            snapshot = Snapshot(self.store.path(*key))
        return StageOutcome(stage, time.perf_counter() - start, facts=snapshot.facts), snapshot

    @contextmanager
    def _logs_kept(self, stage: Stage, folder: Path) -> Iterator[None]:
        """Keep the logs of a stage that fails, if they are in its own folder, which goes."""
        try:
            yield
        except HarnessError as error:
            logs = sorted((folder / "outputs").glob("*.log"))
            if logs:
                kept = self.store.root / self.dataset.name / f"failed-{stage.name}"
                kept.mkdir(exist_ok=True)
                for log in logs:
                    shutil.copy(log, kept)
                error.remedy = error.remedy.replace(str(folder / "outputs"), str(kept))
            raise

    @staticmethod
    def _failed(stage: Stage, start: float, error: str, remedy: str, environment: bool = False) -> StageOutcome:
        seconds = time.perf_counter() - start
        return StageOutcome(stage, seconds, error=error, remedy=remedy, environment=environment)

    def _run(
        self,
        stage: Stage,
        folder: Path,
        done: Mapping[str, Snapshot],
        facts: Mapping[str, Mapping[str, Any]],
        record: RunRecord | None,
    ) -> None:
        outputs = folder / "outputs"
        outputs.mkdir()
        origin = done[stage.extends].repo if stage.extends else None
        if origin and origin.exists():
            fork_repository(origin, folder / "repo")

        def progress(message: str) -> None:
            if record:
                self.plugins.notify("harness_stage_progress", run=record, stage=stage, message=message)

        context = StageContext(
            repo=folder / "repo",
            outputs=outputs,
            inputs={name: done[name].outputs for name in parents(stage)},
            dataset=self.dataset,
            kit=self.kit,
            engine=self.engine,
            facts=facts,
            progress=progress,
            logs=record.folder / "logs" if record else None,
            origin=origin,
            base=self.base.snapshot.repo if self.base else None,
            repository_config=self.repository_config or {},
        )
        (folder / "facts.json").write_text(json.dumps(stage.run(context), indent=1))

    # --- checks ----------------------------------------------------------------------------------

    def _check(
        self, stage: Stage, snapshot: Snapshot, facts: Mapping[str, Mapping[str, Any]], record: RunRecord
    ) -> None:
        log = record.folder / "logs" / f"checks-{stage.name}.log"
        with _logging_to(log), self.context(snapshot.repo, facts) as context:
            for item in self.applicable(stage):
                result = run_check(item, context, stage.name)
                record.results.append(result)
                self.plugins.notify("harness_check_finished", run=record, result=result)

    def applicable(self, stage: Stage) -> Iterable[Check]:
        """Return the checks to run after a stage.

        Those that begin to hold there; and after a stage from which nothing goes on, all that hold by then, but not
        those that would open files which the stage itself has proven to be as they were.
        """
        before = self.graph.ancestors(stage.name) | {stage.name}
        tip = not any(s.extends == stage.name for s in self.graph.stages.values())
        for item in self.plugins.checks().values():
            if not item.needs <= self.capabilities:
                continue
            proven = item.deep and item.family in stage.proves
            if item.after == stage.name or (tip and item.after in before and not proven):
                yield item

    @contextmanager
    def context(self, repo: Path, facts: Mapping[str, Mapping[str, Any]]) -> Iterator[CheckContext]:
        """Open a repository for checks, without write access."""
        from lsst.daf.butler import Butler

        with Butler.from_config(str(repo), writeable=False) as butler:
            others = self.base.datasets if self.base else ()
            yield CheckContext(butler, repo, self.plugins.instruments(), self.dataset, facts, others)


@contextmanager
def _logging_to(path: Path | None) -> Iterator[None]:
    """Send all log records of a stage to a file, and only there."""
    if path is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("{levelname} {asctime} {name} - {message}", style="{"))
    root = logging.getLogger()
    previous, level = root.handlers[:], root.level
    root.handlers, root.level = [handler], logging.INFO
    try:
        yield
    finally:
        root.handlers, root.level = previous, level
        handler.close()
