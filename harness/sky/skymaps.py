"""Sky maps: how the sky is divided into tracts and patches.

The tracts, patches and hashes are those of the production stack's rings and discrete sky maps with the same
parameters, so that ids and dimension records mean the same in either.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import pydantic
from numpy.typing import ArrayLike, NDArray

from ..errors import HarnessError
from .layouts import DiscreteLayout, FrozenModel, Layout, RingsLayout
from .regions import unit_vectors, vertices
from .tracts import PatchGrid, Tract

if TYPE_CHECKING:
    from lsst.sphgeom import ConvexPolygon

    from ..datasets.manifest import DiscreteSkyMapEntry, RingsSkyMapEntry

__all__ = ["CellPatches", "LegacyPatches", "PatchGrid", "SkyMapDefinition", "Tract"]


class LegacyPatches(FrozenModel):
    """Patches given by their size."""

    kind: Literal["legacy"] = "legacy"
    size: int = pydantic.Field(default=4000, gt=0)
    """Pixels along each side of the part that belongs to a patch alone."""
    border: int = pydantic.Field(default=100, ge=0)
    """Pixels around it that it shares with its neighbours."""

    def packed(self) -> bytes:
        """Return the parameters as the hash of a sky map takes them."""
        return struct.pack("<iii", self.size, self.size, self.border)


class CellPatches(FrozenModel):
    """Patches made of square cells of pixels."""

    kind: Literal["cells"] = "cells"
    cell_size: int = pydantic.Field(default=100, gt=0)
    cell_border: int = pydantic.Field(default=0, ge=0)
    cells: int = pydantic.Field(default=40, gt=0)
    """Cells along each side of the part that belongs to a patch alone."""
    border_cells: int = pydantic.Field(default=1, ge=0)

    @property
    def size(self) -> int:
        """Pixels along each side of the part that belongs to a patch alone (`int`)."""
        return self.cell_size * self.cells

    @property
    def border(self) -> int:
        """Pixels around it that it shares with its neighbours (`int`)."""
        return self.cell_size * self.border_cells

    def packed(self) -> bytes:
        """Return the parameters as the hash of a sky map takes them."""
        return struct.pack("<iiiii", self.cell_size, self.cell_size, self.cell_border, self.cells, self.border_cells)


class SkyMapDefinition(FrozenModel):
    """A sky map.

    Parameters
    ----------
    name : `str`
        Its name in the ``skymap`` dimension.
    layout : `~harness.sky.layouts.RingsLayout` or `~harness.sky.layouts.DiscreteLayout`
        Where the tracts are.
    patches : `LegacyPatches` or `CellPatches`
        How they are divided.
    pixel_arcsec : `float`
        Size of pixels (arcsec).
    """

    name: str = pydantic.Field(min_length=1, max_length=64)
    layout: Layout
    patches: LegacyPatches | CellPatches = pydantic.Field(discriminator="kind")
    pixel_arcsec: float = pydantic.Field(default=0.168, gt=0)

    @classmethod
    def from_entry(cls, entry: DiscreteSkyMapEntry | RingsSkyMapEntry) -> SkyMapDefinition:
        """Make the sky map that a manifest asks for.

        Pixels of 0.168″ and patches of 4000 + 2·100 pixels are those of ``hsc_rings_v1`` and ``discrete/ci_hsc``
        (``facts/skymap_truth.json``: configuration and hashes of either); discrete ones may have other pixels.
        """
        if entry.kind == "rings":
            return cls(name=entry.name, layout=RingsLayout(num_rings=entry.num_rings), patches=LegacyPatches())
        layout = DiscreteLayout(ra=entry.ra, dec=entry.dec, radius=entry.radius)
        return cls(name=entry.name, layout=layout, patches=CellPatches(), pixel_arcsec=entry.pixel_arcsec)

    @cached_property
    def sha1(self) -> bytes:
        """Hash of the definition, as in the ``skymap`` dimension (`bytes`): that of the production stack.

        It is the SHA-1 of the class name and of the packed parameters: patches, overlap of tracts (degrees),
        pixel scale, projection and rotation, then those of the layout. The name is not part of it.
        """
        common = struct.pack("<dd3sd", self.layout.tract_overlap, self.pixel_arcsec, b"TAN", 0.0)
        parts = (self.layout.upstream_class.encode(), self.patches.packed(), common, self.layout.packed())
        return hashlib.sha1(b"".join(parts), usedforsecurity=False).digest()

    @property
    def n_tracts(self) -> int:
        """Number of tracts (`int`)."""
        return self.layout.n_tracts

    @cached_property
    def n_patches(self) -> int:
        """Patches along each side of every tract (`int`)."""
        return self._shape[0]

    @cached_property
    def _shape(self) -> tuple[int, float]:
        """Patches along a side, and the pixel of the tangent point.

        The half-size is projected, rounded outwards to whole pixels, and the sides are made multiples of the
        patch size; when the pixels to add are odd in number, the larger part is added above.
        """
        half = np.tan(np.radians(self.layout.half_size)) / np.radians(self.pixel_arcsec / 3600)
        reach = int(np.ceil(half - 0.5))
        least = 2 * reach + 1
        n = -(-least // self.patches.size)
        return n, float(reach + (n * self.patches.size - least) // 2)

    @cached_property
    def _tracts(self) -> dict[int, Tract]:
        return {}

    def tract(self, tract: int) -> Tract:
        """Return a tract.

        Raises
        ------
        HarnessError
            If the sky map has no such tract.
        """
        if tract not in self._tracts:
            if not 0 <= tract < self.n_tracts:
                raise HarnessError(
                    f"sky map {self.name} has no tract {tract}",
                    remedy=f"ids run from 0 to {self.n_tracts - 1}",
                    code="tract",
                )
            n, crpix = self._shape
            ra, dec = (float(v) for v in self.layout.centres(tract))
            self._tracts[tract] = Tract(
                self.name, tract, ra, dec, n, self.patches.size, self.patches.border, crpix, self.pixel_arcsec
            )
        return self._tracts[tract]

    def find_tract(self, ra: ArrayLike, dec: ArrayLike) -> NDArray[np.int64]:
        """Return the tract that each position (degrees) belongs to: exactly one, or -1 outside of all."""
        tracts = self.layout.find(ra, dec)
        if isinstance(self.layout, RingsLayout):
            return tracts
        return np.asarray(np.where(self.tract(0).contains(ra, dec), tracts, -1), np.int64)

    def find_patch(self, ra: ArrayLike, dec: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return tract and patch that each position (degrees) belongs to; -1 outside of all tracts."""
        tracts = self.find_tract(ra, dec)
        ra, dec = (np.broadcast_to(np.asarray(v, float), tracts.shape) for v in (ra, dec))
        patches = np.full(tracts.shape, -1, np.int64)
        for tract in np.unique(tracts[tracts >= 0]):
            here = tracts == tract
            patches[here] = self.tract(int(tract)).find_patch(ra[here], dec[here])
        return tracts, patches

    def tracts_at(self, ra: float, dec: float) -> tuple[int, ...]:
        """Return all tracts that have a pixel at a position (degrees), those that only overlap there included."""
        near = self._near(unit_vectors(ra, dec), 0.0)
        return tuple(t for t in near if self.tract(t).contains(ra, dec))

    def tracts_overlapping(self, regions: Iterable[ConvexPolygon]) -> tuple[int, ...]:
        """Return the tracts that overlap some of the regions.

        Parameters
        ----------
        regions : `~collections.abc.Iterable` [`lsst.sphgeom.ConvexPolygon`]
            Regions on the sky.
        """
        from lsst.sphgeom import DISJOINT

        found: set[int] = set()
        for region in regions:
            centre = region.getBoundingCircle().getCenter()
            vector = np.array([centre.x(), centre.y(), centre.z()])
            reach = float(np.max(np.linalg.norm(vertices(region) - vector, axis=1)))
            for tract in self._near(vector, reach):
                if tract not in found and not self.tract(tract).region.relate(region) & DISJOINT:
                    found.add(tract)
        return tuple(sorted(found))

    @cached_property
    def _centres(self) -> NDArray[np.float64]:
        return unit_vectors(*self.layout.centres(np.arange(self.n_tracts)))

    def _near(self, vector: NDArray[np.float64], reach: float) -> list[int]:
        """Return the tracts that may come within a chord of a unit vector."""
        # A corner of a tract is √2 half-sides from its centre; the sides were rounded up to whole patches.
        n, _ = self._shape
        corner = np.arctan(np.sqrt(2) * n * self.patches.size / 2 * np.radians(self.pixel_arcsec / 3600))
        limit = 2 * np.sin(min(corner, np.pi) / 2) + reach
        return [int(t) for t in np.flatnonzero(np.linalg.norm(self._centres - vector, axis=1) <= limit * 1.001)]

    def grid(self, tract: int, patch: int, scale: int = 1) -> PatchGrid:
        """Return the (binned) pixel grid of a patch; see `Tract.grid`."""
        return self.tract(tract).grid(patch, scale)
