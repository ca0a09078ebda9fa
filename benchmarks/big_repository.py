"""A large, sound repository: what the audit is measured on.

    python benchmarks/big_repository.py FOLDER --datasets 1000000

Nights of a camera, as its plugin registers it: raws, outputs of three tasks with their metadata, logs, configurations
and packages, one run per night in a chain, certified calibrations, a tagged collection. The first exposure of every
night comes through the middleware's own interface; all others are rows like its own, written in bulk, with files that
are hard links to a few small ones. Everything that can be checked without reading these is as it must be.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import sqlite3
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from big_repository_bulk import CHAIN, INSTRUMENT, TABLE, TAGGED, TYPES, Exposure, Multiplier, Sources, suffix_of

if TYPE_CHECKING:
    from lsst.daf.butler import Butler, DatasetType

    from harness.instrument.kit import InstrumentKit

__all__ = ["PER_EXPOSURE", "build"]

NIGHT = 1000
"""Exposures of one night at most."""
FIELDS = 40
"""Different pointings; visits of one pointing have the same regions."""
FIRST_NIGHT = datetime.date(2024, 11, 1)
EPOCH = datetime.date(2024, 11, 6)
"""Where the second epoch of calibrations begins, at noon."""
SECOND = 1_000_000_000

CALIBRATIONS = {
    "bias": ("ImageV2", ("detector",)),
    "dark": ("ImageV2", ("detector",)),
    "flat": ("ImageV2", ("detector", "physical_filter")),
    "defects": (TABLE, ("detector",)),
    "camera": ("HarnessCamera", ()),
}


def per_exposure(detectors: int) -> int:
    """Return how many datasets come of one exposure."""
    return sum(detectors if kind else 1 for _, kind in TYPES.values())


PER_EXPOSURE = per_exposure(9)


def build(folder: Path, datasets: int) -> Path:
    """Make a repository.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Where it goes, with the files that are linked into it; must not exist.
    datasets : `int`
        How many datasets it has, rounded up to whole exposures.

    Returns
    -------
    repo : `~pathlib.Path`
        The repository.
    """
    from lsst.daf.butler import Butler, Config

    from harness.plugins import load_plugins

    kit = load_plugins().find("instrument", INSTRUMENT)
    repo, sources = folder / "repo", Sources(folder / "files")
    Butler.makeRepo(str(repo), config=Config(dict(kit.repository_config)))
    with Butler.from_config(str(repo), writeable=True) as butler:
        kit.instrument_class().register(butler.registry)
        filters = butler.query_dimension_records("physical_filter", instrument=INSTRUMENT)
        found = [(r.name, r.band) for r in filters if r.band in set("ugrizy")][:4]
        detectors = {r.id: r.full_name for r in butler.query_dimension_records("detector", instrument=INSTRUMENT)}
        exposures = list(plan(-(-datasets // per_exposure(len(detectors))), found))
        fill_exposures(butler, kit, exposures)
    with connect(repo) as database:
        copy_visits(database, exposures)
    with Butler.from_config(str(repo), writeable=True) as butler:
        seeds = [next(group) for _, group in itertools.groupby(exposures, key=lambda e: e.day)]
        fill_calibrations(butler, kit, sources, found, detectors)
        fill_seeds(butler, kit, sources, seeds, detectors)
        raw_ids = {t: butler.get_dataset_type(t) for t in ("raw",)}
    with connect(repo) as database:
        Multiplier(repo, database, sources, detectors, raw_ids["raw"]).run(exposures, {e.id for e in seeds})
    return repo


def plan(n: int, filters: list[tuple[str, str]]) -> Iterator[Exposure]:
    """Yield exposures: 36 s apart, from 20h TAI on, at least two nights."""
    size = min(NIGHT, -(-n // 2))
    for i in range(n):
        night, seq = divmod(i, size)
        date = FIRST_NIGHT + datetime.timedelta(days=night)
        day = int(date.strftime("%Y%m%d"))
        obs_id = f"CC_O_{day}_{seq + 1:06d}"
        name, band = filters[seq // 50 % len(filters)]
        begin = noon(date) + (8 * 3600 + 36 * seq) * SECOND
        run = f"{CHAIN}/{day}T120000Z"
        yield Exposure(day * 100_000 + seq + 1, obs_id, day, seq + 1, name, band, i % FIELDS, begin, run)


def noon(date: datetime.date) -> int:
    """Return 12h TAI of a date in nanoseconds since 1970 TAI."""
    return ((date - datetime.date(1970, 1, 1)).days * 86_400 + 43_200) * SECOND


def connect(repo: Path) -> sqlite3.Connection:
    """Open the registry for writing in bulk; what is half done is thrown away with the folder."""
    database = sqlite3.connect(repo / "gen3.sqlite3")
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-400000"):
        database.execute(f"PRAGMA {pragma}")
    return database


# --- dimension records ---------------------------------------------------------------------------------


def fill_exposures(butler: Butler, kit: InstrumentKit, exposures: list[Exposure]) -> None:
    """Insert days, groups and exposures, and define the visits of the first exposure of each pointing."""
    from lsst.daf.butler import Timespan

    from harness.bootstrap.visits import define_visits

    insert = butler.registry.insertDimensionData
    for day in sorted({e.day for e in exposures}):
        begin = noon(datetime.date(day // 10_000, day // 100 % 100, day % 100))
        span = Timespan(None, None, _nsec=(begin, begin + 86_400 * SECOND))
        insert("day_obs", {"instrument": INSTRUMENT, "id": day, "timespan": span})
    for batch in itertools.batched(exposures, 5000):
        insert("group", *({"instrument": INSTRUMENT, "name": e.obs_id} for e in batch))
        insert("exposure", *(exposure_record(e) for e in batch))
    define_visits(butler, kit, exposures=[e.id for e in exposures[:FIELDS]])


def exposure_record(e: Exposure) -> dict[str, Any]:
    """Return the fields of an exposure's record; pointings are two degrees apart."""
    from lsst.daf.butler import Timespan

    row, column = divmod(e.field, 8)
    return {
        "instrument": INSTRUMENT,
        "id": e.id,
        "day_obs": e.day,
        "group": e.obs_id,
        "physical_filter": e.filter,
        "obs_id": e.obs_id,
        "exposure_time": 30.0,
        "dark_time": 30.0,
        "observation_type": "science",
        "observation_reason": "survey",
        "seq_num": e.seq,
        "seq_start": e.seq,
        "seq_end": e.seq,
        "target_name": f"field{e.field}",
        "science_program": "BLOCK-1",
        "tracking_ra": 50.0 + 2 * column,
        "tracking_dec": -20.0 + 2 * row,
        "sky_angle": 20.0,
        "azimuth": 180.0,
        "zenith_angle": 30.0,
        "has_simulated": True,
        "can_see_sky": True,
        "timespan": Timespan(None, None, _nsec=(e.begin, e.begin + 30 * SECOND)),
    }


