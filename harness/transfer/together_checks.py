"""Invariants of a repository that several datasets share: none disturbs what was there before it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..stage import SHARED
from ..verdicts import Check, Finding, check
from .checks import finding, live_state, original_state
from .together import disturbances

if TYPE_CHECKING:
    from ..checks.context import CheckContext
    from .compare import Difference

__all__ = ["CHECKS"]

AFTER = "together"


def _disturbed(context: CheckContext, *kinds: str) -> Iterator[Finding]:
    """Find what was there before and is gone or has changed."""
    before = original_state(context, AFTER)

    def compared() -> list[Difference]:
        return disturbances(before, live_state(context))

    context.examined(sum(len(before[kind]) for kind in kinds))
    for difference in context.cached("together.differences", compared):
        if difference.kind in kinds:
            yield finding(difference, "adding a dataset")


@check(
    "together.records-unchanged",
    title="Dimension records that were there before a dataset was added are still there, with the same values",
    after=AFTER,
    needs=(SHARED,),
    upstream="more than one instrument in one repository",
)
def records_unchanged(context: CheckContext) -> Iterator[Finding]:
    """Two instruments share days, groups, filters and sky maps by name only; whoever writes without the instrument in
    the key changes another one's exposures, and nobody looks at those again.
    """
    yield from _disturbed(context, "record")


@check(
    "together.collections-unchanged",
    title="Collections, chains, tags and certifications that were there before a dataset was added are as they were",
    after=AFTER,
    needs=(SHARED,),
    upstream="more than one instrument in one repository",
)
def collections_unchanged(context: CheckContext) -> Iterator[Finding]:
    """A shared chain may grow at its end. In any other place a new member hides older data from everybody who uses the
    chain; and a dataset type that is registered again with another definition breaks every pipeline that has it.
    """
    yield from _disturbed(context, "dataset-type", "collection", "chain", "tag", "certification")


@check(
    "together.datasets-unchanged",
    title="Datasets that were there before a dataset was added are still there, with the same content",
    after=AFTER,
    needs=(SHARED,),
    upstream="more than one instrument in one repository",
)
def datasets_unchanged(context: CheckContext) -> Iterator[Finding]:
    """Files of two instruments lie in one datastore; a template without the instrument lets one overwrite another."""
    yield from _disturbed(context, "dataset", "artifact")


@check(
    "together.runs-apart",
    title="No RUN collection holds data of two instruments",
    after=AFTER,
    needs=(SHARED,),
)
def runs_apart(context: CheckContext) -> Iterator[Finding]:
    """A run is removed, exported and replaced as one: whoever cleans up one instrument's run would take the other's
    data with it.
    """
    state = live_state(context)
    instruments: dict[str, dict[str, str]] = {}
    for (id_,), (type_, values, run) in state["dataset"].items():
        instrument = state.data_id(type_, values).get("instrument")
        if instrument is not None:
            instruments.setdefault(run, {}).setdefault(instrument, id_)
    for run, examples in sorted(instruments.items()):
        context.examined()
        if len(examples) > 1:
            yield Finding(
                f"run {run} holds data of {' and '.join(sorted(examples))}",
                where=run,
                seen=", ".join(sorted(examples)),
                expected="one instrument",
                look=f"butler query-datasets {{repo}} --collections {run}",
            )


CHECKS: tuple[Check, ...] = (records_unchanged, collections_unchanged, datasets_unchanged, runs_apart)
