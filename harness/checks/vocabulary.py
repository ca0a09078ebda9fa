"""Invariants of what is said in words that nothing enforces: names of instruments, bands, indices of sky pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..instrument.kit import Capability
from ..verdicts import Check, Finding, check
from .conventions import believed
from .members import asked
from .records import look_datasets, look_record, records, text
from .tables import tables

if TYPE_CHECKING:
    from astropy.table import Table
    from lsst.daf.butler import DatasetRef
    from numpy.typing import NDArray

    from .context import CheckContext

__all__ = ["CHECKS"]

COORDINATES = (("coord_ra", "coord_dec"), ("ra", "dec"))
"""Names of columns with a position on the sky."""

SAMPLE = 50
"""Tables of each dataset type that are opened if the scope does not say how many."""


@check(
    "identifiers.instrument-names",
    title="The class of an instrument calls it by the name of its record",
    after="register",
    remedy="remove the record and what refers to it, or correct its class_name",
)
def instrument_names(context: CheckContext) -> Iterator[Finding]:
    """Whoever asks for the class by name gets another instrument: its collections, formatters and identifiers."""
    from lsst.utils import doImportType

    for record in records(context, "instrument"):
        try:
            name = str(doImportType(record.class_name).getName())
        except Exception:  # noqa: S112 - of a package that is not installed, or no class of an instrument
            continue
        context.examined()
        if name != record.name:
            data_id = {"instrument": record.name}
            yield Finding(
                f"the class of instrument {record.name} calls itself {name}",
                data_id=data_id,
                where="instrument",
                seen=f"{record.class_name}, which is {name}",
                expected=f"the class of {record.name}",
                look=look_record("instrument", data_id),
            )


@check(
    "identifiers.values-without-table",
    title="Of dimensions without a table of their own, bands, datasets have values that other records give",
    after="process",
    needs={Capability.COADDS},
    remedy="insert the missing record, or remove the datasets: butler prune-datasets --purge",
)
def values_without_table(context: CheckContext) -> Iterator[Finding]:
    """No key refers to a band: a misspelt one is never joined with a filter, and never found.

    A repository may hold coadds without the filters that they were made with: only few exceptions are findings.
    """
    import sqlalchemy

    data, wanted = tables(context), asked(context)
    for dimension in context.butler.dimensions.dimensions:
        source = dimension.implied_union_target
        if source is None or source.name not in data.names:
            continue
        column = data.table(source.name, dimension.name).c[dimension.name]
        known = {value for (value,) in data.stream(sqlalchemy.select(column).distinct())}
        used: Counter[tuple[int, int, Any]] = Counter()
        for name, kinds in data.tags_tables.items():
            if dimension.name not in kinds[0].dimensions:
                continue
            clause = data.table(name, "dataset_type_id", "collection_id", dimension.name)
            counted = sqlalchemy.select(*clause.columns, sqlalchemy.func.count()).group_by(*clause.columns)
            used.update({(a, b, value): n for a, b, value, n in data.stream(counted)})
        context.examined(used.total())
        strange = {key: n for key, n in used.items() if key[2] not in known}
        if not believed(used.total() - sum(strange.values()), sum(strange.values())):
            continue
        for (kind, collection, value), n in sorted(strange.items(), key=str):
            if wanted is not None and collection not in wanted:
                continue
            what, where = data.dataset_type_name(kind), data.collection_name(collection)
            yield Finding(
                f"{n} {what} in {where} have {dimension.name} {value!r}, which no {source.name} has",
                data_id={dimension.name: value},
                where=where,
                seen=repr(value),
                expected=", ".join(map(repr, sorted(map(str, known)))) or f"a {source.name}",
                look=look_datasets(what, where, {dimension.name: value}),
            )


@check(
    "geometry.sky-pixel-contents",
    title="Most positions in a table of one sky pixel lie in it",
    after="refcats",
    deep=True,
    remedy="give the dataset its file back from a backup, or remove it: butler prune-datasets --purge",
)
def sky_pixel_contents(context: CheckContext) -> Iterator[Finding]:
    """A shard of a reference catalogue under the wrong pixel leaves a hole there, and covers another place twice."""
    butler, universe = context.butler, context.butler.dimensions
    for kind in butler.registry.queryDatasetTypes():
        pixels = [universe.skypix_dimensions[d] for d in kind.dimensions.required if d in universe.skypix_dimensions]
        if len(pixels) != 1:
            continue
        collections = context.scope.collections or ["*"]
        refs = butler.query_datasets(
            kind, collections=list(collections), find_first=False, limit=None, explain=False, order_by=pixels[0].name
        )
        unique = list({ref.id: ref for ref in refs}.values())
        step = max(1, -(-len(unique) // (context.scope.sample or SAMPLE)))
        for ref in unique[::step]:
            positions = _positions(context, ref)
            if positions is None or not len(positions[0]):
                continue
            context.examined()
            index = ref.dataId[pixels[0].name]
            outside = _outside(pixels[0].pixelization, index, *positions)
            if 2 * outside > len(positions[0]):
                data_id = dict(ref.dataId.required)
                yield Finding(
                    f"{kind.name} {text(data_id)} has positions of another pixel",
                    data_id=data_id,
                    where=ref.run,
                    seen=f"{outside} of {len(positions[0])} outside {pixels[0].name} {index}",
                    expected="most of them inside",
                    look=look_datasets(kind.name, ref.run, data_id),
                )


def _positions(context: CheckContext, ref: DatasetRef) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Return longitudes and latitudes of a table (radians); `None` if it is no such table."""
    import astropy.units as u
    import numpy as np
    from astropy.table import Table

    try:
        table: Table = Table(context.butler.get(ref))
    except Exception:  # datastore.contents says what is wrong
        return None
    for names in COORDINATES:
        if set(names) <= set(table.colnames):
            # Catalogues of the middleware's users that give no unit are in radians.
            values = [u.Quantity(table[n], table[n].unit or u.rad).to_value(u.rad) for n in names]
            return np.asarray(values[0]), np.asarray(values[1])
    return None


def _outside(pixelization: Any, index: int, longitudes: NDArray[Any], latitudes: NDArray[Any]) -> int:
    """Return how many of some positions (radians) lie in another pixel."""
    from lsst.sphgeom import LonLat, UnitVector3d

    pairs = zip(longitudes.tolist(), latitudes.tolist(), strict=True)
    found = (pixelization.index(UnitVector3d(LonLat.fromRadians(a, b))) for a, b in pairs)
    return sum(i != index for i in found)


CHECKS: tuple[Check, ...] = (instrument_names, values_without_table, sky_pixel_contents)
