"""Invariants of collections: members exist, summaries tell the truth, files lie where their run is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING

from ..instrument.kit import Capability
from ..verdicts import Check, Finding, check
from .pipelines import pipeline_graphs
from .records import look_datasets, look_rows, text
from .tables import tables

if TYPE_CHECKING:
    from .context import CheckContext

__all__ = ["CHECKS"]


@check(
    "collections.members",
    title="Every member of a RUN or TAGGED collection is a dataset of that type; a RUN holds its own datasets, once",
    after="calibs",
)
def members(context: CheckContext) -> Iterator[Finding]:
    """Queries read the table of members, retrieval the table of datasets: where the two differ, either lies."""
    data = tables(context)
    in_run: set[object] = set()
    for row in data.associations:
        context.examined()
        dataset, collection = data.datasets.get(row.dataset_id), data.collections.get(row.collection_id)
        kind = data.dataset_types.get(row.type_id)
        data_id = kind.data_id(row.values) if kind is not None else {}
        name = data.dataset_type_name(row.type_id)
        where = data.collection_name(row.collection_id)
        problem = ""
        if dataset is None:
            problem = "is no dataset"
        elif dataset.type_id != row.type_id:
            problem = f"is a {data.dataset_type_name(dataset.type_id)}"
        elif collection is None or collection.type not in {"RUN", "TAGGED"}:
            problem = f"is in a {collection.type if collection else 'missing'} collection"
        elif collection.type == "RUN":
            in_run.add(row.dataset_id)
            if dataset.run_id != row.collection_id:
                problem = f"belongs to run {data.collection_name(dataset.run_id)}"
        if problem:
            yield Finding(
                f"{name} {row.dataset_id} {problem}, but is a member of {where}",
                data_id=data_id,
                where=where,
                seen=problem,
                expected=f"a {name} of this collection",
                look=look_datasets(name, where, data_id),
            )
    for identifier in sorted(data.datasets.keys() - in_run, key=str):
        dataset = data.datasets[identifier]
        name, run = data.dataset_type_name(dataset.type_id), data.collection_name(dataset.run_id)
        yield Finding(
            f"{name} {identifier} is not a member of its run {run}",
            where=run,
            seen="no membership",
            expected=f"a member of {run}",
            look=look_rows("dataset", "id", identifier.hex),
        )


@check(
    "collections.summary-complete",
    title="The summary of a collection names every dataset type, instrument and sky map that it holds",
    after="calibs",
)
def summary_complete(context: CheckContext) -> Iterator[Finding]:
    """Queries skip collections whose summary lacks what they look for: the datasets exist and are never found."""
    types, governors = _contents(context)
    data = tables(context)
    for collection, kind in sorted(types):
        context.examined()
        if (collection, kind) not in data.summary_types:
            name = data.collection_name(collection)
            yield Finding(
                f"the summary of {name} does not mention {data.dataset_type_name(kind)}",
                where=name,
                seen=f"no {data.dataset_type_name(kind)}",
                expected=f"{data.dataset_type_name(kind)}, of which it holds datasets",
                look=look_rows("collection_summary_dataset_type", "collection_id", collection),
            )
    for dimension, pairs in governors.items():
        for collection, value in sorted(pairs - data.summary_governors[dimension]):
            name = data.collection_name(collection)
            yield Finding(
                f"the summary of {name} does not mention {dimension} {value}",
                data_id={dimension: value},
                where=name,
                seen=f"no {dimension} {value}",
                expected=f"{value}, of which it holds datasets",
                look=look_rows(f"collection_summary_{dimension}", "collection_id", collection),
            )


@check(
    "collections.summary-exact",
    title="The summary of a collection names nothing that it does not hold",
    after="calibs",
    upstream="daf_butler 2024.22: associate puts foreign types into the summary",
)
def summary_exact(context: CheckContext) -> Iterator[Finding]:
    """A summary that promises too much slows every query, and listings show dataset types that are not there."""
    types, governors = _contents(context)
    data = tables(context)
    for collection, kind in sorted(data.summary_types):
        context.examined()
        if (collection, kind) not in types:
            name = data.collection_name(collection)
            yield Finding(
                f"the summary of {name} mentions {data.dataset_type_name(kind)}, of which it holds none",
                where=name,
                seen=data.dataset_type_name(kind),
                expected="only what the collection holds",
                look=look_datasets(data.dataset_type_name(kind), name, {}),
            )
    for dimension, pairs in data.summary_governors.items():
        for collection, value in sorted(pairs - governors[dimension]):
            name = data.collection_name(collection)
            yield Finding(
                f"the summary of {name} mentions {dimension} {value}, of which it holds nothing",
                data_id={dimension: value},
                where=name,
                seen=f"{dimension} {value}",
                expected="only what the collection holds",
                look=look_rows(f"collection_summary_{dimension}", "collection_id", collection),
            )


def _contents(context: CheckContext) -> tuple[set[tuple[int, int]], Mapping[str, set[tuple[int, str]]]]:
    """Return what collections hold: pairs with dataset types, and for each governor dimension with its values."""

    def make() -> tuple[set[tuple[int, int]], Mapping[str, set[tuple[int, str]]]]:
        data = tables(context)
        types: set[tuple[int, int]] = set()
        governors: dict[str, set[tuple[int, str]]] = {name: set() for name in data.governors}
        places = {
            t.id: [(i, d) for i, d in enumerate(t.dimensions) if d in governors] for t in data.dataset_types.values()
        }
        rows = chain(
            ((a.collection_id, a.type_id, a.values) for a in data.associations),
            ((v.collection_id, v.type_id, v.values) for v in data.validities),
        )
        for collection, kind, values in rows:
            types.add((collection, kind))
            for i, dimension in places.get(kind, ()):
                governors[dimension].add((collection, values[i]))
        return types, governors

    return context.cached("contents of collections", make)


@check(
    "collections.types-used",
    title="Every dataset type has datasets or belongs to a pipeline",
    after="process",
    needs={Capability.COADDS},
)
def types_used(context: CheckContext) -> Iterator[Finding]:
    """A dataset type that nobody uses is most often a misspelt one, or what a failed import left behind."""
    data = tables(context)
    used = {d.type_id for d in data.datasets.values()}
    declared: set[str] = set()
    for graphs in pipeline_graphs(context).values():
        for graph in graphs.values():
            declared |= set(graph.dataset_types) | {
                n.init.config_output.dataset_type_name for n in graph.tasks.values()
            }
            for node in graph.tasks.values():
                outputs = (node.metadata_output, node.log_output)
                declared |= {o.dataset_type_name for o in outputs if o is not None}
    for row in data.dataset_types.values():
        context.examined()
        if row.id not in used and row.name not in declared:
            yield Finding(
                f"nothing uses the dataset type {row.name}",
                where="dataset_type",
                seen="no dataset, in no pipeline",
                expected="a dataset, or a task that reads or writes it",
                look=f"butler query-dataset-types {{repo}} {row.name} --verbose",
            )


@check(
    "collections.run-in-file-name",
    title="A file lies in the folder of the run that its dataset belongs to",
    after="calibs",
)
def run_in_file_name(context: CheckContext) -> Iterator[Finding]:
    """Removing a run's folder must remove that run and nothing else; people look for files by run.

    Files that were ingested where they are, outside the datastore, keep their names.
    """
    data = tables(context)
    runs = sorted((c.name for c in data.collections.values() if c.type == "RUN"), key=len, reverse=True)
    folders = {name: name.replace(" ", "_") for name in runs}
    for row in data.files:
        dataset = data.datasets.get(row.dataset_id)
        if dataset is None or "://" in row.path or row.path.startswith("/"):
            continue
        context.examined()
        run = data.collection_name(dataset.run_id)
        if not row.path.startswith(f"{folders.get(run, run)}/"):
            actual = next((n for n in runs if row.path.startswith(f"{folders[n]}/")), "no run")
            data_id = data.data_ids.get(row.dataset_id, {})
            kind = data.dataset_type_name(dataset.type_id)
            yield Finding(
                f"the file of {kind} {text(data_id)} does not lie in its run's folder",
                data_id=data_id,
                where=row.path,
                seen=f"in the folder of {actual}",
                expected=f"{run}/…",
                look=look_datasets(kind, run, data_id),
            )


CHECKS: tuple[Check, ...] = (members, summary_complete, summary_exact, types_used, run_in_file_name)
