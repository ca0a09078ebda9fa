"""The audit: every check that applies, on a repository that is only read."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..checks.context import CheckContext
from ..checks.scope import Scope
from ..errors import HarnessError
from ..repository import rare_garbage_collection
from ..verdicts import CheckResult, Finding, Verdict, run_check, worst
from .baseline import Accepted, Baseline
from .folding import fold
from .identity import identify
from .selection import FILES, Request, resolve_scope, select, wanted
from .soundness import FAMILY as REPOSITORY
from .soundness import closed_checks, repository_checks
from .source import Source, open_source
from .watch import state_of

if TYPE_CHECKING:
    from lsst.daf.butler import Butler

    from ..instrument.kit import InstrumentKit
    from ..verdicts import Check

__all__ = ["AuditFinding", "AuditReport", "CheckAudit", "audit"]

UNIVERSES = range(6, 9)
"""Versions of the dimension universe ``daf_butler`` whose records the checks know."""

NAMESPACE = "daf_butler"

CLOSED = ("repository-version", "registry-unreadable")
"""Errors of the middleware on opening a registry that say something about the repository."""

type Progress = Callable[[int, int, Check, CheckContext], None]
"""Told before each check how many are done, how many there are, which is next, and the context that counts."""


@dataclasses.dataclass(frozen=True)
class AuditFinding:
    """A finding with its identity.

    Parameters
    ----------
    id, content : `str`
        See `~harness.audit.identity.Identity`.
    finding : `~harness.verdicts.Finding`
        With the remedy of its check, if it has none of its own.
    changed : `bool`
        Whether it was accepted, and says something else now.
    """

    id: str
    content: str
    finding: Finding
    changed: bool = False


@dataclasses.dataclass(frozen=True)
class CheckAudit:
    """A check and what it found.

    Parameters
    ----------
    check : `~harness.verdicts.Check`
        The check.
    result : `~harness.verdicts.CheckResult`
        What came of it; accepted findings do not count.
    findings : `tuple` [`AuditFinding`]
        What is wrong, up to the limit; ``result.more`` says how many more there are.
    silenced : `int`
        Findings that are accepted.
    """

    check: Check
    result: CheckResult
    findings: tuple[AuditFinding, ...]
    silenced: int = 0

    @property
    def count(self) -> int:
        """Number of findings, kept or not (`int`)."""
        return len(self.findings) + self.result.more


@dataclasses.dataclass
class AuditReport:
    """What an audit found.

    Parameters
    ----------
    repository : `str`
        Path or URI.
    folder : `str`
        What ``{repo}`` stands for in commands.
    request : `~harness.audit.selection.Request`
        What was asked for.
    started : `datetime.datetime`
        When (UTC).
    dialect, universe : `str`
        Database and dimension universe.
    scope : `~harness.checks.scope.Scope`
        The part of the repository that was looked at.
    checks : `list` [`CheckAudit`]
        The checks that were run.
    left_out : `dict` [`str`, `tuple` [`str`]]
        Ids of checks that were not run, by reason.
    notes : `list` [`str`]
        What its reader should know.
    doubts : `list` [`str`]
        Why the repository cannot be called sound, though nothing was found.
    stale : `tuple` [`~harness.audit.baseline.Accepted`]
        What is accepted and was not found any more.
    seconds : `float`
        Wall time (s).
    """

    repository: str
    folder: str
    request: Request
    started: datetime.datetime
    dialect: str
    universe: str = ""
    scope: Scope = dataclasses.field(default_factory=Scope)
    checks: list[CheckAudit] = dataclasses.field(default_factory=list)
    left_out: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    notes: list[str] = dataclasses.field(default_factory=list)
    doubts: list[str] = dataclasses.field(default_factory=list)
    stale: tuple[Accepted, ...] = ()
    seconds: float = 0.0

    def counts(self, item: CheckAudit) -> bool:
        """Tell whether a check has a say in the verdict: it looked at something, or was asked for by its id."""
        return not item.result.idle or item.check.id in self.request.checks

    @property
    def verdict(self) -> Verdict:
        """The worst of the checks that count; with doubts at best unknown (`~harness.verdicts.Verdict`)."""
        verdicts = [c.result.verdict for c in self.checks if self.counts(c)]
        return worst([*verdicts, *([Verdict.UNKNOWN] if self.doubts else [])])

    @property
    def silenced(self) -> int:
        """Number of accepted findings that are still there (`int`)."""
        return sum(c.silenced for c in self.checks)


def audit(
    path: str | Path,
    checks: Mapping[str, Check],
    kits: Mapping[str, InstrumentKit],
    request: Request,
    *,
    baseline: Baseline | None = None,
    progress: Progress | None = None,
    keep: Callable[[str], bool] | None = None,
) -> AuditReport:
    """Audit a repository; nothing in it is changed.

    Parameters
    ----------
    path : `str` or `~pathlib.Path`
        The repository: folder, URI, configuration file or alias.
    checks : `~collections.abc.Mapping` [`str`, `~harness.verdicts.Check`]
        All checks that are installed, by id.
    kits : `~collections.abc.Mapping` [`str`, `~harness.instrument.kit.InstrumentKit`]
        The installed instruments, by name.
    request : `~harness.audit.selection.Request`
        What is asked for.
    baseline : `~harness.audit.baseline.Baseline`, optional
        What is accepted.
    progress : `~collections.abc.Callable`, optional
        See `Progress`.
    keep : `~collections.abc.Callable`, optional
        Takes the id of a finding and says whether it is wanted; all are by default.

    Returns
    -------
    report : `AuditReport`
        What was found.

    Raises
    ------
    HarnessError
        If it is no repository or cannot be read, or what is asked for does not exist.
    """
    start = time.perf_counter()
    started = datetime.datetime.now(tz=datetime.UTC)
    with rare_garbage_collection(), open_source(path) as source:
        before = state_of(source)
        whole = repository_checks(source)
        asked = wanted(request, {c.id: c for c in (*whole, *checks.values())})
        report = AuditReport(source.name, source.folder.rstrip("/"), request, started, source.dialect)
        report.notes += source.notes
        run = _Run(source, report, baseline or Baseline(), progress, keep)
        run.all_of([c for c in asked if c.family == REPOSITORY], _closed_context(source))
        rest = [c for c in asked if c.family != REPOSITORY]
        if rest:
            run.contents(rest, kits)
        if source.busy or state_of(source) != before:
            report.doubts.append(
                f"the repository was written to while it was audited{f': {source.busy}' if source.busy else ''}; "
                "what was found may be of the moment"
            )
    complete = [c.check.id for c in report.checks if not c.result.traceback]
    if report.scope == Scope():
        report.stale = run.baseline.stale(complete)
    report.seconds = time.perf_counter() - start
    return report


def _closed_context(source: Source) -> CheckContext:
    """Make the context of checks that ask nothing of a butler."""
    butler: Any = None
    return CheckContext(butler, Path(source.folder), {})


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]


@dataclasses.dataclass
class _Run:
    """What the checks of one audit share."""

    source: Source
    report: AuditReport
    baseline: Baseline
    progress: Progress | None
    keep: Callable[[str], bool] | None

    def contents(self, asked: list[Check], kits: Mapping[str, InstrumentKit]) -> None:
        """Run checks of what the repository contains; say why if it cannot be opened."""
        from sqlalchemy.exc import DatabaseError

        from ..repository import open_repository

        name = self.source.name
        why = f"the middleware cannot open {name}"
        with contextlib.ExitStack() as stack:
            try:
                butler = stack.enter_context(open_repository(name, any_universe=True, config=self.source.config))
                why = f"the registry of {name} cannot be read"
                self._opened(butler, asked, kits)
            except HarnessError as error:
                if error.code not in CLOSED:
                    raise
                self._closed(str(error), asked)
            except DatabaseError as error:
                self._closed(f"{why}: {_first_line(error.orig or error)}", asked)
            except Exception as error:  # what the middleware raises for a registry in disorder is told, whatever it is
                self._closed(f"{why}: {type(error).__name__}: {_first_line(error)}", asked)

    def _closed(self, why: str, asked: list[Check]) -> None:
        """Look at what can be looked at without the middleware."""
        self.report.doubts.append(why)
        done = {c.check.id for c in self.report.checks}
        self.report.left_out["the registry cannot be opened"] = tuple(c.id for c in asked if c.id not in done)
        self.all_of(list(closed_checks(self.source)), _closed_context(self.source))

    def _opened(self, butler: Butler, asked: list[Check], kits: Mapping[str, InstrumentKit]) -> None:
        report, universe = self.report, butler.dimensions
        report.universe = f"{universe.namespace} {universe.version}"
        known = universe.namespace == NAMESPACE and universe.version in UNIVERSES
        if not known:
            report.doubts.append(
                f"dimension universe {report.universe} is not one that is known here ({NAMESPACE} "
                f"{UNIVERSES[0]} to {UNIVERSES[-1]}): only what does not depend on it was looked at"
            )
        report.scope = resolve_scope(report.request, butler)
        context = CheckContext(butler, Path(self.source.folder), kits, scope=report.scope)
        files = not any(root.missing for root in self.source.roots)
        selection = select(report.request, asked, context, known_universe=known, files=files)
        report.left_out.update(selection.left_out)
        for reason, ids in selection.left_out.items():
            report.doubts += [f"{i} was asked for and not run: {reason}" for i in ids if i in report.request.checks]
        done = self.all_of(list(selection.checks), context)
        if not butler.collections.query("*") and not butler.query_dimension_records(
            "instrument", limit=1, explain=False
        ):
            report.doubts.append("the repository is empty: there are neither collections nor instruments")
        if all(c.result.idle for c in done) and not report.doubts:
            report.doubts.append("no check found anything to look at")

    def all_of(self, items: list[Check], context: CheckContext) -> list[CheckAudit]:
        """Run checks one after the other."""
        done = []
        for number, item in enumerate(items):
            if self.progress:
                self.progress(number, len(items), item, context)
            done.append(self._one(item, context))
            self.report.checks.append(done[-1])
        return done

    def _one(self, item: Check, context: CheckContext) -> CheckAudit:
        silenced = 0
        folder = self.source.folder
        roots = [r.uri.ospath for r in self.source.roots if r.uri.isLocal]

        def function(context: CheckContext) -> Iterator[Finding]:
            nonlocal silenced
            found = item.function(context)
            for finding in fold(found, roots) if item.family == FILES else found:
                identity = identify(item.id, finding, folder)
                if self.baseline.silences(identity):
                    silenced += 1
                elif self.keep is None or self.keep(identity.id):
                    yield finding
            if silenced and not context.count:
                context.examined(silenced)  # it did look at something

        result = run_check(
            dataclasses.replace(item, function=function), context, "audit", limit=self.report.request.limit
        )
        findings = []
        for finding in result.findings:
            identity = identify(item.id, finding, folder)
            look = self.source.real_command(finding.look)
            told = dataclasses.replace(finding, look=look, remedy=finding.remedy or item.remedy)
            findings.append(AuditFinding(identity.id, identity.content, told, self.baseline.changed(identity)))
        return CheckAudit(item, result, tuple(findings), silenced)
