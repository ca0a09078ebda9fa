"""Seeded defects: corruptions that a named check must find."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lsst.daf.butler import Butler

    from ..datasets.manifest import Dataset
    from ..instrument.kit import InstrumentKit

__all__ = ["Defect", "DefectTarget", "defect"]


@dataclasses.dataclass(frozen=True)
class DefectTarget:
    """A fork to be corrupted.

    Parameters
    ----------
    repo : `~pathlib.Path`
        The repository.
    dataset : `~harness.datasets.manifest.Dataset`
        What it was made from.
    kit : `~harness.instrument.kit.InstrumentKit`
        Its instrument.
    """

    repo: Path
    dataset: Dataset
    kit: InstrumentKit

    @contextmanager
    def butler(self, **kwargs: Any) -> Iterator[Butler]:
        """Open the repository for writing."""
        from lsst.daf.butler import Butler

        with Butler.from_config(str(self.repo), writeable=True, **kwargs) as butler:
            yield butler

    @contextmanager
    def sql(self) -> Iterator[sqlite3.Connection]:
        """Open the registry's SQLite file behind the middleware's back; commits at the end."""
        connection = sqlite3.connect(self.repo / "gen3.sqlite3")
        try:
            connection.execute("PRAGMA foreign_keys = OFF")
            yield connection
            connection.commit()
        finally:
            connection.close()


@dataclasses.dataclass(frozen=True)
class Defect:
    """A named corruption.

    Parameters
    ----------
    id : `str`
        Identifier, e.g. ``visit-region-shrunk``.
    title : `str`
        What is corrupted, in a few words.
    found_by : `str`
        Id of the check that must find it.
    after : `str`
        The stage whose repository it corrupts.
    apply : `~collections.abc.Callable`
        Corrupts a `DefectTarget`.
    """

    id: str
    title: str
    found_by: str
    after: str
    apply: Callable[[DefectTarget], None]


def defect(id: str, *, found_by: str, after: str) -> Callable[[Callable[[DefectTarget], None]], Defect]:
    """Make a `Defect` of a function; the first line of its docstring is the title."""

    def wrap(function: Callable[[DefectTarget], None]) -> Defect:
        title = (function.__doc__ or "").strip().partition("\n")[0]
        return Defect(id, title, found_by, after, function)

    return wrap
