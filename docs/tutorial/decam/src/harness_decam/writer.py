"""Raw files like those of the observatory: one for each exposure, with an extension for each CCD."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.instrument.assembly import raw_mosaic
from harness.instrument.horizon import Site, airmass, horizon
from harness.instrument.upstream import SIMULATED_KEY

if TYPE_CHECKING:
    from harness.datasets.observations import Observation
    from harness.instrument.camera import Detector

    Pixels = Mapping[str, np.ndarray[Any, np.dtype[np.integer[Any]]]]

CTIO = Site(longitude=-70.81489, latitude=-30.16606, height=2215.0)


def write_exposure(folder: Path, observation: Observation, raws: Sequence[tuple[Detector, Pixels]], scale: int) -> Path:
    """Write some CCDs of one exposure; the same arguments always give the same bytes.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Where to write.
    observation : `~harness.datasets.observations.Observation`
        The exposure.
    raws : `~collections.abc.Sequence` [`tuple`]
        Each (binned) CCD with the raw pixels (ADU) of its amplifiers, shape (raw_bbox.ny, raw_bbox.nx).
    scale : `int`
        Binning.
    """
    from astropy.io import fits

    hdus = fits.HDUList([fits.PrimaryHDU()])
    hdus[0].header.update(exposure_cards(observation, scale))
    for detector, pixels in raws:
        image = fits.ImageHDU(raw_mosaic(pixels, detector).astype(np.uint16), name=detector.name)
        cards = {"INHERIT": True, "CCDNUM": detector.id, "DETPOS": detector.name, "DETECTOR": detector.serial}
        image.header.update(cards)
        hdus.append(image)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"DECam_{observation.exposure:08d}.fits"
    hdus.writeto(path, overwrite=True)
    return path


def exposure_cards(observation: Observation, scale: int) -> dict[str, Any]:
    """Return the primary header: what the translator reads, written from the observation."""
    begin = observation.begin.utc
    cards: dict[str, Any] = {
        "INSTRUME": "DECam",
        "TELESCOP": "CTIO 4.0-m telescope",
        "OBS-LONG": -CTIO.longitude,  # positive towards the west
        "OBS-LAT": CTIO.latitude,
        "OBS-ELEV": CTIO.height,
        "EXPNUM": observation.exposure,
        "OBSID": f"ct4m{begin.strftime('%Y%m%dt%H%M%S')}",
        "OBSTYPE": "object" if observation.observation_type == "science" else observation.observation_type,
        "OBJECT": observation.target or "none",
        "PROPID": observation.program or "none",
        "FILTER": observation.physical_filter,
        "TIMESYS": "UTC",
        "DATE-OBS": begin.isot,
        "MJD-OBS": begin.mjd,
        "DTUTC": observation.end.utc.isot,
        "EXPTIME": observation.exposure_time,
        "EXPREQ": observation.exposure_time,
        "DARKTIME": observation.exposure_time,
        "TELFOCUS": f"0.00,0.00,{1000 * observation.focus:.2f},0.00,0.00,0.00",  # µm, the third
        SIMULATED_KEY: True,
        "SIMSCALE": scale,
    }
    return cards | pointing_cards(observation) if observation.on_sky else cards


def pointing_cards(observation: Observation) -> dict[str, Any]:
    """Return the cards that say where the telescope looks; nothing says how the camera is turned: it is not."""
    from astropy.coordinates import SkyCoord

    ra, dec, _ = observation.pointing
    text = {"sep": ":", "pad": True, "precision": 6}
    place = SkyCoord(ra, dec, unit="deg")
    view = horizon(CTIO, ra, dec, observation.begin)
    return {
        "RADESYS": "ICRS",
        "TELRA": place.ra.to_string(unit="hour", **text),
        "TELDEC": place.dec.to_string(unit="deg", alwayssign=True, **text),
        "ZD": 90.0 - view.altitude,
        "AZ": view.azimuth,
        "AIRMASS": airmass(view.altitude),
    }
