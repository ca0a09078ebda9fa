"""Which exposures are the two halves of a pair taken on either side of the focus; pure functions of their records.

What an exposure is follows from its focus alone: what its header gives as a reason is a person's word for it.
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from ..instrument.optics import Optics

__all__ = ["ExposurePair", "FocusedExposure", "Pairing", "Thresholds", "pair_exposures"]


@dataclasses.dataclass(frozen=True)
class FocusedExposure:
    """What pairing needs to know of an exposure.

    Parameters
    ----------
    exposure : `int`
        Its id.
    group : `str`
        Its group.
    begin : `float`
        Seconds since any moment, TAI.
    ra, dec, sky_angle : `float` or `None`
        Where the telescope looked (degrees); `None` if that is not known.
    focus : `float` or `None`
        Position of the focus (mm); `None` if that is not known.
    """

    exposure: int
    group: str
    begin: float
    ra: float | None
    dec: float | None
    sky_angle: float | None
    focus: float | None


@dataclasses.dataclass(frozen=True)
class Thresholds:
    """What two halves may differ by; what reaches a limit is beyond it (the defaults are those of ts_wep 2026-08).

    Parameters
    ----------
    seconds, arcsec, degrees : `float`
        Start, pointing and rotation.
    focus : `float`
        Error of the distance between the halves, as a part of the distance of either from the focus.
    """

    seconds: float = 300.0
    arcsec: float = 60.0
    degrees: float = 1.0
    focus: float = 0.1


@dataclasses.dataclass(frozen=True)
class ExposurePair:
    """Two halves, and what was taken in focus between them.

    Parameters
    ----------
    extra, intra : `int`
        Exposure ids.
    in_focus : `tuple` [`int`]
        Exposures of the same group that lie midway in focus.
    """

    extra: int
    intra: int
    in_focus: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class Pairing:
    """What came of pairing.

    Parameters
    ----------
    pairs : `tuple` [`ExposurePair`]
        In order of the extra-focal exposure; no exposure is in two of them.
    unpaired : `dict` [`int`, `str`]
        Why each of the others is in none.
    """

    pairs: tuple[ExposurePair, ...]
    unpaired: Mapping[int, str]

    @property
    def halves(self) -> Mapping[int, ExposurePair]:
        """The pair of each half (`dict` [`int`, `ExposurePair`])."""
        return {e: p for p in self.pairs for e in (p.extra, p.intra)}

    @property
    def in_focus(self) -> frozenset[int]:
        """Exposures in focus between two halves (`frozenset` [`int`])."""
        return frozenset(e for p in self.pairs for e in p.in_focus)


def pair_exposures(
    exposures: Iterable[FocusedExposure], optics: Optics, thresholds: Thresholds | None = None
) -> Pairing:
    """Find pairs of exposures within their groups.

    Parameters
    ----------
    exposures : `~collections.abc.Iterable` [`FocusedExposure`]
        In any order; the result does not depend on it.
    optics : `~harness.instrument.optics.Optics`
        Says how far apart the halves are, and which of them is extra-focal.
    thresholds : `Thresholds`, optional
        Limits.

    Returns
    -------
    pairing : `Pairing`
        Where more than two would do, those closest in time are paired first.
    """
    limits = thresholds or Thresholds()
    groups: dict[str, list[FocusedExposure]] = defaultdict(list)
    for item in exposures:
        groups[item.group].append(item)
    pairs: list[ExposurePair] = []
    unpaired: dict[int, str] = {}
    for members in groups.values():
        found, left = _pair_group(sorted(members, key=lambda e: e.exposure), optics, limits)
        pairs += found
        unpaired |= left
    return Pairing(tuple(sorted(pairs, key=lambda p: p.extra)), dict(sorted(unpaired.items())))


def _pair_group(
    members: Sequence[FocusedExposure], optics: Optics, limits: Thresholds
) -> tuple[list[ExposurePair], dict[int, str]]:
    by_id = {e.exposure: e for e in members}
    candidates = sorted(
        (
            (a.exposure, b.exposure)
            for a in members
            for b in members
            if a is not b and not _differences(a, b, optics, limits)
        ),
        key=lambda pair: (abs(by_id[pair[0]].begin - by_id[pair[1]].begin), *sorted(pair)),
    )
    partner: dict[int, int] = {}
    halves = []
    for extra, intra in candidates:
        if extra not in partner and intra not in partner:
            partner |= {extra: intra, intra: extra}
            halves.append((extra, intra))
    pairs, taken = [], set(partner)
    for extra, intra in halves:
        middle = tuple(
            e.exposure
            for e in members
            if e.exposure not in taken and _midway(e, by_id[extra], by_id[intra], optics, limits)
        )
        taken |= set(middle)
        pairs.append(ExposurePair(extra, intra, middle))
    left = {
        e.exposure: _reason(e, [o for o in members if o is not e], partner, optics, limits)
        for e in members
        if e.exposure not in taken
    }
    return pairs, left


def _midway(
    item: FocusedExposure, extra: FocusedExposure, intra: FocusedExposure, optics: Optics, limits: Thresholds
) -> bool:
    if item.focus is None or extra.focus is None or intra.focus is None:
        return False
    return _below(abs(item.focus - (extra.focus + intra.focus) / 2), limits.focus * optics.focus_offset_mm)


def _below(value: float, limit: float) -> bool:
    """Say whether a value is less than a limit by a millionth at least: what is equal in decimals must not pass."""
    return round(value - limit, 6) < 0


def _differences(
    extra: FocusedExposure, intra: FocusedExposure, optics: Optics, limits: Thresholds
) -> list[tuple[str, str]]:
    """Say in what two exposures are no pair, the first as its extra-focal half: what it is, and in words."""
    out = []
    if extra.focus is None or intra.focus is None:
        unknown = extra if extra.focus is None else intra
        out.append(("focus", f"the focus of exposure {unknown.exposure} is not known"))
    else:
        apart = optics.focus_sign * (extra.focus - intra.focus)
        wanted = 2 * optics.focus_offset_mm
        if not _below(abs(apart - wanted), limits.focus * optics.focus_offset_mm):
            out.append(("focus", f"their focus differs by {abs(apart):.3f} mm, {wanted:.3f} mm wanted"))
    seconds = abs(extra.begin - intra.begin)
    if not _below(seconds, limits.seconds):
        out.append(("time", f"they begin {seconds:.1f} s apart, less than {limits.seconds:g} s wanted"))
    arcsec = _separation(extra, intra)
    if arcsec is None or not _below(arcsec, limits.arcsec):
        said = "one of them has no pointing" if arcsec is None else f"they point {arcsec:.2f}″ apart"
        out.append(("pointing", f"{said}, less than {limits.arcsec:g}″ wanted"))
    degrees = _turn(extra, intra)
    if degrees is None or not _below(degrees, limits.degrees):
        said = "one of them has no rotation" if degrees is None else f"they are turned by {degrees:.3f}°"
        out.append(("rotation", f"{said}, less than {limits.degrees:g}° wanted"))
    return out


def _reason(
    item: FocusedExposure,
    others: Sequence[FocusedExposure],
    partner: Mapping[int, int],
    optics: Optics,
    limits: Thresholds,
) -> str:
    """Say in one line why an exposure is in no pair."""
    if not others:
        return f"one half of the pair is missing: group {item.group!r} has no other exposure"
    tried = []
    for other in others:
        for extra, intra in ((item, other), (other, item)):
            tried.append((len(_differences(extra, intra, optics, limits)), other.exposure, extra, intra))
    _, closest, extra, intra = min(tried, key=lambda t: t[:2])
    found = _differences(extra, intra, optics, limits)
    if not found:
        return f"exposure {closest} would do, but is paired with exposure {partner[closest]}"
    return f"no half of a pair with exposure {closest}: " + "; ".join(words for _, words in found)


def _separation(a: FocusedExposure, b: FocusedExposure) -> float | None:
    """Return the distance of two pointings (arcsec), by a formula that is exact for small ones."""
    if a.ra is None or a.dec is None or b.ra is None or b.dec is None:
        return None
    dec1, dec2 = math.radians(a.dec), math.radians(b.dec)
    dra = math.radians(a.ra - b.ra)
    h = math.sin((dec1 - dec2) / 2) ** 2 + math.cos(dec1) * math.cos(dec2) * math.sin(dra / 2) ** 2
    return math.degrees(2 * math.asin(min(1.0, math.sqrt(h)))) * 3600


def _turn(a: FocusedExposure, b: FocusedExposure) -> float | None:
    """Return the difference of two rotations (degrees), the short way round."""
    if a.sky_angle is None or b.sky_angle is None:
        return None
    return abs((a.sky_angle - b.sky_angle + 180.0) % 360.0 - 180.0)
