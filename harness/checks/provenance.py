"""Invariants of the outputs of pipelines: what a run says about itself is complete and true."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..instrument.kit import Capability
from ..verdicts import Check, Finding, check
from .members import asked, described, members, within
from .pipelines import pipeline_graphs
from .quanta import CONFIG, LOG, METADATA, PACKAGES, ExecutedQuantum, are_all_quanta, init_outputs, key, quanta
from .raws import raws
from .records import look_datasets, text
from .tables import tables

if TYPE_CHECKING:
    from lsst.pipe.base.pipeline_graph import PipelineGraph, TaskNode

    from .context import CheckContext
    from .rows import DatasetTypeRow

__all__ = ["CHECKS"]

COADDS = {Capability.COADDS}

DISTRIBUTIONS = {
    "astropy": "astropy",
    "ctrl_mpexec": "lsst-ctrl-mpexec",
    "daf_butler": "lsst-daf-butler",
    "images": "lsst-images",
    "numpy": "numpy",
    "pipe_base": "lsst-pipe-base",
}
"""Packages, as a run records them, that decide what its outputs are, and the distributions that they come from."""


def _look(item: ExecutedQuantum, suffix: str = METADATA) -> str:
    return look_datasets(f"{item.label}{suffix}", item.run, item.data_id)


@check(
    "provenance.init-outputs",
    title="Every run has its packages, and the config of every task that ran in it",
    after="process",
    remedy="Run the tasks again in a new run: pipetask run writes them before the first quantum.",
    needs=COADDS,
)
def run_init_outputs(context: CheckContext) -> Iterator[Finding]:
    """Without the config and the versions nobody can say how an output was made, nor extend the run consistently."""
    data, numbers = tables(context), asked(context)
    labels: dict[str, set[str]] = defaultdict(set)
    for collection, kind in data.held[0]:
        place, name = data.collections.get(collection), data.dataset_type_name(kind)
        of_run = place is not None and place.type == "RUN" and (numbers is None or collection in numbers)
        if place is not None and of_run and name.endswith(METADATA):
            labels[place.name].add(name.removesuffix(METADATA))
    for run, names in sorted(labels.items()):
        present = init_outputs(context, run)
        for wanted in (PACKAGES, *(f"{label}{CONFIG}" for label in sorted(names))):
            context.examined()
            if wanted not in present:
                yield Finding(
                    f"run {run} has no {wanted}",
                    where=run,
                    seen="no dataset",
                    expected=f"one {wanted}",
                    look=look_datasets(wanted, run, {}),
                )


@check(
    "provenance.metadata-and-log",
    title="Every quantum left both metadata and a log",
    after="process",
    needs=COADDS,
)
def metadata_and_log(context: CheckContext) -> Iterator[Finding]:
    """A log without metadata is a quantum that failed; metadata without a log is one whose story is lost.

    Resuming a run decides by the metadata alone what is done already.
    """
    data = tables(context)
    kinds = {k.name: k for k in data.dataset_types.values()}
    for name, kind in sorted(kinds.items()):
        for suffix, other in ((METADATA, LOG), (LOG, METADATA)):
            if not name.endswith(other):
                continue
            label = name.removesuffix(other)
            for run, data_id in _without(context, kind, kinds.get(f"{label}{suffix}")):
                yield Finding(
                    f"{label} {text(data_id)} has {label}{other} but no {label}{suffix}",
                    data_id=data_id,
                    where=run,
                    seen=f"no {label}{suffix}",
                    expected="both",
                    look=look_datasets(f"{label}{other}", run, data_id),
                    remedy=f"Run {label} again for it in {run}; pipetask run --extend-run does.",
                )


def _without(
    context: CheckContext, kind: DatasetTypeRow, companion: DatasetTypeRow | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield runs and data IDs in which there is a dataset of a type, and none of another one."""
    import sqlalchemy
    from lsst.daf.butler import CollectionType

    data = tables(context)
    if kind.tags_table not in data.names:
        return
    columns = ("dataset_id", "dataset_type_id", "collection_id", *kind.dimensions)
    mine = data.table(kind.tags_table, *columns).alias("mine")
    dataset = data.table("dataset", "id", "run_id", "ingest_date")
    own = sqlalchemy.and_(dataset.c.id == mine.c.dataset_id, dataset.c.run_id == mine.c.collection_id)
    scope = within(context, dataset.c.id, dataset.c.run_id, dataset.c.ingest_date)
    collection = data.table("collection", "collection_id", "type")
    runs = sqlalchemy.select(collection.c.collection_id).where(collection.c.type == int(CollectionType.RUN))
    statement = (
        sqlalchemy.select(mine.c.collection_id, *(mine.c[d] for d in kind.dimensions))
        .select_from(mine.join(dataset, own) if scope else mine)
        .where(mine.c.dataset_type_id == kind.id, mine.c.collection_id.in_(runs), *scope)
    )
    context.examined(data.count(statement))
    if companion is not None and companion.tags_table == kind.tags_table:
        theirs = data.table(kind.tags_table, *columns).alias("theirs")
        same = [theirs.c[d] == mine.c[d] for d in ("collection_id", *kind.dimensions)]
        statement = statement.where(~sqlalchemy.exists().where(theirs.c.dataset_type_id == companion.id, *same))
    for run, *values in data.stream(statement.order_by(mine.c.collection_id, *(mine.c[d] for d in kind.dimensions))):
        yield data.collection_name(run), kind.data_id(tuple(values))


