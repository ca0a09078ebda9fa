"""``harness checks``: the invariants, and why each matters."""

from __future__ import annotations

import textwrap

import click

from ..plugins import Plugins
from .common import print_table

__all__ = ["command"]


@click.command("checks")
@click.argument("check_id", required=False, metavar="[ID]")
@click.option("--family", help="Only this family.")
@click.pass_obj
def command(plugins: Plugins, check_id: str | None, family: str | None) -> None:
    """List the checks, or explain one."""
    from ..errors import nearest

    if check_id is None:
        checks = plugins.checks().values()
        families = {c.family for c in checks}
        if family is not None and family not in families:
            raise nearest("family", family, families)
        rows = [[c.id, c.after, c.title] for c in checks if family in (None, c.family)]
        print_table(["CHECK", "AFTER STAGE", "WHAT HOLDS"], rows)
        return
    item = plugins.find("check", check_id)
    click.echo(f"{item.id}: {item.title}\n")
    click.echo(textwrap.fill(item.rationale, 100))
    click.echo(f"\nholds after stage  {item.after}")
    if item.needs:
        click.echo(f"needs capability   {', '.join(sorted(item.needs))}")
    if item.deep:
        click.echo("in an audit        only with --deep or --sample: it opens files")
    if item.upstream:
        click.echo(f"upstream           {item.upstream}")
    found = [d for d in plugins.defects().values() if d.found_by == item.id]
    for number, defect in enumerate(found):
        click.echo(f"{'proven by defect' if not number else '':<18} {defect.id}: {defect.title}")
