"""Invariants that tie raw files to their records: header, dataset id, packed id and manifest agree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..verdicts import Check, Finding, check
from .raws import exposure_detectors, raws, translated
from .records import by_key, known_instruments, look_datasets, look_record, spread, text

if TYPE_CHECKING:
    from ..datasets.observations import Observation
    from .context import CheckContext

__all__ = ["CHECKS"]

SAMPLE = 2_000
"""How many data IDs are packed and unpacked at most."""


@check(
    "identifiers.raw-header",
    title="A raw's header, translated again, gives its data ID and its exposure record",
    after="ingest",
    upstream="obs_subaru: compare detector fields of registry and translator",
    deep=True,
    remedy="Find out which of file and record is right: ingest the right file, or correct the record.",
)
def raw_header(context: CheckContext) -> Iterator[Finding]:
    """A file stored under a wrong data ID poisons all that is made of it, and nothing downstream can tell.

    Happens when a file is replaced, when a translator changes, or when records are edited by hand.
    """
    exposures = by_key(context, "exposure")
    for raw, info in translated(context):
        context.examined()
        look = look_datasets(raw.dataset_type, raw.run, raw.data_id)
        if isinstance(info, Exception):
            yield Finding(
                f"the header of {raw.dataset_type} cannot be translated: {info}",
                data_id=raw.data_id,
                where=raw.run,
                seen=type(info).__name__,
                expected="a header that the instrument's translator understands",
                look=look,
            )
            continue
        wanted = {
            "instrument": raw.data_id["instrument"],
            "exposure_id": raw.data_id["exposure"],
            "detector_num": raw.data_id["detector"],
        }
        record = exposures.get((raw.data_id["instrument"], raw.data_id["exposure"]))
        if record is not None:
            wanted |= {
                "observation_id": record.obs_id,
                "physical_filter": record.physical_filter,
                "observation_type": record.observation_type,
            }
            if getattr(record, "has_simulated", None) is not None:  # not in old universes
                wanted["has_simulated_content"] = bool(record.has_simulated)
        for name, value in wanted.items():
            found = getattr(info, name)
            if found != value:
                yield Finding(
                    f"the header's {name} is not the registry's",
                    data_id=raw.data_id,
                    where=raw.run,
                    seen=f"{name}={found!r} in the header",
                    expected=f"{value!r} in the registry",
                    look=look,
                )


@check(
    "identifiers.raw-ids",
    title="The dataset ids of raws are those that follow from dataset type, run and data ID",
    after="ingest",
    remedy="Remove the raw with 'butler prune-datasets --purge' and ingest its file again, which gives it its own id.",
)
def raw_ids(context: CheckContext) -> Iterator[Finding]:
    """Raws get deterministic ids, so that every site gives a raw the same id without talking to the others.

    A random id makes transfers between sites fail with conflicts, long after the ingest that caused it.
    """
    from lsst.daf.butler import DataCoordinate, DatasetIdFactory, DatasetIdGenEnum

    factory = DatasetIdFactory()
    kinds = {name: context.butler.get_dataset_type(name) for name in {raw.dataset_type for raw in raws(context)}}
    for raw in raws(context):
        context.examined()
        kind = kinds[raw.dataset_type]
        values = tuple(raw.data_id[d] for d in kind.dimensions.required)
        coordinate = DataCoordinate.from_required_values(kind.dimensions, values)
        wanted = factory.makeDatasetId(raw.run, kind, coordinate, DatasetIdGenEnum.DATAID_TYPE_RUN)
        if raw.id != wanted:
            yield Finding(
                f"{raw.dataset_type} has an id that does not follow from its data ID",
                data_id=raw.data_id,
                where=raw.run,
                seen=str(raw.id),
                expected=str(wanted),
                look=look_datasets(raw.dataset_type, raw.run, raw.data_id),
            )


@check(
    "identifiers.packer-roundtrip",
    title="Packing exposure or visit with detector into one integer can be undone and is unique",
    after="ingest",
    remedy="Correct exposure_max, visit_max and detector_max of the instrument's record, or its dimension packer.",
)
def packer_roundtrip(context: CheckContext) -> Iterator[Finding]:
    """Source ids contain the packed data ID: a collision gives different objects the same id in released tables."""
    from lsst.pipe.base import Instrument

    pairs = [(key, d) for key, ids in sorted(exposure_detectors(context).items()) for d in sorted(ids)]
    for name in known_instruments(context):
        owner = context.butler.registry.expandDataId(instrument=name)
        for element in ("exposure", "visit"):
            known = by_key(context, element)
            data_ids = [
                {"instrument": name, element: number, "detector": detector}
                for (instrument, number), detector in spread(pairs, SAMPLE)
                if instrument == name and (instrument, number) in known
            ]
            if data_ids:
                packer = Instrument.make_default_dimension_packer(owner, is_exposure=element == "exposure")
                context.examined(len(data_ids))
                yield from _pack(packer, element, data_ids)


def _pack(packer: Any, element: str, data_ids: list[dict[str, Any]]) -> Iterator[Finding]:
    from lsst.daf.butler import DataCoordinate

    owners: dict[int, dict[str, Any]] = {}
    for data_id in data_ids:
        coordinate = DataCoordinate.standardize(data_id, dimensions=packer.dimensions)
        try:
            number = packer.pack(coordinate)
            back = dict(packer.unpack(number).required)
            problem = "" if back == data_id else f"{number} is unpacked to {text(back)}"
            if number.bit_length() > packer.maxBits:
                problem = f"{number} needs more than {packer.maxBits} bits"
        except (ValueError, LookupError) as error:
            number, problem = None, str(error)
        if number is not None and owners.setdefault(number, data_id) != data_id:
            problem = f"{number} is also {text(owners[number])}"
        if problem:
            yield Finding(
                f"{element} {data_id[element]} and detector {data_id['detector']} cannot be packed: {problem}",
                data_id=data_id,
                where="instrument",
                seen=problem,
                expected="one integer for each data ID, from which it can be restored",
                look=look_record("instrument", {"instrument": data_id["instrument"]}),
            )


@check(
    "identifiers.raws-as-manifest",
    title="The raws are those of the manifest, with its filters and pointings",
    after="ingest",
    remedy="Ingest what is missing with 'butler ingest-raws'; remove what is not of the manifest.",
)
def raws_as_manifest(context: CheckContext) -> Iterator[Finding]:
    """What was simulated must be what is in the repository: no file lost, none from elsewhere, none mislabelled."""
    if context.dataset is None:
        return
    here = exposure_detectors(context)
    wanted = {(o.instrument, o.exposure): o for d in (*context.others, context.dataset) for o in d.observations}
    for instrument, number in sorted(here.keys() | wanted.keys()):
        entry, found = wanted.get((instrument, number)), here.get((instrument, number), frozenset())
        context.examined(max(len(found), 1))
        data_id = {"instrument": instrument, "exposure": number}
        if found != frozenset(entry.detectors if entry else ()):
            yield Finding(
                f"exposure {number} has not the raws that the manifest lists",
                data_id=data_id,
                where="raw",
                seen=f"detectors {sorted(found)}",
                expected=f"detectors {sorted(entry.detectors) if entry else []}",
                look=look_datasets("raw", "'*'", data_id),
            )
        record = by_key(context, "exposure").get((instrument, number))
        if entry is None or record is None:
            continue
        for name, seen, value, tolerance in (
            ("physical_filter", record.physical_filter, entry.physical_filter, None),
            ("observation_type", record.observation_type, entry.observation_type, None),
            ("target_name", record.target_name, entry.target, None),
            ("science_program", record.science_program, entry.program, None),
            ("exposure_time", record.exposure_time, entry.exposure_time, 1e-3),
            *_pointing(record, entry),
        ):
            if tolerance is not None and seen is not None:
                difference = abs(seen - value)
                difference = min(difference, 360 - difference) if name in {"tracking_ra", "sky_angle"} else difference
                agree = difference <= tolerance
            else:
                agree = seen == value or value == ""
            if not agree:
                yield Finding(
                    f"{name} of exposure {number} is not the manifest's",
                    data_id=data_id,
                    where=f"exposure.{name}",
                    seen=repr(seen),
                    expected=repr(value),
                    look=look_record("exposure", data_id),
                )


def _pointing(record: Any, entry: Observation) -> Iterator[tuple[str, Any, Any, float]]:
    """Yield name, value seen, value expected and tolerance (degrees) of the pointing, if there is one."""
    if not entry.on_sky:
        return
    ra, dec, sky_angle = entry.pointing
    yield "tracking_ra", record.tracking_ra, ra, 1e-4
    yield "tracking_dec", record.tracking_dec, dec, 1e-4
    yield "sky_angle", record.sky_angle, sky_angle, 1e-2


CHECKS: tuple[Check, ...] = (raw_header, raw_ids, packer_roundtrip, raws_as_manifest)
