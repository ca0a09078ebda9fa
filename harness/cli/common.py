"""What several commands need: the work folder, datasets by name, tables."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import HarnessError, nearest

if TYPE_CHECKING:
    from ..datasets.manifest import Dataset
    from ..plugins import Plugins

__all__ = ["all_datasets", "find_dataset", "print_table", "quiet", "work_option"]

BUILTIN = "builtin"
"""The harness's own plugin."""


def work_option[F: Callable[..., Any]](function: F) -> F:
    """Add the option ``--work``."""
    return click.option(
        "--work",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path(".harness"),
        envvar="HARNESS_WORK",
        show_default=True,
        show_envvar=True,
        help="Folder for snapshots and runs.",
    )(function)


def all_datasets(plugins: Plugins) -> dict[str, Dataset]:
    """Return the datasets of all plugins by name; a plugin whose manifest has mistakes is quarantined.

    Raises
    ------
    HarnessError
        If the manifest is one of the harness itself.
    """
    from ..datasets.manifest import load_manifest

    folders = plugins.dataset_folders()
    owners = {name: plugins.owner("harness_datasets", name) for name in folders}
    found: dict[str, Dataset] = {}
    for name, folder in folders.items():
        try:
            found[name] = load_manifest(folder)
        except HarnessError as error:
            if owners[name] == BUILTIN:
                raise
            plugins.quarantine(owners[name], " ".join(str(error).split()))
    sound = plugins.dataset_folders()
    return {name: dataset for name, dataset in found.items() if name in sound}


def find_dataset(plugins: Plugins, name: str) -> Dataset:
    """Return a dataset by its name, its manifest's path, or the name of its instrument.

    Parameters
    ----------
    plugins : `~harness.plugins.Plugins`
        Where datasets come from.
    name : `str`
        ``ci_hsc``, ``path/to/manifest.toml`` or ``HSC``: the first dataset of that instrument, by name.

    Raises
    ------
    HarnessError
        If there is none; names the nearest instrument or dataset.
    """
    from ..datasets.manifest import load_manifest

    if name.endswith(".toml") or "/" in name:
        return load_manifest(Path(name))
    folders = plugins.dataset_folders()
    if name in folders:
        return load_manifest(folders[name])
    instruments = plugins.instruments()
    if name not in instruments:
        try:
            plugins.find("instrument", name)
        except HarnessError as error:
            unknown = nearest("instrument or dataset", name, [*instruments, *folders])
            unknown.remedy += f"; quarantined: {_broken(plugins)}" if plugins.quarantined else ""
            raise unknown from error
    for dataset in all_datasets(plugins).values():
        if dataset.instrument == name:
            return dataset
    remedy = _broken(plugins) or "see 'harness datasets'"
    raise HarnessError(f"no dataset for instrument {name!r}", remedy=remedy, code="no-dataset")


def _broken(plugins: Plugins) -> str:
    return "; ".join(f"{s.name} ({s.distribution}): {s.reason}" for s in plugins.quarantined)


def print_table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print a table: drawn on a terminal, with tabs elsewhere."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        for row in rows:
            click.echo("\t".join(row))
        return
    table = Table(*headings, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*row)
    console.print(table)


@contextmanager
def quiet() -> Iterator[None]:
    """Leave out the middleware's own messages, where findings or logs say what matters."""
    log = logging.getLogger("lsst")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)
