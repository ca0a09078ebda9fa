"""Running: each quantum is executed as often as it must be, and whatever happens on the way the end is the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..base import contract

if TYPE_CHECKING:
    from ..lab import Lab
    from .bench import Bench
    from .model import Outcome, Quantum, Row

__all__ = ["PROPERTIES", "SMALL", "expect_outcome", "expect_same", "model_of", "random_orders", "saved"]

SMALL = (("CamA", 11, 1), ("CamA", 11, 2), ("CamA", 12, 1), ("CamA", 13, 1))
"""Raws of two visits: one of two detectors, and one of two snaps."""

RESUME = ("--extend-run", "--skip-existing", "--clobber-outputs")
"""How a run is resumed in which something failed."""


def model_of(bench: Bench, orders: Mapping[str, str], todo: Iterable[Quantum] | None = None) -> Outcome:
    """Return what must come of executing all quanta of a bench, or some."""
    from .model import execute

    raws = {r for q in bench.quanta for r in q.inputs if r[0] == "raw"}
    return execute(bench.quanta if todo is None else todo, orders, raws)


def random_orders(lab: Lab, bench: Bench, **wanted: str) -> dict[str, str]:
    """Give orders to quanta chosen at random: the order by the task's label, of another visit for each label."""
    visits = [11, 12]
    lab.rng.shuffle(visits)
    orders = {}
    for (label, order), visit in zip(wanted.items(), visits, strict=False):
        exposures = (visit,) if visit == 11 else (12, 13)
        fitting = [
            q.key
            for q in bench.quanta
            if q.label == label
            and (dict(q.data_id).get("visit") == visit or dict(q.data_id).get("exposure") in exposures)
        ]
        orders[lab.rng.choice(fitting)] = order
    return orders


def expect_outcome(lab: Lab, bench: Bench, worked: bool, outcome: Outcome, what: str, *, once: bool = True) -> None:
    """Expect that a command executed what the model says, each quantum once and after what it needs."""
    counts = bench.executed()
    lab.equal(set(counts), outcome.executed, f"{what}: other quanta were executed than must be")
    if once:
        twice = {k: n for k, n in counts.items() if n > 1}
        lab.equal(twice, {}, f"{what}: quanta were executed more than once")
    done = {name: i for i, name in enumerate(counts)}
    producers = {r: q.key for q in bench.quanta for r in q.outputs}
    early = [
        (q.key, producers[r])
        for q in bench.quanta
        for r in q.inputs
        if q.key in done and r in producers and done.get(producers[r], -1) > done[q.key]
    ]
    lab.equal(early, [], f"{what}: quanta were executed before those that make their inputs")
    failed = bool(outcome.keys("failed"))
    if failed:
        lab.expect(not worked, f"{what}: says that all is well though a quantum failed")
    else:
        bench.works(worked, what)


def expect_same(lab: Lab, seen: Mapping[Row, Any], expected: Mapping[Row, Any], what: str) -> None:
    """Expect the same datasets with the same values; packages, logs and metadata are only there."""
    lab.equal(set(seen), set(expected), f"{what}: other datasets are there")
    both = set(seen) & set(expected)
    lab.equal({r: seen[r] for r in both}, {r: expected[r] for r in both}, f"{what}: values are others")


def saved(datasets: Mapping[Row, str]) -> set[Row]:
    """Return the datasets whose files are there."""
    return {r for r, text in datasets.items() if text != "not stored"}


