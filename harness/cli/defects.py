"""``harness defects``: the corruptions that the checks must find."""

from __future__ import annotations

import click

from ..plugins import Plugins
from .common import print_table

__all__ = ["command"]


@click.command("defects")
@click.pass_obj
def command(plugins: Plugins) -> None:
    """List the seeded defects and the check that finds each."""
    rows = [[d.id, d.found_by, d.title] for d in plugins.defects().values()]
    print_table(["DEFECT", "FOUND BY", "WHAT IS CORRUPTED"], rows)
