"""Seeded defects of sky maps."""

from __future__ import annotations

import sqlite3
from typing import Any

from .base import Defect, DefectTarget, defect
from .geometry import read_region, scaled, write_region
from .tools import one

__all__ = ["DEFECTS"]


def _patch(db: sqlite3.Connection, target: DefectTarget) -> tuple[Any, ...]:
    """Return sky map, tract, patch and region of the first patch of the dataset's sky map."""
    query = "SELECT skymap, tract, id, region FROM patch WHERE skymap=? ORDER BY tract, id"
    return one(db, query, target.dataset.skymaps[0].name)


@defect("tract-beyond-skymap", found_by="geometry.skymap-limits", after="skymap")
def tract_beyond_skymap(target: DefectTarget) -> None:
    """A sky map declares fewer tracts than it has."""
    with target.sql() as db:
        skymap, tract, *_ = _patch(db, target)
        db.execute("UPDATE skymap SET tract_max=? WHERE name=?", (tract, skymap))


@defect("patch-cell-used-twice", found_by="geometry.skymap-limits", after="skymap")
def patch_cell_used_twice(target: DefectTarget) -> None:
    """Two patches have the same cell of their tract."""
    with target.sql() as db:
        skymap, tract, patch, _ = _patch(db, target)
        db.execute(
            "UPDATE patch SET (cell_x, cell_y) ="
            " (SELECT cell_x, cell_y FROM patch WHERE skymap=? AND tract=? AND id=?)"
            " WHERE skymap=? AND tract=? AND id=?",
            (skymap, tract, patch, skymap, tract, patch + 1),
        )


@defect("patch-without-region", found_by="geometry.skymap-regions", after="skymap")
def patch_without_region(target: DefectTarget) -> None:
    """A patch has no region."""
    with target.sql() as db:
        db.execute("UPDATE patch SET region=NULL WHERE skymap=? AND tract=? AND id=?", _patch(db, target)[:3])


@defect("patch-outside-tract", found_by="geometry.patch-in-tract", after="skymap")
def patch_outside_tract(target: DefectTarget) -> None:
    """A patch at the border of a tract is larger than it should be."""
    with target.sql() as db:
        skymap, tract, patch, text = _patch(db, target)
        region = write_region(scaled(read_region(text), 1.2))
        key = (region, skymap, tract, patch)
        db.execute("UPDATE patch SET region=? WHERE skymap=? AND tract=? AND id=?", key)


@defect("patch-overlaps-lost", found_by="geometry.skymap-overlaps", after="skymap")
def patch_overlaps_lost(target: DefectTarget) -> None:
    """The overlaps of a patch with the sky pixelization are not stored."""
    with target.sql() as db:
        db.execute("DELETE FROM patch_skypix_overlap WHERE skymap=? AND tract=? AND patch=?", _patch(db, target)[:3])


@defect("patch-regions-shifted", found_by="geometry.skymap-as-dataset", after="skymap")
def patch_regions_shifted(target: DefectTarget) -> None:
    """Two patches of a tract have each other's region."""
    with target.sql() as db:
        skymap, tract, patch, text = _patch(db, target)
        query = "SELECT region FROM patch WHERE skymap=? AND tract=? AND id=?"
        other = one(db, query, skymap, tract, patch + 1)[0]
        for number, region in ((patch, other), (patch + 1, text)):
            key = (region, skymap, tract, number)
            db.execute("UPDATE patch SET region=? WHERE skymap=? AND tract=? AND id=?", key)


@defect("skymap-tracts-miscounted", found_by="geometry.skymap-as-dataset", after="skymap")
def skymap_tracts_miscounted(target: DefectTarget) -> None:
    """A sky map is registered with a tract more than its definition has."""
    with target.sql() as db:
        db.execute("UPDATE skymap SET tract_max = tract_max + 1 WHERE name=?", (target.dataset.skymaps[0].name,))


DEFECTS: tuple[Defect, ...] = (
    tract_beyond_skymap,
    patch_cell_used_twice,
    patch_without_region,
    patch_outside_tract,
    patch_overlaps_lost,
    patch_regions_shifted,
    skymap_tracts_miscounted,
)
