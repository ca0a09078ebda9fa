"""Invariants of what a registry writes about itself: versions, groups of dimensions, tables of dataset types, ids."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..verdicts import Check, Finding, check
from .records import iso, look_rows
from .reflected import database, reflected, rows, stored
from .survey import CLOCKS, FIRST
from .survey import datasets as survey
from .tables import tables

if TYPE_CHECKING:
    from .context import CheckContext

__all__ = ["CHECKS"]

MOST = 100
"""How many findings one question gives at most."""

ATTRIBUTES = "butler_attributes"


@check(
    "registry.attributes",
    title="The registry says with which manager classes and versions it was made, and nothing that contradicts them",
    after="register",
    remedy="write into butler_attributes what a repository made by the same version of the middleware has",
)
def attributes(context: CheckContext) -> Iterator[Finding]:
    """The middleware decides by them whether it may write to a repository: a version that lies lets it do harm.

    Every manager has a row with its class and that class one with its version, and no class has a version without
    being a manager's. The dimensions written there are those that the repository is opened with.
    """
    found = dict(tables(context).select(ATTRIBUTES, "name", "value"))
    context.examined(len(found))
    managers = {n: v for n, v in found.items() if n.startswith("config:registry.managers.")}
    versions = {n.partition(":")[2]: v for n, v in found.items() if n.startswith("version:")}

    def wrong(name: str, seen: str, expected: str) -> Finding:
        message = f"{ATTRIBUTES} is wrong about {name}"
        return Finding(
            message, where=ATTRIBUTES, seen=seen, expected=expected, look=look_rows(ATTRIBUTES, "name", name)
        )

    for name, value in managers.items():
        if value not in versions:
            yield wrong(name, value, f"a class that has a version here: {', '.join(versions)}")
    for name, value in versions.items():
        if name not in managers.values():
            yield wrong(f"version:{name}", f"{name} {value}", "the class of a manager")
        numbers = value.split(".")
        if len(numbers) != 3 or not all(n.isdigit() for n in numbers):
            yield wrong(f"version:{name}", value, "three numbers")
    for name, value in sorted(found.items()):
        if name == "config:dimensions.json":
            yield from _dimensions(context, value, wrong)
        elif name.startswith("config:") and name.endswith(".json"):
            yield from _json(name, value, wrong)
        elif name not in managers and not name.startswith("version:"):
            yield wrong(name, value[:60], "config:registry.managers.… or version:… or config:….json")
    own = _configured(context)
    for key in sorted(managers.keys() - {f"config:registry.managers.{n}" for n in own}) if own else ():
        yield wrong(key, managers[key], f"a manager of the repository's configuration: {', '.join(own)}")
    for name, configured in own.items():
        key = f"config:registry.managers.{name}"
        if key in managers and managers[key].rpartition(".")[2] != configured.rpartition(".")[2]:
            yield wrong(key, managers[key], f"{configured}, as in the repository's configuration")
        elif key not in managers:
            yield wrong(key, "no row", configured)


def _configured(context: CheckContext) -> dict[str, str]:
    """Return the classes of the managers that the repository's own configuration names."""
    config = context.butler._config
    if "registry" not in config or "managers" not in config["registry"]:
        return {}
    out = {}
    for name in config["registry", "managers"].names(topLevelOnly=True):
        value = config["registry", "managers", name]
        out[name] = value if isinstance(value, str) else value["cls"]
    return out


def _json(name: str, value: str, wrong: Any) -> Iterator[Finding]:
    try:
        json.loads(value)
    except ValueError as error:
        yield wrong(name, str(error), "JSON")


def _dimensions(context: CheckContext, value: str, wrong: Any) -> Iterator[Finding]:
    universe = context.butler.dimensions
    try:
        written = json.loads(value)
    except ValueError as error:
        yield wrong("config:dimensions.json", str(error), "JSON")
        return
    seen = (written.get("namespace"), written.get("version"), sorted(written.get("elements", ())))
    wanted = (universe.namespace, universe.version, sorted(written["elements"]) if "elements" in written else [])
    known = sorted(e.name for e in universe.elements if e not in universe.skypix_dimensions)
    if seen != wanted or seen[2] != known:
        yield wrong("config:dimensions.json", f"{seen[0]} {seen[1]}: {seen[2]}", f"{wanted[0]} {wanted[1]}: {known}")


