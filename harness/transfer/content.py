"""The content of a file without what a second run writes differently: dates, identifiers and provenance."""

from __future__ import annotations

import hashlib
import itertools
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..checks.members import BATCH
from ..checks.tables import NO_COMPONENT, Tables
from .capture import MISSING, located
from .state import Key, RepositoryState

if TYPE_CHECKING:
    from lsst.daf.butler import Butler
    from lsst.resources import ResourcePath

__all__ = ["ANYTHING", "VOLATILE", "content_digest", "content_digests", "with_contents"]

VOLATILE = frozenset({"TaskMetadata", "ButlerLogRecords", "Packages"})
"""Storage classes that hold times, identifiers and resource usage; of these only that they are there is compared."""

ANYTHING = "anything"
"""Digest of what may say anything."""

_DATES = frozenset({"DATE", "CHECKSUM", "DATASUM", "INDXADDR", "INDXSIZE", "JSONADDR", "JSONSIZE"})
"""FITS keywords that change with the time of writing, or with the length of the provenance that was written."""


def content_digests(butler: Butler, ids: Iterable[str]) -> dict[Key, str]:
    """Return the digest of what each of some datasets says.

    Parameters
    ----------
    butler : `lsst.daf.butler.Butler`
        Repository that has them, with files as artifacts.
    ids : `~collections.abc.Iterable` [`str`]
        Dataset ids.

    Returns
    -------
    digests : `dict` [`tuple`, `str`]
        Digest by dataset id and component, as in the table ``artifact`` of a
        `~harness.transfer.state.RepositoryState`. Two datasets with equal digests differ in their
        provenance and time of writing at most.
    """
    import sqlalchemy

    data = Tables(butler)
    wanted = sorted(uuid.UUID(id_) for id_ in ids)
    out: dict[Key, str] = {}
    for table, root in data.datastores.values():
        if table not in data.names:
            continue
        clause = data.table(table, "dataset_id", "component", "path", "storage_class")
        for some in itertools.batched(wanted, BATCH):
            statement = sqlalchemy.select(*clause.columns).where(clause.c.dataset_id.in_(some))
            for identifier, component, path, storage_class in data.stream(statement):
                key = (str(identifier), "" if component == NO_COMPONENT else component)
                out[key] = _digest(located(path, root), storage_class)
    return out


def _digest(uri: ResourcePath, storage_class: str) -> str:
    if not uri.exists():
        return MISSING
    if storage_class in VOLATILE:
        return ANYTHING
    with uri.as_local() as local:
        return content_digest(Path(local.ospath))


def with_contents(state: RepositoryState, digests: Mapping[Key, str]) -> RepositoryState:
    """Return a state in which some artifacts are described by what they say, not by size and digest of the file."""
    rows = {k: (*row[:2], None, digests[k]) for k, row in state["artifact"].items() if k in digests}
    return state.replace(artifact={**state["artifact"], **rows})


def content_digest(path: Path) -> str:
    """Return a digest of what a file says.

    Parameters
    ----------
    path : `~pathlib.Path`
        A file. FITS (as of lsst-images, and any other), parquet, JSON and configurations are read; of all others the
        bytes count.

    Returns
    -------
    digest : `str`
        Hexadecimal digest.
    """
    digest = hashlib.blake2b(digest_size=20)
    for piece in _pieces(path):
        digest.update(len(piece).to_bytes(8, "big"))
        digest.update(piece)
    return digest.hexdigest()


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        magic = stream.read(9)
    if magic == b"SIMPLE  =":
        yield from _fits(path)
    elif magic.startswith(b"PAR1"):
        yield from _parquet(path)
    elif path.suffix == ".json":
        yield _json(path.read_bytes())
    elif path.suffix == ".py":
        # A configuration: which modules it imports beside its own depends on what the process has imported already.
        yield b"\n".join(line for line in path.read_bytes().splitlines() if not line.startswith(b"import "))
    else:
        yield path.read_bytes()


def _fits(path: Path) -> Iterator[bytes]:
    """Yield header cards and data of each HDU."""
    import numpy as np
    from astropy.io import fits

    with fits.open(path, memmap=False) as hdus, path.open("rb") as stream:
        tree = "JSONADDR" in hdus[0].header
        for hdu in hdus:
            if tree and hdu.name == "INDEX":
                continue  # addresses within the file
            if tree and hdu.name == "JSON":
                yield _json(bytes(hdu.data["JSON"][0]))
                continue
            for card in hdu.header.cards:
                # As it is written: to read the values takes longer than all else.
                text = str(card.image)
                if text[:8].rstrip() not in _DATES and not text.startswith("HIERARCH LSST BUTLER"):
                    yield text.encode()
            if isinstance(hdu, fits.CompImageHDU):
                # Pixels, not the file's bytes: each compressed tile has the time of writing in its gzip header.
                yield np.ascontiguousarray(hdu.data).tobytes()
            else:
                place = hdu.fileinfo()
                stream.seek(place["datLoc"])
                yield stream.read(place["datSpan"])


def _parquet(path: Path) -> Iterator[bytes]:
    """Yield the schema without provenance, and the columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    for key, value in sorted((table.schema.metadata or {}).items()):
        yield key
        yield b"\n".join(line for line in value.splitlines() if b"LSST.BUTLER." not in line)
    plain = table.replace_schema_metadata(None).combine_chunks()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, plain.schema) as writer:
        writer.write_table(plain)
    yield sink.getvalue().to_pybytes()


def _json(content: bytes) -> bytes:
    """Write JSON again in one form, without what lsst-images says about dataset and provenance."""
    try:
        tree = json.loads(content)
    except ValueError:
        return content
    return json.dumps(_without_provenance(tree), sort_keys=True, separators=(",", ":")).encode()


def _without_provenance(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_provenance(v) for k, v in value.items() if k != "butler_info"}
    return [_without_provenance(v) for v in value] if isinstance(value, list) else value
