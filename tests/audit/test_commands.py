"""``harness audit``, ``harness accept`` and ``butler audit``, as a user meets them."""

from __future__ import annotations

import json
import shutil
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from click.testing import CliRunner
from junitparser import JUnitXml


@pytest.fixture
def bad(small: Path) -> Path:
    """A repository that has lost a file, and has one too many."""
    next((small / "one").rglob("*.*")).unlink()
    (small / "two" / "stray").write_text("x")
    return small


FAMILY = ("--family", "datastore")


def test_text(harness, bad: Path) -> None:
    done = harness("audit", bad, *FAMILY)
    lines = done.out.splitlines()
    assert (done.code, done.err) == (1, "")
    assert lines[0] == f"audit of {bad} (universe daf_butler 8, sqlite)"
    assert lines[1].startswith("  ✗ datastore  ")
    assert lines[1].endswith(", 2 fail, 2 findings")
    at = lines.index("✗ datastore.no-orphans: Every file in the datastore belongs to a dataset")
    assert lines[at + 1].endswith(" no dataset owns the file two/stray")
    assert f"      $ ls -l '{bad}/two/stray'" in lines
    assert lines[-1].startswith(f"✗ FAIL  {bad}: ")


def test_a_sound_repository(harness, small: Path) -> None:
    done = harness("audit", small, *FAMILY)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1].startswith(f"✓ PASS  {small}: ")


def test_json_names_what_the_text_names(harness, bad: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    done = harness("audit", bad, *FAMILY, "--format", "json", "--output", out)
    report = json.loads(out.read_text())
    findings = [f for c in report["checks"] for f in c["findings"]]
    assert (report["verdict"], len(findings), report["families"]["datastore"]["findings"]) == ("fail", 2, 2)
    for found in findings:
        assert found["id"] in done.out, "the text is still printed"
        assert "{repo}" not in found["look"]
    assert harness("audit", bad, *FAMILY, "--format", "json").out.startswith("{")


def test_junit(harness, bad: Path, tmp_path: Path) -> None:
    done = harness("audit", bad, "--format", "junit", "--output", tmp_path / "out.xml")
    suites = {suite.name: suite for suite in JUnitXml.fromfile(str(tmp_path / "out.xml"))}
    assert done.code == 1
    assert suites["audit.datastore"].failures == 2
    assert suites["audit.repository"].failures == suites["audit.repository"].errors == 0
    assert sum(s.skipped for s in suites.values()) > 20, "what found nothing to look at is skipped"


def test_the_limit_of_what_is_shown(harness, small: Path) -> None:
    for number in range(8):
        (small / "two" / f"stray{number}").write_text("x")
    only = ("--check", "datastore.no-orphans")
    assert harness("audit", small, *only).out.count("no dataset owns") == 5
    assert "… and 3 more findings" in harness("audit", small, *only).out
    assert harness("audit", small, *only, "--limit", 7).out.count("no dataset owns") == 7


def test_plan(harness, bad: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.sh"
    done = harness("audit", bad, *FAMILY, "--plan", plan)
    assert f"remedies are in {plan}; nothing has been run" in done.err
    assert "# --- datastore.no-orphans:" in plan.read_text()
    assert (bad / "two" / "stray").exists()


@pytest.mark.parametrize("option", ["--output", "--plan"])
def test_no_file_is_written_into_the_repository(harness, small: Path, option: str) -> None:
    done = harness("audit", small, option, small / "one" / "report")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert not (small / "one" / "report").exists()


# --- accept --------------------------------------------------------------------------------------------


def ids(done) -> list[str]:
    return [line.split()[1] for line in done.out.splitlines() if line.startswith("    - ")]


@pytest.mark.parametrize("name", ["known.toml", "known.json"])
def test_what_is_accepted_is_silent(harness, bad: Path, tmp_path: Path, name: str) -> None:
    baseline = tmp_path / name
    first, second = ids(harness("audit", bad, *FAMILY))
    done = harness("accept", bad, first, second[:6], "--reason", "restored next week", "--baseline", baseline)
    assert done.code == 0, done.err
    assert "restored next week" in baseline.read_text()
    again = harness("audit", bad, *FAMILY, "--baseline", baseline)
    assert (again.code, ids(again)) == (0, [])
    assert "2 accepted" in again.out
    (bad / "two" / "stray").unlink()
    assert "accepted, but no longer found" in harness("audit", bad, *FAMILY, "--baseline", baseline).out


def test_accept_from_a_report(harness, bad: Path, tmp_path: Path) -> None:
    """The repository is not looked at again: it may be elsewhere."""
    report, baseline = tmp_path / "report.json", tmp_path / "known.toml"
    harness("audit", bad, *FAMILY, "--format", "json", "--output", report)
    found = [f["id"] for c in json.loads(report.read_text())["checks"] for f in c["findings"]]
    moved = Path(shutil.move(bad, tmp_path / "moved"))
    done = harness("accept", bad, *found, "--reason", "known", "--baseline", baseline, "--report", report)
    assert done.code == 0, done.err
    assert harness("audit", moved, *FAMILY, "--baseline", baseline).code == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("ffffffffffff", "--reason", "r"), "no finding has the id 'ffffffffffff'"),
        (("", "--reason", "r"), "2 findings have the id ''"),
        (("ffffffffffff", "--reason", " "), "no reason given"),
        (("ffffffffffff",), "Missing option '--reason'"),
    ],
)
def test_nothing_is_accepted_by_mistake(harness, bad: Path, tmp_path: Path, words, says: str) -> None:
    report = tmp_path / "report.json"
    harness("audit", bad, *FAMILY, "--format", "json", "--output", report)
    done = harness("accept", bad, *words, "--baseline", tmp_path / "known.toml", "--report", report)
    assert done.code == 2
    assert says in done.err
    assert not (tmp_path / "known.toml").exists()


