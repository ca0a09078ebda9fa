"""The smallest sets of constraints of a question that nothing satisfies together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lsst.daf.butler import DimensionGroup
    from lsst.daf.butler.queries import Query
    from lsst.pipe.base.pipeline_graph import PipelineGraph

    from .question import Question

__all__ = ["Constraint", "Space", "cores", "shrink"]

TERM, DATASETS, RECORDS = "term", "datasets", "records"


@dataclasses.dataclass(frozen=True)
class Constraint:
    """One thing that a data ID of the graph must fulfil.

    Parameters
    ----------
    kind : `str`
        ``term``: a part of the data query; ``datasets``: an overall input must be in the input collections;
        ``records``: a dimension must have a record that joins to the others.
    name : `str`
        The expression, dataset type or dimension.
    """

    kind: str
    name: str


class Space:
    """The data IDs of one independent part of a pipeline, under any choice of constraints.

    Parameters
    ----------
    question : `~harness.explain.question.Question`
        What is asked for.
    part : `lsst.pipe.base.pipeline_graph.PipelineGraph`
        The part of the pipeline.
    """

    def __init__(self, question: Question, part: PipelineGraph) -> None:
        self.question = question
        self.part = part
        nodes = [node for _, node in part.iter_overall_inputs() if node is not None]
        self.inputs = {
            n.name: n for n in nodes if n.is_initial_query_constraint and n.dimensions and not n.is_prerequisite
        }
        dimensions = part.get_all_dimensions(prerequisites=False)
        self.dimensions = [d for d in dimensions.names if d not in dimensions.skypix]

    def constraints(self) -> list[Constraint]:
        """Return all constraints, those first that explain least when there is a choice."""
        data_id = [f"{k} = {v!r}" for k, v in self.part.data_id.mapping.items()]
        terms = [Constraint(TERM, t) for t in (*self.question.terms, *data_id)]
        datasets = [Constraint(DATASETS, name) for name in sorted(self.inputs)]
        # Each dimension after those that depend on it: without days there are no exposures either.
        ranked = sorted(self.dimensions, key=lambda d: -len(self._conform([d])))
        return [*terms, *datasets, *(Constraint(RECORDS, d) for d in ranked)]

    def satisfiable(self, constraints: Iterable[Constraint]) -> bool:
        """Tell whether there is a data ID that fulfils some constraints."""
        from lsst.daf.butler import EmptyQueryResultError, InvalidQueryError, MissingDatasetTypeError

        chosen = list(constraints)
        try:
            with self.question.butler.query() as query:
                return bool(self.narrow(query, chosen).any())
        except (MissingDatasetTypeError, EmptyQueryResultError):
            return False
        except InvalidQueryError:
            return True  # it makes no sense without a constraint that was left out, so that one stays

    def narrow(self, query: Query, constraints: Sequence[Constraint]) -> Query:
        """Apply constraints to a query."""
        names = [c.name for c in constraints if c.kind == RECORDS]
        query = query._skip_governor_validation().join_dimensions(self._conform(names))
        for constraint in constraints:
            if constraint.kind == DATASETS:
                query = query.join_dataset_search(constraint.name, self.question.inputs)
            elif constraint.kind == TERM:
                query = query.where(constraint.name)
        return query

    def needs(self, constraint: Constraint) -> frozenset[str]:
        """Return the dimensions that must have records for a constraint to be fulfilled."""
        match constraint.kind:
            case "records":
                return frozenset(self._conform([constraint.name]).names)
            case "datasets":
                return frozenset(self.inputs[constraint.name].dimensions.names)
            case _:
                with self.question.butler.query() as query:
                    used = query._skip_governor_validation().where(constraint.name)
                return frozenset(used.constraint_dimensions.names)

    def _conform(self, names: Iterable[str]) -> DimensionGroup:
        return self.question.butler.dimensions.conform(names)


def shrink[T](items: Sequence[T], fails: Callable[[Sequence[T]], bool]) -> list[T]:
    """Return a smallest part of a sequence for which a condition fails as it does for the whole.

    Parameters
    ----------
    items : `~collections.abc.Sequence`
        The whole, for which it fails; what comes first is left out first.
    fails : `~collections.abc.Callable`
        Must not begin to fail when something is left out.

    Returns
    -------
    core : `list`
        Left out any one of these, it does not fail any more.
    """
    core = list(items)
    for item in items:
        rest = [i for i in core if i is not item]
        if fails(rest):
            core = rest
    return core


def cores(space: Space, at_most: int = 5) -> Iterator[list[Constraint]]:
    """Find the smallest sets of constraints that nothing satisfies.

    Parameters
    ----------
    space : `Space`
        The data IDs.
    at_most : `int`, optional
        How many causes to look for.

    Yields
    ------
    core : `list` [`Constraint`]
        Constraints that contradict each other, or one that nothing fulfils. Each is independent of those before.
    """
    left = space.constraints()
    for _ in range(at_most):
        if not left or space.satisfiable(left):
            return
        core = shrink(left, lambda some: not space.satisfiable(some))
        yield core
        culprit = core[0]
        gone = {culprit.name} if culprit.kind == RECORDS else frozenset()
        # What cannot be without the culprit says nothing new.
        left = [c for c in left if c != culprit and not (gone and space.needs(c) & gone)]
