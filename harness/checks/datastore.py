"""Invariants of the datastore: what the registry believes in is on disk, and nothing else."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..verdicts import Check, Finding, check
from .artifacts import is_external, local_path, problem, sizes
from .records import look_datasets, look_rows, text
from .tables import tables

if TYPE_CHECKING:
    from .context import CheckContext
    from .tables import FileRow

__all__ = ["CHECKS"]

REPOSITORY_FILES = (".yaml", ".json", ".sqlite3", ".sqlite3-wal", ".sqlite3-shm", ".sqlite3-journal")
"""Endings of files at the top of a repository that are its configuration and its database."""


def _about(context: CheckContext, row: FileRow, message: str, *, seen: str, expected: str, look: str = "") -> Finding:
    """Make a finding about a file."""
    data = tables(context)
    dataset = data.datasets.get(row.dataset_id)
    kind = data.dataset_type_name(dataset.type_id) if dataset is not None else f"dataset {row.dataset_id}"
    data_id = data.data_ids.get(row.dataset_id, {})
    where = row.path if is_external(row) else f"{{repo}}/{row.path}"
    return Finding(
        f"{kind} {text(data_id)}: {message}",
        data_id=data_id,
        where=row.path,
        seen=seen,
        expected=expected,
        look=look or f"ls -l '{where}'",
    )


@check(
    "datastore.files-exist",
    title="Every recorded file is there",
    after="calibs",
)
def files_exist(context: CheckContext) -> Iterator[Finding]:
    """Quantum graphs are built from records: a missing file is met hours later, in the middle of a run."""
    found = sizes(context)
    for row in tables(context).files:
        context.examined()
        if found[row.datastore, row.path] is None:
            yield _about(context, row, "its file is missing", seen="no such file", expected="a file")


@check(
    "datastore.sizes",
    title="Every file has the size, and the checksum if there is one, that was recorded when it was stored",
    after="calibs",
)
def file_sizes(context: CheckContext) -> Iterator[Finding]:
    """A truncated copy has the right name and opens with a good header; only its size gives it away."""
    found = sizes(context)
    for row in tables(context).files:
        size = found[row.datastore, row.path]
        if size is None or row.size is None or row.size < 0 or "#" in row.path:
            continue
        context.examined()
        if size != row.size:
            yield _about(context, row, "its file has another size", seen=f"{size} bytes", expected=f"{row.size} bytes")
        elif row.checksum:
            digest = _checksum(context, row)
            if digest is not None and digest != row.checksum:
                yield _about(context, row, "its file has another content", seen=digest, expected=row.checksum)


def _checksum(context: CheckContext, row: FileRow) -> str | None:
    """Compute the checksum that a datastore records (BLAKE2b unless it says otherwise)."""
    import hashlib

    path = local_path(context, row)
    algorithm = {32: "md5", 40: "sha1", 64: "sha256", 128: "blake2b"}.get(len(row.checksum or ""))
    if path is None or algorithm is None:
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


@check(
    "datastore.no-orphans",
    title="Every file in the datastore belongs to a dataset",
    after="calibs",
)
def no_orphans(context: CheckContext) -> Iterator[Finding]:
    """Nothing ever finds or deletes a file without record: it fills the disk, and blocks the name for a new one."""
    data = tables(context)
    for name, (_, root) in data.datastores.items():
        if not root.isLocal:
            continue
        known = {r.path.partition("#")[0] for r in data.files if r.datastore == name and not is_external(r)}
        known |= {_inside(r, root.ospath) for r in data.files if is_external(r)}
        for path in _walk(root.ospath):
            context.examined()
            if path not in known:
                shown = path.encode("utf-8", "backslashreplace").decode()
                yield Finding(
                    f"no dataset owns the file {shown}",
                    where=shown,
                    seen="a file",
                    expected="a record of it, or nothing",
                    look=f"ls -l '{{repo}}/{shown}'",
                )


def _inside(row: FileRow, root: str) -> str:
    """Return the path, relative to the root, of a file that was ingested where it is."""
    from urllib.parse import unquote, urlsplit

    path = unquote(urlsplit(row.path).path) if "://" in row.path else row.path
    return path.removeprefix(root.rstrip("/") + "/")


def _walk(root: str) -> Iterator[str]:
    """Iterate over the files below a folder as relative paths; links are not followed."""
    todo = [""]
    while todo:
        folder = todo.pop()
        with os.scandir(f"{root}/{folder}") as entries:
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if entry.is_dir(follow_symlinks=False):
                    todo.append(path)
                elif folder or not entry.name.endswith(REPOSITORY_FILES):
                    yield path


@check(
    "datastore.formatters",
    title="The formatter and the storage class of every file can be imported",
    after="calibs",
)
def formatters(context: CheckContext) -> Iterator[Finding]:
    """A file whose formatter is gone is a file that nobody can read; code moves and records do not."""
    from lsst.daf.butler import StorageClassFactory
    from lsst.utils import doImportType

    rows: dict[tuple[str, str], FileRow] = {}
    for row in tables(context).files:
        rows.setdefault((row.formatter, row.storage_class), row)
    factory = StorageClassFactory()
    for (formatter, storage), row in rows.items():
        context.examined()
        for kind, name in (("formatter", formatter), ("storage class", storage)):
            try:
                _ = doImportType(name) if kind == "formatter" else factory.getStorageClass(name).pytype
            except (ImportError, KeyError, TypeError, AttributeError, ValueError) as error:
                yield _about(
                    context,
                    row,
                    f"its {kind} {name} cannot be loaded",
                    seen=f"{type(error).__name__}: {error}",
                    expected="an importable class",
                    look=look_rows("file_datastore_records", "dataset_id", row.dataset_id.hex),
                )


@check(
    "datastore.registry-agrees",
    title="Datasets of the registry and records of the datastore are the same set",
    after="calibs",
)
def registry_agrees(context: CheckContext) -> Iterator[Finding]:
    """A dataset without record is found and cannot be read; a record without dataset is a file lost to queries."""
    data = tables(context)
    if not data.datastores:
        return
    recorded = {r.dataset_id for r in data.files}
    located = {d for name, d in data.locations if name in data.datastores}
    trashed = {d for _, d in data.trash}
    for identifier, row in data.datasets.items():
        context.examined()
        missing = [n for n, ids in (("record of a file", recorded), ("location", located)) if identifier not in ids]
        if missing:
            kind, run = data.dataset_type_name(row.type_id), data.collection_name(row.run_id)
            data_id = data.data_ids.get(identifier, {})
            yield Finding(
                f"{kind} {text(data_id)} is in the registry but has no {' and no '.join(missing)}",
                data_id=data_id,
                where=run,
                seen="not stored",
                expected="stored",
                look=look_datasets(kind, run, data_id),
            )
    strangers = dict.fromkeys(recorded, "file_datastore_records") | dict.fromkeys(located, "dataset_location")
    for identifier in sorted(strangers.keys() - data.datasets.keys() - trashed, key=str):
        yield Finding(
            f"dataset {identifier} has a row in {strangers[identifier]} but is not in the registry",
            where=strangers[identifier],
            seen=str(identifier),
            expected="a dataset of the registry",
            look=look_rows(strangers[identifier], "dataset_id", identifier.hex),
        )


@check(
    "datastore.artifacts-readable",
    title="Every file begins and ends as its format demands",
    after="calibs",
)
def artifacts_readable(context: CheckContext) -> Iterator[Finding]:
    """A disk that was full leaves empty and half-written files which exist, have a name, and cannot be read."""
    found = sizes(context)
    seen: set[tuple[str, str]] = set()
    for row in tables(context).files:
        path = local_path(context, row)
        if (row.datastore, row.path) in seen or path is None or found[row.datastore, row.path] is None:
            continue
        seen.add((row.datastore, row.path))
        context.examined()
        bad = problem(path, row.path)
        if bad:
            yield _about(context, row, f"its file cannot be read: {bad}", seen=bad, expected=_suffix(row.path))


def _suffix(path: str) -> str:
    return f"a sound {Path(path).suffix.lstrip('.') or 'file'} file"


@check(
    "datastore.no-shared-file",
    title="No two datasets share a file, unless it was made for several of one type and run",
    after="calibs",
)
def no_shared_file(context: CheckContext) -> Iterator[Finding]:
    """Deleting one of the two deletes the other's content. File names that forget a dimension make them."""
    data = tables(context)
    owners: dict[tuple[str, str, str], list[FileRow]] = defaultdict(list)
    for row in data.files:
        context.examined()
        owners[row.datastore, row.path, row.component].append(row)
    for rows in owners.values():
        if len(rows) > 1:
            found = [data.datasets[r.dataset_id] for r in rows if r.dataset_id in data.datasets]
            if len({(d.type_id, d.run_id) for d in found}) > 1:
                ids = ", ".join(str(r.dataset_id) for r in rows)
                yield _about(
                    context,
                    rows[0],
                    "its file belongs to other datasets too",
                    seen=ids,
                    expected="one owner",
                    look=look_rows("file_datastore_records", "path", rows[0].path),
                )


@check(
    "datastore.trash-empty",
    title="Nothing waits in the trash",
    after="calibs",
)
def trash_empty(context: CheckContext) -> Iterator[Finding]:
    """A deletion that was interrupted leaves its files in the trash table: no dataset any more, space still taken."""
    data = tables(context)
    context.examined(len(data.locations) + len(data.trash))
    for datastore, identifier in sorted(data.trash, key=str):
        yield Finding(
            f"dataset {identifier} was deleted, but not its file",
            where="dataset_location_trash",
            seen=f"{identifier} in {datastore}",
            expected="an empty trash",
            look=look_rows("dataset_location_trash", "dataset_id", identifier.hex),
        )


CHECKS: tuple[Check, ...] = (
    files_exist,
    file_sizes,
    registry_agrees,
    no_orphans,
    no_shared_file,
    formatters,
    artifacts_readable,
    trash_empty,
)
