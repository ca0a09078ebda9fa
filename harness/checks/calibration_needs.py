"""Invariants of calibrations as exposures need them: what is needed is found, once, at every moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..datasets.observations import SKYLESS_TYPES
from ..instrument.kit import Capability
from ..verdicts import Check, Finding, check
from .calibrations import by_data_id, look_certified
from .pipelines import pipeline_graphs
from .raws import exposure_detectors
from .records import by_key, known_instruments, text
from .tables import tables

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    import numpy as np
    from numpy.typing import NDArray

    from .context import CheckContext
    from .rows import Validity

__all__ = ["CHECKS"]

CALIBRATIONS = {Capability.CALIBRATIONS}
OTHERS = ""
"""All types of observation that no pipeline is named after."""


@check(
    "calibrations.found-once",
    title="For every raw each calibration that it needs is found, and only one",
    after="ingest",
    needs=CALIBRATIONS,
    remedy="butler certify-calibrations {repo} RUN COLLECTION TYPE --begin-date BEGIN --end-date END",
    upstream="pipe_tasks#418: an ingested calibration can be found",
)
def found_once(context: CheckContext) -> Iterator[Finding]:
    """A calibration that is not found empties the quantum graph; two that are found stop it with a conflict.

    Which ones are needed follows from the instrument's pipelines, where to look from its default collections.
    """
    import numpy as np

    data, spans = tables(context), by_data_id(context)
    # What came with a dataset that brings no calibrations is not there to be calibrated.
    apart = {(d.instrument, e.id) for d in context.others if not d.calibrations for e in d.exposures}
    for name, kit in known_instruments(context).items():
        default = kit.instrument_class().makeCalibrationCollectionName()
        order = [n for n in _flatten(context, default) if data.collections[n].type == "CALIBRATION"]
        problems: dict[tuple[str, str, int], list[dict[str, Any]]] = defaultdict(list)
        groups = _alike(context, name, apart)
        for kind, types in sorted(_needed(context, name, order).items()):
            row = next((t for t in data.dataset_types.values() if t.name == kind), None)
            for (detector, physical_filter, observation_type), group in groups.items():
                dimensions = types.get(observation_type, types[OTHERS])
                if dimensions is None:
                    continue
                context.examined(len(group.exposures))
                known = {"instrument": name, "detector": detector, "physical_filter": physical_filter}
                data_id = {d: known[d] for d in dimensions}
                values = tuple(data_id.values())
                here = [spans.get((c, row.id, values), []) for c in order] if row is not None else []
                counts = _valid(here, group)
                for i in np.flatnonzero(counts != 1):
                    of_raw = {"instrument": name, "detector": detector, "exposure": group.exposures[i]}
                    problems[kind, text(data_id), int(counts[i])].append(of_raw | data_id)
        for (kind, which, n), ids in problems.items():
            ids.sort(key=lambda d: (d["exposure"], d["detector"]))
            more = f" (and for {len(ids) - 1} more)" if len(ids) > 1 else ""
            yield Finding(
                f"{n or 'no'} {kind} for exposure {ids[0]['exposure']}, detector {ids[0]['detector']}{more}",
                data_id=ids[0],
                where=default,
                seen=f"{n} {kind} with {which} valid at that time",
                expected="exactly one",
                look=look_certified(default, kind),
            )


class _Group(NamedTuple):
    """Exposures of one detector, filter and type of observation, with when they began and ended (ns)."""

    exposures: list[int]
    begins: list[int]
    ends: list[int]


def _alike(
    context: CheckContext, instrument: str, apart: AbstractSet[tuple[str, int]]
) -> Mapping[tuple[int, str, str], _Group]:
    """Return the raws of an instrument by all that decides which calibrations they need, but for the time."""
    exposures = by_key(context, "exposure")
    out: dict[tuple[int, str, str], _Group] = {}
    for key, detectors in exposure_detectors(context).items():
        record = exposures.get(key)
        if key[0] != instrument or record is None or record.timespan is None or key in apart:
            continue
        begin, end = record.timespan.nsec
        for detector in detectors:
            same = detector, record.physical_filter, record.observation_type
            group = out.setdefault(same, _Group([], [], []))
            group.exposures.append(key[1])
            group.begins.append(begin)
            group.ends.append(end)
    return out


def _valid(collections: Sequence[Sequence[Validity]], group: _Group) -> NDArray[np.int64]:
    """Return for each exposure how many calibrations are valid in the first collection that has one."""
    import numpy as np

    out = np.zeros(len(group.exposures), dtype=np.int64)
    for rows in collections:
        sound = [v for v in rows if v.begin is not None and v.end is not None and v.begin < v.end]
        begun = np.searchsorted(np.sort([v.begin for v in sound]), group.ends, side="left")
        over = np.searchsorted(np.sort([v.end for v in sound]), group.begins, side="right")
        out = np.where(out > 0, out, begun - over)
    return out


def _flatten(context: CheckContext, name: str) -> list[int]:
    """Return the collections that a search of one visits, in order; chains are followed once."""
    data = tables(context)
    out: list[int] = []
    todo = [data.collection_ids[name]] if name in data.collection_ids else []
    while todo:
        number = todo.pop(0)
        if number not in out and number in data.collections:
            out.append(number)
            todo = [*data.chains.get(number, ()), *todo]
    return out


def _needed(
    context: CheckContext, instrument: str, collections: Sequence[int]
) -> Mapping[str, Mapping[str, tuple[str, ...] | None]]:
    """Return the calibration dataset types that raws need: by observation type their dimensions, `None` if it doesn't.

    They are the prerequisite calibrations of the instrument's pipelines; without a pipeline, everything that is
    certified in the instrument's calibration collection. A pipeline named as a type of calibration is for exposures
    of that type alone, and they for no other. Calibrations that such a pipeline will make are not asked for as long
    as there are none at all.
    """
    data = tables(context)
    present = {v.type_id for v in data.validities if v.collection_id in set(collections)}
    there = {t.name: t.dimensions for t in data.dataset_types.values() if t.id in present}
    needed: dict[str, dict[str, tuple[str, ...]]] = {OTHERS: {}}
    made: set[str] = set()
    for label, graph in pipeline_graphs(context).get(instrument, {}).items():
        of = label if label in SKYLESS_TYPES else OTHERS
        found = needed.setdefault(of, {})
        for node in graph.dataset_types.values():
            if node.dataset_type.isCalibration() and graph.producer_of(node.name) is not None:
                made.add(node.name)
            elif node.is_prerequisite and node.dataset_type.isCalibration():
                found[node.name] = tuple(node.dataset_type.dimensions.required)
    if not any(needed.values()):
        needed = {OTHERS: there}
    usable = {"instrument", "detector", "physical_filter"}
    kinds = {kind for found in needed.values() for kind in found if kind in there or not _awaited(context, kind, made)}
    return {
        kind: {of: d if (d := found.get(kind)) and set(d) <= usable else None for of, found in needed.items()}
        for kind in kinds
    }


def _awaited(context: CheckContext, kind: str, made: set[str]) -> bool:
    """Tell whether exposures of the dataset are to be made into a kind of calibrations."""
    dataset = context.dataset
    if kind not in made or dataset is None or dataset.instrument not in context.kits:
        return False
    return Capability.CALIBRATION_CHAIN in context.kits[dataset.instrument].applicable(dataset)


CHECKS: tuple[Check, ...] = (found_once,)
"""The checks of this family."""
