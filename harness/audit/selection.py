"""What is asked for, and which checks can answer it for a repository of which nothing else is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..checks.scope import Scope
from ..errors import HarnessError, UsageError, nearest
from ..instrument.kit import Capability

if TYPE_CHECKING:
    from lsst.daf.butler import Butler

    from ..checks.context import CheckContext
    from ..instrument.kit import InstrumentKit
    from ..verdicts import Check

__all__ = ["Request", "Selection", "nanoseconds", "resolve_scope", "select", "wanted"]

REGISTRY_ONLY = frozenset({"collections", "datastore", "registry"})
"""Families that hold whatever dimensions there are: what is safe to ask of an unknown universe."""

FILES = "datastore"
"""The family of checks that look at the files of the datastores."""


@dataclasses.dataclass(frozen=True)
class Request:
    """What an audit is asked for.

    Parameters
    ----------
    families, checks : `tuple` [`str`], optional
        Only checks of these families, or these checks; all if both are empty.
    since : `str`, optional
        Only datasets ingested and exposures begun since this date and time (UTC, ISO 8601).
    collections : `tuple` [`str`], optional
        Only what is in these collections: names and patterns, chains with all that is below them.
    sample : `int`, optional
        Open at most so many files for each check that opens files; these checks are run then.
    deep : `bool`, optional
        Run the checks that open files one by one.
    limit : `int`, optional
        Keep at most so many findings of each check, and count the rest.
    """

    families: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    since: str | None = None
    collections: tuple[str, ...] = ()
    sample: int | None = None
    deep: bool = False
    limit: int = 1000

    @property
    def opens_files(self) -> bool:
        """Whether checks that open files one by one are asked for (`bool`)."""
        return self.deep or self.sample is not None


@dataclasses.dataclass(frozen=True)
class Selection:
    """The checks of an audit.

    Parameters
    ----------
    checks : `tuple` [`~harness.verdicts.Check`]
        Those to run.
    left_out : `dict` [`str`, `tuple` [`str`]]
        Ids of those that were asked for and are not run, by reason.
    """

    checks: tuple[Check, ...]
    left_out: dict[str, tuple[str, ...]]


def wanted(request: Request, checks: Mapping[str, Check]) -> tuple[Check, ...]:
    """Return the checks that are asked for by name.

    Parameters
    ----------
    request : `Request`
        What is asked for.
    checks : `~collections.abc.Mapping` [`str`, `~harness.verdicts.Check`]
        All checks by id.

    Raises
    ------
    UsageError
        If there is no such family or check; names the nearest.
    """
    families = {c.family for c in checks.values()}
    for family in request.families:
        if family not in families:
            raise nearest("family", family, families)
    for name in request.checks:
        if name not in checks:
            raise nearest("check", name, checks)
    if not request.families and not request.checks:
        return tuple(checks.values())
    return tuple(c for c in checks.values() if c.family in request.families or c.id in request.checks)


def select(
    request: Request,
    asked: Iterable[Check],
    context: CheckContext,
    *,
    known_universe: bool = True,
    files: bool = True,
) -> Selection:
    """Choose the checks that apply to a repository.

    Parameters
    ----------
    request : `Request`
        What is asked for.
    asked : `~collections.abc.Iterable` [`~harness.verdicts.Check`]
        What `wanted` returned.
    context : `~harness.checks.context.CheckContext`
        The repository, with the kits that are installed.
    known_universe : `bool`, optional
        Whether its dimensions are known.
    files : `bool`, optional
        Whether the roots of its datastores are there.

    Returns
    -------
    selection : `Selection`
        A check that compares with a manifest or with what the stages of a run said is in it: it finds out itself
        that it has nothing to go by.
    """
    capabilities = _capabilities(context)
    unreached = _unreached(context) if known_universe else {}

    def why_not(item: Check) -> str:
        named = item.id in request.checks
        if not known_universe and item.family not in REGISTRY_ONLY:
            return "not safe with dimensions of an unknown universe"
        if item.deep and not request.opens_files and not named:
            return "opens files one by one: --deep or --sample N"
        if not files and (item.deep or item.family == FILES):
            return "the root of the datastore is gone"
        missing = sorted(item.needs - capabilities)
        if missing:
            return f"needs {', '.join(missing)}"
        return unreached.get(item.after, "") if not named else ""

    run: list[Check] = []
    left_out: dict[str, list[str]] = {}
    for item in asked:
        reason = why_not(item)
        if reason:
            left_out.setdefault(reason, []).append(item.id)
        else:
            run.append(item)
    return Selection(tuple(run), {reason: tuple(ids) for reason, ids in left_out.items()})


def _capabilities(context: CheckContext) -> frozenset[str]:
    """Return what the repository's instruments may be capable of.

    What an instrument without a kit can do is not known: it may be anything that the core has a word for.
    """
    kits: Mapping[str, InstrumentKit] = context.kits
    present = {r.name for r in context.butler.query_dimension_records("instrument", explain=False)}
    words: frozenset[str] = frozenset(Capability)
    return words.union(*(kit.capabilities for name, kit in kits.items() if name in present))


def _visits(butler: Butler) -> bool:
    return "visit" in butler.dimensions.elements.names and bool(
        butler.query_dimension_records("visit", limit=1, explain=False)
    )


def _default_chains(butler: Butler) -> bool:
    from lsst.daf.butler import CollectionType

    return bool(butler.collections.query("*/defaults", collection_types=CollectionType.CHAINED))


_EVIDENCE: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "visits": ("no visit has been defined yet", _visits),
    "defaults": ("no instrument has a default chain", _default_chains),
}
"""Stages after which a check expects something, and what tells that a repository has come so far."""


def _unreached(context: CheckContext) -> Mapping[str, str]:
    return {stage: text for stage, (text, reached) in _EVIDENCE.items() if not reached(context.butler)}


# --- scope -------------------------------------------------------------------------------------------


def resolve_scope(request: Request, butler: Butler) -> Scope:
    """Return the part of the repository that is asked about.

    Raises
    ------
    HarnessError
        If a collection does not exist, a pattern matches none, or a date is no date.
    """
    names: dict[str, None] = {}
    for pattern in request.collections:
        names.update(dict.fromkeys(_collections(butler, pattern)))
    since = None if request.since is None else nanoseconds(request.since)
    return Scope(tuple(names), since, request.sample)


def _collections(butler: Butler, pattern: str) -> Collection[str]:
    from lsst.daf.butler import MissingCollectionError

    try:
        found: Collection[str] = butler.collections.query(pattern, flatten_chains=True, include_chains=False)
    except MissingCollectionError:
        found = ()
    if not found:
        try:
            raise nearest("collection", pattern, butler.collections.query("*"))
        except HarnessError as error:
            raise UsageError(
                f"no collection is called {pattern!r}", remedy=error.remedy, code="no-collection"
            ) from None
    return found


def nanoseconds(date: str) -> int:
    """Return a date and time (UTC, ISO 8601) in nanoseconds since 1970 TAI.

    Raises
    ------
    UsageError
        If it is none.
    """
    from astropy.time import Time
    from lsst.daf.butler.time_utils import TimeConverter

    try:
        value: int = TimeConverter().astropy_to_nsec(Time(date.removesuffix("Z"), scale="utc"))
    except ValueError as error:
        raise UsageError(
            f"--since {date!r} is no date", remedy="write 2026-11-25 or 2026-11-25T10:30:00, UTC", code="no-date"
        ) from error
    return value
