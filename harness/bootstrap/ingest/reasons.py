"""Why a raw file cannot be ingested."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

__all__ = ["BadRaw", "Reason"]


class Reason(StrEnum):
    """Stable code of each reason for quarantine."""

    NOT_FOUND = "not-found"
    """No such file, folder or match."""
    UNREADABLE = "unreadable"
    """The file is there and cannot be read."""
    NOT_FITS = "not-fits"
    """Not a FITS file, or its header isn't one."""
    TRUNCATED = "truncated"
    """The file ends before its header or its data do."""
    NO_DATA = "no-data"
    """All HDUs are empty."""
    STRUCTURE = "structure"
    """The HDUs are not those of the detector: one is missing, or has another shape or section."""
    UNKNOWN_INSTRUMENT = "unknown-instrument"
    """No translator claims the header."""
    AMBIGUOUS_INSTRUMENT = "ambiguous-instrument"
    """Several unrelated translators claim the header."""
    UNREGISTERED_INSTRUMENT = "unregistered-instrument"
    """The instrument has no record, or no class, in the repository."""
    MISSING_KEY = "missing-key"
    """A property of the exposure has no header key."""
    BAD_VALUE = "bad-value"
    """A property of the exposure cannot be translated, or its value is absurd."""
    BAD_TIME = "bad-time"
    """Times are in the wrong order, implausible or outside the observing day."""
    EXPOSURE_ID = "exposure-id"
    """The exposure id is outside the instrument's range."""
    UNKNOWN_FILTER = "unknown-filter"
    """The filter has no record."""
    UNKNOWN_DETECTOR = "unknown-detector"
    """The detector has no record."""
    DETECTOR_NAME = "detector-name"
    """The header gives the detector another name than its record."""
    INCONSISTENT = "inconsistent-header"
    """The header contradicts those of other detectors of the exposure."""
    DUPLICATE = "duplicate-data-id"
    """Another file of the same call has the same data ID."""
    RECORD_CONFLICT = "record-conflict"
    """The repository has a dimension record with other values."""
    CONTENT_CONFLICT = "content-conflict"
    """The repository has another file for the data ID."""
    ARTIFACT_MISSING = "artifact-missing"
    """The repository records the dataset, but its file is gone."""
    EXISTS = "exists"
    """It is already there, and that was declared an error."""
    TRANSFER = "transfer-failed"
    """The file could not be brought into the repository."""


class BadRaw(Exception):  # noqa: N818  (the name of a thing, not of a program's mistake)
    """A raw file that must not be ingested.

    Parameters
    ----------
    reason : `Reason`
        Its code.
    message : `str`
        What is wrong, in one line.
    key : `str`, optional
        Header key or record field at fault.
    seen, expected : `str`, optional
        The value found, and the one that should be there.
    data_id : `~collections.abc.Mapping`, optional
        Data ID, as far as known.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        key: str = "",
        seen: object = "",
        expected: object = "",
        data_id: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(" ".join(message.split()))
        self.reason = reason
        self.key = key
        self.seen = str(seen)
        self.expected = str(expected)
        self.data_id = dict(data_id or {})
