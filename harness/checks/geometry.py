"""Invariants of regions of exposures, visits and detectors: where the registry believes that pixels are."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..instrument.kit import Capability
from ..instrument.pointing import Pointing
from ..sky.regions import hull, unit_vectors
from ..sky.regions import vertices as sky_vertices
from ..verdicts import Check, Finding, check
from .records import by_key, exposures_of_visits, known_instruments, look_record, look_rows, records, spread
from .regions import decode, excesses, polygons, stored_regions, vertices
from .tables import tables

if TYPE_CHECKING:
    from lsst.daf.butler import DimensionRecord

    from ..instrument.camera import Camera
    from .context import CheckContext
    from .regions import Floats

__all__ = ["CHECKS"]

VISITS = {Capability.VISITS}

ARCSEC = np.pi / 180 / 3600
"""One arcsecond (radians)."""

ROUNDING = 0.001 * ARCSEC
"""What two ways to compute the same position may differ by (radians)."""


TOGETHER = 1000
"""Visits whose regions are compared at a time."""


def _regions(context: CheckContext) -> Mapping[tuple[str, int], Mapping[int, Floats]]:
    """Return for each visit the polygons of its detectors."""

    def make() -> Mapping[tuple[str, int], Mapping[int, Floats]]:
        out: dict[tuple[str, int], dict[int, Floats]] = defaultdict(dict)
        if "visit_detector_region" not in tables(context).names:
            return out
        found = stored_regions(context, "visit_detector_region")
        places: list[Floats | None] = [None] * len(found)
        for indices, polygon in polygons([text for text, _ in found]):
            for i, own in zip(indices, polygon, strict=True):
                places[i] = own
        names = context.butler.dimensions["visit_detector_region"].required.names
        key = [list(names).index(n) for n in ("instrument", "visit", "detector")]
        for (text, values), known in zip(found, places, strict=True):
            place = vertices(decode(text)) if known is None and text is not None else known
            if place is not None and len(place):
                instrument, visit, detector = (values[i] for i in key)
                out[instrument, visit][detector] = place
        return out

    return context.cached("detector regions of visits", make)


@check(
    "geometry.pointing-range",
    title="Positions and angles of exposures lie in their ranges",
    after="ingest",
    remedy="write a metadata correction for the exposure's header, and ingest its raws again",
)
def pointing_range(context: CheckContext) -> Iterator[Finding]:
    """Radians taken for degrees, hours for degrees, or an azimuth that was not wrapped make regions elsewhere."""
    ranges = {
        "tracking_ra": (0.0, 360.0),
        "tracking_dec": (-90.0, 90.0),
        "azimuth": (0.0, 360.0),
        "zenith_angle": (0.0, 180.0),
        "exposure_time": (0.0, np.inf),
    }
    for record in records(context, "exposure"):
        context.examined()
        for name, (least, most) in ranges.items():
            value = getattr(record, name, None)
            if value is not None and not least <= value <= most:
                data_id = {"instrument": record.instrument, "exposure": record.id}
                yield Finding(
                    f"{name} of exposure {record.id} is out of range",
                    data_id=data_id,
                    where=f"exposure.{name}",
                    seen=repr(value),
                    expected=f"{least} to {most}",
                    look=look_record("exposure", data_id),
                )


@check(
    "geometry.visit-contains-detectors",
    title="The region of a visit contains the regions of its detectors",
    after="visits",
    needs=VISITS,
    remedy="harness define-visits {repo} --update",
)
def visit_contains_detectors(context: CheckContext) -> Iterator[Finding]:
    """Overlaps are searched with the visit's region first: a detector outside of it is never looked at."""
    visits = by_key(context, "visit")
    for key, detectors, outside in _outside(_regions(context), {k: vertices(r.region) for k, r in visits.items()}):
        context.examined(len(detectors))
        hull = visits[key].region if key in visits else None
        worst = max(outside, key=lambda d: outside[d])
        if outside[worst] > ROUNDING:
            data_id = {"instrument": key[0], "visit": key[1]}
            beyond = sum(o > ROUNDING for o in outside.values())
            yield Finding(
                f"{beyond} of {len(detectors)} detectors lie partly outside the region of visit {key[1]}",
                data_id=data_id | {"detector": worst},
                where="visit.region",
                seen=f'detector {worst} {outside[worst] / ARCSEC:.3f}" outside' if hull is not None else "no polygon",
                expected="all detectors inside",
                look=look_record("visit", data_id),
            )


