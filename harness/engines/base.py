"""What an engine is asked to do, and what it answers."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Protocol

__all__ = ["Engine", "EngineResult", "PipelineRun"]


@dataclasses.dataclass(frozen=True)
class PipelineRun:
    """One invocation of ``pipetask run``.

    Parameters
    ----------
    repo : `~pathlib.Path`
        Repository.
    pipeline : `str`
        URI of the pipeline, optionally with ``#subset``.
    inputs : `tuple` [`str`]
        Input collections, in search order.
    output : `str`
        Output CHAINED collection.
    output_run : `str`, optional
        Output RUN; by default ``output`` plus a timestamp.
    where : `str`, optional
        Data query.
    extend_run, skip_existing, clobber_outputs, replace_run : `bool`, optional
        The flags of ``pipetask`` of that name.
    skip_existing_in : `tuple` [`str`], optional
        Collections given to ``--skip-existing-in``.
    prune_replaced : `str`, optional
        ``unstore`` or ``purge``.
    config : `tuple` [`str`], optional
        Overrides ``label:field=value``.
    """

    repo: Path
    pipeline: str
    inputs: tuple[str, ...]
    output: str
    output_run: str | None = None
    where: str = ""
    extend_run: bool = False
    skip_existing: bool = False
    skip_existing_in: tuple[str, ...] = ()
    clobber_outputs: bool = False
    replace_run: bool = False
    prune_replaced: str | None = None
    config: tuple[str, ...] = ()

    def arguments(self) -> list[str]:
        """Return the arguments for ``pipetask run``."""
        out = ["run", "-b", str(self.repo), "-p", self.pipeline, "-o", self.output, "--register-dataset-types"]
        if self.inputs:
            out += ["-i", ",".join(self.inputs)]
        if self.output_run:
            out += ["--output-run", self.output_run]
        if self.where:
            out += ["-d", self.where]
        for flag in ("extend_run", "skip_existing", "clobber_outputs", "replace_run"):
            if getattr(self, flag):
                out.append("--" + flag.replace("_", "-"))
        for collection in self.skip_existing_in:
            out += ["--skip-existing-in", collection]
        if self.prune_replaced:
            out += ["--prune-replaced", self.prune_replaced]
        for override in self.config:
            out += ["-c", override]
        return out


@dataclasses.dataclass(frozen=True)
class EngineResult:
    """How an invocation ended. It is no verdict: judge by the repository.

    Parameters
    ----------
    exit_code : `int`
        Exit status of the engine.
    message : `str`
        Last line that says why it failed; empty on success.
    log : `~pathlib.Path`
        Full log.
    seconds : `float`
        Wall time (s).
    startup_seconds : `float`
        Part of it spent in imports and process starts.
    """

    exit_code: int
    message: str
    log: Path
    seconds: float
    startup_seconds: float


class Engine(Protocol):
    """Executes pipelines."""

    @property
    def name(self) -> str:
        """Its name, as given to ``--engine``."""
        ...

    @property
    def title(self) -> str:
        """How it executes quanta, in a few words."""
        ...

    def run(self, request: PipelineRun, log: Path) -> EngineResult:
        """Build the quantum graph and execute it.

        Parameters
        ----------
        request : `PipelineRun`
            What to run.
        log : `~pathlib.Path`
            File that receives the log.
        """
        ...
