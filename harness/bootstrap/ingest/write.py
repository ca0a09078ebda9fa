"""Bringing files and records into the repository, all of a batch or nothing."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import HarnessError
from ...repository import storage_error
from .exposures import Exposure, RawFile
from .reasons import BadRaw, Reason

if TYPE_CHECKING:
    from lsst.daf.butler import Butler, DatasetRef, DimensionRecord, FileDataset
    from lsst.resources import ResourcePath

    from .registry import Repository

__all__ = ["TRANSFERS", "Writer"]

TRANSFERS = ("auto", "copy", "move", "link", "hardlink", "symlink", "relsymlink", "direct", "split", "none")
"""How a file gets into the repository; ``none`` leaves it where it is, within the datastore."""

Item = tuple[RawFile, Exposure]


class Writer:
    """Writes batches.

    Parameters
    ----------
    repository : `~.registry.Repository`
        Where to.
    transfer : `str`
        One of `TRANSFERS`.
    refuse : `~collections.abc.Callable` [[`RawFile`, `BadRaw`], `None`]
        Called for each file that cannot be brought in.
    """

    def __init__(self, repository: Repository, transfer: str, refuse: Callable[[RawFile, BadRaw], None]) -> None:
        self._repository = repository
        self._butler = repository.butler
        self._transfer = transfer
        self._refuse = refuse
        self._registered: set[str] = set()
        self._root = _local_root(self._butler)

    def write(self, items: Sequence[Item]) -> list[Item]:
        """Write a batch; if that fails, smaller ones, so that one bad file stops nothing else. No file is split.

        Parameters
        ----------
        items : `~collections.abc.Sequence`
            Raws with their exposures, none of them in the repository.

        Returns
        -------
        written : `list`
            Those that are in the repository now.

        Raises
        ------
        HarnessError
            If the storage as a whole fails: disk full, no write access, or links that it cannot make.
        """
        if not items:
            return []
        self._register(items)
        files: dict[str | ResourcePath, list[Item]] = {}
        for item in items:
            files.setdefault(item[0].path, []).append(item)
        return self._write_files(list(files.values()))

    def _write_files(self, files: Sequence[Sequence[Item]]) -> list[Item]:
        """Write files, each with all of its raws."""
        from lsst.daf.butler.registry import ConflictingDefinitionError
        from sqlalchemy.exc import DatabaseError

        try:
            self._write_all(files)
        except (OSError, RuntimeError, ValueError, ConflictingDefinitionError, DatabaseError) as error:
            self._raise_if_general(error)
            if len(files) == 1:
                for raw, _ in files[0]:
                    self._refuse(raw, BadRaw(Reason.TRANSFER, f"{type(error).__name__}: {error}"))
                return []
            half = len(files) // 2
            return self._write_files(files[:half]) + self._write_files(files[half:])
        written = [item for file in files for item in file]
        for _, exposure in written:
            exposure.registered = True
        return written

    def _write_all(self, files: Sequence[Sequence[Item]]) -> None:
        registry = self._butler.registry
        new = {id(e): e for file in files for _, e in file if not e.registered}
        with self._butler.transaction():
            days: list[Mapping[str, Any]] = []
            for exposure in new.values():
                # sync rather than insert: a record that another process has just made is compared, not kept blindly
                for element, fields in exposure.records.items():
                    if element == "day_obs":
                        if fields in days:
                            continue
                        days.append(fields)
                    registry.syncDimensionData(element, dict(fields))
            known = _Known(self._butler)
            for transfer, batch in self._batches(files).items():
                self._butler.ingest(
                    *(self._dataset(file, known) for file in batch),
                    transfer=None if transfer == "none" else transfer,
                )

    def _batches(self, files: Sequence[Sequence[Item]]) -> dict[str, list[Sequence[Item]]]:
        """Split by the way to transfer.

        A move is a link or copy now and a removal of the source after the commit: a process that is killed
        in between leaves the file in both places, never in neither.
        """
        if self._transfer != "move":
            return {self._transfer: list(files)}
        batches: dict[str, list[Sequence[Item]]] = {}
        device = None if self._root is None else self._root.stat().st_dev
        for file in files:
            path = file[0][0].path
            near = isinstance(path, str) and device is not None and Path(path).stat().st_dev == device
            batches.setdefault("hardlink" if near else "copy", []).append(file)
        return batches

    def _dataset(self, file: Sequence[Item], known: _Known) -> FileDataset:
        from lsst.daf.butler import FileDataset
        from lsst.resources import ResourcePath

        raw, exposure = file[0]
        refs = [self.expected_ref(*item, known.records(*item)) for item in file]
        # made once here, rather than three times by the datastore
        path = ResourcePath(raw.path, forceAbsolute=False, forceDirectory=False)
        return FileDataset(path, refs, formatter=exposure.instrument.instrument.getRawFormatter(refs[0].dataId))

    def expected_ref(
        self, raw: RawFile, exposure: Exposure, records: Mapping[str, DimensionRecord | None] | None = None
    ) -> DatasetRef:
        """Return the dataset that a raw becomes, with its dimension records if they are given."""
        from lsst.daf.butler import DataCoordinate, DatasetIdGenEnum, DatasetRef

        instrument = exposure.instrument
        dimensions = instrument.dataset_type.dimensions
        identity = raw.data_id
        # "standardize" would do the same at ten times the cost
        coordinate = DataCoordinate.from_required_values(dimensions, tuple(identity[d] for d in dimensions.required))
        if records is not None:
            coordinate = coordinate.expanded(records)
        return DatasetRef(
            instrument.dataset_type,
            coordinate,
            run=instrument.run,
            # the same id in every repository, whenever and from wherever the file is ingested
            id_generation_mode=DatasetIdGenEnum.DATAID_TYPE_RUN,
            conform=False,
        )

    def _register(self, items: Sequence[Item]) -> None:
        """Register dataset types and RUN collections when a first file goes there."""
        for instrument in {e.instrument.name: e.instrument for _, e in items}.values():
            if instrument.name not in self._registered:
                self._butler.registry.registerDatasetType(instrument.dataset_type)
                self._butler.collections.register(instrument.run)
                self._registered.add(instrument.name)

    def _raise_if_general(self, error: Exception) -> None:
        """Raise for failures that no other file would escape."""
        general = storage_error(error, self._root or "the repository")
        if general is not None:
            raise general from error
        if isinstance(error, OSError) and error.errno == errno.EXDEV:
            raise HarnessError(
                "files and repository lie on different file systems: no hard links between them",
                remedy="use --transfer copy or symlink",
                code="cross-device",
            ) from error
        if isinstance(error, NotImplementedError):
            raise HarnessError(
                f"the repository's datastore cannot do transfer {self._transfer!r}: {error}", code="transfer"
            ) from error

    def finish_move(self, path: str | ResourcePath) -> None:
        """Remove a file all of whose raws are safely in the repository, if it was to be moved there.

        A source within the repository's own folder stays: it may be the very artifact.
        """
        if self._transfer != "move":
            return
        if isinstance(path, str):
            source = Path(path)
            if self._root is None or not source.resolve().is_relative_to(self._root.resolve()):
                source.unlink(missing_ok=True)
        else:
            path.remove()


class _Known:
    """Dimension records of the raws of a batch, after those of their exposures have been synchronised.

    The middleware would look up the same ones for each raw.
    """

    def __init__(self, butler: Butler) -> None:
        self._butler = butler
        self._exposures: dict[int, Mapping[str, DimensionRecord | None]] = {}
        self._detectors: dict[tuple[str, int], Mapping[str, DimensionRecord | None]] = {}

    def records(self, raw: RawFile, exposure: Exposure) -> Mapping[str, DimensionRecord | None]:
        """Return the records of a raw by dimension element."""
        expand = self._butler.registry.expandDataId
        frame, elements = raw.frame, self._butler.dimensions.elements
        shared = self._exposures.get(id(exposure))
        if shared is None:
            own = {name: elements[name].RecordClass(**fields) for name, fields in exposure.records.items()}
            expanded = expand(instrument=frame.instrument, exposure=frame.exposure, records=own)
            shared = self._exposures[id(exposure)] = dict(expanded.records)
        key = (frame.instrument, frame.detector)
        detector = self._detectors.get(key)
        if detector is None:
            expanded = expand(instrument=frame.instrument, detector=frame.detector)
            detector = self._detectors[key] = dict(expanded.records)
        return {**shared, **detector}


def _local_root(butler: Any) -> Path | None:
    """Return the folder of the datastore; `None` if it isn't a local one."""
    roots = [r for r in butler.get_datastore_roots().values() if r is not None and r.isLocal]
    return Path(roots[0].ospath) if roots else None
