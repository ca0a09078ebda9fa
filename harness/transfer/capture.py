"""Reading the state of a repository, a whole table at a time."""

from __future__ import annotations

import hashlib
import math
import os
import zipfile
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .state import KINDS, Key, RepositoryState, Value

if TYPE_CHECKING:
    from lsst.daf.butler import Butler, DatasetRef, DimensionElement
    from lsst.resources import ResourcePath

__all__ = ["MISSING", "capture", "file_digest"]

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
        refs: list[DatasetRef] = []
        for dataset_type in butler.registry.queryDatasetTypes():
            name = dataset_type.name
            tables["dataset-type"][name,] = (
                tuple(dataset_type.dimensions.names),
                dataset_type.storageClass_name,
                dataset_type.isCalibration(),
            )
            dimensions[name] = tuple(dataset_type.dimensions.required)
            if (since is None or name in since[1]) and (collections := by_type.get(name)):
                refs += _datasets(butler, name, collections, tables)
        if refs:  # a repository that has never been written to has no table of artifacts yet
            _artifacts(butler, refs, tables["artifact"], hashes)
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


def _collections(butler: Butler, table: Table, chains: Table) -> Mapping[str, list[str]]:
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


def _datasets(
    butler: Butler, name: str, collections: Iterable[str], tables: Mapping[str, Table]
) -> Iterable[DatasetRef]:
    """Read all datasets of a type, with the collections that they are members of."""
    refs: dict[str, DatasetRef] = {}
    ranges: dict[Key, list[tuple[int, int]]] = {}
    for association in butler.registry.queryDatasetAssociations(name, collections):
        ref, collection = association.ref, association.collection
        key, values = (collection, str(ref.id)), ref.dataId.required_values
        match tables["collection"][collection,][0]:
            case "RUN":
                refs[str(ref.id)] = ref
                tables["dataset"][str(ref.id),] = (name, values, collection)
            case "TAGGED":
                tables["tag"][key] = (name, values)
            case _:
                assert association.timespan is not None
                ranges.setdefault(key, []).append(association.timespan.nsec)
                tables["certification"][key] = (name, values, tuple(sorted(ranges[key])))
    return refs.values()


def _artifacts(butler: Butler, refs: Iterable[DatasetRef], table: Table, hashes: bool) -> None:
    """Read the datastore's records of all datasets at once, and the files that they name."""
    from lsst.resources import ResourcePath

    datastore = butler._datastore  # the public methods ask for one dataset at a time: a query for each
    roots = datastore.roots
    digests: dict[str, tuple[int, str]] = {}
    for store, data in datastore.export_records(refs).items():
        for id_, by_table in data.records.items():
            for info in (i for infos in by_table.values() for i in infos):
                known = digests.get(info.path) or ((info.file_size, "") if not hashes else None)
                if known is None:
                    path, root = ResourcePath(info.path, forceAbsolute=False), roots[store]
                    known = file_digest(path if path.isabs() or root is None else root.join(path))
                    digests[info.path] = known
                table[str(id_), info.component or ""] = (info.formatter, info.storage_class_name, *known)


_DIGESTS: dict[tuple[int, int, int, int], str] = {}
"""Digests of local files that this process has read, by device, inode, size and time of change (ns).

Forks and imports share inodes by hard links: of all states of a run each file is read once.
"""


def file_digest(uri: ResourcePath) -> tuple[int, str]:
    """Return size (bytes) and digest of an artifact, or of a member of a zip archive."""
    try:
        with uri.as_local() as local, open(local.ospath, "rb") as stream:  # noqa: PTH123
            if uri.fragment.startswith("zip-path="):
                with zipfile.ZipFile(stream) as archive, archive.open(uri.fragment.partition("=")[2]) as member:
                    content = member.read()
                return len(content), hashlib.blake2b(content, digest_size=20).hexdigest()
            status = os.fstat(stream.fileno())
            key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
            if uri.isLocal and key in _DIGESTS:
                return status.st_size, _DIGESTS[key]
            digest = hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=20)).hexdigest()
            if uri.isLocal:
                _DIGESTS[key] = digest
            return status.st_size, digest
    except FileNotFoundError:
        return -1, MISSING
