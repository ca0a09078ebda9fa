"""The engine that runs the real ``pipetask`` command in this process."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import logging
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

from .base import EngineResult, PipelineRun
from .outcome import LOG_OPTIONS, failure

__all__ = ["InProcessEngine", "own_logging"]


@dataclasses.dataclass(frozen=True)
class InProcessEngine:
    """Calls the command of ``lsst.ctrl.mpexec`` in this process: no import is paid twice.

    As the command does by itself, it limits numerical libraries to one thread from then on.
    """

    name: str = "inprocess"
    title: str = "pipetask in this process"

    def run(self, request: PipelineRun, log: Path) -> EngineResult:
        """Build the quantum graph and execute it; see `~harness.engines.base.Engine`."""
        start = time.perf_counter()
        import click
        from lsst.ctrl.mpexec.cli.cmd import run as _load  # noqa: F401 - the command loads it; paid as start-up
        from lsst.ctrl.mpexec.cli.pipetask import cli

        startup = time.perf_counter() - start
        log.parent.mkdir(parents=True, exist_ok=True)
        offset = log.stat().st_size if log.exists() else 0
        code, tail = 0, ""
        arguments = [*LOG_OPTIONS, str(log), *request.arguments()]
        with own_logging(), _rare_garbage_collection(), log.open("a", encoding="utf-8") as stream:
            with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
                try:
                    code = int(cli.main(arguments, prog_name="pipetask", standalone_mode=False) or 0)
                except click.exceptions.Abort as abort:  # click's name for Ctrl-C
                    raise KeyboardInterrupt from abort
                except click.ClickException as error:
                    code, tail = error.exit_code, f"Error: {error.format_message()}"
                except SystemExit as stop:
                    code = stop.code if isinstance(stop.code, int) else 1
            if tail:
                stream.write(tail + "\n")
        message = ""
        if code:
            with log.open(encoding="utf-8", errors="replace") as stream:
                stream.seek(offset)
                message = failure(stream.read()) or f"pipetask ended with exit code {code}"
        return EngineResult(code, message, log, time.perf_counter() - start, startup)


@contextlib.contextmanager
def _rare_garbage_collection() -> Iterator[None]:
    """Look for cyclic garbage less often, and not among what was there before.

    The middleware makes many short-lived objects on top of a large heap of imported ones: with Python's usual
    thresholds a quarter of the time goes into collections that find little (ci_hsc at scale 8: 26.9 s, with these
    21.8 s, at a peak of 450 MB).
    """
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


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
