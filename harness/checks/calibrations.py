"""Invariants of calibrations: what is needed is found, once, at every moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..datasets.observations import SKYLESS_TYPES
from ..instrument.kit import Capability
from ..verdicts import Check, Finding, check
from .members import described
from .records import iso, text
from .rows import Validity
from .tables import tables
from .times import Span, overlapping

if TYPE_CHECKING:
    from ..datasets.manifest import Dataset
    from .context import CheckContext
    from .rows import DatasetTypeRow

__all__ = ["CHECKS", "by_data_id", "gaps", "look_certified"]

CALIBRATIONS = {Capability.CALIBRATIONS}


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


def look_certified(collection: str, kind: str) -> str:
    """Return the command that shows what is certified."""
    return f"butler query-datasets {{repo}} {kind} --collections '{collection}' --no-find-first"


def by_data_id(context: CheckContext) -> Mapping[tuple[int, int, tuple[Any, ...]], list[Validity]]:
    """Return what is certified by collection, dataset type and values of the data ID."""

    def make() -> Mapping[tuple[int, int, tuple[Any, ...]], list[Validity]]:
        out: dict[tuple[int, int, tuple[Any, ...]], list[Validity]] = defaultdict(list)
        for row in tables(context).validities:
            out[row.collection_id, row.type_id, row.values].append(row)
        return out

    return context.cached("validities by data ID", make)


@check(
    "calibrations.no-overlap",
    title="No two calibrations of one data ID are valid at the same time in one collection",
    after="calibs",
    needs=CALIBRATIONS,
    remedy="Decertify one of the two for the time that both have: registry.decertify(COLLECTION, TYPE, TIMESPAN).",
)
def no_overlap(context: CheckContext) -> Iterator[Finding]:
    """A lookup that falls into the overlap is ambiguous and fails, or takes whichever comes first.

    Only some databases enforce this; on SQLite two writers at once, or an import, can break it.
    """
    data = tables(context)
    for (collection, kind, values), rows in by_data_id(context).items():
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
    remedy="butler certify-calibrations {repo} RUN COLLECTION TYPE --begin-date BEGIN --end-date END",
)
def no_gaps(context: CheckContext) -> Iterator[Finding]:
    """Exposures taken in a gap cannot be processed, which is noticed only when somebody tries.

    Gaps come from a calibration decertified without a successor, and from epochs that end at the wrong day.
    """
    data = tables(context)
    for (collection, kind, values), rows in by_data_id(context).items():
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
    remedy="Decertify it, and certify it again for a time that is not empty.",
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
    remedy="Decertify it, and certify the dataset that belongs there.",
)
def certified_exist(context: CheckContext) -> Iterator[Finding]:
    """Certification repeats the data ID of the dataset: if the two differ, one detector gets another one's flat."""
    data = tables(context)
    for row, dataset in described(context, data.validities, lambda v: v.dataset_id):
        context.examined()
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
        run = data.collections.get(data.collection_ids.get(dataset.run, -1))
        certified = kind.data_id(row.values) if kind is not None else {}
        mine = dataset.data_id
        if run is None or run.type != "RUN" or dataset.type_id != row.type_id or mine != certified:
            yield _about(
                collection,
                kind,
                row.values,
                f"dataset {row.dataset_id} is certified as something else than it is",
                seen=f"certified as {data.dataset_type_name(row.type_id)} {text(certified)}",
                expected=f"{dataset.kind} {text(mine)} in {dataset.run}",
            )


@check(
    "calibrations.types-marked",
    title="Dataset types that are certified are calibrations, in CALIBRATION collections",
    after="calibs",
    needs=CALIBRATIONS,
    remedy="Register the type anew as a calibration, and certify its datasets in a CALIBRATION collection.",
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
    remedy="Decertify what is there, and certify it again for the epochs of the manifest.",
)
def epochs_as_manifest(context: CheckContext) -> Iterator[Finding]:
    """An exposure calibrated with another epoch's bias looks plausible and is wrong."""
    if context.dataset is None or context.dataset.instrument not in context.kits:
        return
    from lsst.daf.butler import Timespan

    mine = [d for d in (context.dataset, *context.others) if d.instrument == context.dataset.instrument]
    data = tables(context)
    unbounded = Timespan(None, None).nsec
    for (collection, type_id, values), rows in by_data_id(context).items():
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
        look=look_certified(collection, name),
    )


CHECKS: tuple[Check, ...] = (
    no_overlap,
    no_gaps,
    validity_ranges,
    certified_exist,
    types_marked,
    epochs_as_manifest,
)
