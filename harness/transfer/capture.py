"""Reading the state of a repository, a whole table at a time."""

from __future__ import annotations

import hashlib
import math
import os
import zipfile
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..checks.tables import NO_COMPONENT, Tables
from .state import KINDS, Key, RepositoryState, Value

if TYPE_CHECKING:
    from lsst.daf.butler import Butler, DimensionElement
    from lsst.resources import ResourcePath

    from ..checks.rows import DatasetTypeRow

__all__ = ["MISSING", "capture", "file_digest", "located"]

MISSING = "missing"
"""Digest of an artifact that the datastore has a record of, but that is not there."""

Table = dict[Key, Value]


def capture(
    butler: Butler, *, hashes: bool = True, since: tuple[RepositoryState, Collection[str]] | None = None
) -> RepositoryState:
    """Read the dataset-level state of a repository.

    Parameters
    ----------
    butler : `lsst.daf.butler.Butler`
        Opened for reading; never written to.
    hashes : `bool`, optional
        Whether to read and hash (blake2b) the content of each artifact.
    since : `tuple`, optional
        A state that the repository had, and the names of the dataset types of which anything may have changed since:
        of others, and of dimension records, nothing is read.

    Returns
    -------
    state : `~harness.transfer.state.RepositoryState`
        Dimension records, dataset types, collections with their members, datasets and artifacts.

    Notes
    -----
    The host and time span of RUN collections are left out: the middleware has no way of setting them, and
    `Butler.import_` drops them.

    Membership is taken from the collections that the summaries name, as every query does; a dataset that
    a wrong summary hides is reported as not there.
    """
    tables: dict[str, Table] = {kind: {} for kind in KINDS}
    elements: dict[str, tuple[str, ...]] = {}
    dimensions: dict[str, tuple[str, ...]] = {}
    with butler.registry.caching_context():
        for element in butler.dimensions.elements:
            if element.has_own_table and since is None:
                _records(butler, element, tables["record"], elements, dimensions)
        by_type = _collections(butler, tables["collection"], tables["chain"])
    data = Tables(butler)
    for kind in data.dataset_types.values():
        names = tuple(butler.dimensions.conform(kind.dimensions).names)
        tables["dataset-type"][kind.name,] = (names, kind.storage_class, kind.calibs_table is not None)
        dimensions[kind.name] = kind.dimensions
        if since is not None and kind.name not in since[1]:
            by_type.pop(kind.name, None)
    _members(data, by_type, tables)
    _certifications(data, by_type, tables["certification"])
    wanted = _wanted(data.dataset_types.values(), by_type)
    _artifacts(data, wanted, tables["dataset"], tables["artifact"], hashes)
    if since is not None:
        _keep(*since, tables)
        elements, dimensions = dict(since[0].elements), {**since[0].dimensions, **dimensions}
    universe = (butler.dimensions.namespace or "", butler.dimensions.version)
    return RepositoryState(universe, elements, dimensions, tables, hashes)


def _keep(state: RepositoryState, types: Collection[str], tables: Mapping[str, Table]) -> None:
    """Take over what a state has of records, and of all dataset types but some."""
    tables["record"].update(state["record"])
    for kind in ("dataset", "tag", "certification"):
        tables[kind].update({k: v for k, v in state[kind].items() if v[0] not in types})
    gone = {k for k, v in state["dataset"].items() if v[0] in types}
    tables["artifact"].update({k: v for k, v in state["artifact"].items() if k[:1] not in gone})


def _records(
    butler: Butler,
    element: DimensionElement,
    table: Table,
    elements: dict[str, tuple[str, ...]],
    dimensions: dict[str, tuple[str, ...]],
) -> None:
    """Read all records of one dimension element."""
    records = butler.query_dimension_records(element.name, limit=None, explain=False)
    if not records:
        return
    required = tuple(element.required.names)
    fields = tuple(element.RecordClass.fields.names)
    # The first fields are the key; what is left is what can differ between two records of one thing.
    rest = fields[len(required) :]
    elements[element.name], dimensions[element.name] = rest, required
    for record in records:
        key = (element.name, *record.dataId.required_values)
        table[key] = tuple(_plain(getattr(record, field)) for field in rest)


def _plain(value: Any) -> Any:
    """Make a field of a record comparable and fit for JSON."""
    from lsst.daf.butler import Timespan
    from lsst.sphgeom import Region

    match value:
        case Timespan():
            return value.nsec
        case Region():
            return value.encode().hex()
        case bytes():
            return value.hex()
        case float() if not math.isfinite(value):
            return str(value)  # NaN differs from itself, and JSON has none
        case _:
            return value


def _collections(butler: Butler, table: Table, chains: Table) -> dict[str, list[str]]:
    """Read all collections; return those that may hold datasets of each type."""
    by_type: dict[str, list[str]] = {}
    for info in butler.collections.query_info("*", include_doc=True, include_summary=True):
        table[info.name,] = (info.type.name, info.doc or "")
        if info.type.name == "CHAINED":
            chains[info.name,] = (tuple(info.children),)
        else:
            for name in info.dataset_types or ():
                by_type.setdefault(name, []).append(info.name)
    return by_type


