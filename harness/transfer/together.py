"""The stage ``together``: what other datasets had in the repository is compared with what is left of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .compare import Difference, compare

if TYPE_CHECKING:
    from ..stage import StageContext
    from .state import RepositoryState

__all__ = ["disturbances", "run"]


def run(context: StageContext) -> Mapping[str, Any]:
    """Compare the repository with what it was before the dataset came in.

    Parameters
    ----------
    context : `~harness.stage.StageContext`
        ``context.base`` is the repository before.

    Returns
    -------
    facts : `~collections.abc.Mapping`
        ``original``: path of the repository before.
    """
    return {"original": str(context.base)}


def disturbances(before: RepositoryState, after: RepositoryState) -> list[Difference]:
    """List what an addition to a repository has changed of what was there.

    What is added is no disturbance, and a chain that several instruments share may grow at its end.

    Parameters
    ----------
    before, after : `~harness.transfer.state.RepositoryState`
        The repository before and after the addition.
    """

    def allowed(difference: Difference) -> bool:
        if difference.change == "added":
            return True
        if difference.kind != "chain" or difference.before is None or difference.after is None:
            return False
        old, new = difference.before["children"], difference.after["children"]
        return bool(new[: len(old)] == old)

    return compare(before, after, allow=allowed)
