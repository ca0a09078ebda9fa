"""The verdict, on one screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ..plugins import PluginState
from ..results import RunRecord
from ..verdicts import CheckResult, Finding, Verdict, worst
from .progress import MARKS, tally

__all__ = ["final_verdict", "finding_lines", "overall_verdict", "print_overview", "print_summary"]

SHOWN_CHECKS = 6
SHOWN_FINDINGS = 2


def final_verdict(record: RunRecord, quarantined: Iterable[PluginState]) -> Verdict:
    """Return the verdict of a run; with a plugin in quarantine it is at best unknown."""
    verdict = record.verdict
    return Verdict.UNKNOWN if verdict is Verdict.PASS and list(quarantined) else verdict


def overall_verdict(records: list[RunRecord], wanted: int, quarantined: Iterable[PluginState]) -> Verdict:
    """Return the verdict of several datasets in one repository: the worst of theirs; fail if not all were reached."""
    verdicts = [final_verdict(r, list(quarantined)) for r in records]
    return worst([*verdicts, *([] if len(records) == wanted else [Verdict.FAIL])])


def print_overview(
    console: Console, folder: Path, label: str, records: list[RunRecord], wanted: int, quarantined: list[PluginState]
) -> None:
    """Print the verdict on several datasets in one repository.

    Parameters
    ----------
    console : `rich.console.Console`
        Where to print.
    folder : `~pathlib.Path`
        The folder of the run.
    label : `str`
        What was asked for.
    records : `list` [`~harness.results.RunRecord`]
        The datasets that were reached.
    wanted : `int`
        How many there are.
    quarantined : `list` [`~harness.plugins.PluginState`]
        Plugins that are out of use.
    """
    verdict = overall_verdict(records, wanted, quarantined)
    sign, style = MARKS[verdict]
    results = [r for record in records for r in record.results]
    reached = f"{wanted} datasets" if len(records) == wanted else f"{len(records)} of {wanted} datasets"
    text = f"{sign} {verdict.value.upper()}  {label}: {reached} in one repository, {tally(results) or 'no checks'}, "
    console.print()
    console.print(Text(f"{text}{sum(r.seconds for r in records):.1f} s", style=f"bold {style}"), soft_wrap=True)
    console.print(Text(f"  {folder}", style="dim"), soft_wrap=True)


def finding_lines(finding: Finding, repo: str) -> list[str]:
    """Write a finding in lines: what, where, seen and expected, and a command to look.

    Parameters
    ----------
    finding : `~harness.verdicts.Finding`
        The finding.
    repo : `str`
        Repository, put into the command.
    """
    lines = [finding.message]
    data_id = ", ".join(f"{k}={v}" for k, v in finding.data_id.items())
    place = "; ".join(p for p in (data_id and f"data ID {data_id}", finding.where and f"in {finding.where}") if p)
    if place:
        lines.append(place)
    if finding.seen or finding.expected:
        lines.append(f"seen {finding.seen or '-'}, expected {finding.expected or '-'}")
    if finding.look:
        lines.append(f"$ {finding.look.replace('{repo}', repo)}")
    return lines


def print_summary(console: Console, record: RunRecord, quarantined: list[PluginState]) -> None:
    """Print the verdict, and for each failure what to look at.

    Parameters
    ----------
    console : `rich.console.Console`
        Where to print.
    record : `~harness.results.RunRecord`
        The run.
    quarantined : `list` [`~harness.plugins.PluginState`]
        Plugins that are out of use.
    """

    def line(text: str = "", style: str = "") -> None:
        console.print(Text(text, style=style), soft_wrap=True)

    line()
    for outcome in record.outcomes:
        if outcome.error:
            line(f"✗ stage {outcome.stage.name} failed: {outcome.error}", "red")
            if outcome.remedy:
                line(f"    {outcome.remedy}")
    bad = [r for v in (Verdict.FAIL, Verdict.UNKNOWN) for r in record.results if r.verdict is v]
    for result in bad[:SHOWN_CHECKS]:
        _print_result(line, result, str(record.repos.get(result.stage, "REPO")))
    if len(bad) > SHOWN_CHECKS:
        line(f"  … and {len(bad) - SHOWN_CHECKS} more checks that do not pass: see {record.folder / 'verdict.json'}")
    for state in quarantined:
        line(f"? plugin {state.name} ({state.distribution} {state.version}) is quarantined: {state.reason}", "yellow")
    verdict = final_verdict(record, quarantined)
    sign, style = MARKS[verdict]
    restored = sum(o.restored for o in record.outcomes)
    stages = f"{len(record.outcomes)} stages" + (f" ({restored} from snapshots)" if restored else "")
    line(
        f"{sign} {verdict.value.upper()}  {record.dataset.name}: {stages}, {tally(record.results) or 'no checks'}, "
        f"{record.seconds:.1f} s",
        f"bold {style}",
    )
    line(f"  {record.folder}", "dim")


def _print_result(write: Callable[..., None], result: CheckResult, repo: str) -> None:
    sign, style = MARKS[result.verdict]
    write(f"{sign} {result.check.id} (after {result.stage}): {result.check.title}", style)
    if result.reason:
        write(f"    {result.reason}")
    for finding in result.findings[:SHOWN_FINDINGS]:
        first, *rest = finding_lines(finding, repo)
        write(f"    - {first}")
        for text in rest:
            write(f"      {text}")
    if len(result.findings) > SHOWN_FINDINGS:
        write(f"    … and {len(result.findings) - SHOWN_FINDINGS} more findings")
