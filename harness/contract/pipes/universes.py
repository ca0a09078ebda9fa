"""Repositories of earlier dimension universes: graphs, direct runs, saved graphs and processes of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base import NotApplicableError, contract
from .model import freeze

if TYPE_CHECKING:
    from ..lab import Lab
    from .bench import Bench

__all__ = ["PROPERTIES"]

OLD = (6, 7)
"""Dimension universes of repositories that are in use, with the newest of the installed release."""

LITTLE = (("CamA", 12, 1), ("CamA", 13, 1))
"""Two snaps of one visit."""


def benches(lab: Lab, labels: tuple[str, ...]) -> list[tuple[int, Bench]]:
    """Make a bench in each universe that the installed release knows, up to its own."""
    from lsst.daf.butler import DimensionUniverse

    from .bench import Bench

    newest = DimensionUniverse().version
    found = []
    known = [v for v in OLD if v < newest]
    for version in (*sorted(lab.rng.sample(known, lab.few(len(known)))), newest):
        try:
            bench = Bench(lab, f"u{version}", raws=LITTLE, labels=labels, universe=version)
        except NotApplicableError:
            if version == newest:
                raise
            continue
        lab.equal(bench.butler.dimensions.version, version, "the repository has another universe than was asked for")
        found.append((version, bench))
    return found


@contract("contract.universe.runs-as-the-newest", title="A repository of an earlier universe runs as a new one does")
def runs_as_the_newest(lab: Lab) -> None:
    """Repositories live for years longer than releases. Whatever can be run in a new one must run in an old one, with
    the same result: directly, and from a saved graph.
    """
    from .graphs import load, plain
    from .qbb import bring_in, save_graph, some_formats
    from .running import expect_outcome, expect_same, model_of

    values = {}
    for version, bench in benches(lab, ("isr", "char", "sum")):
        outcome = model_of(bench, {})
        with lab.step(f"run in a repository of universe {version}"):
            expect_outcome(lab, bench, bench.run(), outcome, "pipetask run")
            values[version] = bench.datasets("out/1")
            lab.equal(set(values[version]), bench.predicted(outcome), "other datasets are there")
        for extension in some_formats(lab):
            run = f"{extension[1:]}/1"
            with lab.step(f"run from a saved graph {extension} in a repository of universe {version}"):
                graph = save_graph(bench, f"u{version}{extension}", run=run, output=extension[1:])
                lab.equal(set(plain(load(graph))), {q.key for q in bench.quanta}, "another graph is read")
                bench.works(bench.pipetask("pre-exec-init-qbb", bench.root, graph), "pipetask pre-exec-init-qbb")
                expect_outcome(lab, bench, bench.pipetask("run-qbb", bench.root, graph), outcome, "run-qbb")
                bring_in(bench, graph)
                there = bench.datasets(run)
                there.pop(("packages", ()), None)
                expect_same(lab, there, values[version], "from a saved graph, against a direct run")
    newest = max(values, default=0)
    for version, seen in values.items():
        with lab.step(f"compare universe {version} with {newest}"):
            expect_same(lab, seen, values[newest], "other than in the newest universe")


@contract("contract.universe.processes-of-their-own", title="Quanta run in processes of their own in any universe")
def processes_of_their_own(lab: Lab) -> None:
    """A process that gets a quantum must build the universe of its repository from what it is sent."""
    from .qbb import bring_in, save_graph
    from .running import expect_outcome, model_of, saved

    version, bench = benches(lab, ("isr",))[0]
    outcome = model_of(bench, {})
    with lab.step(f"run from a saved graph with two processes in a repository of universe {version}"):
        graph = save_graph(bench, "j2.qgraph")
        bench.works(bench.pipetask("pre-exec-init-qbb", bench.root, graph), "pipetask pre-exec-init-qbb")
        worked = bench.pipetask("run-qbb", "-j", "2", bench.root, graph)
        expect_outcome(lab, bench, worked, outcome, "pipetask run-qbb -j 2")
        bring_in(bench, graph)
        there = saved(bench.datasets("out/1")) - {("packages", ())}
        lab.equal(there, bench.predicted(outcome), "other datasets are there")


@contract("contract.universe.local-copy", title="A pipeline runs in a local copy of its inputs from any universe")
def local_copy(lab: Lab) -> None:
    """Developers take the inputs of a few quanta out of a repository and run there; what comes out is what the
    repository itself would have got, and the repository is left alone.
    """
    from .running import executors, expect_outcome, model_of

    executor = executors("simple_pipeline_executor", "SimplePipelineExecutor")
    lab.needs(hasattr(executor, "use_local_butler"), "SimplePipelineExecutor.use_local_butler")
    for version, bench in benches(lab, ("isr", "char")):
        outcome = model_of(bench, {})
        with lab.step(f"run in a local copy of a repository of universe {version}"), bench.surroundings():
            butler = executor.prep_butler(str(bench.root), ["raws", "calibs"], "out", "out/1")
            made = executor.from_pipeline_filename(
                str(bench.pipeline), where="instrument = 'CamA'", butler=butler, output="out", output_run="out/1"
            )
            local = made.use_local_butler(str(lab.root / f"local{version}"))
            made.run(register_dataset_types=True, save_versions=False)
            local.registry.refresh()
            seen = set()
            for kind in local.registry.queryDatasetTypes():
                for ref in local.registry.queryDatasets(kind.name, collections="out/1", findFirst=False):
                    seen.add((kind.name, freeze(dict(ref.dataId.required))))
            lab.equal(seen, bench.predicted(outcome), "other datasets are in the local copy")
            raws = {tuple(r.dataId.required.values()) for r in local.registry.queryDatasets("raw", collections="out")}
            lab.equal(len(raws), len(LITTLE), "the local copy has other raws")
        expect_outcome(lab, bench, True, outcome, "in the local copy")
        lab.equal(bench.datasets("out/1"), {}, "datasets were written into the repository itself")


PROPERTIES = (runs_as_the_newest, processes_of_their_own, local_copy)
