"""Raw exposures of the projector, simulated: settings and the time series of the electrometer."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError, nearest
from harness.sky.seeds import generator

from .exposure import EXTENSION
from .identifiers import exposure_id, observation_id, split_exposure_id
from .settings import Settings
from .translator import SIMULATED_KEY

if TYPE_CHECKING:
    from harness.datasets.manifest import Dataset
    from harness.datasets.observations import Observation
    from harness.instrument.camera import Detector

__all__ = ["BASELINE_DRIFT", "QUIET", "SAMPLING", "Simulated", "settings_of", "simulate_raw", "simulate_series"]

Floats = NDArray[np.float64]

SAMPLING = 0.1
"""Seconds between two measurements of the electrometer; an assumption."""
QUIET = 4.0
"""Seconds at either end of an exposure in which the laser is shut, so that the baseline can be seen; an assumption."""
BASELINE_DRIFT = 2e-12
"""Dark current of the photodiode (A): its r.m.s. from exposure to exposure; an assumption."""
NOISE = 2e-12
"""R.m.s. noise of a measured charge (C); an assumption."""
DUTY = 0.4
"""Part of the time between the quiet ends in which the laser shines; an assumption."""

_MANIFEST = {
    "azimuth": "CBPAZ",
    "elevation": "CBPEL",
    "focus": "CBPFOC",
    "mask": "CBPMASK",
    "mask_rotation": "CBPMROT",
    "wavelength": "LASERWL",
    "configuration": "OPTCONF",
    "bursts": "NBURST",
    "mode": "ELECMODE",
}
"""Settings of a manifest and the header keys that they go to."""


@dataclasses.dataclass(frozen=True)
class Simulated:
    """What a manifest says about an exposure of the projector.

    Parameters
    ----------
    settings : `~harness_cbp.settings.Settings`
        What is set.
    charge : `float`
        The light that the photodiode gets (C), without its dark current.
    """

    settings: Settings
    charge: float


def settings_of(observation: Observation) -> Simulated:
    """Return the settings of an observation.

    They default to those of a real setup (instruments.md): mask 1 at 96.5°, azimuth −0.05°, elevation −46.5°, focus
    3800 µm, ``F1 SCU``, 5 bursts. The wavelength (nm) and the charge (C) must be given.

    Raises
    ------
    HarnessError
        If one is unknown, missing or beyond its limits.
    """
    known = (*_MANIFEST, "charge")
    for name in observation.settings:
        if name not in known:
            raise nearest("setting of CBP", name, known)
    for name in ("wavelength", "charge"):
        if name not in observation.settings:
            raise HarnessError(
                f"exposure {observation.exposure} of CBP has no {name}",
                remedy="give wavelength (nm) and charge (C) in its settings",
                code="projector-setting",
            )
    values: dict[str, Any] = {
        "azimuth": -0.05,
        "elevation": -46.5,
        "focus": 3800.0,
        "mask": 1,
        "mask_rotation": 96.5,
        "configuration": "F1 SCU",
        "bursts": 5,
        "mode": "CHARGE",
        **observation.settings,
    }
    header = {key: values[name] for name, key in _MANIFEST.items()} | {"ELECITIM": SAMPLING}
    return Simulated(Settings.from_header(header), float(values["charge"]))


def simulate_series(seed: int, exposure: int, seconds: float, bursts: int, charge: float) -> tuple[Floats, Floats]:
    """Simulate what the electrometer measures.

    Parameters
    ----------
    seed, exposure : `int`
        Seed of the dataset and exposure id: what noise and dark current depend on.
    seconds : `float`
        Exposure time.
    bursts : `int`
        Bursts of the laser, of equal length and light.
    charge : `float`
        Charge that the light of all bursts gives (C).

    Returns
    -------
    time : `numpy.ndarray`
        Seconds since the begin, shape (n,).
    charge : `numpy.ndarray`
        Charge (C), to 10⁻¹⁶ C, shape (n,).

    Raises
    ------
    HarnessError
        If the exposure is too short for the quiet ends and the bursts, or there is charge without a burst.
    """
    lit = seconds - 2 * QUIET
    if lit < max(bursts, 1) * 5 * SAMPLING:
        raise HarnessError(
            f"exposure {exposure}: {seconds:g} s are too short for {bursts} bursts",
            remedy=f"expose for {2 * QUIET + max(bursts, 1) * 5 * SAMPLING:g} s at least",
            code="too-short",
        )
    if charge and not bursts:
        raise HarnessError(f"exposure {exposure} has a charge of {charge:g} C without bursts", code="too-short")
    time = np.round(np.arange(int(seconds / SAMPLING + 1e-9) + 1) * SAMPLING, 6)
    level = np.zeros(len(time))
    for burst in range(bursts):
        begin = QUIET + lit * (burst + (1 - DUTY) / 2) / bursts
        length = lit * DUTY / bursts
        level += charge / bursts * np.clip((time - begin) / length, 0.0, 1.0)
    random = generator(seed, "CBP", exposure, 0, purpose="electrometer")
    drift, offset = random.normal(0.0, (BASELINE_DRIFT, 50 * NOISE))
    level += offset + drift * time + NOISE * random.standard_normal(len(time))
    return time, np.round(level, 16)


def simulate_raw(folder: Path, dataset: Dataset, observation: Observation, detector: Detector) -> Path:  # noqa: ARG001
    """Simulate an exposure of the projector and write it: an empty primary HDU and the electrometer's table.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Where to write; made if it is not there.
    dataset : `~harness.datasets.manifest.Dataset`
        The manifest, with its seed.
    observation : `~harness.datasets.observations.Observation`
        The exposure; see `settings_of` for its settings.
    detector : `~harness.instrument.camera.Detector`
        The one detector.

    Returns
    -------
    path : `~pathlib.Path`
        ``{OBSID}.fits``. The same arguments always give the same bytes.

    Raises
    ------
    HarnessError
        If a setting is wrong, or the exposure id is not one of the day on which the exposure begins.
    """
    from astropy.io import fits

    simulated = settings_of(observation)
    settings = simulated.settings
    time, charge = simulate_series(
        dataset.seed, observation.exposure, observation.exposure_time, settings.bursts, simulated.charge
    )
    values, unit = charge, "C"
    if settings.mode == "CURRENT":  # the derivative, whose integral by trapezoids is the charge again
        values, unit = _derivative(time, charge), "A"
    columns = [
        fits.Column(name="TIME", format="D", unit="s", array=time),
        fits.Column(name=settings.mode, format="D", unit=unit, array=values),
    ]
    header = fits.Header()
    header.extend(fits.Card(*card) for card in _cards(observation, settings))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{header['OBSID']}.fits"
    table = fits.BinTableHDU.from_columns(columns, name=EXTENSION)
    fits.HDUList([fits.PrimaryHDU(header=header), table]).writeto(path, overwrite=True)
    return path


def _derivative(time: Floats, charge: Floats) -> Floats:
    """Return the current of steps between measurements, in the middle of each step but the ends."""
    slope = np.diff(charge) / np.diff(time)
    return np.concatenate([[slope[0]], (slope[1:] + slope[:-1]) / 2, [slope[-1]]])


def _cards(observation: Observation, settings: Settings) -> list[tuple[str, Any, str]]:
    """Return keys, values and comments of the primary header."""
    import datetime

    from astropy.time import Time, TimeDelta

    begin = Time(observation.begin.tai, precision=3)
    end = Time(begin + TimeDelta(observation.exposure_time, format="sec"), precision=3)
    day, sequence = split_exposure_id(observation.exposure)
    exposure_id(day, sequence)  # proves that it is one
    today = (begin.to_datetime() - datetime.timedelta(hours=12)).strftime("%Y%m%d")
    if today != str(day):
        raise HarnessError(
            f"exposure {observation.exposure} of CBP begins on {today}",
            remedy=f"exposure ids of that day are {today} and five digits",
            code="exposure-id",
        )
    cards: list[tuple[str, Any, str]] = [
        ("INSTRUME", "CBP", "collimated beam projector"),
        ("ORIGIN", "gen3-harness", ""),
        ("OBSID", observation_id(day, sequence), ""),
        ("CONTRLLR", "O", ""),
        ("DAYOBS", day, "turns over at 12:00 TAI"),
        ("SEQNUM", sequence, ""),
        ("TIMESYS", "TAI", ""),
        ("DATE-BEG", begin.isot, ""),
        ("DATE-END", end.isot, ""),
        ("EXPTIME", float(observation.exposure_time), "[s]"),
        ("IMGTYPE", observation.observation_type.upper(), ""),
        ("GROUPID", observation.group or str(observation.exposure), "shared with the camera's exposure"),
        ("CURINDEX", observation.snap[0], ""),
        ("MAXINDEX", observation.snap[1], ""),
        ("CBPAZ", settings.azimuth, "[deg] azimuth"),
        ("CBPEL", settings.elevation, "[deg] elevation"),
        ("CBPFOC", settings.focus, "[um] focus stage"),
        ("CBPFUNIT", "um", "unit of CBPFOC"),
        ("CBPMASK", settings.mask, "slot of the mask wheel, 9: unknown"),
        ("CBPMROT", settings.mask_rotation, "[deg] rotation of the mask"),
        ("LASERWL", settings.wavelength, "[nm] wavelength of the laser"),
        ("OPTCONF", settings.configuration, "optical configuration of the laser"),
        ("NBURST", settings.bursts, "bursts of the laser"),
        ("ELECMODE", settings.mode, "what the electrometer measures"),
        ("ELECITIM", settings.integration_time, "[s] integration time of the electrometer"),
    ]
    for key, value in (
        ("REASON", observation.reason),
        ("PROGRAM", observation.program),
        ("OBJECT", observation.target),
    ):
        if value:
            cards.append((key, value, ""))
    return [*cards, (SIMULATED_KEY, True, "")]
