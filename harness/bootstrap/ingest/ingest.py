"""The ingest: files found, read, proven and written, a bounded number at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import HarnessError, UsageError, nearest
from ...repository import rare_garbage_collection
from .discover import Finder, Missing
from .exposures import Exposure, Exposures, RawFile
from .files import read_headers, same_content
from .reasons import BadRaw, Reason
from .registry import Repository
from .report import IngestReport, Quarantined
from .several import detector_headers
from .translate import Translators, identify
from .write import TRANSFERS, Writer

if TYPE_CHECKING:
    from astro_metadata_translator import MetadataTranslator
    from lsst.daf.butler import Butler, DatasetRef
    from lsst.resources import ResourcePath

    from ...instrument.structure import StructureProblem
    from .header import RawHeader

__all__ = ["BATCH", "ingest"]

BATCH = 1000
"""Raws handled, and committed, at a time: memory stays flat, and an interruption loses no more than this."""


def ingest(
    butler: Butler,
    locations: Iterable[str | Path],
    *,
    transfer: str = "auto",
    run: str | None = None,
    translators: Iterable[type[MetadataTranslator]] = (),
    on_exists: str = "skip",
    fail_fast: bool = False,
    batch: int = BATCH,
    progress: Callable[[str], None] | None = None,
) -> IngestReport:
    """Ingest raw files of any registered instruments.

    The instrument of each file is found from its header and the instrument's record. A file that is refused
    is reported and stops nothing else. Each batch is written in one transaction; after an interruption,
    running again carries on.

    Parameters
    ----------
    butler : `lsst.daf.butler.Butler`
        The repository, open for writing.
    locations : `~collections.abc.Iterable` [`str` or `~pathlib.Path`]
        Files, folders (searched with all subfolders), patterns, and any URI of ``lsst.resources``.
    transfer : `str`, optional
        How files get into the repository: ``auto``, ``copy``, ``move``, ``link``, ``hardlink``, ``symlink``,
        ``relsymlink``, ``direct``, ``split`` or ``none`` (they lie in the datastore already).
    run : `str`, optional
        RUN collection; by default each instrument's own, ``<instrument>/raw/all``.
    translators : `~collections.abc.Iterable` [`type`], optional
        Header translators of instruments beside those registered with ``astro_metadata_translator``.
    on_exists : `str`, optional
        ``skip`` files that are already there, or let them ``fail``.
    fail_fast : `bool`, optional
        Raise at the first refused file; its batch is not written.
    batch : `int`, optional
        Raws at a time; more, if the last file holds several.
    progress : `~collections.abc.Callable`, optional
        Told what has been done.

    Returns
    -------
    report : `~.report.IngestReport`
        What was ingested, skipped and refused.

    Raises
    ------
    HarnessError
        If nothing is found at all, an option is wrong, or the storage fails; or, if asked for, at the first
        refused file.
    """
    if transfer not in TRANSFERS:
        raise nearest("transfer mode", transfer, TRANSFERS)
    if on_exists not in ("skip", "fail"):
        raise UsageError(f"on_exists is {on_exists!r}", remedy="'skip' or 'fail'")
    if not butler.isWriteable():
        raise UsageError("the repository is open for reading only")
    session = _Session(butler, transfer, run, translators, on_exists == "fail", fail_fast)
    start = time.perf_counter()
    finder = Finder(locations)
    with rare_garbage_collection():
        for path in finder:
            session.take(path)
            if session.pending >= batch:
                session.flush()
                if progress is not None:
                    progress(f"{session.report.found} files")
        session.flush()
    if progress is not None:
        progress(f"{session.report.found} files")
    return session.finish(finder.ignored, time.perf_counter() - start)


class _Session:
    """One call of `ingest`."""

    def __init__(
        self,
        butler: Butler,
        transfer: str,
        run: str | None,
        translators: Iterable[type[MetadataTranslator]],
        existing_fail: bool,
        fail_fast: bool,
    ) -> None:
        self.report = IngestReport()
        self._existing_fail = existing_fail
        self._fail_fast = fail_fast
        self._repository = Repository(butler, run)
        own = (getattr(c, "translatorClass", None) for c in self._repository.classes())
        self._translators = Translators((*(t for t in own if t is not None), *translators))
        self._exposures = Exposures(self._repository, self._refuse)
        self._writer = Writer(self._repository, transfer, self._refuse)
        # Which detectors of an exposure were met: one bit each, so that 45,000 raws take kilobytes.
        self._met: dict[tuple[str, int], int] = {}
        self.pending = 0
        self._raws: list[RawFile] = []
        self._spoilt: set[str] = set()  # files of which some raw was refused: they are not moved away

    def take(self, path: str | ResourcePath | Missing) -> None:
        """Read the headers of one file; it waits until `flush` for being ingested."""
        self.pending += 1
        if isinstance(path, Missing):
            self._quarantine(Quarantined.of(path.path, path.error))
            return
        self.report.found += 1
        try:
            raws = self._read(path)
        except BadRaw as error:
            self._quarantine(Quarantined.of(path, error))
        else:
            self._raws += raws
            self.pending += max(len(raws) - 1, 0)

    def flush(self) -> None:
        """Ingest what was taken."""
        resolved = self._exposures.resolve(self._raws)
        good = [item for item in resolved if self._detector_is_good(*item)]
        for _, exposure in self._writer.write(self._new(good)):
            self.report.count(exposure.instrument.name, "ingested")
        for path in dict.fromkeys(raw.path for raw in self._raws):
            if str(path) not in self._spoilt:
                self._writer.finish_move(path)
        self._raws, self.pending = [], 0
        self._spoilt.clear()

    def finish(self, ignored: int, seconds: float) -> IngestReport:
        """Return the report; an error if there was nothing to look at."""
        report = self.report
        report.ignored = ignored
        report.exposures = len(self._met)
        report.translations = self._exposures.translations
        report.warnings = sorted(set(self._exposures.warnings))
        report.seconds = seconds
        if not report.found:
            why = "; ".join(f"{q.path}: {q.message}" for q in report.quarantined[:3]) or "no location given"
            raise HarnessError(f"nothing to ingest: {why}", code="nothing-to-ingest")
        return report

    def _read(self, path: str | ResourcePath) -> list[RawFile]:
        """Return the raws of a file that are good so far; one that is bad stops no other one of its file."""
        headers, size = read_headers(path)
        translator = self._translators.choose(headers[0], str(path))
        raws: list[RawFile] = []
        errors: list[BadRaw] = []
        for header in detector_headers(translator, headers[0], path):
            try:
                self._translators.correct(translator, header, str(path))
                raw = RawFile(path, size, header, translator, identify(translator, header))
                self._check_file(raw, headers, look_inside=not raws)  # one look tells of the whole file
            except BadRaw as error:
                errors.append(error)
            else:
                raws.append(raw)
        if not raws and len({(e.reason, str(e)) for e in errors}) == 1:
            raise errors[0]
        for refusal in errors:
            self._quarantine(Quarantined.of(path, refusal))
        return raws

    def _check_file(self, raw: RawFile, headers: Sequence[RawHeader], *, look_inside: bool) -> None:
        """Let the instrument's formatter refuse a file, if it can tell: by its headers, and by reading it.

        Now, because the headers of all HDUs of a batch would fill the memory.
        """
        try:
            instrument = self._repository.instrument(raw.frame.instrument)
        except BadRaw:
            return  # each of its files is refused for that reason when it is translated
        formatter = instrument.instrument.getRawFormatter(raw.data_id)
        check = getattr(formatter, "check_structure", None)
        if check is not None and raw.frame.detector in instrument.detectors:
            _check_structure(check, raw, headers, instrument.detectors[raw.frame.detector])
        check = getattr(formatter, "check_file", None)
        if check is not None and look_inside:
            _check_content(check, raw)

    def _refuse(self, raw: RawFile, error: BadRaw) -> None:
        self._quarantine(Quarantined.of(raw.path, error, raw.data_id))

    def _quarantine(self, entry: Quarantined) -> None:
        self.report.quarantined.append(entry)
        self._spoilt.add(entry.path)
        if self._fail_fast:
            raise HarnessError(str(entry), code=str(entry.reason))

    def _detector_is_good(self, raw: RawFile, exposure: Exposure) -> bool:
        """Refuse detectors that don't exist, bear another name, or come twice."""
        try:
            self._check_detector(raw, exposure)
        except BadRaw as error:
            self._refuse(raw, error)
            return False
        return True

    def _check_detector(self, raw: RawFile, exposure: Exposure) -> None:
        frame, detectors = raw.frame, exposure.instrument.detectors
        if frame.detector not in detectors:
            raise BadRaw(
                Reason.UNKNOWN_DETECTOR,
                f"{frame.instrument} has no detector {frame.detector}",
                key="detector_num",
                seen=frame.detector,
                expected=f"{min(detectors, default=0)} to {max(detectors, default=0)}",
            )
        name = detectors[frame.detector]
        # translators write "None" for the raft of a detector that has none
        if frame.detector_name is not None and name not in {
            frame.detector_name,
            frame.detector_name.removeprefix("None_"),
        }:
            raise BadRaw(
                Reason.DETECTOR_NAME,
                f"header names detector {frame.detector} {frame.detector_name}, its record {name}",
                key="detector_unique_name",
                seen=frame.detector_name,
                expected=name,
            )
        key, bit = (frame.instrument, frame.exposure), 1 << frame.detector
        if self._met.get(key, 0) & bit:
            raise BadRaw(
                Reason.DUPLICATE,
                f"another file of this call is exposure {frame.exposure}, detector {frame.detector} as well;"
                " the first in order was taken",
                key="data_id",
            )
        self._met[key] = self._met.get(key, 0) | bit

    def _new(self, items: Sequence[tuple[RawFile, Exposure]]) -> list[tuple[RawFile, Exposure]]:
        """Return the files that are not in the repository; count those that are, refuse those that differ."""
        known = {}
        for instrument in {e.instrument.name: e.instrument for _, e in items}.values():
            ids = {e.records.exposure["id"] for _, e in items if e.registered and e.instrument is instrument}
            if ids:
                for (number, detector), ref in self._repository.raws(instrument, sorted(ids)).items():
                    known[instrument.name, number, detector] = ref
        artifacts = self._repository.artifacts(known.values()) if known else {}
        same = cache(same_content)  # once for each file, however many raws it holds
        new = []
        for raw, exposure in items:
            ref = known.get((raw.frame.instrument, raw.frame.exposure, raw.frame.detector))
            if ref is None:
                new.append((raw, exposure))
                continue
            try:
                if self._is_stored(raw, exposure, ref, artifacts.get(ref), same):
                    self.report.count(exposure.instrument.name, "skipped")
                else:
                    new.append((raw, exposure))
            except BadRaw as error:
                self._refuse(raw, error)
        return new

    def _is_stored(
        self,
        raw: RawFile,
        exposure: Exposure,
        ref: DatasetRef,
        artifact: str | ResourcePath | None,
        equal: Callable[[str | ResourcePath, str | ResourcePath], bool],
    ) -> bool:
        """Say whether a recorded raw is stored, after proving that it is this file; refuse another one."""
        if artifact is None:  # known to the registry only: its file was pruned and may be brought back
            if ref != self._writer.expected_ref(raw, exposure):
                raise BadRaw(
                    Reason.CONTENT_CONFLICT,
                    f"run {exposure.instrument.run} has a dataset without file, of another origin, for this data ID",
                    seen=ref.id,
                )
            return False
        try:
            same = equal(artifact, raw.path)
        except BadRaw as error:
            raise BadRaw(
                Reason.ARTIFACT_MISSING, f"the repository has this raw, but its file {artifact} {error}", seen=artifact
            ) from error
        if not same:
            raise BadRaw(
                Reason.CONTENT_CONFLICT,
                f"the repository has another file for this data ID: {artifact}",
                seen=raw.path,
                expected=artifact,
            )
        if self._existing_fail:
            raise BadRaw(Reason.EXISTS, f"is already in run {exposure.instrument.run}")
        return True


def _check_structure(
    check: Callable[[Sequence[RawHeader], int], Sequence[StructureProblem]],
    raw: RawFile,
    headers: Sequence[RawHeader],
    name: str,
) -> None:
    """Refuse a file whose HDUs are not those of its detector."""
    try:
        problems = check(headers, raw.frame.detector)
    except HarnessError as error:
        raise BadRaw(Reason.STRUCTURE, str(error), data_id=raw.data_id) from error
    if problems:
        first = problems[0]
        more = f" ({len(problems) - 1} more problems)" if len(problems) > 1 else ""
        raise BadRaw(
            Reason.STRUCTURE,
            f"is not a raw of detector {name}: {first}{more}",
            key=first.key,
            seen=first.seen,
            expected=first.expected,
            data_id=raw.data_id,
        )


def _check_content(check: Callable[[str], object], raw: RawFile) -> None:
    """Refuse a file that cannot be read as a whole."""
    try:
        if isinstance(raw.path, str):
            check(raw.path)
        else:
            with raw.path.as_local() as local:
                check(local.ospath)
    except HarnessError as error:
        raise BadRaw(Reason.STRUCTURE, str(error), data_id=raw.data_id) from error
