"""Focal-plane geometry of a camera: pixels, millimetres on the focal plane, field angles.

Pixel coordinates have the centre of the first pixel at 0, so a detector's edges lie at -0.5 and N - 0.5
(the convention of ``lsst.images`` and afw). Focal-plane coordinates are in mm, field angles in radians.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import Annotated, Any, Literal, Self

import numpy as np
import pydantic
from numpy.typing import ArrayLike, NDArray

from ..errors import HarnessError, nearest
from .optics import Optics

__all__ = ["Amplifier", "Camera", "Detector", "PolynomialDistortion", "Purpose", "RadialDistortion", "Rect"]

Floats = NDArray[np.float64]
ARCSEC = np.pi / 180 / 3600
"""One arcsecond in radians."""


class Purpose(StrEnum):
    """What a detector is for; the values of the ``detector.purpose`` dimension field."""

    SCIENCE = "SCIENCE"
    FOCUS = "FOCUS"
    GUIDER = "GUIDER"
    WAVEFRONT = "WAVEFRONT"


class _Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


class Rect(_Model):
    """Half-open box of pixels: columns x0 … x0 + nx - 1, rows y0 … y0 + ny - 1."""

    x0: int
    y0: int
    nx: int
    ny: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the box into an array [y, x]."""
        return slice(self.y0, self.y0 + self.ny), slice(self.x0, self.x0 + self.nx)


class Amplifier(_Model):
    """One amplifier: where its pixels lie in the raw image and in the trimmed detector.

    All ``raw_*`` boxes count from the first pixel of the detector's raw image. If the amplifiers lie in one HDU, that
    is its image. If each has an HDU of its own, it is what reading makes of them: every HDU, not turned, put at its
    ``raw_bbox``; boxes in the HDU are those less the corner of ``raw_bbox``.
    """

    name: str
    bbox: Rect
    """Its pixels in the trimmed, assembled detector."""
    raw_bbox: Rect
    raw_data: Rect
    raw_serial_overscan: Rect
    raw_parallel_overscan: Rect | None = None
    raw_prescan: Rect | None = None
    flip_x: bool = False
    """Whether columns are mirrored between the raw image and the assembled detector."""
    flip_y: bool = False
    extension: str = ""
    """EXTNAME of the HDU that holds this amplifier alone; empty if all lie in one HDU."""
    gain: float
    """Electrons per ADU."""
    read_noise: float
    """RMS read noise (electrons)."""
    saturation: float = 65535.0
    """Level (ADU, before bias subtraction) at which a pixel saturates."""


