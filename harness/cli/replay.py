"""``harness replay``: do the steps of a script again."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import ExitCode

__all__ = ["command"]


@click.command("replay")
@click.argument("script", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--strict/--lenient", default=None, help="Count what releases are known to do wrong.  [default: as before]"
)
@click.pass_context
def command(context: click.Context, script: Path, strict: bool | None) -> None:
    """Do the steps of SCRIPT again, to a new repository and to its model.

    The exit status is 0 if the repository does what the model says, else 1. ``harness explore`` writes scripts.
    """
    import tempfile

    from ..stateful.script import Script, replay
    from ..stateful.template import make_template
    from ..stateful.world import World

    read = Script.read(script)
    with tempfile.TemporaryDirectory(prefix="harness-replay-") as folder:
        template = make_template(Path(folder) / "template")
        world = World(template, strict=read.strict if strict is None else strict)
        wrong: tuple[str, ...] = ()
        try:
            for number, outcome in enumerate(replay(read, world), 1):
                mark = "✗" if outcome.differences else "✓" if outcome.done else "-"
                click.echo(f"{mark} {number}. {outcome.step}")
                wrong = outcome.differences
        finally:
            world.close()
    for line in wrong:
        click.echo(f"    {line}")
    for known in sorted(world.known):
        click.echo(f"known of this and other releases: {known}")
    if wrong:
        click.echo(f"{script}: the repository is not what the model says")
        context.exit(int(ExitCode.FAIL))
    click.echo(f"{script}: {world.done} steps, the repository is what the model says")
