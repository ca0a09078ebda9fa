"""The focal plane of Hyper Suprime-Cam."""

from __future__ import annotations

import json
import math
from functools import lru_cache
from importlib import resources
from typing import Any

from harness.errors import HarnessError
from harness.instrument.camera import Amplifier, Camera, Detector, PolynomialDistortion, Purpose, Rect

__all__ = ["make_camera"]

# Columns and rows of one amplifier in a raw file, from the T_EF* and T_OS* keys of a real header.
_AMPLIFIERS = 4
_PRESCAN_COLUMNS = 8
_OVERSCAN_COLUMNS = 16
_PRESCAN_ROWS = 49
_OVERSCAN_ROWS = 16

_ROTATED = frozenset({100, 101, 102, 103})
"""Detectors at ±90°, read out top to bottom rather than left to right."""


@lru_cache(maxsize=1)
def _data() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("data/camera.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


@lru_cache(maxsize=8)
def make_camera(scale: int = 1) -> Camera:
    """Make the camera, its pixels binned.

    Parameters
    ----------
    scale : `int`, optional
        Pixels to combine along each axis. Gain (e/ADU) and read noise (e) grow with it, so that the noise of sky
        and readout in ADU stays what it is unbinned and a star saturates at about the same magnitude.

    Returns
    -------
    camera : `~harness.instrument.camera.Camera`
        112 detectors of 2048/scale × 4176/scale pixels. Prescan and overscan keep at least 2 and 4 binned
        columns, so that a bias level can be measured.

    Raises
    ------
    HarnessError
        If the pixels of an amplifier cannot be binned by ``scale``.
    """
    data = _data()
    columns, rows = data["columns"] // _AMPLIFIERS, data["rows"]
    largest = math.gcd(columns, rows)
    if scale < 1 or largest % scale:
        raise HarnessError(
            f"HSC cannot be binned by {scale}",
            remedy=f"use one of {', '.join(str(n) for n in range(1, largest + 1) if largest % n == 0)}",
            code="scale",
        )
    ref_x, ref_y = ((r + 0.5) / scale - 0.5 for r in data["reference_pixel"])
    detectors = []
    for row in data["detectors"]:
        item = dict(zip(data["detector_columns"], row, strict=True))
        raft, _, name_in_raft = item["name"].partition("_")
        detectors.append(
            Detector(
                id=item["id"],
                name=item["name"],
                raft=raft,
                name_in_raft=name_in_raft,
                serial=item["serial"],
                purpose=Purpose(item["purpose"]),
                physical_type="HPK",
                nx=columns * _AMPLIFIERS // scale,
                ny=rows // scale,
                x_mm=item["x_mm"],
                y_mm=item["y_mm"],
                yaw_deg=item["yaw_deg"],
                ref_x=ref_x,
                ref_y=ref_y,
                pixel_mm=data["pixel_mm"] * scale,
                amplifiers=_amplifiers(item, columns // scale, rows // scale, scale, data["saturation_adu"]),
            )
        )
    return Camera(
        name="HSC",
        plate_scale=data["plate_scale_arcsec_per_mm"],
        distortion=PolynomialDistortion(
            order=data["distortion_order"],
            unit_mm=data["pixel_mm"],
            x_coefficients=tuple(data["distortion_x"]),
            y_coefficients=tuple(data["distortion_y"]),
        ),
        detectors=tuple(detectors),
        source=data["source"],
    )


def _amplifiers(item: dict[str, Any], nx: int, ny: int, scale: int, saturation: float) -> tuple[Amplifier, ...]:
    """Lay out the four amplifiers: prescan outside, overscan towards the readout of the neighbour."""
    pre, over = _few(_PRESCAN_COLUMNS, scale, 2), _few(_OVERSCAN_COLUMNS, scale, 4)
    below, above = _few(_PRESCAN_ROWS, scale, 2), _few(_OVERSCAN_ROWS, scale, 4)
    width, height = pre + nx + over, below + ny + above
    rotated = item["id"] in _ROTATED
    out = []
    for k in range(_AMPLIFIERS):
        x0 = k * width
        # Amplifiers 1 and 3 are read towards the left, 2 and 4 towards the right: their sections mirror.
        mirrored = k % 2 == 1
        data_x0 = x0 + (over if mirrored else pre)
        out.append(
            Amplifier(
                name=str(k + 1),
                bbox=Rect(x0=(k if rotated else _AMPLIFIERS - 1 - k) * nx, y0=0, nx=nx, ny=ny),
                raw_bbox=Rect(x0=x0, y0=0, nx=width, ny=height),
                raw_data=Rect(x0=data_x0, y0=below, nx=nx, ny=ny),
                raw_serial_overscan=Rect(x0=x0 if mirrored else data_x0 + nx, y0=below, nx=over, ny=ny),
                raw_parallel_overscan=Rect(x0=data_x0, y0=below + ny, nx=nx, ny=above),
                raw_prescan=Rect(x0=data_x0 + nx if mirrored else x0, y0=below, nx=pre, ny=ny),
                flip_x=not rotated,
                flip_y=rotated,
                gain=item["gains"][k] * scale,
                read_noise=item["read_noises"][k] * scale,
                saturation=saturation,
            )
        )
    return tuple(out)


def _few(pixels: int, scale: int, least: int) -> int:
    return max(least, pixels // scale)