@check(
    "provenance.quantum-times",
    title="The metadata of every quantum can be read and has its times in order",
    after="process",
    needs=COADDS,
    deep=True,
    remedy="Remove the outputs of the quantum with 'butler prune-datasets --purge' and run it again.",
)
def quantum_times(context: CheckContext) -> Iterator[Finding]:
    """Metadata are what reports, resource estimates and retries rely on; they are the last thing that is written."""
    for item in quanta(context):
        context.examined()
        steps = ("prep", "init", "start", "end")
        times = {n: item.time(n) for n in steps} if item.metadata is not None else {}
        present = [t for t in times.values() if t]
        problem = item.error
        if not problem and not (times["prep"] and times["end"]):
            problem = "no beginning or no end"
        elif not problem and present != sorted(present):
            problem = "an end before its beginning"
        if problem:
            yield Finding(
                f"the metadata of {item.label} {text(item.data_id)} are not sound",
                data_id=item.data_id,
                where=item.run,
                seen=", ".join([problem, *(f"{n} {t}" for n, t in times.items() if t)]),
                expected="readable, prep ≤ init ≤ start ≤ end",
                look=_look(item),
            )


@check(
    "provenance.outputs-recorded",
    title="What metadata list as outputs is in the run, with the quantum's data ID, and each is listed by one quantum",
    after="process",
    needs=COADDS,
    deep=True,
    remedy="Remove the outputs of the quantum with 'butler prune-datasets --purge' and run it again.",
)
def outputs_recorded(context: CheckContext) -> Iterator[Finding]:
    """An output that no quantum admits to was put there by hand; one that is listed and gone was lost since."""
    data = tables(context)
    owners: dict[uuid.UUID, list[ExecutedQuantum]] = defaultdict(list)
    runs = {data.collection_ids[q.run] for q in quanta(context)}
    listed = ((item, identifier) for item in quanta(context) for identifier in item.outputs or ())
    for (item, identifier), output in described(context, listed, lambda pair: pair[1]):
        context.examined()
        owners[identifier].append(item)
        if output is None or output.run != item.run:
            yield Finding(
                f"{item.label} {text(item.data_id)} lists an output that its run does not have",
                data_id=item.data_id,
                where=item.run,
                seen=f"no dataset {identifier} in {item.run}",
                expected="the output that the quantum put",
                look=_look(item),
            )
        elif other := {k: v for k, v in output.data_id.items() if item.data_id.get(k, v) != v}:
            yield Finding(
                f"{item.label} {text(item.data_id)} lists the output of another quantum",
                data_id=item.data_id,
                where=item.run,
                seen=f"{output.kind} {text(output.data_id)}",
                expected=f"outputs of {text({k: item.data_id[k] for k in other})}",
                look=_look(item),
            )
    if not are_all_quanta(context) or any(q.outputs is None for q in quanta(context) if q.metadata is not None):
        return  # a part of them, or written before metadata listed outputs (pipe_base of 2024)
    kinds = {k.id: k for k in data.dataset_types.values() if k.dimensions and not k.name.endswith((METADATA, LOG))}
    for row in members(context, kinds.values()):
        mine = owners.get(row.id, [])
        if row.run_id in runs and len(mine) != 1:
            kind, run = kinds[row.type_id], data.collection_name(row.run_id)
            data_id = kind.data_id(row.values)
            yield Finding(
                f"{kind.name} {text(data_id)} is the output of {len(mine) or 'no'} quanta",
                data_id=data_id,
                where=run,
                seen=", ".join(q.label for q in mine) or "listed by none",
                expected="listed by the one that put it",
                look=look_datasets(kind.name, run, data_id),
            )


