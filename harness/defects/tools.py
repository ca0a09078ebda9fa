"""What seeded defects are made with."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

from ..errors import HarnessError
from .base import DefectTarget

__all__ = [
    "artifact",
    "association_table",
    "calibration_table",
    "calibration_type",
    "dataset_type_id",
    "first_exposure",
    "one",
    "output_run",
    "raw_run",
    "rebuild",
    "replace_artifact",
    "replace_file",
    "science_pair",
]


def one(connection: sqlite3.Connection, query: str, *values: Any) -> tuple[Any, ...]:
    """Return the first row of a query.

    Raises
    ------
    HarnessError
        If there is none: the repository has nothing that this defect could corrupt.
    """
    row: tuple[Any, ...] | None = connection.execute(query, values).fetchone()
    if row is None:
        raise HarnessError(
            f"nothing to corrupt: no row for {query} {values}",
            remedy="apply the defect after the stage that it names",
            code="defect",
        )
    return row


def dataset_type_id(connection: sqlite3.Connection, name: str) -> int:
    """Return the number of a dataset type (`int`)."""
    number: int = one(connection, "SELECT id FROM dataset_type WHERE name=?", name)[0]
    return number


def association_table(connection: sqlite3.Connection, name: str) -> str:
    """Return the table that holds the memberships of datasets of a type (`str`)."""
    table: str = one(connection, "SELECT tag_association_table FROM dataset_type WHERE name=?", name)[0]
    return table


def calibration_table(connection: sqlite3.Connection, name: str) -> str:
    """Return the table that holds the validity ranges of datasets of a type (`str`)."""
    table: str = one(connection, "SELECT calibration_association_table FROM dataset_type WHERE name=?", name)[0]
    return table


def calibration_type(connection: sqlite3.Connection, dimension: str) -> str:
    """Return the first dataset type of calibrations that has a dimension, beside the instrument (`str`)."""
    name: str = one(
        connection,
        "SELECT t.name FROM dataset_type t JOIN dimension_graph_definition g ON g.dimension_graph_id=t.dimensions_key"
        " WHERE t.calibration_association_table IS NOT NULL AND g.dimension_name=?"
        " AND EXISTS (SELECT 1 FROM dataset d WHERE d.dataset_type_id=t.id) ORDER BY t.id",
        dimension,
    )[0]
    return name


def first_exposure(connection: sqlite3.Connection, target: DefectTarget) -> int:
    """Return the id of the first exposure of the instrument (`int`)."""
    query = "SELECT id FROM exposure WHERE instrument=? ORDER BY id"
    number: int = one(connection, query, target.kit.name)[0]
    return number


def rebuild(connection: sqlite3.Connection, table: str) -> None:
    """Copy a table as people do: with its rows, and without its keys and constraints."""
    connection.execute(f"CREATE TABLE rebuilt AS SELECT * FROM {table}")  # noqa: S608 - a table of the registry
    connection.execute(f"DROP TABLE {table}")
    connection.execute(f"ALTER TABLE rebuilt RENAME TO {table}")


def raw_run(target: DefectTarget) -> str:
    """Return the RUN of the raws (`str`)."""
    run: str = target.kit.instrument_class().makeDefaultRawIngestRunName()
    return run


def output_run(target: DefectTarget) -> str:
    """Return the RUN of the pipeline's outputs (`str`)."""
    return f"{target.kit.name}/runs/{target.dataset.name}/first"


def science_pair(target: DefectTarget) -> tuple[int, int]:
    """Return the first two exposures of the manifest that share a detector and a night (exposure ids)."""
    observations = target.dataset.observations
    for i, first in enumerate(observations):
        for second in observations[i + 1 :]:
            close = abs((second.begin - first.begin).to_value("h")) < 6
            if close and set(first.detectors) & set(second.detectors):
                return first.exposure, second.exposure
    raise HarnessError("no two exposures of one night share a detector", code="defect")


def artifact(target: DefectTarget, dataset_type: str, index: int = 0) -> tuple[str, Path]:
    """Return the dataset id (32 hexadecimal digits) and the file of the n-th stored dataset of a type."""
    with target.sql() as db:
        row = one(
            db,
            "SELECT f.dataset_id, f.path FROM file_datastore_records f JOIN dataset d ON d.id = f.dataset_id"
            " JOIN dataset_type t ON t.id = d.dataset_type_id WHERE t.name = ? ORDER BY f.path LIMIT 1 OFFSET ?",
            dataset_type,
            index,
        )
    return row[0], target.repo / row[1]


def replace_artifact(target: DefectTarget, identifier: str, path: Path, content: bytes) -> None:
    """Give a dataset another content, as if that had been stored: its record says the new size."""
    replace_file(path, content)
    with target.sql() as db:
        db.execute("UPDATE file_datastore_records SET file_size=? WHERE dataset_id=?", (len(content), identifier))


def replace_file(path: Path, content: bytes) -> None:
    """Give a file another content, in a new file under the old name.

    Forks share their files by hard links: editing one in place would corrupt the snapshot that it came from.
    """
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(content)
    os.replace(new, path)  # noqa: PTH105 - the atomic replacement is the point
