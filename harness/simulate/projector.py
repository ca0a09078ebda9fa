"""What a camera sees of a collimated beam projector: spots of known flux.

The projector sends light of one wavelength through a mask with holes into the telescope, and measures with a
photodiode how much it sends. The electrons in all spots together are

    throughput(wavelength) · charge / e · `COUPLING`

A camera's exposure of type ``cbp`` says in its settings the ``wavelength`` (nm), the ``charge`` of the photodiode
(C) and where the ``spots`` fall: x and y on the focal plane (mm), one spot after the other, all equally bright.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ..errors import HarnessError
from ..instrument.camera import Floats

if TYPE_CHECKING:
    from ..datasets.observations import Observation
    from .exposure import Simulator

__all__ = ["COUPLING", "ELEMENTARY_CHARGE", "OBSERVATION_TYPE", "projected", "shines", "spot_electrons", "throughput"]

OBSERVATION_TYPE = "cbp"
"""Type of observations that see the projector."""

ELEMENTARY_CHARGE = 1.602176634e-19
"""Coulomb; exact by the definition of the SI."""

COUPLING = 3e-4
"""Photons that enter the telescope through the mask's holes for each electron of the photodiode; an assumption."""

SPOT_DIAMETER = 1.5
"""Diameter of a spot on the focal plane (mm); an assumption."""

STRAY = 20.0
"""Electrons per mm² and second of light that comes another way; an assumption."""

PEAK, CENTRE, WIDTH, RIPPLE, PERIOD = 0.55, 650.0, 330.0, 0.05, 180.0
"""The simulated throughput: its height, and the wavelengths (nm) of its middle, half-width and ripple; an assumption
that looks like that of a telescope with a silicon detector."""


def throughput(wavelength: ArrayLike) -> Floats:
    """Return the true throughput of telescope and camera, without unit: a flat top that falls off on both sides.

    Parameters
    ----------
    wavelength : `~numpy.typing.ArrayLike`
        Wavelength (nm).
    """
    x = np.asarray(wavelength, float) - CENTRE
    curve: Floats = PEAK * np.exp(-((x / WIDTH) ** 4)) * (1 + RIPPLE * np.cos(2 * np.pi * x / PERIOD))
    return curve


def spot_electrons(wavelength: float, charge: float) -> float:
    """Return the electrons in all spots together (`float`) for a charge of the photodiode (C)."""
    return float(throughput(wavelength)) * charge / ELEMENTARY_CHARGE * COUPLING


def shines(simulator: Simulator, observation: Observation) -> bool:  # noqa: ARG001
    """Say whether an observation is one of the projector."""
    return observation.observation_type == OBSERVATION_TYPE


def projected(simulator: Simulator, observation: Observation, detector: int) -> Floats:
    """Return the light of the projector (electrons, trimmed [y, x]): round spots with soft edges, and stray light.

    Raises
    ------
    HarnessError
        If a setting is missing, or a spot would saturate.
    """
    item = simulator.camera[detector]
    wavelength, charge, spots = _settings(observation)
    image = np.full((item.ny, item.nx), STRAY * item.pixel_mm**2 * observation.exposure_time)
    radius = SPOT_DIAMETER / 2 / item.pixel_mm
    flux = spot_electrons(wavelength, charge) / len(spots)
    peak, full = flux / (np.pi * radius**2), min((a.saturation * a.gain for a in item.amplifiers), default=np.inf)
    if peak > 0.7 * full:
        raise HarnessError(
            f"exposure {observation.exposure}: spots of {peak:.3g} electrons per pixel saturate ({full:.3g})",
            remedy="give less charge",
            code="spots-saturate",
        )
    ny, nx = np.mgrid[: item.ny, : item.nx]
    for x_mm, y_mm in spots:
        x, y = item.focal_to_pixel(x_mm, y_mm)
        # The share of a pixel that lies within the spot, to the accuracy of an edge that crosses it straight.
        spot = np.clip(radius + 0.5 - np.hypot(nx - x, ny - y), 0.0, 1.0)
        image += flux / _disk_sum(radius, float(x), float(y)) * spot
    return image


def _disk_sum(radius: float, x: float, y: float) -> float:
    """Return the sum of a spot that no edge of a detector cuts (pixels)."""
    reach = int(np.ceil(radius)) + 2
    dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    distance = np.hypot(dx - (x - np.rint(x)), dy - (y - np.rint(y)))
    return float(np.clip(radius + 0.5 - distance, 0.0, 1.0).sum())


def _settings(observation: Observation) -> tuple[float, float, list[tuple[float, float]]]:
    settings = observation.settings
    missing = [n for n in ("wavelength", "charge") if n not in settings]
    places = [float(v) for v in settings.get("spots", (0.0, 0.0))]
    if missing or not places or len(places) % 2:
        what = f"lacks the setting {missing[0]}" if missing else f"has {len(places)} coordinates of spots"
        raise HarnessError(
            f"exposure {observation.exposure} of {observation.instrument} {what}",
            remedy="give wavelength (nm), charge (C) and spots = [x, y, …] (mm) in its settings",
            code="projector-setting",
        )
    return float(settings["wavelength"]), float(settings["charge"]), list(zip(places[::2], places[1::2], strict=True))
