"""Checks, findings and verdicts: values, not scripts."""

from __future__ import annotations

import dataclasses
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from .errors import ExitCode, HarnessError

if TYPE_CHECKING:
    from .checks.context import CheckContext

__all__ = ["Check", "CheckResult", "Finding", "NotApplicableError", "Verdict", "check", "run_check", "worst"]


class Verdict(StrEnum):
    """Outcome of a check or of a run; the worst of several wins."""

    PASS = "pass"
    UNKNOWN = "unknown"
    FAIL = "fail"

    @property
    def exit_code(self) -> ExitCode:
        """Exit status that this verdict leads to (`ExitCode`)."""
        return {"pass": ExitCode.PASS, "unknown": ExitCode.UNKNOWN, "fail": ExitCode.FAIL}[self.value]


_ORDER = (Verdict.PASS, Verdict.UNKNOWN, Verdict.FAIL)


class NotApplicableError(Exception):
    """What a check raises that has nothing to go by; the message says what it would need."""


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst of some verdicts: fail, then unknown, then pass.

    Nothing at all is `Verdict.UNKNOWN`: nothing was looked at.
    """
    seen = set(verdicts)
    return max(seen, key=_ORDER.index) if seen else Verdict.UNKNOWN


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Parameters
    ----------
    message : `str`
        What is wrong, in one line.
    data_id : `~collections.abc.Mapping`, optional
        Data ID of the thing.
    where : `str`, optional
        Table, file or collection that holds it.
    seen, expected : `str`, optional
        The value found and the value that should be there.
    look : `str`, optional
        A shell command that shows it. ``{repo}`` stands for the repository.
    remedy : `str`, optional
        What puts it right: a ``butler`` (or ``harness``) command where there is one, else a sentence; that of the
        check if empty. ``{repo}`` stands for the repository. Nothing ever runs it.
    """

    message: str
    data_id: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    where: str = ""
    seen: str = ""
    expected: str = ""
    look: str = ""
    remedy: str = ""


@dataclasses.dataclass(frozen=True)
class Check:
    """An invariant of a repository.

    Parameters
    ----------
    id : `str`
        Stable identifier, ``family.what-must-hold``.
    title : `str`
        The property, as a sentence that is true of a sound repository.
    rationale : `str`
        Why it matters and who is hurt when it fails.
    family : `str`
        ``identifiers``, ``time``, ``geometry``, ``visits``, ``calibrations``, ``collections``,
        ``datastore``, ``provenance`` or ``quality``.
    after : `str`
        The stage after which the property must hold; earlier it is not asked.
    function : `~collections.abc.Callable`
        Takes a `~harness.checks.context.CheckContext`, yields `Finding` objects and calls
        ``context.examined()`` for each thing that it looked at.
    needs : `frozenset` [`str`]
        Capabilities without which the check does not apply.
    upstream : `str`, optional
        Upstream ticket or wish that the check answers.
    remedy : `str`, optional
        What puts right those of its findings that do not say so themselves.
    deep : `bool`, optional
        Whether it opens the files of datasets one by one: left out of an audit unless that is asked for.
    """

    id: str
    title: str
    rationale: str
    family: str
    after: str
    function: Callable[[CheckContext], Iterable[Finding]]
    needs: frozenset[str] = frozenset()
    upstream: str = ""
    remedy: str = ""
    deep: bool = False


@dataclasses.dataclass(frozen=True)
class CheckResult:
    """What came of running one `Check`.

    Parameters
    ----------
    check : `Check`
        The check.
    stage : `str`
        The stage after which it was run.
    verdict : `Verdict`
        Its verdict.
    findings : `tuple` [`Finding`]
        What is wrong.
    examined : `int`
        How many things were looked at.
    seconds : `float`
        Wall time (s).
    reason : `str`
        Why the verdict is unknown; empty otherwise.
    traceback : `str`
        Where a crash happened; empty otherwise.
    more : `int`
        Findings beyond the limit, which were only counted.
    idle : `bool`
        Whether the verdict is unknown for want of anything to look at.
    """

    check: Check
    stage: str
    verdict: Verdict
    findings: tuple[Finding, ...]
    examined: int
    seconds: float
    reason: str = ""
    traceback: str = ""
    more: int = 0
    idle: bool = False


def check(
    id: str,
    *,
    title: str,
    after: str,
    needs: Iterable[str] = (),
    upstream: str = "",
    remedy: str = "",
    deep: bool = False,
) -> Callable[[Callable[[CheckContext], Iterator[Finding]]], Check]:
    """Make a `Check` of a generator function; its docstring is the rationale.

    Parameters
    ----------
    id : `str`
        Identifier ``family.what-must-hold``.
    title, after, needs, upstream, remedy, deep
        See `Check`.
    """

    def wrap(function: Callable[[CheckContext], Iterator[Finding]]) -> Check:
        rationale = " ".join((function.__doc__ or "").split())
        if not rationale:
            raise HarnessError(f"check {id} has no rationale", remedy="write it as the docstring")
        family = id.partition(".")[0]
        return Check(id, title, rationale, family, after, function, frozenset(needs), upstream, remedy, deep)

    return wrap


def run_check(item: Check, context: CheckContext, stage: str, *, limit: int | None = None) -> CheckResult:
    """Run one check.

    A check that crashes, or that found nothing to look at, is unknown: never a pass.

    Parameters
    ----------
    item : `Check`
        The check.
    context : `~harness.checks.context.CheckContext`
        What it looks at.
    stage : `str`
        Name of the stage that led to this state.
    limit : `int`, optional
        Keep at most so many findings, and count the rest; all by default.

    Returns
    -------
    result : `CheckResult`
        The verdict with its findings.
    """
    start = time.perf_counter()
    context.begin()
    reason = trace = ""
    findings: list[Finding] = []
    more, idle = 0, False
    try:
        for finding in item.function(context):
            if limit is None or len(findings) < limit:
                findings.append(finding)
            else:
                more += 1
    except NotApplicableError as error:
        reason, idle = str(error), not findings
    except HarnessError as error:
        reason, trace = str(error), traceback.format_exc()
    except Exception as error:  # any crash of a check is a verdict, and is reported as such
        reason, trace = f"crashed: {type(error).__name__}: {error}", traceback.format_exc()
    if findings or more:
        verdict = Verdict.FAIL
    elif reason:
        verdict = Verdict.UNKNOWN
    elif not context.count:
        verdict, reason, idle = Verdict.UNKNOWN, "found nothing to look at", True
    else:
        verdict = Verdict.PASS
    seconds = time.perf_counter() - start
    return CheckResult(item, stage, verdict, tuple(findings), context.count, seconds, reason, trace, more, idle)
