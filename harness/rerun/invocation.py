"""One invocation of a cell: what is asked for, what must come of it, and what has come."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..engines.base import EngineResult, PipelineRun
from ..engines.pipetask import PipetaskEngine
from ..engines.qbb import QuantumBackedEngine
from ..repository import rare_garbage_collection
from ..transfer.capture import capture
from ..transfer.checks import finding
from ..verdicts import Finding
from .files import changes, listing, misjudged, recorded
from .injection import Injection, write_plan
from .judge import differences
from .semantics import Expected, execute
from .tables import changed_types, copy_of_registry
from .world import World

if TYPE_CHECKING:
    from lsst.daf.butler import Butler

    from ..engines.base import Engine
    from ..transfer.state import RepositoryState
    from .cells import Invoke
    from .matrix import Matrix

__all__ = ["Invocation", "Judge", "judged"]


@dataclasses.dataclass(frozen=True)
class Invocation:
    """One invocation of the pipeline.

    Parameters
    ----------
    what : `str`
        Its flags, and what was to go wrong.
    required : `str`
        What it must say why it failed; nothing if it must succeed.
    result : `~harness.engines.base.EngineResult`
        What the engine said.
    quanta : `~collections.abc.Mapping` [`str`, `int`]
        How many quanta had to succeed, fail or be blocked.
    findings : `tuple` [`~harness.verdicts.Finding`]
        What is wrong.
    """

    what: str
    required: str
    result: EngineResult
    quanta: Mapping[str, int]
    findings: tuple[Finding, ...]


@dataclasses.dataclass
class Judge:
    """Prepares invocations of one engine, and says what must come of them.

    Parameters
    ----------
    matrix : `~harness.rerun.matrix.Matrix`
        What is run.
    engine : `~harness.engines.base.Engine`
        What runs it.
    compare_seconds : `float`
        Wall time (s) of reading and comparing states so far.
    """

    matrix: Matrix
    engine: Engine
    compare_seconds: float = 0.0
    _butler: Butler | None = None

    def reading(self, repo: Path) -> Butler:
        """Return the one butler with which the repository of a cell is read, up to date."""
        from lsst.daf.butler import Butler

        if self._butler is None:
            self._butler = Butler.from_config(str(repo), writeable=False)
        else:
            self._butler.registry.resetConnectionPool()
            self._butler.registry.refresh()
        return self._butler

    def close(self) -> None:
        """Close the butler."""
        if self._butler is not None:
            self._butler.close()

    @property
    def alone(self) -> Engine:
        """The engine as processes of its own."""
        return QuantumBackedEngine(processes=True) if self.engine.name == "qbb" else PipetaskEngine()

    def request(self, action: Invoke, folder: Path, number: int) -> PipelineRun:
        """Return the request that an action stands for."""
        matrix, first = self.matrix, self.matrix.first
        flags = {name: matrix.named(value) for name, value in action.flags}
        common: dict[str, Any] = {
            "repo": folder / "repo",
            "summary": folder / f"summary-{number}-{action.run}.json",
            "environment": write_plan(folder / f"plan-{number}.json", folder / "repo", self.injections(action)),
        }
        if action.tasks == "all":
            return dataclasses.replace(first, **common, **flags)
        labels = [task.label for task in matrix.scope.tasks]
        chosen = {"both": labels, "first": labels[:1], "second": labels[1:]}[action.tasks]
        pipeline = matrix.pipeline if action.fault else first.pipeline.partition("#")[0]
        run = matrix.run_name(action.run, action.chain)
        if action.one:
            common["data_id_tables"] = (_table(folder, matrix.second.data_id),)
        if action.other_config:
            common["config"] = (*first.config, f"{labels[1]}:saveLogOutput=False")
        if action.saved:
            common["graph"] = folder / f"{action.run}.qg"
        chain = run.rpartition("/")[0]
        return dataclasses.replace(
            first,
            pipeline=f"{pipeline}#{','.join(chosen)}",
            where=matrix.scope.where,
            output=chain,
            output_run=run,
            **{**common, **flags},
        )

    def injections(self, action: Invoke) -> list[Injection]:
        """Return what is to go wrong."""
        if action.fault is None:
            return []
        fault, quantum = action.fault, self.matrix.targets[action.fault.at]
        return [Injection(quantum.label, dict(quantum.data_id), fault.how, fault.after, memory="2GB")]

    def world(self, action: Invoke) -> World:
        """Return the quanta that an action is about."""
        matrix = self.matrix
        if action.one:
            reads = set(matrix.second.reads)
            chosen = tuple(q for q in matrix.world.quanta if q is matrix.second or reads & set(q.outputs))
            return dataclasses.replace(matrix.world, quanta=chosen)
        labels = [task.label for task in matrix.scope.tasks]
        return matrix.world.narrowed({"first": labels[:1], "second": labels[1:]}.get(action.tasks, labels))

    def expected(
        self, state: RepositoryState, action: Invoke, request: PipelineRun, done: Collection[str] = ()
    ) -> Expected:
        """Return what must come of an action."""
        changed = {self.matrix.second.label} if action.other_config else set()
        return execute(
            state,
            self.world(action),
            request,
            self.injections(action),
            done=done,
            transferred=self.engine.name == "qbb",
            changed=changed,
        )


def judged(
    judge: Judge,
    folder: Path,
    state: RepositoryState,
    actions: tuple[Invoke, ...],
    number: int,
    disturb: Callable[[Path], None] | None,
) -> tuple[list[Invocation], RepositoryState]:
    """Run the pipeline, once or twice at the same time, and judge what came of it.

    Parameters
    ----------
    judge : `Judge`
        Knows what must come.
    folder : `~pathlib.Path`
        Has the repository, and receives logs.
    state : `~harness.transfer.state.RepositoryState`
        State of the repository before.
    actions : `tuple` [`~harness.rerun.cells.Invoke`]
        What is run.
    number : `int`
        Place of the action in the cell.
    disturb : `~collections.abc.Callable` or `None`
        Called with the repository before it is looked at.

    Returns
    -------
    invocations : `list` [`Invocation`]
        One for each action; findings on the state are with the last.
    state : `~harness.transfer.state.RepositoryState`
        State of the repository after.
    """
    repo = folder / "repo"
    requests = [judge.request(a, folder, number) for a in actions]
    start = time.perf_counter()
    foreseen = _one_after_another(judge, state, actions, requests)
    untouched = all(e.untouched for e in foreseen)
    before = listing(repo, database=untouched)
    free: set[str] = set()
    if going := {k[0] for k, v in state["artifact"].items() if foreseen[-1].state["artifact"].get(k) != v}:
        free = {*recorded(judge.reading(repo), going)}
    copy = copy_of_registry(repo, folder / "before.sqlite3")
    judge.compare_seconds += time.perf_counter() - start

    results = _run(judge, folder, actions, requests, number)
    if disturb:
        disturb(repo)

    start = time.perf_counter()
    after = listing(repo, database=untouched)
    if untouched and before == after:
        # Not a byte of the database or a file's date has changed: there is nothing to compare.
        expected, actual, on_state = foreseen, state, []
    else:
        with rare_garbage_collection():
            butler = judge.reading(repo)
            changed = changed_types(repo, copy) if copy else None
            actual = capture(butler, since=None if changed is None else (state, changed))
            expected = _one_after_another(judge, state, actions, requests, _succeeded(judge, actual, requests))
            found = differences(butler, expected[-1].state, actual)
            new = {k[0] for k, v in actual["artifact"].items() if state["artifact"].get(k) != v}
            owned = recorded(butler, new)
            wrong = misjudged(repo, owned)
            runs = {r.output_run for r in requests}
            claims = list(_claims(butler, judge.matrix.world, actual, new, runs))
        on_state = [finding(d, _what(actions[-1])) for d in found]
        on_state += [
            Finding(
                f"{_what(actions[-1])}: file {p} has not the size on record",
                where=p,
                seen=f"{n} bytes",
                expected=f"{r} bytes",
            )
            for p, r, n in wrong
        ]
        on_state += claims if not _loses(actions) else []
        on_state += _file_findings(before, after, free, owned, expected[-1])
        if untouched and not on_state:
            on_state.append(Finding(f"{_what(actions[-1])} has written to the database", expected="not a byte changed"))
    invocations = []
    for action, request, result, wanted in zip(actions, requests, results, expected, strict=True):
        findings = [*_ending(action, result, wanted), *_counts(request, wanted)]
        counts = {s: [*wanted.quanta.values()].count(s) for s in ("success", "failure", "skipped")}
        invocations.append(Invocation(_what(action), wanted.error, result, counts, tuple(findings)))
    last = invocations[-1]
    invocations[-1] = dataclasses.replace(last, findings=(*last.findings, *on_state))
    judge.compare_seconds += time.perf_counter() - start
    return invocations, actual


def _one_after_another(
    judge: Judge,
    state: RepositoryState,
    actions: tuple[Invoke, ...],
    requests: list[PipelineRun],
    done: Collection[str] = (),
) -> list[Expected]:
    """Return what must come of actions that do not depend on each other, the last with the state after all."""
    out: list[Expected] = []
    for action, request in zip(actions, requests, strict=True):
        out.append(judge.expected(state, action, request, done))
        state = out[-1].state
    return out


def _run(
    judge: Judge, folder: Path, actions: tuple[Invoke, ...], requests: list[PipelineRun], number: int
) -> list[EngineResult]:
    logs = [folder / f"{number}-{action.run}.log" for action in actions]
    if len(actions) == 1:
        fatal = actions[0].fault is not None and actions[0].fault.how == "kill"
        return [(judge.alone if fatal else judge.engine).run(requests[0], logs[0])]
    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(judge.alone.run, requests, logs))


def _succeeded(judge: Judge, state: RepositoryState, requests: list[PipelineRun]) -> set[str]:
    """Return the names of the quanta that have metadata in the runs of some requests."""
    runs = {r.output_run for r in requests}
    rows = {v[:2] for v in state["dataset"].values() if v[2] in runs}
    return {q.name for q in judge.matrix.world.quanta if q.metadata in rows}


def _ending(action: Invoke, result: EngineResult, expected: Expected) -> list[Finding]:
    """Say whether an invocation ended as it must."""
    out = []
    if action.fails != expected.error:
        # The table says what people are promised, the model how it comes about: neither may change alone.
        out.append(Finding(f"{_what(action)}: the model expects {expected.error!r}, the matrix {action.fails!r}"))
    seen = f"exit code {result.exit_code}" + (f", {result.message}" if result.message else "")
    where = str(result.log)
    if not expected.error and result.exit_code != 0:
        out.append(Finding(f"{_what(action)} failed", where=where, seen=seen, expected="exit code 0"))
    elif expected.error and (result.exit_code == 0 or expected.error not in result.message):
        wanted = f"an exit code other than 0, and {expected.error!r}"
        out.append(Finding(f"{_what(action)} did not fail as it must", where=where, seen=seen, expected=wanted))
    return out


def _counts(request: PipelineRun, expected: Expected) -> list[Finding]:
    """Compare the executor's report on each quantum with what must have become of it."""
    assert request.summary is not None
    if expected.strays is None:
        return []  # a killed process writes no report
    reports: list[dict[str, Any]] = []
    if request.summary.exists():
        reports = json.loads(request.summary.read_text()).get("quantaReports", [])
    seen: dict[str, list[str]] = {}
    for report in reports:
        inside = ", ".join(f"{k}: {v}" for k, v in report["dataId"].items())
        seen.setdefault(f"{report['taskLabel']} {{{inside}}}", []).append(report["status"])
    out = []
    for name in sorted({*seen, *expected.quanta}):
        was, wanted = seen.get(name, []), expected.quanta.get(name)
        if was != ([wanted] if wanted else []):
            text = f"quantum {name} is reported as {' and '.join(was) or 'not run'}"
            out.append(Finding(text, where=str(request.summary), expected=wanted or "not run"))
    return out


