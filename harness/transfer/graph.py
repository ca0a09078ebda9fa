"""Quantum graphs: what the outputs of one are called."""

from __future__ import annotations

import functools
import zipfile
from pathlib import Path

from ..errors import HarnessError

__all__ = ["output_run"]


@functools.cache
def output_run(graph: Path) -> tuple[str, str]:
    """Return the RUN of the outputs of a quantum graph, and the chain that they are put into.

    Parameters
    ----------
    graph : `~pathlib.Path`
        File of a quantum graph.

    Returns
    -------
    run, chain : `str`
        The collections; ``chain`` is empty if the graph names none.

    Raises
    ------
    HarnessError
        If it cannot be read, or names no output run.
    """
    from lsst.pipe.base import QuantumGraph

    try:
        metadata = QuantumGraph.loadUri(str(graph)).metadata or {}
    except (ValueError, OSError, RuntimeError, TypeError, KeyError, zipfile.BadZipFile) as error:
        first = next(iter(str(error).splitlines()), "")
        raise HarnessError(f"no quantum graph in {graph}: {first}", code="no-graph") from error
    if not metadata.get("output_run"):
        raise HarnessError(f"quantum graph {graph} names no output run", code="no-graph")
    return metadata["output_run"], metadata.get("output") or ""
