"""What the middleware itself says when it builds the graph."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .question import Question

__all__ = ["Built", "build"]

LOGGER = "lsst.pipe.base"


@dataclasses.dataclass(frozen=True)
class Built:
    """How building a graph ended.

    Parameters
    ----------
    quanta : `~collections.abc.Mapping` [`str`, `int`]
        How many there are of each task; tasks without are left out.
    said : `tuple` [`str`]
        What the middleware said about tasks that it dropped, and its warnings.
    error : `str`
        What it raised; empty if it did not.
    """

    quanta: Mapping[str, int]
    said: tuple[str, ...]
    error: str = ""


class _Listener(logging.Handler):
    """Keeps what speaks of what is not in the graph."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.levelno > logging.INFO or "no quanta remain" in text or "no work" in text:
            self.said.append(text.partition("\nTo reproduce")[0])


def build(question: Question, output_run: str = "harness/explain") -> Built:
    """Build the graph as ``pipetask qgraph`` does; nothing is written.

    Parameters
    ----------
    question : `~harness.explain.question.Question`
        What is asked for.
    output_run : `str`, optional
        Name of a run that does not exist.
    """
    from lsst.pipe.base.all_dimensions_quantum_graph_builder import AllDimensionsQuantumGraphBuilder

    log, listener = logging.getLogger(LOGGER), _Listener()
    level, propagate = log.level, log.propagate
    log.addHandler(listener)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        builder = AllDimensionsQuantumGraphBuilder(
            question.pipeline.copy(),
            question.butler,
            where=question.where,
            input_collections=question.inputs,
            output_run=output_run,
            skip_existing_in=question.skip_existing_in,
        )
        graph = builder.finish(attach_datastore_records=False).assemble()
    except Exception as error:  # tasks raise what they like while quanta are adjusted; it is told to the user
        lines = str(error).strip().splitlines()
        return Built({}, tuple(listener.said), f"{type(error).__name__}: {lines[0] if lines else ''}")
    finally:
        log.removeHandler(listener)
        log.setLevel(level)
        log.propagate = propagate
    counts = {label: len(quanta) for label, quanta in graph.quanta_by_task.items() if quanta}
    return Built(counts, tuple(listener.said))
