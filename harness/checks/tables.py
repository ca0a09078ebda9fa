"""The registry's own tables, read in whole sets.

The public interface of the middleware answers questions about data; it hides exactly what an audit is after:
rows that refer to nothing, summaries that lie, two validity ranges for one moment. These tables are read here
with SQLAlchemy, through the connection that the butler has open, on whatever database it uses.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..errors import HarnessError
from .rows import Collection, DatasetTypeRow, Validity

if TYPE_CHECKING:
    from lsst.daf.butler import Butler
    from sqlalchemy import ColumnElement, Select, TableClause

    from .context import CheckContext

__all__ = ["CHUNK", "NO_COMPONENT", "Tables", "tables"]

NO_COMPONENT = "__NULL_STRING__"
"""What records say for a file that holds a whole dataset."""

CHUNK = 10_000
"""How many rows are fetched at a time."""


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

    def table(self, name: str, *columns: str, types: Mapping[str, Any] | None = None) -> TableClause:
        """Return a table for use in a statement.

        Parameters
        ----------
        name : `str`
            Its name.
        *columns : `str`
            The columns wanted.
        types : `~collections.abc.Mapping`, optional
            SQLAlchemy types of columns whose values need more than the database driver does; dataset ids need none.
        """
        import sqlalchemy
        from lsst.daf.butler import ddl

        known = {"dataset_id": ddl.GUID} | ({"id": ddl.GUID} if name == "dataset" else {}) | dict(types or {})
        return sqlalchemy.table(name, *(sqlalchemy.column(c, known.get(c)) for c in columns), schema=self._db.namespace)

    def stream(self, statement: Select[*tuple[Any, ...]]) -> Iterator[Any]:
        """Iterate over what a statement finds, without holding all of it."""
        for batch in self.batches(statement):
            yield from batch

    def batches(self, statement: Select[*tuple[Any, ...]]) -> Iterator[Sequence[Any]]:
        """Iterate over what a statement finds, many rows at a time: much cheaper than one by one."""
        # SQLite gives rows as they are asked for; other drivers fetch all unless they are told not to.
        lazy = self._db.dialect.name == "sqlite"
        wanted = statement if lazy else statement.execution_options(yield_per=CHUNK)
        with self._db.query(wanted) as cursor:
            yield from cursor.partitions(CHUNK)

    def count(self, statement: Select[*tuple[Any, ...]]) -> int:
        """Return how many rows a statement finds."""
        import sqlalchemy

        inner = statement.with_only_columns(sqlalchemy.func.count(), maintain_column_froms=True)
        [(n,)] = self.stream(inner)
        return int(n)

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

        spans = self._db.getTimespanRepresentation()
        names = [n for c in columns for n in (spans.getFieldNames() if c == "timespan" else (c,))]
        clause = self.table(table, *names, types=dict(types or {}) | dict.fromkeys(uuids, ddl.GUID))
        wanted: list[ColumnElement[Any]] = []
        for name in columns:
            if name == "timespan":
                span = spans.from_columns(clause.columns)
                wanted += [span.lower(), span.upper()]
            else:
                wanted.append(clause.columns[name])
        for batch in self.batches(sqlalchemy.select(*wanted)):
            yield from map(tuple, batch)

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
    def tags_tables(self) -> Mapping[str, tuple[DatasetTypeRow, ...]]:
        """The tables of members of RUN and TAGGED collections, with their dataset types."""
        out: dict[str, list[DatasetTypeRow]] = defaultdict(list)
        for kind in self.dataset_types.values():
            if kind.tags_table in self.names:
                out[kind.tags_table].append(kind)
        return {name: tuple(out[name]) for name in sorted(out)}

    @cached_property
    def calibs_tables(self) -> Mapping[str, tuple[DatasetTypeRow, ...]]:
        """The tables of members of CALIBRATION collections, with their dataset types."""
        out: dict[str, tuple[DatasetTypeRow, ...]] = {}
        # The table's name follows from the dimensions; a type that lost its mark may still have rows there.
        for table in sorted(n for n in self.names if n.startswith("dataset_calibs_")):
            twin = table.replace("dataset_calibs_", "dataset_tags_")
            found = tuple(t for t in self.dataset_types.values() if table == t.calibs_table or twin == t.tags_table)
            if found:
                out[table] = found
        return out

    @cached_property
    def held(self) -> tuple[frozenset[tuple[int, int]], Mapping[str, frozenset[tuple[int, str]]]]:
        """What collections hold: pairs with dataset types, and for each governor dimension with its values."""
        import sqlalchemy

        types: set[tuple[int, int]] = set()
        values: dict[str, set[tuple[int, str]]] = {name: set() for name in self.governors}
        for name, kinds in (*self.tags_tables.items(), *self.calibs_tables.items()):
            governors = [d for d in kinds[0].dimensions if d in values]
            columns = ("dataset_type_id", "collection_id", *governors)
            clause = self.table(name, *columns)
            for kind, collection, *mine in self.stream(sqlalchemy.select(*clause.columns).distinct()):
                types.add((collection, kind))
                for governor, value in zip(governors, mine, strict=True):
                    values[governor].add((collection, value))
        return frozenset(types), {name: frozenset(pairs) for name, pairs in values.items()}

    @cached_property
    def validities(self) -> tuple[Validity, ...]:
        """All memberships in CALIBRATION collections."""
        out: list[Validity] = []
        for table, kinds in self.calibs_tables.items():
            columns = ("dataset_id", "dataset_type_id", "collection_id", "timespan", *kinds[0].dimensions)
            for a, b, c, begin, end, *values in self.select(table, *columns):
                out.append(Validity(a, b, c, tuple(values), begin, end))
        return tuple(out)

    # --- files -----------------------------------------------------------------------------------

    @cached_property
    def datastores(self) -> Mapping[str, tuple[str, Any]]:
        """For each file datastore, by name, its table of records and its root (`lsst.resources.ResourcePath`)."""
        roots = self._butler.get_datastore_roots()
        return {name: (table, roots[name]) for name, table in _record_tables(self._butler._datastore)}


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