@contract("contract.run.each-quantum-once", title="A run executes each quantum once and leaves all of its datasets")
def each_quantum_once(lab: Lab) -> None:
    """Quanta that are left out, done twice or done before their inputs are there cost a night or a wrong result; and
    doing it again must do nothing.
    """
    from .bench import Bench

    bench = Bench(lab, raws=SMALL)
    outcome = model_of(bench, {})
    with lab.step("pipetask run"):
        expect_outcome(lab, bench, bench.run("--versions"), outcome, "first run")
        first = bench.holdings("out/1")
        values = {r: t for r, (t, _) in first.items()}
        lab.equal(saved(values), bench.predicted(outcome, versions=True), "first run: other datasets")
        lab.equal(bench.chain(), ("out/1", "raws", "calibs"), "first run: chain")
    with lab.step("pipetask run --extend-run --skip-existing when nothing is left"):
        bench.run("--extend-run", "--skip-existing", inputs=False)
        lab.equal(dict(bench.executed()), {}, "nothing left to do: quanta were executed")
        lab.equal(bench.holdings("out/1"), first, "nothing left to do: datasets changed")
        lab.equal(bench.chain(), ("out/1", "raws", "calibs"), "nothing left to do: chain")
    with lab.step("pipetask run into a new run of the same chain"):
        expect_outcome(lab, bench, bench.run(run="out/2", inputs=False), outcome, "second run")
        lab.equal(bench.holdings("out/1"), first, "second run: datasets of the first changed")
        values.pop(("packages", ()), None)
        expect_same(lab, bench.datasets("out/2"), values, "second run")
        lab.equal(bench.chain(), ("out/2", "out/1", "raws", "calibs"), "second run: chain")
    for prune, left in ((None, "all"), ("unstore", "records"), ("purge", "nothing")):
        number = {None: 3, "unstore": 4, "purge": 5}[prune]
        with lab.step(f"pipetask run --replace-run, pruning {left}"):
            options = ["--replace-run", *(["--prune-replaced", prune] if prune else [])]
            worked = bench.run(*options, run=f"out/{number}", inputs=False)
            expect_outcome(lab, bench, worked, outcome, "replacing run")
            lab.equal(bench.chain(), (f"out/{number}", "out/1", "raws", "calibs"), "replacing run: chain")
            replaced = bench.datasets(f"out/{number - 1}")
            if prune == "purge":
                lab.equal(set(replaced), set(), "replacing run: the purged run has datasets")
            elif prune == "unstore":
                lab.equal(saved(replaced) & outcome.written, set(), "replacing run: outputs are still stored")
            else:
                lab.equal(saved(replaced), set(values), "replacing run: datasets of the replaced run are gone")
            expect_same(lab, bench.datasets(f"out/{number}"), values, "replacing run")


RESCUES: tuple[dict[str, str], ...] = (
    {"isr": "fail", "char": "partial"},
    {"char": "late", "isr": "nowork"},
    {"sum": "fail", "char": "nowork"},
)
"""What goes wrong before a rescue, and what is no failure but leaves outputs out."""


def _failing(orders: Mapping[str, str]) -> dict[str, str]:
    """Return the orders that are no failures."""
    return {k: o for k, o in orders.items() if o not in ("fail", "late", "kill")}


@contract("contract.run.rescue-ends-the-same", title="What failed and is resumed ends as if nothing had failed")
def rescue_ends_the_same(lab: Lab) -> None:
    """A resumed run must do what is missing, nothing else, and lead to the state of a run without failures; what
    wrote a part of its outputs, or found no work, was a success and is not done again.
    """
    from .bench import Bench

    bench = Bench(lab, raws=SMALL)
    for number, wanted in enumerate(lab.rng.sample(RESCUES, lab.few(len(RESCUES)))):
        orders = random_orders(lab, bench, **wanted)
        outcome = model_of(bench, orders)
        output, run = f"o{number}", f"o{number}/1"
        with lab.step(f"run with {orders}"):
            bench.order(orders)
            worked = bench.run(run=run, output=output)
            expect_outcome(lab, bench, worked, outcome, "first attempt")
            there = saved(bench.datasets(run))
            missing = bench.predicted(outcome) - there
            lab.equal(missing, set(), "first attempt: datasets of successful quanta are missing")
            failed = {q.metadata for q in bench.quanta if outcome.status[q.key] in ("failed", "blocked")}
            lab.equal(there & failed, set(), "first attempt: quanta that did not succeed have metadata")
        clean = model_of(bench, _failing(orders))
        with lab.step(f"resume after {orders}"):
            bench.order(_failing(orders))
            worked = bench.run(*RESUME, run=run, output=output, inputs=False)
            redo = outcome.keys("failed", "blocked") & clean.executed
            counts = bench.executed()
            lab.equal(dict(counts), dict.fromkeys(redo, 1), "resumed: other quanta were executed than were not done")
            bench.works(worked, "resumed")
            lab.equal(saved(bench.datasets(run)), bench.predicted(clean), "resumed: other datasets are there")
        with lab.step(f"compare with a clean run with {_failing(orders)}"):
            expect_outcome(lab, bench, bench.run(run=f"c{number}/1", output=f"c{number}"), clean, "clean run")
            expect_same(lab, bench.datasets(run), bench.datasets(f"c{number}/1"), "resumed run against a clean one")


