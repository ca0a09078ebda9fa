"""Seeded defects: named corruptions, each of which a named check must find."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .base import Defect

__all__ = ["FAMILIES", "all_defects"]

FAMILIES = (
    "identifiers",
    "times",
    "geometry",
    "skymaps",
    "visits",
    "snaps",
    "calibrations",
    "calibration_chain",
    "collections",
    "datastore",
    "provenance",
    "quality",
    "registry",
    "holdings",
    "exposures",
    "contents",
)
"""The modules that have defects, in the order in which these are listed."""


def all_defects() -> tuple[Defect, ...]:
    """Return the seeded defects of all families; nothing heavy is imported.

    Returns
    -------
    defects : `tuple` [`~harness.defects.base.Defect`]
        With unique ids.
    """
    found: list[Defect] = []
    for name in FAMILIES:
        found.extend(import_module(f".{name}", __name__).DEFECTS)
    return tuple(found)
