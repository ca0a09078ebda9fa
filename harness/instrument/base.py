"""Base of the Butler instruments of the harness: registration from a camera and a filter table."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from lsst.daf.butler.registry import ConflictingDefinitionError
from lsst.pipe.base import Instrument

if TYPE_CHECKING:
    from astro_metadata_translator import MetadataTranslator
    from lsst.daf.butler import Registry

    from .camera import Camera
    from .dispersion import Disperser

__all__ = ["HarnessInstrument"]


class HarnessInstrument(Instrument):
    """An `lsst.pipe.base.Instrument` whose records come from a `~harness.instrument.camera.Camera`.

    Subclasses give `getName`, `getRawFormatter`, `camera`, `filters` and the class attributes below.
    """

    visit_max: ClassVar[int]
    """Exclusive limit of visit ids, for the dimension packer."""
    exposure_max: ClassVar[int]
    """Exclusive limit of exposure ids."""
    detector_max: ClassVar[int]
    """Exclusive limit of detector ids."""
    visit_system: ClassVar[int] = 0
    """Preferred visit system; 0 is one exposure per visit."""

    translatorClass: ClassVar[type[MetadataTranslator] | None] = None
    """Translator of its headers, if it is not the one that is found from them."""

    observing_day_is_date: ClassVar[bool] = False
    """Whether headers give the date on which an exposure began as its day, whatever the hour; the exposure may then
    lie up to a day before the span of its day."""

    raw_definition = ("raw", ("instrument", "exposure", "detector"), "HarnessRaw")

    @classmethod
    @abstractmethod
    def camera(cls) -> Camera:
        """Return the unbinned camera (`~harness.instrument.camera.Camera`)."""
        raise NotImplementedError

    @classmethod
    @abstractmethod
    def filters(cls) -> Mapping[str, str]:
        """Return the band of each physical filter (`~collections.abc.Mapping` [`str`, `str`])."""
        raise NotImplementedError

    @classmethod
    def disperser(cls, physical_filter: str) -> Disperser | None:  # noqa: ARG003
        """Return what disperses the light that comes through a filter.

        Pipeline tasks ask for it by way of the instrument's record. Instruments with the capability ``spectra``
        override it.

        Parameters
        ----------
        physical_filter : `str`
            Filter, as in the dimension of that name.

        Returns
        -------
        disperser : `~harness.instrument.dispersion.Disperser` or `None`
            `None` if nothing disperses: the image is a direct one.
        """
        return None

    @classmethod
    def records(cls) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield element name and fields of each dimension record of the instrument, in order of insertion."""
        name = cls.getName()
        yield (
            "instrument",
            {
                "name": name,
                "class_name": f"{cls.__module__}.{cls.__qualname__}",
                "visit_max": cls.visit_max,
                "exposure_max": cls.exposure_max,
                "detector_max": cls.detector_max,
                "visit_system": cls.visit_system,
            },
        )
        for physical_filter, band in cls.filters().items():
            yield "physical_filter", {"instrument": name, "name": physical_filter, "band": band}
        for detector in cls.camera().detectors:
            yield (
                "detector",
                {
                    "instrument": name,
                    "id": detector.id,
                    "full_name": detector.name,
                    "name_in_raft": detector.name_in_raft,
                    "raft": detector.raft,
                    "purpose": detector.purpose.value,
                },
            )

    def register(self, registry: Registry, *, update: bool = False) -> None:
        """Insert the instrument, its filters and its detectors; all of them or, on failure, none.

        Parameters
        ----------
        registry : `lsst.daf.butler.Registry`
            Where to register.
        update : `bool`, optional
            Change records that are there with other values, rather than raise.

        Raises
        ------
        lsst.daf.butler.registry.ConflictingDefinitionError
            If a record is there with other values and ``update`` is `False`; the message names the record and
            the fields.
        """
        with registry.transaction():
            for element, fields in self.records():
                try:
                    registry.syncDimensionData(element, fields, update=update)
                except ConflictingDefinitionError as error:
                    key = fields["id"] if "id" in fields else fields["name"]
                    raise ConflictingDefinitionError(
                        f"{element} {key} of {self.getName()} is registered with other values"
                        f" (use update=True to change it): {error}"
                    ) from error
