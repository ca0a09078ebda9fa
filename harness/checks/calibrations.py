"""Invariants of calibrations: what is needed is found, once, at every moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..datasets.observations import SKYLESS_TYPES
from ..instrument.kit import Capability
from ..verdicts import Check, Finding, check
from .pipelines import pipeline_graphs
from .raws import raws
from .records import by_key, iso, known_instruments, text
from .tables import Validity, tables
from .times import Span, overlapping

if TYPE_CHECKING:
    from ..datasets.manifest import Dataset
    from .context import CheckContext
    from .tables import DatasetTypeRow

__all__ = ["CHECKS", "gaps"]

CALIBRATIONS = {Capability.CALIBRATIONS}
OTHERS = ""
"""All types of observation that no pipeline is named after."""


def gaps(spans: Sequence[Span]) -> Iterator[tuple[Span, Span]]:
    """Find the pairs of spans between which there is time that none covers.

    Parameters
    ----------
    spans : `~collections.abc.Sequence` [`~harness.checks.times.Span`]
        Half-open spans, in any order; empty ones are ignored.

    Yields
    ------
    before, after : `~harness.checks.times.Span`
        The span that ends where the gap begins, and the one that begins where it ends.
    """
    last: Span | None = None
    for span in sorted((s for s in spans if s.end > s.begin), key=lambda s: (s.begin, s.end)):
        if last is not None and span.begin > last.end:
            yield last, span
        if last is None or span.end > last.end:
            last = span


def _look(collection: str, kind: str) -> str:
    return f"butler query-datasets {{repo}} {kind} --collections '{collection}' --no-find-first"


def _by_data_id(context: CheckContext) -> Mapping[tuple[int, int, tuple[Any, ...]], list[Validity]]:
    def make() -> Mapping[tuple[int, int, tuple[Any, ...]], list[Validity]]:
        out: dict[tuple[int, int, tuple[Any, ...]], list[Validity]] = defaultdict(list)
        for row in tables(context).validities:
            out[row.collection_id, row.type_id, row.values].append(row)
        return out

    return context.cached("validities by data ID", make)


@check(
    "calibrations.found-once",
    title="For every raw each calibration that it needs is found, and only one",
    after="ingest",
    needs=CALIBRATIONS,
    upstream="pipe_tasks#418: an ingested calibration can be found",
)
def found_once(context: CheckContext) -> Iterator[Finding]:
    """A calibration that is not found empties the quantum graph; two that are found stop it with a conflict.

    Which ones are needed follows from the instrument's pipelines, where to look from its default collections.
    """
    data, spans = tables(context), _by_data_id(context)
    exposures = by_key(context, "exposure")
    # What came with a dataset that brings no calibrations is not there to be calibrated.
    apart = {(d.instrument, e.id) for d in context.others if not d.calibrations for e in d.exposures}
    for name, kit in known_instruments(context).items():
        default = kit.instrument_class().makeCalibrationCollectionName()
        order = [n for n in _flatten(context, default) if data.collections[n].type == "CALIBRATION"]
        problems: dict[tuple[str, str, int], list[dict[str, Any]]] = defaultdict(list)
        needs = _needed(context, name, order)
        for kind, types in sorted(needs.items()):
            row = next((t for t in data.dataset_types.values() if t.name == kind), None)
            for raw in raws(context):
                record = exposures.get((raw.data_id["instrument"], raw.data_id["exposure"]))
                if raw.data_id["instrument"] != name or record is None or record.timespan is None:
                    continue
                if (name, raw.data_id["exposure"]) in apart:
                    continue
                dimensions = types.get(record.observation_type, types[OTHERS])
                if dimensions is None:
                    continue
                context.examined()
                known = dict(raw.data_id) | {"physical_filter": record.physical_filter}
                data_id = {d: known[d] for d in dimensions}
                values = tuple(data_id.values())
                begin, end = record.timespan.nsec
                found = (spans.get((c, row.id, values), ()) for c in order) if row is not None else iter(())
                counts = (sum(v.begin < end and v.end > begin for v in rows) for rows in found)
                n = next((c for c in counts if c), 0)
                if n != 1:
                    problems[kind, text(data_id), n].append(dict(raw.data_id) | data_id)
        for (kind, which, n), ids in problems.items():
            more = f" (and for {len(ids) - 1} more)" if len(ids) > 1 else ""
            yield Finding(
                f"{n or 'no'} {kind} for exposure {ids[0]['exposure']}, detector {ids[0]['detector']}{more}",
                data_id=ids[0],
                where=default,
                seen=f"{n} {kind} with {which} valid at that time",
                expected="exactly one",
                look=_look(default, kind),
            )


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


@check(
    "calibrations.no-overlap",
    title="No two calibrations of one data ID are valid at the same time in one collection",
    after="calibs",
    needs=CALIBRATIONS,
)
def no_overlap(context: CheckContext) -> Iterator[Finding]:
    """A lookup that falls into the overlap is ambiguous and fails, or takes whichever comes first.

    Only some databases enforce this; on SQLite two writers at once, or an import, can break it.
    """
    data = tables(context)
    for (collection, kind, values), rows in _by_data_id(context).items():
        context.examined(len(rows))
        spans = [Span(v.begin, v.end, v.dataset_id) for v in rows]
        for earlier, later in overlapping(spans):
            yield _about(
                data.collection_name(collection),
                data.dataset_types.get(kind),
                values,
                f"validity ranges overlap: {earlier.key} and {later.key}",
                seen=f"{later.key} from {iso(later.begin)}",
                expected=f"not before {iso(earlier.end)}, the end of {earlier.key}",
            )


@check(
    "calibrations.no-gaps",
    title="Between the first and the last calibration of a data ID there is no time without one",
    after="calibs",
    needs=CALIBRATIONS,
)
def no_gaps(context: CheckContext) -> Iterator[Finding]:
    """Exposures taken in a gap cannot be processed, which is noticed only when somebody tries.

    Gaps come from a calibration decertified without a successor, and from epochs that end at the wrong day.
    """
    data = tables(context)
    for (collection, kind, values), rows in _by_data_id(context).items():
        context.examined(len(rows))
        for before, after in gaps([Span(v.begin, v.end, v.dataset_id) for v in rows]):
            yield _about(
                data.collection_name(collection),
                data.dataset_types.get(kind),
                values,
                "there is a gap between validity ranges",
                seen=f"nothing from {iso(before.end)} to {iso(after.begin)}",
                expected="each range begins where the one before it ends",
            )


@check(
    "calibrations.validity-ranges",
    title="Every validity range has a beginning before its end",
    after="calibs",
    needs=CALIBRATIONS,
)
def validity_ranges(context: CheckContext) -> Iterator[Finding]:
    """An empty range is valid never: the calibration is certified, listed, and not found at any time."""
    data = tables(context)
    for row in data.validities:
        context.examined()
        if row.begin is None or row.end is None or row.begin >= row.end:
            yield _about(
                data.collection_name(row.collection_id),
                data.dataset_types.get(row.type_id),
                row.values,
                f"the validity range of {row.dataset_id} is empty",
                seen=f"{row.begin} to {row.end} ns",
                expected="begin < end",
            )


@check(
    "calibrations.certified-exist",
    title="Everything certified exists in a RUN, with the same dataset type and data ID",
    after="calibs",
    needs=CALIBRATIONS,
)
def certified_exist(context: CheckContext) -> Iterator[Finding]:
    """Certification repeats the data ID of the dataset: if the two differ, one detector gets another one's flat."""
    data = tables(context)
    for row in data.validities:
        context.examined()
        dataset = data.datasets.get(row.dataset_id)
        kind = data.dataset_types.get(row.type_id)
        collection = data.collection_name(row.collection_id)
        if dataset is None:
            yield _about(
                collection,
                kind,
                row.values,
                f"certified dataset {row.dataset_id} does not exist",
                seen="no such dataset",
                expected="a dataset in a RUN",
            )
            continue
        run = data.collections.get(dataset.run_id)
        mine = data.data_ids.get(row.dataset_id)
        certified = kind.data_id(row.values) if kind is not None else {}
        if run is None or run.type != "RUN" or dataset.type_id != row.type_id or mine != certified:
            yield _about(
                collection,
                kind,
                row.values,
                f"dataset {row.dataset_id} is certified as something else than it is",
                seen=f"certified as {data.dataset_type_name(row.type_id)} {text(certified)}",
                expected=f"{data.dataset_type_name(dataset.type_id)} {text(mine or {})} "
                f"in {data.collection_name(dataset.run_id)}",
            )


