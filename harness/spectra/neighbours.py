"""The light of other sources on a trace, as it was simulated: without a slit nothing keeps it away."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..instrument.camera import Floats
    from ..instrument.dispersion import Trace
    from ..simulate.scene import Placed
    from ..simulate.spectra import Target

__all__ = ["foreign_light"]


def foreign_light(trace: Trace, target: Target, placed: Placed, along: Floats, reach: float) -> Floats:
    """Return the light of the field's sources on a trace (electrons per pixel of length).

    Parameters
    ----------
    trace : `~harness.instrument.dispersion.Trace`
        Trace of the target, its disperser where it really was.
    target : `~harness.simulate.spectra.Target`
        The target: the spectra of all stars are taken to be as its continuum, as they are simulated.
    placed : `~harness.simulate.scene.Placed`
        The field's sources; electrons without a disperser.
    along : `numpy.ndarray`
        Distances along the trace (pixels), where the light is wanted.
    reach : `float`
        Distance from the trace (pixels) within which a source counts, as if it lay on it.

    Returns
    -------
    light : `numpy.ndarray`
        Undispersed images and all orders, added up.
    """
    light = np.zeros(len(along))
    x, y = trace.point(along)
    near = np.flatnonzero(np.abs(trace.across(placed.x, placed.y)) <= reach)
    for i in near:
        electrons = float(placed.electrons[i])
        for order, share in trace.disperser.efficiency.items():
            if order == 0:
                away = along - float(trace.along(placed.x[i], placed.y[i]))
                light += electrons * share * np.exp(-0.5 * away**2) / np.sqrt(2 * np.pi)
            elif placed.is_star[i]:
                own = dataclasses.replace(trace, x=float(placed.x[i]), y=float(placed.y[i]), order=order)
                wavelength = own.wavelength(x, y)
                seen = (wavelength > target.range[0]) & (wavelength < target.range[1])
                if seen.any():
                    step = np.abs(np.gradient(wavelength, along))
                    share *= electrons / target.electrons
                    light[seen] += share * target.continuum(wavelength[seen]) * step[seen]
    return light
