"""What an engine is asked to do, and what it answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

__all__ = ["Engine", "EngineResult", "PipelineRun"]


@dataclasses.dataclass(frozen=True)
class PipelineRun:
    """One invocation of a pipeline, in the words of ``pipetask run``.

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
    extend_run, skip_existing, clobber_outputs, replace_run, rebase : `bool`, optional
        The flags of ``pipetask`` of that name.
    skip_existing_in : `tuple` [`str`], optional
        Collections given to ``--skip-existing-in``.
    prune_replaced : `str`, optional
        ``unstore`` or ``purge``.
    config : `tuple` [`str`], optional
        Overrides ``label:field=value``.
    raise_on_partial_outputs : `bool`, optional
        Whether a task that writes a part of its outputs has failed.
    memory : `str`, optional
        What a quantum may use, like ``2GB``: told to the task, and not enforced.
    data_id_tables : `tuple` [`str`], optional
        URIs of tables of data IDs that limit what is run.
    graph : `~pathlib.Path`, optional
        File of the quantum graph. If it is there it is executed, and no other is built; else it is written first.
    planned_run : `str`, optional
        Run for which the graph is built; it is then given ``output_run`` by ``pipetask update-graph-run``. Needs
        ``graph``.
    summary : `~pathlib.Path`, optional
        File that receives the executor's own report on each quantum, as JSON.
    environment : `~collections.abc.Mapping` [`str`, `str`], optional
        Environment variables that the tasks see.
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
    rebase: bool = False
    raise_on_partial_outputs: bool = True
    memory: str = ""
    data_id_tables: tuple[str, ...] = ()
    graph: Path | None = None
    planned_run: str | None = None
    summary: Path | None = None
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def building(self) -> list[str]:
        """Return the options that say which quanta there are to be: pipeline and data, without collections."""
        out = ["-p", self.pipeline]
        if self.where:
            out += ["-d", self.where]
        for table in self.data_id_tables:
            out += ["--data-id-table", table]
        for override in self.config:
            out += ["-c", override]
        return out

    def collections(self, output_run: str | None) -> list[str]:
        """Return the options that say what is read, what is written, and what becomes of what is there already.

        Parameters
        ----------
        output_run : `str` or `None`
            The RUN to name.
        """
        out = ["-b", str(self.repo), "-o", self.output]
        if self.inputs:
            out += ["-i", ",".join(self.inputs)]
        if output_run:
            out += ["--output-run", output_run]
        for flag in ("extend_run", "skip_existing", "clobber_outputs", "replace_run", "rebase"):
            if getattr(self, flag):
                out.append("--" + flag.replace("_", "-"))
        for collection in self.skip_existing_in:
            out += ["--skip-existing-in", collection]
        if self.prune_replaced:
            out += ["--prune-replaced", self.prune_replaced]
        return out

    def executing(self) -> list[str]:
        """Return the options that say how quanta are executed."""
        out = [] if self.raise_on_partial_outputs else ["--no-raise-on-partial-outputs"]
        if self.memory:
            out += ["--memory-per-quantum", self.memory]
        if self.summary:
            out += ["--summary", str(self.summary)]
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

        Raises
        ------
        HarnessError
            If it cannot do what a flag asks for.
        """
        ...