def _outside(
    regions: Mapping[tuple[str, int], Mapping[int, Floats]], hulls: Mapping[tuple[str, int], Floats | None]
) -> Iterator[tuple[tuple[str, int], Mapping[int, Floats], Mapping[int, float]]]:
    """Yield for each visit its detectors, and how far (radians) each lies outside of the visit; computed together."""
    for batch in itertools.batched(regions.items(), TOGETHER):
        placed = [
            (hull, polygon)
            for key, found in batch
            if (hull := hulls.get(key)) is not None and len(hull)
            for polygon in found.values()
        ]
        values = iter(excesses([h for h, _ in placed], [p for _, p in placed]))
        for key, found in batch:
            hull = hulls.get(key)
            inside = hull is not None and len(hull)
            yield key, found, {d: float(next(values)) if inside else np.inf for d in found}


@check(
    "geometry.detector-regions-complete",
    title="Every visit has a region for every detector of its instrument",
    after="visits",
    needs=VISITS,
    upstream="DM-50446, DM-54634: missing visit-detector regions",
    remedy="harness define-visits {repo} --update",
)
def detector_regions_complete(context: CheckContext) -> Iterator[Finding]:
    """A quantum of a detector without region joins to no patch: the detector is missing from every coadd."""
    detectors: dict[str, set[int]] = defaultdict(set)
    for record in records(context, "detector"):
        detectors[record.instrument].add(record.id)
    regions = _regions(context)
    for record in records(context, "visit"):
        wanted = detectors[record.instrument]
        context.examined(len(wanted))
        data_id = {"instrument": record.instrument, "visit": record.id}
        found = regions.get((record.instrument, record.id), {}).keys()
        missing = sorted(wanted - found)
        if missing:
            yield Finding(
                f"visit {record.id} has no region for {len(missing)} of {len(wanted)} detectors",
                data_id=data_id | {"detector": missing[0]},
                where="visit_detector_region",
                seen=f"no region of {', '.join(map(str, missing[:10]))}{' …' if len(missing) > 10 else ''}",
                expected=f"{len(wanted)} regions",
                look=look_record("visit_detector_region", data_id),
            )
        if record.region is None:
            yield Finding(
                f"visit {record.id} has no region",
                data_id=data_id,
                where="visit.region",
                seen="none",
                expected="a polygon",
                look=look_record("visit", data_id),
            )


@check(
    "geometry.detector-regions",
    title="Detector regions are where the camera and the pointings of the exposures put them",
    after="visits",
    needs=VISITS,
    remedy="harness define-visits {repo} --update",
)
def detector_regions(context: CheckContext) -> Iterator[Finding]:
    """Regions are computed once and then believed: a wrong sky angle or flip sends pixels into the wrong patches.

    A region must contain the detector itself, at the pointing of every snap, and stay within the detector padded by
    twice what the instrument pads, so that pointings refined from headers pass and wrong ones do not.
    """
    exposures = exposures_of_visits(context)
    for name, kit in known_instruments(context).items():
        index = {d.id: i for i, d in enumerate(kit.camera.detectors)}
        inner, outer = _footprint(kit.camera, 0.0), _footprint(kit.camera, 2.0 * kit.visit_padding)
        own = ((key, found) for key, found in _regions(context).items() if key[0] == name)
        for batch in itertools.batched(own, TOGETHER):
            places: list[tuple[int, int, list[Pointing]]] = []
            least: list[Floats] = []
            limits: list[Floats] = []
            seen: list[Floats] = []
            looked = [_pointings(exposures.get(key, []), kit.camera.sky_parity) for key, _ in batch]
            together = [p for pointings in looked for p in pointings]
            inside, beside = (_on_sky(together, *f) if together else np.empty(0) for f in (inner, outer))
            first = 0
            for (key, found), pointings in zip(batch, looked, strict=True):
                mine, first = slice(first, first + len(pointings)), first + len(pointings)
                common = sorted(found.keys() & index.keys())
                if not pointings or not common:
                    continue
                context.examined(len(common))
                columns = [index[d] for d in common]
                places += ((key[1], d, pointings) for d in common)
                least.extend(_of_visit(inside[mine, columns]))
                most = _of_visit(beside[mine, columns])
                limits.extend(_ordered(most) if len(pointings) == 1 else (sky_vertices(hull(p)) for p in most))
                seen += (found[d] for d in common)
            short, far = excesses(seen, least), excesses(limits, seen)
            for i in np.flatnonzero(np.maximum(short, far) > ROUNDING):
                (visit, detector, pointings), missing, beyond = places[i], short[i], far[i]
                data_id = {"instrument": name, "visit": visit, "detector": detector}
                what = "does not contain the detector" if missing > ROUNDING else "reaches far beyond the detector"
                yield Finding(
                    f"the region of detector {detector} in visit {visit} {what}",
                    data_id=data_id,
                    where="visit_detector_region.region",
                    seen=f'{max(missing, beyond) / ARCSEC:.1f}" off',
                    expected="around "
                    + " and ".join(
                        f"RA {p.ra:.5f}°, Dec {p.dec:.5f}°, sky angle {p.sky_angle:.2f}°" for p in pointings
                    ),
                    look=look_record("visit_detector_region", data_id),
                )


