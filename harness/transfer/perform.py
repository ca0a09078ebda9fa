"""Trying a kind of transfer: make it, compare the whole state with what must be there, and make it again."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..verdicts import Finding, Verdict
from .capture import capture
from .checks import finding
from .closure import relations
from .compare import Difference, compare
from .expect import Expectation, carried_ids, expect
from .exports import reason
from .kinds import Kind
from .retrieved import retrieved_state
from .selection import stored_ids, time_span, whole
from .state import KINDS, RepositoryState
from .trip import Trip, artifact_paths, opened, self_contained
from .universes import universe

__all__ = ["CHECK_OF", "Outcome", "differing", "inapplicable", "must_refuse", "perform", "there_and_back"]

CHECK_OF: Mapping[str, str] = {
    "universe": "roundtrip.records-equal",
    "record": "roundtrip.records-equal",
    "dataset-type": "roundtrip.dataset-types-equal",
    "collection": "roundtrip.collections-equal",
    "chain": "roundtrip.chains-equal",
    "tag": "roundtrip.tags-equal",
    "certification": "roundtrip.calibration-validity-equal",
    "dataset": "roundtrip.dataset-ids-equal",
    "artifact": "roundtrip.artifacts-equal",
}
"""The check whose property it is that things of a kind are equal."""

SUCCEEDS = "roundtrip.succeeds"
REPEATABLE = "roundtrip.repeated-harmless"
SOURCE = "roundtrip.source-untouched"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of trying a kind of transfer.

    Parameters
    ----------
    kind : `~harness.transfer.kinds.Kind`
        The kind.
    label : `str`
        Its name, and the dimension universe if that is another one.
    skipped : `str`
        Why it was not tried; empty if it was.
    refused : `str`
        What the middleware said where it had to refuse; empty if it had not to.
    again : `str`
        What happened the second time: ``nothing changed`` or the refusal.
    expected : `~collections.abc.Mapping` [`str`, `int`]
        How much had to be there, by kind of thing.
    left_out : `~collections.abc.Mapping` [`str`, `int`]
        How much of the selection is not there, by kind of thing; what should be there is a finding, all else is
        what this kind of transfer does not carry by design.
    findings : `tuple` [`tuple`]
        Check id and `~harness.verdicts.Finding` of each thing that is wrong.
    seconds : `float`
        Wall time (s), comparison included.
    """

    kind: Kind
    label: str
    skipped: str = ""
    refused: str = ""
    again: str = ""
    expected: Mapping[str, int] = dataclasses.field(default_factory=dict)
    left_out: Mapping[str, int] = dataclasses.field(default_factory=dict)
    findings: tuple[tuple[str, Finding], ...] = ()
    seconds: float = 0.0

    @property
    def verdict(self) -> Verdict:
        """Fail if anything is wrong, unknown if nothing was tried."""
        return Verdict.FAIL if self.findings else Verdict.UNKNOWN if self.skipped else Verdict.PASS

    def to_facts(self) -> dict[str, Any]:
        """Return it as JSON-serializable values."""
        facts = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        facts |= {"kind": self.kind.name, "title": self.kind.title, "verdict": str(self.verdict)}
        facts["findings"] = [{"check": check, **dataclasses.asdict(f)} for check, f in self.findings]
        return {**facts, "expected": dict(self.expected), "left_out": dict(self.left_out)}


def inapplicable(kind: Kind, trip: Trip) -> str:
    """Say why a kind of transfer cannot be tried; empty if it can."""
    if kind.needs == "graph" and trip.graph is None:
        return "needs a quantum graph: --graph"
    if kind.needs == "graph" and not trip.selection.whole:
        return "a graph's outputs are no selection"
    if kind.needs == "part":
        chosen = trip.selection.chosen
        if trip.selection.whole or time_span(trip.state, chosen, trip.known) is None:
            return "needs a part with exposures or visits: --where"
    if kind.carries.memberships == "there" and not (trip.fork and self_contained(trip.source)):
        return "no independent copy of the repository can be made: its registry or its files lie elsewhere"
    if kind.needs == "calibrations" and not any(
        c in trip.selection.collections for c, _ in trip.state["certification"]
    ):
        return "nothing is certified"
    if kind.older == "no" and trip.universe is not None:
        return "not between dimension universes"
    return ""


