"""The engine that starts ``pipetask`` as a process of its own."""

from __future__ import annotations

import dataclasses
import datetime
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from ..errors import HarnessError
from .base import EngineResult, PipelineRun
from .outcome import LOG_OPTIONS, failure

__all__ = ["PipetaskEngine"]

_PATIENCE = 30.0
"""Seconds that an interrupted process is given to end by itself."""


@dataclasses.dataclass(frozen=True)
class PipetaskEngine:
    """Runs the ``pipetask`` script that is installed beside the running interpreter, with ``-j1``.

    Parameters
    ----------
    executable : `~pathlib.Path`, optional
        Another script to run.
    """

    name: str = "pipetask"
    title: str = "pipetask as a process of its own"
    executable: Path | None = None

    def run(self, request: PipelineRun, log: Path) -> EngineResult:
        """Build the quantum graph and execute it; see `~harness.engines.base.Engine`.

        Raises
        ------
        HarnessError
            If there is no ``pipetask`` to run.
        """
        executable = self.executable or Path(sys.executable).parent / "pipetask"
        if not executable.is_file():
            raise HarnessError(
                f"no pipetask at {executable}",
                remedy=f"install lsst-ctrl-mpexec into the environment of {sys.executable}",
                code="missing-executable",
            )
        log.parent.mkdir(parents=True, exist_ok=True)
        offset = log.stat().st_size if log.exists() else 0
        command = [str(executable), *LOG_OPTIONS, str(log), *request.arguments(), "-j", "1"]
        start, began = time.perf_counter(), datetime.datetime.now(datetime.UTC)
        with log.open("ab") as stream:
            # A session of its own: Ctrl-C on the terminal reaches it once, through us, and not twice.
            process = subprocess.Popen(command, stdout=stream, stderr=stream, start_new_session=True)
            try:
                code = process.wait()
            except KeyboardInterrupt:
                _interrupt(process)
                raise
        seconds = time.perf_counter() - start
        with log.open(encoding="utf-8", errors="replace") as stream_read:
            stream_read.seek(offset)
            text = stream_read.read()
        message = "" if code == 0 else failure(text) or f"pipetask ended with {_status(code)}"
        return EngineResult(code, message, log, seconds, min(seconds, _startup(text, began)))


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    """Pass an interruption on, and make sure that the process ends."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _startup(text: str, began: datetime.datetime) -> float:
    """Seconds from the start of the process to its first log record: imports, mostly."""
    if stamp := re.search(r"^[A-Z]+ (\d{4}-\d\d-\d\dT\S+) ", text, re.MULTILINE):
        return max(0.0, (datetime.datetime.fromisoformat(stamp[1]) - began).total_seconds())
    return 0.0


def _status(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
