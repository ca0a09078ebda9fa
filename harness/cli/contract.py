"""``harness contract``: does the installed middleware keep its promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..errors import ExitCode

if TYPE_CHECKING:
    from ..verdicts import Check

__all__ = ["command"]


@click.command("contract")
@click.argument("ids", nargs=-1, metavar="[ID…]")
@click.option("--area", "areas", multiple=True, help="Only this area; may be given again.")
@click.option("--family", "families", multiple=True, hidden=True, help="The same as --area.")
@click.option("--list", "only_list", is_flag=True, help="List the properties, and run none.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the random choices.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "junit"]),
    default="text",
    show_default=True,
    help="What to print.",
)
@click.option("-v", "--verbose", is_flag=True, help="Print properties that pass, too, and tracebacks.")
@click.pass_context
def command(
    context: click.Context,
    ids: tuple[str, ...],
    areas: tuple[str, ...],
    families: tuple[str, ...],
    only_list: bool,
    seed: int,
    form: str,
    verbose: bool,
) -> None:
    """Check properties of the installed middleware itself, on small repositories made for it.

    ID is the name of a property, or its end. Needs no instrument; runs with any release from 2024.45 on. What the
    installed release does not have does not apply.
    """
    from ..contract import all_properties
    from ..contract.base import overall, run_property
    from ..contract.report import as_json, as_junit, as_text, environment

    chosen = _choose(all_properties(), ids, (*areas, *families))
    if only_list:
        from .common import print_table

        print_table(["PROPERTY", "WHAT HOLDS"], [[c.id, c.title] for c in chosen])
        return
    results = []
    if form == "text":
        click.echo(", ".join(f"{k} {v}" for k, v in environment().items()))
    for item in chosen:
        result = run_property(item, seed)
        results.append(result)
        if form == "text" and (verbose or result.word in ("fail", "unknown")):
            for line in as_text(result, verbose=verbose):
                click.echo(line)
    verdict = overall(results)
    if form == "json":
        click.echo(as_json(results, seed))
    elif form == "junit":
        click.echo(as_junit(results))
    else:
        words = [r.word for r in results]
        counts = ", ".join(f"{words.count(w)} {w}" for w in ("pass", "fail", "unknown", "n/a") if w in words)
        seconds = sum(r.result.seconds for r in results)
        click.echo(f"{verdict.value.upper()}: {len(results)} properties, {counts}; {seconds:.1f} s")
    if verdict.exit_code is not ExitCode.PASS:
        context.exit(int(verdict.exit_code))


def _choose(known: tuple[Check, ...], ids: tuple[str, ...], areas: tuple[str, ...]) -> list[Check]:
    """Return the properties that are asked for; unknown names are usage errors with the nearest known one."""
    from ..contract import area_of
    from ..errors import nearest

    present = {area_of(c) for c in known}
    for area in areas:
        if area not in present:
            raise nearest("area", area, present)
    chosen = [c for c in known if not areas or area_of(c) in areas]
    if not ids:
        return chosen
    found: list[Check] = []
    for name in ids:
        matches = [c for c in known if c.id == name or c.id.endswith(f".{name}") or c.id == f"contract.{name}"]
        if not matches:
            raise nearest("property", name, [c.id for c in known])
        found += [c for c in matches if c in chosen and c not in found]
    return found
