"""Seeded defects of identifiers."""

from __future__ import annotations

import sqlite3
import uuid
from typing import Any

from .base import Defect, DefectTarget, defect
from .tools import association_table, dataset_type_id, one, raw_run, science_pair

__all__ = ["DEFECTS"]


@defect("instrument-limits-outdated", found_by="identifiers.instrument-as-registered", after="register")
def instrument_limits_outdated(target: DefectTarget) -> None:
    """The instrument was registered by a class with other limits."""
    with target.sql() as db:
        db.execute("UPDATE instrument SET visit_max = visit_max * 10 WHERE name=?", (target.kit.name,))


@defect("filter-in-wrong-band", found_by="identifiers.instrument-as-registered", after="register")
def filter_in_wrong_band(target: DefectTarget) -> None:
    """A filter of the dataset is registered in another band."""
    name = target.dataset.observations[0].physical_filter
    with target.sql() as db:
        db.execute("UPDATE physical_filter SET band='q' WHERE instrument=? AND name=?", (target.kit.name, name))


@defect("detector-purpose-wrong", found_by="identifiers.detectors-as-camera", after="register")
def detector_purpose_wrong(target: DefectTarget) -> None:
    """A science detector is registered as a guider."""
    with target.sql() as db:
        key = (target.kit.name, target.dataset.detectors[0])
        db.execute("UPDATE detector SET purpose='GUIDER' WHERE instrument=? AND id=?", key)


@defect("detector-missing", found_by="identifiers.detectors-as-camera", after="register")
def detector_missing(target: DefectTarget) -> None:
    """A detector is not registered."""
    with target.sql() as db:
        db.execute("DELETE FROM detector WHERE instrument=? AND id=?", (target.kit.name, target.dataset.detectors[-1]))


@defect("detector-max-too-small", found_by="identifiers.detector-max", after="register")
def detector_max_too_small(target: DefectTarget) -> None:
    """detector_max is the highest detector id instead of one more."""
    with target.sql() as db:
        most = max(d.id for d in target.kit.camera.detectors)
        db.execute("UPDATE instrument SET detector_max=? WHERE name=?", (most, target.kit.name))


@defect("day-obs-record-lost", found_by="identifiers.references-resolve", after="ingest")
def day_obs_record_lost(target: DefectTarget) -> None:
    """The record of a night is gone, its exposures are not."""
    with target.sql() as db:
        day = one(db, "SELECT day_obs FROM exposure WHERE instrument=?", target.kit.name)[0]
        db.execute("DELETE FROM day_obs WHERE instrument=? AND id=?", (target.kit.name, day))


@defect("group-record-lost", found_by="identifiers.references-resolve", after="ingest")
def group_record_lost(target: DefectTarget) -> None:
    """The record of an exposure's group is gone."""
    with target.sql() as db:
        number = target.dataset.observations[0].exposure
        group = one(db, 'SELECT "group" FROM exposure WHERE instrument=? AND id=?', target.kit.name, number)[0]
        db.execute('DELETE FROM "group" WHERE instrument=? AND name=?', (target.kit.name, group))


@defect("obs-id-duplicate", found_by="identifiers.obs-id-unique", after="ingest")
def obs_id_duplicate(target: DefectTarget) -> None:
    """Two exposures have the same obs_id, but for its case."""
    first, second = science_pair(target)
    with target.sql() as db:
        name = one(db, "SELECT obs_id FROM exposure WHERE instrument=? AND id=?", target.kit.name, first)[0]
        key = (name.swapcase(), target.kit.name, second)
        db.execute("UPDATE exposure SET obs_id=? WHERE instrument=? AND id=?", key)


@defect("seq-num-duplicate", found_by="identifiers.seq-num-unique", after="ingest")
def seq_num_duplicate(target: DefectTarget) -> None:
    """Two exposures of a night have the same sequence number."""
    first, second = science_pair(target)
    with target.sql() as db:
        day, number = one(
            db, "SELECT day_obs, seq_num FROM exposure WHERE instrument=? AND id=?", target.kit.name, first
        )
        db.execute(
            "UPDATE exposure SET day_obs=?, seq_num=? WHERE instrument=? AND id=?",
            (day, number, target.kit.name, second),
        )


