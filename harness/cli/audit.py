"""``harness audit``: whether a repository is sound. Also ``butler audit``, see `harness.cli.butler`."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from .common import quiet

if TYPE_CHECKING:
    from ..audit.running import Progress
    from ..checks.context import CheckContext
    from ..plugins import Plugins
    from ..verdicts import Check

__all__ = ["command", "installed", "progress_display"]

LIMIT = 1000
"""Findings kept of each check, unless another number is asked for."""

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("audit")
@click.argument("repo")
@click.option("--family", "families", multiple=True, metavar="FAMILY", help="Only checks of this family; repeatable.")
@click.option("--check", "checks", multiple=True, metavar="ID", help="Only this check; repeatable.")
@click.option("--since", metavar="DATE", help="Only what was ingested or exposed since (UTC, ISO 8601).")
@click.option(
    "--collections", multiple=True, metavar="NAMES", help="Only what is in these: names or patterns, with commas."
)
@click.option(
    "--sample", type=click.IntRange(1), metavar="N", help="Open only N files for each check that opens files."
)
@click.option("--deep", is_flag=True, help="Open every file: content, headers, checksums.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "junit"]),
    default="text",
    show_default=True,
    help="Form of the report.",
)
@click.option("--output", type=_FILE, metavar="FILE", help="Write the report there; a summary is still printed.")
@click.option("--baseline", type=_FILE, metavar="FILE", help="Accepted findings: see 'harness accept'.")
@click.option("--plan", type=_FILE, metavar="FILE", help="Write remedies there, as a shell script to be read.")
@click.option(
    "--limit", type=click.IntRange(1), metavar="N", help=f"Keep N findings of each check.  [default: {LIMIT}; 5 shown]"
)
@click.option("--plain", is_flag=True, help="No progress display, even on a terminal.")
@click.pass_context
def command(
    context: click.Context,
    repo: str,
    families: tuple[str, ...],
    checks: tuple[str, ...],
    since: str | None,
    collections: tuple[str, ...],
    sample: int | None,
    deep: bool,
    form: str,
    output: Path | None,
    baseline: Path | None,
    plan: Path | None,
    limit: int | None,
    plain: bool,
) -> None:
    """Say whether a repository is sound; nothing in it is changed.

    REPO is a folder, a URI, a butler.yaml or an alias of the repository index, of dimension universe 6 to 8, with
    SQLite or PostgreSQL. Checks that find nothing of their kind have no say.

    Exit status: 0 sound, 1 something is wrong, 2 no repository or wrong usage, 3 unknown.
    """
    from rich.console import Console

    from ..audit.baseline import read_baseline
    from ..audit.plan import plan_lines
    from ..audit.running import audit
    from ..audit.selection import Request
    from ..report.audit_files import as_json, as_junit, write_whole
    from ..report.audit_text import SHOWN, audit_verdict, print_audit, printable

    names = tuple(name for given in collections for name in given.split(",") if name)
    request = Request(families, checks, since, names, sample, deep, limit or LIMIT)
    accepted = read_baseline(baseline) if baseline else None
    for file in (output, plan):
        _outside(file, repo)
    plugins = installed(context)
    with progress_display(plain) as progress, quiet():
        report = audit(repo, plugins.checks(), plugins.instruments(), request, baseline=accepted, progress=progress)
    broken, shown = plugins.quarantined, limit or SHOWN
    if form == "text":
        buffer = io.StringIO()
        print_audit(Console(file=buffer), report, broken, shown)
        text = buffer.getvalue()
    else:
        text = {"json": as_json, "junit": as_junit}[form](report, broken)
    if output is not None:
        write_whole(output, text)
    if form == "text" or output is not None:
        print_audit(Console(), report, broken, shown)
    else:
        click.echo(text, nl=False)
    if plan is not None:
        write_whole(plan, "\n".join(map(printable, plan_lines(report))) + "\n")
        click.echo(f"remedies are in {plan}; nothing has been run", err=True)
    context.exit(int(audit_verdict(report, broken).exit_code))


def installed(context: click.Context) -> Plugins:
    """Return the plugins that the command line has loaded; under ``butler`` nobody has."""
    from ..plugins import Plugins, load_plugins

    return context.obj if isinstance(context.obj, Plugins) else load_plugins()


def _outside(file: Path | None, repo: str) -> None:
    """Refuse to write into the repository."""
    if file is not None and file.resolve().is_relative_to(Path(repo).resolve()):
        raise UsageError(
            f"{file} is in the repository, into which an audit writes nothing", remedy="choose another place"
        )


@contextlib.contextmanager
def progress_display(plain: bool) -> Iterator[Progress | None]:
    """Show on a terminal which check is running and how much it has looked at.

    Parameters
    ----------
    plain : `bool`
        Show nothing.

    Yields
    ------
    progress : `~collections.abc.Callable`
        To be told before each check; `None` if nothing is shown.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
    from rich.progress import Task as RichTask

    console = Console(stderr=True)
    if plain or not console.is_terminal:
        yield None
        return

    class Examined(TextColumn):
        """How many things the running check has looked at."""

        def render(self, task: RichTask) -> Any:
            looked = task.fields.get("context")
            task.fields["examined"] = f"{looked.count:,}" if looked is not None else ""
            return super().render(task)

    columns = (
        BarColumn(20),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        Examined("{task.fields[examined]}"),
    )
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as display:
        task: TaskID = display.add_task("opening", total=None, examined="")

        def tell(done: int, total: int, item: Check, context: CheckContext) -> None:
            display.update(task, completed=done, total=total, description=item.id, context=context)

        yield tell
