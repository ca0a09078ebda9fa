"""What came of defining visits."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

__all__ = ["ELEMENTS", "VisitReport"]

ELEMENTS = ("visit", "visit_definition", "visit_system_membership", "visit_detector_region")
"""Dimension elements that are written, in the order of insertion."""


@dataclasses.dataclass
class VisitReport:
    """What `~harness.bootstrap.visits.define_visits` did.

    Parameters
    ----------
    instrument : `str`
        The instrument.
    grouping : `str`
        Name of the way in which exposures were grouped.
    defined : `list` [`int`]
        New visits.
    unchanged : `list` [`int`]
        Visits that were there as they should be.
    completed : `list` [`int`]
        Visits that were there and lacked some of their other records, which were added.
    updated : `list` [`int`]
        Visits that were there with other values or fewer exposures and were changed.
    joined : `list` [`int`]
        Exposures that were not asked for, but are in the visits of those that were.
    skipped : `dict` [`int`, `str`]
        Exposures that belong into no visit, and why.
    waiting : `dict` [`int`, `str`]
        Exposures that are in no visit of a visit system yet, and of which.
    beyond : `list` [`int`]
        Visits whose id is larger than the instrument's ``visit_max``, apart from those of first snaps, which are made
        by rule from an exposure within it.
    inserted : `dict` [`str`, `int`]
        Number of records inserted or changed, by dimension element.
    """

    instrument: str
    grouping: str
    defined: list[int] = dataclasses.field(default_factory=list)
    unchanged: list[int] = dataclasses.field(default_factory=list)
    completed: list[int] = dataclasses.field(default_factory=list)
    updated: list[int] = dataclasses.field(default_factory=list)
    joined: list[int] = dataclasses.field(default_factory=list)
    skipped: dict[int, str] = dataclasses.field(default_factory=dict)
    waiting: dict[int, str] = dataclasses.field(default_factory=dict)
    beyond: list[int] = dataclasses.field(default_factory=list)
    inserted: dict[str, int] = dataclasses.field(default_factory=lambda: dict.fromkeys(ELEMENTS, 0))

    def __str__(self) -> str:
        parts = [
            f"{len(visits)} {what}"
            for what in ("defined", "unchanged", "completed", "updated")
            if (visits := getattr(self, what))
        ]
        if self.skipped:
            parts.append(f"{len(self.skipped)} exposures left out")
        if self.waiting:
            parts.append(f"{len(self.waiting)} exposures without the first of their run")
        if self.beyond:
            parts.append(f"{len(self.beyond)} ids beyond visit_max")
        return f"visits of {self.instrument} ({self.grouping}): {', '.join(parts) or 'nothing to do'}"

    def facts(self) -> Mapping[str, Any]:
        """Return the report as JSON-serializable values; exposures as strings."""
        facts = dataclasses.asdict(self)
        for name in ("skipped", "waiting"):
            facts[name] = {str(exposure): why for exposure, why in facts[name].items()}
        return facts
