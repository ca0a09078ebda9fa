"""Invariants of reruns: the state that is there is the one computed from the state before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..transfer.checks import finding, live_state, original_state
from ..transfer.compare import Difference
from ..transfer.content import content_digests
from ..verdicts import Check, Finding, check
from .judge import PARTS, differences, expected_at_the_end, part
from .model import MADE

if TYPE_CHECKING:
    from ..checks.context import CheckContext
    from ..transfer.state import RepositoryState

__all__ = ["CHECKS"]

AFTER = "rerun"

EMPTY = "QuantumGraph was empty"
"""What ``pipetask`` says, with an exit status other than zero, when there is nothing left to do."""


def _expected(context: CheckContext) -> RepositoryState:
    """Return the state that the stage should have left, computed once for all checks."""

    def compute() -> RepositoryState:
        from lsst.daf.butler import Butler

        facts = context.facts[AFTER]
        before = original_state(context, AFTER)
        with Butler.from_config(facts["original"], writeable=False) as butler:
            contents = content_digests(butler, facts["replace"]["like"])
        return expected_at_the_end(before, facts, contents)

    return context.cached("rerun.expected", compute)


def _sorted_out(context: CheckContext) -> Mapping[str, list[Difference]]:
    """Return all differences between expected and actual state, by the part that they are in."""

    def compute() -> Mapping[str, list[Difference]]:
        expected, actual = _expected(context), live_state(context)
        out: dict[str, list[Difference]] = {name: [] for name in PARTS}
        for difference in differences(context.butler, expected, actual):
            out[part(difference, context.facts[AFTER], (expected, actual))].append(difference)
        return out

    return context.cached("rerun.differences", compute)


def _findings(context: CheckContext, name: str) -> Iterator[Finding]:
    for difference in _sorted_out(context)[name]:
        yield finding(difference, "after the reruns")


def _at_the_time(facts: Mapping[str, Any], what: str) -> Iterator[Finding]:
    """Yield what was found when the rerun had just ended, before the next one."""
    for difference in facts["differences"]:
        yield Finding(f"{what}: {difference['text']}", data_id=difference["data_id"], where=difference["name"])


def _succeeded(facts: Mapping[str, Any], what: str) -> Iterator[Finding]:
    if facts["exit_code"] != 0:
        yield Finding(
            f"{what} ended with exit code {facts['exit_code']}",
            where=facts["log"],
            seen=facts["message"],
            expected="exit code 0",
        )


@check(
    "rerun.nothing-to-do-changes-nothing",
    title="A rerun with nothing left to do says so and changes nothing, and no rerun changes what it does not make",
    after=AFTER,
    upstream="pipe_base#487",
)
def nothing_to_do_changes_nothing(context: CheckContext) -> Iterator[Finding]:
    """After an interruption everybody runs the same command again. Where all is done it must not touch a dataset, a
    record or a chain; and it ends with an exit status other than zero, on which batch systems rely to stop.
    """
    facts = context.facts[AFTER]["nothing"]
    context.examined()
    if facts["exit_code"] == 0 or EMPTY not in facts["message"]:
        yield Finding(
            "a rerun with nothing left to do does not say so",
            where=facts["log"],
            seen=f"exit code {facts['exit_code']}, {facts['message']!r}",
            expected=f"an exit code other than 0, and {EMPTY!r}",
        )
    yield from _at_the_time(facts, "a rerun with nothing left to do")
    yield from _findings(context, "untouched")
    expected, runs = _expected(context), {context.facts[AFTER]["run"], context.facts[AFTER]["replace"]["run"]}
    context.examined(sum(row[2] not in runs for row in expected["dataset"].values()) + len(expected["record"]))


@check(
    "rerun.extend-remakes-only-missing",
    title="Extending a run with --skip-existing makes the missing outputs and leaves alone those that are there",
    after=AFTER,
)
def extend_remakes_only_missing(context: CheckContext) -> Iterator[Finding]:
    """Days of processing are rescued in this way. If quanta that had succeeded were run again their outputs would get
    new ids, and everything made from the old ones would refer to datasets that are gone.
    """
    facts = context.facts[AFTER]
    yield from _succeeded(facts["extend"], "extending the run")
    yield from _at_the_time(facts["extend"], "extending the run")
    yield from _findings(context, "extended")
    context.examined(len(set(_expected(context).ids(runs=[facts["run"]]))))


@check(
    "rerun.replace-leads-the-chain",
    title="A replacing run takes the old one's place at the head of its chain; other chains keep the old one",
    after=AFTER,
)
def replace_leads_the_chain(context: CheckContext) -> Iterator[Finding]:
    """The chain's order decides what everybody finds. If the old run stayed in front, or an input came before the new
    run, people would go on working with outputs that they believe to have replaced.
    """
    yield from _succeeded(context.facts[AFTER]["replace"], "replacing the run")
    yield from _findings(context, "chain")
    context.examined(len(_expected(context)["chain"][context.facts[AFTER]["replace"]["output"],][0]))


@check(
    "rerun.replace-is-complete",
    title="A replacing run has every output of the quanta that it ran, and no others",
    after=AFTER,
)
def replace_is_complete(context: CheckContext) -> Iterator[Finding]:
    """The new run hides the old one. An output that it lacks is not found any more, or is found in an input collection,
    which is worse.
    """
    yield from _findings(context, "replacement")
    context.examined(len(set(_expected(context).ids(runs=[context.facts[AFTER]["replace"]["run"]]))))


@check(
    "rerun.made-again-says-the-same",
    title="An output that is made again from the same inputs says the same, apart from provenance and dates",
    after=AFTER,
)
def made_again_says_the_same(context: CheckContext) -> Iterator[Finding]:
    """Results that depend on anything else than inputs and configuration (order of execution, clock, leftovers of a
    run before) cannot be reproduced, nor compared between releases.
    """
    yield from _findings(context, "content")
    context.examined(sum(key[0].startswith(MADE) for key in _expected(context)["artifact"]))


CHECKS: tuple[Check, ...] = (
    nothing_to_do_changes_nothing,
    extend_remakes_only_missing,
    replace_leads_the_chain,
    replace_is_complete,
    made_again_says_the_same,
)
