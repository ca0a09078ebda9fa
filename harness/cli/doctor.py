"""``harness doctor``: whether this environment is fit to run the harness."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import click

from ..errors import ExitCode, HarnessError
from ..plugins import Plugins
from .common import all_datasets, print_table, work_option

__all__ = ["command"]

ROOM = 2 * 2**30
"""Bytes that a cold run of a dataset at scale 8 needs with room to spare."""


@click.command("doctor")
@work_option
@click.pass_obj
def command(plugins: Plugins, work: Path) -> None:
    """Check the environment; exit status 2 if something would keep a run from working."""
    examinations: list[tuple[str, Callable[[], str]]] = [
        ("python", _python),
        ("middleware", _middleware),
        ("sqlite", lambda: sqlite3.sqlite_version),
        ("pipetask", _pipetask),
        ("plugins", lambda: _plugins(plugins)),
        ("datasets", lambda: ", ".join(all_datasets(plugins)) or _problem("none is installed")),
        ("work folder", lambda: _work(work.absolute())),
    ]
    rows, sound = [], True
    for name, examine in examinations:
        try:
            rows.append(["ok", name, examine()])
        except (HarnessError, ImportError) as error:
            sound = False
            rows.append(["bad", name, str(error)])
    print_table(["", "WHAT", "FOUND"], rows)
    if not sound:
        raise SystemExit(int(ExitCode.USAGE))


def _problem(text: str, remedy: str = "") -> str:
    raise HarnessError(text, remedy=remedy, code="environment")


def _python() -> str:
    found = ".".join(map(str, sys.version_info[:3]))
    return found if sys.version_info >= (3, 12) else _problem(f"{found} is too old", "use Python 3.12 or later")


def _middleware() -> str:
    from lsst.daf.butler import DimensionUniverse

    from ..stages.fingerprint import versions

    universe = DimensionUniverse()
    return f"daf_butler {versions()['lsst-daf-butler']}, dimension universe {universe.namespace} {universe.version}"


def _pipetask() -> str:
    script = Path(sys.executable).with_name("pipetask")
    found = str(script) if script.exists() else shutil.which("pipetask")
    return found or _problem("pipetask is not on PATH", "install lsst-ctrl-mpexec in this environment")


def _plugins(plugins: Plugins) -> str:
    instruments = ", ".join(plugins.instruments())
    if plugins.quarantined:
        _problem("; ".join(f"{s.name}: {s.reason}" for s in plugins.quarantined), "see 'harness plugins'")
    return f"{len(plugins.states)}, instruments: {instruments}"


def _work(work: Path) -> str:
    from ..stages.snapshots import SnapshotStore

    there = work.exists()
    SnapshotStore(work)
    free = shutil.disk_usage(work).free
    if not there:
        work.rmdir()
    if free < ROOM:
        _problem(
            f"{work} has {free / 2**30:.1f} GiB free, a run needs {ROOM / 2**30:.0f}", "choose another with --work"
        )
    return f"{work}, {free / 2**30:.0f} GiB free"
