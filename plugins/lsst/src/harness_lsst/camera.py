"""The focal planes of LATISS, LSSTComCam and LSSTCam."""

from __future__ import annotations

import itertools
import json
from functools import lru_cache
from importlib import resources
from typing import Any

from harness.errors import HarnessError
from harness.instrument.camera import Amplifier, Camera, Detector, Purpose, RadialDistortion, Rect
from harness.instrument.optics import Optics

__all__ = ["LARGEST_SCALE", "make_comcam", "make_latiss", "make_lsstcam", "segment"]

LARGEST_SCALE = 32
"""Coarsest binning: an amplifier then has 15 columns."""

_AMPLIFIERS_PER_ROW = 8


def make_latiss(scale: int = 1) -> Camera:
    """Make the camera of the auxiliary telescope, one detector, its pixels binned; see `make_lsstcam`."""
    return _make("latiss", scale)


def make_comcam(scale: int = 1) -> Camera:
    """Make the commissioning camera, nine detectors, its pixels binned; see `make_lsstcam`."""
    return _make("lsstcomcam", scale)


def make_lsstcam(scale: int = 1) -> Camera:
    """Make LSSTCam, 205 detectors, its pixels binned.

    Parameters
    ----------
    scale : `int`, optional
        Pixels to combine along each axis, 1 to 32. Gain (e/ADU) and read noise (e) grow with it, so that the noise
        of sky and readout in ADU stays what it is unbinned.

    Returns
    -------
    camera : `~harness.instrument.camera.Camera`
        Detectors of nx // scale × ny // scale pixels: what is left over at the upper edges is not read. Where the
        columns cannot be shared evenly, amplifiers differ by one column of data; their HDUs do not, the narrower has
        one more column of overscan. Binned overscans keep at least 4 columns and rows, so that a level can be measured.

    Raises
    ------
    HarnessError
        If ``scale`` is out of range.
    """
    return _make("lsstcam", scale)


def segment(amplifier: str) -> str:
    """Return the EXTNAME of an amplifier's HDU: ``Segment10`` for ``C10``."""
    return f"Segment{amplifier.removeprefix('C')}"


@lru_cache(maxsize=3)
def _data(name: str) -> dict[str, Any]:
    text = resources.files(__package__).joinpath(f"data/{name}.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


@lru_cache(maxsize=12)
def _make(name: str, scale: int) -> Camera:
    data = _data(name)
    if not 1 <= scale <= LARGEST_SCALE:
        raise HarnessError(
            f"{data['name']} cannot be binned by {scale}", remedy=f"use 1 to {LARGEST_SCALE}", code="scale"
        )
    detectors = []
    for row in data["detectors"]:
        item = dict(zip(data["detector_columns"], row, strict=True))
        kind = data["types"][item["type"]]
        raft, _, name_in_raft = item["name"].partition("_")
        ref_x, ref_y = ((r + 0.5) / scale - 0.5 for r in kind["reference_pixel"])
        amplifiers = _amplifiers(kind, item, scale, data["saturation_adu"])
        detectors.append(
            Detector(
                id=item["id"],
                name=item["name"],
                # The only detector of LATISS is in no raft, although its name begins like one.
                raft=None if raft == "RXX" else raft,
                name_in_raft=name_in_raft,
                serial=item["serial"],
                purpose=Purpose(item["purpose"]),
                physical_type=item["type"],
                nx=max(a.bbox.x0 + a.bbox.nx for a in amplifiers),
                ny=max(a.bbox.y0 + a.bbox.ny for a in amplifiers),
                x_mm=item["x_mm"],
                y_mm=item["y_mm"],
                z_mm=item["z_mm"],
                yaw_deg=item["yaw_deg"],
                ref_x=ref_x,
                ref_y=ref_y,
                pixel_mm=kind["pixel_mm"] * scale,
                amplifiers=amplifiers,
            )
        )
    return Camera(
        name=data["name"],
        plate_scale=data["plate_scale_arcsec_per_mm"],
        distortion=RadialDistortion(coefficients=tuple(data["distortion_radial"])),
        sky_parity=data["sky_parity"],
        detectors=tuple(detectors),
        optics=Optics(**data["optics"]),
        source=data["source"],
    )


def _amplifiers(kind: dict[str, Any], item: dict[str, Any], scale: int, saturation: float) -> tuple[Amplifier, ...]:
    """Lay out the amplifiers; in the raw image each HDU lies where its amplifier does in the detector."""
    prescan = -(-kind["prescan"] // scale)
    n_rows = 1 + max(row[2] for row in kind["amplifiers"])
    xs = _shares(_AMPLIFIERS_PER_ROW * kind["columns"] // scale, _AMPLIFIERS_PER_ROW)
    ys = _shares(n_rows * kind["rows"] // scale, n_rows)
    serial = max(4, (kind["raw_columns"] - kind["prescan"] - kind["columns"]) // scale)
    parallel = max(4, (kind["raw_rows"] - kind["rows"]) // scale)
    width = prescan + max(size for _, size in xs) + serial
    height = max(size for _, size in ys) + parallel
    out = []
    for (name, ix, iy, flip_x, flip_y), gain, noise in zip(
        kind["amplifiers"], item["gains"], item["read_noises"], strict=True
    ):
        (x0, nx), (y0, ny) = xs[ix], ys[iy]
        left, bottom = ix * width, iy * height
        after, above = left + prescan + nx, bottom + ny
        out.append(
            Amplifier(
                name=name,
                bbox=Rect(x0=x0, y0=y0, nx=nx, ny=ny),
                raw_bbox=Rect(x0=left, y0=bottom, nx=width, ny=height),
                raw_data=Rect(x0=left + prescan, y0=bottom, nx=nx, ny=ny),
                raw_serial_overscan=Rect(x0=after, y0=bottom, nx=left + width - after, ny=ny),
                raw_parallel_overscan=Rect(x0=left + prescan, y0=above, nx=nx, ny=bottom + height - above),
                raw_prescan=Rect(x0=left, y0=bottom, nx=prescan, ny=ny),
                flip_x=flip_x,
                flip_y=flip_y,
                extension=segment(name),
                gain=gain * scale,
                read_noise=noise * scale,
                saturation=saturation,
            )
        )
    return tuple(out)


def _shares(total: int, parts: int) -> list[tuple[int, int]]:
    """Share pixels among amplifiers as evenly as whole ones can: first pixel and number of each."""
    edges = [total * i // parts for i in range(parts + 1)]
    return [(low, high - low) for low, high in itertools.pairwise(edges)]
