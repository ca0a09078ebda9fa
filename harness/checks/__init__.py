"""Invariants of a repository, one module per family."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..verdicts import Check

__all__ = ["FAMILIES", "all_checks"]

FAMILIES = (
    "identifiers",
    "raw_identifiers",
    "times",
    "geometry",
    "skymaps",
    "visits",
    "snaps",
    "calibrations",
    "calibration_needs",
    "calibration_chain",
    "chains",
    "collection_checks",
    "datastore",
    "datastore_records",
    "provenance",
    "artifact_provenance",
    "quality",
    "calibration_truth",
    "registry",
    "bookkeeping",
    "obscore",
    "dataset_types",
    "holdings",
    "exposures",
    "sky_records",
    "contents",
    "vocabulary",
)
"""The modules that have checks, in the order in which these are listed."""


def all_checks() -> tuple[Check, ...]:
    """Return the invariants of all families; nothing heavy is imported.

    Returns
    -------
    checks : `tuple` [`~harness.verdicts.Check`]
        With unique ids.
    """
    found: list[Check] = []
    for name in FAMILIES:
        found.extend(import_module(f".{name}", __name__).CHECKS)
    return tuple(found)
