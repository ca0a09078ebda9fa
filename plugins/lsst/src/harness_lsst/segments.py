"""Headers of the extensions of a raw file: one compressed image per amplifier, then two tables without rows."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

from .header import Cards

if TYPE_CHECKING:
    from harness.instrument.camera import Amplifier, Detector

__all__ = ["conditions", "segment_cards"]

_SENSOR, _SLOT, _RAFT = 4250, 4225, 12700
"""Size of a sensor with its frame, and distances between slots and between rafts (unbinned pixels of 10 µm)."""

_FRAMES = {
    "A": ("AMPLIFIER", "Seg_X", "Seg_Y"),
    "C": ("CCD", "CCD_X", "CCD_Y"),
    "R": ("RAFT", "RAFT_X", "RAFT_Y"),
    "F": ("FOCAL_PLANE", "FP_X", "FP_Y"),
    "E": ("FP_SERPAR", "FP_S", "FP_P"),
    "B": ("CCD_SERPAR", "CCD_S", "CCD_P"),
    "Q": ("RAFT_SERPAR", "RAFT_S", "RAFT_P"),
}
_SERIAL = {"E": "F", "B": "C", "Q": "R"}
"""Frames of serial and parallel direction, and those of which they are with the axes exchanged."""


@lru_cache(maxsize=1)
def conditions() -> dict[str, Cards]:
    """Return the keys of the tables after the images, by EXTNAME (`dict`)."""
    text = resources.files(__package__).joinpath("data/conditions.json").read_text(encoding="utf-8")
    tables: dict[str, Cards] = json.loads(text)["tables"]
    return tables


def segment_cards(amplifier: Amplifier, channel: int, detector: Detector, scale: int) -> Cards:
    """Make the keys of an amplifier's image, without those of its structure.

    Parameters
    ----------
    amplifier : `~harness.instrument.camera.Amplifier`
        The amplifier.
    channel : `int`
        Its place in the file, from 1.
    detector : `~harness.instrument.camera.Detector`
        Its (binned) detector.
    scale : `int`
        The binning: all pixels, those of the coordinate frames as well, are binned ones.

    Returns
    -------
    cards : `dict` [`str`, `typing.Any`]
        Keys and values. In DETSEC and DTV/DTM rows count from the top of the detector, as in real files; boxes count
        from 1 and are inclusive.
    """
    box, data, place = amplifier.raw_bbox, amplifier.raw_data, amplifier.bbox
    column, row = data.x0 - box.x0 + 1, data.y0 - box.y0 + 1
    # Pixels of the detector, from 1: x = sx · column + dx, y = sy · row + dy.
    sx, sy = -1 if amplifier.flip_x else 1, -1 if amplifier.flip_y else 1
    dx = place.x0 + place.nx + column if amplifier.flip_x else place.x0 + 1 - column
    dy = place.y0 + place.ny + row if amplifier.flip_y else place.y0 + 1 - row
    top = detector.ny + 1
    xs = [sx * c + dx for c in (column, column + data.nx - 1)]
    ys = [top - sy * r - dy for r in (row, row + data.ny - 1)]
    cards: Cards = {
        "CHANNEL": channel,
        "EXTNAME": amplifier.extension,
        "CCDSUM": "1 1",
        "DATASEC": f"[{column}:{column + data.nx - 1},{row}:{row + data.ny - 1}]",
        "DETSEC": f"[{xs[0]}:{xs[1]},{ys[0]}:{ys[1]}]",
        "DETSIZE": f"[1:{detector.nx},1:{detector.ny}]",
        "DTV1": dx,
        "DTV2": top - dy,
        "DTM1_1": float(sx),
        "DTM2_2": float(-sy),
        "DTM1_2": 0.0,
        "DTM2_1": 0.0,
    }
    slot, raft = _places(detector)
    along, across = (_SENSOR / scale - detector.ny) / 2, (_SENSOR / scale - detector.nx) / 2
    in_raft = dy + along + _SLOT / scale * slot[0], dx + across + _SLOT / scale * slot[1]
    origins = {
        "A": (dy - place.y0, dx - place.x0),
        "C": (dy, dx),
        "R": in_raft,
        "F": (in_raft[0] + _RAFT / scale * raft[0], in_raft[1] + _RAFT / scale * raft[1]),
    }
    for frame, (name, first, second) in _FRAMES.items():
        serial = frame in _SERIAL
        origin = origins[_SERIAL.get(frame, frame)]
        cards |= {f"WCSNAME{frame}": name, f"CTYPE1{frame}": first, f"CTYPE2{frame}": second}
        cards |= {
            f"PC1_1{frame}": float(sx * serial),
            f"PC1_2{frame}": float(sy * (not serial)),
            f"PC2_1{frame}": float(sx * (not serial)),
            f"PC2_2{frame}": float(sy * serial),
        }
        cards |= {f"CDELT{i}{frame}": 1.0 for i in (1, 2)}
        cards |= {f"CRPIX{i}{frame}": 0.0 for i in (1, 2)}
        for i, value in enumerate(origin[::-1] if serial else origin, start=1):
            cards[f"CRVAL{i}{frame}"] = float(value)
    return cards


@lru_cache(maxsize=256)
def _digits(name: str) -> tuple[int, int]:
    """Return the two digits of ``R22`` or ``S01``; zeros for the corners' ``SW0`` and ``SG1``."""
    match = re.fullmatch(r"[RS](\d)(\d)", name)
    return (int(match.group(1)), int(match.group(2))) if match else (0, 0)


def _places(detector: Detector) -> tuple[tuple[int, int], tuple[int, int]]:
    # The auxiliary telescope's detector has no raft; its headers put it one raft from the origin along x.
    return _digits(detector.name_in_raft), _digits(detector.raft) if detector.raft else (1, 0)