def _footprint(camera: Camera, padding: float) -> tuple[Floats, Floats]:
    """Return the field angles (radians) of the corners of the detectors, padded by some pixels: (detector, corner)."""
    found = [camera.pixel_to_field(d.id, *d.corners(padding)) for d in camera.detectors]
    return np.array([fx for fx, _ in found]), np.array([fy for _, fy in found])


def _pointings(exposures: list[DimensionRecord], parity: int) -> list[Pointing]:
    """Return the different pointings of a visit; none if one of its exposures has none."""
    values = sorted({(e.tracking_ra, e.tracking_dec, e.sky_angle) for e in exposures}, key=str)
    return [] if any(None in v for v in values) else [Pointing(*v, parity) for v in values]


def _on_sky(pointings: list[Pointing], fx: Floats, fy: Floats) -> Floats:
    """Return field angles at all pointings as unit vectors, shape (pointing, detector, corner, 3).

    The same as `~harness.instrument.pointing.Pointing.field_to_sky`, for thousands of pointings at once: a point of the
    tangent plane is the boresight plus ξ to the east and η to the north.
    """
    ra, dec, o = np.radians([[p.ra, p.dec, p.sky_angle] for p in pointings]).T
    parity = np.array([p.parity for p in pointings])[:, None, None]
    cos, sin = np.cos(o)[:, None, None], np.sin(o)[:, None, None]
    xi, eta = parity * cos * fx + sin * fy, -parity * sin * fx + cos * fy
    zero = np.zeros(len(pointings))
    centre = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)
    east = np.stack([-np.sin(ra), np.cos(ra), zero], axis=-1)
    north = np.stack([-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)], axis=-1)
    places: Floats = xi[..., None] * east[:, None, None] + eta[..., None] * north[:, None, None]
    places += centre[:, None, None]
    return places / np.linalg.norm(places, axis=-1, keepdims=True)


def _of_visit(places: Floats) -> Floats:
    """Put the corners at all pointings of a visit together by detector: (detector, corners, 3)."""
    pointings, detectors, corners, _ = places.shape
    return places.transpose(1, 0, 2, 3).reshape(detectors, pointings * corners, 3)


def _ordered(polygons: Floats) -> Floats:
    """Return convex polygons, shape (n, vertex, 3), with their vertices counter-clockwise seen from outside."""
    a, b, c = polygons[:, 0], polygons[:, 1], polygons[:, 2]
    right = np.einsum("ij,ij->i", np.cross(a, b), c) > 0
    return np.where(right[:, None, None], polygons, polygons[:, ::-1])


