"""What ``butler retrieve-artifacts`` left in a folder, read as a state."""

from __future__ import annotations

from pathlib import Path

from .capture import MISSING, file_digest
from .state import KINDS, Key, RepositoryState, Value

__all__ = ["retrieved_state"]

NO_INDEX = "not in the index"
"""Formatter and storage class of a file that the index does not name."""


def retrieved_state(folder: Path, source: RepositoryState) -> RepositoryState:
    """Read a folder of retrieved files with its index.

    Parameters
    ----------
    folder : `~pathlib.Path`
        The folder.
    source : `~harness.transfer.state.RepositoryState`
        State of the repository that they are from; for the names of dimensions.

    Returns
    -------
    state : `~harness.transfer.state.RepositoryState`
        Datasets and artifacts as the index says, with the content of the files. A file that it does not name is an
        artifact under its path.
    """
    from lsst.daf.butler import DimensionUniverse
    from lsst.daf.butler.datastores.file_datastore.retrieve_artifacts import ZipIndex
    from lsst.resources import ResourcePath

    tables: dict[str, dict[Key, Value]] = {kind: {} for kind in KINDS}
    path = folder / ZipIndex.index_name
    known: set[Path] = {path}
    if path.exists():
        index = ZipIndex.model_validate_json(path.read_text())
        for ref in index.refs.to_refs(universe=DimensionUniverse()):
            tables["dataset"][str(ref.id),] = (ref.datasetType.name, ref.dataId.required_values, ref.run)
        for name, entry in index.artifact_map.items():
            file = folder / name
            known.add(file)
            size, digest = file_digest(ResourcePath(str(file))) if file.exists() else (-1, MISSING)
            info = entry.info
            for id_ in entry.ids:
                tables["artifact"][str(id_), info.component or ""] = (
                    info.formatter,
                    info.storage_class,
                    size,
                    digest,
                )
    for file in sorted(p for p in folder.rglob("*") if p.is_file()):
        if file not in known:
            tables["artifact"][str(file.relative_to(folder)), ""] = (
                NO_INDEX,
                NO_INDEX,
                *file_digest(ResourcePath(str(file))),
            )
    return RepositoryState(source.universe, source.elements, source.dimensions, tables)
