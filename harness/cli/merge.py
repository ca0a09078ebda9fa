"""``harness merge``: one repository into another, or a report of what stands in the way."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import ExitCode, HarnessError

if TYPE_CHECKING:
    from ..transfer.compare import Difference
    from ..transfer.merge import Merge

__all__ = ["command"]

SHOWN = 10
"""Collisions of a kind that are shown; ``--format json`` has all."""


@click.command("merge")
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what would collide, and what would be added.")
@click.option(
    "--transfer",
    type=click.Choice(["copy", "hardlink", "symlink"]),
    default="copy",
    show_default=True,
    help="How files get into the target.",
)
@click.option("--no-rehearsal", is_flag=True, help="Don't try it on a copy of the target first.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(source: Path, target: Path, dry_run: bool, transfer: str, no_rehearsal: bool, form: str) -> None:
    """Bring all of the repository SOURCE into the repository TARGET.

    Both are read first, and everything that collides is reported: nothing is written then, and the exit status is 1.
    The middleware itself keeps the target's record, overwrites the target's file, and says nothing.

    The merge is tried on a copy of TARGET, which shares its files, and only if all of that is as it must be, on TARGET.
    What fails is undone.
    """
    from ..transfer.merge import merge, plan_merge

    plan = plan_merge(source.absolute(), target.absolute())
    differences: list[Difference] = []
    merged = False
    if not plan.collisions and not dry_run:
        differences = [] if no_rehearsal else _rehearse(plan, transfer)
        if not differences:
            merged = True
            differences = merge(plan, transfer)
    _report(plan, differences, merged, form)
    raise SystemExit(int(ExitCode.FAIL if plan.collisions or differences else ExitCode.PASS))


def _rehearse(plan: Merge, transfer: str) -> list[Difference]:
    """Merge into a copy of the target."""
    from ..stages.fork import fork_repository
    from ..transfer.merge import merge
    from ..transfer.trip import self_contained

    if not self_contained(plan.target):
        raise HarnessError(
            f"no copy of {plan.target} can be made to try the merge on: its registry or its files lie elsewhere",
            remedy="back it up, and give --no-rehearsal",
            code="no-rehearsal",
        )
    with tempfile.TemporaryDirectory(prefix=".harness-merge-", dir=plan.target.parent) as folder:
        copy = Path(folder) / "target"
        fork_repository(plan.target, copy)
        return merge(plan, transfer, target=copy)


def _report(plan: Merge, differences: list[Difference], merged: bool, form: str) -> None:
    import dataclasses
    import json

    from ..transfer.merge import additions

    added = {} if plan.collisions else additions(plan)
    if form == "json":
        facts = {
            "source": str(plan.source),
            "target": str(plan.target),
            "merged": merged,
            "collisions": [dataclasses.asdict(c) for c in plan.collisions],
            "additions": added,
            "without_file": plan.left_out,
            "differences": [d.to_facts() for d in differences],
        }
        click.echo(json.dumps(facts, indent=1))
        return
    if plan.collisions:
        _collisions(plan)
        return
    if plan.left_out:
        click.echo(f"{plan.left_out} datasets of {plan.source} have no file and cannot be brought")
    counts = ", ".join(f"{n} {kind}s" for kind, n in added.items()) or "nothing"
    if differences:
        where = plan.target if merged else "a copy of the target, which itself is untouched"
        click.echo(f"the merge into {where} went wrong: {len(differences)} differences")
        for difference in differences[:SHOWN]:
            click.echo(f"  {difference}")
    else:
        click.echo(f"{'added' if merged else 'nothing collides; would add'}: {counts}")


def _collisions(plan: Merge) -> None:
    from ..transfer.collisions import KINDS_OF_COLLISION

    number = len(plan.collisions)
    things = "1 thing" if number == 1 else f"{number} things"
    click.echo(f"{things} of {plan.source} in the way of {plan.target}; nothing was written")
    for kind, title in KINDS_OF_COLLISION.items():
        found = [c for c in plan.collisions if c.kind == kind]
        if not found:
            continue
        click.echo(f"{title}: {len(found)}")
        for collision in found[:SHOWN]:
            click.echo(f"  {collision.text}")
        if len(found) > SHOWN:
            click.echo(f"  … {len(found) - SHOWN} more")
        click.echo(f"  remedy: {found[0].remedy}")