def must_refuse(kind: Kind, trip: Trip) -> str:
    """Say why the middleware must refuse a transfer; empty if it must not."""
    if trip.universe is None:
        return ""
    target = universe(trip.universe)
    types = {trip.state["dataset"][i,][0] for i in trip.selection.ids}
    for name in sorted(types):
        if unknown := set(trip.state.dimensions[name]) - set(target.dimensions.names):
            return f"dataset type {name} has dimension {min(unknown)}, which universe {trip.universe} has not"
    if kind.older == "same fields":
        for name, fields in trip.state.elements.items():
            if name not in target.elements.names:
                return f"universe {trip.universe} has no {name}"
            if unknown := set(fields) - set(target[name].RecordClass.fields.names):
                return f"universe {trip.universe} has no field {min(unknown)} of {name}"
    return ""


def perform(kind: Kind, trip: Trip, progress: Callable[[str], None] = lambda _: None, *, twice: bool = True) -> Outcome:
    """Try a kind of transfer.

    Parameters
    ----------
    kind : `~harness.transfer.kinds.Kind`
        The kind.
    trip : `~harness.transfer.trip.Trip`
        What it starts from. Its folder must not exist; what is made there is left.
    progress : `~collections.abc.Callable`, optional
        Is told what is going on.
    twice : `bool`, optional
        Whether to make it again: that may be refused, but must change nothing.

    Returns
    -------
    outcome : `Outcome`
        What came of it. Whatever the middleware raises is a finding.
    """
    label = kind.name if trip.universe is None else f"{kind.name} → universe {trip.universe}"
    if why := inapplicable(kind, trip):
        return Outcome(kind, label, skipped=why)
    start = time.perf_counter()
    progress(label)
    trip.folder.mkdir(parents=True)
    found: list[tuple[str, Finding]] = []
    refused = again = ""
    left_out: dict[str, int] = {}
    expectation = Expectation(trip.state, {}, trip.state)
    if why := must_refuse(kind, trip):
        refused = why
        found += _refusal(kind, trip, why)
    else:
        expectation = expect(kind, trip)
        trip = _narrowed(kind, trip)
        kind.make_target(trip)
        error = _attempt(kind.prepare, trip) or _attempt(kind.bring, trip)
        after = None if error else _after(kind, trip)
        if isinstance(after, RepositoryState):
            found += differing(label, expectation, after)
            left_out = {k: n for k in KINDS if (n := len(expectation.wanted[k].keys() - after[k].keys()))}
            if twice:
                second = _attempt(kind.bring, trip)
                again = f"refused: {second}" if second else "nothing changed"
                found += _repeated(f"{label}, made twice", after, _after(kind, trip))
        else:
            error = error or after or ""
            found.append((SUCCEEDS, Finding(f"{label}: {error}", seen=error, expected="a transfer")))
    with opened(trip.source) as butler:
        found += _changed(SOURCE, f"{label}: the source", trip.state, capture(butler))
    counts = {} if refused else {k: len(expectation.state[k]) for k in KINDS}
    seconds = time.perf_counter() - start
    return Outcome(kind, label, "", refused, again, counts, left_out, tuple(found), seconds)


def there_and_back(
    kind: Kind, trip: Trip, progress: Callable[[str], None] = lambda _: None, *, twice: bool = True
) -> Iterator[Outcome]:
    """Try a kind of transfer into another dimension universe, and from there into one of the first.

    Yields
    ------
    outcome : `Outcome`
        Of the way there, and if there was no finding of the way back.
    """
    there = perform(kind, trip, progress, twice=twice)
    yield there
    if there.findings or there.refused or there.skipped:
        return
    with opened(trip.target) as butler:
        state = capture(butler)
        if not state["dataset"]:
            return
        paths = artifact_paths(butler, stored_ids(state))
        back = dataclasses.replace(
            trip,
            source=trip.target,
            folder=trip.folder / "back",
            state=state,
            known=relations(butler.dimensions),
            selection=whole(state),
            paths=paths,
            universe=trip.state.universe[1],
        )
    outcome = perform(kind, back, progress, twice=twice)
    yield dataclasses.replace(outcome, label=f"{there.label} → {back.universe}")


