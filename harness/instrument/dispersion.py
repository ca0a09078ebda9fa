"""Dispersers in front of a camera: where on the detectors light of a wavelength falls.

A grating, or a hologram that acts as one, lies in the beam some way before the focal plane and has no slit: every
source makes an undispersed image (order 0) and, on a straight line through it, its spectra of orders ±1, ±2 …. With
θ₀ the angle of incidence in the plane of dispersion, light of wavelength λ leaves in order p under θ with

    sin θ = sin θ₀ + p·N·λ

(N lines per length), and falls D·(tan θ - tan θ₀) from the undispersed image (D the distance to the detector).
Wavelengths are in nm, distances on the focal plane in mm.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from ..errors import HarnessError
from .camera import Camera, Floats

__all__ = ["SPECTRAL_LINES", "Disperser", "Trace"]

NM = 1e-6
"""One nm in mm."""

SPECTRAL_LINES: Mapping[str, float] = MappingProxyType(
    {
        "H delta": 410.17,
        "H gamma": 434.05,
        "H beta": 486.13,
        "H alpha": 656.28,
        "O2 B": 687.2,
        "O2 A": 762.1,
    }
)
"""Lines that a star's spectrum through the air has, and their wavelengths in air (nm).

Balmer lines: NIST Atomic Spectra Database. The telluric bands of oxygen are asymmetric and many lines wide: what is
given here is the centre that they have for a spectrograph that does not resolve them, an assumption to 0.5 nm.
"""


@dataclasses.dataclass(frozen=True)
class Disperser:
    """A disperser as it is mounted.

    Parameters
    ----------
    name : `str`
        Its name.
    lines_per_mm : `float`
        Lines per mm.
    distance_mm : `float`
        Distance to the focal plane (mm).
    angle_deg : `float`, optional
        Direction on the focal plane in which orders above 0 go (degrees, from +x towards +y).
    efficiency : `~collections.abc.Mapping` [`int`, `float`]
        Share of the light in each order, 0 included; orders that are not listed have none.
    source : `str`, optional
        Where the numbers come from.

    Raises
    ------
    HarnessError
        If some number makes no sense.
    """

    name: str
    lines_per_mm: float
    distance_mm: float
    angle_deg: float = 0.0
    efficiency: Mapping[int, float] = dataclasses.field(default_factory=lambda: {0: 0.25, 1: 0.10, -1: 0.10})
    source: str = ""

    def __post_init__(self) -> None:
        for field in ("lines_per_mm", "distance_mm"):
            value = getattr(self, field)
            if not (np.isfinite(value) and value > 0):
                raise self._wrong(f"{field} is {value}", "give a positive number")
        if not np.isfinite(self.angle_deg):
            raise self._wrong(f"angle_deg is {self.angle_deg}", "give degrees")
        shares = self.efficiency.values()
        if not (all(0 <= v <= 1 for v in shares) and sum(shares) <= 1 + 1e-9 and self.efficiency.get(0, 0) > 0):
            raise self._wrong(f"efficiency is {dict(self.efficiency)}", "give shares of the light, one for order 0")

    def _wrong(self, what: str, remedy: str) -> HarnessError:
        return HarnessError(f"disperser {self.name}: {what}", remedy=remedy, code="disperser")

    def adjusted(self, distance: float = 1.0, angle: float = 0.0) -> Disperser:
        """Return the disperser at another place.

        Parameters
        ----------
        distance : `float`, optional
            Factor for the distance.
        angle : `float`, optional
            Degrees to add to the direction.
        """
        return dataclasses.replace(self, distance_mm=self.distance_mm * distance, angle_deg=self.angle_deg + angle)

    def displacement(self, wavelength: ArrayLike, order: int = 1, incidence: float = 0.0) -> Floats:
        """Return how far from the undispersed image light falls (mm), along the direction of positive orders.

        Parameters
        ----------
        wavelength : `~numpy.typing.ArrayLike`
            Wavelengths (nm).
        order : `int`, optional
            Order.
        incidence : `float`, optional
            Angle of incidence in the plane of dispersion (radians).

        Raises
        ------
        HarnessError
            If the grating sends some of it nowhere: |sin θ| would exceed 1.
        """
        sine = np.sin(incidence) + order * self.lines_per_mm * NM * np.asarray(wavelength, np.float64)
        if np.any(np.abs(sine) >= 1):
            worst = np.asarray(wavelength, float).ravel()[np.argmax(np.abs(sine))]
            raise self._wrong(
                f"order {order} of {worst:g} nm does not leave it", f"{self.lines_per_mm:g} lines per mm are too many"
            )
        out: Floats = self.distance_mm * (sine / np.sqrt(1 - sine**2) - np.tan(incidence))
        return out

    def wavelength(self, displacement: ArrayLike, order: int = 1, incidence: float = 0.0) -> Floats:
        """Return the wavelength (nm) whose light falls so far from the undispersed image; see `displacement`.

        Raises
        ------
        HarnessError
            If the order is 0, where all wavelengths fall on one point.
        """
        if not order:
            raise self._wrong("order 0 has no wavelengths", "ask for another order")
        tangent = np.asarray(displacement, np.float64) / self.distance_mm + np.tan(incidence)
        out: Floats = (tangent / np.sqrt(1 + tangent**2) - np.sin(incidence)) / (order * self.lines_per_mm * NM)
        return out


@dataclasses.dataclass(frozen=True)
class Trace:
    """The spectrum of one source in one order on one detector.

    Parameters
    ----------
    disperser : `Disperser`
        The disperser.
    camera : `~harness.instrument.camera.Camera`
        The camera, binned as the image is.
    detector : `int`
        The detector.
    x, y : `float`
        Where the undispersed image of the source lies (pixels); may be outside the detector.
    order : `int`, optional
        Order; not 0.
    """

    disperser: Disperser
    camera: Camera
    detector: int
    x: float
    y: float
    order: int = 1

    @cached_property
    def _direction(self) -> tuple[float, float]:
        angle = np.radians(self.disperser.angle_deg)
        return float(np.cos(angle)), float(np.sin(angle))

    @cached_property
    def _origin(self) -> tuple[float, float]:
        x, y = self.camera[self.detector].pixel_to_focal(self.x, self.y)
        return float(x), float(y)

    @cached_property
    def incidence(self) -> float:
        """Angle of incidence in the plane of dispersion (radians): the field angle of the source.

        That the chief ray has the field angle at the disperser is an assumption; in a field of some arcminutes
        it changes wavelengths by some 1e-4.
        """
        fx, fy = self.camera.focal_to_field(*self._origin)
        return float(fx * self._direction[0] + fy * self._direction[1])

    @cached_property
    def direction(self) -> tuple[float, float]:
        """Unit vector in pixels from the undispersed image to where wavelengths grow."""
        item = self.camera[self.detector]
        sign = 1 if self.order > 0 else -1
        dx, dy = (sign * v for v in self._direction)
        x, y = item.focal_to_pixel(self._origin[0] + dx, self._origin[1] + dy)
        length = float(np.hypot(x - self.x, y - self.y))
        return float(x - self.x) / length, float(y - self.y) / length

    def pixel(self, wavelength: ArrayLike) -> tuple[Floats, Floats]:
        """Return where light of some wavelengths (nm) falls (pixels).

        Raises
        ------
        HarnessError
            If the disperser sends some of it nowhere.
        """
        away = self.disperser.displacement(wavelength, self.order, self.incidence)
        (x0, y0), (dx, dy) = self._origin, self._direction
        return self.camera[self.detector].focal_to_pixel(x0 + away * dx, y0 + away * dy)

    def wavelength(self, x: ArrayLike, y: ArrayLike) -> Floats:
        """Return the wavelength (nm) whose light falls nearest to some pixels; negative on the other side."""
        fx, fy = self.camera[self.detector].pixel_to_focal(x, y)
        (x0, y0), (dx, dy) = self._origin, self._direction
        return self.disperser.wavelength((fx - x0) * dx + (fy - y0) * dy, self.order, self.incidence)

    def along(self, x: ArrayLike, y: ArrayLike) -> Floats:
        """Return the distance from the undispersed image along the trace (pixels), positive as wavelengths grow."""
        dx, dy = self.direction
        return (np.asarray(x, float) - self.x) * dx + (np.asarray(y, float) - self.y) * dy

    def across(self, x: ArrayLike, y: ArrayLike) -> Floats:
        """Return the distance from the trace (pixels), positive to the left of the direction of the trace."""
        dx, dy = self.direction
        return (np.asarray(y, float) - self.y) * dx - (np.asarray(x, float) - self.x) * dy

    def point(self, along: ArrayLike) -> tuple[Floats, Floats]:
        """Return the pixels at some distances along the trace (pixels)."""
        dx, dy = self.direction
        away = np.asarray(along, float)
        return self.x + away * dx, self.y + away * dy
