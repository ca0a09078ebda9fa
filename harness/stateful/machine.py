"""Hypothesis chooses the steps, and finds the shortest sequence of them that fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from . import steps
from .compare import Mismatch
from .model import DAYS
from .script import Script
from .step import Step
from .template import DETECTORS, EXPOSURES
from .world import DIMENSIONS, World

__all__ = ["explore", "machine"]

RUNS = st.sampled_from(["run/a", "run/b", "run/c"])
TAGS = st.sampled_from(["tag/a", "tag/b"])
CALIBS = st.sampled_from(["calib/a", "calib/b"])
CHAINS = st.sampled_from(["chain/a", "chain/b", "chain/c"])
DETECTOR = st.tuples(st.sampled_from(DETECTORS))
BOTH = st.tuples(st.sampled_from(DETECTORS), st.sampled_from(EXPOSURES))
DATASET = st.one_of(
    st.tuples(st.just("image"), BOTH), st.tuples(st.just("cal"), DETECTOR), st.tuples(st.just("note"), st.just(()))
)
"""Dataset type and values of a data ID. Everything is drawn from small sets, so that steps meet each other."""

BEGIN = st.integers(-1, DAYS - 1)
END = st.integers(1, DAYS + 1)


def machine(
    template: Path, script: Path | None = None, *, strict: bool = False, counts: Counter[str] | None = None
) -> type[RuleBasedStateMachine]:
    """Make the state machine.

    Parameters
    ----------
    template : `~pathlib.Path`
        The repository to begin with.
    script : `~pathlib.Path`, optional
        File that is written whenever a sequence of steps fails: the last one written is the shortest.
    strict : `bool`, optional
        See `~harness.stateful.world.World`.
    counts : `~collections.Counter`, optional
        Counts the steps that made sense, by name.
    """
    done: Counter[str] = Counter() if counts is None else counts

    class RepositoryMachine(RuleBasedStateMachine):
        """A repository beside its model."""

        def __init__(self) -> None:
            super().__init__()
            self.world = World(template, strict=strict)
            self.steps: list[Step] = []

        def teardown(self) -> None:
            self.world.close()

        def go(self, step: Step) -> None:
            try:
                if self.world.step(step):
                    self.steps.append(step)
                    done[step.name] += 1
            except Mismatch as mismatch:
                if script is not None:
                    Script((*self.steps, step), strict, tuple(mismatch.differences)).write(script)
                raise

        def key(self, data: Any, types: Collection[str] = DIMENSIONS) -> Any:
            """Draw a dataset that is there."""
            return data.draw(st.sampled_from(sorted(k for k in self.world.model.datasets if k.type in types)))

        def collection(self, data: Any, *kinds: str) -> Any:
            """Draw a collection that is there."""
            types = self.world.model.types
            return data.draw(st.sampled_from(sorted(c for c in types if not kinds or types[c] in kinds)))

        def has(self, *types: str) -> bool:
            """Tell whether there is a dataset of some types."""
            return any(k.type in types for k in self.world.model.datasets)

        @initialize(datasets=st.lists(st.tuples(DATASET, RUNS), min_size=1, max_size=4, unique=True))
        def begin(self, datasets: Any) -> None:
            for (type_, values), run in datasets:
                self.go(steps.Put(type_, values, run, 1))

        @rule(dataset=DATASET, run=RUNS, content=st.integers(0, 9), ingest=st.sampled_from(["", "", "copy", "move"]))
        def put(self, dataset: Any, run: str, content: int, ingest: str) -> None:
            type_, values = dataset
            self.go(steps.Put(type_, values, run, content, ingest))

        @precondition(lambda self: self.has(*DIMENSIONS))
        @rule(data=st.data(), tag=TAGS)
        def tag(self, data: Any, tag: str) -> None:
            self.go(steps.Tag(tag, *self.key(data)))

        @precondition(lambda self: self.has(*DIMENSIONS) and self.world.model.tags)
        @rule(data=st.data())
        def untag(self, data: Any) -> None:
            self.go(steps.Untag(self.collection(data, "TAGGED"), *self.key(data)))

        @precondition(lambda self: self.has("cal"))
        @rule(data=st.data(), calibs=CALIBS, begin=BEGIN, end=END)
        def certify(self, data: Any, calibs: str, begin: int, end: int) -> None:
            key = self.key(data, ["cal"])
            self.go(steps.Certify(calibs, key.values, key.run, begin, end))

        @precondition(lambda self: self.world.model.validities)
        @rule(data=st.data(), begin=BEGIN, end=END, values=st.none() | DETECTOR)
        def decertify(self, data: Any, begin: int, end: int, values: Any) -> None:
            self.go(steps.Decertify(self.collection(data, "CALIBRATION"), begin, end, values))

        @precondition(lambda self: self.world.model.types)
        @rule(data=st.data(), chain=CHAINS, mode=st.sampled_from(["redefine", "prepend", "extend", "remove"]))
        def chain(self, data: Any, chain: str, mode: str) -> None:
            there = st.sampled_from(sorted(self.world.model.types))
            children = data.draw(st.lists(there, min_size=1, max_size=4, unique=True))
            self.go(steps.Chain(chain, tuple(children), mode))

        @precondition(lambda self: self.has("image", "cal", "note"))
        @rule(
            data=st.data(),
            all_of_type=st.booleans(),
            flags=st.fixed_dictionaries(dict.fromkeys(["disassociate", "unstore", "purge"], st.booleans())),
        )
        def prune(self, data: Any, all_of_type: bool, flags: Any) -> None:
            key = self.key(data, ["image", "cal", "note"])
            there = sorted(self.world.model.tags)
            tags = data.draw(st.lists(st.sampled_from(there), max_size=2, unique=True)) if there else []
            values = None if all_of_type else key.values
            self.go(steps.Prune(key.type, key.run, values, **flags, tags=tuple(tags)))

        @precondition(lambda self: len(self.world.model.types) > 2)
        @rule(data=st.data(), unlink=st.booleans())
        def remove(self, data: Any, unlink: bool) -> None:
            self.go(steps.Remove(self.collection(data), unlink))

        @precondition(lambda self: self.steps and self.steps[-1].name != "roundtrip" and len(self.steps) > 4)
        @rule(mode=st.sampled_from(["copy", "hardlink"]))
        def round_trip(self, mode: str) -> None:
            self.go(steps.RoundTrip(mode))

        @precondition(lambda self: self.has(*DIMENSIONS))
        @rule(data=st.data())
        def transfer(self, data: Any) -> None:
            self.go(steps.Transfer(self.key(data).run))

        @precondition(lambda self: self.has("image"))
        @rule(data=st.data(), run=RUNS, skip_existing=st.booleans())
        def rerun(self, data: Any, run: str, skip_existing: bool) -> None:
            self.go(steps.Rerun(self.collection(data, "RUN", "CHAINED", "TAGGED"), run, skip_existing))

    return RepositoryMachine


def explore(
    template: Path, *, examples: int, steps: int, script: Path, strict: bool = False, number: int | None = None
) -> Counter[str]:
    """Walk at random, and write down the shortest walk that fails.

    Parameters
    ----------
    template : `~pathlib.Path`
        The repository to begin with.
    examples, steps : `int`
        How many walks, and how long they are at most.
    script : `~pathlib.Path`
        What is written if a walk fails.
    strict : `bool`, optional
        See `~harness.stateful.world.World`.
    number : `int`, optional
        Seed of the random choices.

    Returns
    -------
    counts : `~collections.Counter`
        How many steps were done, by name.

    Raises
    ------
    Mismatch
        If a walk fails.
    """
    counts: Counter[str] = Counter()
    chosen = machine(template, script, strict=strict, counts=counts)
    run_state_machine_as_test(
        chosen if number is None else seed(number)(chosen),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            verbosity=Verbosity.quiet,
            print_blob=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return counts
