"""Visit systems: how exposures of the sky are grouped into visits."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from ..errors import HarnessError

__all__ = ["VISIT_SYSTEMS", "VisitGroup", "VisitSystem", "ineligible", "visit_system"]


@dataclasses.dataclass(frozen=True)
class VisitGroup:
    """A visit to be.

    Parameters
    ----------
    id : `int`
        Visit id.
    name : `str`
        Visit name.
    exposures : `tuple`
        Records of its exposures, in the order of their ids.
    """

    id: int
    name: str
    exposures: tuple[Any, ...]


@dataclasses.dataclass(frozen=True)
class VisitSystem:
    """A way to group exposures.

    Parameters
    ----------
    id : `int`
        Number, as in the ``visit_system`` dimension and in the field of that name of the instrument's record.
    name : `str`
        Name, as in the ``visit_system`` dimension.
    group : `~collections.abc.Callable`
        From records of exposures that belong into visits to groups (`VisitGroup`).
    """

    id: int
    name: str
    group: Callable[[Iterable[Any]], Iterator[VisitGroup]]


def _one_to_one(exposures: Iterable[Any]) -> Iterator[VisitGroup]:
    """Make each exposure a visit of the same id."""
    for exposure in exposures:
        yield VisitGroup(exposure.id, exposure.obs_id, (exposure,))


VISIT_SYSTEMS: Mapping[int, VisitSystem] = MappingProxyType({0: VisitSystem(0, "one-to-one", _one_to_one)})
"""The visit systems that can be defined, by id."""


def visit_system(number: int | None, instrument: str) -> VisitSystem:
    """Return the visit system that an instrument's record asks for.

    Raises
    ------
    HarnessError
        If it asks for none, or for one that is not known here.
    """
    if number is None or number not in VISIT_SYSTEMS:
        known = ", ".join(f"{s.id} ({s.name})" for s in VISIT_SYSTEMS.values())
        raise HarnessError(
            f"instrument {instrument} is registered with visit system {number}", remedy=f"known: {known}", code="visits"
        )
    return VISIT_SYSTEMS[number]


def ineligible(exposure: Any) -> str:
    """Return why an exposure does not belong into any visit; empty if it does.

    What counts is whether it has a place on the sky and may have seen it; its observation type does not.
    """
    missing = [n for n in ("tracking_ra", "tracking_dec", "sky_angle") if getattr(exposure, n) is None]
    if missing:
        return f"no {', '.join(missing)}"
    return "cannot see the sky" if exposure.can_see_sky is False else ""
