"""``harness corrupt``: a copy of a repository with a seeded defect, to see a check find it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import HarnessError
from ..plugins import Plugins
from .common import all_datasets, find_dataset

if TYPE_CHECKING:
    from ..datasets.manifest import Dataset
    from ..defects.base import Defect, DefectTarget
    from ..instrument.kit import InstrumentKit

__all__ = ["MARK", "command", "target_of"]

MARK = "harness-fork.json"
"""File that marks a repository as a copy made here, which may be corrupted again, and says how it was."""


@click.command("corrupt")
@click.argument("repo", type=click.Path(path_type=Path))
@click.argument("defect_id", metavar="DEFECT")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Where the corrupted copy goes.  [default: REPO-DEFECT, beside the repository]",
)
@click.option(
    "--dataset", "dataset_name", metavar="NAME", help="What the repository was made from, if not to be guessed."
)
@click.pass_obj
def command(plugins: Plugins, repo: Path, defect_id: str, output: Path | None, dataset_name: str | None) -> None:
    """Seed DEFECT into a copy of REPO, never into REPO itself; a copy made here before is corrupted further."""
    import shutil

    from ..stages.fork import fork_repository

    defect = plugins.find("defect", defect_id)
    source = repo.absolute()
    _check_repository(source)
    marked = (source / MARK).exists()
    fork = (
        source if marked and output is None else (output or source.with_name(f"{source.name}-{defect.id}")).absolute()
    )
    if fork != source:
        _check_place(source, fork)
        fork_repository(source, fork)
    try:
        _apply(defect, target_of(plugins, fork, dataset_name))
        _mark(fork, source, defect)
    except BaseException:
        if fork != source:
            shutil.rmtree(fork)
        raise
    click.echo(f"{defect.title} ({defect.id})")
    click.echo(f"corrupted   {fork}")
    click.echo(f"found by    {defect.found_by}")
    item = plugins.checks().get(defect.found_by)
    deep = " --deep" if item is not None and item.deep else ""
    click.echo(f"see it with harness audit {fork} --check {defect.found_by}{deep}")


def _mark(fork: Path, source: Path, defect: Defect) -> None:
    """Write down of what a copy was made, and which defects it has."""
    import json

    file = fork / MARK
    known: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {"copy of": str(source), "defects": []}
    known["defects"].append(defect.id)
    file.write_text(json.dumps(known, indent=2) + "\n")


def _check_repository(source: Path) -> None:
    """Raise unless a repository can be copied here: one with its own SQLite file."""
    for name in ("butler.yaml", "gen3.sqlite3"):
        if not (source / name).is_file():
            raise HarnessError(
                f"{source} cannot be copied: it has no {name}",
                remedy="give the folder of a repository with an SQLite registry",
                code="no-repository",
            )


def _check_place(source: Path, fork: Path) -> None:
    """Raise if something is in the way of the copy, or if it would lie within the repository."""
    if fork.exists():
        raise HarnessError(f"{fork} exists already", remedy="give another --output, or remove it", code="output-exists")
    if fork.is_relative_to(source):
        raise HarnessError(f"{fork} lies within {source}", remedy="give an --output outside", code="output-inside")


def target_of(plugins: Plugins, fork: Path, dataset_name: str | None = None) -> DefectTarget:
    """Find out what a copy was made from.

    Parameters
    ----------
    plugins : `~harness.plugins.Plugins`
        Where instruments and datasets come from.
    fork : `~pathlib.Path`
        The copy.
    dataset_name : `str`, optional
        The dataset; by default that of an instrument of the repository whose exposures are there, as many as can be.

    Raises
    ------
    HarnessError
        If the repository has none of the installed instruments.
    """
    import sqlite3

    from ..defects.base import DefectTarget

    with sqlite3.connect(f"file:{fork / 'gen3.sqlite3'}?mode=ro", uri=True) as db:
        here = {name for (name,) in db.execute("SELECT name FROM instrument ORDER BY name")}
        exposures = set(db.execute("SELECT instrument, id FROM exposure"))
    db.close()
    known = plugins.instruments()
    dataset: Any = find_dataset(plugins, dataset_name) if dataset_name else _likeliest(plugins, here, exposures)
    instrument = dataset.instrument if dataset is not None else next((n for n in sorted(here) if n in known), None)
    if instrument is None:
        raise HarnessError(
            f"{fork} has no instrument that is installed here: {', '.join(sorted(here)) or 'none at all'}",
            remedy="install its plugin, or apply the defect after the stage 'register'",
            code="no-instrument",
        )
    kit: InstrumentKit = plugins.find("instrument", instrument)
    return DefectTarget(fork, dataset, kit)


def _likeliest(plugins: Plugins, here: set[str], exposures: set[tuple[str, int]]) -> Dataset | None:
    """Return the dataset of which most exposures are in the repository."""
    found = [d for d in all_datasets(plugins).values() if d.instrument in here]
    shared = {d.name: len({(d.instrument, o.exposure) for o in d.observations} & exposures) for d in found}
    return max(found, key=lambda d: (shared[d.name], -len(d.observations)), default=None)


def _apply(defect: Defect, target: DefectTarget) -> None:
    """Apply a defect; a repository that has nothing for it gets one line."""
    import sqlite3

    try:
        defect.apply(target)
    except (AttributeError, IndexError, LookupError, sqlite3.Error, StopIteration, OSError) as error:
        raise HarnessError(
            f"defect {defect.id} does not fit {target.repo}: {error}",
            remedy=f"apply it to a repository after the stage {defect.after!r} of a known dataset (--dataset)",
            code="defect",
        ) from error
