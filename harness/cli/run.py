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

from ..errors import UsageError
from ..plugins import Plugins
from .common import all_datasets, find_dataset, work_option

if TYPE_CHECKING:
    from rich.console import Console

    from ..datasets.manifest import Dataset
    from ..results import RunRecord
    from ..stage import Stage
    from ..stages.campaign import Campaign
    from ..stages.runner import Runner

__all__ = ["command"]

KEEP_DAYS = 7.0
"""Snapshots that no run has used for so long are removed."""


@click.command("run")
@click.argument("names", metavar="[INSTRUMENT|DATASET]…", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All datasets, in one repository.")
@click.option("--fresh", is_flag=True, help="Build every stage again, whatever snapshots there are.")
@click.option("--until", metavar="STAGE", help="Stop after this stage.")
@click.option("--engine", "engine_name", default="inprocess", show_default=True, help="What executes quanta.")
@click.option("--scale", type=click.IntRange(1, 32), help="Binning of the pixels.  [default: the manifest's]")
@click.option("--plain", is_flag=True, help="Plain lines even on a terminal.")
@work_option
@click.pass_obj
def command(
    plugins: Plugins,
    names: tuple[str, ...],
    everything: bool,
    fresh: bool,
    until: str | None,
    engine_name: str,
    scale: int | None,
    plain: bool,
    work: Path,
) -> None:
    """Simulate, bootstrap, ingest, process, rerun, round trip and check: a verdict.

    Stages whose code, manifest and versions have not changed are taken from snapshots. Several datasets go into one
    repository, one after the other, and none may disturb what is there before it.
    """
    from rich.console import Console

    from ..report.files import link_latest, write_overview
    from ..report.summary import print_overview
    from ..stages.campaign import Campaign, with_needs
    from ..stages.snapshots import SnapshotStore

    signal.signal(signal.SIGTERM, _terminated)
    wanted = _wanted(plugins, names, everything)
    known = all_datasets(plugins) if any(d.needs for d in wanted) else {}
    datasets = with_needs(wanted, known)
    if scale is not None:
        datasets = [d.model_copy(update={"scale": scale}) for d in datasets]
    engine = plugins.find("engine", engine_name)
    work = work.absolute()
    store = SnapshotStore(work / "snapshots")
    campaign = Campaign(plugins, datasets, engine, store, fresh=fresh, whole=len(wanted) > 1)
    if until is not None:
        campaign.stop_after(until)

    label = "all" if everything else "+".join(d.name for d in wanted)
    folder = _new_folder(work, label)
    console = Console()
    records = _execute(plugins, campaign, folder, engine_name, console, plain)
    for dataset in datasets:
        store.prune(dataset.name, KEEP_DAYS)
    if len(datasets) > 1:
        write_overview(folder, records, len(datasets), plugins.quarantined)
        print_overview(console, folder, label, records, len(datasets), plugins.quarantined)
    link_latest(folder)
    raise SystemExit(_exit_code(plugins, records, len(datasets)))


def _wanted(plugins: Plugins, names: tuple[str, ...], everything: bool) -> list[Dataset]:
    """Return the datasets that the user named, each once; an instrument stands for all of its datasets."""
    if everything and names:
        raise UsageError(f"--all together with {names[0]!r}", remedy="give names, or --all alone")
    if everything:
        instruments = plugins.instruments()
        found = [d for d in all_datasets(plugins).values() if d.instrument in instruments]
        if not found:
            raise UsageError("there is no dataset to run", remedy="see 'harness datasets' and 'harness plugins'")
        return found
    if not names:
        raise UsageError("nothing to run", remedy="name an instrument or a dataset, or give --all")
    out: dict[str, Dataset] = {}
    for name in names:
        of_instrument = [d for d in all_datasets(plugins).values() if d.instrument == name]
        out |= {d.name: d for d in of_instrument or [find_dataset(plugins, name)]}
    return list(out.values())


def _execute(
    plugins: Plugins, campaign: Campaign, folder: Path, engine: str, console: Console, plain: bool
) -> list[RunRecord]:
    """Run the datasets one after the other; each leaves its files."""
    from ..report.files import write_files
    from ..report.summary import print_summary

    records = []
    several = len(campaign.datasets) > 1
    for runner, stages in campaign.runners():
        own = folder / runner.dataset.name if several else folder
        own.mkdir(exist_ok=True)
        record = _new_record(own, folder.name, runner.dataset, engine)
        _observed(plugins, runner, stages, record, console, plain)
        write_files(record, plugins.quarantined)
        print_summary(console, record, plugins.quarantined)
        records.append(record)
    return records


def _observed(
    plugins: Plugins, runner: Runner, stages: list[Stage], record: RunRecord, console: Console, plain: bool
) -> None:
    """Run one dataset before the eyes of the user and of the other observers."""
    from ..report.progress import LiveProgress, PlainProgress

    live = LiveProgress(console, stages) if console.is_terminal and not plain else None
    plugins.manager.register(live or PlainProgress(console), "progress")
    try:
        runner.execute(record, stages)
    finally:
        if live:
            live.close()
        plugins.manager.unregister(name="progress")
    plugins.notify("harness_run_finished", run=record)


def _exit_code(plugins: Plugins, records: list[RunRecord], wanted: int) -> int:
    from ..report.summary import overall_verdict

    own = [int(r.exit_code) for r in records if r.exit_code]
    return own[0] if len(records) == 1 and own else int(overall_verdict(records, wanted, plugins.quarantined).exit_code)


def _terminated(_number: int, _frame: FrameType | None) -> NoReturn:
    """End on SIGTERM as on SIGINT: what is half-built is removed."""
    raise KeyboardInterrupt


def _new_folder(work: Path, label: str) -> Path:
    """Make the folder of a run; no two have the same name."""
    started = datetime.datetime.now(datetime.UTC)
    milliseconds = started.microsecond // 1000  # two runs of one process may start in the same second
    folder = work / "runs" / f"{started:%Y%m%dT%H%M%S}.{milliseconds:03d}-{label}-{os.getpid()}"
    folder.mkdir(parents=True)
    return folder


def _new_record(folder: Path, run_id: str, dataset: Dataset, engine: str) -> RunRecord:
    from ..results import RunRecord
    from ..stages.fingerprint import versions

    return RunRecord(
        id=run_id,
        folder=folder,
        dataset=dataset,
        engine=engine,
        scale=dataset.scale,
        environment={"python": platform.python_version(), **versions()},
        started=datetime.datetime.now(datetime.UTC),
    )
