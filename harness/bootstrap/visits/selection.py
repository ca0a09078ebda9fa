"""Which exposures visits are defined of."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import HarnessError

if TYPE_CHECKING:
    from lsst.daf.butler import Butler, DimensionRecord

    from ...instrument.kit import InstrumentKit
    from ...instrument.visits import VisitGrouping

__all__ = ["choose", "companions", "select"]

BATCH = 1000
"""Values in one query."""


def choose(
    butler: Butler,
    kit: InstrumentKit,
    exposures: Iterable[int] | None = None,
    where: str = "",
    bind: Mapping[str, Any] | None = None,
    collections: str | Iterable[str] | None = None,
) -> list[DimensionRecord]:
    """Return the records of the exposures that are asked for, in the order of their ids.

    Parameters
    ----------
    butler : `lsst.daf.butler.Butler`
        The repository.
    kit : `~harness.instrument.kit.InstrumentKit`
        The instrument.
    exposures : `~collections.abc.Iterable` [`int`], optional
        Exposure ids.
    where : `str`, optional
        Expression that the exposures must fulfil.
    bind : `~collections.abc.Mapping`, optional
        Values of names in that expression.
    collections : `str` or `~collections.abc.Iterable` [`str`], optional
        Collections (or patterns of their names) one of which must hold a raw of the exposure.

    Raises
    ------
    HarnessError
        If an exposure that was named is not there, the expression is wrong or a collection does not exist.
    """
    ids = None if exposures is None else sorted(set(exposures))
    if ids is not None:
        there = {r.id for chunk in itertools.batched(ids, BATCH) for r in select(butler, "exposure", kit.name, chunk)}
        if missing := [i for i in ids if i not in there]:
            shown = ", ".join(map(str, missing[:5])) + (" …" if len(missing) > 5 else "")
            raise HarnessError(
                f"{len(missing)} of {len(ids)} exposures of {kit.name} are not in the repository: {shown}",
                remedy="ingest them first",
                code="no-exposure",
            )
    found = _query(butler, kit, where, bind or {}, collections, ids)
    return sorted(found, key=lambda r: r.id)


def _query(
    butler: Butler,
    kit: InstrumentKit,
    where: str,
    bind: Mapping[str, Any],
    collections: str | Iterable[str] | None,
    ids: Sequence[int] | None,
) -> list[DimensionRecord]:
    from lsst.daf.butler import ButlerUserError

    batches = [()] if ids is None else list(itertools.batched(ids, BATCH))
    found: list[DimensionRecord] = []
    try:
        searched = None if collections is None else butler.collections.query(collections)
        for batch in batches:
            with butler.query() as query:
                if searched is not None:
                    query = query.join_dataset_search(_raw_type(kit), searched)
                query = query.where({"instrument": kit.name})
                if batch:
                    query = query.where(f"exposure IN ({', '.join(map(str, batch))})")
                if where:
                    query = query.where(where, bind=bind)
                found += query.dimension_records("exposure")
    except ButlerUserError as error:
        raise HarnessError(
            f"exposures of {kit.name} cannot be chosen by {_asked(where, collections)}:"
            f" {next(iter(str(error).splitlines()), '')}",
            remedy="see 'butler query-dimension-records --where' and 'butler query-collections'",
            code="visit-selection",
        ) from error
    return found


def _asked(where: str, collections: str | Iterable[str] | None) -> str:
    names = [collections] if isinstance(collections, str) else list(collections or ())
    return " in ".join(filter(None, [repr(where) if where else "", ", ".join(names)]))


def _raw_type(kit: InstrumentKit) -> str:
    """Return the name of the dataset type of the instrument's raws."""
    definition = getattr(kit.instrument_class(), "raw_definition", None)
    return str(definition[0]) if definition else "raw"


def select(butler: Butler, element: str, instrument: str, ids: Iterable[int], key: str = "") -> list[DimensionRecord]:
    """Return the records of a dimension element for some visits or exposures.

    Parameters
    ----------
    butler : `lsst.daf.butler.Butler`
        The repository.
    element : `str`
        Dimension element.
    instrument : `str`
        Name of the instrument.
    ids : `~collections.abc.Iterable` [`int`]
        Values of ``key``, at most some thousand.
    key : `str`, optional
        ``exposure`` or ``visit``; by default ``exposure`` for exposures and ``visit`` for other elements.
    """
    key = key or ("exposure" if element == "exposure" else "visit")
    where = f"{key} IN ({', '.join(map(str, ids))})"
    found = butler.query_dimension_records(element, where=where, instrument=instrument, limit=None, explain=False)
    return list(found)


def companions(
    butler: Butler, instrument: str, grouping: VisitGrouping, exposures: Sequence[DimensionRecord]
) -> list[DimensionRecord]:
    """Return the other exposures of the repository that may be in the visits of some exposures.

    So visits are the same whether exposures are given at once or one by one.

    Parameters
    ----------
    butler : `lsst.daf.butler.Butler`
        The repository.
    instrument : `str`
        Name of the instrument.
    grouping : `~harness.instrument.visits.VisitGrouping`
        What makes visits.
    exposures : `~collections.abc.Sequence` [`lsst.daf.butler.DimensionRecord`]
        The exposures.
    """
    if not grouping.field:
        return []
    known = {e.id for e in exposures}
    keys = {grouping.key(e) for e in exposures}
    values = sorted({v for e in exposures if (v := getattr(e, grouping.field)) is not None})
    return [
        record
        for batch in itertools.batched(values, BATCH)
        for record in butler.query_dimension_records(
            "exposure",
            where=f"{grouping.field} IN (:values)",
            bind={"values": list(batch)},
            instrument=instrument,
            limit=None,
            explain=False,
        )
        if record.id not in known and grouping.key(record) in keys
    ]
