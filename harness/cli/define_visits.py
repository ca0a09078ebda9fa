"""``harness define-visits``: exposures into visits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..errors import HarnessError

if TYPE_CHECKING:
    from lsst.daf.butler import Butler

    from ..instrument.kit import InstrumentKit
    from ..plugins import Plugins

__all__ = ["command"]


@click.command("define-visits")
@click.argument("repo")
@click.argument("instrument", required=False)
@click.option("--where", default="", metavar="EXPRESSION", help="Only exposures that fulfil it: 'day_obs = 20250601'.")
@click.option(
    "--collections",
    multiple=True,
    metavar="COLLECTION",
    help="Only exposures with a raw in one of these; may be a pattern, may be repeated.",
)
@click.option("--exposure", "exposures", type=int, multiple=True, help="Only this exposure; may be repeated.")
@click.option("--grouping", metavar="NAME", help="How to make visits.  [default: what the instrument asks for]")
@click.option("--update", is_flag=True, help="Change visits that are there: fields, regions, snaps that came late.")
def command(
    repo: str,
    instrument: str | None,
    where: str,
    collections: tuple[str, ...],
    exposures: tuple[int, ...],
    grouping: str | None,
    update: bool,
) -> None:
    """Define the visits of exposures that are in the repository.

    Of INSTRUMENT, or of all instruments of the repository that have visits and whose plugin is installed; an
    instrument's visits are defined all or not at all. Other exposures of the same visits are taken in. What is
    defined already as it should be is left alone.
    """
    from ..bootstrap.visits import define_visits
    from ..plugins import load_plugins
    from ..repository import open_repository

    with open_repository(repo, writeable=True) as butler:
        for kit in _kits(butler, load_plugins(), repo, instrument):
            report = define_visits(
                butler,
                kit,
                exposures=exposures or None,
                where=where,
                collections=collections or None,
                grouping=grouping,
                update=update,
            )
            click.echo(str(report))
            for what in (report.skipped, report.waiting):
                for exposure, why in sorted(what.items()):
                    click.echo(f"  exposure {exposure}: {why}")


def _kits(butler: Butler, plugins: Plugins, repo: str, instrument: str | None) -> list[InstrumentKit]:
    """Return the instruments to define visits of.

    Raises
    ------
    HarnessError
        If the one that is named is unknown or has no visits, or none is named and there is none.
    """
    from ..instrument.kit import Capability

    if instrument is not None:
        kit = plugins.find("instrument", instrument)
        if Capability.VISITS not in kit.capabilities:
            raise HarnessError(f"instrument {instrument} has no visits", code="no-visits")
        return [kit]
    registered = {r.name for r in butler.query_dimension_records("instrument", explain=False)}
    known = {name: kit for name, kit in plugins.instruments().items() if name in registered}
    for name in sorted(registered - known.keys()):
        click.echo(f"instrument {name} is left out: no installed plugin has it", err=True)
    found = [kit for _, kit in sorted(known.items()) if Capability.VISITS in kit.capabilities]
    if not found:
        raise HarnessError(
            f"no instrument of {repo} has visits: {', '.join(sorted(registered)) or 'none is registered'}",
            remedy="register an instrument whose plugin is installed; see 'harness plugins'",
            code="no-visits",
        )
    return found
