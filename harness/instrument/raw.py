"""Raw data as a Python object: the type of the ``HarnessRaw`` storage class."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from astro_metadata_translator import ObservationInfo
    from lsst.images import Image, SkyProjection
    from lsst.images.cameras import Detector

__all__ = ["Raw"]


@dataclasses.dataclass(frozen=True)
class Raw:
    """One detector of one exposure, as it was read out.

    The fields ``image``, ``header``, ``detector`` and ``wcs`` are components of the storage class: each can be had
    alone, as ``raw.wcs``, and the last three without reading pixels.

    Parameters
    ----------
    image : `lsst.images.Image`
        All pixels (ADU), prescan and overscan included, origin (0, 0).
    header : `dict` [`str`, `typing.Any`]
        FITS header, with the corrections known to astro_metadata_translator.
    detector : `lsst.images.cameras.Detector`
        The detector, binned as the image is.
    wcs : `lsst.images.SkyProjection` or `None`
        From pixels of the trimmed detector to the sky, as the header has it; `None` if the telescope was not
        looking at the sky.
    obs_info : `astro_metadata_translator.ObservationInfo`
        The translated header.
    """

    image: Image
    header: dict[str, Any]
    detector: Detector
    wcs: SkyProjection[Any] | None
    obs_info: ObservationInfo

    @property
    def scale(self) -> int:
        """Binning of the pixels (`int`)."""
        return int(self.header.get("SIMSCALE", 1))
