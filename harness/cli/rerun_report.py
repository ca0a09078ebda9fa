"""The rerun matrix on the terminal and as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..report.progress import MARKS
from ..report.summary import finding_lines
from ..verdicts import Verdict, worst

if TYPE_CHECKING:
    from ..plugins import PluginState
    from ..rerun.matrix import CellOutcome, Matrix

__all__ = ["as_json", "print_cell", "print_end"]

SCHEMA = 1
"""Version of the layout of the JSON."""

SHOWN = 4
"""Findings of a cell that are shown; ``--format json`` has all."""


def verdict_of(outcomes: Sequence[CellOutcome], quarantined: Sequence[PluginState]) -> Verdict:
    """Return the verdict of a matrix; with a plugin in quarantine it is at best unknown."""
    verdict = worst(o.verdict for o in outcomes if o.verdict)
    return Verdict.UNKNOWN if verdict is Verdict.PASS and quarantined else verdict


def print_cell(console: Console, outcome: CellOutcome) -> None:
    """Print a line for a cell, and what is wrong below."""

    def line(text: str, style: str = "") -> None:
        console.print(Text(text, style=style), soft_wrap=True)

    head = f"{outcome.cell.id:32} {outcome.engine:10}"
    if outcome.result is None:
        line(f"- {head} does not apply: {outcome.reason}", "dim")
        return
    sign, style = MARKS[outcome.result.verdict]
    runs = len(outcome.invocations)
    line(f"{sign} {head} {outcome.seconds:5.1f} s  {runs} run{'s'[: runs != 1]}  {outcome.result.reason}", style)
    if outcome.result.verdict is Verdict.PASS:
        return
    line(f"    {outcome.cell.title}")
    for finding in outcome.result.findings[:SHOWN]:
        first, *rest = finding_lines(finding, str(outcome.repo))
        line(f"    - {first}")
        for text in rest:
            line(f"      {text}")
    if (more := len(outcome.result.findings) - SHOWN) > 0:
        line(f"    … and {more} more findings")
    line(f"    kept in {outcome.repo}", "dim")


def print_end(
    console: Console | None, outcomes: Sequence[CellOutcome], matrix: Matrix, quarantined: Sequence[PluginState]
) -> int:
    """Print the table of cells and engines and the verdict; return the exit status."""
    verdict = verdict_of(outcomes, quarantined)
    if console is None:
        return int(verdict.exit_code)
    engines = list(dict.fromkeys(o.engine for o in outcomes))
    if len(engines) > 1:
        _table(console, outcomes, engines)
    ran = [o for o in outcomes if o.verdict]
    counts = ", ".join(f"{n} {v}" for v in Verdict if (n := sum(o.verdict is v for o in ran)))
    seconds, comparing = sum(o.seconds for o in ran), sum(o.compare_seconds for o in ran)
    sign, style = MARKS[verdict]
    share = f"{100 * comparing / seconds:.0f} %" if seconds else "-"
    text = (
        f"{sign} {verdict.value.upper()}  {len(ran)} cells: {counts or 'nothing applies'}; "
        f"{seconds + matrix.seconds:.1f} s, of it comparing states {comparing:.1f} s ({share})"
    )
    console.print(Text(text, style=f"bold {style}"), soft_wrap=True)
    for state in quarantined:
        what = f"? plugin {state.name} ({state.distribution} {state.version}) is quarantined: {state.reason}"
        console.print(Text(what, style="yellow"), soft_wrap=True)
    return int(verdict.exit_code)


def _table(console: Console, outcomes: Sequence[CellOutcome], engines: list[str]) -> None:
    table = Table("CELL", *engines, box=None, pad_edge=False, header_style="bold")
    by_cell: dict[str, dict[str, Text]] = {}
    for outcome in outcomes:
        mark = MARKS[outcome.verdict] if outcome.verdict else ("-", "dim")
        by_cell.setdefault(outcome.cell.id, {})[outcome.engine] = Text(mark[0], style=mark[1])
    for cell, marks in by_cell.items():
        table.add_row(cell, *(marks.get(e, Text("")) for e in engines))
    console.print()
    console.print(table)


def as_json(outcomes: Sequence[CellOutcome], matrix: Matrix, quarantined: Sequence[PluginState]) -> str:
    """Return everything as JSON text."""
    facts = {
        "schema": SCHEMA,
        "repository": str(matrix.first.repo),
        "run": matrix.first.output_run,
        "pipeline": matrix.first.pipeline,
        "tasks": [task.label for task in matrix.scope.tasks],
        "quanta": [q.name for q in matrix.world.quanta],
        "verdict": verdict_of(outcomes, quarantined).value,
        "cells": [_cell(o) for o in outcomes],
        "quarantined": [dataclasses.asdict(s) for s in quarantined],
    }
    return json.dumps(facts, indent=1, default=str)


def _cell(outcome: CellOutcome) -> dict[str, Any]:
    result = outcome.result
    return {
        "id": outcome.cell.id,
        "engine": outcome.engine,
        "verdict": outcome.verdict.value if outcome.verdict else None,
        "reason": outcome.reason or (result.reason if result else ""),
        "seconds": round(outcome.seconds, 3),
        "compare_seconds": round(outcome.compare_seconds, 3),
        "repo": str(outcome.repo) if outcome.repo else "",
        "invocations": [
            {
                "what": i.what,
                "must_fail_with": i.required,
                "exit_code": i.result.exit_code,
                "message": i.result.message,
                "log": str(i.result.log),
                "seconds": round(i.result.seconds, 3),
                "quanta": dict(i.quanta),
            }
            for i in outcome.invocations
        ],
        "findings": [dataclasses.asdict(f) for f in result.findings] if result else [],
    }