def test_no_report(harness, small: Path, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("{}")
    done = harness(
        "accept", small, "x", "--reason", "r", "--baseline", tmp_path / "b", "--report", tmp_path / "report.json"
    )
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "is no report of an audit" in done.err


# --- butler audit ----------------------------------------------------------------------------------------


@pytest.fixture
def butler(monkeypatch):
    """Run the middleware's command line, with the entry point that makes ``butler audit``."""
    from lsst.daf.butler.cli import butler as module

    entry = EntryPoint("gen3_harness", "harness.cli.butler:commands", "butler.cli")
    others = [e for e in module.entry_points(group="butler.cli") if e.value != entry.value]
    monkeypatch.setattr(module, "entry_points", lambda group: [*others, entry])
    module.ButlerCLI._getCommands.cache_clear()
    yield lambda *words: CliRunner().invoke(module.cli, [str(w) for w in words])
    module.ButlerCLI._getCommands.cache_clear()


def test_butler_audit(butler, bad: Path) -> None:
    done = butler("audit", bad, *FAMILY)
    assert done.exit_code == 1
    assert "no dataset owns the file two/stray" in done.stdout
    assert "audit" in butler("--help").stdout


def test_butler_audit_ends_in_one_line(butler, tmp_path: Path) -> None:
    done = butler("audit", tmp_path / "nothing")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "nothing is there" in done.stderr


def test_butler_audit_by_a_file(monkeypatch, small: Path, tmp_path: Path) -> None:
    """Where entry points cannot be used, the middleware reads a file."""
    from lsst.daf.butler.cli import butler as module

    file = tmp_path / "resources.yaml"
    file.write_text("cmd: {import: harness.cli.butler, commands: [audit]}\n")
    monkeypatch.setenv("DAF_BUTLER_PLUGINS", str(file))
    monkeypatch.setattr(module, "entry_points", lambda group: [])
    module.ButlerCLI._getCommands.cache_clear()
    done = CliRunner().invoke(module.cli, ["audit", str(small), *FAMILY])
    module.ButlerCLI._getCommands.cache_clear()
    assert done.exit_code == 0, done.output


def test_progress_on_a_terminal(harness, small: Path, monkeypatch) -> None:
    """Which check is running is shown on standard error, and nothing of it is left in the report."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    done = harness("audit", small, *FAMILY)
    assert "datastore." in done.err
    assert "datastore.files-exist" not in done.out
    assert harness("audit", small, *FAMILY, "--plain").err == ""
