"""What differs between two states of a repository, or between two repositories."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from .state import KINDS, Key, RepositoryState, Value

__all__ = ["Difference", "compare", "in_words", "short"]

YEAR = 365 * 86400 * 10**9
"""Nanoseconds; pairs of larger integers than this are time spans."""

UNBOUNDED = 4102444800 * 10**9
"""The largest time that the middleware stores (ns since 1970, TAI): 2100-01-01 (`lsst.daf.butler.time_utils`)."""


@dataclasses.dataclass(frozen=True)
class Difference:
    """One thing that is there only once, or is not the same.

    Parameters
    ----------
    kind : `str`
        One of `~harness.transfer.state.KINDS`, or ``universe``.
    key : `tuple`
        Names the thing among those of its kind.
    name : `str`
        Dimension element, dataset type or collection that it belongs to.
    data_id : `~collections.abc.Mapping` [`str`, `~typing.Any`]
        Data ID of the record or dataset; empty for dataset types and collections.
    before, after : `~collections.abc.Mapping` [`str`, `~typing.Any`] or `None`
        The fields that differ, by name; all of them if the other is `None`, which means that the thing is
        not there.
    """

    kind: str
    key: Key
    name: str
    data_id: Mapping[str, Any]
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None

    @property
    def change(self) -> str:
        """``lost``, ``added`` or ``changed``."""
        return "lost" if self.after is None else "added" if self.before is None else "changed"

    def __str__(self) -> str:
        """Say it in one line."""
        what = f"{self.kind} {self.name}"
        if self.data_id:
            what += f" {in_words(self.data_id)}"
        if self.kind in {"tag", "certification"}:
            what += f" in {self.key[0]}"
        elif self.kind == "artifact" and self.key[1]:
            what += f" component {self.key[1]}"
        if self.before is None or self.after is None:
            return f"{what}: {self.change}"
        fields = (f"{f} {short(self.before[f])} → {short(self.after[f])}" for f in self.before)
        return f"{what}: {'; '.join(fields)}"

    def to_facts(self) -> dict[str, Any]:
        """Return the difference as JSON-serializable values."""
        return {"kind": self.kind, "name": self.name, "data_id": dict(self.data_id), "text": str(self)}


def compare(
    before: RepositoryState,
    after: RepositoryState,
    *,
    kinds: Iterable[str] = KINDS,
    allow: Callable[[Difference], bool] | None = None,
) -> list[Difference]:
    """List the differences between two states.

    Parameters
    ----------
    before, after : `~harness.transfer.state.RepositoryState`
        The states. If either was captured without hashes, content is compared by size only.
    kinds : `~collections.abc.Iterable` [`str`], optional
        What to compare; everything by default.
    allow : `~collections.abc.Callable`, optional
        Says of a difference that it may be.

    Returns
    -------
    differences : `list` [`Difference`]
        Sorted by kind, in the order of `~harness.transfer.state.KINDS`, name and data ID.
    """
    out: list[Difference] = []
    if before.universe != after.universe:
        fields = ({"version": f"{s.universe[0]} {s.universe[1]}"} for s in (before, after))
        out.append(Difference("universe", (), "dimensions", {}, next(fields), next(fields)))
    unhashed = not (before.hashed and after.hashed)
    for kind in kinds:
        old, new = before[kind], after[kind]
        # Two C loops over the whole table; only what differs is looked at in Python.
        keys = {key for key, _ in old.items() ^ new.items()}
        found = (_difference(kind, key, before, after) for key in keys)
        out += sorted((d for d in found if not (unhashed and _only_digest(d))), key=_order)
    return [d for d in out if allow is None or not allow(d)]


def _difference(kind: str, key: Key, before: RepositoryState, after: RepositoryState) -> Difference:
    old, new = before[kind].get(key), after[kind].get(key)
    state = before if old is not None else after
    value = old if old is not None else new
    assert value is not None
    name, data_id = _subject(kind, key, value, state)
    if old is None or new is None:
        fields = dict(_named(kind, name, value, state))
        return Difference(kind, key, name, data_id, fields if new is None else None, fields if old is None else None)
    # Field by field, by name: the same element may have other fields in another universe.
    was, now = dict(_named(kind, name, old, before)), dict(_named(kind, name, new, after))
    differing = [f for f in {**was, **now} if was.get(f) != now.get(f)]
    return Difference(kind, key, name, data_id, {f: was.get(f) for f in differing}, {f: now.get(f) for f in differing})


def _subject(kind: str, key: Key, value: Value, state: RepositoryState) -> tuple[str, dict[str, Any]]:
    """Return the name and the data ID of what a row is about."""
    if kind == "record":
        return key[0], state.data_id(key[0], key[1:])
    if kind in {"dataset", "tag", "certification"}:
        return value[0], state.data_id(value[0], value[1])
    if kind == "artifact":
        dataset = state["dataset"].get(key[:1])
        return (dataset[0], state.data_id(dataset[0], dataset[1])) if dataset else (key[0], {})
    return key[0], {}


def _named(kind: str, name: str, value: Value, state: RepositoryState) -> Iterator[tuple[str, Any]]:
    return zip(state.elements[name] if kind == "record" else KINDS[kind], value, strict=True)


def _only_digest(difference: Difference) -> bool:
    return (
        difference.kind == "artifact" and difference.change == "changed" and set(difference.before or ()) == {"digest"}
    )


def _order(difference: Difference) -> tuple[str, ...]:
    values = map(str, difference.data_id.values())
    return (difference.name, *values, "1" if difference.change == "lost" else "2", *map(str, difference.key))


def in_words(data_id: Mapping[str, Any]) -> str:
    """Write a data ID in braces."""
    return "{" + ", ".join(f"{k}: {v!r}" for k, v in data_id.items()) + "}"


def short(value: Any) -> str:
    """Write a value so that a line can hold it; time spans as TAI dates."""
    match value:
        case (int(begin), int(end)) if end > YEAR:
            return f"[{_time(begin)}, {_time(end)})"
        case ((int(), int()), *_):
            return " ".join(map(short, value))
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:28]}…{text[-28:]}"


def _time(nanoseconds: int) -> str:
    if nanoseconds in {0, UNBOUNDED}:
        return "∞" if nanoseconds else "-∞"
    seconds, fraction = divmod(nanoseconds, 10**9)
    text = (datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)).isoformat()
    return f"{text}.{fraction:09d}".rstrip("0") if fraction else text
