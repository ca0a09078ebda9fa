"""The registry's own tables, read in whole sets.

The public interface of the middleware answers questions about data; it hides exactly what an audit is after:
rows that refer to nothing, summaries that lie, two validity ranges for one moment. These tables are read here
with SQLAlchemy, through the connection that the butler has open, on whatever database it uses.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import HarnessError

if TYPE_CHECKING:
    from lsst.daf.butler import Butler
    from sqlalchemy import ColumnElement

    from .context import CheckContext

__all__ = [
    "Association",
    "Collection",
    "DatasetRow",
    "DatasetTypeRow",
    "FileRow",
    "Tables",
    "Validity",
    "tables",
]

NO_COMPONENT = "__NULL_STRING__"
"""What records say for a file that holds a whole dataset."""


class Collection(NamedTuple):
    """One row of the ``collection`` table."""

    id: int
    name: str
    type: str
    """``RUN``, ``TAGGED``, ``CHAINED`` or ``CALIBRATION``."""


class DatasetTypeRow(NamedTuple):
    """One row of the ``dataset_type`` table, with its dimensions."""

    id: int
    name: str
    storage_class: str
    dimensions: tuple[str, ...]
    """Required dimensions, in the order of `Association.values`."""
    tags_table: str
    calibs_table: str | None
    """`None` if the type is not a calibration."""

    def data_id(self, values: tuple[Any, ...]) -> dict[str, Any]:
        """Return values of the required dimensions as a data ID."""
        return dict(zip(self.dimensions, values, strict=True))


class DatasetRow(NamedTuple):
    """One row of the ``dataset`` table."""

    id: uuid.UUID
    type_id: int
    run_id: int
    ingest_date: Any
    """Nanoseconds since 1970 TAI; a date and time in old repositories."""


class Association(NamedTuple):
    """A dataset as a member of a RUN or TAGGED collection."""

    dataset_id: uuid.UUID
    type_id: int
    collection_id: int
    values: tuple[Any, ...]


class Validity(NamedTuple):
    """A dataset as a member of a CALIBRATION collection, for a span of time (ns since 1970 TAI)."""

    dataset_id: uuid.UUID
    type_id: int
    collection_id: int
    values: tuple[Any, ...]
    begin: int
    end: int


class FileRow(NamedTuple):
    """One record of a file datastore."""

    dataset_id: uuid.UUID
    path: str
    formatter: str
    storage_class: str
    component: str
    checksum: str | None
    size: int | None
    datastore: str


class Tables:
    """Reads the registry's tables; every table at most once.

    Parameters
    ----------
    butler : `lsst.daf.butler.Butler`
        Butler on the repository; must have direct access to its database.

    Raises
    ------
    HarnessError
        If the butler has no database of its own (a client of a Butler server).
    """

    def __init__(self, butler: Butler) -> None:
        self._butler = butler
        self._db: Any = getattr(getattr(butler, "_registry", None), "_db", None)
        if self._db is None:
            raise HarnessError(
                f"{type(butler).__name__} gives no access to the registry's tables",
                remedy="use the repository's own path, not a server",
                code="no-tables",
            )

    def select(
        self, table: str, *columns: str, uuids: tuple[str, ...] = (), types: Mapping[str, Any] | None = None
    ) -> Iterator[tuple[Any, ...]]:
        """Iterate over a whole table.

        Parameters
        ----------
        table : `str`
            Its name.
        *columns : `str`
            The columns wanted. ``timespan`` stands for its two bounds (ns), which count as two columns.
        uuids : `tuple` [`str`]
            Those columns that hold dataset ids.
        types : `~collections.abc.Mapping`, optional
            SQLAlchemy types of columns whose values need more than the database driver does.

        Yields
        ------
        row : `tuple`
            The values.
        """
        import sqlalchemy
        from lsst.daf.butler import ddl

        known = dict(types or {}) | dict.fromkeys(uuids, ddl.GUID)
        spans = self._db.getTimespanRepresentation()
        names = [n for c in columns for n in (spans.getFieldNames() if c == "timespan" else (c,))]
        clause = sqlalchemy.table(
            table,
            *(sqlalchemy.column(n, known.get(n)) for n in names),
            schema=self._db.namespace,
        )
        wanted: list[ColumnElement[Any]] = []
        for name in columns:
            if name == "timespan":
                span = spans.from_columns(clause.columns)
                wanted += [span.lower(), span.upper()]
            else:
                wanted.append(clause.columns[name])
        with self._db.query(sqlalchemy.select(*wanted)) as cursor:
            for row in cursor.yield_per(10_000):
                yield tuple(row)

    @cached_property
    def names(self) -> frozenset[str]:
        """Names of all tables (`frozenset` [`str`])."""
        import sqlalchemy

        return frozenset(sqlalchemy.inspect(self._db._engine).get_table_names(schema=self._db.namespace))

    # --- collections -----------------------------------------------------------------------------

    @cached_property
    def collections(self) -> Mapping[int, Collection]:
        """Collections by their number."""
        from lsst.daf.butler import CollectionType

        rows = self.select("collection", "collection_id", "name", "type")
        return {i: Collection(i, name, CollectionType(kind).name) for i, name, kind in rows}

    @cached_property
    def collection_ids(self) -> Mapping[str, int]:
        """Numbers of the collections by name."""
        return {c.name: c.id for c in self.collections.values()}

    def collection_name(self, number: int) -> str:
        """Return the name of a collection, or a text that says that there is none."""
        return self.collections[number].name if number in self.collections else f"(no collection {number})"

    @cached_property
    def chains(self) -> Mapping[int, tuple[int, ...]]:
        """Children of each chain, in search order."""
        found: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for parent, position, child in self.select("collection_chain", "parent", "position", "child"):
            found[parent].append((position, child))
        return {parent: tuple(child for _, child in sorted(items)) for parent, items in found.items()}

    @cached_property
    def summary_types(self) -> frozenset[tuple[int, int]]:
        """Pairs (collection, dataset type) in the collection summaries."""
        rows = self.select("collection_summary_dataset_type", "collection_id", "dataset_type_id")
        return frozenset((a, b) for a, b in rows)

    @cached_property
    def governors(self) -> tuple[str, ...]:
        """Governor dimensions that have a summary table."""
        universe = self._butler.dimensions
        return tuple(d.name for d in universe.governor_dimensions if f"collection_summary_{d.name}" in self.names)

    @cached_property
    def summary_governors(self) -> Mapping[str, frozenset[tuple[int, str]]]:
        """For each governor dimension the pairs (collection, value) in the summaries."""
        out: dict[str, frozenset[tuple[int, str]]] = {}
        for name in self.governors:
            rows = self.select(f"collection_summary_{name}", "collection_id", name)
            out[name] = frozenset((a, b) for a, b in rows)
        return out

    # --- datasets --------------------------------------------------------------------------------

    @cached_property
    def dataset_types(self) -> Mapping[int, DatasetTypeRow]:
        """Dataset types by their number."""
        groups: dict[int, set[str]] = defaultdict(set)
        for key, dimension in self.select("dimension_graph_definition", "dimension_graph_id", "dimension_name"):
            groups[key].add(dimension)
        columns = ("id", "name", "storage_class", "dimensions_key")
        more = ("tag_association_table", "calibration_association_table")
        out = {}
        for number, name, storage, key, tags, calibs in self.select("dataset_type", *columns, *more):
            required = tuple(self._butler.dimensions.conform(groups[key]).required)
            out[number] = DatasetTypeRow(number, name, storage, required, tags, calibs)
        return out

    def dataset_type_name(self, number: int) -> str:
        """Return the name of a dataset type, or a text that says that there is none."""
        return self.dataset_types[number].name if number in self.dataset_types else f"(no dataset type {number})"

    @cached_property
    def datasets(self) -> Mapping[uuid.UUID, DatasetRow]:
        """All datasets."""
        columns = ("id", "dataset_type_id", "run_id", "ingest_date")
        return {row[0]: DatasetRow(*row) for row in self.select("dataset", *columns, uuids=("id",))}

    @cached_property
    def associations(self) -> tuple[Association, ...]:
        """All memberships in RUN and TAGGED collections."""
        out: list[Association] = []
        for table in sorted({t.tags_table for t in self.dataset_types.values()} & self.names):
            dimensions = next(t.dimensions for t in self.dataset_types.values() if t.tags_table == table)
            rows = self.select(
                table, "dataset_id", "dataset_type_id", "collection_id", *dimensions, uuids=("dataset_id",)
            )
            out.extend(Association(a, b, c, tuple(values)) for a, b, c, *values in rows)
        return tuple(out)

    @cached_property
    def data_ids(self) -> Mapping[uuid.UUID, dict[str, Any]]:
        """The (required) data ID of each dataset, from its RUN."""
        runs = {d.id: d.run_id for d in self.datasets.values()}
        return {
            a.dataset_id: self.dataset_types[a.type_id].data_id(a.values)
            for a in self.associations
            if a.type_id in self.dataset_types and runs.get(a.dataset_id) == a.collection_id
        }

    @cached_property
    def by_run_and_type(self) -> Mapping[tuple[str, str], tuple[uuid.UUID, ...]]:
        """Datasets by the names of their RUN and dataset type."""
        out: dict[tuple[str, str], list[uuid.UUID]] = defaultdict(list)
        for row in self.datasets.values():
            out[self.collection_name(row.run_id), self.dataset_type_name(row.type_id)].append(row.id)
        return {key: tuple(ids) for key, ids in out.items()}

    @cached_property
    def validities(self) -> tuple[Validity, ...]:
        """All memberships in CALIBRATION collections."""
        out: list[Validity] = []
        # The table's name follows from the dimensions; a type that lost its mark may still have rows there.
        for table in sorted(n for n in self.names if n.startswith("dataset_calibs_")):
            twin = table.replace("dataset_calibs_", "dataset_tags_")
            of_table = [t for t in self.dataset_types.values() if table == t.calibs_table or twin == t.tags_table]
            if of_table:
                columns = ("dataset_id", "dataset_type_id", "collection_id", "timespan", *of_table[0].dimensions)
                for a, b, c, begin, end, *values in self.select(table, *columns, uuids=("dataset_id",)):
                    out.append(Validity(a, b, c, tuple(values), begin, end))
        return tuple(out)

    # --- files -----------------------------------------------------------------------------------

    @cached_property
    def datastores(self) -> Mapping[str, tuple[str, Any]]:
        """For each file datastore, by name, its table of records and its root (`lsst.resources.ResourcePath`)."""
        roots = self._butler.get_datastore_roots()
        return {name: (table, roots[name]) for name, table in _record_tables(self._butler._datastore)}

    @cached_property
    def files(self) -> tuple[FileRow, ...]:
        """All records of all file datastores."""
        columns = ("dataset_id", "path", "formatter", "storage_class", "component", "checksum", "file_size")
        return tuple(
            FileRow(a, path, formatter, storage, "" if component == NO_COMPONENT else component, checksum, size, name)
            for name, (table, _) in self.datastores.items()
            if table in self.names
            for a, path, formatter, storage, component, checksum, size in self.select(
                table, *columns, uuids=("dataset_id",)
            )
        )

    @cached_property
    def locations(self) -> frozenset[tuple[str, uuid.UUID]]:
        """Pairs (datastore, dataset) of datasets that the registry believes to be stored."""
        rows = self.select("dataset_location", "datastore_name", "dataset_id", uuids=("dataset_id",))
        return frozenset((a, b) for a, b in rows)

    @cached_property
    def trash(self) -> frozenset[tuple[str, uuid.UUID]]:
        """Pairs (datastore, dataset) that wait to be deleted."""
        rows = self.select("dataset_location_trash", "datastore_name", "dataset_id", uuids=("dataset_id",))
        return frozenset((a, b) for a, b in rows)


def _record_tables(datastore: Any) -> Iterator[tuple[str, str]]:
    """Find the file datastores, which may hang below chained ones, with their tables of records."""
    for child in getattr(datastore, "datastores", ()):
        yield from _record_tables(child)
    table = getattr(datastore, "_opaque_table_name", None)
    if table is not None:
        yield datastore.name, table


def tables(context: CheckContext) -> Tables:
    """Return the tables of the repository that a check looks at (`Tables`), shared between checks."""
    return context.cached("tables", lambda: Tables(context.butler))
