"""Datasets in bulk, for `big_repository`: all that comes of an exposure, in rows and links like the first ones."""

from __future__ import annotations

import itertools
import json
import os
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from lsst.daf.butler import DatasetType

__all__ = ["CHAIN", "INSTRUMENT", "TABLE", "TAGGED", "TYPES", "Exposure", "Multiplier", "Sources", "suffix_of"]

INSTRUMENT = "LSSTComCam"
LINKS = 50_000
"""Names of one file; ext4 allows 65,000."""
CHAIN = f"{INSTRUMENT}/runs/nightly"
TAGGED = "selected"

IMAGE, TABLE, METADATA, LOG = "MaskedImageV2", "ArrowAstropy", "TaskMetadata", "ButlerLogRecords"
TYPES = {
    "raw": ("HarnessRaw", "exposure"),
    "post_isr_image": (IMAGE, "exposure"),
    "isr_metadata": (METADATA, "exposure"),
    "isr_log": (LOG, "exposure"),
    "visit_image": (IMAGE, "visit"),
    "sources": (TABLE, "visit"),
    "characterize_metadata": (METADATA, "visit"),
    "characterize_log": (LOG, "visit"),
    "visit_summary": (TABLE, ""),
    "consolidate_metadata": (METADATA, ""),
    "consolidate_log": (LOG, ""),
}
"""Storage class, and what a dataset is of beside a detector; without a word it is of a whole visit."""

CONTENT = {
    ".fits": b"SIMPLE  =                    T".ljust(80) + b"BITPIX  =                    8".ljust(80)
    + b"NAXIS   =                    0".ljust(80) + b"END".ljust(2640),
    ".json": json.dumps(
        {"scalars": {}, "arrays": {}, "metadata": {"quantum": {"scalars": {}, "arrays": {
            f"{name}Utc": [f"2024-11-01T20:00:{i:02d}"] for i, name in enumerate(("prep", "init", "start", "end"))
        }, "metadata": {}}}}
    ).encode(),
    ".py": b"config.threshold = 5\n",
    ".yaml": b"python: 3.12\n",
}  # fmt: skip


class Exposure(NamedTuple):
    """One exposure, which is a visit of its own."""

    id: int
    obs_id: str
    day: int
    seq: int
    filter: str
    band: str
    field: int
    begin: int
    """Nanoseconds since 1970 TAI."""
    run: str


