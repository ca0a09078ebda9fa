"""The wavelength scale, from lines whose wavelengths are known."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

if TYPE_CHECKING:
    from ..instrument.dispersion import Trace
    from .lines import FoundLine

__all__ = ["WavelengthScale", "calibrate"]

Floats = NDArray[np.float64]

CENTRE_FLOOR = 0.02
"""Pixels that the centre of no line is better than: lines are not quite Gaussian, the continuum not quite straight."""


@dataclasses.dataclass(frozen=True)
class WavelengthScale:
    """What the lines say about the disperser.

    Parameters
    ----------
    trace : `~harness.instrument.dispersion.Trace`
        The trace, its disperser at the distance that fits.
    distance : `float`
        True over nominal distance; 1 if there are too few lines.
    error : `float`
        Its standard error; the prior's if there are too few lines.
    names : `~collections.abc.Mapping` [`int`, `str`]
        Index of a found line to the name of the known one that it is.
    used : `tuple` [`int`, ...]
        Indices of the lines that the fit rests on.
    """

    trace: Trace
    distance: float
    error: float
    names: Mapping[int, str]
    used: tuple[int, ...]


def calibrate(
    trace: Trace, found: Sequence[FoundLine], known: Mapping[str, float], *, tolerance: float = 0.01
) -> WavelengthScale:
    """Fit the distance of the disperser.

    Parameters
    ----------
    trace : `~harness.instrument.dispersion.Trace`
        The trace with the nominal distance.
    found : `~collections.abc.Sequence` [`FoundLine`]
        Lines.
    known : `~collections.abc.Mapping` [`str`, `float`]
        Wavelengths (nm) of known lines.
    tolerance : `float`, optional
        Relative error that the nominal distance may have.

    Returns
    -------
    scale : `WavelengthScale`
        With fewer than two known lines among those found, the nominal one.
    """
    names = list(known)
    wavelengths = np.array([known[n] for n in names], float)
    if not found or not names:
        return WavelengthScale(trace, 1.0, tolerance / 3, {}, ())
    along = np.array([line.along for line in found])
    error = np.hypot([line.error for line in found], CENTRE_FLOOR)
    x, y = trace.point(along)
    distance, limit = _vote(trace, x, y, wavelengths, tolerance), tolerance / 2
    pairs: dict[int, int] = {}
    deviation = tolerance / 3
    for _ in range(4):
        now = dataclasses.replace(trace, disperser=trace.disperser.adjusted(distance))
        pairs = _pairs(now.wavelength(x, y), wavelengths, limit)
        if len(pairs) < 2:
            return WavelengthScale(trace, 1.0, tolerance / 3, {}, ())
        mine, theirs = np.array(list(pairs)), np.array(list(pairs.values()))
        target, step = wavelengths[theirs], _pixel(now, along[mine])

        def residuals(
            p: Floats, mine: NDArray[np.int64] = mine, target: Floats = target, step: Floats = step
        ) -> Floats:
            moved = dataclasses.replace(trace, disperser=trace.disperser.adjusted(float(p[0])))
            out: Floats = (moved.wavelength(x[mine], y[mine]) - target) / (step * error[mine])
            return out

        fit = optimize.least_squares(residuals, np.array([distance]), loss="soft_l1", x_scale=1e-3)
        distance = float(fit.x[0])
        worst = max(1.0, float(np.median(np.abs(fit.fun))) * 1.4826)
        deviation = worst / float(np.sqrt(np.sum(fit.jac**2)))
        # Next time only what lies as near as the errors of lines allow.
        limit = max(5 * worst * float(np.median(step * error[mine] / target)), 0.0007)
    now = dataclasses.replace(trace, disperser=trace.disperser.adjusted(distance))
    pairs = _pairs(now.wavelength(x, y), wavelengths, limit)
    return WavelengthScale(now, distance, deviation, {i: names[k] for i, k in pairs.items()}, tuple(sorted(pairs)))


def _vote(trace: Trace, x: Floats, y: Floats, wavelengths: Floats, tolerance: float) -> float:
    """Return the distance at which most known lines lie on found ones, as well as a tenth of the tolerance goes."""
    trials = 1 + np.linspace(-tolerance, tolerance, 81)
    scores = []
    for trial in trials:
        seen = dataclasses.replace(trace, disperser=trace.disperser.adjusted(float(trial))).wavelength(x, y)
        away = np.min(np.abs(seen[:, None] / wavelengths - 1), axis=0)
        scores.append(float(np.sum(np.exp(-0.5 * (away / (tolerance / 10)) ** 2))))
    return float(trials[int(np.argmax(scores))])


def _pairs(seen: Floats, wavelengths: Floats, limit: float) -> dict[int, int]:
    """Return index of found line → index of known line for those that are each other's nearest."""
    distance = np.abs(seen[:, None] / wavelengths - 1)
    out = {}
    for i in range(len(seen)):
        k = int(np.argmin(distance[i]))
        if distance[i, k] <= limit and int(np.argmin(distance[:, k])) == i:
            out[i] = k
    return out


def _pixel(trace: Trace, along: Floats) -> Floats:
    """Return nm per pixel at some distances along a trace."""
    ahead, behind = (trace.wavelength(*trace.point(along + d)) for d in (0.5, -0.5))
    return ahead - behind
