"""The command ``harness rerun``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from harness.cli.main import main
from harness.rerun.cells import CELLS

RUN = "Mini/runs/tiny/first"
PIPELINE = str(Path(__file__).parent / "pipeline.yaml")


def harness(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def of_repository(processed: Path, *words: str) -> tuple[str, ...]:
    where = "instrument='Mini' AND exposure < 103"
    return ("rerun", str(processed / "repo"), "--run", RUN, "--pipeline", PIPELINE, "--where", where, *words)


def test_the_cells_are_listed() -> None:
    done = harness("rerun", "--list")
    assert done.exit_code == 0
    assert [line.split("\t")[0] for line in done.output.splitlines()] == [c.id for c in CELLS]
    one = harness("rerun", "--list", "--cell", "together")
    assert one.output.startswith("together\tpipetask, qbb\tTwo pipelines")


def test_a_repository_is_run_again_and_only_read(processed: Path, tmp_path: Path) -> None:
    words = of_repository(processed, "--cell", "refused", "--cell", "together", "--work", str(tmp_path))
    done = harness(*words, "--format", "json")
    assert done.exit_code == 0, done.output
    facts: dict[str, Any] = json.loads(done.stdout)
    assert (facts["verdict"], facts["run"], facts["tasks"]) == ("pass", RUN, ["isr", "measure"])
    refused, together = facts["cells"]
    assert [i["must_fail_with"] for i in refused["invocations"]] == ["", "ValueError", "ValueError", "ValueError"]
    assert refused["invocations"][0]["quanta"] == {"success": 4, "failure": 0, "skipped": 0}
    assert (together["verdict"], together["reason"]) == (None, "it is one process")
    assert not any((tmp_path / "rerun").iterdir())


def test_what_is_kept_is_named(processed: Path, tmp_path: Path) -> None:
    words = of_repository(processed, "--cell", "update-graph-run", "--work", str(tmp_path), "--keep")
    done = harness(*words)
    assert done.exit_code == 0, done.output
    assert "✓ update-graph-run" in done.output
    assert "✓ PASS  1 cells: 1 pass; " in done.output
    (kept,) = (tmp_path / "rerun").iterdir()
    assert (kept / "update-graph-run-inprocess" / "repo" / "butler.yaml").is_file()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("rerun",), "nothing to run again"),
        (("rerun", "HSC", "--cell", "extnd"), "did you mean 'extend'?"),
        (("rerun", "HSC", "--run", "x"), "--run, --pipeline and --where are of a repository"),
        (("rerun", "HSC", "--engine", "condor"), "unknown engine 'condor'"),
        (("rerun", "no/such/place"), "no/such/place"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(words: tuple[str, ...], text: str) -> None:
    done = harness(*words)
    assert done.exit_code == 2
    assert text in done.output + done.stderr
    assert len((done.output + done.stderr).strip().splitlines()) <= 2


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), "has outputs of no dataset of the harness (say which with --run and --pipeline)"),
        (("--run", RUN), "--run and --pipeline belong together"),
        (("--run", "Mini/none", "--pipeline", PIPELINE), "no collection Mini/none"),
        (("--run", "Mini/calib", "--pipeline", PIPELINE), "no chain begins with Mini/calib"),
    ],
)
def test_how_a_repository_was_processed_must_be_known(words: tuple[str, ...], text: str, processed: Path) -> None:
    done = harness("rerun", str(processed / "repo"), *words)
    assert done.exit_code == 2
    assert text in done.output + done.stderr
