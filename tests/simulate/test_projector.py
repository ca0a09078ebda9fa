"""What a camera sees of a collimated beam projector: as many electrons as the charge says, where they should be."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from harness.errors import HarnessError
from harness.instrument.camera import Amplifier, Camera, Detector, Purpose, RadialDistortion, Rect
from harness.simulate.projector import COUPLING, ELEMENTARY_CHARGE, projected, shines, spot_electrons, throughput


@dataclasses.dataclass
class Exposure:
    settings: dict
    exposure: int = 7
    instrument: str = "Cam"
    observation_type: str = "cbp"
    exposure_time: float = 0.0


@pytest.fixture
def simulator() -> SimpleNamespace:
    box = Rect(x0=0, y0=0, nx=200, ny=150)
    amplifier = Amplifier(
        name="A", bbox=box, raw_bbox=box, raw_data=box, raw_serial_overscan=box, gain=10.0, read_noise=5.0
    )
    detector = Detector(
        id=0, name="D", raft=None, name_in_raft="D", serial="1", purpose=Purpose.SCIENCE, nx=200, ny=150,
        x_mm=0.0, y_mm=0.0, yaw_deg=0.0, ref_x=99.5, ref_y=74.5, pixel_mm=0.1, amplifiers=(amplifier,),
    )  # fmt: skip
    distortion = RadialDistortion(coefficients=(0.0, 1.0))
    return SimpleNamespace(
        camera=Camera(name="Cam", plate_scale=1.0, distortion=distortion, detectors=(detector,), source="")
    )


def test_all_light_is_in_the_spots(simulator) -> None:
    settings = {"wavelength": 600.0, "charge": 1e-8, "spots": [-3.03, 2.01, 4.0, -1.5]}
    image = projected(simulator, Exposure(settings), 0)
    assert image.sum() == pytest.approx(spot_electrons(600.0, 1e-8), rel=1e-12)
    assert spot_electrons(600.0, 1e-8) == pytest.approx(float(throughput(600.0)) * 1e-8 / ELEMENTARY_CHARGE * COUPLING)
    y, x = np.mgrid[:150, :200]
    left = x < 100
    assert image[left].sum() == pytest.approx(image.sum() / 2, rel=1e-12)
    assert np.average(x[left], weights=image[left]) == pytest.approx(99.5 - 30.3, abs=0.05)
    assert np.average(y[left], weights=image[left]) == pytest.approx(74.5 + 20.1, abs=0.05)


def test_a_spot_across_an_edge_loses_what_lies_beyond(simulator) -> None:
    image = projected(simulator, Exposure({"wavelength": 600.0, "charge": 1e-8, "spots": [-10.0, 0.0]}), 0)
    assert 0.3 < image.sum() / spot_electrons(600.0, 1e-8) < 0.7


def test_stray_light_grows_with_time(simulator) -> None:
    settings = {"wavelength": 600.0, "charge": 0.0}
    short, long = (projected(simulator, Exposure(settings, exposure_time=t), 0) for t in (10.0, 30.0))
    assert long == pytest.approx(3 * short)
    assert short.min() > 0


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"charge": 1e-8}, "wavelength"),
        ({"wavelength": 600.0}, "charge"),
        ({"wavelength": 600.0, "charge": 1e-8, "spots": [1.0]}, "coordinates"),
        ({"wavelength": 600.0, "charge": 1e-5}, "saturate"),
    ],
)
def test_what_cannot_be_is_named(simulator, settings: dict, word: str) -> None:
    with pytest.raises(HarnessError, match=word):
        projected(simulator, Exposure(settings), 0)


def test_only_exposures_of_the_projector_see_it(simulator) -> None:
    assert shines(simulator, Exposure({}))
    assert not shines(simulator, Exposure({}, observation_type="flat"))
