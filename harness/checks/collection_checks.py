"""Invariants of collections: members exist, summaries tell the truth, files lie where their run is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..instrument.kit import Capability
from ..verdicts import Check, Finding, check
from .inventory import select_files
from .members import asked, described, since, within
from .pipelines import pipeline_graphs
from .records import look_datasets, look_rows, text
from .survey import files
from .tables import tables

if TYPE_CHECKING:
    import uuid

    from sqlalchemy import TableClause

    from .context import CheckContext

__all__ = ["CHECKS"]

_REMEMBER = "Compare with a copy of the repository: the row of members, or that of the dataset, is to be put right."

_REFRESH = "Open the repository for writing in Python and call butler._registry.refresh_collection_summaries()."


@check(
    "collections.members",
    title="Every member of a RUN or TAGGED collection is a dataset of that type; a RUN holds its own datasets, once",
    after="calibs",
)
def members(context: CheckContext) -> Iterator[Finding]:
    """Queries read the table of members, retrieval the table of datasets: where the two differ, either lies."""
    import sqlalchemy

    data = tables(context)
    for table, kinds in data.tags_tables.items():
        yield from _wrong_members(context, table)
        yield from _not_in_run(context, [k.id for k in kinds], table)
    dataset = data.table("dataset", "dataset_type_id")
    present = {row[0] for row in data.stream(sqlalchemy.select(dataset.c.dataset_type_id).distinct())}
    placed = {k.id for kinds in data.tags_tables.values() for k in kinds}
    yield from _not_in_run(context, sorted(present - placed), None)


def _wrong_members(context: CheckContext, table: str) -> Iterator[Finding]:
    """Find the rows of one table of members that contradict those of the datasets and collections."""
    import sqlalchemy
    from lsst.daf.butler import CollectionType

    data = tables(context)
    dimensions = data.tags_tables[table][0].dimensions
    tags = data.table(table, "dataset_id", "dataset_type_id", "collection_id", *dimensions)
    dataset = data.table("dataset", "id", "dataset_type_id", "run_id", "ingest_date")
    collection = data.table("collection", "collection_id", "type")
    scope = []
    numbers = asked(context)
    if numbers is not None:
        scope.append(tags.c.collection_id.in_(sorted(numbers)))
    if context.scope.since is not None:
        recent = sqlalchemy.select(dataset.c.id).where(since(context, dataset.c.ingest_date))
        scope.append(tags.c.dataset_id.in_(recent))
    context.examined(data.count(sqlalchemy.select(tags.c.dataset_id).where(*scope)))
    run = collection.c.type == int(CollectionType.RUN)
    statement = (
        sqlalchemy.select(
            tags.c.dataset_id,
            tags.c.dataset_type_id,
            tags.c.collection_id,
            dataset.c.dataset_type_id,
            dataset.c.run_id,
            *(tags.c[d] for d in dimensions),
        )
        .select_from(
            tags.outerjoin(dataset, dataset.c.id == tags.c.dataset_id).outerjoin(
                collection, collection.c.collection_id == tags.c.collection_id
            )
        )
        .where(
            sqlalchemy.or_(
                dataset.c.id.is_(None),
                dataset.c.dataset_type_id != tags.c.dataset_type_id,
                collection.c.type.is_(None),
                ~(run | (collection.c.type == int(CollectionType.TAGGED))),
                run & (dataset.c.run_id != tags.c.collection_id),
            ),
            *scope,
        )
    )
    for identifier, kind_id, collection_id, actual, owner, *values in data.stream(statement):
        kind, place = data.dataset_types.get(kind_id), data.collections.get(collection_id)
        data_id = kind.data_id(tuple(values)) if kind is not None else {}
        name, where = data.dataset_type_name(kind_id), data.collection_name(collection_id)
        if actual is None:
            problem = "is no dataset"
        elif actual != kind_id:
            problem = f"is a {data.dataset_type_name(actual)}"
        elif place is None or place.type not in {"RUN", "TAGGED"}:
            problem = f"is in a {place.type if place else 'missing'} collection"
        else:
            problem = f"belongs to run {data.collection_name(owner)}"
        yield Finding(
            f"{name} {identifier} {problem}, but is a member of {where}",
            data_id=data_id,
            where=where,
            seen=problem,
            expected=f"a {name} of this collection",
            look=look_datasets(name, where, data_id),
            remedy=_REMEMBER if actual is not None else f"Delete the row of {table}: what it names is gone.",
        )


def _not_in_run(context: CheckContext, kinds: list[int], table: str | None) -> Iterator[Finding]:
    """Find datasets of some types that are in no run, where they must be by a table of members."""
    import sqlalchemy

    if not kinds:
        return
    data = tables(context)
    dataset = data.table("dataset", "id", "dataset_type_id", "run_id", "ingest_date")
    statement = sqlalchemy.select(dataset.c.id, dataset.c.dataset_type_id, dataset.c.run_id).where(
        dataset.c.dataset_type_id.in_(kinds),
        *within(context, dataset.c.id, dataset.c.run_id, dataset.c.ingest_date),
    )
    if table is not None:
        # Asked by the table's primary key: without statistics SQLite takes any index that a condition allows.
        tags = data.table(table, "dataset_id", "dataset_type_id", "collection_id")
        own = (tags.c.dataset_id == dataset.c.id, tags.c.collection_id == dataset.c.run_id)
        statement = statement.where(~sqlalchemy.exists().where(*own))
    for identifier, kind, run in data.stream(statement.order_by(dataset.c.id)):
        if table is not None and _in_some_run(context, tags, identifier, kind):
            continue  # found as a member of the wrong one
        name, place = data.dataset_type_name(kind), data.collection_name(run)
        yield Finding(
            f"{name} {identifier} is not a member of its run {place}",
            where=place,
            seen="no membership",
            expected=f"a member of {place}",
            look=look_rows("dataset", "id", identifier.hex),
            remedy=_REMEMBER,
        )


def _in_some_run(context: CheckContext, tags: TableClause, identifier: uuid.UUID, kind: int) -> bool:
    import sqlalchemy

    data = tables(context)
    mine = sqlalchemy.select(tags.c.dataset_type_id, tags.c.collection_id).where(tags.c.dataset_id == identifier)
    here = [data.collections.get(collection) for number, collection in data.stream(mine) if number == kind]
    return any(c is not None and c.type == "RUN" for c in here)


@check(
    "collections.summary-complete",
    title="The summary of a collection names every dataset type, instrument and sky map that it holds",
    after="calibs",
    remedy="Put one of these datasets, or associate it, again: that adds what the summary lacks.",
)
def summary_complete(context: CheckContext) -> Iterator[Finding]:
    """Queries skip collections whose summary lacks what they look for: the datasets exist and are never found."""
    data = tables(context)
    types, governors = data.held
    for collection, kind in sorted(types):
        if not _asked(context, collection):
            continue
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
            if not _asked(context, collection):
                continue
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
    remedy=_REFRESH,
)
def summary_exact(context: CheckContext) -> Iterator[Finding]:
    """A summary that promises too much slows every query, and listings show dataset types that are not there."""
    data = tables(context)
    types, governors = data.held
    for collection, kind in sorted(data.summary_types):
        if not _asked(context, collection):
            continue
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
            if not _asked(context, collection):
                continue
            name = data.collection_name(collection)
            yield Finding(
                f"the summary of {name} mentions {dimension} {value}, of which it holds nothing",
                data_id={dimension: value},
                where=name,
                seen=f"{dimension} {value}",
                expected="only what the collection holds",
                look=look_rows(f"collection_summary_{dimension}", "collection_id", collection),
            )


def _asked(context: CheckContext, collection: int) -> bool:
    numbers = asked(context)
    return numbers is None or collection in numbers


@check(
    "collections.types-used",
    title="Every dataset type has datasets or belongs to a pipeline",
    after="process",
    needs={Capability.COADDS},
)
def types_used(context: CheckContext) -> Iterator[Finding]:
    """A dataset type that nobody uses is most often a misspelt one, or what a failed import left behind."""
    import sqlalchemy

    data = tables(context)
    dataset = data.table("dataset", "dataset_type_id")
    used = {row[0] for row in data.stream(sqlalchemy.select(dataset.c.dataset_type_id).distinct())}
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
                remedy=f"butler remove-dataset-type {{repo}} {row.name}",
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
    import sqlalchemy

    data = tables(context)
    runs = sorted((c.name for c in data.collections.values() if c.type == "RUN"), key=len, reverse=True)
    dataset = data.table("dataset", "id", "run_id", "ingest_date")
    collection = data.table("collection", "collection_id", "name")
    folder = sqlalchemy.func.replace(collection.c.name, " ", "_")
    for name, (table, _) in data.datastores.items():
        if table not in data.names:
            continue
        if context.scope.whole and files(context, table).plain and not files(context, table).misplaced:
            context.examined(len(files(context, table).keys))
            continue
        file = data.table(table, "dataset_id", "path")
        inside = sqlalchemy.and_(~file.c.path.like("%://%"), ~file.c.path.like("/%"))
        joined = file.join(dataset, dataset.c.id == file.c.dataset_id)
        statement = (
            sqlalchemy.select(file.c.dataset_id, file.c.path)
            .select_from(joined.join(collection, collection.c.collection_id == dataset.c.run_id))
            .where(inside, *within(context, dataset.c.id, dataset.c.run_id, dataset.c.ingest_date))
        )
        everything, record = select_files(context, table)
        own_place = (~record.c.path.like("%://%"), ~record.c.path.like("/%"))
        context.examined(data.count(everything.where(*own_place)))
        start = sqlalchemy.func.substr(file.c.path, 1, sqlalchemy.func.length(collection.c.name) + 1)
        elsewhere = data.stream(statement.where(start != folder.concat("/")))
        for (_, path), owner in described(context, elsewhere, lambda r: r[0]):
            if owner is None:
                continue
            actual = next((n for n in runs if path.startswith(f"{n.replace(' ', '_')}/")), "no run")
            yield Finding(
                f"the file of {owner.kind} {text(owner.data_id)} does not lie in its run's folder",
                data_id=owner.data_id,
                where=path,
                seen=f"in the folder of {actual}",
                expected=f"{owner.run}/…",
                look=look_datasets(owner.kind, owner.run, owner.data_id),
                remedy=f"Store it again, or move its file and correct its record in {name}.",
            )


CHECKS: tuple[Check, ...] = (members, summary_complete, summary_exact, types_used, run_in_file_name)
