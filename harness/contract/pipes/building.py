"""Pipelines: every part that they name can be had, and what is written is what is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base import contract

if TYPE_CHECKING:
    from ..lab import Lab

__all__ = ["PROPERTIES"]

MEMBERS = {"first": ("isr", "char"), "second": ("sum",), "sky": ("warp", "coadd"), "none": (), "some": ("isr", "sum")}
"""Subsets of the pipeline; one is empty, and one cuts across others."""

STEPS = {"first": ("instrument", "visit"), "second": ("instrument", "visit"), "sky": ("skymap", "tract"), "none": ()}
"""Subsets that are steps, where a release has steps, and their dimensions."""


def text(steps: bool, *, tasks: str = "isr char sum warp coadd", subsets: bool = True) -> str:
    """Write a pipeline as YAML (which is JSON)."""
    from .bench import _CLASSES

    labels = tasks.split()
    content: dict[str, Any] = {"description": "all tasks", "parameters": {"number": 7}, "tasks": {}}
    for label in labels:
        config = [{"value": 2}, {"python": "config.value += 3"}] if label == "isr" else [{"value": 4}]
        content["tasks"][label] = {"class": _CLASSES[label], "config": config}
    if "sum" in labels:
        content["tasks"]["sum"]["config"] = [{"value": "parameters.number"}]
    if subsets:
        members = {name: [m for m in tasks_ if m in labels] for name, tasks_ in MEMBERS.items()}
        content["subsets"] = {n: {"subset": m, "description": f"subset {n}"} for n, m in members.items()}
        if steps:
            content["steps"] = [{"label": n, "dimensions": [*d]} for n, d in STEPS.items()]
    return json.dumps(content)


def has_steps() -> bool:
    """Whether the installed release has steps."""
    from lsst.pipe.base.pipeline_graph import PipelineGraph

    return hasattr(PipelineGraph, "steps")


def shape(graph: Any) -> dict[str, Any]:
    """Return what a pipeline graph says: tasks with their configurations, subsets, steps, and edges."""
    found: dict[str, Any] = {
        "tasks": {t.label: (t.task_class_name, t.config.value) for t in graph.tasks.values()},
        "subsets": {n: (frozenset(s), s.description) for n, s in graph.task_subsets.items()},
        "edges": {(e.task_label, e.connection_name, e.parent_dataset_type_name) for e in graph.iter_edges()},
        "init edges": {
            (e.task_label, e.connection_name, e.parent_dataset_type_name) for e in graph.iter_edges(init=True)
        },
        "description": graph.description,
    }
    if has_steps():
        found["steps"] = tuple(graph.steps)
        if graph.is_fully_resolved:
            found["step dimensions"] = {n: frozenset(graph.task_subsets[n].dimensions.names) for n in graph.steps}
    return found


def cuts_steps(chosen: set[str]) -> bool:
    """Whether some steps are there as a whole and others in part: another property has such parts."""
    steps = [set(MEMBERS[n]) for n in STEPS if MEMBERS[n]]
    whole = any(s <= chosen for s in steps)
    return whole and any(s & chosen and not s <= chosen for s in steps)


VALUES = {"isr": 5, "char": 4, "sum": 7, "warp": 4, "coadd": 4}
"""What the configurations of `text` come to: in the order in which they are given."""


@contract("contract.pipeline.every-part-loads", title="Every subset and task of a pipeline loads, with just its tasks")
def every_part_loads(lab: Lab) -> None:
    """Operators run pipelines in parts. A part that cannot be loaded (because it is empty, or another is) is found in
    the middle of the night.
    """
    import lsst.pipe.base as package
    from lsst.daf.butler import DimensionUniverse

    lab.needs(package, "lsst.pipe.base")
    path = lab.root / "all.yaml"
    path.write_text(text(has_steps()), encoding="utf-8")
    parts = {"": set(VALUES), **{f"#{n}": set(m) for n, m in MEMBERS.items()}, **{f"#{t}": {t} for t in VALUES}}
    parts |= {"#first,sky": {"isr", "char", "warp", "coadd"}, "#isr,second": {"isr", "sum"}}
    parts |= {"#isr..sum": {"isr", "char", "sum"}, "#..char": {"isr", "char"}}
    for part, expected in parts.items():
        with lab.step(f"load the pipeline{part or ' whole'}"):
            pipeline = package.Pipeline.from_uri(f"{path}{part}")
            lab.equal(set(pipeline.task_labels), expected, "other tasks")
            graph = pipeline.to_graph()
            lab.equal({t: n.config.value for t, n in graph.tasks.items()}, {t: VALUES[t] for t in expected}, "config")
            whole = {n for n, m in MEMBERS.items() if m and set(m) <= expected}
            lab.equal(whole - set(graph.task_subsets), set(), "subsets are gone whose tasks are all there")
            if not cuts_steps(expected):
                graph.resolve(dimensions=DimensionUniverse(), dataset_types={})
                lab.equal(set(graph.tasks), expected, "resolved: other tasks")
            again = package.Pipeline.fromString(str(pipeline))
            lab.equal(set(again.task_labels), expected, "written and read: other tasks")
            # the steps are another property's
            kept = [{k: v for k, v in shape(p.to_graph()).items() if k != "steps"} for p in (again, pipeline)]
            lab.equal(kept[0], kept[1], "written and read: another pipeline")


@contract("contract.pipeline.removed-task-is-gone", title="A pipeline without a task is the one written without it")
def removed_task_is_gone(lab: Lab) -> None:
    """Pipelines are made of others by leaving out and adding. What is left must not remember what is gone, even when
    a subset or a step has lost all its tasks.
    """
    from lsst.pipe.base import Pipeline

    steps = has_steps()
    for gone in ("sum", "isr", "warp coadd", "char sum"):
        left = [t for t in VALUES if t not in gone.split()]
        with lab.step(f"remove {gone}"):
            pipeline = Pipeline.fromString(text(steps))
            for label in gone.split():
                pipeline.removeTask(label)
            lab.equal(list(pipeline.task_labels), left, "other tasks are left")
            graph = pipeline.to_graph()
            lab.equal(set(graph.tasks), set(left), "the graph has other tasks")
        with lab.step(f"import all but {gone}"):
            path = lab.root / f"without-{gone.replace(' ', '-')}-base.yaml"
            path.write_text(text(steps), encoding="utf-8")
            content = {"description": "d", "imports": [{"location": str(path), "exclude": gone.split()}]}
            pipeline = Pipeline.fromString(json.dumps(content))
            lab.equal(set(pipeline.task_labels), set(left), "imported: other tasks")
            for part in (n for n, m in MEMBERS.items() if set(m) & set(left) and n in pipeline.subsets):
                chosen = lab.root / f"{gone.replace(' ', '-')}-{part}.yaml"
                pipeline.write_to_uri(str(chosen))
                loaded = Pipeline.from_uri(f"{chosen}#{part}")
                lab.equal(set(loaded.task_labels), set(MEMBERS[part]) & set(left), f"imported: subset {part}")
                lab.equal(set(loaded.to_graph().tasks), set(MEMBERS[part]) & set(left), f"imported: graph of {part}")


@contract("contract.pipeline.last-word-counts", title="Of several settings of a field the last one counts")
def last_word_counts(lab: Lab) -> None:
    """Defaults, an imported pipeline, the one that imports it, parameters, and the command line: each may change what
    comes before it, and nothing else.
    """
    from lsst.pipe.base import Pipeline

    base = lab.root / "base.yaml"
    base.write_text(text(False, subsets=False), encoding="utf-8")
    more = {
        "description": "d",
        "imports": [{"location": str(base), "include": ["isr", "char", "sum"]}],
        "parameters": {"number": 8},
        "tasks": {
            "char": {"class": "harness.contract.pipes.tasks.CharTask", "config": [{"value": 40, "doExtra": False}]}
        },
    }
    with lab.step("import a pipeline and set more"):
        pipeline = Pipeline.fromString(json.dumps(more))
        graph = pipeline.to_graph()
        values = {t: n.config.value for t, n in graph.tasks.items()}
        lab.equal(values, {"isr": 5, "char": 40, "sum": 8}, "another value counts")
        lab.equal("extra" in graph.tasks["char"].outputs, False, "an output is there that the configuration takes away")
    with lab.step("set by key, by code and by file"):
        pipeline.addConfigOverride("char", "value", 41)
        lab.equal(pipeline.to_graph().tasks["char"].config.value, 41, "key")
        pipeline.addConfigPython("char", "config.value *= 2; config.words = ['z', parameters.word]")
        pipeline.addConfigOverride("isr", "words", ["q"])
        path = lab.root / "more.py"
        path.write_text("config.value += 1\n", encoding="utf-8")
        pipeline.addConfigFile("char", str(path))
    with lab.step("set a parameter that code uses"):
        content = json.loads(str(json.dumps(more)))
        content["parameters"]["word"] = "w"
        pipeline = Pipeline.fromString(json.dumps(content))
        pipeline.addConfigPython("char", "config.value *= 2; config.words = ['z', parameters.word]")
        pipeline.addConfigFile("char", str(path))
        pipeline.addConfigOverride("isr", "words", ["q"])
        graph = pipeline.to_graph()
        lab.equal(graph.tasks["char"].config.value, 81, "code, then file")
        lab.equal(list(graph.tasks["char"].config.words), ["z", "w"], "parameter in code")
        lab.equal(list(graph.tasks["isr"].config.words), ["q"], "list")
        lab.equal(graph.tasks["isr"].config.value, 5, "a field of which nothing was said")
        again = Pipeline.fromString(str(pipeline)).to_graph()
        lab.equal(
            {t: n.config.value for t, n in again.tasks.items()}, {"isr": 5, "char": 81, "sum": 8}, "written, read"
        )


@contract("contract.pipeline.graph-is-kept", title="A pipeline graph that is copied, pickled or reordered is the same")
def graph_is_kept(lab: Lab) -> None:
    """Pipeline graphs travel in quantum graphs and between processes; they must come out as they went in, resolved for
    a repository or not.
    """
    import copy
    import pickle

    from lsst.pipe.base import Pipeline

    from .bench import Bench

    bench = Bench(lab, labels=("isr", "char", "sum"))
    for resolved in (False, True):
        graph = Pipeline.fromString(text(has_steps())).to_graph()
        if resolved:
            graph.resolve(bench.butler.registry)
        expected = shape(graph)
        ways: dict[str, Any] = {
            "copied": lambda g: g.copy(),
            "copied deeply": copy.deepcopy,
            "pickled": lambda g: pickle.loads(pickle.dumps(g)),  # noqa: S301 - made on the spot
            "sorted": _sorted,
        }
        path = lab.root / f"graph-{resolved}.json.gz"
        if hasattr(graph, "_write_uri"):
            ways["written and read"] = _written(path)
        for way, change in ways.items():
            with lab.step(f"a pipeline graph, {'resolved' if resolved else 'not resolved'}, {way}"):
                again = change(graph)
                if way == "written and read" and not resolved:
                    again = again.copy()
                lab.equal(shape(again), expected, "is another")
                if resolved:
                    kinds = {n: node.dataset_type for n, node in graph.dataset_types.items()}
                    lab.equal({n: node.dataset_type for n, node in again.dataset_types.items()}, kinds, "dataset types")
                    again.resolve(bench.butler.registry)
                    lab.equal(shape(again), expected, "resolved again, is another")


def _written(path: Path) -> Callable[[Any], Any]:
    """Return a function that writes a pipeline graph, and reads it."""
    from lsst.resources import ResourcePath

    uri = ResourcePath(str(path))

    def write(graph: Any) -> Any:
        graph._write_uri(uri)
        return type(graph)._read_uri(uri)

    return write


def _sorted(graph: Any) -> Any:
    graph.sort()
    return graph


@contract("contract.pipeline.steps-are-written", title="The steps of a pipeline are in what is written of it")
def steps_are_written(lab: Lab) -> None:
    """A pipeline is written down with a campaign, to be run again; without its steps it is another pipeline."""
    from lsst.pipe.base import Pipeline

    lab.needs(has_steps(), "steps of pipelines")
    pipeline = Pipeline.fromString(text(True))
    expected = tuple(pipeline.to_graph().steps)
    lab.equal(expected, tuple(STEPS), "other steps than the pipeline has")
    with lab.step("write and read as text"):
        lab.equal(tuple(Pipeline.fromString(str(pipeline)).to_graph().steps), expected, "other steps")
    with lab.step("write and read as a file"):
        path = lab.root / "written.yaml"
        pipeline.write_to_uri(str(path))
        lab.equal(tuple(Pipeline.from_uri(str(path)).to_graph().steps), expected, "other steps")


@contract("contract.pipeline.parts-of-steps-resolve", title="A part of a pipeline that cuts across its steps resolves")
def parts_of_steps_resolve(lab: Lab) -> None:
    """Whoever runs one step and a task of another runs no step, and should be able to."""
    import lsst.pipe.base as package
    from lsst.daf.butler import DimensionUniverse

    lab.needs(has_steps(), "steps of pipelines")
    path = lab.root / "all.yaml"
    path.write_text(text(True), encoding="utf-8")
    for part in ("some", "isr,second", "first,warp"):
        with lab.step(f"load and resolve the pipeline#{part}"):
            graph = package.Pipeline.from_uri(f"{path}#{part}").to_graph()
            graph.resolve(dimensions=DimensionUniverse(), dataset_types={})
            lab.examined()


PROPERTIES = (
    steps_are_written,
    parts_of_steps_resolve,
    every_part_loads,
    removed_task_is_gone,
    last_word_counts,
    graph_is_kept,
)
