"""Invariants of images taken out of focus, and of the wavefronts made of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks.raws import exposure_detectors
from ..checks.records import exposures_of_visits, known_instruments, look_datasets, look_record, records
from ..instrument.camera import Purpose
from ..instrument.kit import Capability
from ..instrument.zernikes import NOLL
from ..verdicts import Check, Finding, check
from .corners import corner_pairs, corner_problems, partners
from .names import ZERNIKES
from .plan import CWFS, Plan, make_plan

if TYPE_CHECKING:
    from ..checks.context import CheckContext
    from ..instrument.camera import Camera
    from ..instrument.kit import InstrumentKit

__all__ = ["CHECKS", "LIMITS"]

NEEDS = {Capability.WAVEFRONT}

FOCUS_ERROR = 1e-3
"""Difference of two values of the focus (mm) that is none: headers hold single precision."""

LIMITS: Mapping[int, float] = MappingProxyType(
    {4: 40.0, 5: 120.0, 6: 120.0, 7: 40.0, 8: 40.0, 9: 60.0, 10: 60.0, 11: 15.0}
)
"""Error (nm) that an estimated Zernike coefficient may have, by Noll index."""


def _cameras(context: CheckContext) -> Iterator[tuple[InstrumentKit, Camera]]:
    """Yield the installed instruments of a repository that can be used out of focus."""
    for kit in known_instruments(context).values():
        if Capability.WAVEFRONT in kit.capabilities and kit.camera.optics is not None:
            yield kit, kit.camera


def _plan(context: CheckContext, kit: InstrumentKit, camera: Camera) -> Plan:
    """Plan for all exposures of an instrument that have raws, but those that are alone and in focus: these are many."""
    found = {r.id: r for r in records(context, "exposure") if r.instrument == kit.name}
    members = Counter(r.group for r in found.values())
    alone = {i for i, r in found.items() if members[r.group] == 1 and r.observation_type != CWFS}
    exposures = {e for name, e in exposure_detectors(context) if name == kit.name} - alone
    run = kit.instrument_class().makeDefaultRawIngestRunName()
    return context.cached(f"wavefront plan of {kit.name}", lambda: make_plan(context.butler, camera, exposures, [run]))


@check(
    "wavefront.sensor-purposes",
    title="The detectors out of the focal plane are those whose purpose is WAVEFRONT",
    after="register",
    needs=NEEDS,
    remedy="register the instrument's class again, with --update: butler register-instrument",
)
def sensor_purposes(context: CheckContext) -> Iterator[Finding]:
    """Who selects science detectors by their purpose must not get donuts, and who looks for donuts must find them."""
    heights = {(k.name, d.id): d.z_mm for k, camera in _cameras(context) for d in camera.detectors}
    for record in records(context, "detector"):
        z = heights.get((record.instrument, record.id))
        if z is None:
            continue
        context.examined()
        if (record.purpose == Purpose.WAVEFRONT) != bool(z):
            data_id = {"instrument": record.instrument, "detector": record.id}
            yield Finding(
                f"detector {record.full_name} lies {z:+g} mm from the focal plane and has purpose {record.purpose}",
                data_id=data_id,
                where="detector",
                seen=str(record.purpose),
                expected=Purpose.WAVEFRONT.value if z else "another",
                look=look_record("detector", data_id),
            )


@check(
    "wavefront.sensor-pairs",
    title="Wavefront sensors are paired by their ids as they are by their places",
    after="register",
    needs=NEEDS,
    remedy="correct ids or places of the sensors in the camera, and register it again with --update",
)
def sensor_pairs(context: CheckContext) -> Iterator[Finding]:
    """Much software pairs sensors by ids, the extra-focal one first; swapped, every wavefront has the wrong sign."""
    by_raft: dict[tuple[str, str], list[int]] = defaultdict(list)
    for record in records(context, "detector"):
        if record.purpose == Purpose.WAVEFRONT:
            by_raft[record.instrument, record.raft or ""].append(record.id)
    for kit, camera in _cameras(context):
        context.examined(len(camera.detectors))
        for problem in corner_problems(camera):
            yield Finding(problem, where="camera", look=look_record("detector", {"instrument": kit.name}))
        places = {p.raft: (p.extra, p.intra) for p in corner_pairs(camera)}
        rafts = {raft for name, raft in by_raft if name == kit.name}
        for raft in sorted(rafts | set(places)):
            ids = tuple(sorted(by_raft.get((kit.name, raft), ())))
            consecutive = len(ids) == 2 and ids[1] == ids[0] + 1
            if not consecutive or ids != places.get(raft):
                data_id = {"instrument": kit.name, "detector.raft": raft}
                yield Finding(
                    f"wavefront sensors of raft {raft} are not paired by their ids",
                    data_id=data_id,
                    where="detector",
                    seen=f"ids {', '.join(map(str, ids)) or 'none'}",
                    expected="extra- and intra-focal sensor "
                    + (" and ".join(map(str, places[raft])) if raft in places else "with consecutive ids"),
                    look=look_record("detector", data_id),
                )


@check(
    "wavefront.pairs-complete",
    title="Of every image out of focus there is the other half",
    after="ingest",
    needs=NEEDS,
    remedy="ingest the raw of the other half: harness ingest {repo} PATH",
)
def pairs_complete(context: CheckContext) -> Iterator[Finding]:
    """One half of a pair gives no wavefront, and nothing fails: the pair is just missing from the results."""
    present = exposure_detectors(context)
    for kit, camera in _cameras(context):
        other = partners(camera)
        plan = _plan(context, kit, camera)
        kinds = {r.id: r.observation_type for r in records(context, "exposure") if r.instrument == kit.name}
        for (name, exposure), detectors in sorted(present.items()):
            if name != kit.name:
                continue
            for detector in sorted(set(other) & set(detectors)):
                context.examined()
                if other[detector] not in detectors:
                    mine, missing = camera[detector].name, camera[other[detector]].name
                    yield _half_missing(
                        kit, exposure, detector, f"no raw of detector {missing}, the other half of {mine}"
                    )
            if kinds.get(exposure) != CWFS:
                continue
            context.examined()
            if exposure in plan.pairing.unpaired:
                yield _half_missing(kit, exposure, None, plan.pairing.unpaired[exposure])
        for pair in plan.pairing.pairs:
            extra, intra = (
                {d for d in present.get((kit.name, e), ()) if not camera[d].z_mm} for e in (pair.extra, pair.intra)
            )
            context.examined(len(extra | intra))
            for detector in sorted(extra ^ intra):
                exposure, lacking = (pair.extra, pair.intra) if detector in extra else (pair.intra, pair.extra)
                words = f"no raw of detector {camera[detector].name} in exposure {lacking}, the other half"
                yield _half_missing(kit, exposure, detector, words)


def _half_missing(kit: InstrumentKit, exposure: int, detector: int | None, why: str) -> Finding:
    data_id: dict[str, Any] = {"instrument": kit.name, "exposure": exposure}
    if detector is not None:
        data_id["detector"] = detector
    run = kit.instrument_class().makeDefaultRawIngestRunName()
    return Finding(
        f"exposure {exposure}: {why}",
        data_id=data_id,
        where=run,
        seen="one half of a pair",
        expected="both halves",
        look=look_datasets("raw", run, {"instrument": kit.name, "exposure": exposure}),
    )


@check(
    "wavefront.focus-signs",
    title="The focus in the headers is the one that the exposures were taken at",
    after="ingest",
    needs=NEEDS,
    remedy="write a metadata correction for the exposure's header, and ingest its raws again",
)
def focus_signs(context: CheckContext) -> Iterator[Finding]:
    """Which half is extra-focal follows from the focus alone: a wrong sign turns the wavefront over."""
    dataset = context.dataset
    if dataset is None:
        return
    for kit, camera in _cameras(context):
        if kit.name != dataset.instrument:
            continue
        plan = _plan(context, kit, camera)
        for observation in dataset.observations:
            if observation.exposure not in plan.focus:
                continue
            context.examined()
            seen = plan.focus[observation.exposure]
            if seen is None or abs(seen - observation.focus) > FOCUS_ERROR:
                data_id = {"instrument": kit.name, "exposure": observation.exposure}
                run = kit.instrument_class().makeDefaultRawIngestRunName()
                yield Finding(
                    f"exposure {observation.exposure} has another focus in its header",
                    data_id=data_id,
                    where="header of a raw",
                    seen="none" if seen is None else f"{seen:+.3f} mm",
                    expected=f"{observation.focus:+.3f} mm",
                    look=look_datasets("raw", run, data_id),
                )


@check(
    "wavefront.zernikes-of-extra",
    title="There are Zernike coefficients for the extra-focal half of every pair, and for nothing else",
    after="process",
    needs=NEEDS | {Capability.PIPELINES},
    remedy="run the pipeline of wavefronts again for the pairs that are named",
)
def zernikes_of_extra(context: CheckContext) -> Iterator[Finding]:
    """Results are looked up under the extra-focal visit and detector: under the other half they are lost."""
    from ..checks.quality_data import outputs

    if context.dataset is None:
        return
    present = exposure_detectors(context)
    visits: dict[tuple[str, int], list[int]] = defaultdict(list)
    for (name, visit), exposures in exposures_of_visits(context).items():
        if len(exposures) == 1:
            visits[name, exposures[0].id].append(visit)
    found = {(d["visit"], d["detector"]) for d, _ in _zernikes(context)}
    for kit, camera in _cameras(context):
        if kit.name != context.dataset.instrument:
            continue
        mine = {o.exposure for o in context.dataset.observations}
        images = [(e, d) for (name, e), ds in present.items() if name == kit.name and e in mine for d in ds]
        expected: dict[tuple[int, int], str] = {}
        for pair in _plan(context, kit, camera).pairs(images):
            for visit in visits.get((kit.name, pair.extra[0]), ()):
                expected[visit, pair.extra[1]] = f"exposure {pair.intra[0]}, detector {pair.intra[1]}"
        context.examined(len(expected))
        for visit, detector in sorted(set(expected) ^ found):
            missing = (visit, detector) in expected
            data_id = {"instrument": kit.name, "visit": visit, "detector": detector}
            yield Finding(
                f"visit {visit}, detector {detector} has {'no' if missing else 'unexpected'} {ZERNIKES}",
                data_id=data_id,
                where=ZERNIKES,
                seen="no dataset" if missing else "a dataset",
                expected=f"those of its pair with {expected[visit, detector]}"
                if missing
                else "not an extra-focal half",
                look=look_datasets(ZERNIKES, outputs(context), data_id),
            )


@check(
    "quality.zernikes",
    title="Zernike coefficients are those of the simulated wavefront",
    after="process",
    needs=NEEDS | {Capability.PIPELINES},
    remedy="look at the donuts of the pair; rerun with other settings of the fit",
    deep=True,
)
def zernikes(context: CheckContext) -> Iterator[Finding]:
    """The wavefront moves the mirrors: a coefficient with the wrong sign makes the images worse, not better.

    The truth at the mean place of the donuts in the field is compared with the average over them. What is allowed
    follows from the errors that ``benchmarks/wavefront.py`` prints for many seeds.
    """
    from ..checks.quality_data import outputs
    from ..simulate.donuts import wavefront

    dataset = context.dataset
    if dataset is None or dataset.instrument not in context.kits:
        return
    camera = context.kits[dataset.instrument].make_camera(dataset.scale)
    observations = {o.exposure: o for o in dataset.observations}
    for data_id, table in _zernikes(context):
        row = table[np.asarray(table["label"]) == "average"]
        if len(row) != 1 or int(row["extra_exposure"][0]) not in observations:
            continue
        context.examined()
        fx, fy = (np.radians((float(row[f"extra_field_{a}"][0]) + float(row[f"intra_field_{a}"][0])) / 2) for a in "xy")
        truth = wavefront(dataset.seed, camera, observations[int(row["extra_exposure"][0])], fx, fy)
        error = {j: float(row[f"Z{j}"][0]) - truth[j] for j in NOLL}
        wrong = [j for j in NOLL if not abs(error[j]) <= LIMITS[j]]
        if wrong:
            yield Finding(
                f"Zernike coefficients {', '.join(f'Z{j}' for j in wrong)} are not those simulated",
                data_id=data_id,
                where=ZERNIKES,
                seen=", ".join(f"Z{j} {truth[j] + error[j]:+.0f} nm" for j in wrong),
                expected=", ".join(f"Z{j} {truth[j]:+.0f} ± {LIMITS[j]:.0f} nm" for j in wrong),
                look=look_datasets(ZERNIKES, outputs(context), data_id),
            )


def _zernikes(context: CheckContext) -> list[tuple[Mapping[str, Any], Any]]:
    from ..checks.quality_data import load

    return context.cached("zernikes", lambda: list(load(context, ZERNIKES)))


CHECKS: tuple[Check, ...] = (
    sensor_purposes,
    sensor_pairs,
    pairs_complete,
    focus_signs,
    zernikes_of_extra,
    zernikes,
)
"""The checks of wavefront sensing."""
