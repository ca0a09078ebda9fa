"""The truth catalogue: the stars and galaxies that are simulated, and that results are judged by.

The sky is made cell by cell (HEALPix, equal areas), each from a generator keyed by the seed and the cell. The same
seed therefore gives the same objects at the same place for every dataset, however large its footprint is.

Everything about the populations is an assumption, round numbers near those of the high-latitude sky: 7000 stars
and 60000 galaxies per square degree to magnitude 24.5, numbers growing as 10^(0.12 m) and 10^(0.38 m).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import HarnessError, nearest
from ..instrument.camera import Floats
from ..instrument.pointing import Pointing
from .regions import Footprint, hull
from .seeds import generator

if TYPE_CHECKING:
    from astropy.table import Table
    from lsst.sphgeom import ConvexPolygon

    from ..datasets.manifest import Dataset
    from ..instrument.kit import InstrumentKit

__all__ = [
    "BANDS",
    "FAINT_LIMIT",
    "MARGIN",
    "NANOJANSKY_AB",
    "bands_of",
    "footprint",
    "footprint_cells",
    "make_objects",
    "make_truth",
    "read_truth",
    "write_truth",
]

CELL_ORDER = 10
"""HEALPix order of the cells: 3.4′ across."""
_FINE_ORDER = 29
"""HEALPix order of the grid that positions lie on: 0.4 mas."""
_CELL_AREA = 4 * np.pi * np.degrees(1) ** 2 / (12 * 4**CELL_ORDER)
_ID_BITS = 20

MARGIN = 90.0
"""Arcseconds beyond the edges of detectors that the catalogue reaches at least."""

FAINT_LIMIT = 24.5
"""Faintest AB magnitude (in i)."""
NANOJANSKY_AB = 31.4
"""AB magnitude of 1 nJy."""


@dataclasses.dataclass(frozen=True)
class _Population:
    """Numbers and colours of stars or galaxies; every number is an assumption.

    Parameters
    ----------
    density : `float`
        Objects per square degree to `FAINT_LIMIT`.
    slope : `float`
        The number of objects brighter than m grows as 10^(slope·m).
    bright_limit : `float`
        Brightest magnitude (in i).
    """

    density: float
    slope: float
    bright_limit: float

    def magnitudes(self, uniform: Floats) -> Floats:
        """Turn numbers in [0, 1) into magnitudes."""
        least = 10 ** (self.slope * (self.bright_limit - FAINT_LIMIT))
        out: Floats = FAINT_LIMIT + np.log10(least + (1 - least) * (1 - uniform)) / self.slope
        return out


STARS = _Population(density=7000.0, slope=0.12, bright_limit=14.0)
GALAXIES = _Population(density=60000.0, slope=0.38, bright_limit=17.0)

BANDS: Mapping[str, tuple[float, float, float, float]] = MappingProxyType(
    {
        "u": (1.30, 3.70, 1.90, 0.50),
        "g": (0.30, 2.60, 1.00, 0.35),
        "r": (0.05, 1.45, 0.40, 0.18),
        "i": (0.00, 0.00, 0.00, 0.00),
        "z": (-0.02, -0.75, -0.25, 0.12),
        "y": (-0.03, -0.95, -0.35, 0.15),
        "white": (0.05, 1.45, 0.40, 0.18),
    }
)
"""Magnitude in a band minus that in i: for stars a + b·t with t from 0 (hot) to 1 (cool), for galaxies c + d·s with
s of unit normal distribution; a, b, c, d."""


def bands_of(dataset: Dataset, kit: InstrumentKit) -> tuple[str, ...]:
    """Return the bands of a dataset's exposures of the sky, sorted (`tuple` [`str`]).

    Raises
    ------
    HarnessError
        If the instrument has no such filter, or the truth has no colours for its band.
    """
    filters: Mapping[str, str] = kit.instrument_class.filters()
    bands = set()
    for observation in dataset.observations:
        if not observation.on_sky:
            continue
        if observation.physical_filter not in filters:
            raise nearest(f"filter of {kit.name}", observation.physical_filter, filters)
        bands.add(filters[observation.physical_filter])
    for band in bands:
        if band not in BANDS:
            raise nearest("band of the truth catalogue", band, BANDS)
    return tuple(sorted(bands))


def footprint(dataset: Dataset, kit: InstrumentKit, margin: float = MARGIN) -> list[ConvexPolygon]:
    """Return the padded regions of all detectors that a dataset has exposures of the sky of.

    Parameters
    ----------
    dataset : `~harness.datasets.manifest.Dataset`
        The manifest.
    kit : `~harness.instrument.kit.InstrumentKit`
        The instrument.
    margin : `float`, optional
        Arcseconds to add on every side of each detector.

    Raises
    ------
    HarnessError
        If the dataset has no exposure of the sky.
    """
    camera = kit.camera
    # The same place on the sky is wanted once only: dithered surveys return to it in every filter.
    wanted: dict[tuple[int, float, float, float], Pointing] = {}
    for o in dataset.observations:
        if o.on_sky:
            at = Pointing(*o.pointing, camera.sky_parity)
            wanted.update({(d, *o.pointing): at for d in o.detectors})
    if not wanted:
        raise HarnessError(f"dataset {dataset.name} has no exposure of the sky", code="no-footprint")
    by_pointing: dict[Pointing, list[int]] = {}
    for (detector, *_), pointing in wanted.items():
        by_pointing.setdefault(pointing, []).append(detector)
    pixel = min(d.pixel_mm for d in camera.detectors) * camera.plate_scale
    return [
        hull(corners)
        for pointing, detectors in by_pointing.items()
        for corners in Footprint(camera, margin / pixel, detectors).on_sky(pointing)
    ]


def footprint_cells(regions: Iterable[ConvexPolygon]) -> NDArray[np.int64]:
    """Return the cells that overlap some of the regions, sorted."""
    from lsst.sphgeom import HealpixPixelization

    pixelization = HealpixPixelization(CELL_ORDER)
    cells = {i for region in regions for begin, end in pixelization.envelope(region) for i in range(begin, end)}
    return np.array(sorted(cells), np.int64)


def make_truth(dataset: Dataset, kit: InstrumentKit) -> Table:
    """Make the truth catalogue of a dataset.

    Parameters
    ----------
    dataset : `~harness.datasets.manifest.Dataset`
        The manifest; its seed and, for the area, its exposures count.
    kit : `~harness.instrument.kit.InstrumentKit`
        The instrument.

    Returns
    -------
    truth : `astropy.table.Table`
        By ``id``: ``ra``, ``dec`` (degrees, ICRS), ``is_star``, ``r_half_arcsec`` (half-light radius along the
        major axis; 0 for stars), ``axis_ratio`` (minor to major), ``position_angle`` (of the major axis, from
        north to east, degrees) and for each band ``{band}_flux`` (nJy). The seed is in ``meta["seed"]``.
        All objects within 90″ of a detector are there; those further out fill the cells up.

    Raises
    ------
    HarnessError
        If the dataset has no exposure of the sky, or one in a band without colours.
    """
    return make_objects(dataset.seed, footprint_cells(footprint(dataset, kit)), bands_of(dataset, kit))


def make_objects(seed: int, cells: Iterable[int], bands: Iterable[str]) -> Table:
    """Make the objects in some cells; see `make_truth`."""
    from astropy import units
    from astropy.table import Table

    parts = [part for cell in cells for part in _cell(seed, int(cell))]
    draws: dict[str, Any] = {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
    ra, dec = _positions(draws["fine"])
    star = draws["is_star"]
    magnitude = np.where(star, STARS.magnitudes(draws["m"]), GALAXIES.magnitudes(draws["m"]))
    truth = Table(
        {
            "id": draws["id"],
            "ra": ra * units.deg,
            "dec": dec * units.deg,
            "is_star": star,
            "r_half_arcsec": np.where(star, 0.0, _half_light(magnitude, draws["size"])) * units.arcsec,
            "axis_ratio": np.where(star, 1.0, 0.25 + 0.75 * draws["ratio"]),
            "position_angle": np.where(star, 0.0, 180.0 * draws["angle"]) * units.deg,
        },
        meta={"seed": seed},
    )
    for band in bands:
        a, b, c, d = BANDS[band]
        colour = np.where(star, a + b * draws["colour"], c + d * draws["scatter"])
        truth[f"{band}_flux"] = 10 ** (0.4 * (NANOJANSKY_AB - magnitude - colour)) * units.nJy
    return truth


def _cell(seed: int, cell: int) -> Iterable[dict[str, Any]]:
    """Draw the random numbers of the stars and the galaxies of a cell."""
    for offset, (kind, population) in enumerate((("stars", STARS), ("galaxies", GALAXIES))):
        rng = generator(seed, CELL_ORDER, cell, purpose=kind)
        n = int(rng.poisson(population.density * _CELL_AREA))
        inside = 4 ** (_FINE_ORDER - CELL_ORDER)
        fine = cell * inside + rng.integers(inside, size=n)
        m, colour, size, ratio, angle = rng.random((5, n))
        yield {
            # Even numbers for stars, odd ones for galaxies: neither count moves the other's identifiers.
            "id": (cell << _ID_BITS) + 2 * np.arange(n, dtype=np.int64) + offset,
            "fine": fine,
            "is_star": np.full(n, offset == 0),
            "m": m,
            "colour": colour,
            "size": size,
            "ratio": ratio,
            "angle": angle,
            "scatter": rng.standard_normal(n),
        }


def _positions(fine: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return RA and Dec (degrees) of pixels of the fine grid; evenly drawn pixels are even on the sky."""
    import hpgeom

    ra, dec = hpgeom.pixel_to_angle(2**_FINE_ORDER, fine, nest=True, lonlat=True, degrees=True)
    return np.asarray(ra, float), np.asarray(dec, float)


def _half_light(magnitude: Floats, uniform: Floats) -> Floats:
    """Return half-light radii (arcsec): 0.3″ at the faint limit, growing as 10^(-0.11 m), with 0.5 dex of spread."""
    log: Floats = np.log10(0.3) - 0.11 * (magnitude - FAINT_LIMIT) + 0.5 * (uniform - 0.5)
    return np.clip(10**log, 0.1, 5.0)


def write_truth(truth: Table, path: Path) -> None:
    """Write a truth catalogue as parquet, with its seed and units."""
    from lsst.daf.butler.formatters.parquet import astropy_to_arrow
    from pyarrow.parquet import write_table

    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(astropy_to_arrow(truth), path)


def read_truth(path: Path) -> Table:
    """Read a truth catalogue.

    Raises
    ------
    HarnessError
        If the file is not there or is no parquet.
    """
    from lsst.daf.butler.formatters.parquet import arrow_to_astropy
    from pyarrow import ArrowInvalid
    from pyarrow.parquet import read_table

    try:
        return arrow_to_astropy(read_table(path))
    except (OSError, ArrowInvalid) as error:
        raise HarnessError(f"cannot read truth catalogue {path}: {error}", code="truth") from error
