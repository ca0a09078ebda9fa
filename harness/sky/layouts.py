"""How sky maps lay their tracts out: rings over the whole sky, or one tract around a point."""

from __future__ import annotations

import struct
from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
import pydantic
from numpy.typing import ArrayLike, NDArray

from ..instrument.camera import Floats

__all__ = ["DiscreteLayout", "FrozenModel", "Layout", "RingsLayout"]

Integers = NDArray[np.int64]


class FrozenModel(pydantic.BaseModel):
    """A model that never changes, so that what follows from it can be kept."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:  # noqa: ARG002
        """Return a validated copy with some fields changed, and nothing kept that was computed from the original."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**{**fields, **(update or {})})


class _Layout(FrozenModel):
    """What a layout of tracts has to tell."""

    upstream_class: ClassVar[str]
    """Name of the class of the production stack that makes the same tracts; part of the hash."""

    @property
    @abstractmethod
    def n_tracts(self) -> int:
        """Number of tracts (`int`); their ids run from 0."""

    @property
    @abstractmethod
    def half_size(self) -> float:
        """Half of the side of a tract, with its overlap (degrees, along a great circle through the centre)."""

    @abstractmethod
    def centres(self, tracts: ArrayLike) -> tuple[Floats, Floats]:
        """Return RA and Dec (degrees) of the centres of tracts."""

    @abstractmethod
    def find(self, ra: ArrayLike, dec: ArrayLike) -> Integers:
        """Return the tract that each position (degrees) belongs to; -1 for none."""

    @abstractmethod
    def packed(self) -> bytes:
        """Return the parameters as the hash takes them."""

    tract_overlap: float = pydantic.Field(ge=0, lt=45)
    """How far a tract reaches beyond its own area on every side (degrees)."""


class RingsLayout(_Layout):
    """Tracts in rings of equal height in declination, and one on each pole.

    Ring i covers the declinations from size·(i + ½) - 90° to size·(i + 1½) - 90° with size = 180°/(num_rings + 1).
    It has as many tracts as squares of that size fit around it at the edge that is nearer to the equator,
    rounded down, and one more. Tract 0 is the southern cap, the last one the northern; the others count along
    each ring from ``ra_start``, from the south.
    """

    upstream_class: ClassVar[str] = "RingsSkyMap"

    kind: Literal["rings"] = "rings"
    num_rings: int = pydantic.Field(default=120, ge=3)
    ra_start: float = pydantic.Field(default=0.0, ge=0, lt=360)
    """RA of the centre of the first tract of each ring (degrees)."""
    tract_overlap: float = pydantic.Field(default=1 / 60, ge=0, lt=45)

    @cached_property
    def ring_size(self) -> float:
        """Height of a ring (radians)."""
        return float(np.pi / (self.num_rings + 1))

    @cached_property
    def ring_nums(self) -> Integers:
        """Number of tracts in each ring, from the south (`numpy.ndarray`)."""
        start = self.ring_size * (np.arange(self.num_rings) + 0.5) - np.pi / 2
        dec = np.minimum(np.abs(start), np.abs(start + self.ring_size))
        return np.asarray(2 * np.pi * np.cos(dec) / self.ring_size, np.int64) + 1

    @cached_property
    def _first(self) -> Integers:
        """First tract of each ring, and one beyond the last ring."""
        return 1 + np.concatenate([[0], np.cumsum(self.ring_nums)])

    @property
    def n_tracts(self) -> int:
        """Number of tracts (`int`)."""
        return int(self._first[-1]) + 1

    @property
    def half_size(self) -> float:
        """Half of the side of a tract, with its overlap (degrees)."""
        return float(np.degrees(self.ring_size / 2)) + self.tract_overlap

    def ring_of(self, tracts: ArrayLike) -> tuple[Integers, Integers]:
        """Return the ring of each tract (-1 and ``num_rings`` for the caps) and its number in the ring."""
        tracts = np.asarray(tracts, np.int64)
        ring = np.searchsorted(self._first, tracts, side="right") - 1
        first = np.concatenate([[0], self._first])[ring + 1]
        return ring, tracts - first

    def centres(self, tracts: ArrayLike) -> tuple[Floats, Floats]:
        """Return RA and Dec (degrees) of the centres of tracts."""
        ring, number = self.ring_of(tracts)
        cap = (ring < 0) | (ring >= self.num_rings)
        count = np.where(cap, 1, self.ring_nums[np.clip(ring, 0, self.num_rings - 1)])
        ra = np.where(cap, 0.0, (360.0 * number / count + self.ra_start) % 360.0)
        dec = np.degrees(np.clip(self.ring_size * (ring + 1) - np.pi / 2, -np.pi / 2, np.pi / 2))
        return ra, dec

    def inner_range(self, tract: int) -> tuple[float, float, float, float]:
        """Return the area that belongs to a tract alone: RA from, RA to, Dec from, Dec to (degrees).

        RA runs eastwards and may pass 0.
        """
        ring, number = (int(v) for v in self.ring_of(tract))
        low, high = (float(np.degrees(self.ring_size * (ring + half) - np.pi / 2)) for half in (0.5, 1.5))
        if ring < 0:
            return 0.0, 360.0, -90.0, high
        if ring >= self.num_rings:
            return 0.0, 360.0, low, 90.0
        count = int(self.ring_nums[ring])
        west, east = (((number + half) * 360.0 / count + self.ra_start) % 360.0 for half in (-0.5, 0.5))
        return west, east, low, high

    def find(self, ra: ArrayLike, dec: ArrayLike) -> Integers:
        """Return the tract whose own area holds each position (degrees): exactly one."""
        ra, dec = np.broadcast_arrays(np.asarray(ra, float), np.asarray(dec, float))
        rad = np.radians(dec)
        first = self.ring_size / 2 - np.pi / 2
        # The southern border of a ring belongs to it, as does the northern one of the last.
        ring = np.clip(((rad - first) / self.ring_size).astype(np.int64), 0, self.num_rings - 1)
        count = self.ring_nums[ring]
        number = (np.radians((ra - self.ra_start) % 360.0) / (2 * np.pi / count) + 0.5).astype(np.int64) % count
        inside = np.where(rad > -first, self.n_tracts - 1, self._first[ring] + number)
        return np.asarray(np.where(rad < first, 0, inside), np.int64)

    def packed(self) -> bytes:
        """Return the parameters as the hash takes them."""
        return struct.pack("<id", self.num_rings, self.ra_start)


