"""Every hook of the harness, by phase. A plugin implements those that it wants.

Hooks return values and change nothing. Mark implementations with `hookimpl`::

    from harness.hookspecs import hookimpl

    @hookimpl
    def harness_datasets():
        return [Path(__file__).parent / "datasets" / "mine"]
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from pathlib import Path

    import click

    from .defects.base import Defect
    from .engines.base import Engine
    from .instrument.kit import InstrumentKit
    from .results import RunRecord, StageOutcome
    from .stage import Stage
    from .verdicts import Check, CheckResult

__all__ = ["ENTRY_POINT_GROUP", "PROJECT", "hookimpl", "hookspec"]

PROJECT = "harness"
ENTRY_POINT_GROUP = "gen3_harness"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

# --- what exists ---------------------------------------------------------------------------------


@hookspec
def harness_instruments() -> Iterable[InstrumentKit]:
    """Return the instruments that the plugin provides."""
    raise NotImplementedError  # pragma: no cover


@hookspec
def harness_datasets() -> Iterable[Path]:
    """Return the folders of the datasets (each with a ``manifest.toml``) that the plugin provides."""
    raise NotImplementedError  # pragma: no cover


@hookspec
def harness_stages() -> Iterable[Stage]:
    """Return stages to add to the graph."""
    raise NotImplementedError  # pragma: no cover


@hookspec
def harness_checks() -> Iterable[Check]:
    """Return the invariants that the plugin can check."""
    raise NotImplementedError  # pragma: no cover


@hookspec
def harness_defects() -> Iterable[Defect]:
    """Return seeded defects: corruptions that named checks must find."""
    raise NotImplementedError  # pragma: no cover


@hookspec
def harness_engines() -> Iterable[Engine]:
    """Return the engines that can execute quanta."""
    raise NotImplementedError  # pragma: no cover


@hookspec
def harness_commands(group: click.Group) -> Iterable[click.Command]:
    """Return commands to add to the ``harness`` command line, given its group."""
    raise NotImplementedError  # pragma: no cover


# --- what happens --------------------------------------------------------------------------------


@hookspec
def harness_run_started(run: RunRecord) -> None:
    """Observe that a run begins."""


@hookspec
def harness_stage_started(run: RunRecord, stage: Stage) -> None:
    """Observe that a stage begins."""


@hookspec
def harness_stage_progress(run: RunRecord, stage: Stage, message: str) -> None:
    """Observe what a stage is doing."""


@hookspec
def harness_stage_finished(run: RunRecord, stage: Stage, outcome: StageOutcome) -> None:
    """Observe how a stage ended."""


@hookspec
def harness_check_finished(run: RunRecord, result: CheckResult) -> None:
    """Observe the verdict of a check."""


@hookspec
def harness_run_finished(run: RunRecord) -> None:
    """Observe that a run has its verdict."""


def hook_names() -> list[str]:
    """Return the names of all hooks (`list` [`str`])."""
    module: dict[str, Any] = globals()
    return sorted(n for n in module if n.startswith("harness_"))
