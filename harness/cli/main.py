"""The ``harness`` command line: the group, and how errors and interruptions end."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Iterator
from typing import Any

import click

from ..errors import ExitCode, HarnessError, nearest
from ..plugins import Plugins, load_plugins
from ..repository import RARE

__all__ = ["Harness", "harness_errors", "main"]

TRACE_VARIABLE = "HARNESS_TRACE_HOOKS"


class Harness(click.Group):
    """The group; its commands come from the plugins."""

    plugins: Plugins | None = None

    def load(self) -> Plugins:
        """Load the plugins and their commands, once.

        Returns
        -------
        plugins : `~harness.plugins.Plugins`
            Shared by all commands of this process.
        """
        if self.plugins is None:
            trace = "--trace-hooks" in sys.argv[1:] or bool(os.environ.get(TRACE_VARIABLE))
            self.plugins = load_plugins(trace=trace)
            for name, commands in self.plugins.each("harness_commands", group=self):
                for command in commands:
                    if command.name in self.commands:
                        self.plugins.quarantine(name, f"harness_commands gave {command.name!r}, which exists already")
                        break
                    self.add_command(command)
        return self.plugins

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        self.load()
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by name."""
        self.load()
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant, or name the nearest one."""
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            raise nearest("command", args[0], self.list_commands(ctx))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; errors end it as `harness_errors` says."""
        with harness_errors():
            return super().invoke(ctx)


@contextlib.contextmanager
def harness_errors() -> Iterator[None]:
    """Print a `HarnessError` as one line and leave with its exit status; 130 when interrupted."""
    try:
        yield
    except HarnessError as error:
        click.echo(f"harness: {error}", err=True)
        raise SystemExit(int(error.exit_code)) from None
    except KeyboardInterrupt:
        click.echo("harness: interrupted; run the same command again to go on from the last whole stage", err=True)
        raise SystemExit(int(ExitCode.INTERRUPTED)) from None


@click.group(cls=Harness, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--trace-hooks", is_flag=True, help=f"Print every hook call to standard error (or {TRACE_VARIABLE}=1).")
@click.version_option(package_name="gen3-harness")
@click.pass_context
def main(context: click.Context, trace_hooks: bool) -> None:  # noqa: ARG001 - read before parsing, by Harness.load
    """From an instrument to a verdict on the Gen3 middleware.

    Exit status: 0 pass, 1 fail, 2 wrong usage or environment, 3 unknown, 130 interrupted.
    """
    # The middleware keeps some million objects until the end. Looking through them for garbage as often as Python does
    # by default takes an eighth of a run.
    gc.set_threshold(*RARE)
    group = context.command
    assert isinstance(group, Harness)
    context.obj = group.load()
