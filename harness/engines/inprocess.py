"""The engine that runs the real ``pipetask`` command in this process."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ..repository import rare_garbage_collection
from .base import EngineResult, PipelineRun
from .outcome import LOG_OPTIONS, failure
from .steps import Step, direct

__all__ = ["InProcessEngine", "own_logging", "run_in_process"]


@dataclasses.dataclass(frozen=True)
class InProcessEngine:
    """Calls the command of ``lsst.ctrl.mpexec`` in this process: no import is paid twice.

    As the command does by itself, it limits numerical libraries to one thread from then on.
    """

    name: str = "inprocess"
    title: str = "pipetask in this process"

    def run(self, request: PipelineRun, log: Path) -> EngineResult:
        """Build the quantum graph and execute it; see `~harness.engines.base.Engine`."""
        return run_in_process(direct(request, log), request, log)


def run_in_process(steps: Iterable[Step], request: PipelineRun, log: Path) -> EngineResult:
    """Run commands of the middleware in this process, one after the other.

    Parameters
    ----------
    steps : `~collections.abc.Iterable` [`~harness.engines.steps.Step`]
        The commands.
    request : `~harness.engines.base.PipelineRun`
        What they do together.
    log : `~pathlib.Path`
        File that receives the log of all.

    Returns
    -------
    result : `~harness.engines.base.EngineResult`
        Exit code and message are those of the first command that failed.
    """
    start = time.perf_counter()
    from lsst.ctrl.mpexec.cli.cmd import run as _load  # noqa: F401 - the command loads it; paid as start-up

    startup = time.perf_counter() - start
    log.parent.mkdir(parents=True, exist_ok=True)
    code, message = 0, ""
    with own_logging(), rare_garbage_collection(), _environment(request.environment):
        own, why = 0, ""
        for step in steps:
            if code and not (step.regardless and own):
                own = 0
                continue
            own, why = _step(step, log)
            code, message = (code, message) if code else (own, why)
    return EngineResult(code, message, log, time.perf_counter() - start, startup)


def _step(step: Step, log: Path) -> tuple[int, str]:
    """Run one command; return its exit code and why it failed."""
    import click
    from lsst.ctrl.mpexec.cli.pipetask import cli as pipetask
    from lsst.daf.butler.cli.butler import cli as butler
    from lsst.daf.butler.cli.cliLog import CliLog

    command = {"pipetask": pipetask, "butler": butler}[step.program]
    offset = log.stat().st_size if log.exists() else 0
    code, tail = 0, ""
    # Each command sets up logging; the middleware does so once only.
    CliLog.resetLog()
    with log.open("a", encoding="utf-8") as stream:
        with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
            try:
                arguments = [*LOG_OPTIONS, str(log), *step.arguments]
                code = int(command.main(arguments, prog_name=step.program, standalone_mode=False) or 0)
            except click.exceptions.Abort as abort:  # click's name for Ctrl-C
                raise KeyboardInterrupt from abort
            except click.ClickException as error:
                code, tail = error.exit_code, f"Error: {error.format_message()}"
            except SystemExit as stop:
                code = stop.code if isinstance(stop.code, int) else 1
        if tail:
            stream.write(tail + "\n")
    if not code:
        return 0, ""
    with log.open(encoding="utf-8", errors="replace") as stream:
        stream.seek(offset)
        return code, failure(stream.read()) or f"{step.program} {step.arguments[0]} ended with exit code {code}"


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for a while."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def own_logging() -> Iterator[None]:
    """Let the command set up logging as it likes, and put back what was there before.

    It replaces (and closes) the root handlers, sets levels, captures warnings and can be set up only once.
    """
    from lsst.daf.butler.cli.cliLog import CliLog

    root = logging.getLogger()
    levels = {name: logging.getLogger(name).level for name in ("", "lsst")}
    handlers, show = list(root.handlers), warnings.showwarning
    outer = list(CliLog.configState)
    root.handlers.clear()
    CliLog.resetLog()
    try:
        yield
    finally:
        CliLog.resetLog()
        for handler in list(root.handlers):
            root.removeHandler(handler)
        if outer:
            CliLog.replayConfigState(outer)
        elif warnings.showwarning is not show:
            logging.captureWarnings(False)
        root.handlers[:] = handlers
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
