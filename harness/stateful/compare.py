"""The repository beside its model: collections, members, validities, contents, and what searches find."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from .model import DAYS, Key, Model, Validity

if TYPE_CHECKING:
    from uuid import UUID

    from ..transfer.state import RepositoryState
    from .world import World

__all__ = ["Mismatch", "compare_contents", "compare_searches", "compare_states"]

DAY = 86400 * 10**9
REMADE = frozenset({"packages"})
"""Dataset types that a rerun may write again, under another id."""


class Mismatch(AssertionError):  # noqa: N818 - what hypothesis is to shrink
    """The repository is not what the model says.

    Parameters
    ----------
    differences : `list` [`str`]
        Each in one line.
    """

    def __init__(self, differences: list[str]) -> None:
        super().__init__("\n".join(differences))
        self.differences = differences


def compare_states(world: World, new: Iterable[Key]) -> None:
    """Compare all that the registry and the datastore's records say, and take note of new ids.

    Raises
    ------
    Mismatch
        If anything differs.
    """
    from ..transfer.capture import capture

    state = capture(world.butler, hashes=False)
    model = world.model
    keys = {id_: _key(type_, values, run) for (id_,), (type_, values, run) in state["dataset"].items()}
    out = list(_differ("collection", model.types, {name: row[0] for (name,), row in state["collection"].items()}))
    chains = {name: tuple(children) for (name,), (children,) in state["chain"].items()}
    out += _differ("chain", model.chains, chains)
    out += _differ("dataset", dict.fromkeys(model.datasets), dict.fromkeys(keys.values()))
    stored = {keys[id_] for id_, _ in state["artifact"] if id_ in keys}
    out += _differ("stored", {k: True for k, h in model.datasets.items() if h.stored}, dict.fromkeys(stored, True))
    out += _differ("tagged", _pairs(model.tags), {(c, keys.get(i, i)): True for c, i in state["tag"]})
    out += _differ("certified", _pairs(model.validities), dict.fromkeys(_validities(state, keys), True))
    fresh = set(new)
    for id_, key in keys.items():
        known = world.ids.get(key)
        if key not in fresh and known is not None and str(known) != id_ and key.type not in REMADE:
            out.append(f"dataset {_name(key)}: id {known} → {id_}")
    if out:
        raise Mismatch(out)
    world.ids = {key: _uuid(id_) for id_, key in keys.items()}


def compare_contents(world: World, keys: Iterable[Key]) -> None:
    """Read datasets, also those that have no artifact any more and cannot be read."""
    out = []
    for key in keys:
        held = world.model.datasets[key]
        ref = world.ref(key)
        try:
            content: Any = world.butler.get(ref)
        except FileNotFoundError:
            content = None
        if (content is not None) is not held.stored:
            out.append(f"dataset {_name(key)}: it can{'not' * held.stored} be read")
        elif key.type in WITH_CONTENT and held.stored and content != {"content": held.content}:
            out.append(f"dataset {_name(key)}: {content!r}, not {held.content}")
    if out:
        raise Mismatch(out)


WITH_CONTENT = frozenset({"image", "cal", "note", "made"})
"""Dataset types whose content the model foretells."""


def compare_searches(world: World) -> None:
    """Compare what searches of one collection find, another one after each step."""
    model = world.model
    if not model.types:
        return
    name = sorted(model.types)[world.done % len(model.types)]
    out = [*_first_found(world, model, name), *_by_day(world, model, name)]
    if out:
        raise Mismatch(out)


def _first_found(world: World, model: Model, name: str) -> Iterator[str]:
    """Compare the query for what comes first with the model's search."""
    for type_ in ("image", "note"):
        refs = world.butler.query_datasets(type_, name, find_first=True, explain=False, limit=None)
        seen = [_key(type_, r.dataId.required_values, r.run) for r in refs]
        if len(set(seen)) != len(seen):
            yield f"search of {name} for {type_}: a dataset is found twice"
        wanted = {model.find(type_, values, [name]) for values in {k.values for k in model.datasets if k.type == type_}}
        yield from _differ(f"search of {name}", dict.fromkeys(wanted - {None}), dict.fromkeys(seen))


def _by_day(world: World, model: Model, name: str) -> Iterator[str]:
    """Compare the search for a calibration at a day."""
    day, detector = world.done % DAYS, world.done % 3 + 1
    wanted = model.find("cal", (detector,), [name], day)
    found = world.butler.find_dataset(
        "cal", world.data_id("cal", (detector,)), collections=[name], timespan=world.timespan(day, day + 1)
    )
    seen = None if found is None else _key("cal", found.dataId.required_values, found.run)
    if seen != wanted:
        yield f"search of {name} for cal of detector {detector} at day {day}: {_name(seen)}, not {_name(wanted)}"


# --- words -------------------------------------------------------------------------------------------


def _differ(what: str, wanted: dict[Any, Any], seen: dict[Any, Any]) -> Iterator[str]:
    for key in sorted({*wanted, *seen}, key=repr):
        if key not in seen:
            yield f"{what} {_name(key)}: lost"
        elif key not in wanted:
            yield f"{what} {_name(key)}: should not be there"
        elif wanted[key] != seen[key]:
            yield f"{what} {_name(key)}: {seen[key]!r}, not {wanted[key]!r}"


def _name(key: Any) -> str:
    if isinstance(key, Key):
        return f"{key.type} {key.values} in {key.run}"
    if isinstance(key, Validity):
        return f"{_name(key.key)} from day {key.begin} to {key.end}"
    return ", ".join(_name(k) for k in key) if isinstance(key, tuple) else str(key)


def _key(type_: str, values: tuple[Any, ...], run: str) -> Key:
    return Key(type_, tuple(v for v in values if isinstance(v, int)), run)


def _pairs(members: dict[str, set[Any]]) -> dict[Any, bool]:
    return {(name, member): True for name, found in members.items() for member in found}


def _validities(state: RepositoryState, keys: dict[str, Key]) -> Iterator[tuple[str, Any]]:
    from lsst.daf.butler.time_utils import TimeConverter

    converter = TimeConverter()
    zero = _zero()

    def day(nsec: int) -> int:
        return -1 if nsec <= converter.min_nsec else DAYS + 1 if nsec >= converter.max_nsec else (nsec - zero) // DAY

    for (collection, id_), (_, _, ranges) in state["certification"].items():
        for begin, end in ranges:
            yield collection, Validity(keys[id_], day(begin), day(end))


def _zero() -> int:
    from astropy.time import Time
    from lsst.daf.butler.time_utils import TimeConverter

    nsec: int = TimeConverter().astropy_to_nsec(Time("2020-01-01", scale="tai"))
    return nsec


def _uuid(text: str) -> UUID:
    from uuid import UUID

    return UUID(text)
