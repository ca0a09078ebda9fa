"""The files that a run leaves: ``verdict.json``, ``junit.xml``, ``timings.json`` and the ``latest`` link."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

from ..plugins import PluginState
from ..results import RunRecord
from ..verdicts import CheckResult, Verdict
from .summary import final_verdict, finding_lines, overall_verdict

__all__ = ["link_latest", "write_files", "write_overview"]

SCHEMA = 1
"""Version of the layout of ``verdict.json``."""


def write_files(record: RunRecord, quarantined: list[PluginState]) -> None:
    """Write the files of a run into its folder.

    Parameters
    ----------
    record : `~harness.results.RunRecord`
        The run.
    quarantined : `list` [`~harness.plugins.PluginState`]
        Plugins that are out of use.
    """
    verdict = {
        "schema": SCHEMA,
        "run": record.id,
        "verdict": final_verdict(record, quarantined).value,
        "dataset": record.dataset.name,
        "instrument": record.dataset.instrument,
        "engine": record.engine,
        "scale": record.scale,
        "started": record.started.isoformat(),
        "seconds": round(record.seconds, 3),
        "environment": dict(record.environment),
        "stages": [
            {
                "name": o.stage.name,
                "seconds": round(o.seconds, 3),
                "restored": o.restored,
                "error": o.error,
                "remedy": o.remedy,
                "repo": str(record.repos.get(o.stage.name, "")),
                "facts": dict(o.facts),
            }
            for o in record.outcomes
        ],
        "checks": [_check(r) for r in record.results],
        "quarantined": [dataclasses.asdict(s) for s in quarantined],
    }
    _write(record.folder / "verdict.json", json.dumps(verdict, indent=1))
    timings = {
        "stages": {o.stage.name: round(o.seconds, 4) for o in record.outcomes},
        "checks": {f"{r.check.id}@{r.stage}": round(r.seconds, 4) for r in record.results},
    }
    _write(record.folder / "timings.json", json.dumps(timings, indent=1))
    _junit(record, record.folder / "junit.xml")


def write_overview(folder: Path, records: list[RunRecord], wanted: int, quarantined: list[PluginState]) -> None:
    """Write ``verdict.json`` of several datasets in one repository; each has its own files in a folder below.

    Parameters
    ----------
    folder : `~pathlib.Path`
        The folder of the run.
    records : `list` [`~harness.results.RunRecord`]
        The datasets that were reached.
    wanted : `int`
        How many there are.
    quarantined : `list` [`~harness.plugins.PluginState`]
        Plugins that are out of use.
    """
    overview = {
        "schema": SCHEMA,
        "run": folder.name,
        "verdict": overall_verdict(records, wanted, quarantined).value,
        "wanted": wanted,
        "datasets": {r.dataset.name: final_verdict(r, quarantined).value for r in records},
        "seconds": round(sum(r.seconds for r in records), 3),
    }
    _write(folder / "verdict.json", json.dumps(overview, indent=1))


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    partial = path.with_name(path.name + ".part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def _check(result: CheckResult) -> dict[str, Any]:
    return {
        "id": result.check.id,
        "stage": result.stage,
        "verdict": result.verdict.value,
        "examined": result.examined,
        "seconds": round(result.seconds, 4),
        "reason": result.reason,
        "traceback": result.traceback,
        "findings": [
            {**dataclasses.asdict(f), "data_id": {k: str(v) for k, v in f.data_id.items()}} for f in result.findings
        ],
    }


def _junit(record: RunRecord, path: Path) -> None:
    """Write JUnit XML: a case for each stage and for each check after each stage."""
    from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

    suite = TestSuite(f"harness.{record.dataset.name}")
    for outcome in record.outcomes:
        case = TestCase(outcome.stage.name, f"{record.dataset.name}.stages", outcome.seconds)
        if outcome.error:
            case.result = [Error(outcome.error, outcome.remedy)]
        suite.add_testcase(case)
    for result in record.results:
        case = TestCase(result.check.id, f"{record.dataset.name}.{result.stage}", result.seconds)
        if result.verdict is Verdict.FAIL:
            repo = str(record.repos.get(result.stage, "REPO"))
            failure = Failure(f"{len(result.findings)} findings: {result.findings[0].message}")
            failure.text = "\n\n".join("\n".join(finding_lines(f, repo)) for f in result.findings)
            case.result = [failure]
        elif result.verdict is Verdict.UNKNOWN:
            unknown = Error(f"unknown: {result.reason}")
            unknown.text = result.traceback
            case.result = [unknown]
        suite.add_testcase(case)
    xml = JUnitXml()
    xml.add_testsuite(suite)
    partial = path.with_name(path.name + ".part")
    xml.write(str(partial), pretty=True)
    partial.replace(path)


def link_latest(folder: Path) -> None:
    """Point the ``latest`` link beside a run's folder at it."""
    link = folder.parent / "latest"
    new = folder.parent / f".latest-{os.getpid()}"
    new.symlink_to(folder.name)
    new.replace(link)
