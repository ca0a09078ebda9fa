"""What the checks of quality compare: measurements and the truth that they were simulated from."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from astropy.table import Table

    from ..datasets.manifest import Dataset
    from ..instrument.kit import InstrumentKit
    from .context import CheckContext

__all__ = ["Matched", "load", "match", "outputs", "psf_sigma", "robust_sigma", "simulated"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NANOJANSKY_AB = 31.4


@dataclasses.dataclass(frozen=True)
class Matched:
    """Stars that were found, each with its truth.

    Parameters
    ----------
    index : `numpy.ndarray`
        Rows of the measured table.
    truth : `numpy.ndarray`
        Rows of the truth.
    east, north : `numpy.ndarray`
        Measured minus true position (arcsec).
    """

    index: Ints
    truth: Ints
    east: Floats
    north: Floats

    def where(self, keep: NDArray[np.bool_]) -> Matched:
        """Return those matches for which a condition holds."""
        return Matched(self.index[keep], self.truth[keep], self.east[keep], self.north[keep])


def simulated(context: CheckContext) -> tuple[Dataset, InstrumentKit, Table] | None:
    """Return the dataset, its instrument and its truth; `None` for repositories that were not simulated."""
    from ..sky.truth import make_truth

    dataset = context.dataset
    if dataset is None or dataset.instrument not in context.kits:
        return None
    kit = context.kits[dataset.instrument]
    return dataset, kit, context.cached("truth", lambda: make_truth(dataset, kit))


def outputs(context: CheckContext) -> str:
    """Return the collection with the pipeline's outputs (`str`).

    That is the run of the stage ``process``, which a rerun may have taken out of the chain of outputs.
    """
    assert context.dataset is not None
    run = context.facts.get("process", {}).get("run")
    if run:
        return str(run)
    return f"{context.dataset.instrument}/runs/{context.dataset.name}"


def load(context: CheckContext, name: str, **data_id: Any) -> Iterator[tuple[Mapping[str, Any], Any]]:
    """Yield data ID and content of each dataset of a type among the pipeline's outputs, in order.

    Parameters
    ----------
    context : `~harness.checks.context.CheckContext`
        What the check looks at.
    name : `str`
        Dataset type; nothing is yielded if there is none.
    **data_id : `typing.Any`
        Constraints.
    """
    from lsst.daf.butler import MissingDatasetTypeError

    butler = context.butler
    try:
        refs = butler.query_datasets(
            name, outputs(context), data_id=data_id, find_first=True, with_dimension_records=True, explain=False
        )
    except MissingDatasetTypeError:
        return
    for ref in sorted(refs, key=lambda r: r.dataId):
        yield dict(ref.dataId.mapping), butler.get(ref)


def match(ra: Any, dec: Any, truth: Table, radius: float) -> Matched:
    """Match measured positions to isolated stars of the truth.

    Parameters
    ----------
    ra, dec : array-like
        Measured positions (degrees).
    truth : `astropy.table.Table`
        Truth.
    radius : `float`
        Largest distance (arcsec).

    Returns
    -------
    matched : `Matched`
        Pairs that are each other's nearest.
    """
    from scipy.spatial import cKDTree

    ra, dec = np.asarray(ra, float), np.asarray(dec, float)
    stars = np.flatnonzero(np.asarray(truth["is_star"]))
    if not len(ra) or not len(stars):
        empty = np.zeros(0)
        return Matched(empty.astype(np.int64), empty.astype(np.int64), empty, empty)
    measured, true = _vectors(ra, dec), _vectors(*(np.asarray(truth[c], float)[stars] for c in ("ra", "dec")))
    limit = np.radians(radius / 3600)
    distance, nearest = cKDTree(true).query(measured, distance_upper_bound=limit)
    _, back = cKDTree(measured).query(true, distance_upper_bound=limit)
    found = np.flatnonzero(np.isfinite(distance))
    found = found[back[nearest[found]] == found]
    at = stars[nearest[found]]
    delta_ra = (ra[found] - np.asarray(truth["ra"], float)[at] + 180.0) % 360.0 - 180.0
    east = delta_ra * np.cos(np.radians(dec[found])) * 3600
    north = (dec[found] - np.asarray(truth["dec"], float)[at]) * 3600
    return Matched(found, at, east, north)


def robust_sigma(value: Any) -> float:
    """Return the standard deviation of a normal distribution with the same median absolute deviation."""
    value = np.asarray(value, float)
    return float(1.4826 * np.median(np.abs(value - np.median(value))))


def psf_sigma(fwhm: float) -> float:
    """Return the width that the pipeline's estimator gives for a noise-free star of the simulation.

    Parameters
    ----------
    fwhm : `float`
        FWHM of the simulated PSF (pixels).

    Returns
    -------
    sigma : `float`
        Standard deviation (pixels), the mean over positions within a pixel.
    """
    from ..drp.sources import adaptive_moments
    from ..simulate.profiles import render

    size = 2 * int(np.ceil(6 * fwhm)) + 1
    offsets = [(dx, dy) for dx in (0.0, 0.25, 0.5) for dy in (0.0, 0.25, 0.5)]
    sizes = []
    for dx, dy in offsets:
        x, y = np.array([size // 2 + dx]), np.array([size // 2 + dy])
        image = render((size, size), x, y, np.array([1e6]), None, fwhm)
        sizes.append(float(adaptive_moments(image, x, y).sigma[0]))
    return float(np.mean(sizes))


def _vectors(ra: Floats, dec: Floats) -> Floats:
    lon, lat = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
