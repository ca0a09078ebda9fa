"""Exporting a whole repository and importing it, with errors that say what happened."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import HarnessError
from ..repository import storage_error
from .capture import capture
from .state import RepositoryState

if TYPE_CHECKING:
    from lsst.daf.butler import Butler

__all__ = ["EXPORT_FILE", "export_repository", "exportable", "import_repository", "reason", "transfer_mode"]

EXPORT_FILE = "export.yaml"
"""Name of the file that describes an export, in its folder."""


def transfer_mode(source: Path, target: Path) -> str:
    """Return the cheapest transfer mode between two folders: ``hardlink``, or ``copy`` across file systems."""
    probe = target / ".link-probe"
    try:
        os.link(next(p for p in source.iterdir() if p.is_file()), probe)
    except OSError:
        return "copy"
    probe.unlink()
    return "hardlink"


def exportable(state: RepositoryState) -> RepositoryState:
    """Return the part of a state that an export file can hold.

    An export has no entry for a dataset type of which there is no dataset, nor for a dataset that no
    datastore has.
    """
    stored = {id_ for id_, _ in state["artifact"]}
    datasets = {k: v for k, v in state["dataset"].items() if k[0] in stored}
    types = {type_ for type_, _, _ in datasets.values()}
    return dataclasses.replace(
        state,
        tables={
            **state.tables,
            "dataset": datasets,
            "dataset-type": {k: v for k, v in state["dataset-type"].items() if k[0] in types},
            "tag": {k: v for k, v in state["tag"].items() if k[1] in stored},
            "certification": {k: v for k, v in state["certification"].items() if k[1] in stored},
        },
    )


def export_repository(
    butler: Butler, state: RepositoryState, collections: Iterable[str], folder: Path, mode: str
) -> Path:
    """Export everything that a repository holds.

    All dimension records are named explicitly: some releases leave out visit definitions, memberships and
    regions when they gather the records of the datasets.

    Parameters
    ----------
    butler : `lsst.daf.butler.Butler`
        The repository, opened for reading.
    state : `~harness.transfer.state.RepositoryState`
        Its state.
    collections : `~collections.abc.Iterable` [`str`]
        The collections to export, with those of their members that are stored.
    folder : `~pathlib.Path`
        New folder for the export.
    mode : `str`
        Transfer mode of the artifacts.

    Returns
    -------
    file : `~pathlib.Path`
        The file that describes the export.

    Raises
    ------
    HarnessError
        If the middleware cannot export it.
    """
    folder.mkdir(parents=True)
    stored = {id_ for id_, _ in state["artifact"]}
    refs = butler.get_many_datasets([id_ for (id_,) in state["dataset"] if id_ in stored])
    # File templates of artifacts outside the repository use the records; all at once, by what `Butler` itself uses.
    data_ids = butler._expand_data_ids([ref.dataId for ref in refs])
    refs = [ref.expanded(data_id) for ref, data_id in zip(refs, data_ids, strict=True)]
    try:
        with butler.export(directory=str(folder), filename=EXPORT_FILE, transfer=mode) as export:
            for name in collections:
                export.saveCollection(name)
            for name in state.elements:
                export.saveDimensionData(name, butler.query_dimension_records(name, limit=None, explain=False))
            # The elements are all there already; gathering them again for each data ID would be slow.
            export.saveDatasets(refs, elements=())
    except Exception as error:  # whatever the middleware raises, the user is told which step it was
        if (full := storage_error(error, folder)) is not None:
            raise full from error
        raise HarnessError(
            f"export of {len(refs)} datasets into {folder} failed: {reason(error)}", code="export-failed"
        ) from error
    return folder / EXPORT_FILE


def import_repository(repo: Path, folder: Path, mode: str) -> None:
    """Import an export into a repository.

    Parameters
    ----------
    repo : `~pathlib.Path`
        The repository to import into.
    folder : `~pathlib.Path`
        Folder of the export.
    mode : `str`
        Transfer mode of the artifacts.

    Raises
    ------
    HarnessError
        If the import fails; says what it left behind, as the middleware rolls back datasets and dimension
        records but neither collections nor dataset types.
    """
    from lsst.daf.butler import Butler

    with Butler.from_config(str(repo), writeable=True) as butler:
        try:
            butler.import_(directory=str(folder), filename=EXPORT_FILE, transfer=mode)
        except Exception as error:  # whatever the middleware raises, the user is told what state it leaves
            if (full := storage_error(error, repo)) is not None:
                raise full from error
            butler.registry.refresh()
            left = capture(butler, hashes=False)
            rest = ", ".join(f"{len(left[k])} {k}s" for k in ("collection", "dataset-type", "dataset", "record"))
            raise HarnessError(
                f"import of {folder / EXPORT_FILE} failed: {reason(error)}; it leaves {rest} in {repo}",
                remedy="import into a new repository",
                code="import-failed",
            ) from error


def reason(error: BaseException) -> str:
    """Say what went wrong in one line; of several errors the first."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    lines = str(error).strip().splitlines()
    if isinstance(error, HarnessError) and lines:
        return lines[0]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
