"""``butler audit``: the audit as a command of the middleware's own command line.

The entry point ``butler.cli`` names `commands`; where there are no entry points, ``DAF_BUTLER_PLUGINS`` can name a
YAML file with ``cmd: {import: harness.cli.butler, commands: [audit]}``.
"""

from __future__ import annotations

from typing import Any

import click

from .audit import command

__all__ = ["audit", "commands"]


class _Audit(click.Command):
    """The same command, whose errors end as they do under ``harness``."""

    def invoke(self, ctx: click.Context) -> Any:
        from .main import harness_errors

        with harness_errors():
            return super().invoke(ctx)


audit = _Audit(
    command.name,
    params=command.params,
    callback=command.callback,
    help=command.help,
    short_help="Say whether a repository is sound.",
)
"""``butler audit``."""


def commands() -> list[click.Command]:
    """Return the commands that the harness adds to ``butler``."""
    return [audit]
