"""Execution from a saved graph without the registry, and bringing the results in: as if run directly."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..base import contract

if TYPE_CHECKING:
    from ..lab import Lab
    from .bench import Bench

__all__ = ["PROPERTIES", "bring_in", "formats", "save_graph", "some_formats"]

CHAIN = ("raws", "calibs")
"""Inputs of all chains."""


def formats() -> tuple[str, ...]:
    """Return the extensions of files of quantum graphs that the installed release executes."""
    from importlib.util import find_spec

    return (".qgraph", ".qg") if find_spec("lsst.pipe.base.quantum_graph") else (".qgraph",)


def some_formats(lab: Lab) -> list[str]:
    """Return the formats that are tried: all of them, unless less effort is wanted."""
    known = formats()
    return lab.rng.sample(known, lab.few(len(known)))


def save_graph(bench: Bench, name: str, *arguments: object, run: str = "out/1", output: str = "out") -> Path:
    """Build the quantum graph of a bench for execution without a registry; return its file."""
    path = bench.lab.root / name
    options = ("--save-qgraph", path, "--qgraph-datastore-records", *arguments)
    worked = bench.pipetask("qgraph", *bench.options(*options, run=run, output=output))
    bench.works(worked and path.exists(), f"pipetask qgraph {' '.join(str(a) for a in arguments)}")
    return path


def bring_in(bench: Bench, graph: Path, *arguments: object, chain: bool = True) -> bool:
    """Transfer the outputs of a graph into its repository."""
    options = ["--register-dataset-types", *(["--update-output-chain"] if chain else [])]
    return bench.works(
        bench.command("transfer-from-graph", *options, *arguments, graph, bench.root), "butler transfer-from-graph"
    )


@contract("contract.qbb.same-as-direct", title="A graph that is saved, executed and brought in gives what a run gives")
def same_as_direct(lab: Lab) -> None:
    """Batch systems execute from a saved graph, developers run directly: the datasets, their values and the chain
    must be the same, and each quantum must be executed once, for every format of the file.
    """
    from .bench import Bench
    from .running import SMALL, expect_outcome, expect_same, model_of, saved

    bench = Bench(lab, raws=SMALL)
    outcome = model_of(bench, {})
    with lab.step("run directly"):
        expect_outcome(lab, bench, bench.run(run="direct/1", output="direct"), outcome, "direct run")
        direct = bench.datasets("direct/1")
    for extension in some_formats(lab):
        name = extension.strip(".")
        run = f"{name}/1"
        with lab.step(f"run from a saved graph {extension}"):
            graph = save_graph(bench, f"g{extension}", run=run, output=name)
            bench.works(bench.pipetask("pre-exec-init-qbb", bench.root, graph), "pipetask pre-exec-init-qbb")
            worked = bench.pipetask("run-qbb", bench.root, graph)
            expect_outcome(lab, bench, worked, outcome, "pipetask run-qbb")
            lab.equal(bench.datasets(run), {}, "datasets are registered before they are brought in")
            bring_in(bench, graph)
            there = bench.datasets(run)
            there.pop(("packages", ()), None)
            expect_same(lab, there, direct, "brought in")
            lab.equal(saved(there), bench.predicted(outcome), "brought in: not all are stored")
            lab.equal(bench.chain(name), (run, *CHAIN), "brought in: chain")


def _orders(lab: Lab, bench: Bench) -> list[Mapping[str, str]]:
    from .running import random_orders

    fail = random_orders(lab, bench, isr="fail", char="partial")
    late = random_orders(lab, bench, char="late", isr="nowork")
    return [fail, late]


@contract("contract.qbb.retry-does-what-is-missing", title="A graph that is executed again does only what is not done")
def retry_does_what_is_missing(lab: Lab) -> None:
    """Batch systems retry. A retry must not execute what succeeded (with all outputs or a part), must lead to the state
    of a run without failures, and bringing in again must complete what was brought in before.
    """
    from .bench import Bench
    from .running import SMALL, _failing, expect_outcome, expect_same, model_of, saved

    bench = Bench(lab, raws=SMALL)
    cases = list(zip((*formats(), ".qgraph"), _orders(lab, bench), strict=False))
    for number, (extension, orders) in enumerate(lab.rng.sample(cases, lab.few(len(cases)))):
        output, run = f"o{number}", f"o{number}/1"
        outcome, clean = model_of(bench, orders), model_of(bench, _failing(orders))
        with lab.step(f"execute a saved graph {extension} with {orders}"):
            graph = save_graph(bench, f"retry{number}{extension}", run=run, output=output)
            bench.works(bench.pipetask("pre-exec-init-qbb", bench.root, graph), "pipetask pre-exec-init-qbb")
            bench.order(orders)
            expect_outcome(lab, bench, bench.pipetask("run-qbb", bench.root, graph), outcome, "first attempt")
            bring_in(bench, graph, chain=False)
            missing = bench.predicted(outcome) - saved(bench.datasets(run))
            lab.equal(missing, set(), "first attempt: datasets of successful quanta are missing")
        with lab.step(f"retry after {orders}"):
            bench.order(_failing(orders))
            worked = bench.pipetask("run-qbb", bench.root, graph)
            redo = outcome.keys("failed", "blocked") & clean.executed
            lab.equal(dict(bench.executed()), dict.fromkeys(redo, 1), "retry: other quanta were executed than failed")
            bench.works(worked, "retry")
            # a batch that ends between its transfer and its chain is finished by doing it again
            bring_in(bench, graph, chain=False)
            bring_in(bench, graph)
            after = bench.datasets(run)
            after.pop(("packages", ()), None)
            lab.equal(saved(after), bench.predicted(clean), "retry: other datasets are there")
            lab.equal(bench.chain(output), (run, *CHAIN), "retry: chain")
        with lab.step("execute and bring in once more"):
            bench.works(bench.pipetask("run-qbb", bench.root, graph), "once more")
            lab.equal(dict(bench.executed()), {}, "once more: quanta were executed")
            bring_in(bench, graph)
            again = bench.datasets(run)
            again.pop(("packages", ()), None)
            expect_same(lab, again, after, "once more")
            lab.equal(bench.chain(output), (run, *CHAIN), "once more: chain")


@contract("contract.qbb.quantum-by-quantum", title="Quanta that are executed one by one give what all together give")
def quantum_by_quantum(lab: Lab) -> None:
    """A batch job names the quanta that it executes; it must execute those, and no others."""
    from .bench import Bench
    from .graphs import nodes
    from .running import SMALL, model_of, saved

    bench = Bench(lab, raws=SMALL)
    outcome = model_of(bench, {})
    for extension in some_formats(lab):
        name = extension.strip(".")
        run = f"{name}/1"
        with lab.step(f"execute single quanta of a saved graph {extension}"):
            graph = save_graph(bench, f"single{extension}", run=run, output=name)
            bench.works(bench.pipetask("pre-exec-init-qbb", bench.root, graph), "pipetask pre-exec-init-qbb")
            ids = {key: id_ for id_, key in nodes(graph).items()}
            lab.equal(set(ids), {q.key for q in bench.quanta}, "the graph has other quanta")
            groups = [[q] for q in bench.quanta[:5]] + [bench.quanta[5:]]
            for group in groups:
                chosen = [w for q in group if q.key in ids for w in ("--qgraph-node-id", ids[q.key])]
                worked = bench.pipetask("run-qbb", *chosen, bench.root, graph)
                bench.works(worked, f"pipetask run-qbb of {len(group)} quanta")
                lab.equal(dict(bench.executed()), dict.fromkeys((q.key for q in group), 1), "others were executed")
            bring_in(bench, graph)
            there = saved(bench.datasets(run)) - {("packages", ())}
            lab.equal(there, bench.predicted(outcome), "other datasets are there")


@contract("contract.qbb.another-run", title="A saved graph that is given another run is executed in that run")
def another_run(lab: Lab) -> None:
    """A graph takes long to build; to execute it again in a run of its own, its run is changed. Nothing may end up in
    the run that it was built for.
    """
    from .bench import Bench
    from .running import SMALL, expect_outcome, expect_same, model_of

    bench = Bench(lab, raws=SMALL)
    outcome = model_of(bench, {})
    for extension in some_formats(lab):
        name = extension.strip(".")
        with lab.step(f"give a saved graph {extension} another run"):
            first = save_graph(bench, f"first{extension}", run=f"{name}/1", output=name)
            second = lab.root / f"second{extension}"
            arguments = ("--metadata-run-key", "output_run", first, f"{name}/2", second)
            bench.works(bench.pipetask("update-graph-run", *arguments), "pipetask update-graph-run")
            for graph, run in ((second, f"{name}/2"), (first, f"{name}/1")):
                bench.works(bench.pipetask("pre-exec-init-qbb", bench.root, graph), "pipetask pre-exec-init-qbb")
                expect_outcome(lab, bench, bench.pipetask("run-qbb", bench.root, graph), outcome, f"run {run}")
                bring_in(bench, graph)
            one, two = bench.datasets(f"{name}/1"), bench.datasets(f"{name}/2")
            expect_same(lab, two, one, "the changed run against the first")
            lab.equal(set(one) - {("packages", ())}, bench.predicted(outcome), "the first run: other datasets")
            lab.equal(bench.chain(name), (f"{name}/1", f"{name}/2", *CHAIN), "chain")


PROPERTIES = (same_as_direct, retry_does_what_is_missing, quantum_by_quantum, another_run)
