"""The stage graph: what comes before what."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from ..errors import HarnessError, nearest
from ..stage import Stage

__all__ = ["StageGraph"]

PROCESS = "process"
"""The stage that runs an instrument's pipeline."""


class StageGraph:
    """Stages, in an order in which each finds what it needs.

    Parameters
    ----------
    stages : `~collections.abc.Iterable` [`Stage`]
        All stages.
    capabilities : `frozenset` [`str`]
        What the instrument can do; stages that need more are left out.

    Raises
    ------
    HarnessError
        If a stage refers to one that does not exist, or there is a cycle.
    """

    def __init__(self, stages: Iterable[Stage], capabilities: frozenset[str]) -> None:
        everything = {s.name: s for s in stages}
        for stage in everything.values():
            for name in parents(stage):
                if name not in everything:
                    error = nearest("stage", name, everything)
                    raise HarnessError(f"stage {stage.name!r} needs {name!r}: {error}", code="stage-graph")
        try:
            order = list(TopologicalSorter({n: parents(s) for n, s in everything.items()}).static_order())
        except CycleError as error:
            raise HarnessError(f"stages form a cycle: {' → '.join(error.args[1])}", code="stage-graph") from error
        # Stages that do not depend on one another keep the order in which they were given.
        given = list(everything)
        self.skipped: dict[str, str] = {}
        self.stages: dict[str, Stage] = {}
        for name in sorted(order, key=lambda n: (len(_ancestors(n, everything)), given.index(n))):
            stage = everything[name]
            missing = sorted(stage.capabilities - capabilities)
            blocked = [p for p in stage.needs if p in self.skipped]
            if missing:
                self.skipped[name] = f"needs capability {', '.join(missing)}"
            elif blocked:
                self.skipped[name] = f"needs stage {blocked[0]}"
            else:
                # A stage that does not apply leaves the repository as it was: start from the one before it.
                extends = stage.extends
                while extends in self.skipped:
                    extends = everything[extends].extends
                self.stages[name] = dataclasses.replace(stage, extends=extends)

    def ancestors(self, name: str) -> set[str]:
        """Return the names of all stages that come before one (`set` [`str`])."""
        return _ancestors(name, self.stages)

    @property
    def trunk(self) -> str:
        """The last stage that others start from: its repository holds all that the dataset brings."""
        started_from = {s.extends for s in self.stages.values()}
        return [n for n in self.stages if n in started_from][-1]

    @property
    def ready(self) -> str:
        """The stage after which pipelines can run: exposures and calibrations are there."""
        process = self.stages.get(PROCESS)
        return process.extends if process and process.extends else self.trunk

    def until(self, name: str | None) -> list[Stage]:
        """Return the stages up to and including one, or all of them, in order.

        Raises
        ------
        HarnessError
            If there is no such stage.
        """
        if name is None:
            return list(self.stages.values())
        if name in self.skipped:
            raise HarnessError(f"stage {name!r} does not apply: {self.skipped[name]}", code="stage-graph")
        if name not in self.stages:
            raise nearest("stage", name, self.stages)
        wanted = self.ancestors(name) | {name}
        return [s for n, s in self.stages.items() if n in wanted]


def parents(stage: Stage) -> tuple[str, ...]:
    """Return the names of the stages that one depends on directly."""
    return (*((stage.extends,) if stage.extends else ()), *stage.needs)


def _ancestors(name: str, stages: Mapping[str, Stage]) -> set[str]:
    out: set[str] = set()
    todo = [name]
    while todo:
        for parent in parents(stages[todo.pop()]):
            if parent not in out:
                out.add(parent)
                todo.append(parent)
    return out
