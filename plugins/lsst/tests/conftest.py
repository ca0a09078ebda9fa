from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.time import Time

from harness.datasets.observations import Observation
from harness.instrument.camera import Detector
from harness.instrument.kit import InstrumentKit

Kits = Mapping[str, InstrumentKit]


@pytest.fixture(scope="session")
def kits() -> Kits:
    from harness_lsst.plugin import harness_instruments

    return {kit.name: kit for kit in harness_instruments()}


@pytest.fixture(scope="session")
def data() -> Path:
    return Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def real() -> Path:
    """Real headers and files, which are not part of the repository."""
    folder = Path(os.environ.get("HARNESS_REAL", Path(__file__).parents[4] / "shared/real"))
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    return folder


FILTERS = {"LATISS": "SDSSr_65mm~empty", "LSSTComCam": "g_01", "LSSTComCamSim": "r_03", "LSSTCam": "i_39"}


@pytest.fixture(scope="session")
def observe() -> Callable[..., Observation]:
    """Makes an observation of an instrument, with all that can be said of one."""

    def make(instrument: str, **changes: Any) -> Observation:
        values: dict[str, Any] = {
            "instrument": instrument,
            "exposure": 2025112100156,
            "physical_filter": FILTERS[instrument],
            "begin": Time("2025-11-22T03:26:01.475", scale="tai"),
            "exposure_time": 30.0,
            "ra": 10.722205398359963,
            "dec": -47.6644971144605,
            "sky_angle": 290.31522740370315,
            "seeing": 0.8,
            "detectors": (0,),
            "target": "a field",
            "program": "BLOCK-407",
            "reason": "field_survey_science",
            "group": "2025-11-22T03:25:16.951",
            "snap": (1, 2),
            "focus": -0.75,
        }
        return Observation(**values | changes)

    return make


@pytest.fixture(scope="session")
def patterns() -> Callable[[Detector], dict[str, np.ndarray[Any, np.dtype[np.uint16]]]]:
    """Makes raw pixels that tell their amplifier, row and column."""

    def make(detector: Detector) -> dict[str, np.ndarray[Any, np.dtype[np.uint16]]]:
        out = {}
        for i, a in enumerate(detector.amplifiers):
            rows, columns = np.mgrid[: a.raw_bbox.ny, : a.raw_bbox.nx]
            out[a.name] = (4000 * i + 31 * (rows % 64) + columns).astype(np.uint16)
        return out

    return make


@pytest.fixture(scope="session")
def write(kits: Kits, patterns: Callable[[Detector], Any]) -> Callable[..., Path]:
    """Writes one raw of such pixels."""

    def make(folder: Path, observation: Observation, detector: int, scale: int = 16) -> Path:
        kit = kits[observation.instrument]
        item = kit.make_camera(scale)[detector]
        assert kit.write_raw is not None
        return kit.write_raw(folder, observation, item, patterns(item), scale)

    return make
