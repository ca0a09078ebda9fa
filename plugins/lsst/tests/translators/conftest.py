"""Headers made here, small, in the form of the real ones; and the way to the real ones, where they are."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from astro_metadata_translator import ObservationInfo
from harness_lsst.translators import load_translators

REAL = Path(os.environ.get("HARNESS_REAL", Path(__file__).parents[5] / "shared/real"))
INSTRUMENTS = ("LATISS", "LSSTCam", "LSSTComCam", "LSSTComCamSim")

SITE = {"OBSGEO-X": 1818938.94, "OBSGEO-Y": -5208470.95, "OBSGEO-Z": -3195172.08}
SKY = {
    "RA": 10.0,
    "DEC": -30.0,
    "RASTART": 10.001,
    "DECSTART": -30.001,
    "ROTPA": 20.0,
    "ROTCOORD": "sky",
    "ELSTART": 70.0,
    "AZSTART": -20.0,
    "AMSTART": 1.06,
    "TRACKSYS": "RADEC",
    "RADESYS": "ICRS",
    "FOCUSZ": 0.5,
    "OBJECT": "field",
}


def header(camera: str, instrument: str, telescope: str, day: str, begin: str, **more: Any) -> dict[str, Any]:
    """Make a header of an exposure of 30 s of the sky."""
    values = {
        "INSTRUME": instrument,
        "TELESCOP": telescope,
        "OBSID": f"{camera}_O_{day}_000012",
        "CONTRLLR": "O",
        "DAYOBS": day,
        "SEQNUM": 12,
        "IMGTYPE": "OBJECT",
        "DATE": "2030-01-01T00:00:00.000",
        "DATE-OBS": begin,
        "TIMESYS": "TAI",
        "EXPTIME": 30.0,
        "RAFTBAY": "R22",
        "CCDSLOT": "S11",
        "LSST_NUM": "ITL-3800C-000",
        "FILTER": "empty_1",
        "GRATING": "empty_2",
        **SITE,
        **SKY,
        **more,
    }
    return {key: value for key, value in values.items() if value is not ...}


def latiss(date: str = "2022-08-01", **more: Any) -> dict[str, Any]:
    return header("AT", "LATISS", "LSST AuxTelescope", date.replace("-", ""), f"{date}T20:00:00.000", **more)


def comcam(date: str = "2024-11-01", **more: Any) -> dict[str, Any]:
    more = {"FILTER": "r_03", **more}
    return header("CC", "ComCam", "Simonyi Survey Telescope", date.replace("-", ""), f"{date}T20:00:00.000", **more)


def lsstcam(date: str = "2025-06-09", **more: Any) -> dict[str, Any]:
    more = {"FILTER": "r_57", **more}
    return header("MC", "lsstCam", "Simonyi Survey Telescope", date.replace("-", ""), f"{date}T20:00:00.000", **more)


def comcamsim(date: str = "2024-04-02", **more: Any) -> dict[str, Any]:
    return comcam(date, **{"INSTRUME": "ComCamSim", "CONTRLLR": "S", **more})


@pytest.fixture(scope="session", autouse=True)
def registered() -> list[str]:
    """Names of the translators."""
    return load_translators()


@pytest.fixture(scope="session")
def make() -> dict[str, Callable[..., dict[str, Any]]]:
    """Makers of headers: ``make["LATISS"]("2020-01-02", KEY=value)``; ``...`` leaves a key out."""
    return {"LATISS": latiss, "LSSTComCam": comcam, "LSSTCam": lsstcam, "LSSTComCamSim": comcamsim}


@pytest.fixture(scope="session")
def info() -> Callable[..., ObservationInfo]:
    """Translates a header, by the translator that claims it."""

    def translate(values: dict[str, Any], **options: Any) -> ObservationInfo:
        return ObservationInfo(dict(values), quiet=True, **options)

    return translate


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test with an argument `real_header` every real header; one skipped test if there are none."""
    if "real_header" not in metafunc.fixturenames:
        return
    paths = [path for name in INSTRUMENTS for path in sorted((REAL / "headers" / name).glob("*.json"))]
    missing = pytest.param(None, marks=pytest.mark.skip(f"{REAL} is not there"), id="none")
    metafunc.parametrize("real_header", [pytest.param(p, id=p.stem) for p in paths] or [missing])
