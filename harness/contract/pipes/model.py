"""Which quanta there must be, and what must come of executing them: plain joins, no middleware.

The joins are those of the records of `~harness.contract.world`, done by hand.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ..world import BANDS, FILTERS, VISITS

__all__ = ["INIT", "Outcome", "Quantum", "execute", "freeze", "quanta"]

LABELS = ("isr", "char", "sum", "warp", "coadd")
"""Tasks, in an order in which they can be executed."""

MARGIN = 1e-3
"""Regions (degrees) that come closer than this without overlapping are neither expected to overlap nor not to."""

INIT: Mapping[str, tuple[str, ...]] = {"char": ("cal_schema",)}
"""Init-outputs by task."""

Row = tuple[str, tuple[tuple[str, Any], ...]]
"""A dataset: its type and its required data ID values."""


def freeze(values: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Return a data ID as a value that compares and hashes."""
    return tuple(sorted(values.items()))


@dataclasses.dataclass(frozen=True)
class Quantum:
    """A quantum: label, data ID, and the datasets that it reads and writes.

    Parameters
    ----------
    label : `str`
        Task.
    data_id : `tuple`
        Required values.
    inputs, outputs : `frozenset`
        Datasets; inputs without prerequisites, outputs without metadata and log.
    """

    label: str
    data_id: tuple[tuple[str, Any], ...]
    inputs: frozenset[Row]
    outputs: frozenset[Row]

    @property
    def key(self) -> str:
        """Its name, as tasks note it."""
        return f"{self.label} {json.dumps(dict(self.data_id), sort_keys=True)}"

    @property
    def metadata(self) -> Row:
        """Its metadata."""
        return (f"{self.label}_metadata", self.data_id)

    @property
    def log(self) -> Row:
        """Its log."""
        return (f"{self.label}_log", self.data_id)


def quanta(
    raws: Iterable[tuple[str, int, int]],
    labels: Collection[str] = LABELS,
    *,
    skymap: str = "sky-x",
    extra: bool = True,
    touching: bool = False,
) -> list[Quantum]:
    """Return the quanta of a pipeline, in an order in which they can be executed.

    Parameters
    ----------
    raws : `~collections.abc.Iterable` [`tuple` [`str`, `int`, `int`]]
        Instrument, exposure and detector of the raws there are.
    labels : `~collections.abc.Collection` [`str`], optional
        Tasks; each with those that it depends on.
    skymap : `str`, optional
        The only sky map.
    extra : `bool`, optional
        Whether ``char`` writes a second output.
    touching : `bool`, optional
        Whether regions that only touch overlap.
    """
    found: dict[tuple[str, Any], tuple[set[Row], set[Row]]] = {}

    def add(label: str, data_id: Mapping[str, Any], read: Row, *written: str) -> list[Row]:
        key = freeze(data_id)
        outputs = [(name, key) for name in written]
        inputs, outs = found.setdefault((label, key), (set(), set()))
        inputs.add(read)
        outs.update(outputs)
        return outputs

    for instrument, exposure, detector in sorted(raws):
        own = {"instrument": instrument, "detector": detector}
        row: Row = ("raw", freeze({**own, "exposure": exposure}))
        (post,) = add("isr", {**own, "exposure": exposure}, row, "post")
        for visit in [v for v, snaps in VISITS.items() if exposure in snaps]:
            names = ("cal", "extra") if extra else ("cal",)
            cals = add("char", {**own, "visit": visit}, post, *names)
            for cal in cals:
                add("sum", {"instrument": instrument, "visit": visit}, cal, "summary")
            band = BANDS[instrument, FILTERS[visit]]
            for tract, patch in overlapping(instrument, visit, detector, skymap, touching):
                where = {"skymap": skymap, "tract": tract, "patch": patch}
                (warp,) = add("warp", {"instrument": instrument, "visit": visit, **where}, cals[0], "warp")
                add("coadd", {**where, "band": band}, warp, "coadd")
    order = {label: i for i, label in enumerate(LABELS)}
    return [
        Quantum(label, data_id, frozenset(inputs), frozenset(outputs))
        for (label, data_id), (inputs, outputs) in sorted(found.items(), key=lambda i: (order[i[0][0]], i[0][1]))
        if label in labels
    ]


def overlapping(instrument: str, visit: int, detector: int, skymap: str, touching: bool) -> list[tuple[int, int]]:
    """Return tract and patch of what a detector of a visit overlaps, from the boxes of the world.

    Boxes that only touch are among them if ``touching``: whether they overlap is up to rounding.
    """
    from ..world import INSTRUMENTS, PATCHES, SKYMAPS, TRACTS

    lon, lat = 40.0 + 0.2 * (visit - 11) + 0.06 * (detector - 1), -10.0 + 5 * INSTRUMENTS.index(instrument)
    found = []
    for tract in TRACTS:
        for patch in PATCHES:
            x = 40.0 + 0.4 * tract + 0.2 * (patch % 2)
            y = -10.05 + 5 * SKYMAPS.index(skymap) + 0.2 * (patch // 2)
            width = min(lon + 0.06, x + 0.2) - max(lon, x)
            height = min(lat + 0.18, y + 0.2) - max(lat, y)
            if min(width, height) > (-MARGIN if touching else MARGIN):
                found.append((tract, patch))
    return found


@dataclasses.dataclass
class Outcome:
    """What comes of an execution.

    Parameters
    ----------
    status : `dict` [`str`, `str`]
        For each quantum ``done``, ``idle`` (its inputs are missing: not executed, but metadata are written),
        ``failed`` or ``blocked``.
    written : `set`
        Datasets that are there because of it, without logs of those that failed.
    """

    status: dict[str, str] = dataclasses.field(default_factory=dict)
    written: set[Row] = dataclasses.field(default_factory=set)

    def keys(self, *status: str) -> set[str]:
        """Return the names of the quanta with one of some statuses."""
        return {k for k, s in self.status.items() if s in status}

    @property
    def executed(self) -> set[str]:
        """Names of the quanta whose task is called."""
        return self.keys("done", "failed")


def execute(todo: Iterable[Quantum], orders: Mapping[str, str], have: Collection[Row]) -> Outcome:
    """Compute what comes of executing quanta.

    Parameters
    ----------
    todo : `~collections.abc.Iterable` [`Quantum`]
        In an order in which they can be executed.
    orders : `~collections.abc.Mapping` [`str`, `str`]
        What quanta are ordered to do; an ``annotated`` error counts as a success.
    have : `~collections.abc.Collection`
        Datasets that are there before.
    """
    outcome = Outcome()
    there = set(have)
    producer: dict[Row, str] = {}
    for quantum in todo:
        stuck = {"failed", "blocked"}
        needed = {r for r in quantum.inputs if r[0] != "extra" or r in there}
        if any(outcome.status.get(producer.get(r, "")) in stuck for r in quantum.inputs):
            outcome.status[quantum.key] = "blocked"
        elif not any(r in there for r in needed if r[0] != "extra"):
            outcome.status[quantum.key] = "idle"
        elif orders.get(quantum.key) in ("fail", "late", "kill"):
            outcome.status[quantum.key] = "failed"
        else:
            outcome.status[quantum.key] = "done"
        producer.update(dict.fromkeys(quantum.outputs, quantum.key))
        if outcome.status[quantum.key] in ("done", "idle"):
            new = {quantum.metadata, quantum.log}
            order = orders.get(quantum.key)
            if outcome.status[quantum.key] == "done" and order != "nowork":
                new |= {r for r in quantum.outputs if r[0] != "extra" or order not in ("partial", "annotated")}
            outcome.written |= new
            there |= new
    return outcome