def copy_visits(database: sqlite3.Connection, exposures: list[Exposure]) -> None:
    """Give each exposure the visit of the first one of its pointing, under its own name and with its own fields."""
    database.execute("CREATE TEMP TABLE twin (visit INTEGER PRIMARY KEY, first INTEGER)")
    rows = ((e.id, exposures[e.field].id) for e in exposures[FIELDS:])
    database.executemany("INSERT INTO twin VALUES (?, ?)", rows)
    own = {"id": "e.id", "name": "e.obs_id", "region": "v.region"}
    names = [r[1] for r in database.execute("PRAGMA table_info(visit)")]
    values = ", ".join(own.get(n, f"e.{n}") for n in names)
    database.execute(
        f"INSERT INTO visit SELECT {values}"
        " FROM twin t JOIN exposure e ON e.id = t.visit JOIN visit v ON v.id = t.first"
    )
    database.execute(
        "INSERT INTO visit_definition (instrument, exposure, visit) SELECT d.instrument, t.visit, t.visit"
        " FROM twin t JOIN visit_definition d ON d.visit = t.first"
    )
    for table in (
        "visit_system_membership",
        "visit_detector_region",
        "visit_skypix_overlap",
        "visit_detector_region_skypix_overlap",
    ):
        names = [r[1] for r in database.execute(f"PRAGMA table_info({table})")]
        values = ", ".join("t.visit" if n == "visit" else f"o.{n}" for n in names)
        # The smaller tables have no index on the visit alone; SQLite makes one for the join.
        database.execute(
            f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM {table} o JOIN twin t ON t.first = o.visit"
        )
    database.commit()


# --- datasets through the middleware -------------------------------------------------------------------


