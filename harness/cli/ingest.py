"""``harness ingest``: raw files into a repository."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import ExitCode

__all__ = ["command"]

# repeated here rather than imported: the help must not wait for the ingest's imports
_TRANSFERS = ("auto", "copy", "move", "link", "hardlink", "symlink", "relsymlink", "direct", "split", "none")


@click.command("ingest")
@click.argument("repo")
@click.argument("locations", nargs=-1, required=True, metavar="LOCATION…")
@click.option(
    "--transfer",
    type=click.Choice(_TRANSFERS),
    default="auto",
    show_default=True,
    help="How files get into the repository; 'none' if they lie in its datastore already.",
)
@click.option("--output-run", metavar="RUN", help="RUN collection for the raws.  [default: INSTRUMENT/raw/all]")
@click.option(
    "--on-exists",
    type=click.Choice(["skip", "fail"]),
    default="skip",
    show_default=True,
    help="What to do about raws that are there already with the same content.",
)
@click.option("--fail-fast", is_flag=True, help="Stop at the first file that is refused.")
@click.option(
    "--quarantine-report",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("ingest-quarantine.jsonl"),
    show_default=True,
    help="JSON lines, one per refused file; written, with a summary beside it (.txt), if there is any.",
)
@click.pass_context
def command(
    context: click.Context,
    repo: str,
    locations: tuple[str, ...],
    transfer: str,
    output_run: str | None,
    on_exists: str,
    fail_fast: bool,
    quarantine_report: Path,
) -> None:
    """Ingest raw files of any registered instruments.

    LOCATION is a file, a folder (searched with all subfolders), a quoted pattern or a URI. The instrument is
    found from the headers. A bad file is reported and stops nothing else; the exit status is then 1.
    """
    from ..bootstrap.ingest import ingest
    from ..plugins import load_plugins
    from ..repository import open_repository

    kits = load_plugins().instruments().values()
    with open_repository(repo, writeable=True) as butler:
        report = ingest(
            butler,
            locations,
            transfer=transfer,
            run=output_run,
            translators=[kit.translator for kit in kits],
            on_exists=on_exists,
            fail_fast=fail_fast,
        )
    for line in report.lines():
        click.echo(line)
    if report.quarantined:
        records, summary = report.write(quarantine_report)
        click.echo(f"refused files are listed in {records} and {summary}", err=True)
    if report.exit_code is not ExitCode.PASS:
        context.exit(int(report.exit_code))
