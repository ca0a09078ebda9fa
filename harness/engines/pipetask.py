"""The engine that starts ``pipetask`` as a process of its own."""

from __future__ import annotations

import dataclasses
import datetime
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from ..errors import HarnessError
from .base import EngineResult, PipelineRun
from .outcome import LOG_OPTIONS, failure
from .steps import Step, direct

__all__ = ["PipetaskEngine", "run_as_processes"]

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
        return run_as_processes(direct(request, log), request, log, self.executable)


def run_as_processes(
    steps: Iterable[Step], request: PipelineRun, log: Path, executable: Path | None = None
) -> EngineResult:
    """Run commands of the middleware as processes, one after the other.

    Parameters
    ----------
    steps : `~collections.abc.Iterable` [`~harness.engines.steps.Step`]
        The commands.
    request : `~harness.engines.base.PipelineRun`
        What they do together.
    log : `~pathlib.Path`
        File that receives the log of all.
    executable : `~pathlib.Path`, optional
        Script to run in place of the installed ones.

    Returns
    -------
    result : `~harness.engines.base.EngineResult`
        Exit code and message are those of the first command that failed; a killed command's exit code is negative.

    Raises
    ------
    HarnessError
        If there is no such script.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    code, message, startup = 0, "", 0.0
    start = time.perf_counter()
    own, why = 0, ""
    for step in steps:
        if code < 0 or (code and not (step.regardless and own)):
            own = 0
            continue  # a killed batch brings nothing in
        own, why, imports = _step(step, request, log, executable or _installed(step.program))
        startup += imports
        code, message = (code, message) if code else (own, why)
    seconds = time.perf_counter() - start
    return EngineResult(code, message, log, seconds, min(seconds, startup))


def _installed(program: str) -> Path:
    return Path(sys.executable).parent / program


def _step(step: Step, request: PipelineRun, log: Path, executable: Path) -> tuple[int, str, float]:
    """Run one command; return its exit code, why it failed, and the seconds of its imports."""
    if not executable.is_file():
        raise HarnessError(
            f"no {step.program} at {executable}",
            remedy=f"install lsst-ctrl-mpexec into the environment of {sys.executable}",
            code="missing-executable",
        )
    offset = log.stat().st_size if log.exists() else 0
    one = ("-j", "1") if step.arguments[0] in {"run", "run-qbb"} else ()
    command = [str(executable), *LOG_OPTIONS, str(log), *step.arguments, *one]
    began = datetime.datetime.now(datetime.UTC)
    with log.open("ab") as stream:
        # A session of its own: Ctrl-C on the terminal reaches it once, through us, and not twice.
        environment = {**os.environ, **request.environment}
        process = subprocess.Popen(command, stdout=stream, stderr=stream, start_new_session=True, env=environment)
        try:
            code = process.wait()
        except KeyboardInterrupt:
            _interrupt(process)
            raise
    with log.open(encoding="utf-8", errors="replace") as stream_read:
        stream_read.seek(offset)
        text = stream_read.read()
    message = "" if code == 0 else failure(text) or f"{step.program} {step.arguments[0]} ended with {_status(code)}"
    if code < 0:  # a process that was killed can have said nothing of it
        message = f"{step.program} {step.arguments[0]} ended with {_status(code)}"
    return code, message, _startup(text, began)


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
