"""The record of one run, as observers see it."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import ExitCode
from .verdicts import CheckResult, Verdict, worst

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .datasets.manifest import Dataset
    from .stage import Stage

__all__ = ["RunRecord", "StageOutcome"]


@dataclasses.dataclass(frozen=True)
class StageOutcome:
    """How a stage ended.

    Parameters
    ----------
    stage : `~harness.stage.Stage`
        The stage.
    seconds : `float`
        Wall time (s).
    restored : `bool`
        Whether a valid snapshot was used instead of running it.
    facts : `~collections.abc.Mapping`
        What it returned.
    error : `str`
        Why it failed; empty if it did not.
    remedy : `str`
        What to do about it.
    environment : `bool`
        Whether it failed because of the machine (disk full, no access), which says nothing about the middleware.
    """

    stage: Stage
    seconds: float
    restored: bool = False
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    error: str = ""
    remedy: str = ""
    environment: bool = False


@dataclasses.dataclass
class RunRecord:
    """One execution of stages and checks.

    Parameters
    ----------
    id : `str`
        Name of the run's folder.
    folder : `~pathlib.Path`
        Where its files go.
    dataset : `~harness.datasets.manifest.Dataset`
        What is run.
    engine : `str`
        Name of the engine.
    scale : `int`
        Binning of the simulated pixels.
    environment : `~collections.abc.Mapping` [`str`, `str`]
        Versions of Python, the middleware and the plugins.
    started : `datetime.datetime`
        Start (UTC).
    outcomes : `list` [`StageOutcome`]
        The stages so far.
    results : `list` [`~harness.verdicts.CheckResult`]
        The checks so far.
    repos : `dict` [`str`, `~pathlib.Path`]
        The repository after each stage that has one.
    seconds : `float`
        Wall time of the whole run (s).
    startup_seconds : `float`
        Part of it spent in imports and process starts.
    """

    id: str
    folder: Path
    dataset: Dataset
    engine: str
    scale: int
    environment: Mapping[str, str]
    started: datetime.datetime
    outcomes: list[StageOutcome] = dataclasses.field(default_factory=list)
    results: list[CheckResult] = dataclasses.field(default_factory=list)
    repos: dict[str, Path] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0
    startup_seconds: float = 0.0

    @property
    def failed_stage(self) -> StageOutcome | None:
        """The stage that failed, if any."""
        return next((o for o in self.outcomes if o.error), None)

    @property
    def verdict(self) -> Verdict:
        """The worst of the checks; fail if a stage failed, unknown if that was for want of room or access."""
        failed = [Verdict.UNKNOWN if o.environment else Verdict.FAIL for o in self.outcomes if o.error]
        return worst([*failed, *(r.verdict for r in self.results)])

    @property
    def exit_code(self) -> ExitCode:
        """Exit status that the run leads to (`~harness.errors.ExitCode`)."""
        if self.verdict is Verdict.UNKNOWN and any(o.environment for o in self.outcomes):
            return ExitCode.USAGE
        return self.verdict.exit_code
