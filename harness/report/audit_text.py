"""An audit in words: by family, then each finding with what to look at and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from ..audit.plan import in_shell
from ..verdicts import Verdict, worst
from .progress import MARKS, tally

if TYPE_CHECKING:
    from ..audit.running import AuditFinding, AuditReport, CheckAudit
    from ..plugins import PluginState

__all__ = ["audit_verdict", "finding_text", "plural", "print_audit", "printable"]

SHOWN = 5
"""Findings of a check that are shown unless more are asked for."""


def printable(text: str) -> str:
    """Return a text that any terminal and any file can take: names of files may hold anything."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def plural(number: int, word: str) -> str:
    """Write a number of things: ``1 finding``, ``2 findings``."""
    return f"{number:,} {word}{'s' * (number != 1)}"


def audit_verdict(report: AuditReport, quarantined: list[PluginState]) -> Verdict:
    """Return the verdict of an audit; with a plugin in quarantine it is at best unknown."""
    return worst([report.verdict, *([Verdict.UNKNOWN] if quarantined else [])])


def finding_text(found: AuditFinding, folder: str) -> Iterator[str]:
    """Write a finding in lines: id and message, place, values, the command that shows it, the remedy.

    Parameters
    ----------
    found : `~harness.audit.running.AuditFinding`
        The finding.
    folder : `str`
        The repository, put into the commands.
    """
    finding = found.finding
    yield f"{found.id} {printable(finding.message)}{' (accepted before, but it has changed)' if found.changed else ''}"
    data_id = ", ".join(f"{k}={v}" for k, v in finding.data_id.items())
    place = "; ".join(p for p in (data_id and f"data ID {data_id}", finding.where and f"in {finding.where}") if p)
    if place:
        yield printable(place)
    if finding.seen or finding.expected:
        yield printable(f"seen {finding.seen or '-'}, expected {finding.expected or '-'}")
    if finding.look:
        yield f"$ {printable(in_shell(finding.look, folder))}"
    if finding.remedy:
        yield from (f"→ {printable(in_shell(line, folder))}" for line in finding.remedy.splitlines())


def print_audit(console: Console, report: AuditReport, quarantined: list[PluginState], shown: int = SHOWN) -> None:
    """Print an audit.

    Parameters
    ----------
    console : `rich.console.Console`
        Where to print.
    report : `~harness.audit.running.AuditReport`
        The audit.
    quarantined : `list` [`~harness.plugins.PluginState`]
        Plugins that are out of use.
    shown : `int`, optional
        Show at most so many findings of each check.
    """

    def line(text: str = "", style: str = "") -> None:
        console.print(Text(printable(text), style=style), soft_wrap=True)

    what = ", ".join(w for w in (report.universe and f"universe {report.universe}", report.dialect) if w)
    line(f"audit of {report.repository} ({what})", "bold")
    for note in report.notes:
        line(f"  {note}")
    _families(line, report)
    bad = [
        c for v in (Verdict.FAIL, Verdict.UNKNOWN) for c in report.checks if report.counts(c) and c.result.verdict is v
    ]
    for item in bad:
        _check(line, item, report.folder, shown)
    line()
    for reason, ids in report.left_out.items():
        line(f"  {plural(len(ids), 'check')} left out: {reason}", "dim")
    for state in quarantined:
        line(f"? plugin {state.name} ({state.distribution} {state.version}) is quarantined: {state.reason}", "yellow")
    for doubt in report.doubts:
        line(f"? {doubt}", "yellow")
    for entry in report.stale:
        line(f"  accepted, but no longer found: {entry.id} {entry.check}: {entry.message}", "dim")
    _last(line, report, audit_verdict(report, quarantined))


def _families(line: Callable[..., None], report: AuditReport) -> None:
    families: dict[str, list[CheckAudit]] = {}
    for item in report.checks:
        families.setdefault(item.check.family, []).append(item)
    width = max((len(f) for f in families), default=0)
    for family, items in families.items():
        counting = [c for c in items if report.counts(c)]
        if not counting:
            line(f"  - {family:<{width}}  nothing to look at", "dim")
            continue
        sign, style = MARKS[worst(c.result.verdict for c in counting)]
        words = [tally([c.result for c in counting])]
        found, silenced = sum(c.count for c in items), sum(c.silenced for c in items)
        words += [plural(found, "finding")] if found else []
        words += [f"{silenced:,} accepted"] if silenced else []
        line(f"  {sign} {family:<{width}}  {', '.join(words)}", style)


def _check(line: Callable[..., None], item: CheckAudit, folder: str, shown: int) -> None:
    sign, style = MARKS[item.result.verdict]
    line()
    line(f"{sign} {item.check.id}: {item.check.title}", style)
    if item.result.reason:
        line(f"    {item.result.reason}")
    for found in item.findings[:shown]:
        first, *rest = finding_text(found, folder)
        line(f"    - {first}")
        for text in rest:
            line(f"      {text}")
    more = item.count - min(shown, len(item.findings))
    if more:
        line(f"    … and {plural(more, 'more finding')}: --limit N, or --format json")


def _last(line: Callable[..., None], report: AuditReport, verdict: Verdict) -> None:
    sign, style = MARKS[verdict]
    counting = [c for c in report.checks if report.counts(c)]
    found = sum(c.count for c in report.checks)
    words = [tally([c.result for c in counting]) or "no check looked at anything"]
    words += [plural(found, "finding")] if found else []
    words += [f"{report.silenced:,} accepted"] if report.silenced else []
    words += [f"{plural(len(report.stale), 'accepted finding')} no longer found"] if report.stale else []
    line(
        f"{sign} {verdict.value.upper()}  {report.repository}: {', '.join(words)}, {report.seconds:.1f} s",
        f"bold {style}",
    )
