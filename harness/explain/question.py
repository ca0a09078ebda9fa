"""What a quantum graph is asked for: a pipeline, input collections and a data query."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import HarnessError, UsageError

if TYPE_CHECKING:
    from lsst.daf.butler import Butler
    from lsst.pipe.base.pipeline_graph import PipelineGraph

__all__ = ["Question", "ask", "conjuncts"]


@dataclasses.dataclass(frozen=True)
class Question:
    """What is asked for.

    Parameters
    ----------
    butler : `lsst.daf.butler.Butler`
        The repository, opened for reading.
    pipeline : `lsst.pipe.base.pipeline_graph.PipelineGraph`
        Resolved with the repository.
    inputs : `tuple` [`str`]
        Input collections, in search order.
    terms : `tuple` [`str`]
        The data query, split where it says AND.
    skip_existing_in : `tuple` [`str`]
        Collections whose outputs need not be made again.
    """

    butler: Butler
    pipeline: PipelineGraph
    inputs: tuple[str, ...]
    terms: tuple[str, ...]
    skip_existing_in: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """The data query (`str`)."""
        return " AND ".join(f"({t})" for t in self.terms)


def ask(
    butler: Butler, pipeline: str, query: str, inputs: Sequence[str], skip_existing_in: Sequence[str] = ()
) -> Question:
    """Read a pipeline and a query.

    Parameters
    ----------
    butler : `lsst.daf.butler.Butler`
        The repository.
    pipeline : `str`
        URI of the pipeline, optionally with ``#subset``.
    query : `str`
        Data query; may be empty.
    inputs, skip_existing_in : `~collections.abc.Sequence` [`str`]
        Collections.

    Raises
    ------
    HarnessError
        If the pipeline cannot be read, does not fit the repository, or has no task; if the query is no expression.
    """
    from lsst.pipe.base import Pipeline

    try:
        graph = Pipeline.from_uri(pipeline).to_graph()
        graph.resolve(butler.registry)
        graph.sort()
    except Exception as error:  # whatever a pipeline's code raises, the user is told which pipeline it was
        raise UsageError(f"pipeline {pipeline} cannot be used: {type(error).__name__}: {_first(error)}") from error
    if not graph.tasks:
        raise UsageError(f"pipeline {pipeline} has no task", remedy="name another subset after #")
    terms = tuple(conjuncts(query))
    for term in terms:
        _understood(butler, term)
    return Question(butler, graph, tuple(inputs), terms, tuple(skip_existing_in))


def _understood(butler: Butler, term: str) -> None:
    """Raise unless the repository knows what a part of a query speaks of."""
    from lsst.daf.butler import InvalidQueryError

    try:
        with butler.query() as query:
            query._skip_governor_validation().where(term)
    except InvalidQueryError as error:
        raise HarnessError(f"query term {term!r} cannot be understood: {_first(error)}", code="query") from error


def conjuncts(query: str) -> Iterator[str]:
    """Split a data query at the ANDs that are in no parentheses.

    Parameters
    ----------
    query : `str`
        An expression of the middleware's query language; may be empty.

    Yields
    ------
    term : `str`
        An expression; all of them together are what the query says.

    Raises
    ------
    HarnessError
        If it is no expression.
    """
    from lsst.daf.butler.queries.expressions import parser

    if not query.strip():
        return
    try:
        tree = parser.parse_expression(query)
    except parser.ParserYaccError as error:
        raise HarnessError(f"query {query!r} is no expression: {_first(error)}", code="query") from error
    except parser.ParserLexError as error:
        raise HarnessError(f"query {query!r} is no expression: {_first(error)}", code="query") from error

    def split(node: Any) -> Iterator[str]:
        if isinstance(node, parser.BinaryOp) and node.op == "AND":
            yield from split(node.lhs)
            yield from split(node.rhs)
        elif isinstance(node, parser.Parens):
            yield from split(node.expr)
        else:
            yield str(node)

    yield from split(tree)


def _first(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
