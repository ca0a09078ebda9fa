"""What a plugin gives for one instrument."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import HarnessError

if TYPE_CHECKING:
    import numpy as np
    from astro_metadata_translator import MetadataTranslator
    from lsst.pipe.base import Instrument

    from ..datasets.manifest import Dataset
    from ..datasets.observations import Observation
    from .camera import Camera, Detector
    from .dispersion import Disperser
    from .visits import VisitGrouping

__all__ = ["Capability", "ExposureWriter", "InstrumentKit", "RawSimulator", "RawWriter"]


class Capability(StrEnum):
    """What an instrument can do; decides which stages and checks apply to it."""

    IMAGES = "images"
    """Raw data are images of a detector."""
    VISITS = "visits"
    """Exposures of the sky are grouped into visits."""
    CALIBRATIONS = "calibrations"
    """Bias, flat and defects can be made for its detectors."""
    CALIBRATION_CHAIN = "calibration-chain"
    """Its calibrations are made from exposures of its own: bias, dark, flat."""
    REFCATS = "refcats"
    """A reference catalogue covers its fields."""
    PIPELINES = "pipelines"
    """There is a pipeline to run."""
    COADDS = "coadds"
    """The light DRP runs on its visits up to coadds and object tables."""
    WAVEFRONT = "wavefront"
    """Out-of-focus images come in pairs from which the wavefront is estimated."""
    SPECTRA = "spectra"
    """A disperser makes spectra of what it sees."""


class RawWriter(Protocol):
    """Writes one raw file exactly as the observatory would."""

    def __call__(
        self,
        folder: Path,
        observation: Observation,
        detector: Detector,
        pixels: Mapping[str, np.ndarray[Any, np.dtype[np.integer[Any]]]],
        scale: int,
    ) -> Path:
        """Write a file and return its path.

        Parameters
        ----------
        folder : `~pathlib.Path`
            Where to write; the observatory's file name is used.
        observation : `~harness.datasets.observations.Observation`
            The exposure.
        detector : `~harness.instrument.camera.Detector`
            The (binned) detector.
        pixels : `~collections.abc.Mapping` [`str`, `numpy.ndarray`]
            For each amplifier its raw pixels (ADU), shape of ``amplifier.raw_bbox`` (ny, nx), of any integer type.
        scale : `int`
            Binning: 1 for the real pixel grid.
        """
        ...


class ExposureWriter(Protocol):
    """Writes the file of one exposure, for observatories that put all detectors into one."""

    def __call__(
        self,
        folder: Path,
        observation: Observation,
        raws: Sequence[tuple[Detector, Mapping[str, np.ndarray[Any, np.dtype[np.integer[Any]]]]]],
        scale: int,
    ) -> Path:
        """Write a file and return its path.

        Parameters
        ----------
        folder : `~pathlib.Path`
            Where to write; the observatory's file name is used.
        observation : `~harness.datasets.observations.Observation`
            The exposure.
        raws : `~collections.abc.Sequence` [`tuple`]
            Each (binned) detector with the raw pixels of its amplifiers, as `RawWriter` gets them.
        scale : `int`
            Binning: 1 for the real pixel grid.
        """
        ...


class RawSimulator(Protocol):
    """Simulates and writes one raw file of an instrument whose raws are not images of the sky."""

    def __call__(self, folder: Path, dataset: Dataset, observation: Observation, detector: Detector) -> Path:
        """Write a file and return its path.

        Parameters
        ----------
        folder : `~pathlib.Path`
            Where to write; the observatory's file name is used.
        dataset : `~harness.datasets.manifest.Dataset`
            The manifest, with its seed.
        observation : `~harness.datasets.observations.Observation`
            The exposure.
        detector : `~harness.instrument.camera.Detector`
            The detector.
        """
        ...


@dataclasses.dataclass(frozen=True)
class InstrumentKit:
    """An instrument as the harness sees it.

    Parameters
    ----------
    instrument_class : `type` [`lsst.pipe.base.Instrument`]
        The Butler's view of the instrument.
    translator : `type` [`astro_metadata_translator.MetadataTranslator`]
        Header translator.
    make_camera : `~collections.abc.Callable`
        ``make_camera(scale)`` gives the camera with its pixels binned by ``scale``.
    capabilities : `frozenset` [`str`]
        What applies to it: `Capability`, and words of the plugin's own, which its own stages and checks need.
    write_raw : `RawWriter`, optional
        Writes raw files of simulated pixels, one for each detector. An instrument with the capability ``images`` has
        it or `write_exposure`.
    write_exposure : `ExposureWriter`, optional
        Writes all detectors of an exposure into one file. The translator's ``determine_translatable_headers`` and the
        formatter's `~harness.instrument.formatter.RawFormatter.hdus` say which HDUs are whose.
    simulate_raw : `RawSimulator`, optional
        Simulates and writes raw files that are no images; one without that capability has it.
    visit_padding : `int`
        Pixels (unbinned) added around detectors in visit regions.
    visit_grouping : `str` or `~harness.instrument.visits.VisitGrouping`, optional
        How exposures are grouped into visits; by default as ``visit_system`` of the instrument's record asks.
    repository_config : `~collections.abc.Mapping`
        Butler configuration that its datasets need: storage classes, formatters.
    pipelines : `~collections.abc.Mapping` [`str`, `str`]
        URIs of its pipelines by name, e.g. ``DRP``.
    """

    instrument_class: type[Instrument]
    translator: type[MetadataTranslator]
    make_camera: Callable[[int], Camera]
    capabilities: frozenset[str]
    write_raw: RawWriter | None = None
    write_exposure: ExposureWriter | None = None
    simulate_raw: RawSimulator | None = None
    visit_padding: int = 250
    visit_grouping: str | VisitGrouping | None = None
    repository_config: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    pipelines: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the instrument, as in the ``instrument`` dimension (`str`)."""
        name: str = self.instrument_class.getName()
        return name

    @property
    def writes_images(self) -> bool:
        """Whether it writes raw files of given pixels (`bool`)."""
        return Capability.IMAGES in self.capabilities and bool(self.write_raw or self.write_exposure)

    def write_raws(
        self,
        folder: Path,
        observation: Observation,
        raws: Iterable[tuple[Detector, Mapping[str, np.ndarray[Any, np.dtype[np.integer[Any]]]]]],
        scale: int,
    ) -> list[Path]:
        """Write raws of one exposure as the observatory would: one file for each detector, or one for all.

        Parameters
        ----------
        folder, observation, scale
            As of `RawWriter`.
        raws : `~collections.abc.Iterable` [`tuple`]
            Each (binned) detector with the raw pixels of its amplifiers.

        Returns
        -------
        paths : `list` [`~pathlib.Path`]
            The file that each of ``raws`` is in.

        Raises
        ------
        HarnessError
            If the kit cannot write images.
        """
        if self.write_exposure is not None:
            given = list(raws)
            return [self.write_exposure(folder, observation, given, scale)] * len(given)
        if self.write_raw is None:
            raise HarnessError(
                f"the kit of {self.name} cannot write raw files",
                remedy="give it write_raw or write_exposure (with the capability 'images'), or simulate_raw",
                code="no-writer",
            )
        return [self.write_raw(folder, observation, detector, pixels, scale) for detector, pixels in raws]

    def disperser(self, physical_filter: str) -> Disperser | None:
        """Return what disperses the light that comes through a filter; `None` if nothing does.

        Parameters
        ----------
        physical_filter : `str`
            Filter. The instrument's class knows: see `~harness.instrument.base.HarnessInstrument.disperser`.
        """
        known: Callable[[str], Disperser | None] | None = getattr(self.instrument_class, "disperser", None)
        return known(physical_filter) if known and Capability.SPECTRA in self.capabilities else None

    def applicable(self, dataset: Dataset) -> frozenset[str]:
        """Return what applies when a dataset is run (`frozenset` [`str`]).

        What the dataset brings nothing for is left out: coadds without a sky map, pipelines without one named …
        """
        from ..datasets.observations import SKYLESS_TYPES

        absent: dict[str, bool] = {
            Capability.COADDS: dataset.skymap is None,
            Capability.REFCATS: dataset.refcat is None,
            Capability.CALIBRATIONS: not dataset.calibrations,
            Capability.CALIBRATION_CHAIN: not dataset.calibrations or all(e.type != "bias" for e in dataset.exposures),
            Capability.PIPELINES: dataset.processing is None,
            Capability.VISITS: all(e.ra is None or e.type in SKYLESS_TYPES for e in dataset.exposures),
            Capability.SPECTRA: all(e.ra is None or self.disperser(e.filter) is None for e in dataset.exposures),
            Capability.WAVEFRONT: not self._defocused(dataset),
        }
        return frozenset(c for c in self.capabilities if not absent.get(c, False))

    def _defocused(self, dataset: Dataset) -> bool:
        """Say whether some image of a dataset is out of focus."""
        if Capability.WAVEFRONT not in self.capabilities or self.camera.optics is None:
            return False
        heights = {d.id: d.z_mm for d in self.camera.detectors}
        return any(e.focus or any(heights.get(d) for d in e.detectors) for e in dataset.exposures)

    @cached_property
    def camera(self) -> Camera:
        """The unbinned camera (`~harness.instrument.camera.Camera`)."""
        return self.make_camera(1)
