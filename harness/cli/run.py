"""``harness run``: from nothing to a verdict."""

from __future__ import annotations

import datetime
import os
import platform
import signal
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import click

from ..plugins import Plugins
from .common import find_dataset, work_option

if TYPE_CHECKING:
    from ..results import RunRecord

__all__ = ["command"]

KEEP_DAYS = 7.0
"""Snapshots that no run has used for so long are removed."""


@click.command("run")
@click.argument("name", metavar="INSTRUMENT|DATASET")
@click.option("--fresh", is_flag=True, help="Build every stage again, whatever snapshots there are.")
@click.option("--until", metavar="STAGE", help="Stop after this stage.")
@click.option("--engine", "engine_name", default="inprocess", show_default=True, help="What executes quanta.")
@click.option("--scale", type=click.IntRange(1, 32), help="Binning of the pixels.  [default: the manifest's]")
@click.option("--plain", is_flag=True, help="Plain lines even on a terminal.")
@work_option
@click.pass_obj
def command(
    plugins: Plugins,
    name: str,
    fresh: bool,
    until: str | None,
    engine_name: str,
    scale: int | None,
    plain: bool,
    work: Path,
) -> None:
    """Simulate, bootstrap, ingest, process, rerun, round trip and check: a verdict.

    Stages whose code, manifest and versions have not changed are taken from snapshots.
    """
    from rich.console import Console

    from ..report.files import link_latest, write_files
    from ..report.progress import LiveProgress, PlainProgress
    from ..report.summary import final_verdict, print_summary
    from ..stages.runner import Runner
    from ..stages.snapshots import SnapshotStore

    signal.signal(signal.SIGTERM, _terminated)
    dataset = find_dataset(plugins, name)
    if scale is not None:
        dataset = dataset.model_copy(update={"scale": scale})
    kit = plugins.find("instrument", dataset.instrument)
    engine = plugins.find("engine", engine_name)
    work = work.absolute()
    runner = Runner(plugins, dataset, kit, engine, SnapshotStore(work / "snapshots"), fresh=fresh)
    stages = runner.graph.until(until)
    record = _new_record(work, dataset, engine_name)

    console = Console()
    live = LiveProgress(console, stages) if console.is_terminal and not plain else None
    plugins.manager.register(live or PlainProgress(console), "progress")
    try:
        runner.execute(record, until)
    finally:
        if live:
            live.close()
        plugins.manager.unregister(name="progress")
    plugins.notify("harness_run_finished", run=record)
    write_files(record, plugins.quarantined)
    link_latest(record.folder)
    runner.store.prune(dataset.name, KEEP_DAYS)
    print_summary(console, record, plugins.quarantined)
    raise SystemExit(int(record.exit_code or final_verdict(record, plugins.quarantined).exit_code))


def _terminated(_number: int, _frame: FrameType | None) -> NoReturn:
    """End on SIGTERM as on SIGINT: what is half-built is removed."""
    raise KeyboardInterrupt


def _new_record(work: Path, dataset: object, engine: str) -> RunRecord:
    from ..datasets.manifest import Dataset
    from ..results import RunRecord
    from ..stages.fingerprint import versions

    assert isinstance(dataset, Dataset)
    started = datetime.datetime.now(datetime.UTC)
    milliseconds = started.microsecond // 1000  # two runs of one process may start in the same second
    run_id = f"{started:%Y%m%dT%H%M%S}.{milliseconds:03d}-{dataset.name}-{os.getpid()}"
    folder = work / "runs" / run_id
    folder.mkdir(parents=True)
    return RunRecord(
        id=run_id,
        folder=folder,
        dataset=dataset,
        engine=engine,
        scale=dataset.scale,
        environment={"python": platform.python_version(), **versions()},
        started=started,
    )
