"""A repository as a value: every row and file of it, or all that the public interface tells of it."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lsst.daf.butler import Butler, DatasetRef

__all__ = ["associations", "contents", "dataset_key", "files", "raw_state", "record_values"]


def raw_state(butler: Butler) -> dict[str, frozenset[Any]]:
    """Read every row of every table of an SQLite registry, and every file.

    Parameters
    ----------
    butler : `lsst.daf.butler.Butler`
        A butler of a local repository.

    Returns
    -------
    state : `dict` [`str`, `frozenset`]
        Rows by ``table NAME``, and (path, digest) as ``files``.
    """
    from .lab import repository_root

    root = repository_root(butler)
    state: dict[str, frozenset[Any]] = {}
    database = root / "gen3.sqlite3"
    if database.exists():
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            names = [n for (n,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for name in names:
                rows = connection.execute(f'SELECT * FROM "{name}"')  # noqa: S608 - a name from the schema itself
                state[f"table {name}"] = frozenset(rows)
        connection.close()
    state["files"] = frozenset(files(root).items())
    return state


def files(root: Any) -> dict[str, str]:
    """Return the digests of all files below a folder, by relative path; not of the SQLite database."""
    return {
        str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(root.rglob("*"))
        if p.is_file() and not p.name.startswith("gen3.sqlite3")
    }


def dataset_key(ref: DatasetRef) -> tuple[Any, ...]:
    """Name a dataset by its id, type, required data ID values and run."""
    return (str(ref.id), ref.datasetType.name, tuple(sorted(ref.dataId.required.items())), ref.run)


def record_values(record: Any) -> tuple[tuple[str, Any], ...]:
    """Return the fields of a dimension record, as values that compare and hash."""
    values = record.toDict()
    return tuple(
        (k, v.hex() if isinstance(v, bytes) else str(v.encode().hex()) if hasattr(v, "getBoundingBox") else v)
        for k, v in sorted(values.items())
    )


def associations(butler: Butler, dataset_type: str, collections: Any) -> set[tuple[Any, ...]]:
    """Return the associations of a dataset type: collection, dataset and validity range (ns, TAI)."""
    found = set()
    for item in butler.registry.queryDatasetAssociations(dataset_type, collections=collections, flattenChains=True):
        span = item.timespan
        found.add((item.collection, str(item.ref.id), None if span is None else tuple(span.nsec)))
    return found


def contents(butler: Butler, *, values: bool = True, elements: Iterable[str] | None = None) -> dict[str, Any]:
    """Read all that the public interface tells of a repository.

    Parameters
    ----------
    butler : `lsst.daf.butler.Butler`
        Any butler.
    values : `bool`, optional
        Whether to read the datasets themselves.
    elements : `~collections.abc.Iterable` [`str`], optional
        Dimension elements to read the records of; by default all that are stored.

    Returns
    -------
    contents : `dict` [`str`, ...]
        ``records`` by element, ``dataset types``, ``collections``, ``datasets``, ``associations`` and ``values``.
    """
    registry = butler.registry
    wanted = [e.name for e in butler.dimensions.elements if e.has_own_table] if elements is None else list(elements)
    found: dict[str, Any] = {
        f"records {name}": {record_values(r) for r in registry.queryDimensionRecords(name)} for name in wanted
    }
    types = sorted(registry.queryDatasetTypes(), key=lambda t: t.name)
    found["dataset types"] = {
        t.name: (tuple(t.dimensions.required), t.storageClass_name, t.isCalibration()) for t in types
    }
    collections = {}
    for name in sorted(registry.queryCollections(flattenChains=False)):
        kind = registry.getCollectionType(name)
        children = tuple(registry.getCollectionChain(name)) if kind.name == "CHAINED" else ()
        collections[name] = (kind.name, children, registry.getCollectionDocumentation(name) or "")
    found["collections"] = collections
    runs = [n for n, (kind, _, _) in collections.items() if kind == "RUN"]
    others = [n for n, (kind, _, _) in collections.items() if kind in ("TAGGED", "CALIBRATION")]
    datasets, read, members = set(), {}, set()
    for item in types:
        refs = set(registry.queryDatasets(item.name, collections=runs, findFirst=False)) if runs else set()
        datasets |= {dataset_key(r) for r in refs}
        if values:
            read.update({str(r.id): repr(butler.get(r)) for r in refs if butler.stored(r)})
        if others:
            members |= {(item.name, *a) for a in associations(butler, item.name, others)}
    found["datasets"], found["associations"], found["values"] = datasets, members, read
    return found
