"""Where the light of an exposure comes from: a table of sources, from which the observation chooses one.

A source of another kind is a row of `LIGHTS`, put before the sky, which takes all that looks there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..errors import HarnessError
from ..sky.seeds import generator
from .donuts import is_defocused, render_defocused
from .projector import projected, shines
from .scene import place, render_sources, sky_background
from .sensor import full_well

if TYPE_CHECKING:
    from ..datasets.observations import Observation
    from ..instrument.camera import Floats
    from .exposure import Simulator

__all__ = ["DARK_TYPES", "LIGHTS", "LightSource", "checked_sky", "light_of"]

DARK_TYPES = frozenset({"bias", "dark"})
"""Types of observation that see no light."""

SKY_LIMIT = 0.7
"""Share of the full well that the sky alone may fill: more leaves no room for sources."""

SCREEN_RATE = 0.04
"""Share of the full well of the deepest amplifier that the flat-field screen fills per second; lamps are tuned so
that flats are well exposed, whatever the filter. An assumption."""

SCREEN_DRIFT = 0.02
"""R.m.s. change of the lamp from exposure to exposure."""


@dataclasses.dataclass(frozen=True)
class LightSource:
    """A kind of light.

    Parameters
    ----------
    name : `str`
        What it is, for error messages.
    shines : `~collections.abc.Callable`
        Takes a `~harness.simulate.exposure.Simulator` and an observation; says whether this is its light.
    render : `~collections.abc.Callable`
        Takes a simulator, an observation and a detector's id; returns the electrons that the light would give
        with a flat field of 1, without noise (trimmed, [y, x]).
    """

    name: str
    shines: Callable[[Simulator, Observation], bool]
    render: Callable[[Simulator, Observation, int], Floats]


def light_of(simulator: Simulator, observation: Observation) -> LightSource:
    """Return the light of an observation: the first of `LIGHTS` that shines.

    Raises
    ------
    HarnessError
        If none does.
    """
    for source in LIGHTS:
        if source.shines(simulator, observation):
            return source
    raise HarnessError(
        f"exposure {observation.exposure}: cannot simulate type {observation.observation_type!r} off the sky",
        remedy=f"give it a pointing, or use flat, {' or '.join(sorted(DARK_TYPES))}",
        code="observation-type",
    )


def darkness(simulator: Simulator, observation: Observation, detector: int) -> Floats:  # noqa: ARG001
    """Return no light at all."""
    item = simulator.camera[detector]
    return np.zeros((item.ny, item.nx))


def screen(simulator: Simulator, observation: Observation, detector: int) -> Floats:
    """Return the even light of the flat-field screen: the same on all detectors, with a lamp that drifts.

    Raises
    ------
    HarnessError
        If the exposure is so long that it fills the pixels.
    """
    item = simulator.camera[detector]
    wells = full_well(item, simulator.calibration(observation, detector))
    deepest = max(a.gain * a.saturation for d in simulator.camera.detectors for a in d.amplifiers)
    key = (simulator.camera.name, observation.exposure)
    drift = generator(simulator.dataset.seed, *key, purpose="flat-field lamp").normal(0.0, SCREEN_DRIFT)
    level = deepest * SCREEN_RATE * observation.exposure_time * (1 + drift)
    if level > SKY_LIMIT * min(wells.values()):
        raise HarnessError(
            f"exposure {observation.exposure}: a flat of {observation.exposure_time:g} s fills {level:.0f} of"
            f" {min(wells.values()):.0f} electrons",
            remedy=f"expose for less than {SKY_LIMIT * min(wells.values()) / deepest / SCREEN_RATE:.1f} s",
            code="flat-saturates",
        )
    return np.full((item.ny, item.nx), level)


def checked_sky(simulator: Simulator, observation: Observation, detector: int, share: float = 1.0) -> Floats:
    """Return the light of the empty sky, of which the pixels must hold more.

    Parameters
    ----------
    simulator : `~harness.simulate.exposure.Simulator`
        The simulator.
    observation : `~harness.datasets.observations.Observation`
        The exposure.
    detector : `int`
        The detector.
    share : `float`, optional
        Share of it that reaches the detector.

    Raises
    ------
    HarnessError
        If it alone would saturate.
    """
    camera, item = simulator.camera, simulator.camera[detector]
    background = share * sky_background(
        camera, detector, observation, simulator.band(observation), simulator.dataset.seed
    )
    limit = SKY_LIMIT * min(full_well(item, simulator.calibration(observation, detector)).values())
    if background.max() > limit:
        raise HarnessError(
            f"exposure {observation.exposure}: the sky alone fills {background.max():.0f} of {limit / SKY_LIMIT:.0f}"
            f" electrons in {observation.exposure_time:g} s at scale {simulator.dataset.scale}",
            remedy="choose a smaller scale",
            code="sky-saturates",
        )
    return background


def sky(simulator: Simulator, observation: Observation, detector: int) -> Floats:
    """Return the light of stars, galaxies and the sky.

    Raises
    ------
    HarnessError
        If the sky alone would saturate.
    """
    camera = simulator.camera
    background = checked_sky(simulator, observation, detector)
    placed = place(camera, detector, observation, simulator.sources, simulator.band(observation))
    if is_defocused(camera, detector, observation):
        return render_defocused(camera, detector, observation, placed, simulator.dataset.seed) + background
    return render_sources(camera, detector, observation, placed) + background


def disperses(simulator: Simulator, observation: Observation) -> bool:
    """Return whether the sky is seen through a disperser."""
    return observation.on_sky and simulator.kit.disperser(observation.physical_filter) is not None


def dispersed(simulator: Simulator, observation: Observation, detector: int) -> Floats:
    """Return the light of stars and the sky through a disperser; see `harness.simulate.spectra`."""
    from .spectra import dispersed_sky

    return dispersed_sky(simulator, observation, detector)


LIGHTS: tuple[LightSource, ...] = (
    LightSource("darkness", lambda _, o: o.observation_type in DARK_TYPES, darkness),
    LightSource("flat-field screen", lambda _, o: o.observation_type == "flat", screen),
    LightSource("collimated beam projector", shines, projected),
    LightSource("dispersed sky", disperses, dispersed),
    LightSource("sky", lambda _, o: o.on_sky, sky),
)
"""What an observation can see, the most particular first."""
