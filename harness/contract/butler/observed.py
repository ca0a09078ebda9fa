"""A repository of two instruments that were used."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lsst.daf.butler import Butler

    from ..lab import Lab

__all__ = ["observed"]


def observed(lab: Lab, name: str = "observed") -> Butler:
    """Make a repository with datasets of two instruments and two sky maps in one run, and with unused types."""
    return lab.prepared(name, lambda: (_observe(lab, name), None))[0]


def _observe(lab: Lab, name: str) -> Butler:
    from ..world import data_ids

    types = {
        "raw": ("exposure", "detector"),
        "calexp": ("visit", "detector"),
        "warp": ("visit", "patch"),
        "coadd": ("patch", "band"),
        "camera": ("instrument",),
        "filtered": ("physical_filter",),
        "unused": ("visit", "detector"),
        "global": (),
    }
    butler = lab.repository(name, runs=["run", "other"], types=types)
    for type_, dimensions in types.items():
        if type_ == "unused":
            continue
        group = butler.dimensions.conform(dimensions)
        rows = data_ids(group)
        if len(rows) > 24:
            rows = rows[:: len(rows) // 12]
        for row in rows:
            butler.put({}, type_, {k: row[k] for k in group.required}, run="run")
    return butler
