"""Raw files as the observatory writes them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.instrument.assembly import raw_mosaic

from .header import Cards, detector_cards, exposure_cards

if TYPE_CHECKING:
    from harness.datasets.observations import Observation
    from harness.instrument.camera import Detector

__all__ = ["write_raw"]


def write_raw(
    folder: Path,
    observation: Observation,
    detector: Detector,
    pixels: Mapping[str, np.ndarray[Any, np.dtype[np.integer[Any]]]],
    scale: int,
) -> Path:
    """Write one detector of one exposure: a single primary HDU of unsigned 16-bit pixels, amplifiers side by side.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Where to write; made if it is not there.
    observation : `~harness.datasets.observations.Observation`
        The exposure.
    detector : `~harness.instrument.camera.Detector`
        The (binned) detector.
    pixels : `~collections.abc.Mapping` [`str`, `numpy.ndarray`]
        Raw pixels (ADU) of each amplifier, shape (raw_bbox.ny, raw_bbox.nx), as they are read out.
    scale : `int`
        Binning.

    Returns
    -------
    path : `~pathlib.Path`
        ``{FRAMEID}.fits``. The same arguments always give the same bytes.

    Raises
    ------
    HarnessError
        If an amplifier's pixels are missing or have another shape, or the exposure cannot be named.
    """
    from astropy.io import fits

    array = raw_mosaic(pixels, detector).astype(np.uint16)
    header = fits.Header()
    cards = _exposure_cards(observation) | detector_cards(observation, detector, scale)
    header.extend(fits.Card(key, value) for key, value in cards.items())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{cards['FRAMEID']}.fits"
    fits.PrimaryHDU(array, header).writeto(path, overwrite=True)
    return path


@lru_cache(maxsize=4)
def _exposure_cards(observation: Observation) -> Cards:
    """Make the shared part of the header once per exposure: files are written exposure by exposure."""
    return exposure_cards(observation)
