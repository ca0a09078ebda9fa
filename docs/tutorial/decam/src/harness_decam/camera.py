"""The focal plane of DECam."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from harness.errors import HarnessError
from harness.instrument.camera import Amplifier, Camera, Detector, Purpose, RadialDistortion, Rect

PLATE_SCALE = 17.575  # arcseconds per mm: 0.2637″ per pixel at the centre of the field
PIXEL = 0.015  # mm
COLUMNS, ROWS = 1024, 4096  # pixels of one amplifier
PRESCAN, OVERSCAN, PARALLEL = 6, 50, 50  # columns at the outer edge and next to the pixels; rows below
GAIN, READ_NOISE, SATURATION = 4.0, 7.0, 44000.0  # electrons per ADU, electrons, ADU: nominal, the same for all
PITCH = (33.816, 63.890)  # mm between the centres of CCDs
COLUMN_HEIGHTS = (7, 6, 6, 5, 4, 3)  # CCDs in each column of CCDs, from the middle outwards
OUTWARDS = {"S": 1, "N": -1}  # the sign of x
LARGEST_SCALE = 16


def places() -> Iterator[tuple[str, float, float]]:
    """Yield name and centre (mm) of each CCD in the order of CCDNUM: S31 … S1 by columns, then N1 … N31."""
    for half, columns in (("S", range(5, -1, -1)), ("N", range(6))):
        for column in columns:
            height = COLUMN_HEIGHTS[column]
            first = sum(COLUMN_HEIGHTS[:column]) + 1
            for row in range(height):
                x = OUTWARDS[half] * (column + 0.5) * PITCH[0]
                yield f"{half}{first + row}", x, ((height - 1) / 2 - row) * PITCH[1]


@lru_cache(maxsize=8)
def make_camera(scale: int = 1) -> Camera:
    """Make the camera, its pixels binned.

    Parameters
    ----------
    scale : `int`, optional
        Pixels to combine along each axis. Gain and read noise grow with it, so that images look alike in ADU.

    Raises
    ------
    HarnessError
        If the pixels of an amplifier cannot be binned so.
    """
    if scale < 1 or scale > LARGEST_SCALE or COLUMNS % scale:
        raise HarnessError(f"DECam cannot be binned by {scale}", remedy="use 1, 2, 4, 8 or 16", code="scale")
    nx, ny = 2 * COLUMNS // scale, ROWS // scale
    return Camera(
        name="DECam",
        plate_scale=PLATE_SCALE,
        distortion=RadialDistortion(coefficients=(0.0, 1.0)),
        sky_parity=1,
        detectors=tuple(
            Detector(
                id=number,
                name=name,
                raft=name[0],
                name_in_raft=name[1:],
                serial=f"CCD{number:02d}",
                purpose=Purpose.SCIENCE,
                nx=nx,
                ny=ny,
                x_mm=x,
                y_mm=y,
                yaw_deg=0.0,
                ref_x=(nx - 1) / 2,
                ref_y=(ny - 1) / 2,
                pixel_mm=PIXEL * scale,
                amplifiers=_amplifiers(scale),
            )
            for number, (name, x, y) in enumerate(places(), 1)
        ),
        source="CCD position table of J. Hao (FNAL, 2010); plate scale nominal, distortion left out",
    )


def _amplifiers(scale: int) -> tuple[Amplifier, ...]:
    """Lay out A on the left, B on the right: prescan, overscan, pixels | pixels, overscan, prescan."""
    nx, ny = COLUMNS // scale, ROWS // scale
    before, over, below = (max(1, n // scale) for n in (PRESCAN, OVERSCAN, PARALLEL))
    width, height = before + over + nx, below + ny
    out = []
    for k, name in enumerate("AB"):
        x0 = k * width
        data, overscan, prescan = (
            (x0 + before + over, x0 + before, x0) if name == "A" else (x0, x0 + nx, x0 + nx + over)
        )
        out.append(
            Amplifier(
                name=name,
                bbox=Rect(x0=k * nx, y0=0, nx=nx, ny=ny),
                raw_bbox=Rect(x0=x0, y0=0, nx=width, ny=height),
                raw_data=Rect(x0=data, y0=below, nx=nx, ny=ny),
                raw_serial_overscan=Rect(x0=overscan, y0=below, nx=over, ny=ny),
                raw_parallel_overscan=Rect(x0=data, y0=0, nx=nx, ny=below),
                raw_prescan=Rect(x0=prescan, y0=below, nx=before, ny=ny),
                gain=GAIN * scale,
                read_noise=READ_NOISE * scale,
                saturation=SATURATION,
            )
        )
    return tuple(out)
