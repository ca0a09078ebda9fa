"""The pipelines of the instruments of a repository, as graphs of tasks and dataset types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .records import known_instruments

if TYPE_CHECKING:
    from lsst.pipe.base.pipeline_graph import PipelineGraph

    from .context import CheckContext

__all__ = ["pipeline_graphs"]


def pipeline_graphs(context: CheckContext) -> Mapping[str, Mapping[str, PipelineGraph]]:
    """Return the resolved pipelines of each installed instrument of a repository.

    Returns
    -------
    graphs : `~collections.abc.Mapping`
        By name of the instrument, then by name of the pipeline.
    """

    def make() -> Mapping[str, Mapping[str, PipelineGraph]]:
        from lsst.pipe.base import Pipeline

        out: dict[str, dict[str, PipelineGraph]] = {}
        for name, kit in known_instruments(context).items():
            out[name] = {}
            for label, uri in kit.pipelines.items():
                graph = Pipeline.from_uri(uri).to_graph()
                # Dataset types that nobody has registered yet get dimensions as good as can be guessed.
                graph.resolve(context.butler.registry, visualization_only=True)
                out[name][label] = graph
        return out

    return context.cached("pipeline graphs", make)
