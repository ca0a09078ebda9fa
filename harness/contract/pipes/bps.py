"""Clusters of quanta for batch systems: every quantum in one, and the edges between them those of the quanta."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..base import contract

if TYPE_CHECKING:
    from ..lab import Lab

__all__ = ["PROPERTIES"]

CLUSTERS: tuple[Mapping[str, Mapping[str, object]], ...] = (
    {},
    {"one": {"pipetasks": "isr", "dimensions": "detector"}},
    {"one": {"pipetasks": "isr, char", "dimensions": "detector"}},
    {"one": {"pipetasks": "isr", "dimensions": "exposure"}, "two": {"pipetasks": "char, sum", "dimensions": "visit"}},
    {"one": {"pipetasks": "char, sum, warp", "dimensions": "visit"}},
    {"one": {"pipetasks": "warp, coadd", "dimensions": "tract, patch"}},
    {"one": {"pipetasks": "isr, char, sum, warp, coadd", "dimensions": ""}},
    {"one": {"pipetasks": "isr, char", "dimensions": "detector", "findDependencyMethod": "sink"}},
    {"one": {"pipetasks": "char, warp", "dimensions": "visit", "findDependencyMethod": "source"}},
    {"one": {"pipetasks": "isr", "dimensions": "detector", "partitionDimensions": "exposure", "partitionMaxSize": 2}},
    {"one": {"pipetasks": "sum", "dimensions": "instrument", "partitionDimensions": "visit", "partitionMaxSize": 2}},
)
"""Ways to cluster: tasks and the dimensions that the quanta of a cluster have in common."""


def clusterings(lab: Lab) -> tuple[Any, Any]:
    """Return the functions that make a cluster of each quantum, and clusters by dimensions."""
    from importlib import import_module

    from .bench import _importable

    lab.needs(_importable("lsst.ctrl.bps.quantum_clustering_funcs"), "lsst.ctrl.bps")
    module = import_module("lsst.ctrl.bps.quantum_clustering_funcs")
    return module.single_quantum_clustering, module.dimension_clustering


def as_bps_takes_it(graph: Any) -> Any:
    """Return a quantum graph of the class that the installed release clusters."""
    from lsst.ctrl.bps import clustered_quantum_graph as module

    if hasattr(module, "PredictedQuantumGraph"):
        return module.PredictedQuantumGraph.from_old_quantum_graph(graph)
    return graph


def edges_of(graph: Any) -> set[tuple[Any, Any]]:
    """Return the edges between quanta, by id: from the one that writes a dataset to those that read it."""
    from .graphs import parts

    quanta = {id_: quantum for id_, _, quantum in parts(graph)}
    writer = {r.id: id_ for id_, q in quanta.items() for refs in q.outputs.values() for r in refs}
    return {
        (writer[r.id], id_) for id_, q in quanta.items() for refs in q.inputs.values() for r in refs if r.id in writer
    }


@contract("contract.bps.clusters-induce-edges", title="Clusters have each quantum once, and the edges of their quanta")
def clusters_induce_edges(lab: Lab) -> None:
    """An edge that is lost lets a job start before its inputs are there; one that is invented makes it wait, or all of
    them for ever; a quantum that is in no cluster is never executed.
    """
    from graphlib import CycleError, TopologicalSorter

    single, by_dimensions = clusterings(lab)
    from lsst.ctrl.bps import BpsConfig

    from .bench import ALL, Bench
    from .graphs import build, key_of, parts, some_raws
    from .model import LABELS

    bench = Bench(lab, labels=LABELS, raws=[*some_raws(lab), ("CamA", 12, 1)])
    graph = build(bench, ALL)
    edges = edges_of(graph)
    names = {id_: key_of(label, quantum.dataId) for id_, label, quantum in parts(graph)}
    values = {id_: dict(quantum.dataId.required) for id_, _, quantum in parts(graph)}
    given = as_bps_takes_it(graph)
    for config in [None, *CLUSTERS]:
        what = "a cluster for each quantum" if config is None else f"clusters {dict(config)}"
        settings: dict[str, Any] = {"bps_defined": {"runQgraphFile": "none.qg"}, "qgraphFile": "none.qg"}
        with lab.step(what):
            if config:
                settings["cluster"] = {k: {**v} for k, v in config.items()}
                for section in settings["cluster"].values():
                    if not section["dimensions"]:
                        del section["dimensions"]
            elif config is not None:
                settings["cluster"] = {}
            clustered = (single if config is None else by_dimensions)(BpsConfig(settings), given, "name")
            home: dict[Any, list[str]] = {}
            for cluster in clustered.clusters():
                for id_ in cluster.qgraph_node_ids:
                    home.setdefault(id_, []).append(cluster.name)
            strays = {names.get(i, str(i)): c for i, c in home.items() if i not in names or len(c) > 1}
            lab.equal(strays, {}, "quanta are in more than one cluster, or unknown")
            lab.equal({names[i] for i in names if i not in home}, set(), "quanta are in no cluster")
            expected = {(home[a][0], home[b][0]) for a, b in edges if a in home and b in home and home[a] != home[b]}
            seen = {(c.name, child.name) for c in clustered.clusters() for child in clustered.successors(c.name)}
            lab.equal(seen, expected, "the edges are not those of the quanta")
            back = {(p.name, c.name) for c in clustered.clusters() for p in clustered.predecessors(c.name)}
            lab.equal(back, expected, "the edges, seen from their ends, are not those of the quanta")
            sorter: TopologicalSorter[str] = TopologicalSorter()
            for a, b in seen:
                sorter.add(b, a)
            try:
                sorter.prepare()
            except CycleError as error:
                lab.expect(False, "clusters wait for each other", seen=error.args[1])
            for label, section in (config or {}).items():
                dimensions = [d.strip() for d in str(section["dimensions"]).split(",") if d.strip()]
                for cluster in clustered.clusters():
                    if cluster.label != label:
                        continue
                    shared = {tuple(values[i].get(d) for d in dimensions) for i in cluster.qgraph_node_ids}
                    lab.expect(len(shared) == 1, f"{cluster.name}: quanta of different {dimensions}", seen=shared)


PROPERTIES = (clusters_induce_edges,)