class Sources:
    """Small files that are linked into the repository under many names."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._left: dict[str, tuple[str, int]] = {}
        folder.mkdir(parents=True)

    def get(self, suffix: str) -> str:
        """Return the path of a file with a suffix that has room for one more name."""
        from astropy.table import Table

        path, left = self._left.get(suffix, ("", 0))
        if not left:
            number = len(list(self._folder.iterdir()))
            path, left = str(self._folder / f"{number}{suffix}"), LINKS
            if suffix == ".parq":
                Table({"x": [1, 2]}).write(path, format="parquet")
            else:
                Path(path).write_bytes(CONTENT[suffix])
        self._left[suffix] = path, left - 1
        return path


def suffix_of(storage: str) -> str:
    """Return what names of files of a storage class end with."""
    known = {TABLE: ".parq", METADATA: ".json", LOG: ".json", "HarnessCamera": ".json"}
    return (known | {"Config": ".py", "Packages": ".yaml"}).get(storage, ".fits")


class Multiplier:
    """Writes rows and files of exposures like those that the middleware wrote for the seeds."""

    def __init__(
        self, repo: Path, database: sqlite3.Connection, sources: Sources, detectors: Mapping[int, str], raw: DatasetType
    ) -> None:
        from lsst.daf.butler import DatasetIdFactory

        self._repo = repo
        self._db = database
        self._sources = sources
        self._detectors = detectors
        self._raw = raw
        self._factory = DatasetIdFactory()
        self._collections = dict(database.execute("SELECT name, collection_id FROM collection"))
        rows = database.execute("SELECT name, id, tag_association_table FROM dataset_type")
        self._types = {name: (number, table) for name, number, table in rows}
        [self._store] = {r[0] for r in database.execute("SELECT DISTINCT datastore_name FROM dataset_location")}
        self._raw_run = next(n for n in self._collections if n.endswith("/raw/all"))
        self._like = {
            kind: row
            for kind, *row in database.execute(
                "SELECT d.dataset_type_id, f.formatter, f.storage_class, f.file_size FROM dataset d"
                " JOIN file_datastore_records f ON f.dataset_id = d.id GROUP BY d.dataset_type_id"
            )
        }
        self._number = 0

    def run(self, exposures: list[Exposure], seeds: set[int]) -> None:
        """Write all but the seeds, and compare the names of their files with the middleware's own."""
        now = time.time_ns()
        for batch in itertools.batched(exposures, 200):
            rows: dict[str, list[Any]] = {"dataset": [], "dataset_location": [], "file_datastore_records": []}
            tags: dict[str, list[Any]] = {}
            for e in batch:
                for name, (storage, of) in TYPES.items():
                    folder, files = self.names(e, name, of, suffix_of(storage))
                    if e.id in seeds:
                        there = {p.name for p in (self._repo / folder).iterdir()}
                        assert there == set(files.values()), (folder, there, files)
                        continue
                    (self._repo / folder).mkdir(parents=True)
                    self.write(e, name, of, folder, files, rows, tags, now)
            for table, values in (rows | tags).items():
                if values:
                    marks = ", ".join("?" * len(values[0]))
                    self._db.executemany(f"INSERT INTO {table} {COLUMNS.get(table, '')} VALUES ({marks})", values)
        self._db.commit()

    def names(self, e: Exposure, name: str, of: str, suffix: str) -> tuple[str, dict[int, str]]:
        """Return the folder and the names of the files of one type and exposure, by detector."""
        run = self._raw_run if name == "raw" else e.run
        flat = run.replace("/", "_")
        if of == "exposure":
            folder, start = f"{run}/{name}/{e.day}/{e.obs_id}", f"{name}_{INSTRUMENT}_{e.filter}_{e.obs_id}"
        else:
            folder = f"{run}/{name}/{e.day}/{e.band}/{e.filter}/{e.id}"
            start = f"{name}_{INSTRUMENT}_{e.band}_{e.filter}_{e.id}"
        if not of:
            return folder, {-1: f"{start}_{flat}{suffix}"}
        return folder, {d: f"{start}_{full}_{flat}{suffix}" for d, full in self._detectors.items()}

    def write(
        self,
        e: Exposure,
        name: str,
        of: str,
        folder: str,
        files: Mapping[int, str],
        rows: Mapping[str, list[Any]],
        tags: dict[str, list[Any]],
        now: int,
    ) -> None:
        """Link the files, and append the rows."""
        kind, table = self._types[name]
        run = self._collections[self._raw_run if name == "raw" else e.run]
        formatter, storage, size = self._like[kind]
        mine = tags.setdefault(f"{table} {TAGS[of]}", [])
        suffix = suffix_of(TYPES[name][0])
        for detector, file in files.items():
            os.link(self._sources.get(suffix), f"{self._repo}/{folder}/{file}")
            identifier = self._id(e, detector, name)
            rows["dataset"].append((identifier, kind, run, now + self._number))
            rows["dataset_location"].append((self._store, identifier))
            path = f"{folder}/{file}"
            rows["file_datastore_records"].append((identifier, path, formatter, storage, "__NULL_STRING__", None, size))
            key = (INSTRUMENT, e.id, detector) if of else (INSTRUMENT, e.id)
            mine.append((kind, identifier, run, *key))
            if name == "visit_image":
                mine.append((kind, identifier, self._collections[TAGGED], *key))

    def _id(self, e: Exposure, detector: int, name: str) -> str:
        """Return a dataset id: raws have those that follow from their data IDs, others are version 7."""
        from lsst.daf.butler import DataCoordinate, DatasetIdGenEnum

        self._number += 1
        if name != "raw":
            return f"{0x0193_0000_0000_7000_8000_0000_0000_0000 + self._number:032x}"
        data_id = DataCoordinate.standardize(
            {"instrument": INSTRUMENT, "exposure": e.id, "detector": detector}, dimensions=self._raw.dimensions
        )
        mode = DatasetIdGenEnum.DATAID_TYPE_RUN
        return self._factory.makeDatasetId(self._raw_run, self._raw, data_id, mode).hex


COLUMNS = {
    "dataset": "(id, dataset_type_id, run_id, ingest_date)",
    "dataset_location": "(datastore_name, dataset_id)",
    "file_datastore_records": "(dataset_id, path, formatter, storage_class, component, checksum, file_size)",
}
TAGS = {
    "exposure": "(dataset_type_id, dataset_id, collection_id, instrument, exposure, detector)",
    "visit": "(dataset_type_id, dataset_id, collection_id, instrument, visit, detector)",
    "": "(dataset_type_id, dataset_id, collection_id, instrument, visit)",
}