@contract("contract.run.skip-existing-in", title="What is done in another run is not done again, and found there")
def skip_existing_in(lab: Lab) -> None:
    """A rescue in a run of its own: only what was not done is in it, and through the chain all is there once."""
    from .bench import Bench

    bench = Bench(lab, raws=SMALL)
    orders = random_orders(lab, bench, isr="fail", char="partial")
    outcome, clean = model_of(bench, orders), model_of(bench, _failing(orders))
    with lab.step(f"run with {orders}"):
        bench.order(orders)
        bench.run()
        bench.executed()
        first = bench.holdings("out/1")
    with lab.step("pipetask run --skip-existing-in into a new run"):
        bench.order(_failing(orders))
        worked = bench.run("--skip-existing-in", "out", run="out/2", inputs=False)
        redo = outcome.keys("failed", "blocked")
        lab.equal(dict(bench.executed()), dict.fromkeys(redo, 1), "other quanta were executed than were not done")
        bench.works(worked, "rescue in a new run")
        lab.equal(bench.holdings("out/1"), first, "datasets of the first run changed")
        new = {r for r in saved(bench.datasets("out/2")) if r[1]}
        lab.equal(new, clean.written - outcome.written, "other datasets are in the new run")


@contract("contract.run.partial-outputs", title="Whether a part of the outputs is a success is what the caller says")
def partial_outputs(lab: Lab) -> None:
    """A task that says that it wrote a part has failed, and what depends on it waits; or, if that is asked for, it
    has succeeded, and what depends on it goes on with what is there.
    """
    import lsst.pipe.base as package

    from .bench import Bench, has_option

    lab.needs(hasattr(package, "AnnotatedPartialOutputsError"), "AnnotatedPartialOutputsError")
    bench = Bench(lab, raws=SMALL)
    lab.needs(has_option("pipetask", "run", "--raise-on-partial-outputs"), "--raise-on-partial-outputs")
    orders = random_orders(lab, bench, char="annotated")
    with lab.step(f"run --raise-on-partial-outputs with {orders}"):
        bench.order(orders)
        strict = model_of(bench, dict.fromkeys(orders, "fail"))
        worked = bench.run("--raise-on-partial-outputs", run="a/1", output="a")
        expect_outcome(lab, bench, worked, strict, "raising")
        bench.order({})
        worked = bench.run("--raise-on-partial-outputs", *RESUME, run="a/1", output="a", inputs=False)
        again = dict.fromkeys(strict.keys("failed", "blocked"), 1)
        lab.equal(dict(bench.executed()), again, "resumed after raising: other quanta were executed")
        bench.works(worked, "resumed after raising")
        clean = model_of(bench, {})
        lab.equal(saved(bench.datasets("a/1")), bench.predicted(clean), "resumed after raising: other datasets")
    with lab.step(f"run --no-raise-on-partial-outputs with {orders}"):
        bench.order(orders)
        lenient = model_of(bench, orders)
        worked = bench.run("--no-raise-on-partial-outputs", run="b/1", output="b")
        expect_outcome(lab, bench, worked, lenient, "not raising")
        lab.equal(saved(bench.datasets("b/1")), bench.predicted(lenient), "not raising: other datasets")


@contract("contract.run.other-configuration-refused", title="A run is not extended with another configuration")
def other_configuration_refused(lab: Lab) -> None:
    """A run has one configuration; outputs of another in it are taken for what they are not. The refusal must come
    before anything is done.
    """
    from .bench import Bench

    bench = Bench(lab, raws=SMALL)
    orders = random_orders(lab, bench, isr="fail")
    with lab.step(f"run with {orders}"):
        bench.order(orders)
        bench.run()
        bench.executed()
        bench.order({})
        before = bench.holdings("out/1")
    with lab.step("extend the run with another configuration"):
        worked = bench.run(*RESUME, "-c", "isr:value=2", inputs=False)
        lab.expect(not worked, "was accepted")
        lab.equal(dict(bench.executed()), {}, "quanta were executed")
        lab.equal(bench.holdings("out/1"), before, "datasets of the run changed")
    with lab.step("extend it with its own"):
        worked = bench.run(*RESUME, inputs=False)
        bench.works(worked, "resumed with its own configuration")
        clean = model_of(bench, {})
        lab.equal(saved(bench.datasets("out/1")), bench.predicted(clean), "other datasets are there")


