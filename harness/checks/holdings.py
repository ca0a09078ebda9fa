"""Invariants of what collections are and hold, asked of the database in whole sets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..verdicts import Check, Finding, check
from .conventions import believed
from .members import describe
from .records import iso, look_rows
from .reflected import reflected, rows, stored
from .survey import files
from .tables import NO_COMPONENT, tables

if TYPE_CHECKING:
    import sqlalchemy

    from .context import CheckContext

__all__ = ["CHECKS"]

MOST = 100
"""How many findings one question to the database gives at most."""


def _of_types(context: CheckContext, prefix: str) -> Iterator[tuple[str, sqlalchemy.Table]]:
    """Give the tables of memberships (``dataset_tags_``) or validity ranges (``dataset_calibs_``) of all types."""
    here, raw = stored(context), reflected(context)
    for name in sorted(n for n in here if n.startswith(prefix)):
        yield name, raw[name]


@check(
    "collections.runs-registered",
    title="Every RUN has its row in the table of runs, and nothing else has",
    after="calibs",
    remedy="insert the number of the RUN into the table run, or delete the row there, with the database's own client",
)
def runs_registered(context: CheckContext) -> Iterator[Finding]:
    """Datasets belong to the table of runs: a RUN without row takes none, and what is no RUN must not."""
    data = tables(context)
    registered = {number for (number,) in data.select("run", "collection_id")}
    wanted = {c.id for c in data.collections.values() if c.type == "RUN"}
    context.examined(len(data.collections))
    for number in sorted(registered ^ wanted):
        name = data.collection_name(number)
        kind = data.collections[number].type if number in data.collections else "nothing"
        yield Finding(
            f"{name} is {'not ' if number in wanted else ''}in the table of runs, and is {kind}",
            where="run",
            seen=f"{kind}, {'no row' if number in wanted else 'a row'}",
            expected="a row for every RUN, and for nothing else",
            look=look_rows("collection", "collection_id", number),
        )


@check(
    "collections.names",
    title="Names of collections are paths without blanks, wildcards and empty parts, and differ in more than case",
    after="calibs",
    remedy="make a collection of the right name, put the members into it, and remove this one",
)
def names(context: CheckContext) -> Iterator[Finding]:
    """A RUN's name is a folder, and every command takes wildcards: such a name means more than one thing."""
    data = tables(context)
    same: dict[str, list[str]] = defaultdict(list)
    for row in data.collections.values():
        same[row.name.casefold()].append(row.name)
    for row in sorted(data.collections.values()):
        context.examined()
        parts = row.name.split("/")
        strange = sorted({c for c in row.name if c in "*?[]{},'\"\\#:;|<>" or c.isspace() or not c.isprintable()})
        if strange or not all(p and p.strip(".") for p in parts) or len(same[row.name.casefold()]) > 1:
            yield Finding(
                f"{row.name!r} is no good name of a collection",
                where="collection.name",
                seen=", ".join(map(repr, strange)) or ", ".join(same[row.name.casefold()]),
                expected="words between slashes, as no other collection has",
                look=look_rows("collection", "collection_id", row.id),
            )


@check(
    "collections.one-per-data-id",
    title="In a RUN or TAGGED collection there is one dataset of a type with a data ID",
    after="calibs",
    remedy="decide which is right, and remove the other one",
)
def one_per_data_id(context: CheckContext) -> Iterator[Finding]:
    """Of two, a search gives either, and not the same one every time. The database refuses it unless it was copied."""
    import sqlalchemy

    data, fixed = tables(context), ("dataset_id", "dataset_type_id", "collection_id")
    for name, table in _of_types(context, "dataset_tags_"):
        columns = [table.columns[c] for c in ("dataset_type_id", "collection_id")]
        columns += [c for c in table.columns if c.name not in fixed]
        context.examined()
        count = sqlalchemy.func.count()
        double = sqlalchemy.select(*columns, count).group_by(*columns).having(count > 1)
        for kind, collection, *values, number in rows(context, double, MOST):
            data_id = dict(zip((c.name for c in columns[2:]), values, strict=True))
            yield Finding(
                f"{data.collection_name(collection)} has {number} {data.dataset_type_name(kind)} of one data ID",
                data_id=data_id,
                where=name,
                seen=f"{number} datasets",
                expected="one",
                look=look_rows(name, "dataset_type_id", kind),
            )


