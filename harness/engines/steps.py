"""Which commands of the middleware an invocation of a pipeline is made of."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ..errors import HarnessError
from .base import PipelineRun

__all__ = ["Step", "direct", "quantum_backed"]


@dataclasses.dataclass(frozen=True)
class Step:
    """One command.

    Parameters
    ----------
    program : `str`
        ``pipetask`` or ``butler``.
    arguments : `tuple` [`str`]
        Its subcommand and what follows.
    regardless : `bool`, optional
        Whether it is run even if the step just before it failed.
    """

    program: str
    arguments: tuple[str, ...]
    regardless: bool = False


def direct(request: PipelineRun, _log: Path) -> list[Step]:
    """Return the steps that write into the repository quantum by quantum.

    Parameters
    ----------
    request : `~harness.engines.base.PipelineRun`
        What to run.

    Raises
    ------
    HarnessError
        If the request contradicts itself.
    """
    run = ["run", *request.collections(request.output_run), "--register-dataset-types", *request.executing()]
    if request.graph is None:
        _without_graph(request)
        return [Step("pipetask", (*run, *request.building()))]
    steps, graph = _graph(request, request.graph)
    return [*steps, Step("pipetask", (*run, "-g", str(graph)))]


def quantum_backed(request: PipelineRun, log: Path) -> list[Step]:
    """Return the steps that execute quanta without a registry, and then bring the results into the repository.

    Parameters
    ----------
    request : `~harness.engines.base.PipelineRun`
        What to run.
    log : `~pathlib.Path`
        Where the log goes; the graph is saved beside it, unless the request says where.

    Raises
    ------
    HarnessError
        If the request contradicts itself, or wants of the output chain what these steps do not do.
    """
    for flag in ("replace_run", "rebase", "prune_replaced"):
        if getattr(request, flag):
            name = flag.replace("_", "-")
            raise HarnessError(
                f"engine qbb cannot --{name}: transfer-from-graph only puts the new run at the head of the chain",
                remedy="use engine inprocess or pipetask",
                code="engine-flag",
            )
    if request.graph is None:
        _without_graph(request)
    wanted = request.graph or log.with_suffix(".qg")
    if request.graph is None:
        wanted.unlink(missing_ok=True)
    steps, graph = _graph(request, wanted, "--qgraph-datastore-records")
    repo, file = str(request.repo), str(graph)
    transfer = ("transfer-from-graph", file, repo, "--register-dataset-types", "--update-output-chain")
    return [
        *steps,
        Step("pipetask", ("pre-exec-init-qbb", repo, file)),
        Step("pipetask", ("run-qbb", repo, file, *request.executing())),
        # What succeeded is brought in, as by the last job of a batch.
        Step("butler", transfer, regardless=True),
    ]


def _graph(request: PipelineRun, graph: Path, *options: str) -> tuple[list[Step], Path]:
    """Return the steps that leave a graph in a file, and the file that is to be executed."""
    moved = graph.with_stem(f"{graph.stem}-moved") if request.planned_run else graph
    if moved.exists():
        return [], moved
    run = request.planned_run or request.output_run
    arguments = ("qgraph", *request.collections(run), *request.building(), *options, "-q", str(graph))
    steps = [Step("pipetask", arguments)]
    if request.planned_run:
        if not request.output_run:
            raise HarnessError("planned_run without output_run", remedy="name the run that the graph is moved to")
        steps.append(Step("pipetask", ("update-graph-run", str(graph), request.output_run, str(moved))))
    return steps, moved


def _without_graph(request: PipelineRun) -> None:
    if request.planned_run:
        raise HarnessError("planned_run without graph", remedy="say in which file the graph is to be kept")