def _narrowed(kind: Kind, trip: Trip) -> Trip:
    """Leave out the datasets that a kind cannot carry."""
    if kind.carries.files_of_several:
        return trip
    return dataclasses.replace(trip, selection=dataclasses.replace(trip.selection, ids=carried_ids(kind, trip)))


def _attempt(step: Callable[[Trip], None], trip: Trip) -> str:
    """Take a step; return in one line what the middleware raised."""
    try:
        step(trip)
    except Exception as error:  # whatever the middleware raises is what the outcome is about
        return reason(error)
    return ""


def _after(kind: Kind, trip: Trip) -> RepositoryState | str:
    """Return the state of the target, or in one line why it cannot be read."""
    try:
        if not kind.carries.registry:
            return retrieved_state(trip.target, trip.state)
        with opened(trip.target) as butler:
            return capture(butler)
    except Exception as error:  # a target that cannot be read is what the outcome is about
        return f"what came of it cannot be read: {reason(error)}"


def differing(label: str, expectation: Expectation, after: RepositoryState) -> list[tuple[str, Finding]]:
    """Find what is not as it must be after a transfer.

    Parameters
    ----------
    label : `str`
        What to call the transfer.
    expectation : `~harness.transfer.expect.Expectation`
        What must be there.
    after : `~harness.transfer.state.RepositoryState`
        What is there.

    Returns
    -------
    findings : `list` [`tuple`]
        Check id and finding of each difference.
    """

    def allowed(difference: Difference) -> bool:
        if difference.kind != "record" or difference.change != "added":
            return False
        return expectation.allowed.get(difference.key) == after["record"][difference.key]

    return [(CHECK_OF[d.kind], finding(d, label)) for d in compare(expectation.state, after, allow=allowed)]


def _repeated(label: str, before: RepositoryState, after: RepositoryState | str) -> list[tuple[str, Finding]]:
    if isinstance(after, str):
        return [(REPEATABLE, Finding(f"{label}: {after}", seen=after))]
    return _changed(REPEATABLE, label, before, after)


def _changed(check: str, label: str, before: RepositoryState, after: RepositoryState) -> list[tuple[str, Finding]]:
    """Make one finding of all things of a kind that should not have changed: they change together."""
    groups: dict[tuple[str, str], list[Difference]] = {}
    for difference in compare(before, after):
        groups.setdefault((difference.kind, difference.change), []).append(difference)
    out = []
    for (kind, change), differences in groups.items():
        first = finding(differences[0], label)
        if len(differences) > 1:
            text = f"{label}: {len(differences)} of {len(before[kind])} {kind}s {change}; {differences[0]}"
            first = dataclasses.replace(first, message=text)
        out.append((check, first))
    return out


def _refusal(kind: Kind, trip: Trip, why: str) -> list[tuple[str, Finding]]:
    """Try what must be refused: it must leave nothing behind."""
    kind.make_target(trip)
    before = _after(kind, trip)
    if not (_attempt(kind.prepare, trip) or _attempt(kind.bring, trip)):
        return [(SUCCEEDS, Finding(f"{kind.name}: accepted, though {why}", seen="a transfer", expected="a refusal"))]
    # Dataset types and collections are registered before, and stay; what may not stay is data.
    after = _after(kind, trip)
    if isinstance(before, str) or isinstance(after, str):
        return [(REPEATABLE, Finding(f"{kind.name}, refused: {before if isinstance(before, str) else after}"))]
    kinds = ("record", "tag", "certification", "dataset", "artifact")
    return [(REPEATABLE, finding(d, f"{kind.name}, refused")) for d in compare(before, after, kinds=kinds)]
