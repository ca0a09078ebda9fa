"""What is seen while a run goes on: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from ..hookspecs import hookimpl
from ..verdicts import CheckResult, Verdict

if TYPE_CHECKING:
    from ..results import RunRecord, StageOutcome
    from ..stage import Stage

__all__ = ["MARKS", "LiveProgress", "PlainProgress", "tally"]

MARKS = {Verdict.PASS: ("✓", "green"), Verdict.UNKNOWN: ("?", "yellow"), Verdict.FAIL: ("✗", "red")}
"""Sign and colour of each verdict."""


def tally(results: list[CheckResult]) -> str:
    """Say in a few words what came of some checks: ``7 checks pass``, ``6 of 7 checks pass, 1 fail``."""
    if not results:
        return ""
    counts = {v: sum(r.verdict is v for r in results) for v in Verdict}
    bad = [f"{counts[v]} {v.value}" for v in (Verdict.FAIL, Verdict.UNKNOWN) if counts[v]]
    if not bad:
        return "1 check passes" if len(results) == 1 else f"{len(results)} checks pass"
    return f"{counts[Verdict.PASS]} of {len(results)} checks pass, {', '.join(bad)}"


class PlainProgress:
    """One line when a stage ends, and one for each check that does not pass.

    Parameters
    ----------
    console : `rich.console.Console`
        Where to print.
    """

    def __init__(self, console: Console) -> None:
        self.console = console

    def _line(self, text: str, style: str = "") -> None:
        self.console.print(Text(text, style=style), soft_wrap=True)

    @hookimpl
    def harness_run_started(self, run: RunRecord) -> None:
        """Say what is run."""
        self._line(f"{run.dataset.name}: {run.dataset.title} (scale {run.scale}, engine {run.engine})")

    @hookimpl
    def harness_stage_finished(self, run: RunRecord, stage: Stage, outcome: StageOutcome) -> None:  # noqa: ARG002
        """Say how the stage ended."""
        if outcome.error:
            self._line(f"✗ {stage.name:<10} {outcome.error}", "red")
        else:
            how = "from snapshot" if outcome.restored else f"{outcome.seconds:.1f} s"
            self._line(f"✓ {stage.name:<10} {stage.title}: {how}")

    @hookimpl
    def harness_check_finished(self, run: RunRecord, result: CheckResult) -> None:  # noqa: ARG002
        """Say which check does not pass."""
        if result.verdict is not Verdict.PASS:
            sign, style = MARKS[result.verdict]
            what = result.reason or f"{len(result.findings)} finding{'s'[: len(result.findings) != 1]}"
            self._line(f"  {sign} {result.check.id} after {result.stage}: {what}", style)


class LiveProgress:
    """A table of the stages that is redrawn as the run goes on.

    Parameters
    ----------
    console : `rich.console.Console`
        A terminal.
    stages : `list` [`~harness.stage.Stage`]
        The stages that will be run, in order.
    """

    def __init__(self, console: Console, stages: list[Stage]) -> None:
        self._stages = stages
        self._outcomes: dict[str, StageOutcome] = {}
        self._results: dict[str, list[CheckResult]] = {}
        self._message = ""
        self._running = ""
        self._since = time.monotonic()
        self._title = ""
        self._spinner = Spinner("dots")
        self._live = Live(console=console, get_renderable=self._draw, refresh_per_second=8)

    @hookimpl
    def harness_run_started(self, run: RunRecord) -> None:
        """Begin to draw."""
        self._title = f"{run.dataset.name}: {run.dataset.title}"
        self._live.start()

    @hookimpl
    def harness_stage_started(self, run: RunRecord, stage: Stage) -> None:  # noqa: ARG002
        """Show that the stage runs."""
        self._running, self._message, self._since = stage.name, "", time.monotonic()

    @hookimpl
    def harness_stage_progress(self, run: RunRecord, stage: Stage, message: str) -> None:  # noqa: ARG002
        """Show what the stage is doing."""
        self._message = message

    @hookimpl
    def harness_stage_finished(self, run: RunRecord, stage: Stage, outcome: StageOutcome) -> None:  # noqa: ARG002
        """Show how the stage ended."""
        self._outcomes[stage.name] = outcome
        self._running = ""

    @hookimpl
    def harness_check_finished(self, run: RunRecord, result: CheckResult) -> None:  # noqa: ARG002
        """Count the check."""
        self._results.setdefault(result.stage, []).append(result)

    def close(self) -> None:
        """Stop drawing; the table stays."""
        self._running = ""
        self._live.stop()

    def _draw(self) -> Group:
        table = Table.grid(padding=(0, 1))
        for stage in self._stages:
            outcome = self._outcomes.get(stage.name)
            results = self._results.get(stage.name, [])
            if stage.name == self._running:
                self._spinner.update(text="")
                seconds = Text(f"{time.monotonic() - self._since:.1f} s", style="dim")
                table.add_row(self._spinner, stage.name, Text(self._message or stage.title), seconds, "")
            elif outcome is None:
                table.add_row(" ", Text(stage.name, style="dim"), Text(stage.title, style="dim"), "", "")
            elif outcome.error:
                table.add_row(Text("✗", style="red"), stage.name, Text(outcome.error, style="red"), "", "")
            else:
                sign, style = MARKS[max((r.verdict for r in results), key=list(Verdict).index, default=Verdict.PASS)]
                how = Text("snapshot" if outcome.restored else f"{outcome.seconds:.1f} s", style="dim")
                table.add_row(Text(sign, style=style), stage.name, stage.title, how, Text(tally(results), style=style))
        return Group(Text(self._title, style="bold"), table)