def _task_of(context: CheckContext, item: ExecutedQuantum) -> TaskNode | None:
    """Return the task of a quantum in the pipelines of its instrument, or of any if it has none."""
    graphs = pipeline_graphs(context)
    owner = item.data_id.get("instrument")
    for name, mine in graphs.items():
        if owner in (None, name):
            for graph in mine.values():
                if item.label in graph.tasks:
                    task: TaskNode = graph.tasks[item.label]
                    return task
    return None


@check(
    "provenance.outputs-complete",
    title="Every quantum has all outputs that its task declares, or says in its metadata why not",
    after="process",
    needs=COADDS,
    deep=True,
    remedy="Remove the outputs of the quantum with 'butler prune-datasets --purge' and run it again.",
)
def outputs_complete(context: CheckContext) -> Iterator[Finding]:
    """A quantum that succeeded without one of its outputs starves what comes after it, without any error."""
    data = tables(context)
    present: dict[tuple[str, str], set[Any]] = defaultdict(set)
    wanted = {
        e.parent_dataset_type_name for q in quanta(context) if (t := _task_of(context, q)) for e in t.outputs.values()
    }
    kinds = {k.id: k for k in data.dataset_types.values() if k.name in wanted}
    for row in members(context, kinds.values(), everything=True):
        kind = kinds[row.type_id]
        present[data.collection_name(row.run_id), kind.name].add(key(kind.data_id(row.values)))
    for item in quanta(context):
        task = _task_of(context, item)
        if task is None or item.caveats:
            continue
        for edge in task.outputs.values():
            name = edge.parent_dataset_type_name
            if set(_required(context, name)) != set(item.data_id):
                continue  # several outputs of one quantum: how many there must be is the task's to know
            context.examined()
            if key(item.data_id) not in present.get((item.run, name), set()):
                yield Finding(
                    f"{item.label} {text(item.data_id)} made no {name}, and says nothing about it",
                    data_id=item.data_id,
                    where=item.run,
                    seen=f"no {name}, no caveats",
                    expected=f"one {name}",
                    look=look_datasets(name, item.run, item.data_id),
                )


def _required(context: CheckContext, name: str) -> tuple[str, ...]:
    data = tables(context)
    kinds = context.cached("dataset types by name", lambda: {t.name: t for t in data.dataset_types.values()})
    return kinds[name].dimensions if name in kinds else ()


