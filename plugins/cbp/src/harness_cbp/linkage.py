"""Which exposures of cameras belong to which exposures of the projector: those of one group."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.checks.records import records

if TYPE_CHECKING:
    from harness.checks.context import CheckContext

__all__ = ["NAME", "TYPE", "linked"]

NAME, TYPE = "CBP", "cbp"
"""Name of the instrument, and the type of observation of its exposures and of those of cameras that see it."""


def linked(context: CheckContext) -> tuple[Mapping[str, Sequence[Any]], Mapping[str, Sequence[Any]]]:
    """Return the records of exposures by group: those of the projector, and those of cameras that see it.

    The ``group`` dimension belongs to one instrument; the link is that two instruments' groups have one name.
    """

    def make() -> tuple[Mapping[str, Sequence[Any]], Mapping[str, Sequence[Any]]]:
        projector: dict[str, list[Any]] = defaultdict(list)
        cameras: dict[str, list[Any]] = defaultdict(list)
        for record in records(context, "exposure"):
            if record.instrument == NAME:
                projector[record.group].append(record)
            elif record.observation_type == TYPE:
                cameras[record.group].append(record)
        return projector, cameras

    return context.cached("projector and cameras", make)
