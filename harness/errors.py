"""Errors that a user can act on, and the exit codes that they lead to."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import IntEnum

__all__ = ["ExitCode", "HarnessError", "UsageError", "nearest"]


class ExitCode(IntEnum):
    """Exit codes of the ``harness`` command."""

    PASS = 0
    FAIL = 1
    USAGE = 2
    UNKNOWN = 3
    INTERRUPTED = 130


class HarnessError(Exception):
    """Something that a person can put right; printed as one line, never with a traceback.

    Parameters
    ----------
    message : `str`
        What is wrong: names the thing and the value.
    remedy : `str`, optional
        What to do about it.

    Attributes
    ----------
    code : `str`
        Stable identifier of the kind of error, for scripts and tests.
    exit_code : `ExitCode`
        Exit status that the command line ends with.
    """

    code = "error"
    exit_code = ExitCode.USAGE

    def __init__(self, message: str, *, remedy: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.remedy = remedy
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        text = super().__str__()
        return f"{text} ({self.remedy})" if self.remedy else text


class UsageError(HarnessError):
    """A wrong name, option or file given by the user."""

    code = "usage"


def nearest(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """Make the error for an unknown name, with the nearest known one as its remedy.

    Parameters
    ----------
    kind : `str`
        What was named: "instrument", "check" …
    name : `str`
        The name given.
    known : `~collections.abc.Iterable` [`str`]
        The names that exist.

    Returns
    -------
    error : `UsageError`
        To be raised by the caller.
    """
    names = sorted(known)
    folded = {n.casefold(): n for n in names}
    begun = [n for n in folded if n.startswith(name.casefold())] if name else []
    close = begun if len(begun) == 1 else difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
    if close:
        remedy = f"did you mean {folded[close[0]]!r}?"
    elif names:
        remedy = f"known: {', '.join(names[:12])}{' …' if len(names) > 12 else ''}"
    else:
        remedy = f"no {kind} is installed; see 'harness plugins'"
    return UsageError(f"unknown {kind} {name!r}", remedy=remedy, code=f"unknown-{kind}")