@defect("exposure-max-too-small", found_by="identifiers.exposure-max", after="ingest")
def exposure_max_too_small(target: DefectTarget) -> None:
    """Exposure ids have outgrown exposure_max."""
    with target.sql() as db:
        most = max(o.exposure for o in target.dataset.observations)
        db.execute("UPDATE instrument SET exposure_max=? WHERE name=?", (most - 1, target.kit.name))


@defect("visit-max-too-small", found_by="identifiers.visit-max", after="visits")
def visit_max_too_small(target: DefectTarget) -> None:
    """Visit ids have outgrown visit_max."""
    with target.sql() as db:
        most = one(db, "SELECT max(id) FROM visit WHERE instrument=?", target.kit.name)[0]
        db.execute("UPDATE instrument SET visit_max=? WHERE name=?", (most - 1, target.kit.name))


@defect("visit-on-wrong-day", found_by="identifiers.day-obs", after="visits")
def visit_on_wrong_day(target: DefectTarget) -> None:
    """A visit has the night of other exposures."""
    with target.sql() as db:
        visit, day = one(db, "SELECT id, day_obs FROM visit WHERE instrument=? ORDER BY id", target.kit.name)
        other = one(db, "SELECT id FROM day_obs WHERE instrument=? AND id<>?", target.kit.name, day)[0]
        db.execute("UPDATE visit SET day_obs=? WHERE instrument=? AND id=?", (other, target.kit.name, visit))


@defect("day-obs-no-date", found_by="identifiers.day-obs", after="ingest")
def day_obs_no_date(target: DefectTarget) -> None:
    """A night is the 99th of its month."""
    with target.sql() as db:
        day = one(db, "SELECT id FROM day_obs WHERE instrument=? ORDER BY id", target.kit.name)[0]
        bad = day // 100 * 100 + 99
        for table, column in (("day_obs", "id"), ("exposure", "day_obs"), ("visit", "day_obs")):
            db.execute(
                f"UPDATE {table} SET {column}=? WHERE instrument=? AND {column}=?",  # noqa: S608 - names are above
                (bad, target.kit.name, day),
            )


@defect("raw-files-swapped", found_by="identifiers.raw-header", after="ingest")
def raw_files_swapped(target: DefectTarget) -> None:
    """Two detectors of an exposure have each other's raw file."""
    with target.sql() as db:
        first, second = _raw_rows(db, target)
        for (identifier, *_), (_, path, size) in ((first, second), (second, first)):
            db.execute(
                "UPDATE file_datastore_records SET path=?, file_size=? WHERE dataset_id=?", (path, size, identifier)
            )


def _raw_rows(db: sqlite3.Connection, target: DefectTarget) -> list[tuple[Any, ...]]:
    """Return dataset id, path and size of the raws of two detectors of an exposure."""
    entry = next(o for o in target.dataset.observations if len(o.detectors) > 1)
    table = association_table(db, "raw")
    query = (
        f"SELECT f.dataset_id, f.path, f.file_size FROM file_datastore_records f"  # noqa: S608 - a table of the registry
        f" JOIN {table} t ON t.dataset_id = f.dataset_id WHERE t.instrument=? AND t.exposure=? AND t.detector=?"
    )
    return [one(db, query, target.kit.name, entry.exposure, d) for d in entry.detectors[:2]]


@defect("raw-id-random", found_by="identifiers.raw-ids", after="ingest")
def raw_id_random(target: DefectTarget) -> None:
    """A raw was ingested with a random dataset id."""
    with target.sql() as db:
        old, new = _raw_rows(db, target)[0][0], uuid.UUID(int=0x0123456789AB7DEF8123456789ABCDEF).hex
        for table, column in (
            ("dataset", "id"),
            (association_table(db, "raw"), "dataset_id"),
            ("dataset_location", "dataset_id"),
            ("file_datastore_records", "dataset_id"),
        ):
            db.execute(f"UPDATE {table} SET {column}=? WHERE {column}=?", (new, old))  # noqa: S608 - names are above


