"""Which checks find which seeded defects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ..verdicts import Check
    from .base import Defect, DefectTarget

__all__ = ["Row", "lines", "row"]


class Row(NamedTuple):
    """One line of the table."""

    defect: Defect
    found_by: tuple[str, ...]
    """Ids of the checks with findings."""
    unknown: tuple[str, ...]
    """Ids of the checks that could not be run any more."""

    @property
    def proven(self) -> bool:
        """Whether the check that the defect names has found it (`bool`)."""
        return self.defect.found_by in self.found_by


def row(defect: Defect, target: DefectTarget, checks: Iterable[Check], *, audit: bool = False) -> Row:
    """Corrupt a repository and run checks on it.

    Parameters
    ----------
    defect : `~harness.defects.base.Defect`
        What is done to it.
    target : `~harness.defects.base.DefectTarget`
        A copy of a sound repository.
    checks : `~collections.abc.Iterable` [`~harness.verdicts.Check`]
        Those that hold in it.
    audit : `bool`, optional
        Whether the checks are told nothing of the dataset that it was made from, and open all files.

    Raises
    ------
    HarnessError
        If the repository cannot be opened any more.
    """
    from ..checks.context import CheckContext
    from ..repository import open_repository
    from ..verdicts import Verdict, run_check

    found: list[str] = []
    unknown: list[str] = []
    defect.apply(target)
    with open_repository(target.repo) as butler:
        context = CheckContext(butler, target.repo, {target.kit.name: target.kit}, None if audit else target.dataset)
        for item in checks:
            result = run_check(item, context, defect.after)
            if result.verdict is Verdict.FAIL:
                found.append(item.id)
            elif result.traceback:
                unknown.append(item.id)
    return Row(defect, tuple(found), tuple(unknown))


def lines(rows: Sequence[Row]) -> list[list[str]]:
    """Return the table as words: defect, whether it is found as it should be, by which other checks, what crashed."""
    out = []
    for item in rows:
        others = [i for i in item.found_by if i != item.defect.found_by]
        out.append(
            [
                item.defect.id,
                item.defect.found_by,
                "found" if item.proven else "NOT FOUND",
                ", ".join(others) + ("; unknown: " + ", ".join(item.unknown) if item.unknown else ""),
            ]
        )
    return out