@check(
    "registry.dimension-groups",
    title="Every group of dimensions is whole and there once, and every dataset type has one",
    after="calibs",
    remedy="restore dimension_graph_definition from a backup: dataset ids and tables depend on it",
)
def dimension_groups(context: CheckContext) -> Iterator[Finding]:
    """The dimensions of a dataset type are the key of its table: with one that is missing, data IDs are ambiguous."""
    data, universe = tables(context), context.butler.dimensions
    groups: dict[int, set[str]] = {number: set() for (number,) in data.select("dimension_graph_key", "id")}
    for number, name in data.select("dimension_graph_definition", "dimension_graph_id", "dimension_name"):
        groups.setdefault(number, set()).add(name)
    seen: dict[frozenset[str], int] = {frozenset(): 0}  # no dimensions are group 0, which no table lists
    for number, names in sorted(groups.items()):
        context.examined()
        unknown = sorted(names - set(universe.dimensions.names))
        # What the dimensions of a group imply is written there by old versions of the middleware only.
        group = None if unknown else universe.conform(names)
        whole = set() if group is None else set(group.required)
        partial = group is not None and names not in (whole, set(group.names))
        twin = seen.setdefault(frozenset(names), number)
        if unknown or partial or twin != number:
            yield Finding(
                f"group {number} of dimensions is {'unknown' if unknown else 'not whole' if partial else 'double'}",
                where="dimension_graph_definition",
                seen=", ".join(sorted(names)) + (f", as group {twin}" if twin != number else ""),
                expected=f"no {', '.join(unknown)}" if unknown else ", ".join(sorted(whole)),
                look=look_rows("dimension_graph_definition", "dimension_graph_id", number),
            )
    for name, number in data.select("dataset_type", "name", "dimensions_key"):
        context.examined()
        if number and number not in groups:
            yield Finding(
                f"the dimensions of dataset type {name} are unknown",
                where="dataset_type",
                seen=f"group {number}",
                expected="a row of dimension_graph_key",
                look=look_rows("dataset_type", "name", name),
            )


@check(
    "registry.type-tables",
    title="Every dataset type has its tables, with the columns of its dimensions, and every such table has types",
    after="calibs",
    remedy="restore the row of dataset_type, or the table, from a backup",
)
def type_tables(context: CheckContext) -> Iterator[Finding]:
    """Memberships in a table of other dimensions cannot be read; those in a table of no type are lost."""
    data, here, universe = tables(context), reflected(context), context.butler.dimensions
    groups: dict[int, set[str]] = defaultdict(set)
    for number, dimension in data.select("dimension_graph_definition", "dimension_graph_id", "dimension_name"):
        groups[number].add(dimension)
    of_table: dict[str, set[int]] = defaultdict(set)
    columns = ("name", "dimensions_key", "tag_association_table", "calibration_association_table")
    fixed = {"dataset_id", "dataset_type_id", "collection_id"}
    for name, key, tags, calibs in data.select("dataset_type", *columns):
        known = groups[key] <= set(universe.dimensions.names)
        dimensions = set(universe.conform(groups[key]).required) if known else groups[key]
        for table in (tags, calibs):
            if table is None:
                continue
            context.examined()
            of_table[table].add(key)
            seen = set(here[table].columns.keys()) - fixed if table in here else set()
            extra = {"id", "timespan_begin", "timespan_end", "timespan"} if table == calibs else set()
            if table not in here or seen - extra != dimensions:
                yield Finding(
                    f"the table {table} of dataset type {name} is {'missing' if table not in here else 'another'}",
                    where="dataset_type",
                    seen=", ".join(sorted(seen - extra)) or "no dimensions",
                    expected=", ".join(sorted(dimensions)) or "no dimensions",
                    look=look_rows("dataset_type", "name", name),
                )
    for table in sorted(n for n in here if n.startswith(("dataset_tags_", "dataset_calibs_"))):
        context.examined()
        if len(of_table[table]) != 1:
            if not of_table[table] and not next(rows(context, _any(context, table)), ()):
                continue  # its dataset types were removed; nothing is lost
            yield Finding(
                f"the table {table} belongs to {len(of_table[table])} groups of dimensions",
                where=table,
                seen=", ".join(map(str, sorted(of_table[table]))) or "no dataset type",
                expected="dataset types of one group",
                look=f"sqlite3 {{repo}}/gen3.sqlite3 '.schema {table}'",
            )


