"""The stage that registers the sky maps: their dimension records and the definitions as datasets.

A sky map of one tract, or of few, is registered whole. Of one that covers the sky only those tracts are registered,
each with all its patches, that overlap the visits of the dataset: ``hsc_rings_v1`` has 18938 tracts and 1.5 million
patches, of which a dataset needs a few hundred. ``tract_max`` and the hash are those of the whole sky map, and more
tracts can be added later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import HarnessError
from ..instrument.pointing import Pointing
from ..sky.regions import Footprint, hull
from ..sky.skymaps import SkyMapDefinition

if TYPE_CHECKING:
    from lsst.daf.butler import Butler
    from lsst.sphgeom import ConvexPolygon

    from ..datasets.manifest import Dataset
    from ..instrument.kit import InstrumentKit
    from ..stage import StageContext

__all__ = ["DATASET_TYPE", "RUN", "register_skymap", "run", "visit_hulls"]

RUN = "skymaps"
DATASET_TYPE = "skyMap"

WHOLE = 16
"""Number of tracts up to which a sky map is registered whole."""


def visit_hulls(dataset: Dataset, kit: InstrumentKit) -> list[ConvexPolygon]:
    """Return the regions that the visits of a dataset will have, one for each distinct pointing.

    Parameters
    ----------
    dataset : `~harness.datasets.manifest.Dataset`
        The manifest.
    kit : `~harness.instrument.kit.InstrumentKit`
        The instrument; its padding is applied.
    """
    camera = kit.camera
    footprint = Footprint(camera, kit.visit_padding)
    pointings = {Pointing(*o.pointing, camera.sky_parity) for o in dataset.observations if o.on_sky}
    return [hull(footprint.on_sky(p)) for p in sorted(pointings, key=lambda p: (p.ra, p.dec, p.sky_angle))]


def register_skymap(butler: Butler, skymap: SkyMapDefinition, tracts: Iterable[int] | None = None) -> Mapping[str, Any]:
    """Register a sky map, or more tracts of one, and put its definition; what is there already stays.

    Parameters
    ----------
    butler : `lsst.daf.butler.Butler`
        A repository open for writing.
    skymap : `~harness.sky.skymaps.SkyMapDefinition`
        The sky map.
    tracts : `~collections.abc.Iterable` [`int`], optional
        Tracts to register, each with all its patches; all by default.

    Returns
    -------
    facts : `~collections.abc.Mapping`
        ``hash`` (hexadecimal), ``tracts`` (those registered now or before, of the ones asked for), ``patches``
        (in those), ``new_tracts`` and ``whole``: whether these are all tracts of the sky map.

    Raises
    ------
    HarnessError
        If the name is taken by another definition, the definition has another name already, or there is no such
        tract.
    """
    from lsst.daf.butler import CollectionType, DatasetType

    asked = sorted(set(range(skymap.n_tracts) if tracts is None else tracts))
    dataset_type = DatasetType(DATASET_TYPE, ("skymap",), "HarnessSkyMap", universe=butler.dimensions)
    butler.registry.registerDatasetType(dataset_type)
    butler.collections.register(RUN, CollectionType.RUN)
    with butler.transaction():
        _sync_record(butler, skymap)
        there = {r.id for r in butler.query_dimension_records("tract", skymap=skymap.name, limit=None, explain=False)}
        new = [t for t in asked if t not in there]
        _insert(butler, skymap, new)
        ref = butler.find_dataset(dataset_type, skymap=skymap.name, collections=RUN)
        if ref is None:
            butler.put(skymap, dataset_type, skymap=skymap.name, run=RUN)
        elif (stored := butler.get(ref)) != skymap:
            raise _conflict(skymap.name, f"dataset {DATASET_TYPE} in {RUN}", stored.sha1.hex(), skymap.sha1.hex())
    return {
        "hash": skymap.sha1.hex(),
        "tracts": asked,
        "patches": len(asked) * skymap.n_patches**2,
        "new_tracts": len(new),
        "whole": len(asked) == skymap.n_tracts,
    }


def _conflict(name: str, what: str, seen: object, wanted: object) -> HarnessError:
    return HarnessError(
        f"sky map {name} is registered with another definition: {what} is {seen}, not {wanted}",
        remedy="give the sky map another name; one that is in use is never changed",
        code="skymap-differs",
    )


def _sync_record(butler: Butler, skymap: SkyMapDefinition) -> None:
    """Insert the record of the sky map, or prove that it is there."""
    wanted = {
        "name": skymap.name,
        "hash": skymap.sha1,
        "tract_max": skymap.n_tracts,
        "patch_nx_max": skymap.n_patches,
        "patch_ny_max": skymap.n_patches,
    }
    for record in butler.query_dimension_records("skymap", explain=False):
        if record.name == skymap.name:
            for field, value in wanted.items():
                seen = getattr(record, field)
                if seen != value:
                    shown = [v.hex() if isinstance(v, bytes) else v for v in (seen, value)]
                    raise _conflict(skymap.name, field, *shown)
            return
        if record.hash == skymap.sha1:
            raise HarnessError(
                f"sky map {skymap.name} is registered as {record.name} already",
                remedy=f"use the name {record.name}: a definition has one name in a repository",
                code="skymap-renamed",
            )
    butler.registry.insertDimensionData("skymap", wanted)


def _insert(butler: Butler, skymap: SkyMapDefinition, tracts: Sequence[int]) -> None:
    """Insert tracts and their patches, in two calls."""
    rows, patches = [], []
    for number in tracts:
        tract = skymap.tract(number)
        rows.append({"skymap": skymap.name, "id": number, "region": tract.region})
        for patch, region in tract.patch_regions().items():
            x, y = tract.patch_index(patch)
            key = {"skymap": skymap.name, "tract": number, "id": patch}
            patches.append({**key, "cell_x": x, "cell_y": y, "region": region})
    if rows:
        butler.registry.insertDimensionData("tract", *rows)
        butler.registry.insertDimensionData("patch", *patches)


def run(context: StageContext) -> Mapping[str, Any]:
    """Register all sky maps of the dataset.

    Parameters
    ----------
    context : `~harness.stage.StageContext`
        What the stage works with.

    Returns
    -------
    facts : `~collections.abc.Mapping`
        ``collection``, ``dataset_type`` and ``skymaps``: for each name what `register_skymap` tells. Where
        ``whole`` is false, only the tracts that overlap the visits of the dataset are registered.
    """
    facts: dict[str, Any] = {}
    area: list[ConvexPolygon] = []
    with context.butler() as butler:
        for entry in context.dataset.skymaps:
            skymap = SkyMapDefinition.from_entry(entry)
            tracts: Sequence[int] | None = None
            if skymap.n_tracts > WHOLE:
                area = area or visit_hulls(context.dataset, context.kit)
                tracts = skymap.tracts_overlapping(area)
            context.progress(f"{skymap.name}: {skymap.n_tracts if tracts is None else len(tracts)} tracts")
            facts[skymap.name] = register_skymap(butler, skymap, tracts)
    return {"collection": RUN, "dataset_type": DATASET_TYPE, "skymaps": facts}
