"""The instrument under test: its raw files, headers and repositories, each made once and then shared."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..bootstrap.ingest import IngestReport, ingest
from ..bootstrap.visits import VisitReport, define_visits
from ..datasets.manifest import load_manifest
from ..errors import HarnessError
from ..instrument.kit import Capability
from ..results import RunRecord
from ..stages.runner import Runner
from ..stages.snapshots import SnapshotStore
from .choice import coarse, few_exposures, few_in_later_epochs, few_raws
from .repositories import Repositories

if TYPE_CHECKING:
    from astro_metadata_translator import MetadataTranslator, ObservationInfo
    from lsst.daf.butler import Butler, DatasetRef

    from ..datasets.manifest import Dataset
    from ..datasets.observations import Observation
    from ..instrument.camera import Camera, Detector
    from ..instrument.kit import InstrumentKit
    from ..plugins import Plugins

__all__ = ["RawFile", "Subject", "pattern", "read"]

Header = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class RawFile:
    """A raw file that the kit wrote, and what it was told to write.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.
    observation : `~harness.datasets.observations.Observation`
        The exposure.
    detector : `~harness.instrument.camera.Detector`
        The detector, binned.
    pixels : `~collections.abc.Mapping` [`str`, `numpy.ndarray`]
        Raw pixels by amplifier; empty if raws are no images.
    """

    path: Path
    observation: Observation
    detector: Detector
    pixels: Mapping[str, np.ndarray[Any, np.dtype[np.uint16]]]

    @property
    def data_id(self) -> dict[str, Any]:
        """Instrument, exposure and detector."""
        o = self.observation
        return {"instrument": o.instrument, "exposure": o.exposure, "detector": self.detector.id}

    def __str__(self) -> str:
        return f"exposure {self.observation.exposure} detector {self.detector.id} ({self.path.name})"


def pattern(detector: Detector, exposure: int) -> dict[str, np.ndarray[Any, np.dtype[np.uint16]]]:
    """Return raw pixels that tell amplifier and place: no two of an amplifier's neighbours are equal.

    Parameters
    ----------
    detector : `~harness.instrument.camera.Detector`
        The detector.
    exposure : `int`
        Exposure id, which is told too.
    """
    out = {}
    for number, amplifier in enumerate(detector.amplifiers):
        ny, nx = amplifier.raw_bbox.ny, amplifier.raw_bbox.nx
        y, x = np.mgrid[0:ny, 0:nx]
        start = 1000 * (number + 1) + exposure % 997 + 17 * detector.id
        out[amplifier.name] = ((start + 7 * x + 13 * y) % 30000 + 100).astype(np.uint16)
    return out


class Subject:
    """One instrument, with a small dataset of it.

    Parameters
    ----------
    kit : `~harness.instrument.kit.InstrumentKit`
        The instrument.
    dataset : `~harness.datasets.manifest.Dataset`
        A dataset of it; some raws of it are looked at.
    folder : `~pathlib.Path`
        An empty folder to work in.
    plugins : `~harness.plugins.Plugins`
        Where stages and checks come from.

    Attributes
    ----------
    whole : `~harness.datasets.manifest.Dataset`
        The dataset, its pixels binned coarsely.
    dataset : `~harness.datasets.manifest.Dataset`
        The few raws of it that most tests look at.
    sequence : `~harness.datasets.manifest.Dataset`
        The few exposures of it, with the pixels of the manifest, on which stages are run: what quality is to be
        expected is known for those. All have all their detectors; where calibrations are made of them, those of
        later epochs have one.
    outcomes : `dict`
        What each test raised so far; see `~harness.conformance.requirement.requirement`.
    """

    def __init__(self, kit: InstrumentKit, dataset: Dataset, folder: Path, plugins: Plugins) -> None:
        self.kit = kit
        self.whole = coarse(dataset, kit)
        self.dataset = few_raws(self.whole)
        # What belongs together with another dataset's exposures is not taken apart.
        self.sequence = dataset if dataset.needs else few_exposures(dataset, dark=True)
        if Capability.CALIBRATION_CHAIN in kit.capabilities and not dataset.needs:
            self.sequence = few_in_later_epochs(self.sequence)
        self.plugins = plugins
        self.outcomes: dict[tuple[Any, ...], BaseException | None] = {}
        self._folder = folder
        self._number = itertools.count()

    @property
    def name(self) -> str:
        """Name of the instrument."""
        return self.kit.name

    @property
    def capabilities(self) -> frozenset[str]:
        """What applies to the instrument and the dataset."""
        return self.kit.applicable(self.whole)

    def folder(self, name: str) -> Path:
        """Return a new folder whose name begins so."""
        path = self._folder / f"{name}-{next(self._number)}"
        path.mkdir(parents=True)
        return path

    # --- raw files -------------------------------------------------------------------------------

    @cached_property
    def camera(self) -> Camera:
        """The camera, binned as the dataset is; unbinned if raws are no images."""
        return self.kit.make_camera(self.dataset.scale if Capability.IMAGES in self.kit.capabilities else 1)

    @cached_property
    def raws(self) -> tuple[RawFile, ...]:
        """The raw files, exposure by exposure; not to be changed."""
        folder = self.folder("raws")
        return tuple(raw for observation in self.dataset.observations for raw in self.write(folder, observation))

    def write(self, folder: Path, observation: Observation) -> list[RawFile]:
        """Let the kit write the raws of an exposure.

        Raises
        ------
        HarnessError
            If the kit cannot.
        """
        items = [self.camera[d] for d in observation.detectors]
        simulate_raw = self.kit.simulate_raw
        if self.kit.writes_images or simulate_raw is None:
            pixels = [pattern(item, observation.exposure) for item in items]
            given = zip(items, pixels, strict=True)
            paths = self.kit.write_raws(folder, observation, given, self.dataset.scale)
            written = zip(paths, items, pixels, strict=True)
            return [RawFile(path, observation, item, values) for path, item, values in written]
        return [RawFile(simulate_raw(folder, self.dataset, observation, item), observation, item, {}) for item in items]

    def number_in(self, *paths: Path) -> int:
        """Return how many raws some files hold."""
        return sum(raw.path in paths for raw in self.raws)

    @property
    def firsts(self) -> Iterator[RawFile]:
        """Yield the first raw file of each exposure."""
        for _, members in itertools.groupby(self.raws, key=lambda r: r.observation.exposure):
            yield next(members)

    # --- headers ---------------------------------------------------------------------------------

    def header(self, raw: RawFile) -> Header:
        """Return the header of a raw file as it is translated: with corrections; a new copy each time."""
        key = raw.path, raw.detector.id
        if key not in self._headers:
            from astro_metadata_translator import fix_header

            header = read(raw.path, self.kit.translator, raw.detector.id)
            fix_header(header, translator_class=self.kit.translator, filename=str(raw.path))
            self._headers[key] = header
        return dict(self._headers[key])

    @cached_property
    def _headers(self) -> dict[tuple[Path, int], Header]:
        return {}

    def translator(self, raw: RawFile) -> MetadataTranslator:
        """Return a translator of a raw file's header."""
        return self.kit.translator(self.header(raw), filename=str(raw.path))

    def info(self, raw: RawFile) -> ObservationInfo:
        """Return the translated header of a raw file."""
        key = raw.path, raw.detector.id
        if key not in self._infos:
            from astro_metadata_translator import ObservationInfo

            self._infos[key] = ObservationInfo(
                self.header(raw), filename=str(raw.path), translator_class=self.kit.translator, quiet=True
            )
        return self._infos[key]

    @cached_property
    def _infos(self) -> dict[tuple[Path, int], Any]:
        return {}

    # --- repositories ----------------------------------------------------------------------------

    @cached_property
    def repositories(self) -> Repositories:
        """Repositories in some states."""
        return Repositories(self._folder / "repositories", self.kit.repository_config)

    @property
    def empty(self) -> str:
        """The state of an empty repository."""
        return self.repositories.state("empty", None)

    @property
    def registered(self) -> str:
        """The state in which the instrument is registered."""
        register = self.kit.instrument_class().register
        return self.repositories.state("registered", self.empty, lambda butler: register(butler.registry))

    @property
    def ingested(self) -> str:
        """The state in which the raws are ingested; `report` says what came of each."""

        def change(butler: Butler) -> None:
            self.report = self.ingest(butler, [r.path for r in self.raws])

        return self.repositories.state("ingested", self.registered, change)

    @property
    def visited(self) -> str:
        """The state in which the visits of the raws are defined; `visits` says which."""

        def change(butler: Butler) -> None:
            self.visits = define_visits(butler, self.kit)

        return self.repositories.state("visited", self.ingested, change)

    report: IngestReport
    visits: VisitReport

    def view(self, state: str) -> Butler:
        """Return a butler for reading a state."""
        return self.repositories.view(state)

    def fork(self, state: str) -> AbstractContextManager[Butler]:
        """Open a state for writing of records; what is written is forgotten at the next time."""
        return self.repositories.fork(state)

    def separate(self, state: str, name: str) -> Butler:
        """Return a butler of a copy of a state that keeps what is written."""
        return self.repositories.separate(state, name)

    @cached_property
    def scratch(self) -> Butler:
        """A butler of a repository that tests of single files share: each has a RUN of its own."""
        return self.separate(self.registered, "scratch")

    def close(self) -> None:
        """Close what is open."""
        self.repositories.close()

    def ingest(self, butler: Butler, paths: list[Path], **options: Any) -> IngestReport:
        """Ingest files as ``harness ingest`` does."""
        options.setdefault("transfer", "copy")
        return ingest(butler, paths, translators=[self.kit.translator], **options)

    @cached_property
    def runner(self) -> Runner:
        """The stages of the sequence, onto a repository with the datasets that it needs.

        Their snapshots are kept as long as the subject.
        """
        from ..stages.campaign import Campaign, with_needs

        engine, store = self.plugins.find("engine", "inprocess"), SnapshotStore(self._folder / "snapshots")
        folders = self.plugins.dataset_folders() if self.sequence.needs else {}
        known = {name: load_manifest(folder) for name, folder in folders.items()}
        datasets = [*with_needs([self.sequence], known)[:-1], self.sequence]
        campaign = Campaign(self.plugins, datasets, engine, store)
        for runner, _ in campaign.runners():
            if runner.dataset is self.sequence:
                return runner
            runner.build(runner.graph.ready)
        raise HarnessError(f"the datasets that {self.sequence.name} needs cannot be made", code="dataset-needs")

    @cached_property
    def record(self) -> RunRecord:
        """What came of the stages of the sequence, up to the pipeline if it has one, and of the checks after each."""
        from ..stages.fingerprint import versions

        record = RunRecord(
            id=self.sequence.name,
            folder=self.folder("run"),
            dataset=self.sequence,
            engine=self.runner.engine.name,
            scale=self.sequence.scale,
            environment=dict(versions()),
            started=datetime.datetime.now(datetime.UTC),
        )
        last = "process" if Capability.PIPELINES in self.runner.capabilities else "defaults"
        self.runner.execute(record, self.runner.stages(last))
        return record

    @property
    def calibrated(self) -> Path:
        """A repository with the calibrations of the sequence; to be read only."""
        return self.runner.build("calibs").repo

    def get(self, ref: DatasetRef, component: str = "") -> Any:
        """Return a raw of the state `ingested`, or a component of it, as it was read first; not to be changed.

        Kept, for most tests of reading look at what one read gave, and pixels take longest.
        """
        key = ref.id, component
        if key not in self._read:
            butler = self.view(self.ingested)
            self._read[key] = butler.get(ref.makeComponentRef(component) if component else ref)
        return self._read[key]

    @cached_property
    def _read(self) -> dict[tuple[Any, str], Any]:
        return {}

    def raw_refs(self, butler: Butler, run: str | None = None) -> dict[tuple[int, int], DatasetRef]:
        """Return the raws in a repository by exposure and detector."""
        definition = self.kit.instrument_class.raw_definition
        refs = butler.query_datasets(
            definition[0] if definition else "raw",
            collections=run or self.kit.instrument_class().makeDefaultRawIngestRunName(),
            instrument=self.name,
            explain=False,
        )
        return {(r.dataId["exposure"], r.dataId["detector"]): r for r in refs}


def read(path: Path, translator: type[MetadataTranslator] | None = None, detector: int | None = None) -> Header:
    """Return the header of a raw file as ingest reads it, without corrections.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.
    translator : `type` [`astro_metadata_translator.MetadataTranslator`], optional
        Its translator, which knows the headers of a file that holds several detectors; the primary one by default.
    detector : `int`, optional
        Which of these to return.
    """
    from ..bootstrap.ingest.files import read_headers
    from ..bootstrap.ingest.reasons import BadRaw
    from ..bootstrap.ingest.several import detector_headers
    from ..bootstrap.ingest.translate import identify

    (primary, *_), _ = read_headers(str(path))
    headers = [primary] if translator is None else detector_headers(translator, primary, str(path))
    if translator is not None and len(headers) > 1:
        for header in headers:
            try:
                number = identify(translator, header.copy()).detector
            except BadRaw:  # ingest refuses it, and says so
                continue
            if number == detector:
                return dict(header)
    return dict(headers[0])
