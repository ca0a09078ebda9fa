"""Running ``butler`` commands, and reading what they print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base import NotApplicableError

if TYPE_CHECKING:
    from ..lab import Lab

__all__ = ["members", "rows", "run"]

UNKNOWN = ("No such option", "No such command", "is not one of")
"""What click says to words that a release does not know (an option, a command, a value of a list)."""

USAGE = 2
"""Exit status of a command that does not understand its arguments."""


def run(lab: Lab, *words: object, fails: bool = False) -> str:
    """Run a ``butler`` command in this process.

    Parameters
    ----------
    lab : `~harness.contract.lab.Lab`
        Where it is recorded that the command failed (or did not fail).
    *words : `object`
        Command and arguments.
    fails : `bool`, optional
        Whether it must fail.

    Returns
    -------
    output : `str`
        What it printed.
    """
    from click.testing import CliRunner
    from lsst.daf.butler.cli.butler import cli

    text = [str(w) for w in words]
    result = CliRunner().invoke(cli, text, catch_exceptions=True)
    line = "butler " + " ".join(text)
    if isinstance(result.exception, TypeError) and "Sentinel" in str(result.exception):
        # what click 8.3 gives for an option that is not given; releases that are older than it cannot know that
        raise NotApplicableError("this release has no support for the installed version of click")
    unknown = [w for w in result.output.splitlines() if any(text in w for text in UNKNOWN)]
    if result.exit_code == USAGE and unknown:
        raise NotApplicableError(f"butler {text[0]} like this: {unknown[0].strip()}")
    failed = result.exit_code != 0
    why = repr(result.exception) if result.exception is not None else result.output[-200:]
    if fails:
        lab.expect(failed, "a command that must fail ended well", look=line)
    else:
        lab.expect(not failed, "a command failed", look=line, seen=why)
    return str(result.output)


def rows(output: str) -> list[list[str]]:
    """Return the rows of the tables of an output: after each line of dashes, up to an empty line."""
    found: list[list[str]] = []
    reading = False
    for line in output.splitlines():
        if line.strip() and set(line.strip()) <= {"-", " "}:
            reading = True
        elif not line.strip():
            reading = False
        elif reading:
            found.append(line.split())
    return found


def members(lab: Lab, butler: Any, name: str, collection: str) -> set[Any]:
    """Return the ids of the datasets of a type in a collection, as a new butler sees them."""
    return {r.id for r in lab.open(butler).query_datasets(name, collection, find_first=False, explain=False)}
