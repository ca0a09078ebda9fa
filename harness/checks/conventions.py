"""What most records of one kind have in common, and the few that break with it.

Nothing says how an instrument names its exposures, or that it always knows where it points; but a repository shows it.
A rule is believed if many records keep it; the few that don't are findings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

__all__ = ["Exceptions", "believed", "exceptions", "template"]

LEAST = 4
"""How many records a rule must be seen at before it is believed."""

SHARE = 0.05
"""Which part of the records may break a rule that is still believed; one may in any case, and two of ten."""


class Exceptions[T](NamedTuple):
    """Records that break a rule which the others keep."""

    broken: tuple[T, ...]
    kept: int
    """How many keep it."""


def believed(kept: int, broken: int) -> bool:
    """Tell whether a rule that some records keep and some break is one.

    Parameters
    ----------
    kept, broken : `int`
        How many keep and break it. Two that were exchanged are two that break it.
    """
    return kept >= LEAST and broken <= max(1 if kept < 4 * broken else 2, SHARE * kept)


def exceptions[T](items: Iterable[tuple[T, bool]]) -> Exceptions[T]:
    """Return the records that break a rule.

    Parameters
    ----------
    items : `~collections.abc.Iterable`
        Pairs of a record and whether it keeps the rule.

    Returns
    -------
    found : `Exceptions`
        With no broken ones if the rule is none: too few records keep it, or too many break it.
    """
    pairs: Sequence[tuple[T, bool]] = list(items)
    broken = tuple(item for item, keeps in pairs if not keeps)
    kept = len(pairs) - len(broken)
    return Exceptions(broken if believed(kept, len(broken)) else (), kept)


def template(name: str) -> str:
    """Return a name without its numbers: what the names of one source have in common."""
    return re.sub(r"\d+", "#", name)
