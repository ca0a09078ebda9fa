"""A camera that resembles no real one: two detectors, amplifiers mirrored along x in one and along y in the other."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from harness.datasets.manifest import Dataset
from harness.instrument.base import HarnessInstrument
from harness.instrument.camera import Amplifier, Camera, Detector, Purpose, RadialDistortion, Rect
from harness.instrument.kit import Capability, InstrumentKit
from harness.simulate.exposure import Simulator
from harness.simulate.scene import Sources

NX, NY = 120, 100


def side_by_side() -> tuple[Amplifier, ...]:
    return (
        Amplifier(
            name="A",
            bbox=Rect(x0=0, y0=0, nx=60, ny=NY),
            raw_bbox=Rect(x0=0, y0=0, nx=80, ny=NY + 6),
            raw_prescan=Rect(x0=0, y0=0, nx=4, ny=NY),
            raw_data=Rect(x0=4, y0=0, nx=60, ny=NY),
            raw_serial_overscan=Rect(x0=64, y0=0, nx=16, ny=NY),
            raw_parallel_overscan=Rect(x0=4, y0=NY, nx=60, ny=6),
            gain=2.0,
            read_noise=8.0,
        ),
        Amplifier(
            name="B",
            bbox=Rect(x0=60, y0=0, nx=60, ny=NY),
            raw_bbox=Rect(x0=80, y0=0, nx=80, ny=NY + 6),
            raw_prescan=Rect(x0=156, y0=0, nx=4, ny=NY),
            raw_data=Rect(x0=96, y0=0, nx=60, ny=NY),
            raw_serial_overscan=Rect(x0=80, y0=0, nx=16, ny=NY),
            raw_parallel_overscan=Rect(x0=96, y0=NY, nx=60, ny=6),
            flip_x=True,
            gain=3.0,
            read_noise=12.0,
            saturation=40000.0,
        ),
    )


def stacked() -> tuple[Amplifier, ...]:
    """One amplifier per HDU, put on top of each other when they are read."""
    return tuple(
        Amplifier(
            name=name,
            bbox=Rect(x0=0, y0=50 * hdu, nx=NX, ny=50),
            raw_bbox=Rect(x0=0, y0=50 * hdu, nx=NX + 10, ny=50),
            raw_data=Rect(x0=0, y0=50 * hdu, nx=NX, ny=50),
            raw_serial_overscan=Rect(x0=NX, y0=50 * hdu, nx=10, ny=50),
            flip_y=bool(hdu),
            extension=name,
            gain=1.5,
            read_noise=5.0,
        )
        for hdu, name in enumerate(("lower", "upper"))
    )


def make_camera(scale: int = 1) -> Camera:
    assert scale == 1
    common = {"raft": None, "nx": NX, "ny": NY, "ref_x": 59.5, "ref_y": 49.5, "pixel_mm": 0.03}
    return Camera(
        name="Toy",
        plate_scale=10.0,
        distortion=RadialDistortion(coefficients=(0.0, 1.0, 0.0, 1e-4)),
        source="made up",
        detectors=(
            Detector(
                id=0,
                name="left",
                name_in_raft="left",
                serial="1",
                purpose=Purpose.SCIENCE,
                x_mm=-10.0,
                y_mm=3.0,
                yaw_deg=0.0,
                amplifiers=side_by_side(),
                **common,
            ),
            Detector(
                id=7,
                name="turned",
                name_in_raft="turned",
                serial="2",
                purpose=Purpose.SCIENCE,
                x_mm=12.0,
                y_mm=-4.0,
                yaw_deg=90.0,
                amplifiers=stacked(),
                **common,
            ),
        ),
    )


class ToyInstrument(HarnessInstrument):
    visit_max = exposure_max = 1000
    detector_max = 10

    @classmethod
    def getName(cls):
        return "Toy"

    @classmethod
    def camera(cls):
        return make_camera(1)

    @classmethod
    def filters(cls):
        return {"Toy-R": "r", "Toy-I": "i"}

    def getRawFormatter(self, dataId):
        raise NotImplementedError


def write_raw(folder: Path, observation, detector, pixels, scale) -> Path:
    path = folder / f"{observation.exposure}-{detector.id}.fits"
    path.write_bytes(b"".join(pixels[a.name].tobytes() for a in detector.amplifiers))
    return path


@pytest.fixture(scope="session")
def toy_kit() -> InstrumentKit:
    return InstrumentKit(
        instrument_class=ToyInstrument,
        translator=type(None),
        make_camera=make_camera,
        write_raw=write_raw,
        capabilities=frozenset({Capability.IMAGES}),
    )


@pytest.fixture(scope="session")
def toy_dataset() -> Dataset:
    def exposure(number: int, physical_filter: str, begin: datetime, **more: object) -> dict[str, object]:
        return {
            "id": number,
            "filter": physical_filter,
            "begin": begin,
            "exposure_time": 30.0,
            "ra": 10.0,
            "dec": 40.0,
            "sky_angle": 30.0,
            "seeing": 0.9,
            "detectors": [0, 7],
        } | more

    return Dataset(
        name="toy",
        title="two detectors",
        instrument="Toy",
        seed=5,
        scale=1,
        skymap={"kind": "discrete", "name": "toy", "ra": 10.0, "dec": 40.0, "radius": 0.2},
        refcat={"name": "toy"},
        calibrations=[
            {"label": "one", "begin": datetime(2020, 1, 1), "end": datetime(2020, 6, 1)},
            {"label": "two", "begin": datetime(2020, 6, 1)},
        ],
        processing={"pipeline": "DRP"},
        exposures=[
            exposure(101, "Toy-R", datetime(2020, 2, 1, 5)),
            exposure(102, "Toy-I", datetime(2020, 7, 1, 5)),
            exposure(103, "Toy-R", datetime(2020, 2, 1, 6), type="bias", exposure_time=0.0),
        ],
        source=Path("toy.toml"),
    )


def sources(ra, dec, flux, *, r_half=0.0, axis_ratio=1.0, angle=0.0) -> Sources:
    """Sources of one flux per band; stars where ``r_half`` is 0."""
    ra, dec, flux, r_half = np.broadcast_arrays(*(np.atleast_1d(np.asarray(v, float)) for v in (ra, dec, flux, r_half)))
    n = len(ra)
    return Sources(
        id=np.arange(n),
        ra=ra.copy(),
        dec=dec.copy(),
        is_star=r_half == 0,
        half_light_radius=r_half.copy(),
        axis_ratio=np.full(n, axis_ratio),
        position_angle=np.full(n, angle),
        flux={"r": flux.copy(), "i": 2 * flux},
    )


@pytest.fixture(scope="session")
def make_sources():
    return sources


@pytest.fixture(scope="session")
def empty_sky(toy_dataset, toy_kit) -> Simulator:
    """A simulator without sources."""
    return Simulator(toy_dataset, toy_kit, sources([], [], []))
