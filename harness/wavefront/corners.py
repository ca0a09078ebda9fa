"""Wavefront sensors in the focal plane: pairs of detectors before and behind the focus, found by their places."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from ..instrument.camera import Camera, Detector

__all__ = ["CornerPair", "corner_pairs", "corner_problems", "partners"]


@dataclasses.dataclass(frozen=True)
class CornerPair:
    """Two detectors of one raft.

    Parameters
    ----------
    raft : `str`
        Its name.
    extra, intra : `int`
        Ids of the detectors behind and before the focus.
    """

    raft: str
    extra: int
    intra: int


def _by_raft(camera: Camera) -> Mapping[str, Sequence[Detector]]:
    """Return the detectors that lie out of the focal plane, by raft."""
    out: dict[str, list[Detector]] = defaultdict(list)
    for detector in camera.detectors:
        if detector.z_mm:
            out[detector.raft or ""].append(detector)
    return out


def corner_pairs(camera: Camera) -> tuple[CornerPair, ...]:
    """Return the pairs of detectors that lie before and behind the focus in one raft, in order of the raft.

    Ids and names are not looked at: only rafts and heights are. Detectors with a negative ``z_mm`` lie behind the
    focus. Rafts in which they are no pair have none; see `corner_problems`.
    """
    out = []
    for raft, detectors in sorted(_by_raft(camera).items()):
        extra, intra = ([d for d in detectors if (d.z_mm < 0) is behind] for behind in (True, False))
        if len(extra) == len(intra) == 1:
            out.append(CornerPair(raft, extra[0].id, intra[0].id))
    return tuple(out)


def corner_problems(camera: Camera) -> Iterator[str]:
    """Say in one line each which rafts have detectors out of the focal plane that are no pair."""
    for raft, detectors in sorted(_by_raft(camera).items()):
        extra = sum(d.z_mm < 0 for d in detectors)
        if len(detectors) != 2 or extra != 1:
            names = ", ".join(f"{d.name} at {d.z_mm:+g} mm" for d in detectors)
            yield f"raft {raft or '(none)'} has {names}: no pair of one before and one behind the focus"


def partners(camera: Camera) -> Mapping[int, int]:
    """Return the other half of each detector that is in a pair (`dict` [`int`, `int`])."""
    return {a: b for p in corner_pairs(camera) for a, b in ((p.extra, p.intra), (p.intra, p.extra))}
