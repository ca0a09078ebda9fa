"""Raw files as the observatory writes them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import HarnessError

from .header import Cards, detector_cards, exposure_cards

if TYPE_CHECKING:
    from harness.datasets.observations import Observation
    from harness.instrument.camera import Detector

__all__ = ["write_raw"]


def write_raw(
    folder: Path,
    observation: Observation,
    detector: Detector,
    pixels: Mapping[str, np.ndarray[Any, np.dtype[np.uint16]]],
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

    boxes = [a.raw_bbox for a in detector.amplifiers]
    array = np.empty((max(b.y0 + b.ny for b in boxes), max(b.x0 + b.nx for b in boxes)), dtype=np.uint16)
    for amplifier in detector.amplifiers:
        box = amplifier.raw_bbox
        given = pixels.get(amplifier.name)
        if given is None or given.shape != (box.ny, box.nx):
            raise HarnessError(
                f"amplifier {amplifier.name} of detector {detector.name} "
                + ("has no pixels" if given is None else f"has pixels of shape {given.shape}"),
                remedy=f"give an array of shape {(box.ny, box.nx)}",
                code="raw-pixels",
            )
        array[box.slices] = given
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
