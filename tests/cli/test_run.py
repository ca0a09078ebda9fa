"""``harness run`` as its users meet it: short runs, interruptions, and the folder that is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from junitparser import JUnitXml

SLOW_PLUGIN = """
    import os, sys
    from harness.hookspecs import hookimpl
    from harness.stage import Stage
    from harness.verdicts import Check, Finding

    def slow(context):
        (context.outputs / "half").write_text("")
        with open(os.environ["SLOW_FIFO"], "w") as out:  # tells the test that the stage runs
            out.write("x")
        if os.environ.get("SLOW_GO") != "1":
            import signal
            signal.pause()
        return {"whole": 1}

    def bad(context):
        context.examined(2)
        if os.environ.get("SLOW_BAD"):
            yield Finding("the moon is missing", data_id={"moon": 1}, where="sky", seen="0", expected="1",
                          look="butler query-collections {repo}")

    @hookimpl
    def harness_stages():
        return [Stage("slow", "be slow", slow, extends="register")]

    @hookimpl
    def harness_checks():
        return [Check("time.moon", "The moon is there", "Tides.", "time", "slow", bad)]
"""


@pytest.fixture
def slow(tmp_path: Path) -> dict[str, str]:
    """Environment with a plugin whose stage waits until it is interrupted."""
    plugin = tmp_path / "plugin"
    info = plugin / "slow_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (plugin / "slow_plugin.py").write_text(textwrap.dedent(SLOW_PLUGIN))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: slow_plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[gen3_harness]\nslow = slow_plugin\n")
    os.mkfifo(tmp_path / "fifo")
    return {
        **os.environ,
        "PYTHONPATH": str(plugin),
        "SLOW_FIFO": str(tmp_path / "fifo"),
        "HARNESS_WORK": str(tmp_path / "work"),
    }


def start(environment: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "harness", "run", "HSC", "--until", "slow"]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def finish(environment: dict[str, str]) -> tuple[int, str]:
    """Run to the end; the stage that was slow is quick now."""
    process = start({**environment, "SLOW_GO": "1"})
    Path(environment["SLOW_FIFO"]).read_text()
    out, _ = process.communicate(timeout=60)
    return process.returncode, out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_is_carried_on(slow: dict[str, str], tmp_path: Path, number: signal.Signals) -> None:
    process = start(slow)
    Path(slow["SLOW_FIFO"]).read_text()  # returns when the stage runs
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    if number is signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 130
        assert err == "harness: interrupted; run the same command again to go on from the last whole stage\n"
    code, out = finish(slow)
    assert code == 0, out
    assert "register   register the instrument: from snapshot" in out
    assert "slow       be slow: " in out
    assert "slow       be slow: from snapshot" not in out
    slow_outputs = list((tmp_path / "work" / "snapshots" / "ci_hsc").glob("slow-*/outputs"))
    assert len(slow_outputs) == 1
    assert not list((tmp_path / "work" / "snapshots" / "ci_hsc").glob(".building-*"))


def test_a_failure_says_what_to_look_at(slow: dict[str, str], tmp_path: Path) -> None:
    code, out = finish({**slow, "SLOW_BAD": "1"})
    assert code == 1
    lines = out.splitlines()
    assert len(lines) < 40
    folder = (tmp_path / "work" / "runs" / "latest").resolve()
    verdict = json.loads((folder / "verdict.json").read_text())
    repo = next(s["repo"] for s in verdict["stages"] if s["name"] == "slow")
    at = lines.index("✗ time.moon (after slow): The moon is there")
    assert [line.strip() for line in lines[at + 1 : at + 5]] == [
        "- the moon is missing",
        "data ID moon=1; in sky",
        "seen 0, expected 1",
        f"$ butler query-collections {repo}",
    ]
    assert lines[-2].startswith("✗ FAIL  ci_hsc: 3 stages, ")
    assert lines[-1].strip() == str(folder)

    assert verdict["verdict"] == "fail"
    assert verdict["environment"]["lsst-daf-butler"]
    (moon,) = [c for c in verdict["checks"] if c["id"] == "time.moon"]
    assert (moon["verdict"], moon["examined"], moon["findings"][0]["expected"]) == ("fail", 2, "1")
    (suite,) = JUnitXml.fromfile(str(folder / "junit.xml"))
    assert suite.tests == len(verdict["stages"]) + len(verdict["checks"])
    assert suite.failures == 1
    assert suite.errors == 0
    timings = json.loads((folder / "timings.json").read_text())
    assert set(timings["stages"]) == {"create", "register", "slow"}
    assert (folder / "logs" / "slow.log").exists()


def test_the_link_points_at_the_last_run(harness, tmp_path: Path) -> None:
    seen = []
    for _ in range(2):
        assert harness("run", "HSC", "--until", "register").code == 0
        seen.append((tmp_path / ".harness" / "runs" / "latest").resolve())
    assert seen[0] != seen[1]
    assert {p.resolve() for p in (tmp_path / ".harness" / "runs").iterdir()} == set(seen)


def test_a_repository_of_another_universe_is_refused_with_its_version(harness, tmp_path: Path) -> None:
    from lsst.daf.butler import Butler, DimensionConfig
    from lsst.resources import ResourcePath

    old = ResourcePath("resource://lsst.daf.butler/configs/old_dimensions/daf_butler_universe6.yaml")
    with old.as_local() as file:
        Butler.makeRepo(str(tmp_path / "old"), dimensionConfig=DimensionConfig(file.ospath))
    (tmp_path / "x.fits").write_text("")
    done = harness("ingest", str(tmp_path / "old"), "x.fits")
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert "universe" in done.err
    assert "6" in done.err
