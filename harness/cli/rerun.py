"""``harness rerun``: what happens when a pipeline meets outputs that are already there."""

from __future__ import annotations

import datetime
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import UsageError, nearest
from ..plugins import Plugins
from .common import print_table, quiet, work_option

if TYPE_CHECKING:
    from rich.console import Console

    from ..engines.base import Engine
    from ..rerun.cells import Cell
    from ..rerun.matrix import CellOutcome, Matrix

__all__ = ["command"]


@click.command("rerun")
@click.argument("name", metavar="REPO|INSTRUMENT|DATASET", required=False)
@click.option("--list", "listed", is_flag=True, help="List the cells of the matrix.")
@click.option("--cell", "cells", multiple=True, metavar="ID", help="Run this cell only; may be repeated.")
@click.option(
    "--engine",
    "engines",
    multiple=True,
    metavar="NAME",
    help="What executes quanta; may be repeated; 'all' for each there is.  [default: inprocess]",
)
@click.option("--run", metavar="RUN", help="Of a repository: the run that has the outputs.")
@click.option("--pipeline", metavar="URI", help="Of a repository: the pipeline that made them.")
@click.option("--where", metavar="QUERY", help="Of a repository: the data query that it was run with.")
@click.option("--keep", is_flag=True, help="Keep the repositories of all cells, and not only of those that fail.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@work_option
@click.pass_obj
def command(
    plugins: Plugins,
    name: str | None,
    listed: bool,
    cells: tuple[str, ...],
    engines: tuple[str, ...],
    run: str | None,
    pipeline: str | None,
    where: str | None,
    keep: bool,
    form: str,
    work: Path,
) -> None:
    """Run a pipeline again onto its outputs, in every way that the middleware has, and compare.

    What each way must leave is computed from the state before: every dataset with its id and content, collections,
    chains, memberships, and the files. Failures are injected at chosen quanta and rescued. What must fail must fail
    with its exception. The repository is only read: each cell is run in a fork.

    INSTRUMENT or DATASET stands for its processed repository, which is built if it is not there. Of a REPOSITORY that
    the harness has processed run and pipeline are known.
    """
    from ..rerun.cells import CELLS

    known = {cell.id: cell for cell in CELLS}
    for cell in cells:
        if cell not in known:
            raise nearest("cell", cell, known)
    wanted = [c for c in CELLS if not cells or c.id in cells]
    if listed:
        rows = [[c.id, ", ".join(sorted(c.engines)) or "all", c.title] for c in wanted]
        print_table(["CELL", "ENGINES", "WHAT MUST COME"], rows)
        return
    if name is None:
        raise UsageError("nothing to run again", remedy="give a repository or an instrument; --list lists the cells")
    names = list(plugins.engines()) if "all" in engines else list(dict.fromkeys(engines or ("inprocess",)))
    chosen = [plugins.find("engine", e) for e in names]
    raise SystemExit(_matrix(plugins, name, wanted, chosen, (run, pipeline, where), keep, form, work.absolute()))


def _matrix(
    plugins: Plugins,
    name: str,
    cells: list[Cell],
    engines: list[Engine],
    options: tuple[str | None, str | None, str | None],
    keep: bool,
    form: str,
    work: Path,
) -> int:
    """Run the matrix and report; return the exit status."""
    from rich.console import Console

    from ..rerun.matrix import Matrix
    from ..stages.fork import fork_repository
    from .rerun_report import as_json, print_cell, print_end
    from .rerun_subject import processed

    console = Console(stderr=form == "json")
    outcomes: list[CellOutcome] = []
    with _folder(work, keep) as folder, quiet():
        first = processed(plugins, name, *options, work)
        matrix = Matrix(first, folder, fork_repository, keep=keep)
        if form == "text":
            _say_scope(console, matrix)
        for engine in engines:
            for cell in cells:
                outcomes.append(matrix.run(cell, engine, cells))
                if form == "text":
                    print_cell(console, outcomes[-1])
            matrix.close()
    if form == "json":
        click.echo(as_json(outcomes, matrix, plugins.quarantined))
    return print_end(console if form == "text" else None, outcomes, matrix, plugins.quarantined)


def _say_scope(console: Console, matrix: Matrix) -> None:
    tasks = " and ".join(task.label for task in matrix.scope.tasks)
    text = f"{matrix.first.repo}: run {matrix.first.output_run}, {len(matrix.world.quanta)} quanta of {tasks}"
    console.print(text, soft_wrap=True, highlight=False, markup=False)


@contextmanager
def _folder(work: Path, keep: bool) -> Iterator[Path]:
    """Make the folder of a matrix, beside the snapshots (hard links); removed unless something in it is kept."""
    started = datetime.datetime.now(datetime.UTC)
    folder = work / "rerun" / f"{started:%Y%m%dT%H%M%S}-{os.getpid()}"
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        if not keep and not any(folder.glob("*/repo")):
            shutil.rmtree(folder)
