"""The state that a repository has after reruns, beside the state that it should have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..transfer.capture import MISSING, capture
from ..transfer.compare import Difference, compare
from ..transfer.content import ANYTHING, content_digests, with_contents
from ..transfer.state import RepositoryState
from .model import MADE, chained, flattened, matched, remade, replaced

if TYPE_CHECKING:
    from lsst.daf.butler import Butler

    from ..transfer.state import Key

__all__ = ["PARTS", "differences", "expected_at_the_end", "part"]

PARTS = ("untouched", "extended", "replacement", "chain", "content")
"""Parts of a repository that a difference may be in; see `part`."""


def expected_at_the_end(
    before: RepositoryState, facts: Mapping[str, Any], contents: Mapping[Key, str]
) -> RepositoryState:
    """Return the state that the stage should leave.

    Parameters
    ----------
    before : `~harness.transfer.state.RepositoryState`
        State of the processed repository.
    facts : `~collections.abc.Mapping`
        What the stage returned: says which datasets were removed and which ones the new run should have.
    contents : `~collections.abc.Mapping` [`tuple`, `str`]
        What these datasets say.
    """
    new = facts["replace"]
    extended = remade(before, facts["extend"]["removed"], contents)
    again = chained(extended, new["output"], flattened(before, facts["output"]))
    return replaced(again, before, new["output"], new["run"], new["like"], contents)


def differences(butler: Butler, expected: RepositoryState, actual: RepositoryState | None = None) -> list[Difference]:
    """List the differences between the state that is expected and the one that is there.

    Datasets that were made anew have other ids; they are compared by type, data ID and run, and by what they say.

    Parameters
    ----------
    butler : `lsst.daf.butler.Butler`
        The repository.
    expected : `~harness.transfer.state.RepositoryState`
        The state that it should have.
    actual : `~harness.transfer.state.RepositoryState`, optional
        The state that it has; read if not given.
    """
    actual = capture(butler) if actual is None else actual
    state, names = matched(expected, actual)
    made = {id_: name for id_, name in names.items() if name.startswith(MADE)}
    digests = content_digests(butler, made)
    contents = {(made[key[0]], *key[1:]): digest for key, digest in digests.items()}
    # What may say anything must still be there.
    free = {key for key, row in expected["artifact"].items() if row[-1] == ANYTHING}
    contents = {key: digest for key, digest in contents.items() if key not in free or digest == MISSING}
    return compare(expected, with_contents(state, contents))


def part(difference: Difference, facts: Mapping[str, Any], states: Iterable[RepositoryState]) -> str:
    """Say which part of the repository a difference is in.

    Returns
    -------
    part : `str`
        ``chain``: an output chain or one of the runs in it; ``content``: a dataset that was
        made anew says something else; ``replacement``: the new run; ``extended``: the run that was extended;
        ``untouched``: anything else, which no rerun may change.
    """
    run, new = facts["run"], facts["replace"]["run"]
    if difference.kind in {"collection", "chain"} and difference.key[0] in {
        run,
        new,
        facts["output"],
        facts["replace"]["output"],
    }:
        return "chain"
    if difference.kind in {"dataset", "artifact"}:
        if difference.kind == "artifact" and difference.change == "changed" and difference.key[0].startswith(MADE):
            return "content"
        rows = (state["dataset"].get(difference.key[:1]) for state in states)
        runs = {row[2] for row in rows if row}
        return "replacement" if new in runs else "extended" if run in runs else "untouched"
    return "untouched"
