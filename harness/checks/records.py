"""Dimension records, and commands that show them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .tables import tables

if TYPE_CHECKING:
    from lsst.daf.butler import DimensionRecord

    from ..instrument.kit import InstrumentKit
    from .context import CheckContext

__all__ = [
    "by_key",
    "exposures_of_visits",
    "iso",
    "known_instruments",
    "look_datasets",
    "look_record",
    "look_rows",
    "records",
    "spread",
    "text",
    "where",
]


def records(context: CheckContext, element: str) -> Sequence[DimensionRecord]:
    """Return all records of a dimension element, read once for all checks.

    Parameters
    ----------
    context : `~harness.checks.context.CheckContext`
        The repository.
    element : `str`
        ``exposure``, ``visit_definition`` …; one that the repository's universe does not have has no records.
    """
    return context.cached(f"records of {element}", lambda: tuple(_read(context, element)))


def _read(context: CheckContext, name: str) -> Iterator[DimensionRecord]:
    """Read the table of an element itself.

    The middleware's own query joins the records that this one refers to, and so hides just those rows that
    contradict them.
    """
    import sqlalchemy
    from lsst.daf.butler import Timespan, ddl

    universe, data = context.butler.dimensions, tables(context)
    if name not in universe.elements.names or name not in data.names:
        return
    element = universe[name]
    own = getattr(getattr(element, "primaryKey", None), "name", "")
    specs = element.schema.all
    columns = [own if c.name == name else c.name for c in specs]
    special = {"region": ddl.Base64Region, "hash": ddl.Base64Bytes, "bool": sqlalchemy.Boolean}
    types = {c.name: special[c.type] for c in specs if c.type in special}
    span = columns.index("timespan") if "timespan" in columns else None
    for row in data.select(name, *columns, types=types):
        values = list(row)
        if span is not None:
            bounds = values[span : span + 2]
            values[span : span + 2] = [None if None in bounds else Timespan(None, None, _nsec=tuple(bounds))]
        yield element.RecordClass(**dict(zip(columns, values, strict=True)))


def by_key(context: CheckContext, element: str) -> Mapping[tuple[Any, ...], DimensionRecord]:
    """Return the records of an element by the values of their required dimensions."""
    return context.cached(
        f"keys of {element}",
        lambda: {tuple(r.dataId.required_values): r for r in records(context, element)},
    )


def exposures_of_visits(context: CheckContext) -> Mapping[tuple[str, int], list[DimensionRecord]]:
    """Return the exposures of each visit, in time order; those that have no record are left out."""

    def make() -> Mapping[tuple[str, int], list[DimensionRecord]]:
        exposures = by_key(context, "exposure")
        out: dict[tuple[str, int], list[DimensionRecord]] = defaultdict(list)
        for row in records(context, "visit_definition"):
            if (row.instrument, row.exposure) in exposures:
                out[row.instrument, row.visit].append(exposures[row.instrument, row.exposure])
        for found in out.values():
            found.sort(key=lambda e: (e.timespan.nsec if e.timespan is not None else (0, 0), e.id))
        return out

    return context.cached("exposures of visits", make)


def known_instruments(context: CheckContext) -> Mapping[str, InstrumentKit]:
    """Return the kits of those instruments of the repository that are installed here."""
    return {r.name: context.kits[r.name] for r in records(context, "instrument") if r.name in context.kits}


def spread[T](items: Sequence[T], most: int) -> Sequence[T]:
    """Return at most ``most`` items, evenly spread over a sequence, its ends included."""
    if len(items) <= most:
        return items
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


# --- words for findings ------------------------------------------------------------------------------


def iso(nanoseconds: int) -> str:
    """Write a time given in nanoseconds since 1970 TAI as ISO 8601, TAI."""
    from lsst.daf.butler.time_utils import TimeConverter

    converter = TimeConverter()
    if nanoseconds <= converter.min_nsec:
        return "-∞"
    if nanoseconds >= converter.max_nsec:
        return "∞"
    value: str = converter.nsec_to_astropy(nanoseconds).tai.isot
    return value


def text(data_id: Mapping[str, Any]) -> str:
    """Write a data ID in one line: ``instrument=HSC visit=1``."""
    return " ".join(f"{k}={v}" for k, v in data_id.items())


def where(data_id: Mapping[str, Any]) -> str:
    """Write a data ID as a query expression."""
    return " AND ".join(f"{k}='{v}'" if isinstance(v, str) else f"{k}={v}" for k, v in data_id.items())


def look_record(element: str, data_id: Mapping[str, Any]) -> str:
    """Return the command that shows dimension records."""
    query = f' --where "{where(data_id)}"' if data_id else ""
    return f"butler query-dimension-records {{repo}} {element}{query}"


def look_datasets(dataset_type: str, collection: str, data_id: Mapping[str, Any]) -> str:
    """Return the command that shows datasets."""
    query = f' --where "{where(data_id)}"' if data_id else ""
    return f"butler query-datasets {{repo}} {dataset_type} --collections {collection} --show-uri{query}"


def look_rows(table: str, column: str, value: object) -> str:
    """Return the command that shows rows of a table that the middleware's commands do not show."""
    query = f"SELECT * FROM {table} WHERE {column}='{value}'"  # noqa: S608 - shown to a person, never executed
    return f'sqlite3 -header {{repo}}/gen3.sqlite3 "{query}"'
