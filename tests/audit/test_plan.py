from __future__ import annotations

import datetime
import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.audit.plan import in_shell, plan_lines
from harness.audit.running import AuditReport
from harness.audit.selection import Request
from harness.verdicts import Finding

FOLDERS = st.text(st.characters(codec="utf-8", exclude_categories=("C",)), min_size=1).filter(
    lambda t: "{repo}" not in t
)


@given(FOLDERS)
def test_a_repository_of_any_name_is_one_word(folder: str) -> None:
    assert shlex.split(in_shell("ls {repo}", folder)) == ["ls", folder]
    assert shlex.split(in_shell("ls -l '{repo}/a b' {repo}/c", folder)) == ["ls", "-l", f"{folder}/a b", f"{folder}/c"]


@pytest.fixture
def planned(audited, small: Path, finds):
    """The plan for findings with given remedies."""

    def plan(*remedies: str, **kwargs) -> list[str]:
        findings = [Finding("lost", where=str(n), remedy=text) for n, text in enumerate(remedies)]
        return list(plan_lines(audited(small, [finds("datastore.example", *findings, **kwargs)])))

    return plan


def effective(lines: list[str]) -> list[str]:
    return [line for line in lines if line and not line.startswith("#")]


def test_what_adds_is_a_command_and_what_takes_away_a_comment(planned, small: Path) -> None:
    lines = planned(
        "butler define-visits {repo} Cam",
        "butler query-datasets {repo}",
        "butler remove-runs {repo} one",
        "butler prune-datasets {repo} --purge one",
        "butler some-new-command {repo}",
        "rm -rf {repo}",
        "look for the file in the backups\nrm -rf {repo}/two",
    )
    assert effective(lines) == ["set -eu", f"butler define-visits {small} Cam", f"butler query-datasets {small}"]
    assert f"#butler remove-runs {small} one" in lines
    assert "# 'butler remove-runs' may take something away: look first, then remove the #" in lines


def test_each_remedy_once(planned) -> None:
    lines = planned(*["butler define-visits {repo} Cam"] * 9)
    assert sum("define-visits" in line for line in lines) == 1
    assert any("and 3 more" in line for line in lines)


def test_the_remedy_of_the_check_is_that_of_its_findings(planned, small: Path) -> None:
    lines = planned("", remedy="butler register-instrument {repo} x.Cam")
    assert f"butler register-instrument {small} x.Cam" in lines


@given(st.text(max_size=60))
def test_nothing_escapes_from_a_comment(remedy: str) -> None:
    report = AuditReport("/r", "/r", Request(), datetime.datetime.now(tz=datetime.UTC), "sqlite")
    report.checks = [_with(remedy)]
    text = "\n".join(plan_lines(report))
    for line in text.split("\n"):
        assert not line or line.startswith(("#", "set -eu", "butler query-", *(f"butler {v}" for v in ADDS)))


ADDS = (
    "associate",
    "certify",
    "config-validate",
    "define",
    "export",
    "ingest",
    "register",
    "retrieve",
    "transfer",
    "write",
)


def _with(remedy: str):
    from harness.audit.running import AuditFinding, CheckAudit
    from harness.verdicts import Check, CheckResult, Verdict

    item = Check("a.b", remedy, "why", "a", "create", lambda context: ())
    finding = Finding("m", remedy=remedy)
    result = CheckResult(item, "audit", Verdict.FAIL, (finding,), 1, 0.0)
    return CheckAudit(item, result, (AuditFinding("1", "2", finding),))


def test_the_script_is_one_that_a_shell_understands(planned, tmp_path: Path) -> None:
    script = tmp_path / "plan.sh"
    script.write_text(
        "\n".join(planned("butler remove-runs {repo} 'it''s'", 'say "hello', "butler define-visits {repo}"))
    )
    subprocess.run(["sh", "-n", str(script)], check=True)
