"""What an ingest did, and what it refused."""

from __future__ import annotations

import collections
import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...errors import ExitCode
from .reasons import BadRaw, Reason

__all__ = ["IngestReport", "Quarantined"]


@dataclasses.dataclass(frozen=True)
class Quarantined:
    """A file that was not ingested.

    Parameters
    ----------
    path : `str`
        The file, or the location that led to none.
    reason : `~.reasons.Reason`
        Stable code.
    message : `str`
        What is wrong, in one line.
    key, seen, expected : `str`
        Header key or field at fault, the value found and the one that should be there.
    data_id : `~collections.abc.Mapping`
        As far as it is known.
    """

    path: str
    reason: Reason
    message: str
    key: str = ""
    seen: str = ""
    expected: str = ""
    data_id: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, path: object, error: BadRaw, data_id: Mapping[str, Any] | None = None) -> Quarantined:
        """Make one of the error that a file raised."""
        known = error.data_id or dict(data_id or {})
        return cls(str(path), error.reason, str(error), error.key, error.seen, error.expected, known)

    def __str__(self) -> str:
        return f"{self.path}: {self.message} [{self.reason}]"


@dataclasses.dataclass
class IngestReport:
    """Counts of an ingest, and every file that it refused.

    Attributes
    ----------
    found : `int`
        Files looked at.
    ingested : `int`
        Files that are new in the repository.
    skipped : `int`
        Files that were already there, with the same content.
    ignored : `int`
        Files in folders that were left alone: hidden, or not named like FITS files.
    exposures : `int`
        Different exposures of the files that were not refused for their headers.
    translations : `int`
        Headers translated in full: one per exposure if all detectors' headers agree card by card.
    instruments : `dict` [`str`, `collections.Counter`]
        ``ingested`` and ``skipped`` by instrument.
    quarantined : `list` [`Quarantined`]
        Files refused.
    warnings : `list` [`str`]
        Properties that exposures lack.
    seconds : `float`
        Wall time (s).
    """

    found: int = 0
    ingested: int = 0
    skipped: int = 0
    ignored: int = 0
    exposures: int = 0
    translations: int = 0
    instruments: dict[str, collections.Counter[str]] = dataclasses.field(default_factory=dict)
    quarantined: list[Quarantined] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)
    seconds: float = 0.0

    @property
    def exit_code(self) -> ExitCode:
        """1 if something was quarantined, 0 otherwise (`~harness.errors.ExitCode`)."""
        return ExitCode.FAIL if self.quarantined else ExitCode.PASS

    def count(self, instrument: str, what: str) -> None:
        """Count one file as ``ingested`` or ``skipped``."""
        self.instruments.setdefault(instrument, collections.Counter())[what] += 1
        setattr(self, what, getattr(self, what) + 1)

    def facts(self) -> dict[str, Any]:
        """Return everything as JSON-serializable values."""
        return {
            "found": self.found,
            "ingested": self.ingested,
            "skipped": self.skipped,
            "ignored": self.ignored,
            "exposures": self.exposures,
            "translations": self.translations,
            "instruments": {name: dict(counts) for name, counts in sorted(self.instruments.items())},
            "quarantined": [dataclasses.asdict(q) for q in self.quarantined],
            "warnings": list(self.warnings),
            "seconds": round(self.seconds, 3),
        }

    def lines(self) -> Iterator[str]:
        """Yield a summary: counts, then each refused file with its reason."""
        yield (
            f"{self.ingested} ingested, {self.skipped} already there, {len(self.quarantined)} quarantined"
            f" ({self.exposures} exposures, {self.translations} full translations, {self.seconds:.1f} s)"
        )
        for name, counts in sorted(self.instruments.items()):
            yield f"  {name}: {counts['ingested']} ingested, {counts['skipped']} already there"
        if self.ignored:
            yield f"  {self.ignored} other files in the folders were left alone"
        yield from (f"  warning: {text}" for text in self.warnings)
        for reason, number in collections.Counter(q.reason for q in self.quarantined).most_common():
            yield f"  {number} × {reason}"
            yield from (f"    {q.path}: {q.message}" for q in self.quarantined if q.reason is reason)

    def write(self, path: Path) -> tuple[Path, Path]:
        """Write the quarantine report: JSON lines, one per file, and a text summary beside it.

        Parameters
        ----------
        path : `~pathlib.Path`
            The JSON-lines file; the summary has the suffix ``.txt``.

        Returns
        -------
        records, summary : `~pathlib.Path`
            The two files.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            "".join(json.dumps(dataclasses.asdict(q), default=str) + "\n" for q in self.quarantined), encoding="utf-8"
        )
        summary = path.with_suffix(".txt")
        summary.write_text("\n".join(self.lines()) + "\n", encoding="utf-8")
        return path, summary
