"""``harness defects``: the corruptions that the checks must find, and the table of which check finds which."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import ExitCode, HarnessError, nearest
from ..plugins import Plugins
from .common import find_dataset, print_table, work_option

if TYPE_CHECKING:
    from ..defects.base import Defect
    from ..defects.table import Row

__all__ = ["command"]

RUN_ONLY = frozenset({"rerun", "roundtrip", "together", "calibrate"})
"""Stages whose defects need more than the repository, or another dataset: they are proven by their own tests."""


@click.command("defects")
@click.argument("defect_id", required=False, metavar="[ID]")
@click.option("--check", "check_id", help="Only those that this check finds.")
@click.option("--family", help="Only those that checks of this family find.")
@click.option("--after", "stage", help="Only those of repositories after this stage.")
@click.option("--table", is_flag=True, help="Apply each to a copy of a repository and show which checks find it.")
@click.option("--dataset", "dataset_name", default="ci_hsc", show_default=True, help="Of the table: what is corrupted.")
@work_option
@click.pass_context
def command(
    context: click.Context,
    defect_id: str | None,
    check_id: str | None,
    family: str | None,
    stage: str | None,
    table: bool,
    dataset_name: str,
    work: Path,
) -> None:
    """List the seeded defects and the check that finds each, or explain one.

    The exit status of --table is 1 if a check misses a defect that it must find.
    """
    plugins: Plugins = context.obj
    defects, checks = plugins.defects(), plugins.checks()
    families = {c.family for c in checks.values()}
    if family is not None and family not in families:
        raise nearest("family", family, families)
    if stage is not None:
        plugins.find("stage", stage)
    if check_id is not None:
        plugins.find("check", check_id)
    if defect_id is not None:
        defects = {defect_id: plugins.find("defect", defect_id)}
    chosen = [
        d
        for d in defects.values()
        if check_id in (None, d.found_by)
        and stage in (None, d.after)
        and family in (None, d.found_by.partition(".")[0])
    ]
    if table:
        rows = list(_rows(plugins, chosen, dataset_name, work))
        if not all(row.proven for row in rows):
            context.exit(int(ExitCode.FAIL))
    elif defect_id is not None:
        _explain(plugins, chosen[0])
    else:
        rows_of_text = [[d.id, d.found_by, d.after, d.title] for d in chosen]
        print_table(["DEFECT", "FOUND BY", "AFTER STAGE", "WHAT IS CORRUPTED"], rows_of_text)


def _explain(plugins: Plugins, defect: Defect) -> None:
    found_by = plugins.checks().get(defect.found_by)
    click.echo(f"{defect.id}: {defect.title}\n")
    click.echo(f"corrupts a repository after stage  {defect.after}")
    click.echo(f"must be found by                   {defect.found_by}")
    if found_by is not None:
        click.echo(f"which says that                    {found_by.title}")
    click.echo(f"try it                             harness corrupt REPO {defect.id}")


def _rows(plugins: Plugins, defects: list[Defect], dataset_name: str, work: Path) -> Iterator[Row]:
    """Apply defects to copies of the repository that they fit; print each line as soon as it is known."""
    from ..defects.base import DefectTarget
    from ..defects.table import lines, row
    from ..stages.fork import fork_repository
    from .built import built

    dataset = find_dataset(plugins, dataset_name)
    kit = plugins.find("instrument", dataset.instrument)
    engine = plugins.find("engine", "inprocess")
    order = list(plugins.stages())
    checks = [c for c in plugins.checks().values() if c.after not in RUN_ONLY]
    for defect in defects:
        if defect.after in RUN_ONLY:
            continue
        repo = built(plugins, dataset, engine, work, defect.after).repo
        holding = [c for c in checks if order.index(c.after) <= order.index(defect.after)]
        with tempfile.TemporaryDirectory(prefix="harness-defects-") as folder:
            fork = Path(folder) / "repo"
            fork_repository(repo, fork)
            try:
                found = row(defect, DefectTarget(fork, dataset, kit), holding, audit=_deep(plugins, defect))
            except (HarnessError, AttributeError, IndexError, LookupError, StopIteration) as error:
                click.echo(f"{defect.id}\t{defect.found_by}\tdoes not fit {dataset.name}\t{error}")
                continue
        for words in lines([found]):
            click.echo("\t".join(words))
        yield found


def _deep(plugins: Plugins, defect: Defect) -> bool:
    """Tell whether the check that must find a defect opens files: all of them, in an audit."""
    found_by = plugins.checks().get(defect.found_by)
    return found_by is not None and found_by.deep
