"""What engines do when something goes wrong, and what they leave behind."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
import warnings
from pathlib import Path

import pytest

from harness.engines.inprocess import InProcessEngine
from harness.engines.pipetask import PipetaskEngine
from harness.errors import HarnessError


def test_a_missing_executable_is_named(request_for, tmp_path) -> None:
    engine = PipetaskEngine(executable=tmp_path / "bin" / "pipetask")
    with pytest.raises(HarnessError, match=r"no pipetask at .*bin/pipetask") as caught:
        engine.run(request_for(tmp_path), tmp_path / "x.log")
    assert caught.value.code == "missing-executable"


def test_a_failed_quantum_is_told_and_the_process_is_as_before(state, request_for, tmp_path) -> None:
    from lsst.daf.butler.cli.cliLog import CliLog

    root, handler = logging.getLogger(), logging.NullHandler()
    root.addHandler(handler)

    def surroundings() -> tuple:
        lsst = logging.getLogger("lsst").level
        initialised = CliLog._initialized
        return list(root.handlers), root.level, lsst, warnings.showwarning, gc.get_threshold(), initialised

    before = surroundings()
    request = request_for(
        state("defaults"), config=("calibrateImage:minPsfStars=100000", "calibrateImage:raiseOnFailure=True")
    )
    try:
        result = InProcessEngine().run(request, tmp_path / "logs" / "x.log")
        after = surroundings()
    finally:
        root.removeHandler(handler)
    assert result.exit_code == 1
    assert result.message.startswith("calibrateImage {instrument: 'HSC', detector: 16")
    assert result.message.endswith("CalibrationError: psf: too few bright stars (and 1 more)")
    assert result.log.is_file()
    assert after == before


def test_a_wrong_pipeline_is_told(state, request_for, tmp_path) -> None:
    request = request_for(state("defaults"), pipeline=str(tmp_path / "none.yaml"))
    result = InProcessEngine().run(request, tmp_path / "x.log")
    assert result.exit_code != 0
    assert "none.yaml" in result.message


def test_an_interruption_reaches_the_process_and_us(request_for, tmp_path) -> None:
    """The stand-in only waits: what is tried is who gets the signal."""
    started, said = tmp_path / "started", tmp_path / "said"
    os.mkfifo(started)
    script = tmp_path / "waits"
    script.write_text(
        f"#!{sys.executable}\n"
        "import pathlib, signal\n"
        "try:\n"
        f"    pathlib.Path({str(started)!r}).write_text('now')\n"
        "    signal.pause()\n"
        "except KeyboardInterrupt:\n"
        f"    pathlib.Path({str(said)!r}).write_text('interrupted')\n"
    )
    script.chmod(0o755)

    def interrupt() -> None:
        Path(started).read_text()
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        PipetaskEngine(executable=script).run(request_for(tmp_path), tmp_path / "x.log")
    thread.join()
    assert said.read_text() == "interrupted"
