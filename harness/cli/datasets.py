"""``harness datasets``: what there is to run."""

from __future__ import annotations

import click

from ..plugins import Plugins
from .common import all_datasets, print_table

__all__ = ["command"]


@click.command("datasets")
@click.pass_obj
def command(plugins: Plugins) -> None:
    """List the datasets."""
    rows = []
    for dataset in all_datasets(plugins).values():
        raws = sum(len(e.detectors) for e in dataset.exposures)
        size = f"{len(dataset.exposures)} exposures, {raws} raws"
        rows.append([dataset.name, dataset.instrument, size, f"scale {dataset.scale}", dataset.title])
    print_table(["NAME", "INSTRUMENT", "SIZE", "PIXELS", "TITLE"], rows)
    for state in plugins.quarantined:
        click.echo(f"{state.name} ({state.distribution} {state.version}) is quarantined: {state.reason}", err=True)
