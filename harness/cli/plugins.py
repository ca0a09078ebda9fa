"""``harness plugins``: what is loaded, and what is broken."""

from __future__ import annotations

import click

from ..errors import ExitCode
from ..plugins import Plugins
from .common import all_datasets, print_table

__all__ = ["command"]


@click.command("plugins")
@click.pass_obj
def command(plugins: Plugins) -> None:
    """List the plugins with version, hooks and state; exit status 1 if one is quarantined."""
    for what in ("instruments", "dataset_folders", "stages", "checks", "defects", "engines"):
        getattr(plugins, what)()  # asks every hook, so that what is broken shows
    all_datasets(plugins)
    rows = []
    for state in plugins.states:
        hooks = ", ".join(h.removeprefix("harness_") for h in state.hooks)
        rows.append([state.name, state.distribution, state.version, "quarantined" if state.reason else "ok", hooks])
    print_table(["PLUGIN", "DISTRIBUTION", "VERSION", "STATE", "HOOKS"], rows)
    for state in plugins.quarantined:
        click.echo(f"{state.name} ({state.distribution} {state.version}): {state.reason}", err=True)
    if plugins.quarantined:
        raise SystemExit(int(ExitCode.FAIL))
