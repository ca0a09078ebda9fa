"""The steps: what each does to the model, to the repository, and which error must come instead."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from .model import DAYS, Held, Key, Model, Validity
from .step import Inapplicable, Refused, Step

if TYPE_CHECKING:
    from .world import World

__all__ = ["STEPS", "step_from"]

CONFLICT = ("ConflictingDefinitionError",)
CHAINED = ("CollectionError", "IntegrityError", "OrphanedRecordError")
"""What releases raise when something is removed that a chain has as a child."""

REFUSED_TOO_LATE = "a run that is not removed, as it is in a chain, has lost its datasets"


def _is_run(model: Model, name: str) -> None:
    if model.types.get(name, "RUN") != "RUN":
        raise Inapplicable


def _stored(model: Model, key: Key) -> Key:
    if key not in model.datasets or not model.datasets[key].stored:
        raise Inapplicable
    return key


@dataclasses.dataclass(frozen=True)
class Put(Step):
    """Put a dataset, or ingest a file of it."""

    name: ClassVar[str] = "put"
    type: str
    values: tuple[int, ...]
    run: str
    content: int
    ingest: str = ""
    """Transfer mode; put if empty."""

    @property
    def key(self) -> Key:
        """The dataset."""
        return Key(self.type, self.values, self.run)

    def plan(self, model: Model) -> None:
        _is_run(model, self.run)
        if self.key in model.datasets:
            raise Refused(*CONFLICT)
        model.register(self.run, "RUN")
        model.datasets[self.key] = Held(self.content)

    def do(self, world: World) -> None:
        if self.ingest:
            world.ingest(self.key, self.content, self.ingest)
        else:
            world.put(self.key, self.content)


@dataclasses.dataclass(frozen=True)
class Tag(Step):
    """Associate a dataset with a tagged collection."""

    name: ClassVar[str] = "tag"
    tag: str
    type: str
    values: tuple[int, ...]
    run: str

    def plan(self, model: Model) -> None:
        key = Key(self.type, self.values, self.run)
        if key not in model.datasets:
            raise Inapplicable
        if any((k.type, k.values) == (self.type, self.values) and k != key for k in model.tags.get(self.tag, ())):
            raise Refused(*CONFLICT)
        model.register(self.tag, "TAGGED")
        model.tags[self.tag].add(key)

    def do(self, world: World) -> None:
        world.register(self.tag, "TAGGED")
        world.butler.registry.associate(self.tag, [world.ref(Key(self.type, self.values, self.run))])


@dataclasses.dataclass(frozen=True)
class Untag(Step):
    """Remove a dataset from a tagged collection; it need not be in it."""

    name: ClassVar[str] = "untag"
    tag: str
    type: str
    values: tuple[int, ...]
    run: str

    def plan(self, model: Model) -> None:
        key = Key(self.type, self.values, self.run)
        if key not in model.datasets or self.tag not in model.tags:
            raise Inapplicable
        model.tags[self.tag].discard(key)

    def do(self, world: World) -> None:
        world.butler.registry.disassociate(self.tag, [world.ref(Key(self.type, self.values, self.run))])


@dataclasses.dataclass(frozen=True)
class Certify(Step):
    """Certify a calibration for a range of days."""

    name: ClassVar[str] = "certify"
    calibs: str
    values: tuple[int, ...]
    run: str
    begin: int
    end: int

    def plan(self, model: Model) -> None:
        key = Key("cal", self.values, self.run)
        if key not in model.datasets or self.begin >= self.end:
            raise Inapplicable
        if model.overlapping(self.calibs, key, self.begin, self.end):
            raise Refused(*CONFLICT)
        model.register(self.calibs, "CALIBRATION")
        model.validities[self.calibs].add(Validity(key, self.begin, self.end))

    def do(self, world: World) -> None:
        world.register(self.calibs, "CALIBRATION")
        ref = world.ref(Key("cal", self.values, self.run))
        world.butler.registry.certify(self.calibs, [ref], world.timespan(self.begin, self.end))


@dataclasses.dataclass(frozen=True)
class Decertify(Step):
    """Take a range of days out of the validity of calibrations."""

    name: ClassVar[str] = "decertify"
    calibs: str
    begin: int
    end: int
    values: tuple[int, ...] | None = None

    def plan(self, model: Model) -> None:
        if self.calibs not in model.validities or self.begin >= self.end:
            raise Inapplicable
        model.decertify(self.calibs, "cal", self.begin, self.end, self.values)

    def do(self, world: World) -> None:
        data_ids = None if self.values is None else [world.data_id("cal", self.values)]
        span = world.timespan(self.begin, self.end)
        world.butler.registry.decertify(self.calibs, "cal", span, dataIds=data_ids)


@dataclasses.dataclass(frozen=True)
class Chain(Step):
    """Define a chain, or add to its ends, or take from it."""

    name: ClassVar[str] = "chain"
    chain: str
    children: tuple[str, ...]
    mode: str = "redefine"
    """``redefine``, ``prepend``, ``extend`` or ``remove``."""

    def plan(self, model: Model) -> None:
        children = tuple(dict.fromkeys(self.children))
        if not children or any(c not in model.types for c in children):
            raise Inapplicable
        if self.mode != "remove" and any(model.reaches(c, self.chain) for c in children):
            raise Refused("CollectionCycleError", "ValueError")
        model.register(self.chain, "CHAINED")
        others = tuple(c for c in model.chains[self.chain] if c not in children)
        model.chains[self.chain] = {
            "redefine": children,
            "prepend": (*children, *others),
            "extend": (*others, *children),
            "remove": others,
        }[self.mode]

    def do(self, world: World) -> None:
        world.register(self.chain, "CHAINED")
        children = list(dict.fromkeys(self.children))
        collections = world.butler.collections
        match self.mode:
            case "redefine":
                collections.redefine_chain(self.chain, children)
            case "prepend":
                collections.prepend_chain(self.chain, children)
            case "extend":
                collections.extend_chain(self.chain, children)
            case _:
                collections.remove_from_chain(self.chain, children)


@dataclasses.dataclass(frozen=True)
class Prune(Step):
    """Prune datasets of a run: all of a type, or one data ID."""

    name: ClassVar[str] = "prune"
    type: str
    run: str
    values: tuple[int, ...] | None
    disassociate: bool
    unstore: bool
    purge: bool
    tags: tuple[str, ...] = ()

    def _keys(self, model: Model) -> list[Key]:
        return [
            k
            for k in model.datasets
            if (k.type, k.run) == (self.type, self.run) and self.values in (None, k.values)
        ]  # fmt: skip

    def plan(self, model: Model) -> None:
        keys = self._keys(model)
        if not keys or any(t not in model.tags for t in self.tags):
            raise Inapplicable
        if self.purge and not (self.disassociate and self.unstore):
            raise Refused("TypeError")
        if self.disassociate and not self.purge and not self.tags:
            raise Refused("TypeError")
        if self.purge:
            model.purge(keys)
            return
        for tag in self.tags if self.disassociate else ():
            model.tags[tag] -= set(keys)
        for key in keys if self.unstore else ():
            model.datasets[key].stored = False

    def do(self, world: World) -> None:
        refs = [world.ref(k) for k in self._keys(world.model)]
        world.butler.pruneDatasets(
            refs, disassociate=self.disassociate, unstore=self.unstore, purge=self.purge, tags=self.tags
        )


@dataclasses.dataclass(frozen=True)
class Remove(Step):
    """Remove a collection; a run with all that is in it."""

    name: ClassVar[str] = "remove"
    collection: str
    unlink: bool = False

    def plan(self, model: Model) -> None:
        if self.collection not in model.types:
            raise Inapplicable
        unlinked = self.unlink and model.types[self.collection] == "RUN"
        if model.parents(self.collection) and not unlinked:
            if model.types[self.collection] != "RUN":
                raise Refused(*CHAINED)
            gone = [k for k in model.datasets if k.run == self.collection]
            raise Refused(*CHAINED, known=REFUSED_TOO_LATE, effect=lambda m: m.purge(gone))
        model.remove(self.collection)

    def do(self, world: World) -> None:
        if world.model.types[self.collection] == "RUN":
            world.butler.removeRuns([self.collection], unlink_from_chains=self.unlink)
        else:
            world.butler.collections.x_remove(self.collection)


@dataclasses.dataclass(frozen=True)
class RoundTrip(Step):
    """Export everything, import it into a new repository, and go on with that."""

    name: ClassVar[str] = "roundtrip"
    mode: str = "copy"

    def plan(self, model: Model) -> None:
        model.forget_unstored()

    def do(self, world: World) -> None:
        world.round_trip(self.mode)


@dataclasses.dataclass(frozen=True)
class Transfer(Step):
    """Transfer the datasets of a run to another repository and look at them there; twice, as it must not matter."""

    name: ClassVar[str] = "transfer"
    run: str

    def plan(self, model: Model) -> None:
        if not any(k.run == self.run and held.stored for k, held in model.datasets.items()):
            raise Inapplicable

    def do(self, world: World) -> None:
        world.transfer(self.run)


@dataclasses.dataclass(frozen=True)
class Rerun(Step):
    """Run a task over what a collection has, into a run."""

    name: ClassVar[str] = "rerun"
    inputs: str
    run: str
    skip_existing: bool

    def plan(self, model: Model) -> None:
        if self.inputs not in model.types:
            raise Inapplicable
        _is_run(model, self.run)
        found = self._inputs(model)
        if not found:
            raise Inapplicable
        there = {k.values for k in model.datasets if k.run == self.run and k.type == "made_metadata"}
        some = {k.values for k in model.datasets if k.run == self.run and k.type in OUTPUTS}
        new = [k for k in found if k.values not in there or not self.skip_existing]
        if any(k.values in some for k in new):
            raise Refused("OutputExistsError", "ConflictingDefinitionError", "RuntimeError")
        for key in new:
            _stored(model, key)
        if not new:
            return
        model.register(self.run, "RUN")
        for type in INIT_OUTPUTS:
            model.datasets.setdefault(Key(type, (), self.run), Held(0))
        for key in new:
            for type in OUTPUTS:
                held = Held(model.datasets[key].content + 1 if type == "made" else 0)
                model.datasets[Key(type, key.values, self.run)] = held

    def _inputs(self, model: Model) -> list[Key]:
        values = {k.values for k in model.datasets if k.type == "image"}
        return [k for v in sorted(values) if (k := model.find("image", v, [self.inputs])) is not None]

    def do(self, world: World) -> None:
        world.rerun(self.inputs, self.run, self.skip_existing)


OUTPUTS = ("made", "made_metadata", "made_log")
"""What each quantum of the task leaves."""

INIT_OUTPUTS = ("made_config", "packages")
"""What a run has once."""

STEPS: Mapping[str, type[Step]] = {
    s.name: s for s in (Put, Tag, Untag, Certify, Decertify, Chain, Prune, Remove, RoundTrip, Transfer, Rerun)
}
"""All steps by name."""


def step_from(data: Mapping[str, Any]) -> Step:
    """Read a step that `Step.to_json` wrote.

    Raises
    ------
    KeyError, TypeError
        If there is no such step, or it has other arguments.
    """
    arguments = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items() if k != "step"}
    step = STEPS[data["step"]](**arguments)
    for field in ("begin", "end"):
        if not -1 <= getattr(step, field, 0) <= DAYS + 1:
            raise TypeError(f"{field} of {step} lies outside of -1 to {DAYS + 1}")
    return step
