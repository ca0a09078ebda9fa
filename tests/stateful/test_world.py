"""Every step is done as the model says; and a middleware that does it wrong is found out, step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from lsst.daf.butler import Butler, Timespan
from lsst.daf.butler.direct_butler import DirectButler
from lsst.daf.butler.registry.sql_registry import SqlRegistry

from harness.stateful import steps as s
from harness.stateful.compare import Mismatch
from harness.stateful.model import Key
from harness.stateful.step import Step
from harness.stateful.world import World

IMAGE = ("image", (1, 1))
BOTH = (s.Put(*IMAGE, "run/a", 5), s.Put("cal", (1,), "run/a", 7))


def walk(template, steps: Sequence[Step], **kwargs: Any) -> World:
    world = World(template, **kwargs)
    try:
        for step in steps:
            assert world.step(step), f"{step} makes no sense"
    finally:
        world.close()
    return world


def test_every_step_is_done_as_the_model_says(template) -> None:
    steps = [
        *BOTH,
        s.Put(*IMAGE, "run/a", 6),  # refused
        s.Put("image", (2, 1), "run/b", 3, "copy"),
        s.Put("note", (), "run/b", 8, "move"),
        s.Tag("tag/a", *IMAGE, "run/a"),
        s.Certify("calib/a", (1,), "run/a", -1, 3),
        s.Certify("calib/a", (1,), "run/a", 2, 9),  # refused
        s.Decertify("calib/a", 1, 2),
        s.Chain("chain/a", ("run/a", "calib/a", "run/b")),
        s.Chain("chain/a", ("chain/a",), "prepend"),  # refused
        s.Rerun("chain/a", "run/c", False),
        s.Rerun("chain/a", "run/c", False),  # refused
        s.Rerun("chain/a", "run/c", True),
        s.Transfer("run/c"),
        s.RoundTrip(),
        s.Prune("image", "run/b", None, False, True, False),
        s.Untag("tag/a", *IMAGE, "run/a"),
        s.Remove("run/b", True),
        s.Remove("calib/a"),  # refused
    ]
    world = walk(template, steps)
    assert world.done == len(steps)
    assert {k for k in world.model.datasets if k.type == "made"} == {
        Key("made", (1, 1), "run/c"),
        Key("made", (2, 1), "run/c"),
    }


def test_what_a_release_is_known_to_do_wrong_is_told_and_strictly_a_mismatch(template) -> None:
    steps = (*BOTH, s.Chain("chain/a", ("run/a",)), s.Remove("run/a"))
    if walk(template, steps).known:
        with pytest.raises(Mismatch, match="dataset image"):
            walk(template, steps, strict=True)


Wrong = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Makes of a method one that does it wrong."""


def nothing(_: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: None


def other_content(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, obj, *args, **kwargs: right(self, {"content": 99}, *args, **kwargs)


def for_ever(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, name, refs, span: right(self, name, refs, Timespan(None, span.end))


def overwriting(right: Callable[..., Any]) -> Callable[..., Any]:
    def certify(self, name, refs, span):
        SqlRegistry.decertify(self, name, "cal", span)
        return right(self, name, refs, span)

    return certify


def purging(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, refs, **_: right(self, refs, disassociate=True, unstore=True, purge=True)


def one_less(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, butler, refs, **kwargs: right(self, butler, refs[1:], **kwargs)


def moving(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, *args, **kwargs: right(self, *args, **{**kwargs, "transfer": "move"})


def backwards(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, *args, **kwargs: list(reversed(right(self, *args, **{**kwargs, "find_first": False})))


CALIBS = s.Certify("calib/a", (1,), "run/a", 0, 4)
TAGGED = s.Tag("tag/a", *IMAGE, "run/a")
MUTANTS: dict[str, tuple[type, str, Wrong, tuple[Step, ...]]] = {
    "put writes something else": (DirectButler, "put", other_content, BOTH),
    "a copy takes the original away": (DirectButler, "ingest", moving, (s.Put(*IMAGE, "run/a", 5, "copy"),)),
    "tagging does nothing": (SqlRegistry, "associate", nothing, (*BOTH, TAGGED)),
    "untagging does nothing": (
        SqlRegistry,
        "disassociate",
        nothing,
        (*BOTH, TAGGED, s.Untag("tag/a", *IMAGE, "run/a")),
    ),
    "certified from the beginning of time": (SqlRegistry, "certify", for_ever, (*BOTH, CALIBS)),
    "an overlap is certified all the same": (
        SqlRegistry,
        "certify",
        overwriting,
        (*BOTH, CALIBS, s.Certify("calib/a", (1,), "run/a", 1, 2)),
    ),
    "decertifying does nothing": (SqlRegistry, "decertify", nothing, (*BOTH, CALIBS, s.Decertify("calib/a", 1, 2))),
    "unstoring purges": (
        DirectButler,
        "pruneDatasets",
        purging,
        (*BOTH, s.Prune("image", "run/a", None, False, True, False)),
    ),
    "a run is not removed": (DirectButler, "removeRuns", nothing, (*BOTH, s.Remove("run/a"))),
    "a transfer loses a dataset": (DirectButler, "transfer_from", one_less, (*BOTH, s.Transfer("run/a"))),
    "an import does nothing": (DirectButler, "import_", nothing, (*BOTH, TAGGED, s.RoundTrip())),
    "a search finds the last first": (
        Butler,
        "query_datasets",
        backwards,
        (*BOTH, s.Put(*IMAGE, "run/b", 6), *[s.Chain("chain/a", ("run/a", "run/b"))] * 3),
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_middleware_that_does_it_wrong_is_found_out(name, template, monkeypatch) -> None:
    owner, method, wrong, steps = MUTANTS[name]
    monkeypatch.setattr(owner, method, wrong(getattr(owner, method)))
    with pytest.raises(Mismatch):
        walk(template, steps)


def test_a_rerun_that_runs_successes_again_is_found_out(template, monkeypatch) -> None:
    right = World.rerun
    again = (*BOTH, s.Rerun("run/a", "run/c", True), s.Rerun("run/a", "run/c", True))
    monkeypatch.setattr(World, "rerun", lambda self, inputs, run, skip: right(self, inputs, run, False))
    with pytest.raises(Mismatch, match="raised OutputExistsError"):
        walk(template, again)
