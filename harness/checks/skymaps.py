"""Invariants of sky maps: tracts and patches are where their definition puts them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..instrument.kit import Capability
from ..verdicts import Check, Finding, check
from .geometry import ARCSEC, ROUNDING, stale_overlaps
from .members import members
from .records import by_key, look_record, records
from .regions import excesses, vertices
from .tables import tables

if TYPE_CHECKING:
    from lsst.daf.butler import DimensionRecord

    from ..sky.skymaps import SkyMapDefinition
    from .context import CheckContext
    from .regions import Floats

__all__ = ["CHECKS"]

VISITS = {Capability.VISITS}


def _polygons(context: CheckContext, element: str) -> Mapping[tuple[Any, ...], Floats]:
    """Return the polygons of all tracts or patches by their keys."""

    def make() -> Mapping[tuple[Any, ...], Floats]:
        found = ((tuple(r.dataId.required_values), vertices(r.region)) for r in records(context, element))
        return {key: polygon for key, polygon in found if polygon is not None and len(polygon)}

    return context.cached(f"polygons of {element}", make)


@check(
    "geometry.skymap-limits",
    title="Tracts and patches lie within the numbers that their sky map declares, each cell used once",
    after="skymap",
    needs=VISITS,
    remedy="register the sky map again, in an empty repository, and export it from there",
)
def skymap_limits(context: CheckContext) -> Iterator[Finding]:
    """Packed ids of objects reserve room for tract_max tracts and patch_nx_max × patch_ny_max patches.

    Beyond it they collide; two patches of one cell cover the same sky twice.
    """
    maps = by_key(context, "skymap")
    for record in records(context, "tract"):
        owner = maps.get((record.skymap,))
        if owner is not None and owner.tract_max is not None:
            context.examined()
            if not 0 <= record.id < owner.tract_max:
                data_id = {"skymap": record.skymap, "tract": record.id}
                yield Finding(
                    f"tract {record.id} lies outside the range of {record.skymap}",
                    data_id=data_id,
                    where="tract",
                    seen=str(record.id),
                    expected=f"0 ≤ tract < {owner.tract_max}",
                    look=look_record("skymap", {"skymap": record.skymap}),
                )
    cells: dict[tuple[Any, ...], DimensionRecord] = {}
    for record in records(context, "patch"):
        owner = maps.get((record.skymap,))
        if owner is None:
            continue
        context.examined()
        data_id = {"skymap": record.skymap, "tract": record.tract, "patch": record.id}
        nx, ny = owner.patch_nx_max, owner.patch_ny_max
        beyond = None not in (nx, ny) and not (0 <= record.cell_x < nx and 0 <= record.cell_y < ny)
        other = cells.setdefault((record.skymap, record.tract, record.cell_x, record.cell_y), record)
        if beyond or other is not record:
            yield Finding(
                f"patch {record.id} of tract {record.tract} has a cell "
                + ("beyond its sky map's" if beyond else f"that patch {other.id} has too"),
                data_id=data_id,
                where="patch",
                seen=f"cell ({record.cell_x}, {record.cell_y})",
                expected=f"one of {nx} × {ny}, its own",
                look=look_record("patch", data_id),
            )


@check(
    "geometry.patch-in-tract",
    title="The region of a patch lies in the region of its tract",
    after="skymap",
    needs=VISITS,
    remedy="register the sky map again, in an empty repository, and export it from there",
)
def patch_in_tract(context: CheckContext) -> Iterator[Finding]:
    """A patch outside its tract is joined to visits that its pixels never see, and misses those that they do."""
    tracts, patches = _polygons(context, "tract"), _polygons(context, "patch")
    keys = [k for k in patches if k[:2] in tracts]
    context.examined(len(keys))
    outside = excesses([tracts[k[:2]] for k in keys], [patches[k] for k in keys])
    for key, angle in zip(keys, outside, strict=True):
        if angle > ROUNDING:
            data_id = dict(zip(("skymap", "tract", "patch"), key, strict=True))
            yield Finding(
                f"patch {key[2]} lies partly outside its tract {key[1]}",
                data_id=data_id,
                where="patch.region",
                seen=f'{angle / ARCSEC:.3f}" outside',
                expected="inside",
                look=look_record("patch", data_id),
            )


@check(
    "geometry.skymap-regions",
    title="Every tract and patch has a region, and every tract has patches",
    after="skymap",
    needs=VISITS,
    remedy="register the sky map again, in an empty repository, and export it from there",
)
def skymap_regions(context: CheckContext) -> Iterator[Finding]:
    """What has no region overlaps nothing: its coadds are never made, and nobody is told."""
    for element in ("tract", "patch"):
        found = _polygons(context, element)
        for key in by_key(context, element):
            context.examined()
            if key not in found:
                data_id = dict(zip(("skymap", "tract", "patch"), key, strict=False))
                yield Finding(
                    f"{element} {key[-1]} has no region",
                    data_id=data_id,
                    where=f"{element}.region",
                    seen="no polygon",
                    expected="a convex polygon",
                    look=look_record(element, data_id),
                )
    used = {(r.skymap, r.tract) for r in records(context, "patch")}
    for key in by_key(context, "tract"):
        if key not in used:
            data_id = dict(zip(("skymap", "tract"), key, strict=True))
            yield Finding(
                f"tract {key[1]} of {key[0]} has no patches",
                data_id=data_id,
                where="patch",
                seen="no patch",
                expected="at least one",
                look=look_record("patch", data_id),
            )


@check(
    "geometry.skymap-overlaps",
    title="The stored overlaps of tracts and patches with the sky pixelization are those of their regions",
    after="skymap",
    needs=VISITS,
    remedy="insert the records of tracts and patches again with replace=True: overlaps are computed anew",
)
def skymap_overlaps(context: CheckContext) -> Iterator[Finding]:
    """Graphs find the patches of a visit through these tables; a patch whose rows are missing gets no warps."""
    yield from stale_overlaps(context, "tract")
    yield from stale_overlaps(context, "patch")


@check(
    "geometry.skymap-as-dataset",
    title="Sky map, tract and patch records are those of the sky map's definition",
    after="skymap",
    needs=VISITS,
    remedy="register the sky map again, in an empty repository, and export it from there",
)
def skymap_as_dataset(context: CheckContext) -> Iterator[Finding]:
    """Graphs are built with the regions of the records, pixels are made with the stored definition.

    If the two disagree, coadds of one place are filed under another.
    """
    from ..sky.skymaps import SkyMapDefinition

    for name, definition in sorted(_definitions(context).items()):
        record = by_key(context, "skymap").get((name,))
        if not isinstance(definition, SkyMapDefinition) or record is None:
            continue  # of another package, which does not say where its patches are
        context.examined()
        seen = {"hash": record.hash, "tract_max": record.tract_max}
        seen |= {"patch_nx_max": record.patch_nx_max, "patch_ny_max": record.patch_ny_max}
        n = definition.n_patches
        wanted = {"hash": definition.sha1, "tract_max": definition.n_tracts, "patch_nx_max": n, "patch_ny_max": n}
        differing = [k for k in wanted if seen[k] != wanted[k]]
        if differing:
            yield Finding(
                f"the record of sky map {name} is not that of its definition: {', '.join(differing)}",
                data_id={"skymap": name},
                where="skymap",
                seen=", ".join(f"{k}={_text(seen[k])}" for k in differing),
                expected=", ".join(f"{k}={_text(wanted[k])}" for k in differing),
                look=look_record("skymap", {"skymap": name}),
            )
        yield from _compare_regions(context, name, definition)


def _text(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _definitions(context: CheckContext) -> Mapping[str, Any]:
    """Return the stored sky map of each ``skymap`` record that has one."""

    def make() -> Mapping[str, Any]:
        data = tables(context)
        kinds = [t for t in data.dataset_types.values() if t.name == "skyMap" and t.dimensions == ("skymap",)]
        ids = {row.values[0]: row.id for row in members(context, kinds, everything=True)}
        return {name: context.butler.get(context.butler.get_dataset(i)) for name, i in ids.items()}

    return context.cached("sky map definitions", make)


def _compare_regions(context: CheckContext, name: str, definition: SkyMapDefinition) -> Iterator[Finding]:
    tracts, patches = _polygons(context, "tract"), _polygons(context, "patch")
    by_tract: dict[int, list[int]] = defaultdict(list)
    for key in patches:
        if key[0] == name:
            by_tract[key[1]].append(key[2])
    # A tract that its sky map does not have is found by geometry.skymap-limits.
    for tract in (k[1] for k in tracts if k[0] == name and 0 <= k[1] < definition.n_tracts):
        model = definition.tract(tract)
        expected: dict[tuple[Any, ...], Any] = {(name, tract): model.region}
        mine = [p for p in by_tract[tract] if p in model.patches]
        expected |= {(name, tract, p): r for p, r in model.patch_regions(mine).items()}
        for key, region in expected.items():
            context.examined()
            seen, wanted = tracts.get(key) if len(key) == 2 else patches.get(key), vertices(region)
            off = _apart(seen, wanted) if seen is not None and wanted is not None else np.inf
            if off > ROUNDING:
                element = "tract" if len(key) == 2 else "patch"
                data_id = dict(zip(("skymap", "tract", "patch"), key, strict=False))
                yield Finding(
                    f"the region of {element} {key[-1]} is not that of the sky map {name}",
                    data_id=data_id,
                    where=f"{element}.region",
                    seen=f'a vertex {off / ARCSEC:.3f}" off' if off < np.inf else "another shape",
                    expected="the vertices of the stored sky map",
                    look=look_record(element, data_id),
                )


def _apart(seen: Floats, wanted: Floats) -> float:
    """Return how far (radians) the vertices of two polygons are apart, whichever of them comes first."""
    if seen.shape != wanted.shape:
        return np.inf
    distances = np.linalg.norm(seen[:, None] - wanted[None], axis=-1)
    return float(max(distances.min(axis=0).max(), distances.min(axis=1).max()))


CHECKS: tuple[Check, ...] = (skymap_limits, skymap_regions, patch_in_tract, skymap_overlaps, skymap_as_dataset)