def _loses(actions: tuple[Invoke, ...]) -> bool:
    """Say whether an output is to be lost, which its quantum does not know of."""
    return any(a.fault is not None and a.fault.how == "lost" for a in actions)


def _claims(
    butler: Butler, world: World, state: RepositoryState, new: Collection[str], runs: Collection[str | None]
) -> Iterator[Finding]:
    """Compare the outputs that quanta say to have written with those that there are."""
    ids = {(v[2], v[:2]): k[0] for k, v in state["dataset"].items() if v[2] in runs}
    wanted = {ids[run, q.metadata]: (run, q) for run in runs for q in world.quanta if (run, q.metadata) in ids}
    for ref in butler.get_many_datasets(sorted(wanted.keys() & new)):
        run, quantum = wanted[str(ref.id)]
        metadata = butler.get(ref)["quantum"]
        if "outputs" not in metadata:
            continue  # older releases don't say
        said = {str(id_) for id_ in metadata.getArray("outputs")}
        there = {ids[run, row] for row in quantum.outputs if (run, row) in ids}
        if said != there:
            yield Finding(
                f"quantum {quantum.name} has not written the outputs that its metadata name",
                where=f"{ref.datasetType.name} in {run}",
                seen=", ".join(sorted(said)) or "none",
                expected=", ".join(sorted(there)) or "none",
            )


