"""A camera out of focus that resembles no real one: the extra-focal sensor has the larger id, and both are turned."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from harness.cli.common import find_dataset
from harness.datasets.manifest import Dataset
from harness.instrument.base import HarnessInstrument
from harness.instrument.camera import Amplifier, Camera, Detector, Purpose, RadialDistortion, Rect
from harness.instrument.kit import Capability, InstrumentKit
from harness.instrument.optics import Optics
from harness.plugins import Plugins
from harness.simulate.exposure import Simulator
from harness.simulate.scene import Sources
from harness.stages.campaign import merged_config
from harness.stages.runner import Runner
from harness.stages.snapshots import SnapshotStore

SHARED = Path(__file__).parents[2] / ".." / "shared"
NX, NY = 240, 220
OPTICS = Optics(f_number=2.0, obscuration=0.45, focus_offset_mm=1.2, focus_sign=-1, source="made up")


def detector(id_: int, x_mm: float, yaw: float, z_mm: float) -> Detector:
    return Detector(
        id=id_,
        name=f"T_{id_}",
        raft="T" if z_mm else "S",
        name_in_raft=str(id_),
        serial=str(id_),
        purpose=Purpose.WAVEFRONT if z_mm else Purpose.SCIENCE,
        nx=NX,
        ny=NY,
        x_mm=x_mm,
        y_mm=-2.0,
        z_mm=z_mm,
        yaw_deg=yaw,
        ref_x=(NX - 1) / 2,
        ref_y=(NY - 1) / 2,
        pixel_mm=0.04,
        amplifiers=(
            Amplifier(
                name="A",
                bbox=Rect(x0=0, y0=0, nx=NX, ny=NY),
                raw_bbox=Rect(x0=0, y0=0, nx=NX + 20, ny=NY),
                raw_data=Rect(x0=0, y0=0, nx=NX, ny=NY),
                raw_serial_overscan=Rect(x0=NX, y0=0, nx=20, ny=NY),
                gain=20.0,
                read_noise=30.0,
            ),
        ),
    )


def make_camera(scale: int = 1) -> Camera:
    assert scale == 1
    return Camera(
        name="Blurred",
        plate_scale=20.0,
        distortion=RadialDistortion(coefficients=(0.0, 1.0)),
        optics=OPTICS,
        source="made up",
        detectors=(
            detector(3, 0.0, 0.0, 0.0),
            detector(7, -15.0, 70.0, 1.2),
            detector(8, 15.0, -110.0, -1.2),
        ),
    )


class BlurredInstrument(HarnessInstrument):
    visit_max = exposure_max = 1000
    detector_max = 10

    @classmethod
    def getName(cls):
        return "Blurred"

    @classmethod
    def camera(cls):
        return make_camera(1)

    @classmethod
    def filters(cls):
        return {"clear": "white"}

    def getRawFormatter(self, dataId):
        raise NotImplementedError


@pytest.fixture(scope="session")
def toy_camera() -> Camera:
    return make_camera()


@pytest.fixture(scope="session")
def toy_kit() -> InstrumentKit:
    return InstrumentKit(
        instrument_class=BlurredInstrument,
        translator=type(None),
        make_camera=make_camera,
        capabilities=frozenset({Capability.IMAGES, Capability.WAVEFRONT}),
    )


@pytest.fixture(scope="session")
def toy_dataset() -> Dataset:
    def exposure(number: int, **more: object) -> dict[str, object]:
        return {
            "id": number,
            "filter": "clear",
            "begin": datetime(2024, 2, 1, 5, number),
            "exposure_time": 10.0,
            "ra": 10.0,
            "dec": -40.0,
            "sky_angle": 30.0,
            "seeing": 0.9,
            "detectors": [3],
        } | more

    return Dataset(
        name="blurred",
        title="in and out of focus",
        instrument="Blurred",
        seed=11,
        scale=1,
        calibrations=[{"label": "one", "begin": datetime(2024, 1, 1)}],
        exposures=[
            exposure(1, detectors=[7, 8]),
            exposure(2, type="cwfs", group="pair", focus=1.2),
            exposure(3, type="cwfs", group="pair", focus=-1.2),
            exposure(4),
        ],
        source=Path("blurred.toml"),
    )


@pytest.fixture(scope="session")
def simulator(toy_dataset: Dataset, toy_kit: InstrumentKit) -> Simulator:
    """Simulates some bright stars, well apart, and many faint ones."""
    rng = np.random.default_rng(4)
    camera = toy_kit.camera
    ra, dec = [], []
    from harness.simulate.scene import pointing

    at = pointing(camera, toy_dataset.observations[0])
    for item in camera.detectors:
        x, y = np.array([60.3, 170.8, 110.2]), np.array([60.9, 70.1, 160.5])
        found = at.pixel_to_sky(camera, item.id, x, y)
        ra += [*found[0]]
        dec += [*found[1]]
    n = 150
    ra += [*(10 + rng.uniform(-0.15, 0.15, n) / np.cos(np.radians(40)))]
    dec += [*(-40 + rng.uniform(-0.15, 0.15, n))]
    magnitude = np.append(np.full(9, 13.0), rng.uniform(19.0, 22.0, n))
    total = len(ra)
    nothing = np.zeros(total)
    stars = Sources(
        id=np.arange(total),
        ra=np.array(ra),
        dec=np.array(dec),
        is_star=np.ones(total, bool),
        half_light_radius=nothing,
        axis_ratio=nothing + 1,
        position_angle=nothing,
        flux={"white": 10 ** (0.4 * (31.4 - magnitude))},
    )
    return Simulator(toy_dataset, toy_kit, stars)


@pytest.fixture(scope="session")
def post_isr(simulator: Simulator) -> Callable[[int, int], object]:
    """An image as instrument signature removal leaves it, nearly."""
    from astro_metadata_translator import makeObservationInfo
    from astropy import units
    from lsst.images import Image, MaskedImage

    from harness.drp.planes import VISIT_SCHEMA

    def make(exposure: int, detector_id: int) -> MaskedImage:
        observation = next(o for o in simulator.dataset.observations if o.exposure == exposure)
        light = simulator.light(observation, detector_id)
        rng = np.random.default_rng(exposure * 10 + detector_id)
        variance = light + 30.0**2
        image = light + np.sqrt(variance) * rng.standard_normal(light.shape)
        info = makeObservationInfo(exposure_id=exposure, focus_z=observation.focus * units.mm)
        return MaskedImage(
            Image(image.astype(np.float32), unit=units.electron),
            mask_schema=VISIT_SCHEMA,
            variance=Image(variance.astype(np.float32), unit=units.electron**2),
            metadata={"OBS_INFO": info.to_json()},
        )

    return make


@dataclasses.dataclass(frozen=True)
class Processed:
    """The repository of lsstcam_wavefront after its pipeline."""

    snapshot: Callable[[str], Path]
    """Repository after a stage."""
    dataset: Dataset
    kit: InstrumentKit


@pytest.fixture(scope="session")
def processed() -> Processed:
    """Snapshots are shared with all other tests, and kept."""
    from harness.plugins import load_plugins

    plugins: Plugins = load_plugins()
    store = SnapshotStore(Path(os.environ.get("HARNESS_WORK", Path(__file__).parents[2] / ".harness")) / "snapshots")
    dataset = find_dataset(plugins, "lsstcam_wavefront")
    kit = plugins.find("instrument", dataset.instrument)
    engine = plugins.find("engine", "inprocess")
    runner = Runner(plugins, dataset, kit, engine, store, repository_config=merged_config([kit]))
    return Processed(lambda stage: runner.build(stage).repo, dataset, kit)


@pytest.fixture(scope="session")
def raws(processed: Processed) -> Path:
    """The simulated raw files of lsstcam_wavefront."""
    return processed.snapshot("simulate").parent / "outputs" / "raws"


@pytest.fixture(scope="session")
def real_fits() -> Path:
    """Real files of the observatory, where they are at hand."""
    folder = SHARED / "real" / "fits"
    if not folder.is_dir():
        pytest.skip("no real files beside the checkout")
    return folder


@pytest.fixture(scope="session")
def lsstcam_facts() -> dict:
    path = SHARED / "facts" / "lsstCam.json"
    if not path.is_file():
        pytest.skip("no facts beside the checkout")
    return json.loads(path.read_text())
