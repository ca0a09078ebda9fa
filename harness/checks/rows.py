"""Rows of a registry's tables, as values."""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple

__all__ = ["Collection", "DatasetTypeRow", "FileRow", "Validity"]


class Collection(NamedTuple):
    """One row of the ``collection`` table."""

    id: int
    name: str
    type: str
    """``RUN``, ``TAGGED``, ``CHAINED`` or ``CALIBRATION``."""


class DatasetTypeRow(NamedTuple):
    """One row of the ``dataset_type`` table, with its dimensions."""

    id: int
    name: str
    storage_class: str
    dimensions: tuple[str, ...]
    """Required dimensions, in the order in which tables and `~harness.checks.members.Member` have their values."""
    tags_table: str
    calibs_table: str | None
    """`None` if the type is not a calibration."""

    def data_id(self, values: tuple[Any, ...]) -> dict[str, Any]:
        """Return values of the required dimensions as a data ID."""
        return dict(zip(self.dimensions, values, strict=True))


class Validity(NamedTuple):
    """A dataset as a member of a CALIBRATION collection, for a span of time (ns since 1970 TAI)."""

    dataset_id: uuid.UUID
    type_id: int
    collection_id: int
    values: tuple[Any, ...]
    begin: int
    end: int


class FileRow(NamedTuple):
    """One record of a file datastore."""

    dataset_id: uuid.UUID
    path: str
    formatter: str
    storage_class: str
    component: str
    checksum: str | None
    size: int | None
    datastore: str
