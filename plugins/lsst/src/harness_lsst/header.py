"""Primary headers as the observatory writes them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.instrument.horizon import airmass, horizon

from .translators.identifiers import CONTROLLERS, exposure_id, observation_id, unpack_exposure_id

if TYPE_CHECKING:
    from astro_metadata_translator import MetadataTranslator
    from astropy.time import Time

    from harness.datasets.observations import Observation
    from harness.instrument.camera import Detector

    from .profiles import Profile

__all__ = ["Cards", "detector_cards", "exposure_cards", "file_name"]

Cards = dict[str, Any]
"""Keys and values in the order of a header; `None` is a key without a value."""

# Any plausible weather: that of the real exposure AT_O_20240624_000106, rounded.
_WEATHER: Cards = {
    "AIRTEMP": 1.5,
    "PRESSURE": 73880.0,
    "HUMIDITY": 40.5,
    "WINDSPD": 12.5,
    "WINDDIR": 21.0,
}

_SENSORS = {"ITL": ("ITL", "3800C"), "ITL_G": ("ITL", "3800C"), "ITL_WF": ("ITL", "4400"), "E2V": ("E2V", "CCD250")}
"""Manufacturer and type of the sensor."""

_DARK = frozenset({"bias", "dark"})
"""Types of observation during which the shutter stays closed."""


def file_name(profile: Profile, observation: Observation, detector: Detector) -> str:
    """Return the name that the observatory gives to a raw file, ``CC_O_20241108_000266_R22_S00.fits``."""
    return f"{_observation_id(profile, observation)}_{profile.raft or detector.raft}_{detector.name_in_raft}.fits"


def exposure_cards(profile: Profile, translator: type[MetadataTranslator], observation: Observation) -> Cards:
    """Make the part of the primary header that all detectors of an exposure share.

    Parameters
    ----------
    profile : `~harness_lsst.profiles.Profile`
        The camera's.
    translator : `type` [`astro_metadata_translator.MetadataTranslator`]
        Its translator, which corrects the rotation of some dates: the header gets what it makes the right one of.
    observation : `~harness.datasets.observations.Observation`
        The exposure. Its setting ``controller``, a letter, replaces that of the exposure id where ids don't tell.

    Returns
    -------
    cards : `dict` [`str`, `typing.Any`]
        Keys and values. Times are TAI.

    Raises
    ------
    HarnessError
        If the exposure id is none of the observatory's, the controller contradicts it, or no header can say the
        physical filter.
    """
    from astropy.time import Time, TimeDelta

    day_obs, seq_num, _ = unpack_exposure_id(observation.exposure)
    # Headers hold milliseconds: everything is derived from the rounded start, so that it is consistent.
    begin = Time(Time(observation.begin.tai, precision=3).isot, format="isot", scale="tai", precision=3)
    end = Time(begin + TimeDelta(observation.exposure_time, format="sec"), precision=3)
    imgtype = "OBJECT" if observation.observation_type == "science" else observation.observation_type.upper()
    open_time = 0.0 if observation.observation_type in _DARK else float(observation.exposure_time)
    cards: Cards = {
        **_times({"": end, "-OBS": begin, "-TRG": end, "-BEG": begin, "-END": end}),
        "IMGTYPE": imgtype,
        "OBSID": _observation_id(profile, observation),
        "GROUPID": observation.group or None,
        "BUNIT": "adu",
        "TIMESYS": "TAI",
        "INSTRUME": profile.instrume,
        "TELESCOP": profile.telescop,
        "OBS-LONG": profile.site.longitude,
        "OBS-LAT": profile.site.latitude,
        "OBS-ELEV": profile.site.height,
        **{f"OBSGEO-{axis}": value for axis, value in zip("XYZ", profile.geocentric, strict=True)},
        "FACILITY": "Vera C. Rubin Observatory",
        **_pointing(profile, observation, begin, end),
        "FOCUSZ": float(observation.focus),
        "OBJECT": observation.target or None,
        "VIGNETTE": "NO" if observation.on_sky else "FULLY",
        "VIGN_MIN": "NO" if observation.on_sky else "FULLY",
        "TESTTYPE": imgtype,
        "CAMCODE": profile.code,
        "TELCODE": profile.code,
        "CONTRLLR": _controller(observation),
        "DAYOBS": str(day_obs),
        "SEQNUM": seq_num,
        "PROGRAM": observation.program or None,
        "REASON": observation.reason or None,
        "CURINDEX": observation.snap[0],
        "MAXINDEX": observation.snap[1],
        "TSTAND": profile.stand,
        "IMAGETAG": f"{observation.exposure:016x}",
        "OBSANNOT": "",
        **_filter(profile, observation.physical_filter),
        "EXPTIME": float(observation.exposure_time),
        "DARKTIME": float(observation.exposure_time),
        "SHUTTIME": open_time,
        **_WEATHER,
        "SEEING": float(observation.seeing) if observation.on_sky else None,
        "HEADVER": 2,
        "SIMULATE": True,
        **{f"SIMULATE {system}": 1 for system in profile.simulated},
    }
    if observation.sky_angle is not None:
        cards["ROTPA"] = _rotation(translator, cards, observation.sky_angle)
    return cards


def detector_cards(profile: Profile, observation: Observation, detector: Detector, scale: int) -> Cards:
    """Make the part of the primary header that differs between detectors.

    Parameters
    ----------
    profile : `~harness_lsst.profiles.Profile`
        The camera's.
    observation : `~harness.datasets.observations.Observation`
        The exposure.
    detector : `~harness.instrument.camera.Detector`
        The (binned) detector.
    scale : `int`
        Its binning.

    Returns
    -------
    cards : `dict` [`str`, `typing.Any`]
        Keys and values.
    """
    maker, kind = _SENSORS[detector.physical_type]
    # Headers of the half-size wavefront sensors give them the size of a whole one.
    rows = detector.ny * (2 if detector.physical_type == "ITL_WF" else 1)
    return {
        "CCD_MANU": maker,
        "CCD_TYPE": kind,
        "CCD_SERN": detector.serial.rpartition("-")[2],
        "LSST_NUM": detector.serial,
        "CCDSLOT": detector.name_in_raft,
        "RAFTBAY": profile.raft or detector.raft,
        "RAFTNAME": f"{profile.name}-{profile.raft or detector.raft}",
        "REBNAME": "gen3-harness",
        "BINX": 1,
        "BINY": 1,
        "CCDGAIN": 1.0,
        "CCDNOISE": 10.0,
        "DETSIZE": f"[1:{detector.nx},1:{rows}]",
        "FIRMWARE": "00000000",
        "PLATFORM": profile.platform,
        "CONTNUM": "0",
        "DAQVERS": "gen3-harness",
        "DAQPART": profile.partition,
        "DAQFOLD": "raw",
        "SEQFILE": "simulated.seq",
        "SEQNAME": "simulated.seq",
        "SEQCKSUM": "0",
        "FPVERS": "0",
        "IHVERS": "0",
        "FILENAME": file_name(profile, observation, detector),
        "SIMSCALE": scale,
    }


def _observation_id(profile: Profile, observation: Observation) -> str:
    day_obs, seq_num, _ = unpack_exposure_id(observation.exposure)
    return observation_id(profile.code, _controller(observation), day_obs, seq_num)


def _controller(observation: Observation) -> str:
    day_obs, seq_num, told = unpack_exposure_id(observation.exposure)
    given = str(observation.settings.get("controller", told))
    if given not in CONTROLLERS or exposure_id(day_obs, seq_num, given) != observation.exposure:
        raise HarnessError(
            f"exposure {observation.exposure} cannot be one of controller {given!r}",
            remedy="its id would be another: from a day on, controllers share those of O",
            code="exposure-id",
        )
    return given


def _times(times: dict[str, Time]) -> Cards:
    cards: Cards = {}
    for label, time in times.items():
        cards |= {f"DATE{label}": time.isot, f"MJD{label}": float(time.mjd)}
    return cards


def _pointing(profile: Profile, observation: Observation, begin: Time, end: Time) -> Cards:
    """Make the keys of where the telescope looks; without values if nobody knows."""
    positions = ("RA", "DEC", "RASTART", "DECSTART", "RAEND", "DECEND", "ROTPA", "ROTCOORD")
    views = [f"{key}{when}" for when in ("START", "END") for key in ("HA", "EL", "AZ", "AM")]
    cards: Cards = dict.fromkeys((*positions, *views))
    if observation.ra is None:
        return cards | {"TRACKSYS": "LOCAL", "RADESYS": None}
    ra, dec, sky_angle = observation.pointing
    for when in ("", "START", "END"):
        cards |= {f"RA{when}": ra, f"DEC{when}": dec}
    cards |= {"ROTPA": sky_angle, "ROTCOORD": "sky"}
    for when, time in (("START", begin), ("END", end)):
        view = horizon(profile.site, ra, dec, time)
        cards |= {
            f"HA{when}": view.hour_angle / 15,
            f"EL{when}": view.altitude,
            f"AZ{when}": view.azimuth,
            f"AM{when}": airmass(view.altitude),
        }
    return cards | {"TRACKSYS": "RADEC", "RADESYS": "ICRS"}


def _filter(profile: Profile, physical_filter: str) -> Cards:
    name, _, second = physical_filter.partition("~")
    cards: Cards = {
        "FILTBAND": physical_filter[:1] or None,
        "FILTER": None if name == "unknown" else name,
        "FILTPOS": None,
        "FILTSLOT": None,
    }
    if profile.grating:
        if not second:
            raise HarnessError(
                f"no header of {profile.name} says physical filter {physical_filter!r}",
                remedy="give filter and grating, FILTER~GRATING",
                code="filter",
            )
        cards |= {
            "GRATBAND": second.upper(),
            "GRATING": None if second == "unknown" else second,
            "GRATSLOT": None,
            "LINSPOS": None,
        }
    elif second:
        cards["FILTER2"] = second
    return cards


def _rotation(translator: type[MetadataTranslator], cards: Cards, wanted: float) -> float:
    """Return the ROTPA (degrees) that translates to a sky angle: that of some dates is corrected."""
    from astro_metadata_translator import fix_header

    header = {k: v for k, v in cards.items() if v is not None}
    fix_header(header, translator_class=translator)
    translated = translator(header).to_boresight_rotation_angle()
    if translated is None:
        return wanted
    correction = math.remainder(translated.deg - wanted, 360.0)
    return wanted - correction if abs(correction) > 1e-9 else wanted