@check(
    "calibrations.types-marked",
    title="Dataset types that are certified are calibrations, in CALIBRATION collections",
    after="calibs",
    needs=CALIBRATIONS,
)
def types_marked(context: CheckContext) -> Iterator[Finding]:
    """Without the mark on the type, lookups ignore the time and find nothing in a CALIBRATION collection."""
    data = tables(context)
    seen: set[tuple[int, int]] = {(v.type_id, v.collection_id) for v in data.validities}
    for type_id, collection_id in sorted(seen):
        context.examined()
        kind, collection = data.dataset_types.get(type_id), data.collections.get(collection_id)
        if kind is None or kind.calibs_table is None or collection is None or collection.type != "CALIBRATION":
            marked = kind is not None and kind.calibs_table is not None
            yield Finding(
                f"{data.dataset_type_name(type_id)} is certified, but "
                + ("not in a CALIBRATION collection" if marked else "its type is no calibration"),
                data_id={},
                where=data.collection_name(collection_id),
                seen=f"isCalibration={marked}, collection type {collection.type if collection else 'missing'}",
                expected="isCalibration=True, collection type CALIBRATION",
                look=f"butler query-dataset-types {{repo}} {data.dataset_type_name(type_id)} --verbose",
            )


@check(
    "calibrations.epochs-as-manifest",
    title="Calibrations are valid for the epochs that the manifest gives",
    after="calibs",
    needs=CALIBRATIONS,
)
def epochs_as_manifest(context: CheckContext) -> Iterator[Finding]:
    """An exposure calibrated with another epoch's bias looks plausible and is wrong."""
    if context.dataset is None or context.dataset.instrument not in context.kits:
        return
    from lsst.daf.butler import Timespan

    mine = [d for d in (context.dataset, *context.others) if d.instrument == context.dataset.instrument]
    data = tables(context)
    unbounded = Timespan(None, None).nsec
    for (collection, type_id, values), rows in _by_data_id(context).items():
        if not data.collection_name(collection).startswith(f"{context.dataset.instrument}/"):
            continue
        context.examined()
        kind = data.dataset_types.get(type_id)
        seen = sorted((v.begin, v.end) for v in rows)
        wanted = [_epochs(context, d, kind.name if kind else "", kind.data_id(values) if kind else {}) for d in mine]
        if seen not in (*wanted, [unbounded]):
            yield _about(
                data.collection_name(collection),
                kind,
                values,
                "the validity ranges are not the manifest's epochs",
                seen=", ".join(f"{iso(b)} to {iso(e)}" for b, e in seen),
                expected=", ".join(f"{iso(b)} to {iso(e)}" for b, e in wanted[0]),
            )


