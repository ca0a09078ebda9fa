"""``harness new-plugin``: the project of a new instrument, which works from the first day."""

from __future__ import annotations

import importlib.metadata
import keyword
import os
import re
from pathlib import Path

import click

from ..errors import HarnessError, UsageError
from ..plugins import Plugins

__all__ = ["command", "make_project"]

TEMPLATE = Path(__file__).parents[1] / "conformance" / "template"

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_LONGEST = 16
"""Characters of a name in the ``instrument`` dimension."""


@click.command("new-plugin")
@click.argument("name")
@click.option(
    "--path",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to make.  [default: gen3-harness-NAME, in lower case]",
)
@click.pass_obj
def command(plugins: Plugins, name: str, path: Path | None) -> None:
    """Make the project of a plugin for the instrument NAME.

    It is a distribution of its own with a small made-up camera that passes the conformance suite. Values that are still
    the template's are marked REPLACE_ME, and 'harness check-plugin' lists them.
    """
    folder = make_project(name, path, known=plugins.instruments())
    identifier = name.lower()
    click.echo(f"{folder}: a plugin for {name}, with a made-up camera. Next:")
    click.echo(f"  pip install -e '{folder}[test]'")
    click.echo(f"  pytest {folder}")
    click.echo(f"  harness check-plugin gen3-harness-{identifier}    # what is still the template's")


def make_project(name: str, path: Path | None = None, *, known: object = ()) -> Path:
    """Make the project of a plugin.

    Parameters
    ----------
    name : `str`
        Name of the instrument, also that of its class.
    path : `~pathlib.Path`, optional
        Folder to make; ``gen3-harness-NAME`` by default.
    known : `~collections.abc.Container` [`str`], optional
        Names that are taken.

    Returns
    -------
    path : `~pathlib.Path`
        The folder.

    Raises
    ------
    HarnessError
        If the name cannot be one, is taken, the folder is there already, or copier is not installed.
    """
    if not _NAME.fullmatch(name) or keyword.iskeyword(name) or len(name) > _LONGEST:
        raise UsageError(
            f"{name!r} cannot be the name of an instrument and of its class",
            remedy=f"letters, digits and _, the first a letter, {_LONGEST} at most",
            code="instrument-name",
        )
    if name in known:  # type: ignore[operator]  # a container
        raise UsageError(f"instrument {name!r} is installed already", remedy="choose another name", code="name-taken")
    identifier = name.lower()
    target = path or Path(f"gen3-harness-{identifier}")
    if target.exists():
        raise UsageError(f"{target} is there already", remedy="choose another folder with --path", code="folder-exists")
    above = next(p for p in target.absolute().parents if p.exists())
    if not (above.is_dir() and os.access(above, os.W_OK)):
        raise UsageError(f"cannot write {target}: {above} is no folder that you may write to", code="no-write")
    try:
        from copier import run_copy
    except ImportError as error:
        raise HarnessError(
            "copier is not installed", remedy="pip install 'gen3-harness[conformance]'", code="no-copier"
        ) from error
    data = {"name": name, "identifier": identifier, "version": importlib.metadata.version("gen3-harness")}
    try:
        run_copy(str(TEMPLATE), target, data=data, defaults=True, quiet=True)
    except OSError as error:
        raise HarnessError(f"cannot write {target}: {error.strerror or error}", code="no-write") from error
    return target