class DiscreteLayout(_Layout):
    """One tract around a point, of a given half-size."""

    upstream_class: ClassVar[str] = "DiscreteSkyMap"

    kind: Literal["discrete"] = "discrete"
    ra: float = pydantic.Field(ge=0, lt=360)
    dec: float = pydantic.Field(ge=-90, le=90)
    radius: float = pydantic.Field(gt=0, lt=90)
    """Half of the side (degrees)."""
    tract_overlap: float = pydantic.Field(default=0.0, ge=0, lt=45)

    @property
    def n_tracts(self) -> int:
        """Number of tracts: 1."""
        return 1

    @property
    def half_size(self) -> float:
        """Half of the side of the tract (degrees)."""
        return self.radius + self.tract_overlap

    def centres(self, tracts: ArrayLike) -> tuple[Floats, Floats]:
        """Return RA and Dec (degrees) of the centre, in the shape of ``tracts``."""
        shape = np.shape(tracts)
        return np.full(shape, self.ra), np.full(shape, self.dec)

    def find(self, ra: ArrayLike, dec: ArrayLike) -> Integers:
        """Return 0 for positions (degrees) in the half-sphere around the tract, -1 for others."""
        lon, lat = np.radians(np.asarray(ra, float) - self.ra), np.radians(np.asarray(dec, float))
        centre = np.radians(self.dec)
        cosine = np.sin(lat) * np.sin(centre) + np.cos(lat) * np.cos(centre) * np.cos(lon)
        return np.asarray(np.where(cosine > 0, 0, -1), np.int64)

    def packed(self) -> bytes:
        """Return the parameters as the hash takes them."""
        return struct.pack("<ddd", self.ra, self.dec, self.radius)


Layout = Annotated[RingsLayout | DiscreteLayout, pydantic.Field(discriminator="kind")]