@check(
    "geometry.exposure-in-visit",
    title="The boresight of every exposure lies in the region of its visit",
    after="visits",
    needs=VISITS,
    remedy="harness define-visits {repo} --update",
)
def exposure_in_visit(context: CheckContext) -> Iterator[Finding]:
    """A visit that was made from other exposures than its own, or a pointing edited later, shows here."""
    visits = by_key(context, "visit")
    places: list[tuple[tuple[str, int], DimensionRecord, Floats]] = []
    for key, exposures in exposures_of_visits(context).items():
        visit = visits.get(key)
        if visit is None or visit.region is None:
            continue
        pointed = [e for e in exposures if e.tracking_ra is not None and e.tracking_dec is not None]
        context.examined(len(pointed))
        polygon = vertices(visit.region)
        if polygon is not None and len(polygon):
            places += ((key, exposure, polygon) for exposure in pointed)
    points = unit_vectors([e.tracking_ra for _, e, _ in places], [e.tracking_dec for _, e, _ in places])
    far = excesses([polygon for _, _, polygon in places], [point[None] for point in points])
    for (key, exposure, _), outside in zip(places, far, strict=True):
        if outside > ROUNDING:
            data_id = {"instrument": key[0], "visit": key[1]}
            yield Finding(
                f"exposure {exposure.id} points outside its visit {key[1]}",
                data_id=data_id | {"exposure": exposure.id},
                where="exposure.tracking_ra",
                seen=f"RA {exposure.tracking_ra:.5f}°, Dec {exposure.tracking_dec:.5f}°, "
                f'{outside / ARCSEC:.1f}" outside',
                expected="inside the visit's region",
                look=look_record("exposure", {"instrument": key[0], "exposure": exposure.id}),
            )


@check(
    "geometry.overlap-tables",
    title="The stored overlaps of visits and detectors with the sky pixelization are those of their regions",
    after="visits",
    needs=VISITS,
    remedy="insert the records of the element again with replace=True: overlaps are computed anew",
)
def overlap_tables(context: CheckContext) -> Iterator[Finding]:
    """Spatial queries join through these tables; regions updated behind them make data invisible in places."""
    yield from stale_overlaps(context, "visit")
    yield from stale_overlaps(context, "visit_detector_region")


def stale_overlaps(context: CheckContext, element: str, most: int = 20_000) -> Iterator[Finding]:
    """Compare the overlap table of an element with overlaps computed from its regions.

    Parameters
    ----------
    context : `~harness.checks.context.CheckContext`
        The repository.
    element : `str`
        A dimension element with a region.
    most : `int`, optional
        How many records are looked at; they are spread evenly.

    Yields
    ------
    finding : `~harness.verdicts.Finding`
        One for each record whose rows differ.
    """
    data, skypix = tables(context), context.butler.dimensions.commonSkyPix
    table = f"{element}_skypix_overlap"
    if table not in data.names:
        return
    chosen = spread(stored_regions(context, element) if element in data.names else (), most)
    if not chosen:
        return
    names = tuple(context.butler.dimensions[element].required.names)
    stored: dict[tuple[Any, ...], set[int]] = defaultdict(set)
    for system, level, index, *values in data.select(table, "skypix_system", "skypix_level", "skypix_index", *names):
        if system == skypix.system.name and level == skypix.level:
            stored[tuple(values)].add(index)
    for written, key in chosen:
        context.examined()
        region, seen = decode(written) if written is not None else None, stored.get(key, set())
        ranges = skypix.pixelization.envelope(region) if region is not None else ()
        wanted = {i for begin, end in ranges for i in range(begin, end)}
        if seen != wanted:
            data_id = dict(zip(names, key, strict=True))
            lost, added = sorted(wanted - seen), sorted(seen - wanted)
            yield Finding(
                f"the stored overlaps of {element} {key[-1]} with {skypix.name} are not those of its region",
                data_id=data_id,
                where=table,
                seen=f"{len(lost)} missing {lost[:3]}, {len(added)} wrong {added[:3]}",
                expected=f"{len(wanted)} pixels",
                look=look_rows(table, element if element in names else "visit", key[-1]),
            )


CHECKS: tuple[Check, ...] = (
    pointing_range,
    visit_contains_detectors,
    detector_regions_complete,
    detector_regions,
    exposure_in_visit,
    overlap_tables,
)
