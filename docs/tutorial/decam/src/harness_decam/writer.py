"""Raw files like those of the observatory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.instrument.assembly import raw_mosaic

if TYPE_CHECKING:
    from harness.datasets.observations import Observation
    from harness.instrument.camera import Detector


def write_raw(
    folder: Path,
    observation: Observation,
    detector: Detector,
    pixels: Mapping[str, np.ndarray[Any, np.dtype[np.uint16]]],
    scale: int,
) -> Path:
    """Write one detector of one exposure; the same arguments always give the same bytes.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Where to write.
    observation : `~harness.datasets.observations.Observation`
        The exposure.
    detector : `~harness.instrument.camera.Detector`
        The (binned) detector.
    pixels : `~collections.abc.Mapping` [`str`, `numpy.ndarray`]
        Raw pixels (ADU) of each amplifier, shape (raw_bbox.ny, raw_bbox.nx).
    scale : `int`
        Binning.
    """
    from astropy.io import fits

    hdu = fits.PrimaryHDU(raw_mosaic(pixels, detector))  # REPLACE_ME: the HDUs of a real file
    hdu.header.update(header(observation, detector, scale))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"decam-{observation.exposure:06d}-{detector.name}.fits"  # REPLACE_ME: the real names
    hdu.writeto(path, overwrite=True)
    return path


def header(observation: Observation, detector: Detector, scale: int) -> dict[str, Any]:
    """Return the header: what the translator reads, written from the observation."""
    place, number = observation.snap
    # REPLACE_ME: the keys of a real header
    cards: dict[str, Any] = {
        "INSTRUME": "DECam",
        "EXPID": observation.exposure,
        "OBSID": f"DECam{observation.exposure:06d}",
        "SEQNUM": observation.exposure,
        "SEQSTART": observation.exposure - place + 1,
        "SEQEND": observation.exposure - place + number,
        "GROUPID": observation.group or str(observation.exposure),
        "TIMESYS": "TAI",
        "DATE-BEG": observation.begin.tai.isot,
        "DATE-END": observation.end.tai.isot,
        "EXPTIME": observation.exposure_time,
        "FILTER": observation.physical_filter,
        "IMGTYPE": observation.observation_type,
        "REASON": observation.reason or "test",
        "PROGRAM": observation.program or "none",
        "OBJECT": observation.target or "none",
    }
    if observation.on_sky:
        cards["RA"], cards["DEC"], cards["ROTANG"] = observation.pointing
    return cards | {
        "DETNUM": detector.id,
        "DETNAME": detector.name,
        "DETSER": detector.serial,
        # these two tell the reader that the file is simulated, and how it is binned
        "SIMULATE": True,
        "SIMSCALE": scale,
    }