class Detector(_Model):
    """One detector: identity, size, nominal place and amplifiers."""

    id: int
    name: str
    raft: str | None
    name_in_raft: str
    serial: str
    purpose: Purpose
    physical_type: str = ""
    nx: int
    """Columns of the trimmed detector (pixels)."""
    ny: int
    x_mm: float
    """Focal-plane position of the reference pixel (mm)."""
    y_mm: float
    z_mm: float = 0.0
    yaw_deg: float
    ref_x: float
    """Reference pixel."""
    ref_y: float
    pixel_mm: float
    amplifiers: tuple[Amplifier, ...] = ()

    @property
    def gain(self) -> float:
        """Mean gain of the amplifiers (electrons per ADU)."""
        return float(np.mean([a.gain for a in self.amplifiers]))

    def pixel_to_focal(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        """Convert pixels to focal-plane positions (mm)."""
        dx = (np.asarray(x, float) - self.ref_x) * self.pixel_mm
        dy = (np.asarray(y, float) - self.ref_y) * self.pixel_mm
        c, s = np.cos(np.radians(self.yaw_deg)), np.sin(np.radians(self.yaw_deg))
        return self.x_mm + c * dx - s * dy, self.y_mm + s * dx + c * dy

    def focal_to_pixel(self, x_mm: ArrayLike, y_mm: ArrayLike) -> tuple[Floats, Floats]:
        """Convert focal-plane positions (mm) to pixels."""
        dx, dy = np.asarray(x_mm, float) - self.x_mm, np.asarray(y_mm, float) - self.y_mm
        c, s = np.cos(np.radians(self.yaw_deg)), np.sin(np.radians(self.yaw_deg))
        return self.ref_x + (c * dx + s * dy) / self.pixel_mm, self.ref_y + (-s * dx + c * dy) / self.pixel_mm

    def corners(self, padding: float = 0.0) -> tuple[Floats, Floats]:
        """Pixel coordinates of the four outer corners, counter-clockwise from the lower left.

        Parameters
        ----------
        padding : `float`, optional
            Pixels to add on every side.
        """
        x0, x1 = -0.5 - padding, self.nx - 0.5 + padding
        y0, y1 = -0.5 - padding, self.ny - 0.5 + padding
        return np.array([x0, x1, x1, x0]), np.array([y0, y0, y1, y1])


class RadialDistortion(_Model):
    """Field angle = plate scale · r · (c1 + c2 r + c3 r² …) along the direction of the position.

    ``coefficients[k]`` multiplies r**k (mm); the first must be 0.
    """

    kind: Literal["radial"] = "radial"
    coefficients: tuple[float, ...]

    def distort(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return undistorted focal-plane positions (mm)."""
        r = np.hypot(x, y)
        factor: Floats = np.asarray(np.polynomial.polynomial.polyval(r, np.asarray(self.coefficients[1:])), float)
        return x * factor, y * factor


# Not a cached property: pydantic compares what those leave behind, and arrays have no truth value.
@lru_cache(maxsize=64)
def _matrix(order: int, coefficients: tuple[float, ...]) -> Floats:
    """Arrange the coefficients of xⁱ yʲ as a matrix [i, j]."""
    n = order + 1
    matrix = np.zeros((n, n))
    matrix[[i for i in range(n) for _ in range(n - i)], [j for i in range(n) for j in range(n - i)]] = coefficients
    return matrix


class PolynomialDistortion(_Model):
    """Two polynomials in x and y, each with the terms ordered x⁰y⁰, x⁰y¹ …, x¹y⁰ … .

    Both the argument and the value are in units of ``unit_mm``.
    """

    kind: Literal["polynomial"] = "polynomial"
    order: int
    unit_mm: float
    x_coefficients: tuple[float, ...]
    y_coefficients: tuple[float, ...]

    def distort(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return undistorted focal-plane positions (mm)."""
        u, v = x / self.unit_mm, y / self.unit_mm
        px, py = (
            np.asarray(np.polynomial.polynomial.polyval2d(u, v, _matrix(self.order, c)), np.float64)
            for c in (self.x_coefficients, self.y_coefficients)
        )
        return px * self.unit_mm, py * self.unit_mm


class Camera(_Model):
    """The detectors of an instrument and the optics that lead to them.

    Parameters
    ----------
    name : `str`
        Name of the instrument.
    plate_scale : `float`
        Arcseconds per mm.
    distortion : `RadialDistortion` or `PolynomialDistortion`
        From measured to undistorted focal-plane positions.
    sky_parity : `int`
        Sign s in ξ = s·cos(o)·fx + sin(o)·fy (o the sky angle); -1 for most cameras.
    optics : `~harness.instrument.optics.Optics`, optional
        What is needed to work with images that are out of focus.
    source : `str`
        Where the numbers come from.
    """

    name: str
    plate_scale: float
    distortion: Annotated[RadialDistortion | PolynomialDistortion, pydantic.Field(discriminator="kind")]
    sky_parity: Literal[-1, 1] = -1
    detectors: tuple[Detector, ...]
    optics: Optics | None = None
    source: str

    @cached_property
    def _by_id(self) -> dict[int, Detector]:
        return {d.id: d for d in self.detectors}

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy, with some fields changed.

        Parameters
        ----------
        update : `~collections.abc.Mapping` [`str`, `typing.Any`], optional
            New values, which are not validated.
        deep : `bool`, optional
            Whether to copy what the fields hold as well.
        """
        copied = super().model_copy(update=update, deep=deep)
        copied.__dict__.pop("_by_id", None)  # of the detectors before
        return copied

    def __getitem__(self, detector: int | str) -> Detector:
        """Return a detector by id or full name; `HarnessError` if there is none."""
        if isinstance(detector, str):
            for item in self.detectors:
                if item.name == detector:
                    return item
            raise nearest(f"detector of {self.name}", detector, [d.name for d in self.detectors])
        try:
            return self._by_id[detector]
        except KeyError:
            raise HarnessError(
                f"{self.name} has no detector {detector}",
                remedy=f"ids run from {min(self._by_id)} to {max(self._by_id)}",
                code="unknown-detector",
            ) from None

    def focal_to_field(self, x_mm: ArrayLike, y_mm: ArrayLike) -> tuple[Floats, Floats]:
        """Convert focal-plane positions (mm) to field angles (radians)."""
        u, v = self.distortion.distort(np.asarray(x_mm, float), np.asarray(y_mm, float))
        scale = self.plate_scale * ARCSEC
        return u * scale, v * scale

    def field_to_focal(self, fx: ArrayLike, fy: ArrayLike) -> tuple[Floats, Floats]:
        """Convert field angles (radians) to focal-plane positions (mm), to 1e-11 mm.

        Raises
        ------
        HarnessError
            If some angle lies so far outside the field that the optics have no inverse there.
        """
        scale = self.plate_scale * ARCSEC
        tx, ty = np.asarray(fx, float) / scale, np.asarray(fy, float) / scale
        x, y = np.copy(tx), np.copy(ty)
        for _ in range(50):
            # Far outside, the polynomials overflow before the error below can say so.
            with np.errstate(over="ignore", invalid="ignore"):
                u, v = self.distortion.distort(x, y)
            dx, dy = tx - u, ty - v
            x, y = x + dx, y + dy
            if max(np.max(np.abs(dx), initial=0.0), np.max(np.abs(dy), initial=0.0)) < 1e-11:
                return x, y
        raise HarnessError(f"field angle outside the field of {self.name}", remedy="stay within the detectors' reach")

    def pixel_to_field(self, detector: int | str, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        """Convert a detector's pixels to field angles (radians)."""
        return self.focal_to_field(*self[detector].pixel_to_focal(x, y))

    def field_to_pixel(self, detector: int | str, fx: ArrayLike, fy: ArrayLike) -> tuple[Floats, Floats]:
        """Convert field angles (radians) to a detector's pixels."""
        return self[detector].focal_to_pixel(*self.field_to_focal(fx, fy))