@defect("exposure-max-without-room", found_by="identifiers.packer-roundtrip", after="ingest")
def exposure_max_without_room(target: DefectTarget) -> None:
    """The limits leave no room to pack exposure and detector into one integer."""
    with target.sql() as db:
        most = max(o.exposure for o in target.dataset.observations)
        db.execute("UPDATE instrument SET exposure_max=?, detector_max=1 WHERE name=?", (most // 1000, target.kit.name))


@defect("raw-lost", found_by="identifiers.raws-as-manifest", after="ingest")
def raw_lost(target: DefectTarget) -> None:
    """One raw of the manifest was never ingested."""
    entry = target.dataset.observations[0]
    with target.butler() as butler:
        ref = butler.find_dataset(
            "raw",
            instrument=target.kit.name,
            exposure=entry.exposure,
            detector=entry.detectors[-1],
            collections=raw_run(target),
        )
        butler.pruneDatasets([ref], disassociate=True, unstore=True, purge=True)


@defect("exposure-pointing-wrong", found_by="identifiers.raws-as-manifest", after="ingest")
def exposure_pointing_wrong(target: DefectTarget) -> None:
    """An exposure record has hours of right ascension instead of degrees."""
    with target.sql() as db:
        key = (target.kit.name, target.dataset.observations[0].exposure)
        db.execute("UPDATE exposure SET tracking_ra = tracking_ra / 15 WHERE instrument=? AND id=?", key)


@defect("instrument-twin", found_by="identifiers.instrument-names", after="register")
def instrument_twin(target: DefectTarget) -> None:
    """The record of the instrument was copied under another name."""
    with target.sql() as db:
        columns = [row[1] for row in db.execute("PRAGMA table_info(instrument)") if row[1] != "name"]
        names = ", ".join(columns)
        query = f"INSERT INTO instrument (name, {names}) SELECT ?, {names} FROM instrument WHERE name=?"  # noqa: S608
        db.execute(query, (f"{target.kit.name}2", target.kit.name))


@defect("band-misspelt", found_by="identifiers.values-without-table", after="process")
def band_misspelt(target: DefectTarget) -> None:
    """A coadd is in a band that no filter has."""
    with target.sql() as db:
        name = one(
            db,
            "SELECT t.name FROM dataset_type t JOIN dimension_graph_definition g ON"
            " g.dimension_graph_id=t.dimensions_key WHERE t.name LIKE '%coadd%' AND g.dimension_name='patch'"
            " AND EXISTS (SELECT 1 FROM dimension_graph_definition b WHERE b.dimension_graph_id=t.dimensions_key"
            " AND b.dimension_name='band') AND EXISTS (SELECT 1 FROM dataset d WHERE d.dataset_type_id=t.id)"
            " ORDER BY t.name",
        )[0]
        table, number = association_table(db, name), dataset_type_id(db, name)
        key = one(db, f"SELECT dataset_id FROM {table} WHERE dataset_type_id=?", number)[0]  # noqa: S608
        db.execute(f"UPDATE {table} SET band='rr' WHERE dataset_id=?", (key,))  # noqa: S608


DEFECTS: tuple[Defect, ...] = (
    instrument_twin,
    band_misspelt,
    instrument_limits_outdated,
    filter_in_wrong_band,
    detector_purpose_wrong,
    detector_missing,
    detector_max_too_small,
    day_obs_record_lost,
    group_record_lost,
    obs_id_duplicate,
    seq_num_duplicate,
    exposure_max_too_small,
    visit_max_too_small,
    visit_on_wrong_day,
    day_obs_no_date,
    raw_files_swapped,
    raw_id_random,
    exposure_max_without_room,
    raw_lost,
    exposure_pointing_wrong,
)
