from __future__ import annotations

import pytest

from harness.instrument.camera import (
    Amplifier,
    Camera,
    Detector,
    PolynomialDistortion,
    Purpose,
    RadialDistortion,
    Rect,
)


def _detector(id_: int, x_mm: float, y_mm: float, yaw: float) -> Detector:
    """Two amplifiers of 6 × 8 pixels: one as it is, one turned both ways; 2 columns and 1 row of overscan."""
    return Detector(
        id=id_,
        name=f"R_S{id_}",
        raft="R",
        name_in_raft=f"S{id_}",
        serial=str(id_),
        purpose=Purpose.SCIENCE,
        nx=12,
        ny=8,
        x_mm=x_mm,
        y_mm=y_mm,
        yaw_deg=yaw,
        ref_x=5.5,
        ref_y=3.5,
        pixel_mm=1.0,
        amplifiers=(
            Amplifier(
                name="A",
                bbox=Rect(x0=0, y0=0, nx=6, ny=8),
                raw_bbox=Rect(x0=0, y0=0, nx=8, ny=9),
                raw_data=Rect(x0=0, y0=0, nx=6, ny=8),
                raw_serial_overscan=Rect(x0=6, y0=0, nx=2, ny=8),
                raw_parallel_overscan=Rect(x0=0, y0=8, nx=6, ny=1),
                gain=1.5,
                read_noise=5.0,
            ),
            Amplifier(
                name="B",
                bbox=Rect(x0=6, y0=0, nx=6, ny=8),
                raw_bbox=Rect(x0=8, y0=0, nx=8, ny=9),
                raw_data=Rect(x0=8, y0=1, nx=6, ny=8),
                raw_serial_overscan=Rect(x0=14, y0=1, nx=2, ny=8),
                flip_x=True,
                flip_y=True,
                gain=2.5,
                read_noise=6.0,
            ),
        ),
    )


_DISTORTIONS = {
    "none": RadialDistortion(coefficients=(0.0, 1.0)),
    "radial": RadialDistortion(coefficients=(0.0, 1.0, 0.0, 2e-7, 0.0, -1e-13)),
    # Asymmetric and of full rank, so that exchanged axes or orders show.
    "polynomial": PolynomialDistortion(
        order=3,
        unit_mm=10.0,
        x_coefficients=(1e-3, 2e-4, -1e-4, 3e-5, 1.01, 4e-4, 1e-5, -2e-4, 2e-5, 1e-5),
        y_coefficients=(-2e-3, 0.99, 3e-4, -1e-5, 1e-4, -3e-4, 2e-5, 1e-4, 3e-5, -2e-5),
    ),
}


@pytest.fixture(scope="session", params=list(_DISTORTIONS))
def camera(request: pytest.FixtureRequest) -> Camera:
    """An invented camera of three detectors, with each kind of optics."""
    return Camera(
        name="Toy",
        plate_scale=20.0,
        distortion=_DISTORTIONS[request.param],
        detectors=(_detector(0, 0.0, 0.0, 0.0), _detector(1, 80.0, -60.0, 90.0), _detector(7, -50.0, 90.0, 181.3)),
        source="invented",
    )