def _members(data: Tables, by_type: Mapping[str, Collection[str]], tables: Mapping[str, Table]) -> None:
    """Read the members of RUN and TAGGED collections, those of all dataset types of the same dimensions at once."""
    import sqlalchemy

    known = data.collections  # before anything is asked: a butler that may write has no second query beside the first
    for name, kinds in data.tags_tables.items():
        wanted = _wanted(kinds, by_type)
        if not wanted:
            continue
        clause = data.table(name, "dataset_id", "dataset_type_id", "collection_id", *kinds[0].dimensions)
        statement = sqlalchemy.select(*clause.columns).where(clause.c.dataset_type_id.in_(list(wanted)))
        for identifier, number, collection_id, *values in data.stream(statement):
            kind, collections = wanted[number]
            collection = known[collection_id]
            if collection.name not in collections:
                continue
            if collection.type == "RUN":
                tables["dataset"][str(identifier),] = (kind, tuple(values), collection.name)
            else:
                tables["tag"][collection.name, str(identifier)] = (kind, tuple(values))


def _certifications(data: Tables, by_type: Mapping[str, Collection[str]], table: Table) -> None:
    """Read the members of CALIBRATION collections, with all their validity ranges."""
    wanted = _wanted(data.dataset_types.values(), by_type)
    known = data.collections
    found: dict[Key, list[tuple[int, int]]] = {}
    values: dict[Key, tuple[str, Key]] = {}
    for row in data.validities:
        if row.type_id in wanted and (collection := known[row.collection_id].name) in wanted[row.type_id][1]:
            key = (collection, str(row.dataset_id))
            found.setdefault(key, []).append((row.begin, row.end))
            values[key] = (wanted[row.type_id][0], row.values)
    table.update({key: (*values[key], tuple(sorted(ranges))) for key, ranges in found.items()})


def _wanted(
    kinds: Iterable[DatasetTypeRow], by_type: Mapping[str, Collection[str]]
) -> dict[int, tuple[str, Collection[str]]]:
    """Return name and collections of the dataset types that are to be read, by their number."""
    return {kind.id: (kind.name, by_type[kind.name]) for kind in kinds if kind.name in by_type}


def _artifacts(data: Tables, kinds: Iterable[int], datasets: Collection[Key], table: Table, hashes: bool) -> None:
    """Read the datastore's records of datasets of some types, and the files that they name."""
    import sqlalchemy

    digests: dict[str, tuple[int, str]] = {}
    columns = ("dataset_id", "component", "path", "formatter", "storage_class", "file_size")
    for records, root in data.datastores.values():
        if records not in data.names:
            continue  # a repository that has never been written to has no table of them yet
        clause, dataset = data.table(records, *columns), data.table("dataset", "id", "dataset_type_id")
        statement = (
            sqlalchemy.select(*clause.columns)
            .select_from(clause.join(dataset, dataset.c.id == clause.c.dataset_id))
            .where(dataset.c.dataset_type_id.in_(list(kinds)))
        )
        for identifier, component, where, formatter, storage_class, size in data.stream(statement):
            if (str(identifier),) not in datasets:
                continue
            known = digests.get(where) or ((size, "") if not hashes else None)
            if known is None:
                known = digests[where] = file_digest(located(where, root))
            part = "" if component == NO_COMPONENT else component
            table[str(identifier), part] = (formatter, storage_class, *known)


def located(path: str, root: ResourcePath | None) -> ResourcePath:
    """Return where the file of a record is: below the root of its datastore, or where it was ingested."""
    from lsst.resources import ResourcePath

    uri = ResourcePath(path, forceAbsolute=False, forceDirectory=False)
    return uri if uri.isabs() or root is None else root.join(uri)


_DIGESTS: dict[tuple[int, int, int, int], str] = {}
"""Digests of local files that this process has read, by device, inode, size and time of change (ns).

Forks and imports share inodes by hard links: of all states of a run each file is read once.
"""


def file_digest(uri: ResourcePath) -> tuple[int, str]:
    """Return size (bytes) and digest of an artifact, or of a member of a zip archive."""
    try:
        if uri.isLocal and not uri.fragment:
            status = os.stat(uri.ospath)  # noqa: PTH116 - of thousands of files, most of which are known
            known = _DIGESTS.get((status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))
            if known is not None:
                return status.st_size, known
        with uri.as_local() as local, open(local.ospath, "rb") as stream:  # noqa: PTH123
            if uri.fragment.startswith("zip-path="):
                with zipfile.ZipFile(stream) as archive, archive.open(uri.fragment.partition("=")[2]) as member:
                    content = member.read()
                return len(content), hashlib.blake2b(content, digest_size=20).hexdigest()
            status = os.fstat(stream.fileno())
            key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
            digest = hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=20)).hexdigest()
            if uri.isLocal:
                _DIGESTS[key] = digest
            return status.st_size, digest
    except FileNotFoundError:
        return -1, MISSING
