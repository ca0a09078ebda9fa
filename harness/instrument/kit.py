"""What a plugin gives for one instrument."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from astro_metadata_translator import MetadataTranslator
    from lsst.pipe.base import Instrument

    from ..datasets.observations import Observation
    from .camera import Camera, Detector

__all__ = ["Capability", "InstrumentKit", "RawWriter"]


class Capability(StrEnum):
    """What an instrument can do; decides which stages and checks apply to it."""

    IMAGES = "images"
    """Raw data are images of a detector."""
    VISITS = "visits"
    """Exposures of the sky are grouped into visits."""
    CALIBRATIONS = "calibrations"
    """Bias, flat and defects can be made for its detectors."""
    COADDS = "coadds"
    """The light DRP runs on its visits up to coadds and object tables."""


class RawWriter(Protocol):
    """Writes one raw file exactly as the observatory would."""

    def __call__(
        self,
        folder: Path,
        observation: Observation,
        detector: Detector,
        pixels: Mapping[str, np.ndarray[Any, np.dtype[np.uint16]]],
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
            For each amplifier its raw pixels (ADU), shape of ``amplifier.raw_bbox`` (ny, nx).
        scale : `int`
            Binning: 1 for the real pixel grid.
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
    write_raw : `RawWriter`
        Writes simulated raw files.
    capabilities : `frozenset` [`Capability`]
        What applies to it.
    visit_padding : `int`
        Pixels (unbinned) added around detectors in visit regions.
    repository_config : `~collections.abc.Mapping`
        Butler configuration that its datasets need: storage classes, formatters.
    pipelines : `~collections.abc.Mapping` [`str`, `str`]
        URIs of its pipelines by name, e.g. ``DRP``.
    """

    instrument_class: type[Instrument]
    translator: type[MetadataTranslator]
    make_camera: Callable[[int], Camera]
    write_raw: RawWriter
    capabilities: frozenset[Capability]
    visit_padding: int = 250
    repository_config: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    pipelines: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the instrument, as in the ``instrument`` dimension (`str`)."""
        name: str = self.instrument_class.getName()
        return name

    @cached_property
    def camera(self) -> Camera:
        """The unbinned camera (`~harness.instrument.camera.Camera`)."""
        return self.make_camera(1)