def _any(context: CheckContext, table: str) -> Any:
    """Return the statement that selects a row of a table if it has any."""
    import sqlalchemy

    return sqlalchemy.select(sqlalchemy.literal(1)).select_from(reflected(context)[table]).limit(1)


@check(
    "registry.opaque-tables",
    title="Every table that a datastore keeps its records in exists and is listed",
    after="calibs",
    remedy="insert the name of the datastore's table of records into opaque_meta",
)
def opaque_tables(context: CheckContext) -> Iterator[Finding]:
    """A datastore whose table is not listed finds an empty one: all files are lost at once."""
    data = tables(context)
    listed = {name for (name,) in data.select("opaque_meta", "table_name")}
    used = {table for table, _ in data.datastores.values()}
    if not listed and not any(next(rows(context, _any(context, table)), ()) for table in sorted(used & data.names)):
        return  # it is listed by who first opens a new repository for writing
    for name in sorted(listed | used):
        context.examined()
        if name not in data.names or name not in listed:
            yield Finding(
                f"the table {name} is {'not listed' if name in data.names else 'missing'}",
                where="opaque_meta",
                seen=", ".join(sorted(listed)) or "no table",
                expected=f"the table {name}, and its name here",
                look="sqlite3 {repo}/gen3.sqlite3 'SELECT * FROM opaque_meta'",
            )


@check(
    "registry.dataset-ids",
    title="Dataset ids are UUIDs of the kinds that the middleware makes",
    after="calibs",
    remedy="remove the dataset, and make or ingest it again",
)
def dataset_ids(context: CheckContext) -> Iterator[Finding]:
    """An id that was typed, cut or counted up will sooner or later be that of another dataset elsewhere."""
    import sqlalchemy

    context.examined(survey(context).count)
    if survey(context).made:
        return
    table = stored(context)["dataset"]
    # As 32 hexadecimal digits, whatever the database makes of an id.
    digits = sqlalchemy.cast(
        sqlalchemy.type_coerce(table.columns["id"], sqlalchemy.types.NullType()), sqlalchemy.String
    )
    plain = sqlalchemy.func.replace(digits, "-", "")
    version, variant = sqlalchemy.func.substr(plain, 13, 1), sqlalchemy.func.substr(plain, 17, 1)
    wrong = sqlalchemy.or_(version.not_in(list("457")), variant.not_in(list("89ab")))
    for identifier, a, b in rows(context, sqlalchemy.select(plain, version, variant).where(wrong), MOST):
        yield Finding(
            f"dataset {identifier} has no id that the middleware makes",
            where="dataset.id",
            seen=f"version {a}, variant {b}",
            expected="a UUID of version 4, 5 or 7",
            look=look_rows("dataset", "id", identifier),
        )


@check(
    "registry.ingest-dates",
    title="No dataset is older than its id or comes from the future",
    after="calibs",
    remedy="nothing to run: do not select these datasets by ingest_date",
)
def ingest_dates(context: CheckContext) -> Iterator[Finding]:
    """What is new is found by the date: transfers, nightly counts and cleaners leave out what bears a wrong one.

    The ids that the middleware makes for new datasets begin with the time when they were made.
    """
    if context.scope.whole and survey(context).timely:
        context.examined(survey(context).count)
        return
    now = time.time_ns()
    for identifier, date, number in _datasets(context):
        context.examined()
        moment = int(identifier[:12], 16) * 1_000_000 if identifier[12] == "7" else FIRST
        # Times of the registry are TAI; those of ids are UTC, up to a minute behind.
        if not moment - CLOCKS <= date <= now + CLOCKS:
            yield Finding(
                f"dataset {identifier} has an impossible ingest_date",
                where="dataset.ingest_date",
                seen=iso(date),
                expected=f"from {iso(moment)} to {iso(now)}",
                look=look_rows("dataset", "id", identifier),
                remedy="" if number else "restore the row from a backup",
            )