@check(
    "provenance.quanta-expected",
    title="Every task ran for exactly the data IDs that follow from the manifest and the pipeline",
    after="process",
    needs=COADDS,
    remedy="Run the pipeline again with --extend-run --skip-existing: that makes what is missing.",
)
def quanta_expected(context: CheckContext) -> Iterator[Finding]:
    """Quanta that were never made fail nothing: a run can be green and half empty.

    What must have run is computed by joining the raws of the manifest with the task's dimensions, under the
    manifest's data query. Nothing is typed in.
    """
    dataset = context.dataset
    if dataset is None or dataset.instrument not in context.kits or not raws(context):
        return
    if dataset.processing is None:
        return
    graph = pipeline_graphs(context).get(dataset.instrument, {}).get(dataset.processing.pipeline)
    if graph is None:
        return
    done: dict[str, set[Any]] = defaultdict(set)
    for item in quanta(context):
        if item.run.startswith(f"{dataset.instrument}/runs/{dataset.name}/"):
            done[item.label].add(key(item.data_id))
    expected = context.cached("expected quanta", lambda: _expected(context, graph))
    for label, wanted in expected.items():
        context.examined(len(wanted))
        seen = done.get(label, set())
        for missing in sorted(wanted - seen):
            yield _quantum(context, label, dict(missing), "did not run", "no metadata in any run", "one quantum")
        for strange in sorted(seen - wanted):
            yield _quantum(context, label, dict(strange), "ran, unexpectedly", "metadata", "no such quantum")
        if not wanted:
            yield _quantum(context, label, {}, "has nothing to run on", "no data ID", "at least one")


def _quantum(context: CheckContext, label: str, data_id: Mapping[str, Any], what: str, *words: str) -> Finding:
    run = next((q.run for q in quanta(context)), "'*'")
    look = look_datasets(f"{label}{METADATA}", run, {})
    return Finding(f"{label} {text(data_id)} {what}", data_id, f"{label}{METADATA}", words[0], words[1], look)


def _expected(context: CheckContext, graph: PipelineGraph) -> dict[str, set[Any]]:
    """Join raws and dimensions for each task of a pipeline, with the middleware's own query system."""
    dataset = context.dataset
    assert dataset is not None
    assert dataset.processing is not None
    run = context.kits[dataset.instrument].instrument_class().makeDefaultRawIngestRunName()
    kind = next((r.dataset_type for r in raws(context) if r.run == run), "raw")
    manifest = {(o.exposure, d) for o in dataset.observations for d in o.detectors}
    where = f" AND ({dataset.processing.where})" if dataset.processing.where else ""
    # All dimensions at once, as a quantum graph is built: visits tie exposures to the sky. The manifest's pairs
    # are picked afterwards: the query system takes forever over an expression that lists them.
    everything = context.butler.dimensions.conform(
        {"exposure", "detector"}.union(*(t.dimensions.names for t in graph.tasks.values()))
    )
    with context.butler.query() as query:
        query = query.join_dataset_search(kind, [run]).where(f"instrument='{dataset.instrument}'{where}")
        found = [d for d in query.data_ids(everything) if (d["exposure"], d["detector"]) in manifest]
    return {
        label: {key(dict(data_id.subset(task.dimensions).required)) for data_id in found}
        for label, task in graph.tasks.items()
    }


@check(
    "provenance.packages",
    title="The packages that a run records are those that are installed",
    after="process",
    needs=COADDS,
    remedy="Process again in a new run; a run extended with other versions is a mixture.",
)
def packages(context: CheckContext) -> Iterator[Finding]:
    """A run extended with other versions is a mixture; its packages must tell, and here they must not differ."""
    if context.dataset is None:
        return  # another site's repository was made with another site's software
    import importlib.metadata
    import platform

    versions = {name: importlib.metadata.version(distribution) for name, distribution in DISTRIBUTIONS.items()}
    versions["python"] = platform.python_version()
    for run in sorted({q.run for q in quanta(context)}):
        identifier = init_outputs(context, run).get(PACKAGES)
        if identifier is None:
            continue  # found by provenance.init-outputs
        recorded = context.butler.get(context.butler.get_dataset(identifier))
        for name, installed in versions.items():
            context.examined()
            seen = str(recorded[name]) if name in recorded else "nothing"
            if seen.split(" ")[0].split("+")[0] != installed.split("+")[0]:
                yield Finding(
                    f"run {run} records another version of {name} than is installed",
                    where=run,
                    seen=f"{name} {seen}",
                    expected=installed,
                    look=look_datasets(PACKAGES, run, {}),
                )


CHECKS: tuple[Check, ...] = (
    run_init_outputs,
    metadata_and_log,
    quantum_times,
    outputs_recorded,
    outputs_complete,
    quanta_expected,
    packages,
)
