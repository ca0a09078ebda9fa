"""What a repository holds, in memory, with the rules of search and validity; no middleware."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

__all__ = ["DAYS", "Held", "Key", "Model", "Validity", "cut"]

DAYS = 8
"""Validity ranges begin and end on whole days from 0 to this; None is unbounded."""

Values = tuple[int, ...]


class Key(NamedTuple):
    """Names a dataset: there is one of a type and data ID in a run."""

    type: str
    values: Values
    run: str


@dataclasses.dataclass
class Held:
    """What is known of a dataset.

    Parameters
    ----------
    content : `int`
        What it says.
    stored : `bool`
        Whether there is still an artifact.
    """

    content: int
    stored: bool = True


class Validity(NamedTuple):
    """A dataset is certified for a range of days; ``begin`` and ``end`` are -1 and `DAYS` + 1 if unbounded."""

    key: Key
    begin: int
    end: int


@dataclasses.dataclass
class Model:
    """A repository as a value.

    Parameters
    ----------
    types : `dict` [`str`, `str`]
        ``RUN``, ``TAGGED``, ``CALIBRATION`` or ``CHAINED`` for each collection.
    chains : `dict` [`str`, `tuple` [`str`]]
        Children in search order.
    datasets : `dict` [`Key`, `Held`]
        All datasets.
    tags : `dict` [`str`, `set` [`Key`]]
        Members of tagged collections.
    validities : `dict` [`str`, `set` [`Validity`]]
        Members of calibration collections.
    """

    types: dict[str, str] = dataclasses.field(default_factory=dict)
    chains: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    datasets: dict[Key, Held] = dataclasses.field(default_factory=dict)
    tags: dict[str, set[Key]] = dataclasses.field(default_factory=dict)
    validities: dict[str, set[Validity]] = dataclasses.field(default_factory=dict)

    # --- what there is ---------------------------------------------------------------------------

    def flat(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the collections that a search visits, in order, each once."""

        def walk(name: str) -> Iterator[str]:
            if self.types[name] == "CHAINED":
                for child in self.chains[name]:
                    yield from walk(child)
            else:
                yield name

        return tuple(dict.fromkeys(c for name in names for c in walk(name)))

    def find(self, type: str, values: Values, names: Sequence[str], day: int | None = None) -> Key | None:
        """Return what a search finds first.

        Parameters
        ----------
        type, values
            Dataset type and data ID.
        names : `~collections.abc.Sequence` [`str`]
            Collections, in search order.
        day : `int`, optional
            The day, for calibrations; without it CALIBRATION collections are passed over.
        """
        for name in self.flat(names):
            for key in self._members(name, day):
                if key.type == type and key.values == values:
                    return key
        return None

    def _members(self, name: str, day: int | None) -> Iterator[Key]:
        match self.types[name]:
            case "RUN":
                yield from (k for k in self.datasets if k.run == name)
            case "TAGGED":
                yield from self.tags[name]
            case "CALIBRATION" if day is not None:
                yield from (v.key for v in self.validities[name] if v.begin <= day < v.end)

    def parents(self, name: str) -> list[str]:
        """Return the chains that have a collection as a child, sorted."""
        return sorted(c for c, children in self.chains.items() if name in children)

    def reaches(self, name: str, target: str) -> bool:
        """Tell whether a chain leads, directly or not, to a collection."""
        return name == target or any(self.reaches(c, target) for c in self.chains.get(name, ()))

    # --- what can be done to it ------------------------------------------------------------------

    def register(self, name: str, type: str) -> None:
        """Make a collection, unless it is there."""
        self.types.setdefault(name, type)
        match type:
            case "CHAINED":
                self.chains.setdefault(name, ())
            case "TAGGED":
                self.tags.setdefault(name, set())
            case "CALIBRATION":
                self.validities.setdefault(name, set())

    def overlapping(self, name: str, key: Key, begin: int, end: int) -> bool:
        """Tell whether another validity of the same type and data ID overlaps a range."""
        return any(
            (v.key.type, v.key.values) == (key.type, key.values) and v.begin < end and begin < v.end
            for v in self.validities.get(name, ())
        )

    def decertify(self, name: str, type: str, begin: int, end: int, values: Values | None) -> None:
        """Cut a range out of the validities of a type, or of one data ID of it."""
        new: set[Validity] = set()
        for validity in self.validities[name]:
            if validity.key.type == type and values in (None, validity.key.values):
                new |= {Validity(validity.key, b, e) for b, e in cut(validity.begin, validity.end, begin, end)}
            else:
                new.add(validity)
        self.validities[name] = new

    def purge(self, keys: Iterable[Key]) -> None:
        """Remove datasets from everywhere."""
        gone = set(keys)
        for key in gone:
            del self.datasets[key]
        for members in self.tags.values():
            members -= gone
        for name, rows in self.validities.items():
            self.validities[name] = {v for v in rows if v.key not in gone}

    def remove(self, name: str) -> None:
        """Remove a collection, from chains too; of a run the datasets as well."""
        if self.types.pop(name) == "RUN":
            self.purge([k for k in self.datasets if k.run == name])
        for table in (self.chains, self.tags, self.validities):
            table.pop(name, None)
        for parent, children in self.chains.items():
            self.chains[parent] = tuple(c for c in children if c != name)

    def forget_unstored(self) -> None:
        """Remove what no export can hold."""
        self.purge([k for k, held in self.datasets.items() if not held.stored])


def cut(begin: int, end: int, cut_begin: int, cut_end: int) -> Iterator[tuple[int, int]]:
    """Cut one range out of another.

    Parameters
    ----------
    begin, end : `int`
        The range, end excluded.
    cut_begin, cut_end : `int`
        What is cut out.

    Yields
    ------
    begin, end : `int`
        What is left: none, one or two ranges.
    """
    if cut_end <= begin or end <= cut_begin:
        yield begin, end
        return
    if begin < cut_begin:
        yield begin, cut_begin
    if cut_end < end:
        yield cut_end, end
