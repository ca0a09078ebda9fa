"""What stands in the way of bringing one repository into another, found before anything is written."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .closure import Relations
from .compare import Difference, compare, in_words, short
from .state import Key, RepositoryState

__all__ = ["KINDS_OF_COLLISION", "Collision", "collisions"]

Paths = Mapping[tuple[str, str], str]
"""Path of each artifact below the datastore's root, by dataset id and component."""


@dataclasses.dataclass(frozen=True)
class Collision:
    """Two things that cannot both be in one repository.

    Parameters
    ----------
    kind : `str`
        One of `KINDS_OF_COLLISION`.
    text : `str`
        What it is, in one line.
    here, there : `str`
        What the source and the target have.
    remedy : `str`
        What can be done.
    data_id : `~collections.abc.Mapping`, optional
        Data ID, if it has any.
    """

    kind: str
    text: str
    here: str
    there: str
    remedy: str
    data_id: Mapping[str, Any] = dataclasses.field(default_factory=dict)


KINDS_OF_COLLISION: Mapping[str, str] = {
    "universe": "the repositories have other dimension universes",
    "record": "a dimension record of other values",
    "name": "a record of another key with the same unique name",
    "dataset-type": "a dataset type of another definition",
    "collection": "a collection of another type",
    "chain": "a chain of other children",
    "dataset": "a dataset id that is of something else",
    "run": "another dataset of the same type and data ID in the same run",
    "content": "the same dataset with other content",
    "tag": "another dataset of the same type and data ID in the same tagged collection",
    "certification": "another calibration that is valid at the same time",
    "file": "another file of the same name",
}
"""What can collide."""

KEEP = "decide which is right, and correct the other repository"


def collisions(
    source: RepositoryState, target: RepositoryState, files: tuple[Paths, Paths], known: Relations
) -> list[Collision]:
    """List all that stands in the way of bringing one repository into another.

    Parameters
    ----------
    source, target : `~harness.transfer.state.RepositoryState`
        The state of each.
    files : `tuple` [`~collections.abc.Mapping`]
        Paths of the artifacts of the source and of the target, relative to the roots of their datastores.
    known : `~harness.transfer.closure.Relations`
        The relations of their dimensions.

    Returns
    -------
    collisions : `list` [`Collision`]
        In the order of `KINDS_OF_COLLISION`. None if everything of the source is in the target already, or does not
        meet anything there.
    """
    if source.universe != target.universe:
        here, there = (f"{s.universe[0]} {s.universe[1]}" for s in (source, target))
        remedy = "migrate the older one, or transfer selected datasets: see 'harness roundtrip --universe'"
        return [Collision("universe", "dimension universes differ", here, there, remedy)]
    changed = [d for d in compare(target, source) if d.change == "changed"]
    out: list[Collision] = []
    for kind, find in _FINDERS.items():
        out += find(kind, [d for d in changed if d.kind == kind], source, target)
    out += _same_alternate(source, target, known)
    out += (rivals := list(_same_run(source, target)))
    known_rivals = {(c.here, c.there) for c in rivals}
    out += _same_tag(source, target)
    out += _overlapping(source, target)
    out += (c for c in _same_file(source, target, files) if (c.here, c.there) not in known_rivals)
    order = list(KINDS_OF_COLLISION)
    return sorted(out, key=lambda c: order.index(c.kind))


Found = Iterator[Collision]


def _fields(values: Mapping[str, Any] | None) -> str:
    return ", ".join(f"{k}={v!r}" for k, v in (values or {}).items())


def _simply(remedy: str, named: str = "") -> Callable[..., Found]:
    def find(kind: str, changed: list[Difference], source: RepositoryState, target: RepositoryState) -> Found:  # noqa: ARG001
        for d in changed:
            yield Collision(named or kind, str(d), _fields(d.after), _fields(d.before), remedy, d.data_id)

    return find


def _collections(kind: str, changed: list[Difference], source: RepositoryState, target: RepositoryState) -> Found:  # noqa: ARG001
    """Find collections of another type; another documentation stands in nobody's way."""
    for d in changed:
        if "type" in (d.before or {}):
            remedy = f"rename one: 'butler remove-collections' and make it again in place of {d.name}"
            yield Collision(kind, str(d), _fields(d.after), _fields(d.before), remedy)


