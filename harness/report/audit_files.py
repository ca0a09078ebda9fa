"""An audit for programs: JSON and JUnit XML."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..audit.plan import in_shell
from ..errors import HarnessError
from ..verdicts import Verdict
from .audit_text import audit_verdict, finding_text, plural, printable

if TYPE_CHECKING:
    from ..audit.running import AuditFinding, AuditReport, CheckAudit
    from ..plugins import PluginState

__all__ = ["SCHEMA", "as_json", "as_junit", "read_report", "write_whole"]

SCHEMA = 1
"""Version of the layout of the JSON."""


def as_json(report: AuditReport, quarantined: list[PluginState]) -> str:
    """Write an audit as JSON.

    Parameters
    ----------
    report : `~harness.audit.running.AuditReport`
        The audit.
    quarantined : `list` [`~harness.plugins.PluginState`]
        Plugins that are out of use.
    """
    families: dict[str, dict[str, int]] = {}
    for item in report.checks:
        counts = families.setdefault(item.check.family, {v.value: 0 for v in Verdict} | {"idle": 0, "findings": 0})
        counts["idle" if item.result.idle else item.result.verdict.value] += 1
        counts["findings"] += item.count
    scope = report.scope
    content = {
        "schema": SCHEMA,
        "verdict": audit_verdict(report, quarantined).value,
        "repository": report.repository,
        "universe": report.universe,
        "database": report.dialect,
        "started": report.started.isoformat(),
        "seconds": round(report.seconds, 3),
        "scope": {
            "families": report.request.families,
            "checks": report.request.checks,
            "since": report.request.since,
            "collections": scope.collections,
            "sample": scope.sample,
            "deep": report.request.opens_files,
        },
        "doubts": report.doubts,
        "notes": report.notes,
        "families": families,
        "checks": [_check(c, report.folder) for c in report.checks],
        "left_out": report.left_out,
        "accepted": {
            "silenced": report.silenced,
            "stale": [e.model_dump(mode="json") for e in report.stale],
        },
        "quarantined": [f"{s.name} ({s.distribution}): {s.reason}" for s in quarantined],
    }
    return json.dumps(content, indent=1) + "\n"


def _check(item: CheckAudit, folder: str) -> dict[str, Any]:
    result = item.result
    return {
        "id": item.check.id,
        "family": item.check.family,
        "title": item.check.title,
        "verdict": result.verdict.value,
        "idle": result.idle,
        "examined": result.examined,
        "seconds": round(result.seconds, 4),
        "reason": result.reason,
        "traceback": result.traceback,
        "silenced": item.silenced,
        "more": result.more,
        "findings": [_finding(f, folder) for f in item.findings],
    }


def _finding(found: AuditFinding, folder: str) -> dict[str, Any]:
    finding = found.finding
    return {
        "id": found.id,
        "content": found.content,
        "changed": found.changed,
        "message": printable(finding.message),
        "data_id": {k: v if isinstance(v, int | str) else str(v) for k, v in finding.data_id.items()},
        "where": printable(finding.where),
        "seen": printable(finding.seen),
        "expected": printable(finding.expected),
        "look": printable(in_shell(finding.look, folder)),
        "remedy": printable(in_shell(finding.remedy, folder)),
    }


def as_junit(report: AuditReport, quarantined: list[PluginState]) -> str:
    """Write an audit as JUnit XML: a suite for each family, a case for each check.

    Parameters
    ----------
    report : `~harness.audit.running.AuditReport`
        The audit.
    quarantined : `list` [`~harness.plugins.PluginState`]
        Plugins that are out of use.
    """
    from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

    xml = JUnitXml("harness.audit")
    suites: dict[str, TestSuite] = {}

    def case(family: str, name: str, seconds: float, outcome: Any = None) -> None:
        suite = suites.setdefault(family, TestSuite(f"audit.{family}"))
        new = TestCase(name, f"audit.{family}", round(seconds, 4))
        if outcome is not None:
            new.result = [outcome]
        suite.add_testcase(new)

    for item in report.checks:
        result = item.result
        outcome: Any = None
        if result.verdict is Verdict.FAIL:
            first = printable(item.findings[0].finding.message)
            outcome = Failure(f"{plural(item.count, 'finding')}: {first}")
            outcome.text = "\n\n".join("\n".join(finding_text(f, report.folder)) for f in item.findings)
        elif not report.counts(item):
            outcome = Skipped(result.reason)
        elif result.verdict is Verdict.UNKNOWN:
            outcome = Error(f"unknown: {printable(result.reason)}")
            outcome.text = printable(result.traceback)
        case(item.check.family, item.check.id, result.seconds, outcome)
    for reason, ids in report.left_out.items():
        for name in ids:
            case(name.partition(".")[0], name, 0.0, Skipped(reason))
    doubts = [*report.doubts, *(f"plugin {s.name} is quarantined: {s.reason}" for s in quarantined)]
    for number, doubt in enumerate(doubts, 1):
        case("repository", f"doubt {number}", 0.0, Error(printable(doubt)))
    for suite in suites.values():
        xml.add_testsuite(suite)
    # what makes a string of it is untyped
    statistics, string = cast(Any, xml.update_statistics), cast(Any, xml.tostring)
    statistics()
    text: str = string().decode()
    return text + "\n"


def write_whole(path: Path, text: str) -> None:
    """Write a file whole or not at all.

    Raises
    ------
    HarnessError
        If that cannot be.
    """
    partial = path.with_name(path.name + ".part")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise HarnessError(f"{path} cannot be written: {error.strerror}", code="no-output") from error


def read_report(path: Path) -> Mapping[str, tuple[str, str, str]]:
    """Read check, content and message of each finding of an audit that was saved as JSON, by the finding's id.

    Raises
    ------
    HarnessError
        If it is no such file.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {
            f["id"]: (c["id"], f["content"], f["message"])
            for c in content["checks"]
            for f in c["findings"]
            if content["schema"] == SCHEMA
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HarnessError(
            f"{path} is no report of an audit: {error}",
            remedy="make it with --format json --output FILE",
            code="report",
        ) from error
