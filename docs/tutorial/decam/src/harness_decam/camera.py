"""The focal plane of DECam."""

from __future__ import annotations

from functools import lru_cache

from harness.errors import HarnessError
from harness.instrument.camera import Amplifier, Camera, Detector, Purpose, RadialDistortion, Rect

PLATE_SCALE = 20.0  # REPLACE_ME: arcseconds per mm
PIXEL = 0.02  # REPLACE_ME: mm
COLUMNS, ROWS = 64, 128  # REPLACE_ME: pixels of one amplifier
PRESCAN, OVERSCAN, PARALLEL = 4, 16, 8  # REPLACE_ME: columns before and after them, rows above
GAIN, READ_NOISE, SATURATION = 1.5, 5.0, 60000.0  # REPLACE_ME: electrons per ADU, electrons, ADU
PITCH = 3.0  # REPLACE_ME: mm between the centres of detectors
PLACES = ((-0.5, -0.5), (0.5, -0.5), (-0.5, 0.5), (0.5, 0.5))  # REPLACE_ME: detectors, in units of the pitch
LARGEST_SCALE = 8


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
    if scale < 1 or scale > LARGEST_SCALE or COLUMNS % scale or ROWS % scale:
        raise HarnessError(f"DECam cannot be binned by {scale}", remedy="use 1, 2, 4 or 8", code="scale")
    nx, ny = 2 * COLUMNS // scale, ROWS // scale
    return Camera(
        name="DECam",
        plate_scale=PLATE_SCALE,
        distortion=RadialDistortion(coefficients=(0.0, 1.0)),  # REPLACE_ME: field angle is c1 r + c2 r² + …
        sky_parity=-1,  # REPLACE_ME: +1 if the sky is not mirrored on the focal plane
        detectors=tuple(
            Detector(
                id=number,
                name=f"S{number // 2}{number % 2}",
                raft=None,
                name_in_raft=f"S{number // 2}{number % 2}",
                serial=f"CCD-{number:03d}",
                purpose=Purpose.SCIENCE,
                nx=nx,
                ny=ny,
                x_mm=x * PITCH,
                y_mm=y * PITCH,
                yaw_deg=0.0,
                # the centre of a detector, in pixels that count from the centre of the first one
                ref_x=(nx - 1) / 2,
                ref_y=(ny - 1) / 2,
                pixel_mm=PIXEL * scale,
                amplifiers=_amplifiers(scale),
            )
            for number, (x, y) in enumerate(PLACES)
        ),
        source="made up",  # REPLACE_ME: where the numbers come from
    )


def _amplifiers(scale: int) -> tuple[Amplifier, ...]:
    """Lay out two amplifiers side by side: A is read towards the left, B towards the right, so it is mirrored."""
    nx, ny = COLUMNS // scale, ROWS // scale
    before, after, above = (max(2, n // scale) for n in (PRESCAN, OVERSCAN, PARALLEL))
    width, height = before + nx + after, ny + above
    out = []
    for k, name in enumerate("AB"):
        x0 = k * width
        out.append(
            Amplifier(
                name=name,
                bbox=Rect(x0=k * nx, y0=0, nx=nx, ny=ny),
                raw_bbox=Rect(x0=x0, y0=0, nx=width, ny=height),
                raw_data=Rect(x0=x0 + before, y0=0, nx=nx, ny=ny),
                raw_serial_overscan=Rect(x0=x0 + before + nx, y0=0, nx=after, ny=ny),
                raw_parallel_overscan=Rect(x0=x0 + before, y0=ny, nx=nx, ny=above),
                raw_prescan=Rect(x0=x0, y0=0, nx=before, ny=ny),
                flip_x=k == 1,
                gain=GAIN * scale,
                read_noise=READ_NOISE * scale,
                saturation=SATURATION,
            )
        )
    return tuple(out)
