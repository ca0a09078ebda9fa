"""The engine that executes quanta without a registry, as batch systems do."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from .base import EngineResult, PipelineRun
from .inprocess import run_in_process
from .pipetask import run_as_processes
from .steps import quantum_backed

__all__ = ["QuantumBackedEngine"]


@dataclasses.dataclass(frozen=True)
class QuantumBackedEngine:
    """Builds a quantum graph, executes it with quantum-backed butlers, and transfers the results.

    ``pipetask qgraph``, ``pre-exec-init-qbb`` and ``run-qbb``, then ``butler transfer-from-graph``, which puts the
    new run at the head of the output chain. The last step also follows a failed execution.

    Parameters
    ----------
    processes : `bool`, optional
        Run each command as a process of its own, rather than in this one.
    """

    name: str = "qbb"
    title: str = "quantum-backed butler in this process, then transfer"
    processes: bool = False

    def run(self, request: PipelineRun, log: Path) -> EngineResult:
        """Build the quantum graph, execute it and transfer; see `~harness.engines.base.Engine`."""
        steps = quantum_backed(request, log.absolute())
        return (run_as_processes if self.processes else run_in_process)(steps, request, log)
