"""``harness explore``: random steps to a repository and to its model."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import ExitCode, HarnessError

__all__ = ["command"]


@click.command("explore")
@click.option("--examples", default=10, show_default=True, help="How many walks.")
@click.option("--steps", default=50, show_default=True, help="How long each is at most.")
@click.option("--seed", type=int, help="Walk the same ways as another time.")
@click.option("--strict", is_flag=True, help="Count what releases are known to do wrong, too.")
@click.option(
    "--script",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("harness-steps.json"),
    show_default=True,
    help="File for the shortest walk that fails.",
)
@click.pass_context
def command(context: click.Context, examples: int, steps: int, seed: int | None, strict: bool, script: Path) -> None:
    """Do random steps (put, tag, certify, chain, prune, export …) to a repository and to a model of it.

    After each step both must say the same. A walk that fails is shortened and written to a file, for
    ``harness replay``.
    """
    import tempfile

    try:
        import hypothesis  # noqa: F401 - what chooses the steps
    except ImportError as error:
        raise HarnessError("hypothesis is not installed", remedy="pip install 'gen3-harness[explore]'") from error
    from ..stateful.compare import Mismatch
    from ..stateful.machine import explore
    from ..stateful.template import make_template

    with tempfile.TemporaryDirectory(prefix="harness-explore-") as folder:
        template = make_template(Path(folder) / "template")
        try:
            counts = explore(template, examples=examples, steps=steps, script=script, strict=strict, number=seed)
        except Mismatch as mismatch:
            for line in mismatch.differences:
                click.echo(f"    {line}")
            click.echo(f"the repository is not what the model says; see it again with: harness replay {script}")
            context.exit(int(ExitCode.FAIL))
    done = ", ".join(f"{n} {name}" for name, n in sorted(counts.items()))
    click.echo(f"{examples} walks, {counts.total()} steps ({done}): the repository is what the model says")