@check(
    "collections.not-empty",
    title="Chains, tags and calibration collections have members",
    after="defaults",
    remedy="remove the collection, or fill it",
)
def not_empty(context: CheckContext) -> Iterator[Finding]:
    """A search in an empty collection finds nothing and says nothing: whoever filled it is not told that it is gone."""
    import sqlalchemy

    data = tables(context)
    full = {number for number, children in data.chains.items() if children}
    for prefix in ("dataset_tags_", "dataset_calibs_"):
        for _, table in _of_types(context, prefix):
            full |= {n for (n,) in rows(context, sqlalchemy.select(table.columns["collection_id"]).distinct())}
    for row in sorted(data.collections.values()):
        if row.type == "RUN":
            continue  # a run that failed at once is empty, and its name is taken all the same
        context.examined()
        if row.id not in full:
            yield Finding(
                f"the {row.type} collection {row.name} is empty",
                where=row.name,
                seen="no members",
                expected="at least one",
                look=f"butler query-collections {{repo}} '{row.name}'",
                remedy=f"butler remove-collections {{repo}} '{row.name}'",
            )


@check(
    "calibrations.all-certified",
    title="Of the calibrations of a run all are certified, or none",
    after="calibs",
    remedy="certify what was left out for the times of the others: butler certify-calibrations",
)
def all_certified(context: CheckContext) -> Iterator[Finding]:
    """A run is certified as a whole. A detector that was left out, or decertified by mistake, has no calibration."""
    import sqlalchemy

    data, here = tables(context), stored(context)
    dataset = here["dataset"].columns
    for row in sorted(data.dataset_types.values()):
        if not row.calibs_table or row.calibs_table not in here:
            continue
        certified = here[row.calibs_table].columns["dataset_id"]
        of_type = sqlalchemy.select(dataset["run_id"], dataset["id"]).where(dataset["dataset_type_id"] == row.id)
        runs = sqlalchemy.select(dataset["run_id"]).where(dataset["id"].in_(sqlalchemy.select(certified))).distinct()
        left = of_type.where(dataset["run_id"].in_(runs), dataset["id"].not_in(sqlalchemy.select(certified)))
        context.examined()
        for run, identifier in rows(context, left, MOST):
            name = data.collection_name(run)
            found = describe(context, [identifier]).get(identifier)
            yield Finding(
                f"{row.name} {identifier} of {name} is not certified, as others of the run are",
                data_id=found.data_id if found is not None else {},
                where=name,
                seen="in no calibration collection",
                expected="certified, as the others",
                look=look_rows("dataset", "id", identifier.hex),
            )


@check(
    "calibrations.spans-agree",
    title="The calibrations of a run and type are certified for the same times, but for few exceptions",
    after="calibs",
    remedy="decertify the odd ones and certify them again for the times of the others",
)
def spans_agree(context: CheckContext) -> Iterator[Finding]:
    """A run's calibrations are certified together. One whose time differs was certified, or edited, by hand.

    Where many differ, as where each is valid from when its detector was measured, nothing is concluded.
    """
    import sqlalchemy

    data, here = tables(context), stored(context)
    dataset = here["dataset"]
    for name in sorted(n for n in here if n.startswith("dataset_calibs_")):
        table = here[name]
        if "timespan_begin" not in table.columns:
            continue  # PostgreSQL has ranges of its own
        join = table.join(dataset, dataset.columns["id"] == table.columns["dataset_id"])
        group = [dataset.columns["run_id"], *(table.columns[c] for c in ("dataset_type_id", "collection_id"))]
        span = [table.columns[c] for c in ("timespan_begin", "timespan_end")]
        example = sqlalchemy.func.min(table.columns["id"])
        counted = sqlalchemy.select(*group, *span, sqlalchemy.func.count(), example).select_from(join)
        found: dict[tuple[Any, ...], list[tuple[int, int, int, int]]] = defaultdict(list)
        for run, kind, collection, *rest in rows(context, counted.group_by(*group, *span)):
            found[run, kind, collection].append((rest[2], rest[0], rest[1], rest[3]))
            context.examined(rest[2])
        for (run, kind, collection), spans in found.items():
            most, begin, end, _ = max(spans)
            for number, first, last, row in spans:
                if (first, last) != (begin, end) and believed(most, number):
                    yield Finding(
                        f"{number} {data.dataset_type_name(kind)} of {data.collection_name(run)} "
                        f"in {data.collection_name(collection)} certified for another time than {most} others",
                        where=name,
                        seen=f"{iso(first)} to {iso(last)}",
                        expected=f"{iso(begin)} to {iso(end)}",
                        look=look_rows(name, "id", row),
                    )


