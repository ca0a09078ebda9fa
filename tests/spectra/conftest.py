"""A camera with a disperser that resembles no real one: its trace runs obliquely over a detector that is turned."""

from __future__ import annotations

import dataclasses
import os
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from harness.cli.common import find_dataset
from harness.datasets.manifest import Dataset
from harness.instrument.base import HarnessInstrument
from harness.instrument.camera import Amplifier, Camera, Detector, Purpose, RadialDistortion, Rect
from harness.instrument.dispersion import Disperser
from harness.instrument.kit import Capability, InstrumentKit
from harness.plugins import Plugins
from harness.simulate.exposure import Simulator
from harness.simulate.scene import Sources
from harness.stages.campaign import merged_config, with_needs
from harness.stages.runner import Runner
from harness.stages.snapshots import SnapshotStore

NX, NY = 460, 420
DISPERSERS = {
    "clear~coarse": Disperser("coarse", 150.0, 180.0, -90.0, {0: 0.25, 1: 0.2, -1: 0.1}),
    "clear~oblique": Disperser("oblique", 120.0, 200.0, -125.0, {0: 0.2, 1: 0.3, -1: 0.02}),
    "clear~backward": Disperser("backward", 170.0, 180.0, 88.0, {0: 0.25, 1: 0.05, -1: 0.2}),
}


def make_camera(scale: int = 1) -> Camera:
    assert scale == 1
    amplifier = Amplifier(
        name="A",
        bbox=Rect(x0=0, y0=0, nx=NX, ny=NY),
        raw_bbox=Rect(x0=0, y0=0, nx=NX + 20, ny=NY),
        raw_data=Rect(x0=0, y0=0, nx=NX, ny=NY),
        raw_serial_overscan=Rect(x0=NX, y0=0, nx=20, ny=NY),
        gain=8.0,
        read_noise=20.0,
    )
    detector = Detector(
        id=3,
        name="only",
        raft=None,
        name_in_raft="only",
        serial="1",
        purpose=Purpose.SCIENCE,
        nx=NX,
        ny=NY,
        x_mm=0.7,
        y_mm=-0.3,
        yaw_deg=5.0,
        ref_x=(NX - 1) / 2,
        ref_y=(NY - 1) / 2,
        pixel_mm=0.08,
        amplifiers=(amplifier,),
    )
    return Camera(
        name="Slitless",
        plate_scale=10.0,
        sky_parity=1,
        distortion=RadialDistortion(coefficients=(0.0, 1.0)),
        source="made up",
        detectors=(detector,),
    )


class SlitlessInstrument(HarnessInstrument):
    visit_max = exposure_max = 1000
    detector_max = 10

    @classmethod
    def getName(cls):
        return "Slitless"

    @classmethod
    def camera(cls):
        return make_camera(1)

    @classmethod
    def filters(cls):
        return {"clear": "white", **dict.fromkeys(DISPERSERS, "white")}

    @classmethod
    def disperser(cls, physical_filter):
        return DISPERSERS.get(physical_filter)

    def getRawFormatter(self, dataId):
        raise NotImplementedError


@pytest.fixture(scope="session")
def toy_kit() -> InstrumentKit:
    return InstrumentKit(
        instrument_class=SlitlessInstrument,
        translator=type(None),
        make_camera=make_camera,
        capabilities=frozenset({Capability.IMAGES, Capability.SPECTRA}),
    )


@pytest.fixture(scope="session")
def toy_dataset() -> Dataset:
    def exposure(number: int, physical_filter: str, field: list[float], **more: object) -> dict[str, object]:
        return {
            "id": number,
            "filter": physical_filter,
            "begin": datetime(2024, 2, 1, 5, number),
            "exposure_time": 10.0,
            "ra": 10.0,
            "dec": -40.0,
            "sky_angle": 30.0,
            "seeing": 1.9,
            "settings": {"target_magnitude": 14.3, "target_field": field},
            "detectors": [3],
        } | more

    return Dataset(
        name="slitless",
        title="one detector behind dispersers",
        instrument="Slitless",
        seed=11,
        scale=1,
        calibrations=[{"label": "one", "begin": datetime(2024, 1, 1)}],
        exposures=[
            exposure(1, "clear~coarse", [12.0, 138.0]),
            exposure(2, "clear~oblique", [95.0, 130.0]),
            exposure(3, "clear~backward", [-30.0, 120.0]),
            exposure(4, "clear", [0.0, 0.0]),
        ],
        source=Path("slitless.toml"),
    )


@pytest.fixture(scope="session")
def simulator(toy_dataset: Dataset, toy_kit: InstrumentKit) -> Simulator:
    """Simulates with a few field stars, of which some lie near the traces."""
    rng = np.random.default_rng(4)
    n = 60
    nothing = np.zeros(n)
    stars = Sources(
        id=np.arange(n),
        ra=10 + rng.uniform(-0.055, 0.055, n) / np.cos(np.radians(40)),
        dec=-40 + rng.uniform(-0.055, 0.055, n),
        is_star=np.ones(n, bool),
        half_light_radius=nothing,
        axis_ratio=nothing + 1,
        position_angle=nothing,
        flux={"white": 10 ** (0.4 * (31.4 - rng.uniform(17.5, 23.0, n)))},
    )
    return Simulator(toy_dataset, toy_kit, stars)


@dataclasses.dataclass(frozen=True)
class Exposed:
    """A simulated dispersed exposure as instrument signature removal leaves it, nearly."""

    observation: object
    image: np.ndarray
    variance: np.ndarray
    usable: np.ndarray


@pytest.fixture(scope="session")
def expose(simulator: Simulator):
    """Light, photon noise and read noise of an exposure by id, in electrons."""
    made: dict[int, Exposed] = {}

    def make(number: int) -> Exposed:
        if number not in made:
            observation = next(o for o in simulator.dataset.observations if o.exposure == number)
            light = simulator.light(observation, 3)
            rng = np.random.default_rng(number)
            variance = light + 20.0**2
            image = light + np.sqrt(variance) * rng.standard_normal(light.shape)
            usable = np.ones(light.shape, bool)
            usable[rng.integers(0, NY, 300), rng.integers(0, NX, 300)] = False
            image[~usable] = 1e5  # what nobody may look at
            made[number] = Exposed(observation, image, variance, usable)
        return made[number]

    return make


@dataclasses.dataclass(frozen=True)
class Processed:
    """The repository of latiss_spectra after its pipeline."""

    repo: Path
    dataset: Dataset
    kit: InstrumentKit


@pytest.fixture(scope="session")
def processed(plugins: Plugins) -> Processed:
    """Snapshots are shared with all other tests, and kept."""
    store = SnapshotStore(Path(os.environ.get("HARNESS_WORK", Path(__file__).parents[2] / ".harness")) / "snapshots")
    known = {n: find_dataset(plugins, n) for n in ("latiss", "latiss_spectra")}
    datasets = with_needs([known["latiss_spectra"]], known)
    engine = plugins.find("engine", "inprocess")
    base = None
    for item in datasets:
        kit = plugins.find("instrument", item.instrument)
        config = merged_config([kit])
        runner = Runner(plugins, item, kit, engine, store, base=base, repository_config=config)
        last = "process" if item is datasets[-1] else runner.graph.ready
        snapshot = runner.build(last)
        base = runner.reached(last)
    return Processed(snapshot.repo, item, kit)
