"""Running the cells of the rerun matrix, each on a fork of a processed repository."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..errors import HarnessError
from ..transfer.capture import capture
from ..transfer.content import content_digests
from ..verdicts import Check, CheckResult, Finding, Verdict
from .cells import Cell, Invoke, Prune, Register, Together
from .invocation import Invocation, Judge, judged
from .scope import Scope, choose_several, shapes
from .semantics import without
from .world import Quantum, World, world

if TYPE_CHECKING:
    from ..engines.base import Engine, PipelineRun
    from ..transfer.state import RepositoryState

__all__ = ["CellOutcome", "Matrix"]

Disturb = Mapping[int, Callable[[Path], None]]
Fork = Callable[[Path, Path], None]


@dataclasses.dataclass(frozen=True)
class CellOutcome:
    """What came of a cell with one engine.

    Parameters
    ----------
    cell : `~harness.rerun.cells.Cell`
        The cell.
    engine : `str`
        Name of the engine.
    result : `~harness.verdicts.CheckResult` or `None`
        Verdict and findings; `None` if the cell does not apply.
    reason : `str`
        Why it does not apply.
    invocations : `tuple` [`~harness.rerun.invocation.Invocation`]
        Each run of the pipeline, with what was expected of it.
    seconds, compare_seconds : `float`
        Wall time (s), and the part of it that went into reading and comparing states.
    repo : `~pathlib.Path` or `None`
        The repository afterwards, if it is kept.
    """

    cell: Cell
    engine: str
    result: CheckResult | None
    reason: str = ""
    invocations: tuple[Invocation, ...] = ()
    seconds: float = 0.0
    compare_seconds: float = 0.0
    repo: Path | None = None

    @property
    def verdict(self) -> Verdict | None:
        """The verdict; `None` if the cell does not apply."""
        return self.result.verdict if self.result else None


class Matrix:
    """A processed repository, and what is run again of it.

    Parameters
    ----------
    first : `~harness.engines.base.PipelineRun`
        The invocation that processed it; its ``repo`` is only read, ``output_run`` is the run that has the outputs.
    folder : `~pathlib.Path`
        Work folder, of its own.
    fork : `~collections.abc.Callable`
        Makes a writable copy of a repository, given its path and a new one.
    keep : `bool`, optional
        Whether to keep the repositories of cells that pass, too.

    Raises
    ------
    HarnessError
        If the repository has no outputs to be made again.
    """

    def __init__(self, first: PipelineRun, folder: Path, fork: Fork, *, keep: bool = False) -> None:
        from lsst.daf.butler import Butler

        from .injection import write_pipeline

        start = time.perf_counter()
        self.first, self.folder, self.fork, self.keep = first, folder, fork, keep
        folder.mkdir(parents=True, exist_ok=True)
        run = str(first.output_run)
        with Butler.from_config(str(first.repo), writeable=False) as butler:
            self.before = capture(butler)
            self.scope: Scope = choose_several(butler, self.before, shapes(butler, first.pipeline), run, first.where)
            ids = {*self.scope.ids(self.before, run, self.scope.quanta), *self.scope.init_ids(self.before, run)}
            contents = content_digests(butler, ids)
        self.world: World = world(self.before, self.scope.tasks, self.scope.quanta, run, contents)
        self.second: Quantum = self.world.quanta[-1]
        self.targets = {
            "first": next(q for q in self.world.quanta if set(q.outputs) & set(self.second.reads)),
            "second": self.second,
        }
        self.pipeline = folder / "pipeline.yaml"
        write_pipeline(first.pipeline.partition("#")[0], self.pipeline)
        self._prepared: dict[tuple[Any, ...], _Place] = {}
        self.seconds = time.perf_counter() - start

    def run(
        self, cell: Cell, engine: Engine, cells: Iterable[Cell] = (), disturb: Disturb = MappingProxyType({})
    ) -> CellOutcome:
        """Run one cell.

        Parameters
        ----------
        cell : `~harness.rerun.cells.Cell`
            The cell.
        engine : `~harness.engines.base.Engine`
            What executes the quanta.
        cells : `~collections.abc.Iterable` [`~harness.rerun.cells.Cell`], optional
            All cells that are going to be run with it: what several have in common is done once.
        disturb : `~collections.abc.Mapping`, optional
            By number of an action what is called with the repository before it is looked at: imitates a middleware
            that does something else.
        """
        if cell.engines and engine.name not in cell.engines:
            return CellOutcome(cell, engine.name, None, cell.why)
        start = time.perf_counter()
        place = self._start(cell, engine, min(disturb, default=len(cell.actions)))
        judge = Judge(self, engine)
        reason = ""
        others = [c.actions for c in cells if c is not cell]
        try:
            for number, action in enumerate(cell.actions[len(place.done) :], len(place.done)):
                self._act(judge, place, action, number, disturb.get(number))
                begun = cell.actions[: number + 1]
                if not place.findings and any(o[: len(begun)] == begun and len(o) > len(begun) for o in others):
                    self._store(engine, place)
        except HarnessError as error:
            if error.code != "engine-flag":
                raise
            shutil.rmtree(place.folder)
            return CellOutcome(cell, engine.name, None, str(error.args[0]))
        except Exception as error:  # as with any check: a crash is a verdict, and is reported
            import traceback

            reason = f"crashed: {type(error).__name__}: {error}"
            (place.folder / "traceback.txt").write_text(traceback.format_exc())
        finally:
            judge.close()
        seconds = time.perf_counter() - start
        verdict = Verdict.FAIL if place.findings else Verdict.UNKNOWN if reason else Verdict.PASS
        result = CheckResult(_check(cell), engine.name, verdict, tuple(place.findings), place.examined, seconds, reason)
        repo: Path | None = place.repo
        if verdict is Verdict.PASS and not self.keep:
            shutil.rmtree(place.folder)
            repo = None
        invocations = tuple(place.invocations)
        return CellOutcome(cell, engine.name, result, "", invocations, seconds, judge.compare_seconds, repo)

    def close(self) -> None:
        """Remove what was kept for other cells."""
        for place in self._prepared.values():
            shutil.rmtree(place.folder)
        self._prepared.clear()

    # --- places ------------------------------------------------------------------------------------

    def _start(self, cell: Cell, engine: Engine, most: int) -> _Place:
        """Make a fork for a cell: of what another one has done already, as far as both begin alike."""
        folder = self.folder / f"{cell.id}-{engine.name}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for length in range(min(most, len(cell.actions) - 1), 0, -1):
            if done := self._prepared.get((engine.name, cell.actions[:length])):
                self.fork(done.repo, folder / "repo")
                return dataclasses.replace(
                    done, folder=folder, findings=[], invocations=list(done.invocations), done=list(done.done)
                )
        self.fork(self.first.repo, folder / "repo")
        return _Place(folder, self.before)

    def _store(self, engine: Engine, place: _Place) -> None:
        key = (engine.name, tuple(place.done))
        if key not in self._prepared:
            folder = self.folder / f"prepared-{engine.name}-{len(self._prepared)}"
            shutil.rmtree(folder, ignore_errors=True)
            self.fork(place.repo, folder / "repo")
            self._prepared[key] = dataclasses.replace(
                place, folder=folder, invocations=list(place.invocations), done=list(place.done)
            )

    # --- actions -----------------------------------------------------------------------------------

    def _act(
        self, judge: Judge, place: _Place, action: Any, number: int, disturb: Callable[[Path], None] | None
    ) -> None:
        place.done.append(action)
        match action:
            case Prune():
                self._prune(place, action)
            case Register():
                self._register(place)
            case Invoke():
                self._invoke(judge, place, (action,), number, disturb)
            case Together(both):
                self._invoke(judge, place, both, number, disturb)

    def _invoke(
        self,
        judge: Judge,
        place: _Place,
        actions: tuple[Invoke, ...],
        number: int,
        disturb: Callable[[Path], None] | None,
    ) -> None:
        invocations, place.state = judged(judge, place.folder, place.state, actions, number, disturb)
        place.invocations += invocations
        place.findings += [f for i in invocations for f in i.findings]
        place.examined += len(place.state["dataset"])

    def _prune(self, place: _Place, action: Prune) -> None:
        from lsst.daf.butler import Butler

        run = self.run_name(action.run)
        rows = {row for at in action.at for row in _rows(self.targets[at], action.what)}
        ids = {k[0] for k, v in place.state["dataset"].items() if v[2] == run and v[:2] in rows}
        with Butler.from_config(str(place.repo), writeable=True) as butler:
            butler.pruneDatasets(butler.get_many_datasets(sorted(ids)), disassociate=True, unstore=True, purge=True)
        place.state = without(place.state, ids)

    def _register(self, place: _Place) -> None:
        from lsst.daf.butler import Butler

        with Butler.from_config(str(place.repo), writeable=True) as butler:
            butler.collections.register(self.extra)
        collections = {**place.state["collection"], (self.extra,): ("RUN", "")}
        place.state = place.state.replace(collection=collections)

    # --- names -------------------------------------------------------------------------------------

    def run_name(self, letter: str, chain: str = "cell") -> str:
        """Return the name of a run of a cell."""
        return f"{self.first.output}/{chain}/{letter}"

    @property
    def extra(self) -> str:
        """Name of the run that a cell may register."""
        return f"{self.first.output}/extra"

    def named(self, value: Any) -> Any:
        """Put the names of collections in the place of words in braces."""
        if isinstance(value, tuple):
            return tuple(
                v for word in value for v in (self.first.inputs if word == "{inputs}" else (self.named(word),))
            )
        if not isinstance(value, str):
            return value
        names: Mapping[str, str] = {letter: self.run_name(letter) for letter in "ab"}
        return value.format(output=self.first.output, extra=self.extra, **names)


@dataclasses.dataclass
class _Place:
    """A repository in which a cell is run, and what has been seen so far."""

    folder: Path
    state: RepositoryState
    findings: list[Finding] = dataclasses.field(default_factory=list)
    invocations: list[Invocation] = dataclasses.field(default_factory=list)
    done: list[Any] = dataclasses.field(default_factory=list)
    examined: int = 0

    @property
    def repo(self) -> Path:
        return self.folder / "repo"


def _rows(quantum: Quantum, what: str) -> tuple[Any, ...]:
    return {"all": quantum.all_outputs, "metadata": (quantum.metadata,), "outputs": quantum.outputs}[what]


def _check(cell: Cell) -> Check:
    """Return the check that stands for a cell in reports; it has been run already."""
    return Check(f"rerun.{cell.id}", cell.title, cell.rationale, "rerun", "process", lambda _: ())
