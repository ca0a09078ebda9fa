"""What some datasets need: the smallest part of a repository that they can be used without."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .state import Key, RepositoryState, Value

if TYPE_CHECKING:
    from lsst.daf.butler import DimensionUniverse

__all__ = ["Relations", "closure", "reach", "records_of", "relations"]

DataId = tuple[tuple[str, Any], ...]
"""Dimensions with their values, sorted by name."""


@dataclasses.dataclass(frozen=True)
class Relations:
    """How the dimension elements of a universe hang together.

    Parameters
    ----------
    required : `~collections.abc.Mapping` [`str`, `tuple` [`str`]]
        For each element with a table of its own the dimensions of its key.
    implied : `~collections.abc.Mapping` [`str`, `tuple` [`str`]]
        For each of them the dimensions that its record gives a value of.
    dependants : `~collections.abc.Mapping` [`str`, `tuple` [`str`]]
        For each of them the elements that are filled in together with it: a visit's definition, memberships and
        regions.
    joined : `frozenset` [`str`]
        Those of the dependants that the middleware joins into every query: without a visit's definition nothing is
        found by it. Of the others a data ID needs only what it names itself.
    alternates : `~collections.abc.Mapping` [`str`, `tuple` [`str`]]
        For each of them the fields that are unique beside the key: a detector's full name, a sky map's hash.
    """

    required: Mapping[str, tuple[str, ...]]
    implied: Mapping[str, tuple[str, ...]]
    dependants: Mapping[str, tuple[str, ...]]
    joined: frozenset[str]
    alternates: Mapping[str, tuple[str, ...]]

    @property
    def loose(self) -> frozenset[str]:
        """Dependants that are not joined: regions of the detectors of a visit."""
        return frozenset(f for others in self.dependants.values() for f in others) - self.joined


def relations(universe: DimensionUniverse) -> Relations:
    """Read the relations of a dimension universe (`Relations`)."""
    stored = [e for e in universe.elements if e.has_own_table]
    return Relations(
        {e.name: tuple(e.required.names) for e in stored},
        {e.name: tuple(e.implied.names) for e in stored},
        {
            e.name: tuple(
                f.name
                for f in (universe.get_elements_populated_by(universe[e.name]) if e.name in universe.dimensions else ())
                if f.name != e.name and f.has_own_table
            )
            for e in stored
        },
        frozenset(e.name for e in stored if e.defines_relationships and e.alwaysJoin),
        {
            e.name: tuple(k.name for k in universe[e.name].alternate_keys)
            for e in stored
            if e.name in universe.dimensions
        },
    )


def records_of(
    state: RepositoryState, ids: Iterable[str], known: Relations, *, wholly: Collection[str] = ()
) -> set[Key]:
    """Find the dimension records that some datasets need.

    Parameters
    ----------
    state : `~harness.transfer.state.RepositoryState`
        The repository.
    ids : `~collections.abc.Iterable` [`str`]
        Dataset ids.
    known : `Relations`
        The relations of its dimensions.
    wholly : `~collections.abc.Collection` [`str`], optional
        Dependants that are not joined, of which all rows of a visit are taken nevertheless.

    Returns
    -------
    keys : `set` [`tuple`]
        Keys in the table ``record``. Records that data IDs name but that are not there are left out.

    Notes
    -----
    A data ID needs the records of its dimensions, of those that these require and imply, and of the elements that
    join them: with visit 1 and detector 2 the region of that detector, with visit 1 alone none. Of an element that
    queries join to one of its dimensions it needs all rows that agree with it: a visit's definition and memberships.
    What such a row names is needed in turn: an exposure.
    """
    walk = _Walk(state, known, frozenset(wholly))
    seen: set[DataId] = set()
    for id_ in ids:
        type_, values, _ = state["dataset"][(id_,)]
        data_id = tuple(sorted(zip(state.dimensions[type_], values, strict=True)))
        if data_id not in seen:
            seen.add(data_id)
            walk.add(dict(data_id), dependants=True)
    return walk.found


def closure(state: RepositoryState, ids: Iterable[str], known: Relations) -> RepositoryState:
    """Return the part of a state that some datasets need, and nothing else.

    Parameters
    ----------
    state : `~harness.transfer.state.RepositoryState`
        The repository.
    ids : `~collections.abc.Iterable` [`str`]
        Dataset ids.
    known : `Relations`
        The relations of its dimensions.

    Returns
    -------
    part : `~harness.transfer.state.RepositoryState`
        The datasets with their artifacts, dataset types and RUN collections, and the records of `records_of`; no
        tags, certifications or chains, as no dataset needs any.
    """
    wanted = set(ids)
    datasets = {(i,): state["dataset"][i,] for i in sorted(wanted)}
    types, runs = {t for t, _, _ in datasets.values()}, {r for _, _, r in datasets.values()}
    records = records_of(state, wanted, known)
    return state.replace(
        record=_some(state["record"], records),
        dataset_type=_some(state["dataset-type"], {(t,) for t in types}),
        collection=_some(state["collection"], {(r,) for r in runs}),
        chain={},
        tag={},
        certification={},
        dataset=datasets,
        artifact={k: v for k, v in state["artifact"].items() if k[0] in wanted},
    )


def reach(state: RepositoryState, ids: Iterable[str], known: Relations) -> Mapping[Key, Value]:
    """Return the records that a transfer of some datasets may bring: regions of all detectors of a visit, too."""
    return _some(state["record"], records_of(state, ids, known, wholly=known.loose))


def _some(table: Mapping[Key, Value], keys: set[Key]) -> dict[Key, Value]:
    return {k: v for k, v in table.items() if k in keys}


class _Walk:
    """Follows data IDs to records, and these to further ones."""

    def __init__(self, state: RepositoryState, known: Relations, wholly: frozenset[str]) -> None:
        self.state, self.known, self.wholly = state, known, wholly
        self.found: set[Key] = set()
        self._rows: dict[tuple[str, tuple[str, ...]], dict[Key, list[Key]]] = {}

    def add(self, values: dict[str, Any], *, dependants: bool) -> None:
        """Add all that a data ID needs."""
        present = self._expand(values)
        if not dependants:
            return
        for element in present:
            for other in self.known.dependants.get(element, ()):
                names = self.known.required[other]
                if other in self.wholly:
                    shared = self.known.required[element]
                elif other in self.known.joined:
                    shared = tuple(n for n in names if n in values)
                else:
                    continue
                for row in self._matching(other, shared, values):
                    if row not in self.found:
                        self.found.add(row)
                        self.add(dict(zip(names, row[1:], strict=True)), dependants=False)

    def _expand(self, values: dict[str, Any]) -> list[str]:
        """Add the records of all elements within a data ID, which grows by what they imply; return their names."""
        table, todo, present = self.state["record"], dict(self.known.required), []
        while ready := [e for e, names in todo.items() if all(n in values for n in names)]:
            for element in ready:
                key = (element, *(values[n] for n in todo.pop(element)))
                row = table.get(key)
                if row is None:
                    continue
                present.append(element)
                self.found.add(key)
                fields = self.state.elements[element]
                for name in self.known.implied[element]:
                    values.setdefault(name, row[fields.index(name)])
        return present

    def _matching(self, element: str, names: tuple[str, ...], values: Mapping[str, Any]) -> list[Key]:
        """Return the rows of an element that agree with a data ID in some of their dimensions."""
        index = self._rows.get((element, names))
        if index is None:
            index = self._rows[element, names] = {}
            places = [self.known.required[element].index(n) + 1 for n in names]
            for key in self.state["record"]:
                if key[0] == element:
                    index.setdefault(tuple(key[p] for p in places), []).append(key)
        return index.get(tuple(values[n] for n in names), [])