def _datasets(context: CheckContext) -> Iterator[tuple[str, int, int]]:
    """Iterate over ids (32 hexadecimal digits), dates (ns since 1970) and runs of the datasets within the scope."""
    import sqlalchemy

    table, data = stored(context)["dataset"], tables(context)
    raw = sqlalchemy.types.NullType()
    sqlite = database(context).dialect.name == "sqlite"
    identifier = sqlalchemy.type_coerce(table.columns["id"], raw) if sqlite else table.columns["id"]
    statement = sqlalchemy.select(
        identifier, sqlalchemy.type_coerce(table.columns["ingest_date"], raw), table.columns["run_id"]
    )
    if context.scope.collections:
        runs = [data.collection_ids[n] for n in context.scope.collections if n in data.collection_ids]
        statement = statement.where(table.columns["run_id"].in_(runs))
    if context.scope.since is not None:
        statement = statement.where(sqlalchemy.type_coerce(table.columns["ingest_date"], raw) >= context.scope.since)
    for key, date, run in rows(context, statement):
        text = key if isinstance(key, str) else key.hex
        yield text, date if isinstance(date, int) else _nanoseconds(date), run


def _nanoseconds(date: Any) -> int:
    """Return the date of an old repository, a date and time in UTC, as nanoseconds."""
    import datetime

    moment = datetime.datetime.fromisoformat(date) if isinstance(date, str) else date
    return round(moment.replace(tzinfo=datetime.UTC).timestamp() * 1e9)


@check(
    "registry.sky-pixels",
    title="Indices of sky pixels are those of their pixelization, and overlaps are kept for the common one alone",
    after="refcats",
    remedy="remove the dataset, and make or ingest it again with the right data ID",
)
def sky_pixels(context: CheckContext) -> Iterator[Finding]:
    """No table lists the pixels of the sky, so that no database refuses an index that does not exist."""
    import sqlalchemy

    universe, common = context.butler.dimensions, context.butler.dimensions.commonSkyPix
    for name, table in sorted(reflected(context).items()):
        for dimension in [d for d in universe.skypix_dimensions if d.name in table.columns]:
            column, ranges = table.columns[dimension.name], dimension.pixelization.universe()
            context.examined()
            inside = sqlalchemy.or_(*(sqlalchemy.and_(column >= a, column < b) for a, b in ranges))
            for (index,) in rows(context, sqlalchemy.select(column).where(~inside).distinct(), MOST):
                yield Finding(
                    f"{name} has {dimension.name} {index}, which is no pixel",
                    data_id={dimension.name: index},
                    where=name,
                    seen=str(index),
                    expected=" or ".join(f"{a}…{b - 1}" for a, b in ranges),
                    look=look_rows(name, dimension.name, index),
                )
        if {"skypix_system", "skypix_level"} <= set(table.columns.keys()):
            system, level = table.columns["skypix_system"], table.columns["skypix_level"]
            context.examined()
            other = sqlalchemy.or_(system != common.system.name, level != common.level)
            for values in rows(context, sqlalchemy.select(system, level).where(other).distinct(), MOST):
                yield Finding(
                    f"{name} has rows of the pixelization {values[0]}{values[1]}",
                    where=name,
                    seen=f"{values[0]}{values[1]}",
                    expected=f"{common.name} alone",
                    look=look_rows(name, "skypix_level", values[1]),
                    remedy="insert the dimension records again with replace=True",
                )


CHECKS: tuple[Check, ...] = (
    attributes,
    dimension_groups,
    type_tables,
    opaque_tables,
    dataset_ids,
    ingest_dates,
    sky_pixels,
)
