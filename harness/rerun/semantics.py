"""What an invocation of a pipeline leaves, computed from the state before it. Pure functions, no middleware."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from ..transfer.capture import MISSING
from ..transfer.content import ANYTHING
from ..transfer.state import Key, RepositoryState, Value
from .model import PACKAGES, flattened, unknown
from .world import Quantum, Row, World

if TYPE_CHECKING:
    from ..engines.base import PipelineRun
    from .injection import Injection

__all__ = ["EMPTY", "KILLED", "Expected", "execute", "without"]

EMPTY = "QuantumGraph was empty"
"""What is said, with an exit status other than zero, when there is nothing left to do."""

KILLED = "signal SIGKILL"
"""What is said of a process that was killed."""


@dataclasses.dataclass(frozen=True)
class Expected:
    """What must come of an invocation.

    Parameters
    ----------
    state : `~harness.transfer.state.RepositoryState`
        The state after it.
    error : `str`
        What it must say why it failed: the type of an exception, or `EMPTY`; nothing if it must succeed.
    quanta : `~collections.abc.Mapping` [`str`, `str`]
        For each quantum in the graph, by name: ``success``, ``failure`` or ``skipped`` (blocked by a failure), as
        the executor's own report has it.
    untouched : `bool`
        Whether not a byte may have changed.
    strays : `int` or `None`
        How many files may be left of which the repository knows nothing; `None` if any.
    """

    state: RepositoryState
    error: str
    quanta: Mapping[str, str] = dataclasses.field(default_factory=dict)
    untouched: bool = False
    strays: int | None = 0


def execute(
    state: RepositoryState,
    world: World,
    request: PipelineRun,
    injections: Iterable[Injection] = (),
    *,
    done: Collection[str] = (),
    transferred: bool = False,
    changed: Collection[str] = (),
) -> Expected:
    """Compute what an invocation leaves.

    Parameters
    ----------
    state : `~harness.transfer.state.RepositoryState`
        The state before it.
    world : `~harness.rerun.world.World`
        The quanta that its pipeline and data query stand for.
    request : `~harness.engines.base.PipelineRun`
        Collections and flags.
    injections : `~collections.abc.Iterable` [`~harness.rerun.injection.Injection`], optional
        What goes wrong.
    done : `~collections.abc.Collection` [`str`], optional
        If the process is killed: names of the quanta that it had come to before, which is up to the executor.
    transferred : `bool`, optional
        Whether outputs come into the repository after all quanta were executed, rather than one by one.
    changed : `~collections.abc.Collection` [`str`], optional
        Labels of tasks whose configuration is not the one that was used before.

    Returns
    -------
    expected : `Expected`
        What must come.
    """
    if error := _refusal(state, request):
        return Expected(state, error, untouched=True)
    assert request.output_run is not None
    run = request.output_run
    have = _Holdings(state)
    searched = [c for name in request.skip_existing_in for c in flattened(state, name)]
    if request.extend_run or (request.skip_existing and have.run_exists(run)):
        searched.append(run)
    todo = [q for q in world.quanta if not have.any(searched, q.metadata)]
    # What a skipped quantum did not write is read by nobody: who needs it has nothing to do.
    todo = _possible(todo, world, have, searched)
    if not todo:
        return Expected(state, EMPTY, untouched=True)
    clobber = request.clobber_outputs and request.extend_run
    in_the_way = {id_ for q in todo for row in q.all_outputs if (id_ := have.get(run, row))}
    if in_the_way and not clobber:
        return Expected(state, "OutputExistsError", untouched=True)
    labels = {q.label for q in todo}
    if any(have.get(run, (f"{label}_config", ())) for label in labels & set(changed)):
        return Expected(state, "ConflictingDefinitionError", untouched=True)
    outcome = _outcomes(todo, injections, request, done, transferred)
    if transferred and outcome.killed:
        # Nothing was registered, and the files that are there belong to nobody.
        return Expected(state, KILLED, untouched=False, strays=None)
    after = without(_collections(state, world, request), in_the_way - outcome.kept(have, run))
    after = _written(after, world, run, outcome, labels, have)
    return Expected(after, outcome.error, outcome.quanta, strays=None if outcome.killed else outcome.strays)


class _Holdings:
    """Which datasets the runs of a state have."""

    def __init__(self, state: RepositoryState) -> None:
        self._state = state
        self._ids = {(run, (type_, values)): id_ for (id_,), (type_, values, run) in state["dataset"].items()}
        self._gone = {k[0] for k, v in state["artifact"].items() if v[-1] == MISSING}
        self._stored = {k[0] for k in state["artifact"]}

    def run_exists(self, run: str) -> bool:
        return (run,) in self._state["collection"]

    def get(self, run: str, row: Row) -> str | None:
        return self._ids.get((run, row))

    def any(self, runs: Iterable[str], row: Row) -> str | None:
        return next((id_ for run in runs if (id_ := self.get(run, row))), None)

    def lost(self, id_: str | None) -> bool:
        """Say whether the file of a dataset is gone."""
        return id_ in self._gone


def _refusal(state: RepositoryState, request: PipelineRun) -> str:
    """Return the exception with which an invocation is refused before anything is done."""
    exists = (request.output,) in state["collection"]
    run_exists = (request.output_run,) in state["collection"]
    (chain,) = state["chain"].get((request.output,), ((),))
    if request.prune_replaced and not request.replace_run:
        return "ValueError"
    if request.replace_run and not exists:
        return "ValueError"
    if request.extend_run != run_exists:
        return "ValueError"
    if request.rebase:
        return "" if str(request.output_run).startswith(request.output) else "ValueError"
    return "" if not exists or _contiguous(_flat(state, request.inputs), chain) else "ValueError"


def _flat(state: RepositoryState, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(c for name in names for c in flattened(state, name)))


def _contiguous(part: Sequence[str], whole: Sequence[str]) -> bool:
    return any(tuple(whole[n : n + len(part)]) == tuple(part) for n in range(1 + len(whole) - len(part)))


def _collections(state: RepositoryState, world: World, request: PipelineRun) -> RepositoryState:
    """Return the state after collections were made, chained, replaced and pruned, before anything is written."""
    chain, run = request.output, request.output_run
    inputs = _flat(state, request.inputs)
    exists = (chain,) in state["collection"]
    children = flattened(state, chain) if exists else inputs
    if request.rebase and exists and not _contiguous(inputs, children):
        own = [c for c in children if c.startswith(chain)]
        rest = [c for c in inputs if c not in own]
        children = (*own, *rest, *(c for c in children if c not in {*own, *rest}))
    if request.replace_run:
        replaced, children = children[0], children[1:]
        state = _pruned(state, world, replaced, request.prune_replaced)
    if not request.extend_run:
        children = (str(run), *children)
    elif exists:
        (children,) = state["chain"][chain,]
    return state.replace(
        collection={
            **state["collection"],
            (chain,): state["collection"].get((chain,), ("CHAINED", "")),
            (run,): ("RUN", ""),
        },
        chain={**state["chain"], (chain,): (children,)},
    )


def _pruned(state: RepositoryState, world: World, run: str, how: str | None) -> RepositoryState:
    """Return the state after a replaced run was pruned."""
    if how == "purge":
        gone = without(state, set(state.ids(runs=[run])))
        return gone.replace(collection={k: v for k, v in state["collection"].items() if k != (run,)})
    if how == "unstore":
        types = {row[0] for q in world.quanta for row in q.all_outputs}
        ids = set(state.ids(types, [run]))
        return state.replace(artifact={k: v for k, v in state["artifact"].items() if k[0] not in ids})
    return state


def without(state: RepositoryState, ids: Collection[str]) -> RepositoryState:
    """Return a state without some datasets and their memberships."""
    return state.replace(
        dataset={k: v for k, v in state["dataset"].items() if k[0] not in ids},
        artifact={k: v for k, v in state["artifact"].items() if k[0] not in ids},
        tag={k: v for k, v in state["tag"].items() if k[1] not in ids},
        certification={k: v for k, v in state["certification"].items() if k[1] not in ids},
    )


def _possible(todo: list[Quantum], world: World, have: _Holdings, searched: list[str]) -> list[Quantum]:
    """Return the quanta that have something to read."""
    out: list[Quantum] = []
    for quantum in todo:
        makes = {row for q in out for row in q.outputs}
        owners = {row for q in world.quanta for row in q.outputs}
        missing = {r for r in quantum.reads if r in owners and r not in makes and not have.any(searched, r)}
        if not _starved(quantum, missing):
            out.append(quantum)
    return out


def _starved(quantum: Quantum, missing: Collection[Row]) -> bool:
    """Say whether a quantum lacks all inputs of a type that it cannot do without."""
    types: dict[str, list[bool]] = {}
    for row in quantum.reads:
        types.setdefault(row[0], []).append(row in missing)
    return any(all(gone) for type_, gone in types.items() if type_ not in quantum.optional)


@dataclasses.dataclass
class _Outcome:
    """What becomes of each quantum."""

    quanta: dict[str, str] = dataclasses.field(default_factory=dict)
    rows: dict[Row, str] = dataclasses.field(default_factory=dict)
    """What is written, with `ANYTHING` if it need not say the same as in the run that the world is of, `MISSING` if
    its file is gone."""
    reached: list[Quantum] = dataclasses.field(default_factory=list)
    error: str = ""
    killed: bool = False
    strays: int = 0

    def kept(self, have: _Holdings, run: str) -> set[str]:
        """Return the ids of what is in the way of quanta that nobody came to."""
        reached = {row for q in self.reached for row in q.all_outputs}
        return {id_ for (owner, row), id_ in have._ids.items() if owner == run and row not in reached}


def _outcomes(
    todo: list[Quantum],
    injections: Iterable[Injection],
    request: PipelineRun,
    done: Collection[str],
    transferred: bool,
) -> _Outcome:
    """Follow the quanta in their order."""
    out = _Outcome()
    plan = {(i.label, *i.data_id.items()): i for i in injections}
    owners = {row: q.name for q in todo for row in q.outputs}
    wanted = {(q.label, *q.data_id.items()): q for q in todo}
    out.killed = any(i.how == "kill" and k in wanted for k, i in plan.items())
    out.error = KILLED if out.killed else ""
    for quantum in todo:
        injection = plan.get((quantum.label, *quantum.data_id.items()))
        if injection and injection.how == "memory" and _bytes(request.memory) >= _bytes(injection.memory):
            injection = None
        upstream = {owners[r] for r in quantum.reads if r in owners}
        if out.killed and not (injection or (quantum.name in done and upstream <= out.quanta.keys())):
            continue
        if any(out.quanta.get(name, "success") != "success" for name in upstream):
            out.quanta[quantum.name] = "skipped"
            continue
        out.reached.append(quantum)
        # What has lost its file counts as not written.
        missing = {r for r in quantum.reads if r in owners and out.rows.get(r, MISSING) == MISSING}
        if _starved(quantum, missing):
            out.quanta[quantum.name] = "success"
            out.rows |= dict.fromkeys(_said(quantum), "")
            continue
        error = ""
        if injection:
            error = _strike(injection, quantum, request, out, transferred)
            if injection.how == "kill":
                continue
        else:
            changed = missing or any(out.rows.get(r) == ANYTHING for r in quantum.reads)
            out.rows |= dict.fromkeys(quantum.outputs, ANYTHING if changed else "")
        out.quanta[quantum.name] = "failure" if error else "success"
        out.error = out.error or error
        out.rows |= dict.fromkeys((r for r in _said(quantum) if not (error and r == quantum.metadata)), "")
    return out


def _strike(injection: Injection, quantum: Quantum, request: PipelineRun, out: _Outcome, transferred: bool) -> str:
    """Note what a quantum leaves that goes wrong; return the type of its exception."""
    written = quantum.outputs[: injection.after]
    if injection.how == "lost":
        out.rows |= dict.fromkeys(quantum.outputs, "")
        if transferred:  # what is transferred is what there are files of
            del out.rows[quantum.outputs[injection.after]]
        else:
            out.rows[quantum.outputs[injection.after]] = MISSING
        return ""
    out.rows |= dict.fromkeys(written, "")
    if injection.how == "orphan" and transferred:
        out.rows[quantum.outputs[injection.after]] = ANYTHING
    elif injection.how == "orphan":
        out.strays += 1
    if injection.how == "partial" and not request.raise_on_partial_outputs:
        return ""
    return "MemoryError" if injection.how == "memory" else "InjectedError"


def _said(quantum: Quantum) -> tuple[Row, ...]:
    return (quantum.metadata, *((quantum.log,) if quantum.log else ()))


def _bytes(memory: str) -> float:
    """Read an amount of memory, like ``2GB``."""
    units = {"GB": 1e9, "MB": 1e6, "kB": 1e3, "B": 1.0}
    number = memory.rstrip("GMkB")
    return float(number) * units[memory[len(number) :]] if memory else 0.0


def _written(
    state: RepositoryState, world: World, run: str, outcome: _Outcome, labels: Collection[str], have: _Holdings
) -> RepositoryState:
    """Return the state with what the quanta and the tasks themselves have written."""
    init = [(type_, ()) for label in sorted(labels) for type_ in world.init[label]] + [(PACKAGES, ())]
    rows = dict(outcome.rows) | {row: "" for row in init if not have.get(run, row)}
    components: dict[Row, list[tuple[str, Value]]] = {}
    for (type_, values, component), value in world.files.items():
        components.setdefault((type_, values), []).append((component, value))
    datasets: dict[Key, Value] = {}
    artifacts: dict[Key, Value] = {}
    for row, how in rows.items():
        id_ = unknown(*row, run)
        datasets[id_,] = (*row, run)
        for component, (formatter, storage_class, digest) in components.get(row, ()):
            says = MISSING if how == MISSING else ANYTHING if ANYTHING in {how, digest} else digest
            artifacts[id_, component] = (formatter, storage_class, None, says)
    # More software may have been imported since: the versions of a run may be written again.
    versions = have.get(run, (PACKAGES, ()))
    noted = {k: (*v[:2], None, ANYTHING) for k, v in state["artifact"].items() if k[0] == versions}
    return state.replace(dataset={**state["dataset"], **datasets}, artifact={**state["artifact"], **noted, **artifacts})
