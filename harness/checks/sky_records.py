"""Invariants of regions, visits and detectors that need no knowledge of the instrument."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..instrument.kit import Capability
from ..instrument.visits import VISIT_SYSTEMS
from ..verdicts import Check, Finding, check
from .conventions import exceptions
from .records import by_key, exposures_of_visits, look_record, records, spread
from .regions import decode, polygons, stored_regions
from .tables import tables
from .visits import systems_in_use

if TYPE_CHECKING:
    from .context import CheckContext

__all__ = ["CHECKS"]

SAMPLE = 20_000
"""How many regions of an element are looked at; they are spread evenly."""

REDEFINE = "harness define-visits {repo} --update"


def _regions(context: CheckContext, name: str) -> list[tuple[dict[str, Any], str]]:
    """Return data IDs and regions, as they are stored, of some of the records of an element that have one."""
    keys = context.butler.dimensions[name].required.names
    found = [(text, values) for text, values in stored_regions(context, name) if text is not None]
    return [(dict(zip(keys, values, strict=True)), text) for text, values in spread(found, SAMPLE)]


def _with_region(context: CheckContext) -> list[str]:
    """Return the elements that have regions of their own in the repository."""
    data, universe = tables(context), context.butler.dimensions
    found = [e.name for e in universe.elements if e.spatial is not None and e.has_own_table]
    return sorted(n for n in found if n in data.names)


@check(
    "geometry.regions-sound",
    title="Every region can be read, and is a convex polygon, or another shape, of finite size",
    after="skymap",
    remedy=f"insert the record again with replace=True; a visit's: {REDEFINE}",
)
def regions_sound(context: CheckContext) -> Iterator[Finding]:
    """A region that turns on itself contains everything or nothing, and one that cannot be read stops every query."""
    for name in _with_region(context):
        context.examined()
        found = _regions(context, name)
        sound = _sound([text for _, text in found])
        for i, (data_id, text) in enumerate(found):
            context.examined()
            problem = "" if i in sound else _unsound(text)
            if problem:
                yield Finding(
                    f"the region of {name} {list(data_id.values())[-1]} is none: {problem}",
                    data_id=data_id,
                    where=f"{name}.region",
                    seen=problem,
                    expected="a convex polygon with its vertices counter-clockwise",
                    look=look_record(name, data_id),
                )


def _sound(stored: list[str]) -> set[int]:
    """Return which regions are sound polygons, judged together as `_unsound` does one by one."""
    import numpy as np

    sound: set[int] = set()
    for indices, points in polygons(stored):
        with np.errstate(invalid="ignore", over="ignore"):
            off = np.abs(np.linalg.norm(points, axis=-1) - 1.0).max(axis=-1)
            turns = np.sum(np.cross(points, np.roll(points, -1, axis=1)) * np.roll(points, -2, axis=1), axis=-1)
            # Comparisons with what is not finite are false.
            good = (off <= 1e-9) & (turns > -1e-15).all(axis=-1) & (turns > 0).any(axis=-1)
        sound.update(indices[i] for i in np.flatnonzero(good))
    return sound


def _unsound(text: str) -> str:
    """Say what is wrong with a region; empty if nothing is."""
    import binascii

    import numpy as np
    from lsst.sphgeom import ConvexPolygon

    try:
        region = decode(text)
    except (ValueError, RuntimeError, TypeError, binascii.Error) as error:
        return f"{type(error).__name__}: {error}"
    if not isinstance(region, ConvexPolygon):
        angle = region.getBoundingCircle().getOpeningAngle().asDegrees()
        return "" if 0.0 < angle <= 180.0 else f"opening angle {angle}°"
    points = np.array([(v.x(), v.y(), v.z()) for v in region.getVertices()])
    if len(points) < 3 or not np.isfinite(points).all():
        return f"{len(points)} vertices, some not finite"
    off = float(np.max(np.abs(np.linalg.norm(points, axis=1) - 1.0)))
    if off > 1e-9:
        return f"vertices {off:.2g} off the sphere"
    normals = np.cross(points, np.roll(points, -1, axis=0))
    turns = np.sum(normals * np.roll(points, -2, axis=0), axis=1)
    # Vertices that lie on a line but for rounding are allowed.
    return "" if np.all(turns > -1e-15) and np.any(turns > 0) else "not convex, or clockwise"


@check(
    "geometry.region-sizes",
    title="The regions of an instrument's visits, and those of a detector, are of one size, but for few exceptions",
    after="visits",
    needs={Capability.VISITS},
    remedy=REDEFINE,
)
def region_sizes(context: CheckContext) -> Iterator[Finding]:
    """A camera sees as much of the sky in every visit. A region that is larger draws a visit into coadds far away."""
    import numpy as np

    for name in [n for n in _with_region(context) if "instrument" in context.butler.dimensions[n].required.names]:
        kinds: dict[tuple[Any, ...], list[tuple[dict[str, Any], float]]] = defaultdict(list)
        for data_id, text in _regions(context, name):
            try:
                circle = decode(text).getBoundingCircle()
            except (ValueError, RuntimeError, TypeError):
                continue  # found by geometry.regions-sound
            size = circle.getOpeningAngle().asDegrees()
            kinds[data_id["instrument"], data_id.get("detector")].append((data_id, size))
        for found in kinds.values():
            context.examined(len(found))
            usual = float(np.median([size for _, size in found]))
            result = exceptions(((d, s), abs(s - usual) <= 0.2 * usual) for d, s in found)
            for data_id, size in result.broken:
                yield Finding(
                    f"the region of {name} {list(data_id.values())[-1]} is not as large as the others",
                    data_id=data_id,
                    where=f"{name}.region",
                    seen=f"radius {size:.4f}°",
                    expected=f"about {usual:.4f}°, as {result.kept} others",
                    look=look_record(name, data_id),
                )


@check(
    "visits.horizontal",
    title="Azimuth and zenith angle of a visit lie between those of its exposures",
    after="visits",
    needs={Capability.VISITS},
    remedy=REDEFINE,
)
def horizontal(context: CheckContext) -> Iterator[Finding]:
    """Airmass and refraction of a visit follow from them, and with them colours and shapes of its sources."""
    visits = by_key(context, "visit")
    for key, exposures in exposures_of_visits(context).items():
        visit = visits.get(key)
        if visit is None:
            continue
        context.examined()
        for name in ("azimuth", "zenith_angle"):
            values = [getattr(e, name) for e in exposures if getattr(e, name) is not None]
            if len(values) != len(exposures):
                continue  # headers need not say it
            least, most = min(values), max(values)
            if name == "azimuth" and most - least > 180.0:
                continue  # across north
            seen = getattr(visit, name)
            if seen is None or not least - 1e-6 <= seen <= most + 1e-6:
                data_id = {"instrument": key[0], "visit": key[1]}
                yield Finding(
                    f"{name} of visit {key[1]} is not that of its exposures",
                    data_id=data_id,
                    where=f"visit.{name}",
                    seen=str(seen),
                    expected=f"{least} to {most}",
                    look=look_record("visit", data_id),
                )


@check(
    "visits.systems",
    title="Visit systems have the names of their numbers, and an instrument with visits has the one that it names",
    after="visits",
    needs={Capability.VISITS},
    remedy=REDEFINE,
)
def systems(context: CheckContext) -> Iterator[Finding]:
    """The number says which exposures make a visit. Under another name it is asked for by those who mean another."""
    here = by_key(context, "visit_system")
    for (instrument, number), record in here.items():
        context.examined()
        if number in VISIT_SYSTEMS and record.name != VISIT_SYSTEMS[number]:
            data_id = {"instrument": instrument, "visit_system": number}
            yield Finding(
                f"visit system {number} of {instrument} has another's name",
                data_id=data_id,
                where="visit_system.name",
                seen=record.name,
                expected=VISIT_SYSTEMS[number],
                look=look_record("visit_system", data_id),
            )
    used: dict[str, set[int]] = defaultdict(set)
    for row in records(context, "visit_system_membership"):
        used[row.instrument].add(row.visit_system)
    for owner in records(context, "instrument"):
        if owner.name in used and owner.visit_system is not None:
            context.examined()
            # A kit may group in another way than the record says.
            wanted = owner.visit_system in systems_in_use(context)[owner.name]
            if wanted and (owner.name, owner.visit_system) not in here:
                yield Finding(
                    f"{owner.name} names a visit system that does not exist",
                    data_id={"instrument": owner.name},
                    where="instrument.visit_system",
                    seen=str(owner.visit_system),
                    expected=" or ".join(map(str, sorted(used[owner.name]))),
                    look=look_record("visit_system", {"instrument": owner.name}),
                )


@check(
    "identifiers.detector-names",
    title="The full name of a detector is put together of its raft and its name in it, as those of its like",
    after="register",
    remedy="register the instrument's class again, with --update: butler register-instrument",
)
def detector_names(context: CheckContext) -> Iterator[Finding]:
    """Queries by raft and by name must find the same detectors; two detectors of one place are one of them wrong."""
    cameras: dict[str, list[Any]] = defaultdict(list)
    for record in records(context, "detector"):
        cameras[record.instrument].append(record)
    for instrument, detectors in cameras.items():
        context.examined(len(detectors))
        places: dict[tuple[Any, Any], list[int]] = defaultdict(list)
        for d in detectors:
            places[d.raft, d.name_in_raft].append(d.id)
        composed = exceptions(
            (d, d.full_name is not None and d.full_name == _composed(d, _joint(detectors))) for d in detectors
        )
        wrong = {d.id: (f"full name {d.full_name!r}", f"of {d.raft!r} and {d.name_in_raft!r}") for d in composed.broken}
        for (raft, name), ids in places.items():
            if raft is not None and name is not None and len(ids) > 1:
                wrong[max(ids)] = (f"detectors {', '.join(map(str, sorted(ids)))}", f"one at {name} of raft {raft}")
        for number, (seen, expected) in sorted(wrong.items()):
            data_id = {"instrument": instrument, "detector": number}
            yield Finding(
                f"the names of detector {number} of {instrument} contradict each other",
                data_id=data_id,
                where="detector",
                seen=seen,
                expected=expected,
                look=look_record("detector", data_id),
            )


def _joint(detectors: list[Any]) -> str:
    """Return what stands between raft and name in most full names; a character that is in no name if they have none."""
    found: dict[str, int] = defaultdict(int)
    for d in detectors:
        raft, name, full = str(d.raft), str(d.name_in_raft), str(d.full_name)
        if full.startswith(raft) and full.endswith(name) and len(full) >= len(raft) + len(name):
            found[full[len(raft) : len(full) - len(name)]] += 1
    return max(found, key=lambda j: found[j]) if found else "\0"


def _composed(detector: Any, joint: str) -> str:
    return f"{detector.raft}{joint}{detector.name_in_raft}"


CHECKS: tuple[Check, ...] = (
    detector_names,
    regions_sound,
    region_sizes,
    horizontal,
    systems,
)
