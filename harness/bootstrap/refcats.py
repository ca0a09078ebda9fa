"""The stage that puts the reference catalogue: what an earlier survey would know of the truth.

It has the stars of the truth that are brighter than `FAINT_LIMIT` in some band of the dataset, with errors: positions
are off by `POSITION_ERROR` along each axis and fluxes by `FLUX_ERROR` (both normal, seeded, independent). Galaxies
are left out: they are of no use where point-source fluxes and sharp positions are compared.

The catalogue is cut into shards along the pixels of the sky pixelization that the middleware joins with (htm7). Only
the dataset's footprint has any: a shard at its edge is not full.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import HarnessError
from ..instrument.camera import Floats
from ..sky.regions import unit_vectors
from ..sky.seeds import generator
from ..sky.truth import BANDS, NANOJANSKY_AB, make_truth

if TYPE_CHECKING:
    from astropy.table import Table
    from lsst.daf.butler import Butler, DatasetType

    from ..stage import StageContext

__all__ = ["CHAIN", "make_refcat", "put_refcat", "run"]

CHAIN = "refcats"
"""Collection of all reference catalogues; each is in a RUN ``refcats/{name}``."""

FAINT_LIMIT = 22.0
"""AB magnitude down to which stars are listed."""
POSITION_ERROR = 0.010
"""Error of a position along each axis (arcsec, r.m.s.); an assumption, near that of ground-based surveys."""
FLUX_ERROR = 0.005
"""Relative error of a flux (r.m.s.); an assumption."""


def make_refcat(truth: Table, seed: int, name: str) -> Table:
    """Derive the reference catalogue from the truth.

    Parameters
    ----------
    truth : `astropy.table.Table`
        See `~harness.sky.truth.make_truth`.
    seed : `int`
        Seed of the dataset.
    name : `str`
        Name of the catalogue; another one has other errors.

    Returns
    -------
    refcat : `astropy.table.Table`
        ``id`` (of the truth), ``ra``, ``dec`` (degrees, ICRS) and for each band ``{band}_flux`` and
        ``{band}_fluxErr`` (nJy), in the order of ``id``.
    """
    from astropy import units
    from astropy.table import Table

    bands = [c.removesuffix("_flux") for c in truth.colnames if c.endswith("_flux")]
    flux = {band: np.asarray(truth[f"{band}_flux"], float) for band in bands}
    limit = 10 ** (0.4 * (NANOJANSKY_AB - FAINT_LIMIT))
    chosen = np.flatnonzero(np.asarray(truth["is_star"]) & np.any([f > limit for f in flux.values()], axis=0))
    chosen = chosen[np.argsort(np.asarray(truth["id"])[chosen])]
    ids, ra, dec = (np.asarray(truth[c])[chosen] for c in ("id", "ra", "dec"))
    errors = _errors(seed, name, ids)
    step = POSITION_ERROR / 3600
    refcat = Table(
        {
            "id": ids,
            "ra": (ra + step * errors[:, 0] / np.cos(np.radians(dec))) % 360.0 * units.deg,
            "dec": np.clip(dec + step * errors[:, 1], -90.0, 90.0) * units.deg,
        },
        meta={"name": name, "seed": seed},
    )
    for band in bands:
        true = flux[band][chosen]
        refcat[f"{band}_flux"] = true * (1 + FLUX_ERROR * errors[:, 2 + list(BANDS).index(band)]) * units.nJy
        refcat[f"{band}_fluxErr"] = true * FLUX_ERROR * units.nJy
    return refcat


def _errors(seed: int, name: str, ids: NDArray[np.int64]) -> Floats:
    """Draw errors object by object, so that they do not depend on which others, or which bands, there are."""
    n = 2 + len(BANDS)
    drawn = [generator(seed, name, i, purpose="reference catalogue").standard_normal(n) for i in ids.tolist()]
    return np.array(drawn).reshape(-1, n)


def put_refcat(butler: Butler, name: str, refcat: Table) -> Mapping[str, Any]:
    """Cut a reference catalogue into shards and put those that are not there.

    Parameters
    ----------
    butler : `lsst.daf.butler.Butler`
        A repository open for writing.
    name : `str`
        Name of the catalogue and of its dataset type.
    refcat : `astropy.table.Table`
        See `make_refcat`.

    Returns
    -------
    facts : `~collections.abc.Mapping`
        ``dataset_type``, ``run``, ``chain``, ``pixelization``, ``objects``, ``shards`` (pixel indices) and
        ``put``: how many of them were new.

    Raises
    ------
    HarnessError
        If a shard is there with other content, or the dataset type with other dimensions.
    """
    from lsst.daf.butler import CollectionType, DatasetType
    from lsst.daf.butler.registry import ConflictingDefinitionError

    skypix = butler.dimensions.commonSkyPix
    run = f"{CHAIN}/{name}"
    dataset_type = DatasetType(name, (skypix.name,), "ArrowAstropy", universe=butler.dimensions)
    try:
        butler.registry.registerDatasetType(dataset_type)
    except ConflictingDefinitionError as error:
        raise HarnessError(
            f"dataset type {name} is registered with another definition: {error}", code="dataset-type"
        ) from error
    butler.collections.register(run, CollectionType.RUN)
    butler.collections.register(CHAIN, CollectionType.CHAINED)
    if run not in butler.collections.get_info(CHAIN).children:
        butler.collections.extend_chain(CHAIN, run)
    shards = _shards(skypix.pixelization, refcat)
    with butler.transaction():
        new = sum(_put_shard(butler, dataset_type, run, index, refcat[rows]) for index, rows in shards.items())
    return {
        "dataset_type": name,
        "run": run,
        "chain": CHAIN,
        "pixelization": skypix.name,
        "objects": len(refcat),
        "shards": list(shards),
        "put": new,
    }


def _shards(pixelization: Any, refcat: Table) -> Mapping[int, NDArray[np.int64]]:
    """Return the rows in each pixel, by pixel index."""
    from lsst.sphgeom import UnitVector3d

    vectors = unit_vectors(refcat["ra"], refcat["dec"])
    index = np.array([pixelization.index(UnitVector3d(*v)) for v in vectors.tolist()], np.int64)
    return {int(i): np.flatnonzero(index == i) for i in np.unique(index)}


def _put_shard(butler: Butler, dataset_type: DatasetType, run: str, index: int, rows: Table) -> bool:
    (skypix,) = dataset_type.dimensions.skypix
    data_id = {skypix: index}
    ref = butler.find_dataset(dataset_type, data_id, collections=run)
    if ref is None:
        butler.put(rows, dataset_type, data_id, run=run)
        return True
    stored = butler.get(ref)
    if stored.colnames != rows.colnames or any(not np.array_equal(stored[c], rows[c]) for c in rows.colnames):
        raise HarnessError(
            f"shard {skypix}={index} of reference catalogue {dataset_type.name} is there with other content",
            remedy=f"remove the RUN {run} and run again",
            code="refcat-differs",
        )
    return False


def run(context: StageContext) -> Mapping[str, Any]:
    """Make the reference catalogue from the truth and put it.

    Parameters
    ----------
    context : `~harness.stage.StageContext`
        What the stage works with.

    Returns
    -------
    facts : `~collections.abc.Mapping`
        See `put_refcat`.
    """
    dataset = context.dataset
    assert dataset.refcat is not None  # a dataset without has no capability for this stage
    name = dataset.refcat.name
    context.progress("truth catalogue")
    refcat = make_refcat(make_truth(dataset, context.kit), dataset.seed, name)
    context.progress(f"reference catalogue {name}: {len(refcat)} stars")
    with context.butler() as butler:
        return put_refcat(butler, name, refcat)
