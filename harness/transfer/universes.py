"""Dimension universes: what of a repository's state there is room for in another one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from .selection import stored_ids
from .state import Key, RepositoryState, Value

if TYPE_CHECKING:
    from lsst.daf.butler import DimensionConfig, DimensionUniverse

__all__ = ["UNIVERSES", "dimension_config", "projected", "universe"]

UNIVERSES = (6, 7, 8)
"""Versions of ``daf_butler`` that repositories in use have; older ones have other data IDs for the same data."""


def dimension_config(version: int) -> DimensionConfig:
    """Return the configuration of a dimension universe, as the middleware ships it.

    Raises
    ------
    UsageError
        If this release of the middleware has none of that version.
    """
    import lsst.daf.butler
    from lsst.daf.butler import DimensionConfig, DimensionUniverse

    if version == DimensionUniverse().version:
        return DimensionConfig()
    folder = Path(lsst.daf.butler.__path__[0]) / "configs" / "old_dimensions"
    path = folder / f"daf_butler_universe{version}.yaml"
    if version not in UNIVERSES or not path.exists():
        raise UsageError(f"no dimension universe {version}", remedy=f"known: {', '.join(map(str, UNIVERSES))}")
    return DimensionConfig(str(path))


def universe(version: int) -> DimensionUniverse:
    """Return a dimension universe by its version."""
    from lsst.daf.butler import DimensionUniverse

    return DimensionUniverse(dimension_config(version))


def projected(state: RepositoryState, target: DimensionUniverse) -> RepositoryState:
    """Return what is left of a state in another dimension universe.

    Parameters
    ----------
    state : `~harness.transfer.state.RepositoryState`
        The state.
    target : `lsst.daf.butler.DimensionUniverse`
        The other universe.

    Returns
    -------
    state : `~harness.transfer.state.RepositoryState`
        Fields that only the first universe has are gone, those that only the second has are empty (`None`); elements
        that the second does not have are gone with their records, and with the datasets whose data IDs name them.
    """
    elements = {e.name: e for e in target.elements if e.has_own_table}
    fields = {n: tuple(e.RecordClass.fields.names)[len(e.required.names) :] for n, e in elements.items()}
    records: dict[Key, Value] = {}
    for key, row in state["record"].items():
        if key[0] in fields:
            values = dict(zip(state.elements[key[0]], row, strict=True))
            records[key] = tuple(values.get(f) for f in fields[key[0]])
    types = {
        k: (tuple(target.conform(state.dimensions[k[0]]).names), *row[1:])
        for k, row in state["dataset-type"].items()
        if set(state.dimensions[k[0]]) <= set(target.dimensions.names)
    }
    datasets = {k: row for k, row in state["dataset"].items() if (row[0],) in types}
    kept = {i for (i,) in datasets} | (stored_ids(state) - {i for (i,) in state["dataset"]})
    new = state.replace(
        record=records,
        dataset_type=types,
        dataset=datasets,
        artifact={k: v for k, v in state["artifact"].items() if k[0] in kept},
        tag={k: v for k, v in state["tag"].items() if k[1] in kept},
        certification={k: v for k, v in state["certification"].items() if k[1] in kept},
    )
    return RepositoryState(
        (target.namespace or "", target.version),
        {n: fields[n] for n in fields if n in state.elements},
        state.dimensions,
        new.tables,
        state.hashed,
    )
