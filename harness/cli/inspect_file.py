"""``harness inspect-file``: what raw files would need before they could be used."""

from __future__ import annotations

import click

from ..errors import ExitCode

__all__ = ["command"]


@click.command("inspect-file")
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option("--together", is_flag=True, help="The files belong together: the other half of each must be there.")
@click.pass_context
def command(context: click.Context, files: tuple[str, ...], together: bool) -> None:
    """Say of raw FILEs, of any installed instrument, whether they can be used as they are.

    For each property that ingest, visits, pairing and pipelines rely on a line is written that says ok or needs work.
    No repository is needed. The exit status is 1 if anything needs work.
    """
    from ..plugins import load_plugins
    from ..wavefront.inspection import compare_halves, inspect_file

    kits = load_plugins().instruments()
    found = [inspect_file(path, kits) for path in files]
    if together:
        for file, item in compare_halves(found):
            file.items.append(item)
    for file in found:
        click.echo(file.path)
        for item in file.items:
            click.echo(f"  {'needs work' if item.work else 'ok':10}  {item.name}: {item.text}")
    bad = sum(file.needs_work for file in found)
    click.echo(f"{len(found)} files, {bad} need work" if bad else f"{len(found)} files, none needs work")
    if bad:
        context.exit(int(ExitCode.FAIL))