_FINDERS: Mapping[str, Callable[..., Found]] = {
    "record": _simply(KEEP + ": the middleware would keep the target's and say nothing"),
    "dataset-type": _simply("register it under another name in one of them"),
    "collection": _collections,
    "chain": _simply("redefine one with 'butler collection-chain', or give it another name"),
    "dataset": _simply("one of them was not made by the middleware: make it anew"),
    "artifact": _simply(KEEP, "content"),
}


def _same_alternate(source: RepositoryState, target: RepositoryState, known: Relations) -> Found:
    """Find records of another key that share a unique field: the middleware would leave out the source's."""

    def names(state: RepositoryState) -> Iterator[tuple[Key, Key]]:
        places = {
            e: [state.elements[e].index(f) for f in fields]
            for e, fields in known.alternates.items()
            if e in state.elements
        }
        for key, row in state["record"].items():
            for place in places.get(key[0], ()):
                yield (key[0], *key[1:-1], known.alternates[key[0]], place, row[place]), key

    taken = dict(names(target))
    for name, key in names(source):
        other = taken.get(name)
        if other is not None and other != key:
            field = source.elements[key[0]][name[-2]]
            data_id, there = source.data_id(key[0], key[1:]), target.data_id(key[0], other[1:])
            text = f"record {key[0]} {in_words(data_id)}: {field} {name[-1]!r} is that of {in_words(there)}"
            yield Collision("name", text, str(key), str(other), KEEP, data_id)


def _same_run(source: RepositoryState, target: RepositoryState) -> Found:
    """Find datasets whose place in a run is taken by one of another id."""
    places = {row: id_ for (id_,), row in target["dataset"].items()}
    for (id_,), row in source["dataset"].items():
        other = places.get(row)
        if other is not None and other != id_:
            data_id = source.data_id(row[0], row[1])
            text = f"dataset {row[0]} {in_words(data_id)} in {row[2]}: id {id_}, there {other}"
            remedy = (
                f"process into another run than {row[2]}, or remove one of them with 'butler prune-datasets --purge'"
            )
            yield Collision("run", text, id_, other, remedy, data_id)


def _same_tag(source: RepositoryState, target: RepositoryState) -> Found:
    places = {(c, *row): id_ for (c, id_), row in target["tag"].items()}
    for (collection, id_), row in source["tag"].items():
        other = places.get((collection, *row))
        if other is not None and other != id_:
            data_id = source.data_id(row[0], row[1])
            text = f"tag {row[0]} {in_words(data_id)} in {collection}: id {id_}, there {other}"
            yield Collision("tag", text, id_, other, "tag into another collection", data_id)


def _overlapping(source: RepositoryState, target: RepositoryState) -> Found:
    """Find calibrations that are valid when another of the same data ID is."""
    valid: dict[Key, list[tuple[str, tuple[int, int]]]] = {}
    for (collection, id_), (type_, values, ranges) in target["certification"].items():
        valid.setdefault((collection, type_, values), []).extend((id_, r) for r in ranges)
    for (collection, id_), (type_, values, ranges) in source["certification"].items():
        for other, (begin, end) in valid.get((collection, type_, values), ()):
            for b, e in ranges:
                # The same calibration for the same time is there already; for another time it would be there twice.
                if b < end and begin < e and not (other == id_ and (b, e) == (begin, end)):
                    data_id = source.data_id(type_, values)
                    text = f"certification {type_} {in_words(data_id)} in {collection}: {short((b, e))} of {id_}, "
                    text += f"there {short((begin, end))} of {other}"
                    remedy = f"'butler certify-calibrations' into another collection than {collection}"
                    yield Collision("certification", text, id_, other, remedy, data_id)


def _same_file(source: RepositoryState, target: RepositoryState, files: tuple[Paths, Paths]) -> Found:
    """Find files that would replace those of other datasets: the middleware overwrites them and says nothing."""
    here, there = files
    owners: dict[str, set[str]] = {}
    for (id_, _), path in there.items():
        owners.setdefault(path, set()).add(id_)
    for (id_, _), path in here.items():
        others = owners.get(path, set()) - {id_}
        if others and id_ not in {i for (i,) in target["dataset"]} and not path.startswith(("/", "file:")):
            type_, values, _ = source["dataset"].get((id_,), ("", (), ""))
            data_id = source.data_id(type_, values)
            text = f"file {path}: of {type_} {in_words(data_id)}, there of dataset {min(others)}"
            remedy = "file templates that name run and data ID: 'datastore.templates' in butler.yaml"
            yield Collision("file", text, id_, min(others), remedy, data_id)