def fill_calibrations(
    butler: Butler, kit: InstrumentKit, sources: Sources, filters: list[tuple[str, str]], detectors: Mapping[int, str]
) -> None:
    """Ingest and certify the calibrations of two epochs, and a camera for all times."""
    from lsst.daf.butler import CollectionType, DatasetType, Timespan

    collection = kit.instrument_class().makeCalibrationCollectionName()
    butler.collections.register(collection, CollectionType.CALIBRATION)
    middle = noon(EPOCH)
    everything = Timespan(None, None).nsec
    spans = {"first": (everything[0], middle), "second": (middle, everything[1]), "unbounded": everything}
    for label, bounds in spans.items():
        for name, (storage, dimensions) in CALIBRATIONS.items():
            if (label == "unbounded") is (name == "camera"):
                kind = DatasetType(
                    name, ("instrument", *dimensions), storage, universe=butler.dimensions, isCalibration=True
                )
                choices = {"detector": list(detectors), "physical_filter": [f for f, _ in filters]}
                ids = [
                    {"instrument": INSTRUMENT, **dict(zip(dimensions, values, strict=True))}
                    for values in itertools.product(*(choices[d] for d in dimensions))
                ]
                refs = ingest(butler, kit, sources, kind, ids, f"{collection}/{label}")
                butler.registry.certify(collection, refs, Timespan(None, None, _nsec=bounds))


def fill_seeds(
    butler: Butler, kit: InstrumentKit, sources: Sources, seeds: list[Exposure], detectors: Mapping[int, str]
) -> None:
    """Ingest all that comes of some exposures, and make the collections."""
    from lsst.daf.butler import CollectionType, DatasetType

    raws, defaults = (
        kit.instrument_class().makeDefaultRawIngestRunName(),
        kit.instrument_class().makeUmbrellaCollectionName(),
    )
    butler.collections.register(TAGGED, CollectionType.TAGGED)
    for seed in seeds:
        for name, (storage, of) in TYPES.items():
            dimensions = ("instrument", of or "visit", *(("detector",) if of else ()))
            kind = DatasetType(name, dimensions, storage, universe=butler.dimensions)
            data_id = {"instrument": INSTRUMENT, of or "visit": seed.id}
            ids = [data_id | ({"detector": d} if of else {}) for d in (detectors if of else [0])]
            refs = ingest(butler, kit, sources, kind, ids, raws if name == "raw" else seed.run)
            if name == "visit_image":
                butler.registry.associate(TAGGED, refs)
        for name, storage in (
            *((f"{task}_config", "Config") for task in ("isr", "characterize", "consolidate")),
            ("packages", "Packages"),
        ):
            kind = DatasetType(name, (), storage, universe=butler.dimensions)
            ingest(butler, kit, sources, kind, [{}], seed.run)
    for chain, children in (
        (defaults, [raws, kit.instrument_class().makeCalibrationCollectionName()]),
        (CHAIN, [*(s.run for s in reversed(seeds)), defaults]),
    ):
        butler.collections.register(chain, CollectionType.CHAINED)
        butler.collections.redefine_chain(chain, children)


def ingest(
    butler: Butler, kit: InstrumentKit, sources: Sources, kind: DatasetType, ids: list[dict[str, Any]], run: str
) -> list[Any]:
    """Ingest one file per data ID, under the name that the datastore's own template gives it."""
    from lsst.daf.butler import DatasetIdFactory, DatasetIdGenEnum, DatasetRef, FileDataset

    butler.registry.registerDatasetType(kind)
    butler.collections.register(run)
    suffix = suffix_of(kind.storageClass_name)
    formatter = kit.instrument_class().getRawFormatter({}) if kind.name == "raw" else None
    mode = DatasetIdGenEnum.DATAID_TYPE_RUN if kind.name == "raw" else DatasetIdGenEnum.UNIQUE
    refs = []
    for data_id in butler._expand_data_ids([butler.registry.expandDataId(d) for d in ids]):
        identifier = DatasetIdFactory().makeDatasetId(run, kind, data_id, mode)
        refs.append(DatasetRef(kind, data_id, run=run, id=identifier))
    files = [FileDataset(sources.get(suffix), [r], formatter=formatter) for r in refs]
    butler.ingest(*files, transfer="hardlink", record_validation_info=True)
    return refs


def main() -> None:
    """Build one and say how long it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--datasets", type=int, default=10_000)
    arguments = parser.parse_args()
    start = time.perf_counter()
    repo = build(arguments.folder, arguments.datasets)
    print(f"{repo}: {arguments.datasets} datasets in {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