def _epochs(context: CheckContext, dataset: Dataset, kind: str, data_id: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Return when calibrations of a data ID must be valid.

    In all epochs; those made of exposures in the epochs that have such exposures: nobody takes flats through a
    filter that is not used.
    """
    from ..bootstrap.calibs import epoch_timespan
    from ..simulate.calibration import epoch_of

    chained = Capability.CALIBRATION_CHAIN in context.kits[dataset.instrument].applicable(dataset)
    labels = {e.label for e in dataset.calibrations}
    if chained and kind in SKYLESS_TYPES:
        labels = {
            epoch_of(dataset, o).label
            for o in dataset.observations
            if o.observation_type == kind
            and data_id.get("detector") in o.detectors
            and data_id.get("physical_filter", o.physical_filter) == o.physical_filter
        }
    return sorted(epoch_timespan(e).nsec for e in dataset.calibrations if e.label in labels)


def _about(
    collection: str, kind: DatasetTypeRow | None, values: tuple[Any, ...], message: str, *, seen: str, expected: str
) -> Finding:
    """Make a finding about a certified dataset."""
    name = kind.name if kind is not None else "(unknown dataset type)"
    return Finding(
        f"{name}: {message}",
        data_id=kind.data_id(values) if kind is not None else {},
        where=collection,
        seen=seen,
        expected=expected,
        look=_look(collection, name),
    )


CHECKS: tuple[Check, ...] = (
    no_overlap,
    no_gaps,
    validity_ranges,
    certified_exist,
    types_marked,
    epochs_as_manifest,
    found_once,
)
