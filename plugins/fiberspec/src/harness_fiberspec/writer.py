"""Raw spectra as the observatory writes them."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError, nearest

from .devices import DEVICES, INSTRUME, SEQUENCE, Device, observation_id
from .instrument import PIXELS
from .lamp import simulate_flux, wavelengths
from .translator import SIMULATED_KEY

if TYPE_CHECKING:
    from harness.datasets.manifest import Dataset
    from harness.datasets.observations import Observation
    from harness.instrument.camera import Detector

__all__ = ["device_and_lamp", "simulate_raw"]

_READOUT = 0.026
"""Seconds by which DATE-END is later than the end of the exposure, as in a real file."""


def device_and_lamp(observation: Observation) -> tuple[Device, str]:
    """Return which device looks at which lamp: settings ``device`` (Broad) and ``lamp`` (HgAr).

    Raises
    ------
    HarnessError
        If there is no such device, or a setting is unknown.
    """
    unknown = sorted(set(observation.settings) - {"device", "lamp"})
    if unknown:
        raise nearest("setting of FiberSpec", unknown[0], ("device", "lamp"))
    name = str(observation.settings.get("device", "Broad"))
    if name not in DEVICES:
        raise nearest("fiber spectrograph", name, DEVICES)
    return DEVICES[name], str(observation.settings.get("lamp", "HgAr"))


def simulate_raw(folder: Path, dataset: Dataset, observation: Observation, detector: Detector) -> Path:  # noqa: ARG001
    """Simulate a spectrum and write it: a primary HDU of 2048 float64 and the table of wavelengths.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Where to write; made if it is not there.
    dataset : `~harness.datasets.manifest.Dataset`
        The manifest, with its seed.
    observation : `~harness.datasets.observations.Observation`
        The exposure; see `device_and_lamp` for its settings.
    detector : `~harness.instrument.camera.Detector`
        The one detector.

    Returns
    -------
    path : `~pathlib.Path`
        Named after device and start. The same arguments always give the same bytes.

    Raises
    ------
    HarnessError
        If a setting is unknown, or the exposure id is not the day (TAI) of the start and a sequence number.
    """
    from astropy.io import fits

    device, lamp = device_and_lamp(observation)
    header = fits.Header()
    header.extend(fits.Card(key, value) for key, value in _cards(observation, device).items())
    flux = simulate_flux(dataset.seed, observation.exposure, device.name, lamp, observation.exposure_time)
    column = fits.Column(
        name="wavelength",
        format=f"{PIXELS}D",
        dim=f"(1,{PIXELS})",
        unit="nm",
        array=wavelengths(device.name).reshape(1, PIXELS, 1),
    )
    table = fits.BinTableHDU.from_columns([column], name="WCS-TAB", ver=1)
    folder.mkdir(parents=True, exist_ok=True)
    start = header["DATE-BEG"].replace(":", "_")
    path = folder / f"{device.name}_fiberSpec{device.name}_{start}.fits"
    fits.HDUList([fits.PrimaryHDU(flux, header), table]).writeto(path, overwrite=True)
    return path


def _cards(observation: Observation, device: Device) -> dict[str, Any]:
    """Return keys and values in the order of a real header."""
    from astropy.time import Time, TimeDelta

    begin = Time(observation.begin.tai, precision=3)
    end = Time(begin + TimeDelta(observation.exposure_time + _READOUT, format="sec"), precision=3)
    date, sequence = divmod(observation.exposure, SEQUENCE)
    if begin.strftime("%Y%m%d") != str(date):
        raise HarnessError(
            f"exposure {observation.exposure} of FiberSpec begins on {begin.strftime('%Y%m%d')}",
            remedy=f"exposure ids of that day are {begin.strftime('%Y%m%d')} and five digits",
            code="exposure-id",
        )
    # The observatory's day turns over at noon, DAYOBS at midnight.
    noon = begin.to_datetime() - datetime.timedelta(hours=12)
    cards: dict[str, Any] = {
        "FORMAT_V": 1,
        "ORIGIN": "gen3-harness",
        "INSTRUME": INSTRUME + device.name,
        "SERIAL": device.serial,
        "CSCNAME": "FiberSpectrographCsc",
        "LOCATN": None,
        "DETSIZE": PIXELS,
        "DATE-BEG": begin.isot,
        "DATE-END": end.isot,
        "DAYOBS": date,
        "EXPTIME": float(observation.exposure_time),
        "TIMESYS": "TAI",
        "IMGTYPE": observation.observation_type,
        "SOURCE": str(observation.settings.get("lamp", "HgAr")),
        "TEMP_SET": 5.0,
        "CCDTEMP": 5.0,
        "WCSAXES": 1,
        "CRPIX1": 0.0,
        "CRVAL1": 0.0,
        "CNAME1": "Wavelength",
        "CTYPE1": "WAVE-TAB",
        "CDELT1": 1.0,
        "CUNIT1": "nm",
        "PV1_1": 1,
        "PS1_0": "WCS-TAB",
        "PS1_1": "wavelength",
        "OBSID": observation_id(device, int(noon.strftime("%Y%m%d")), sequence),
        "TELCODE": "auxtel",
        "SEQNUM": sequence,
        "CONTRLLR": device.prefix,
    }
    for key, value in (
        ("REASON", observation.reason),
        ("PROGRAM", observation.program),
        ("GROUPID", observation.group),
    ):
        if value:
            cards[key] = value
    if observation.snap != (1, 1):
        cards |= {"CURINDEX": observation.snap[0], "MAXINDEX": observation.snap[1]}
    return cards | {SIMULATED_KEY: True}