def _file_findings(
    before: Any, after: Any, free: Collection[str], owned: Collection[str], expected: Expected
) -> list[Finding]:
    found = changes(before, after, {*free, *owned}, owned)
    out = [
        Finding(f"file {path} was written again or removed", where=path, expected="the file as it was")
        for path in found.touched
    ]
    if expected.strays is not None and len(found.strays) != expected.strays:
        out += [
            Finding(f"file {path} belongs to no dataset", where=path, expected=f"{expected.strays} such files")
            for path in found.strays or ("-",)
        ]
    return out


def _what(action: Invoke) -> str:
    flags = []
    for name, value in action.flags:
        shown = "" if isinstance(value, bool) else f" {','.join(value) if isinstance(value, tuple) else value}"
        word = f"no-{name}" if value is False else name
        flags.append(f"--{word.replace('_', '-')}{shown}")
    text = " ".join(["run", action.run, *flags])
    if action.fault:
        text += f", with {action.fault.how} at the {action.fault.at} task"
    return text


def _table(folder: Path, data_id: Mapping[str, Any]) -> str:
    """Write a table of one data ID; return its path."""
    from astropy.table import Table

    path = folder / "data-ids.ecsv"
    Table({k: [v] for k, v in data_id.items()}).write(path, overwrite=True)
    return str(path)