@check(
    "datastore.locations",
    title="Whatever a datastore is said to hold, it has a record of",
    after="calibs",
    remedy="delete the rows of dataset_location that the datastore has no record of",
)
def locations(context: CheckContext) -> Iterator[Finding]:
    """A dataset that is said to be in a datastore which does not have it cannot be removed, nor stored again."""
    import sqlalchemy

    data, here = tables(context), stored(context)
    place = here["dataset_location"].columns
    (count,) = next(rows(context, sqlalchemy.select(sqlalchemy.func.count()).select_from(here["dataset_location"])))
    context.examined(count)
    known = {name: table for name, (table, _) in data.datastores.items() if table in here}
    strange = sqlalchemy.select(place["datastore_name"], place["dataset_id"])
    conditions = [strange.where(place["datastore_name"].not_in(list(known)))] if known else []
    for name, table in known.items():
        own = sqlalchemy.select(here[table].columns["dataset_id"])
        conditions.append(strange.where(place["datastore_name"] == name, place["dataset_id"].not_in(own)))
    for statement in conditions:
        for name, identifier in rows(context, statement, MOST):
            if "InMemory" in name:
                continue
            yield Finding(
                f"dataset {identifier} is said to be in {name}, which has no record of it",
                where="dataset_location",
                seen=name,
                expected=" or ".join(known),
                look=look_rows("dataset_location", "dataset_id", identifier.hex),
            )


@check(
    "datastore.components-complete",
    title="A dataset is stored whole, or in all its components",
    after="calibs",
    remedy="remove the dataset and make it again",
)
def components_complete(context: CheckContext) -> Iterator[Finding]:
    """Of a composite whose parts are files of their own, one lost part makes the whole unreadable."""
    import sqlalchemy

    data, here = tables(context), stored(context)
    for table, _ in data.datastores.values():
        if table not in here:
            continue
        file, dataset = here[table], here["dataset"]
        context.examined()
        if {way[2] for way in files(context, table).ways} <= {NO_COMPONENT}:
            continue
        joined = file.join(dataset, dataset.columns["id"] == file.columns["dataset_id"])
        kind, part = dataset.columns["dataset_type_id"], file.columns["component"]
        apart = (
            sqlalchemy.select(file.columns["dataset_id"], kind, part).select_from(joined).where(part != NO_COMPONENT)
        )
        parts: dict[tuple[Any, int], set[str]] = defaultdict(set)
        for identifier, number, component in rows(context, apart):
            parts[identifier, number].add(component)
        whole: dict[int, set[str]] = defaultdict(set)
        for (_, number), found in parts.items():
            whole[number] |= found
        for (identifier, number), found in parts.items():
            lost = sorted(whole[number] - found)
            if lost:
                yield Finding(
                    f"{data.dataset_type_name(number)} {identifier} lacks components",
                    where=table,
                    seen=", ".join(sorted(found)),
                    expected=", ".join(sorted(whole[number])),
                    look=look_rows(table, "dataset_id", identifier.hex),
                )


CHECKS: tuple[Check, ...] = (
    runs_registered,
    names,
    one_per_data_id,
    not_empty,
    all_certified,
    spans_agree,
    locations,
    components_complete,
)
