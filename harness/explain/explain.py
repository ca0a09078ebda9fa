"""From a question to its answer: how many quanta there are, or why there are none."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from ..verdicts import Finding
from .build import Built, build
from .core import DATASETS, Space, cores
from .prerequisites import missing_prerequisites
from .question import Question
from .words import cause, unregistered

__all__ = ["Answer", "explain"]


@dataclasses.dataclass(frozen=True)
class Answer:
    """Why a graph is empty, or that it is not.

    Parameters
    ----------
    built : `~harness.explain.build.Built`
        What the middleware made of it.
    causes : `tuple` [`~harness.verdicts.Finding`]
        Why there are no quanta, or could be none; empty if there are.
    """

    built: Built
    causes: tuple[Finding, ...]

    @property
    def empty(self) -> bool:
        """Whether there is no quantum (`bool`)."""
        return not self.built.quanta


def explain(question: Question) -> Answer:
    """Build the graph of a question and, if it is empty or cannot be built, find out why.

    Parameters
    ----------
    question : `~harness.explain.question.Question`
        What is asked for.
    """
    built = build(question)
    return Answer(built, () if built.quanta else tuple(_causes(question, built)))


def _causes(question: Question, built: Built) -> Iterator[Finding]:
    found = False
    for part in question.pipeline.split_independent():
        space = Space(question, part)
        for finding in _part(space):
            found = True
            yield finding
    if not found:
        yield Finding(
            f"the middleware cannot build the graph: {built.error}" if built.error else "every quantum was dropped",
            where=", ".join(question.inputs),
            seen="; ".join(built.said) or built.error,
            expected="quanta",
            remedy="read the tasks named: they found nothing to do with these inputs",
        )


def _part(space: Space) -> Iterator[Finding]:
    """Yield the causes in one independent part of a pipeline."""
    unknown = list(unregistered(space))
    yield from unknown
    names = {f.where for f in unknown}
    contradictions = [c for c in cores(space) if not any(i.kind == DATASETS and i.name in names for i in c)]
    for core in contradictions:
        yield cause(space, core)
    if unknown or contradictions:
        return
    yield from missing_prerequisites(space)
    yield from _made_already(space)


def _made_already(space: Space) -> Iterator[Finding]:
    """Say so if every output of the first tasks is there already."""
    question = space.question
    if not question.skip_existing_in:
        return
    done: dict[str, int] = {}
    for task in space.part.tasks.values():
        name = task.metadata_output.parent_dataset_type_name
        if question.butler.registry.queryDatasetTypes(name):
            refs = question.butler.query_datasets(name, question.skip_existing_in, limit=None, explain=False)
            done[task.label] = len(refs)
    if done and all(done.values()):
        where = ", ".join(question.skip_existing_in)
        yield Finding(
            "every quantum has been run already",
            where=where,
            seen=", ".join(f"{label}: {n}" for label, n in done.items()),
            expected="quanta whose metadata are not there yet",
            look=f"butler query-datasets {{repo}} '*_metadata' --collections {where.replace(' ', '')}",
            remedy="nothing is left to do; to make them again use another output run, or no --skip-existing-in",
        )