@contract("contract.run.killed-and-resumed", title="A process that is killed leaves what can be resumed")
def killed_and_resumed(lab: Lab) -> None:
    """Machines die. What was done by then counts, what was not is done, and nothing else is."""
    import os

    from .bench import Bench

    lab.needs(hasattr(os, "fork"), "process to kill on this system")
    bench = Bench(lab, raws=SMALL)
    orders = random_orders(lab, bench, **{lab.rng.choice(["isr", "char", "sum"]): "kill"})
    with lab.step(f"run in a process of its own with {orders}"):
        bench.order(orders)
        status = in_child(lambda: bench.run())
        lab.equal(status, 9, "the process did not end by the signal that its task sends")
        before = bench.executed()
        done = {q.metadata for q in bench.quanta} & saved(bench.datasets("out/1"))
        noted = {q.metadata for q in bench.quanta if q.key in before and q.key not in orders}
        lab.equal(done, noted, "other quanta have metadata than were executed")
    with lab.step("resume it"):
        bench.order({})
        worked = bench.run(*RESUME, inputs=False)
        bench.works(worked, "resumed")
        clean = model_of(bench, {})
        left = {q.key for q in bench.quanta if q.metadata not in done}
        lab.equal(dict(bench.executed()), dict.fromkeys(left, 1), "other quanta were executed than were not done")
        lab.equal(saved(bench.datasets("out/1")), bench.predicted(clean), "other datasets are there")
        lab.equal(bench.chain(), ("out/1", "raws", "calibs"), "chain")


def in_child(function: Any) -> int:
    """Call a function in a forked process; return the number of the signal that ended it, or 0."""
    import os

    child = os.fork()
    if not child:
        try:
            function()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1] & 0x7F


@contract("contract.run.executors-agree", title="Every way to run a pipeline from Python gives what pipetask gives")
def executors_agree(lab: Lab) -> None:
    """Notebooks, prompt processing and services use the executors as classes; their results must be those of the
    command.
    """
    from .bench import Bench

    bench = Bench(lab, raws=SMALL)
    outcome = model_of(bench, {})
    for name in ("separable", "simple"):
        with lab.step(f"run with the {name} executor"), bench.surroundings():
            if name == "separable":
                separable(lab, bench, f"{name}/1")
            else:
                simple(lab, bench, name)
        expect_outcome(lab, bench, True, outcome, f"{name} executor")
        there = saved(bench.datasets(f"{name}/1"))
        lab.equal(there - {("packages", ())}, bench.predicted(outcome), f"{name} executor: other datasets")
    with lab.step("compare with pipetask"):
        bench.run()
        bench.executed()
        values = bench.datasets("out/1")
        own = {r for q in bench.quanta for r in q.outputs}
        for name in ("separable", "simple"):
            seen = bench.datasets(f"{name}/1")
            lab.equal({r: seen.get(r) for r in own}, {r: values.get(r) for r in own}, f"{name} executor: values")


def separable(lab: Lab, bench: Bench, run: str) -> None:
    """Run a bench's pipeline with the executor of separate steps."""
    package = executors("separable_pipeline_executor", "SeparablePipelineExecutor")
    lab.needs(package, "SeparablePipelineExecutor")
    butler = lab.open(bench.root, writeable=True, run=run, collections=["raws", "calibs"])
    executor = package(butler)
    pipeline = executor.make_pipeline(str(bench.pipeline))
    graph = executor.make_quantum_graph(pipeline, where="instrument = 'CamA'")
    executor.pre_execute_qgraph(graph, register_dataset_types=True, save_init_outputs=True)
    executor.run_pipeline(graph)


def simple(lab: Lab, bench: Bench, output: str) -> None:
    """Run a bench's pipeline with the executor of small pipelines."""
    package = executors("simple_pipeline_executor", "SimplePipelineExecutor")
    lab.needs(package, "SimplePipelineExecutor")
    butler = package.prep_butler(str(bench.root), ["raws", "calibs"], output, f"{output}/1")
    executor = package.from_pipeline_filename(str(bench.pipeline), where="instrument = 'CamA'", butler=butler)
    executor.run(register_dataset_types=True)


def executors(module: str, name: str) -> Any:
    """Return an executor's class from the package that the installed release has it in; `None` if none has it."""
    from importlib import import_module
    from importlib.util import find_spec

    for package in ("lsst.pipe.base", "lsst.ctrl.mpexec"):
        if find_spec(f"{package}.{module}") is not None:
            return getattr(import_module(f"{package}.{module}"), name)
    return getattr(import_module("lsst.ctrl.mpexec"), name, None)


PROPERTIES = (
    each_quantum_once,
    rescue_ends_the_same,
    skip_existing_in,
    partial_outputs,
    other_configuration_refused,
    killed_and_resumed,
    executors_agree,
)
