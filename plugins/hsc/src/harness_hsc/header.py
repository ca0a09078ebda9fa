"""Headers as the observatory writes them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.instrument.horizon import airmass, horizon

from .identifiers import NEW_SCHEME_MJD, frame_id, observation_id
from .sky import SITE, sexagesimal
from .translator import SIMULATED_KEY

if TYPE_CHECKING:
    from harness.datasets.observations import Observation
    from harness.instrument.camera import Detector

__all__ = ["detector_cards", "exposure_cards"]

Cards = dict[str, Any]

# Weather and focus of the real exposure HSCA90402400: any plausible values do.
_CONDITIONS: Cards = {
    "WEATHER": "Fine",
    "SEEING": "0.00",
    "DOM-WND": 0.7,
    "OUT-WND": 3.8,
    "DOM-TMP": 273.45,
    "OUT-TMP": 272.35,
    "DOM-HUM": 33.2,
    "OUT-HUM": 33.1,
    "DOM-PRS": 621.7,
    "OUT-PRS": 621.7,
}

_NOMINAL_SCALE = 0.17 / 0.015
"""Plate scale (arcsec/mm) of the WCS in real headers, which knows nothing of the distortion."""

_FILTER_KEYS = {"empty": "None", "unknown": "Unknown"}
"""FILTER01 of the filters that are none; the translator has the inverse of it."""

_MISNUMBERED = {105: 107, 106: 112, 107: 113, 108: 114, 109: 115, 110: 108}
"""DET-ID that the readout gave to focus detectors during the second commissioning run."""
_MISNUMBERED_MJD = range(56318, 56332)
"""Days (UTC) of that run: those for which the translator takes the numbers back."""


def exposure_cards(observation: Observation) -> Cards:
    """Make the part of the header that all detectors of an exposure share.

    Parameters
    ----------
    observation : `~harness.datasets.observations.Observation`
        The exposure.

    Returns
    -------
    cards : `dict` [`str`, `typing.Any`]
        Keys and values, in the order of a real header.
    """
    from astropy.time import Time, TimeDelta

    right_ascension, declination, sky_angle = observation.pointing
    # Headers hold milliseconds: everything is derived from the rounded start, so that it is consistent.
    begin = Time(Time(observation.begin.utc, precision=3).isot, format="isot", scale="utc", precision=3)
    end = Time(begin + TimeDelta(observation.exposure_time, format="sec"), precision=3)
    cards: Cards = {}
    # The translator takes MJD as the date of DET-ID's numbering and EXP-ID's scheme, so it must be a start too.
    for label, time in (("-STR", begin), ("", begin), ("-END", end)):
        view = horizon(SITE, right_ascension, declination, time)
        cards |= {
            f"UT{label}": time.isot[11:],
            f"HST{label}": Time(time - TimeDelta(36000, format="sec"), precision=3).isot[11:],
            f"LST{label}": sexagesimal(round(view.sidereal_time / 15 * 3.6e6) / 3.6e6, 3, modulus=24)[:12],
            f"MJD{label}": float(time.mjd),
            f"ZD{label}": round(90 - view.altitude, 8),
            f"SECZ{label}": f"{airmass(view.altitude):.3f}",
        }
    view = horizon(SITE, right_ascension, declination, begin)
    ra = sexagesimal(right_ascension / 15, 3, modulus=24)
    dec = sexagesimal(declination, 2, signed=True)
    return cards | {
        "DATE-OBS": begin.isot[:10],
        "AIRMASS": airmass(view.altitude),
        "AZIMUTH": round(view.azimuth, 8),
        "ALTITUDE": round(view.altitude, 8),
        "PROP-ID": observation.program,
        "OBSERVER": "gen3-harness",
        "OBS-MOD": "IMAG",
        "OBS-ALOC": "Observation",
        "RA": ra,
        "DEC": dec,
        "RA2000": ra,
        "DEC2000": dec,
        "EQUINOX": 2000.0,
        "TELESCOP": "Subaru",
        **({"INSTRUME": "Hyper Suprime-Cam"} if begin.mjd >= NEW_SCHEME_MJD else {}),
        "TELFOCUS": "P_OPT2",
        "FOC-VAL": 3.7,
        **_CONDITIONS,
        "INST-PA": _position_angle(sky_angle),
        "EXP-ID": observation_id(observation.exposure, begin.mjd),
        "EXPTIME": float(observation.exposure_time),
        "OBJECT": observation.target,
        "DATA-TYP": "OBJECT" if observation.observation_type == "science" else observation.observation_type.upper(),
        "FILTER01": _filter_key(observation.physical_filter),
    }


def detector_cards(observation: Observation, detector: Detector, scale: int) -> Cards:
    """Make the part of the header that differs between detectors.

    Parameters
    ----------
    observation : `~harness.datasets.observations.Observation`
        The exposure.
    detector : `~harness.instrument.camera.Detector`
        The (binned) detector.
    scale : `int`
        Its binning.

    Returns
    -------
    cards : `dict` [`str`, `typing.Any`]
        Keys and values, in the order of a real header. Pixels count from 1 there, and boxes are inclusive.
    """
    board, channel = (int(part) for part in detector.name.split("_"))
    number = detector.id
    if int(observation.begin.utc.mjd) in _MISNUMBERED_MJD:
        number = _MISNUMBERED.get(number, number)
    cards: Cards = {
        "FRAMEID": frame_id(observation.exposure, board, channel),
        **_tangent_plane(observation, detector),
        "DET-ID": number,
        "T_BEEID": board,
        "T_SDOID": channel,
    }
    cards |= {f"T_GAIN{a.name}": round(a.gain, 4) for a in detector.amplifiers}
    cards |= {"T_CCDID": "undefined", "T_XFILP": False, "T_YFILP": False, "T_CCDSN": detector.serial}
    for a in detector.amplifiers:
        if a.raw_parallel_overscan is None:
            raise ValueError(f"amplifier {a.name} of detector {detector.name} has no parallel overscan")
        for key, box, axis in (
            ("T_OS", a.raw_serial_overscan, 1),
            ("T_EF", a.raw_data, 1),
            ("T_OS", a.raw_parallel_overscan, 2),
            ("T_EF", a.raw_data, 2),
        ):
            first, size = (box.x0, box.nx) if axis == 1 else (box.y0, box.ny)
            cards[f"{key}MN{a.name}{axis}"] = first + 1
            cards[f"{key}MX{a.name}{axis}"] = first + size
    return cards | {SIMULATED_KEY: True, "SIMSCALE": scale}


def _filter_key(physical_filter: str) -> str:
    if physical_filter.startswith("HSC-"):
        return "HSC-" + physical_filter.removeprefix("HSC-").lower()
    return _FILTER_KEYS.get(physical_filter, physical_filter)


def _position_angle(sky_angle: float) -> str:
    angle = math.remainder(270.0 - sky_angle, 360.0)
    text = f"{angle:.3f}"
    # More digits only where three would move the edge of the field by a part of a pixel.
    return text if float(text) == angle else repr(angle)


def _tangent_plane(observation: Observation, detector: Detector) -> Cards:
    """Make the nominal WCS: no distortion, pixels of the trimmed detector as they lie in the file."""
    amplifier = detector.amplifiers[0]
    o, yaw = np.radians(observation.pointing[2]), np.radians(detector.yaw_deg)
    sky = np.array([[-np.cos(o), np.sin(o)], [np.sin(o), np.cos(o)]]) * _NOMINAL_SCALE / 3600
    turn = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]) * detector.pixel_mm
    x, y = detector.focal_to_pixel(0.0, 0.0)
    flip = np.diag([-1.0 if amplifier.flip_x else 1.0, -1.0 if amplifier.flip_y else 1.0])
    cd = sky @ turn @ flip
    return {
        "WCSAXES": 2,
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CUNIT1": "degree",
        "CUNIT2": "degree",
        "CRPIX1": round(float(detector.nx - 1 - x if amplifier.flip_x else x) + 1, 3),
        "CRPIX2": round(float(detector.ny - 1 - y if amplifier.flip_y else y) + 1, 3),
        "CRVAL1": observation.ra,
        "CRVAL2": observation.dec,
        "CD1_1": round(float(cd[0, 0]), 12),
        "CD1_2": round(float(cd[0, 1]), 12),
        "CD2_1": round(float(cd[1, 0]), 12),
        "CD2_2": round(float(cd[1, 1]), 12),
    }
