"""Tables that the translators read: detectors, and nights on which headers said the wrong thing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from harness.errors import HarnessError

__all__ = ["Detector", "NightFault", "detector", "detectors", "night_faults"]


class Detector(NamedTuple):
    """One detector of a camera."""

    id: int
    name: str
    """Unique in the camera: raft and slot, ``R22_S11``."""
    serial: str
    """Serial number at the time of the table; real CCDs have been swapped."""


class NightFault(NamedTuple):
    """Sequence numbers of one day, first and last, whose headers need other values."""

    day_obs: int
    first: int
    last: int
    values: Mapping[str, Any]


@cache
def _load(name: str) -> Any:
    return json.loads(files("harness_lsst").joinpath("data", name).read_text(encoding="utf-8"))


@cache
def detectors(instrument: str) -> Mapping[str, Detector]:
    """Return the detectors of LATISS, LSSTComCam or LSSTCam by name; from ``data/detectors.json``."""
    return {name: Detector(number, name, serial) for number, name, serial in _load("detectors.json")[instrument]}


def detector(instrument: str, name: str) -> Detector:
    """Return one detector.

    Raises
    ------
    HarnessError
        If the camera has no detector of this name.
    """
    known = detectors(instrument)
    if name not in known:
        raise HarnessError(
            f"{instrument} has no detector {name!r}",
            remedy=f"RAFTBAY and CCDSLOT give one of {len(known)}, {min(known)} to {max(known)}",
            code="detector",
        )
    return known[name]


@cache
def night_faults(instrument: str) -> tuple[NightFault, ...]:
    """Return the nights of an instrument whose headers need other values; from ``data/nights.json``."""
    entries = _load("nights.json").get(instrument, ())
    return tuple(NightFault(e["day_obs"], e["seq_num"][0], e["seq_num"][1], e["set"]) for e in entries)
