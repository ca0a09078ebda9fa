"""Invariants of calibrations that are made of exposures: made in their own time, and used in it."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..instrument.kit import Capability
from ..verdicts import Check, Finding, check
from .artifact_provenance import Input, carried_by
from .inventory import files_of
from .members import described, members
from .records import by_key, iso, look_datasets, spread, text
from .tables import tables

if TYPE_CHECKING:
    from lsst.daf.butler import DimensionRecord

    from .context import CheckContext
    from .members import Member
    from .rows import Validity

__all__ = ["CHECKS"]

CHAIN = {Capability.CALIBRATION_CHAIN}
PROCESSED = {Capability.CALIBRATIONS, Capability.PIPELINES}


def _validities(context: CheckContext) -> Mapping[uuid.UUID, list[Validity]]:
    """Return when each certified dataset is valid."""

    def make() -> Mapping[uuid.UUID, list[Validity]]:
        out: dict[uuid.UUID, list[Validity]] = defaultdict(list)
        for row in tables(context).validities:
            out[row.dataset_id].append(row)
        return out

    return context.cached("validities by dataset", make)


def _inputs(context: CheckContext, identifier: uuid.UUID) -> tuple[Input, ...]:
    """Return the datasets that a file names as those that it was made of."""
    row = files_of(context, [identifier]).get(identifier)
    found = carried_by(context, row) if row is not None else None
    return found.inputs if found is not None else ()


def _exposure(context: CheckContext, data_id: Mapping[str, Any]) -> DimensionRecord | None:
    """Return the exposure in a data ID."""
    return by_key(context, "exposure").get((data_id.get("instrument"), data_id.get("exposure")))


@check(
    "calibrations.made-in-range",
    title="Every calibration was made of exposures that lie in its own validity range",
    after="calibrate",
    needs=CHAIN,
    deep=True,
    remedy="Decertify it for that time, or make it again of the exposures that belong there.",
)
def made_in_range(context: CheckContext) -> Iterator[Finding]:
    """A flat of last year's filter is a flat, and nothing else tells that it is the wrong one.

    What a calibration was made of is read from its own file, not from its name or its collection.
    """
    data = tables(context)
    certified = list(_validities(context).items())
    chosen = spread(certified, context.scope.sample or len(certified))
    for (identifier, rows), made in described(context, chosen, lambda pair: pair[0]):
        for _, source in described(context, _inputs(context, identifier), lambda i: i.id):
            exposure = _exposure(context, source.data_id) if source is not None else None
            if made is None or exposure is None or exposure.timespan is None:
                continue
            for row in rows:
                context.examined()
                begin, end = exposure.timespan.nsec
                if not (row.begin <= begin and end <= row.end):
                    kind = data.dataset_type_name(row.type_id)
                    data_id = made.data_id
                    yield Finding(
                        f"{kind} {text(data_id)} was made of exposure {exposure.id}, outside its validity range",
                        data_id=data_id,
                        where=data.collection_name(row.collection_id),
                        seen=f"an exposure from {iso(begin)}",
                        expected=f"exposures from {iso(row.begin)} to {iso(row.end)}",
                        look=look_datasets(kind, made.run, data_id),
                    )


@check(
    "calibrations.epoch-found",
    title="For every exposure a search by its time finds the calibrations of its own epoch",
    after="calibrate",
    needs=CHAIN,
    remedy="butler certify-calibrations {repo} RUN COLLECTION TYPE --begin-date BEGIN --end-date END",
)
def epoch_found(context: CheckContext) -> Iterator[Finding]:
    """The middleware's own search is asked, for every exposure of the manifest and every type that is certified.

    Each epoch's calibrations are in a RUN that has the epoch's label in its name.
    """
    from lsst.daf.butler import DataCoordinate

    from ..simulate.calibration import epoch_of

    dataset, data = context.dataset, tables(context)
    if dataset is None or dataset.instrument not in context.kits:
        return
    collection = context.kits[dataset.instrument].instrument_class().makeCalibrationCollectionName()
    types = {data.dataset_type_name(v.type_id) for v in data.validities}
    exposures = by_key(context, "exposure")
    for observation in dataset.observations:
        record = exposures.get((dataset.instrument, observation.exposure))
        if record is None or record.timespan is None:
            continue
        label = epoch_of(dataset, observation).label
        for kind in sorted(types):
            dataset_type = context.butler.get_dataset_type(kind)
            if "detector" not in dataset_type.dimensions:
                continue  # a camera is valid for ever
            for detector in observation.detectors:
                known = {
                    "instrument": dataset.instrument,
                    "detector": detector,
                    "physical_filter": record.physical_filter,
                }
                names = dataset_type.dimensions.required
                if not set(names) <= set(known):
                    continue
                data_id = DataCoordinate.standardize({n: known[n] for n in names}, dimensions=dataset_type.dimensions)
                ref = context.butler.find_dataset(
                    dataset_type, data_id, collections=collection, timespan=record.timespan
                )
                if ref is None:
                    continue  # found by calibrations.found-once, if it is needed
                context.examined()
                if label not in ref.run.split("/"):
                    shown = dict(data_id.required) | {"exposure": observation.exposure}
                    yield Finding(
                        f"exposure {observation.exposure} of epoch {label} finds another epoch's {kind}",
                        data_id=shown,
                        where=collection,
                        seen=f"{kind} in {ref.run}",
                        expected=f"one in a RUN of {label}",
                        look=f"butler query-datasets {{repo}} {kind} --collections '{collection}' --no-find-first",
                    )


@check(
    "calibrations.used-in-range",
    title="Every image was calibrated with what is valid at the time of its exposure",
    after="process",
    needs=PROCESSED,
    deep=True,
    remedy="Process the exposure again, with what is certified now.",
)
def used_in_range(context: CheckContext) -> Iterator[Finding]:
    """What is certified is a promise; what was used is in the provenance of the files.

    A calibration certified anew after images were processed leaves these with the old one, which nothing else shows.
    """
    data = tables(context)
    validities = _validities(context)
    processed = _of_exposures(context)
    for dataset in spread(processed, context.scope.sample or len(processed)):
        kind, run = data.dataset_types[dataset.type_id], data.collection_name(dataset.run_id)
        mine = kind.data_id(dataset.values)
        exposure = _exposure(context, mine)
        if exposure is None or exposure.timespan is None:
            continue
        for named, source in described(context, _inputs(context, dataset.id), lambda i: i.id):
            used = data.dataset_types.get(source.type_id) if source is not None else None
            if source is None or used is None or used.calibs_table is None:
                continue
            context.examined()
            begin, end = exposure.timespan.nsec
            rows = validities.get(named.id, [])
            if not any(row.begin <= begin and end <= row.end for row in rows):
                spans = ", ".join(f"{iso(r.begin)} to {iso(r.end)}" for r in rows)
                yield Finding(
                    f"{kind.name} {text(mine)} was calibrated with another time's {used.name}",
                    data_id=mine,
                    where=run,
                    seen=f"{used.name} {named.id}, valid {spans or 'never'}",
                    expected=f"one that is valid at {iso(begin)}",
                    look=look_datasets(used.name, named.run or "'*'", source.data_id),
                )


def _of_exposures(context: CheckContext) -> list[Member]:
    """Return the datasets of single exposures that are no raws, and may have files that say what they are made of."""
    kinds = tables(context).dataset_types.values()
    return list(members(context, [k for k in kinds if "exposure" in k.dimensions and not k.name.startswith("raw")]))


CHECKS: tuple[Check, ...] = (made_in_range, epoch_found, used_in_range)
"""The checks of this family."""
