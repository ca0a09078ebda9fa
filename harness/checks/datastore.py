"""Invariants of the files of a datastore: what is recorded is there, whole, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..verdicts import Check, Finding, check
from .artifacts import is_external, local_path, problem
from .inventory import file_rows, inventory
from .members import described
from .records import text
from .records import where as expression

if TYPE_CHECKING:
    from .context import CheckContext
    from .members import Described
    from .rows import FileRow

__all__ = ["CHECKS", "about"]


def about(
    row: FileRow,
    owner: Described | None,
    message: str,
    *,
    seen: str,
    expected: str,
    look: str = "",
    remedy: str = "",
) -> Finding:
    """Make a finding about the file of a dataset."""
    kind = owner.kind if owner is not None else f"dataset {row.dataset_id}"
    data_id = owner.data_id if owner is not None else {}
    where = row.path if is_external(row.path) else f"{{repo}}/{row.path}"
    return Finding(
        f"{kind} {text(data_id)}: {message}",
        data_id=data_id,
        where=row.path,
        seen=seen,
        expected=expected,
        look=look or f"ls -l '{where}'",
        remedy=remedy,
    )


def _restore(owner: Described | None, what: str) -> str:
    """Say how to get a file back, or rid of its dataset."""
    if owner is None:
        return f"{what}, or delete the record"
    query = f' --where "{expression(owner.data_id)}"' if owner.data_id else ""
    return f"butler prune-datasets {{repo}} --purge {owner.run} --datasets {owner.kind}{query} {owner.run}"


@check(
    "datastore.files-exist",
    title="Every recorded file is there",
    after="calibs",
    remedy="put the file back from a copy, or remove the dataset with 'butler prune-datasets --purge'",
)
def files_exist(context: CheckContext) -> Iterator[Finding]:
    """Quantum graphs are built from records: a missing file is met hours later, in the middle of a run."""
    found = inventory(context)
    context.examined(found.records)
    for row, owner in described(context, found.missing, lambda r: r.dataset_id):
        yield about(
            row,
            owner,
            "its file is missing",
            seen="no such file",
            expected="a file",
            remedy=_restore(owner, "put the file back"),
        )
    found.ensure_readable()


@check(
    "datastore.sizes",
    title="Every file has the size that was recorded when it was stored",
    after="calibs",
    remedy="copy the file again from where it is whole, or remove the dataset with 'butler prune-datasets --purge'",
)
def file_sizes(context: CheckContext) -> Iterator[Finding]:
    """A truncated copy has the right name and opens with a good header; only its size gives it away."""
    found = inventory(context)
    context.examined(found.records - len(found.missing))
    for (row, size), owner in described(context, found.resized, lambda pair: pair[0].dataset_id):
        yield about(
            row,
            owner,
            "its file has another size",
            seen=f"{size} bytes",
            expected=f"{row.size} bytes",
            remedy=_restore(owner, "copy the file again"),
        )
    found.ensure_readable()


@check(
    "datastore.no-orphans",
    title="Every file in the datastore belongs to a dataset",
    after="calibs",
)
def no_orphans(context: CheckContext) -> Iterator[Finding]:
    """Nothing ever finds or deletes a file without record: it fills the disk, and blocks the name for a new one."""
    found = inventory(context)
    context.examined(found.files)
    for path in found.orphans:
        shown = path.encode("utf-8", "backslashreplace").decode()
        yield Finding(
            f"no dataset owns the file {shown}",
            where=shown,
            seen="a file",
            expected="a record of it, or nothing",
            look=f"ls -l '{{repo}}/{shown}'",
            remedy=f"Once nobody writes to the repository, ingest {shown} or delete it.",
        )
    found.ensure_readable()


# --- contents ----------------------------------------------------------------------------------------


def _sampled(context: CheckContext, rows: Iterable[FileRow], total: int) -> Iterator[FileRow]:
    """Yield as many rows as the scope allows, evenly spread."""
    most = context.scope.sample
    if most is None or total <= most:
        yield from rows
        return
    taken = 0
    for i, row in enumerate(rows):
        if i * most >= taken * total:
            taken += 1
            yield row


@check(
    "datastore.checksums",
    title="Every file has the checksum that was recorded when it was stored",
    after="calibs",
    deep=True,
    remedy="copy the file again from where it is whole, or remove the dataset with 'butler prune-datasets --purge'",
)
def checksums(context: CheckContext) -> Iterator[Finding]:
    """A bit that flips on a disk, or a file that was edited, leaves name and size as they are.

    Datastores record checksums only where they are configured to.
    """
    total = sum(bool(row.checksum) for row in file_rows(context))
    context.examined(sum(1 for _ in file_rows(context)))
    rows = (row for row in file_rows(context, ordered=True) if row.checksum and "#" not in row.path)
    for row, owner in described(context, _sampled(context, rows, total), lambda r: r.dataset_id):
        digest = _checksum(context, row)
        if digest is not None and digest != row.checksum:
            yield about(
                row,
                owner,
                "its file has another content",
                seen=digest,
                expected=str(row.checksum),
                remedy=_restore(owner, "copy the file again"),
            )


def _checksum(context: CheckContext, row: FileRow) -> str | None:
    """Compute the checksum that a datastore records (BLAKE2b unless it says otherwise)."""
    import hashlib

    path = local_path(context, row)
    algorithm = {32: "md5", 40: "sha1", 64: "sha256", 128: "blake2b"}.get(len(row.checksum or ""))
    if path is None or algorithm is None:
        return None
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, algorithm).hexdigest()
    except FileNotFoundError:
        return None  # found by datastore.files-exist


@check(
    "datastore.artifacts-readable",
    title="Every file begins and ends as its format demands",
    after="calibs",
    deep=True,
    remedy="copy the file again from where it is whole, or remove the dataset with 'butler prune-datasets --purge'",
)
def artifacts_readable(context: CheckContext) -> Iterator[Finding]:
    """A disk that was full leaves empty and half-written files which exist, have a name, and cannot be read."""
    total = sum(1 for _ in file_rows(context))
    rows = _sampled(context, file_rows(context, ordered=True), total)
    for (row, bad), owner in described(context, _problems(context, rows), lambda pair: pair[0].dataset_id):
        yield about(
            row,
            owner,
            f"its file cannot be read: {bad}",
            seen=bad,
            expected=f"a sound {Path(row.path).suffix.lstrip('.') or 'file'} file",
            remedy=_restore(owner, "copy the file again"),
        )


def _problems(context: CheckContext, rows: Iterable[FileRow]) -> Iterator[tuple[FileRow, str]]:
    """Yield the records whose files are not as they should be, and why; files that are not there are left out."""
    seen: set[tuple[str, str]] = set()
    for row in rows:
        path = local_path(context, row)
        if path is None or (row.datastore, row.path) in seen:
            continue
        if row.path.count("#") or is_external(row.path):
            seen.add((row.datastore, row.path))
        try:
            bad = problem(path, row.path)
        except (FileNotFoundError, NotADirectoryError):
            continue  # found by datastore.files-exist
        except OSError as error:
            bad = f"{type(error).__name__}: {error.strerror}"
        context.examined()
        if bad:
            yield row, bad


CHECKS: tuple[Check, ...] = (files_exist, file_sizes, no_orphans, checksums, artifacts_readable)
