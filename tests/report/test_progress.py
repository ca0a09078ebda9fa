"""The live display and the summary, on a terminal of known size."""

from __future__ import annotations

import datetime
import io
from pathlib import Path

from rich.console import Console

from harness.plugins import Plugins, PluginState
from harness.report.progress import LiveProgress, tally
from harness.report.summary import print_summary
from harness.results import RunRecord, StageOutcome
from harness.stage import Stage
from harness.verdicts import Check, CheckResult, Finding, Verdict

STAGES = [Stage("create", "create a repository", lambda _: {}), Stage("ingest", "ingest the raw files", lambda _: {})]


def terminal(height: int = 30) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, force_terminal=True, width=100, height=height, color_system=None), out


def result(verdict: Verdict, number: int = 0) -> CheckResult:
    findings = tuple(Finding(f"finding {i}", look="ls {repo}") for i in range(5)) if verdict is Verdict.FAIL else ()
    check = Check(f"time.check-{number}", "Time passes", "", "time", "create", lambda _: [])
    reason = "found nothing to look at" if verdict is Verdict.UNKNOWN else ""
    return CheckResult(check, "create", verdict, findings, 1, 0.1, reason)


def record(dataset, results=(), outcomes=()) -> RunRecord:
    now = datetime.datetime.now(datetime.UTC)
    return RunRecord("r", Path("runs/r"), dataset, "e", 8, {}, now, list(outcomes), list(results), seconds=1.5)


def test_the_live_table_shows_what_happened(dataset) -> None:
    console, out = terminal()
    live = LiveProgress(console, STAGES)
    plugins = Plugins()
    plugins.manager.register(live, "progress")
    run = record(dataset)
    plugins.notify("harness_run_started", run=run)
    plugins.notify("harness_stage_started", run=run, stage=STAGES[0])
    plugins.notify("harness_stage_progress", run=run, stage=STAGES[0], message="writing butler.yaml")
    plugins.notify("harness_stage_finished", run=run, stage=STAGES[0], outcome=StageOutcome(STAGES[0], 2.0))
    plugins.notify("harness_check_finished", run=run, result=result(Verdict.UNKNOWN))
    plugins.notify("harness_stage_started", run=run, stage=STAGES[1])
    failed = StageOutcome(STAGES[1], 0.1, error="no raw files")
    plugins.notify("harness_stage_finished", run=run, stage=STAGES[1], outcome=failed)
    live.close()
    assert not plugins.quarantined
    last = out.getvalue().rpartition(dataset.title)[2]
    assert "? create create a repository 2.0 s 0 of 1 checks pass, 1 unknown" in " ".join(last.split())
    assert "✗ ingest no raw files" in " ".join(last.split())


def test_counting() -> None:
    passed, failed, unknown = (result(v) for v in (Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN))
    assert tally([]) == ""
    assert tally([passed]) == "1 check passes"
    assert tally([passed, passed]) == "2 checks pass"
    assert tally([passed, failed, unknown]) == "1 of 3 checks pass, 1 fail, 1 unknown"


def test_a_summary_fits_a_screen_however_much_fails(dataset) -> None:
    console, out = terminal()
    outcomes = [StageOutcome(STAGES[0], 1.0), StageOutcome(STAGES[1], 1.0, error="no raw files", remedy="make some")]
    results = [result(Verdict.FAIL, i) for i in range(50)] + [result(Verdict.UNKNOWN, 99)]
    broken = PluginState("third", "third-dist", "3", [], "cannot be imported")
    print_summary(console, record(dataset, results, outcomes), [broken])
    lines = out.getvalue().splitlines()
    assert len(lines) <= 45
    assert "✗ stage ingest failed: no raw files" in lines
    assert any("and 45 more checks that do not pass" in line for line in lines)
    assert any("and 3 more findings" in line for line in lines)
    assert any("third (third-dist 3) is quarantined: cannot be imported" in line for line in lines)
    assert lines[-2].startswith("✗ FAIL  ci_hsc: 2 stages, 0 of 51 checks pass, 50 fail, 1 unknown, 1.5 s")


def test_failures_come_before_what_is_unknown(dataset) -> None:
    console, out = terminal()
    print_summary(console, record(dataset, [result(Verdict.UNKNOWN, 1), result(Verdict.FAIL, 2)]), [])
    text = out.getvalue()
    assert text.index("time.check-2") < text.index("time.check-1")
