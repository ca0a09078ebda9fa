from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.time import Time

from harness.datasets.observations import Observation
from harness.instrument.kit import InstrumentKit


@pytest.fixture(scope="session")
def kit() -> InstrumentKit:
    from harness_hsc.plugin import harness_instruments

    (kit,) = harness_instruments()
    return kit


@pytest.fixture(scope="session")
def data() -> Path:
    return Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def real() -> Path:
    """Real headers, which are not part of the repository."""
    folder = Path(os.environ.get("HARNESS_REAL", Path(__file__).parents[4] / "shared/real"))
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    return folder


@pytest.fixture(scope="session")
def observe() -> Callable[..., Observation]:
    """Makes an observation: the real exposure 904024, unless told otherwise."""

    def make(**changes: Any) -> Observation:
        values: dict[str, Any] = {
            "instrument": "HSC",
            "exposure": 904024,
            "physical_filter": "HSC-I",
            "begin": Time("2013-11-02T06:16:30.908", scale="tai"),
            "exposure_time": 30.0,
            "ra": 320.74992499999996,
            "dec": 0.5000194444444445,
            "sky_angle": 270.0,
            "seeing": 0.6,
            "detectors": (50,),
            "target": "STRIPE82L",
            "program": "o13015",
        }
        return Observation(**values | changes)

    return make


@pytest.fixture(scope="session")
def write(kit: InstrumentKit) -> Callable[..., Path]:
    """Writes one raw, each pixel telling its amplifier and place."""

    def make(folder: Path, observation: Observation, detector: int, scale: int = 16) -> Path:
        item = kit.make_camera(scale)[detector]
        pixels = {
            a.name: (
                1000 * int(a.name) + np.arange(a.raw_bbox.ny * a.raw_bbox.nx).reshape(a.raw_bbox.ny, a.raw_bbox.nx)
            ).astype(np.uint16)
            for a in item.amplifiers
        }
        return kit.write_raw(folder, observation, item, pixels, scale)

    return make
