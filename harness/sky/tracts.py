"""Tracts: square pixel grids on a tangent plane, divided into patches."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import HarnessError
from ..instrument.camera import Floats
from .regions import hull, unit_vectors

if TYPE_CHECKING:
    from astropy.wcs import WCS
    from lsst.images import Box, SkyProjection, TractFrame
    from lsst.sphgeom import ConvexPolygon

__all__ = ["PatchGrid", "Tract"]

Integers = NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class PatchGrid:
    """The pixels of a patch, possibly binned.

    Parameters
    ----------
    outer, inner : `lsst.images.Box`
        The patch with its border, and the part that belongs to it alone, in pixels of ``projection``.
    projection : `lsst.images.SkyProjection`
        Sky projection of the (binned) pixel grid of the whole tract; its pixel frame is a
        `lsst.images.TractFrame`.
    pixel_arcsec : `float`
        Size of a pixel (arcsec).
    scale : `int`
        Tract pixels combined along each axis.
    """

    outer: Box
    inner: Box
    projection: SkyProjection[TractFrame]
    pixel_arcsec: float
    scale: int


@dataclasses.dataclass(frozen=True)
class Tract:
    """One tract.

    Pixel (0, 0) is the centre of the lower left pixel; x runs to the west, y to the north. Patches count along x
    first: patch = x + n_patches·y.

    Parameters
    ----------
    skymap : `str`
        Name of the sky map.
    id : `int`
        Its id.
    ra, dec : `float`
        Tangent point (degrees).
    n_patches : `int`
        Patches along each side.
    patch_size : `int`
        Pixels along each side of the part of a patch that belongs to it alone.
    patch_border : `int`
        Pixels that a patch shares with its neighbours on every side.
    crpix : `float`
        Pixel of the tangent point, along both axes, counted from 0.
    pixel_arcsec : `float`
        Size of a pixel at the tangent point (arcsec).
    """

    skymap: str
    id: int
    ra: float
    dec: float
    n_patches: int
    patch_size: int
    patch_border: int
    crpix: float
    pixel_arcsec: float

    @property
    def size(self) -> int:
        """Pixels along each side (`int`)."""
        return self.n_patches * self.patch_size

    @property
    def patches(self) -> range:
        """Ids of the patches (`range`)."""
        return range(self.n_patches**2)

    def __str__(self) -> str:
        return f"tract {self.id} of {self.skymap}"

    # --- pixels and sky --------------------------------------------------------------------------------

    @cached_property
    def wcs(self) -> WCS:
        """FITS WCS of the pixel grid (`astropy.wcs.WCS`)."""
        return self.binned_wcs(1)

    def binned_wcs(self, scale: int) -> WCS:
        """Return the FITS WCS of the pixel grid, binned (`astropy.wcs.WCS`).

        Pixel i of the binned grid covers pixels i·scale … i·scale + scale - 1.
        """
        from astropy.wcs import WCS

        wcs = WCS(naxis=2)
        wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        wcs.wcs.radesys = "ICRS"
        wcs.wcs.cunit = ["deg", "deg"]
        wcs.wcs.crval = [self.ra, self.dec]
        wcs.wcs.crpix = [(self.crpix + 0.5) / scale + 0.5] * 2
        step = self.pixel_arcsec * scale / 3600
        wcs.wcs.cd = [[-step, 0.0], [0.0, step]]
        wcs.wcs.set()
        return wcs

    def pixel_to_sky(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        """Convert pixels to ICRS RA and Dec (degrees)."""
        ra, dec = self.wcs.wcs_pix2world(x, y, 0)
        return ra, dec

    def sky_to_pixel(self, ra: ArrayLike, dec: ArrayLike) -> tuple[Floats, Floats]:
        """Convert RA and Dec (degrees) to pixels; NaN for positions more than 90° away."""
        # Not left to wcslib: it turns into NaN all positions of a call when one of them has no projection.
        shape = np.broadcast_shapes(np.shape(ra), np.shape(dec))
        ra, dec = (np.broadcast_to(np.asarray(v, float), shape).ravel() for v in (ra, dec))
        near = unit_vectors(ra, dec) @ unit_vectors(self.ra, self.dec) > 1e-9
        out = np.full((2, near.size), np.nan)
        if near.any():
            out[:, near] = self.wcs.wcs_world2pix(ra[near], dec[near], 0)
        return out[0].reshape(shape), out[1].reshape(shape)

    def contains(self, ra: ArrayLike, dec: ArrayLike) -> NDArray[np.bool_]:
        """Tell which positions (degrees) fall on a pixel of the tract."""
        x, y = self.sky_to_pixel(ra, dec)
        low, high = -0.5, self.size - 0.5
        return np.asarray((x >= low) & (x < high) & (y >= low) & (y < high))

    # --- patches ---------------------------------------------------------------------------------------

    def patch_index(self, patch: int) -> tuple[int, int]:
        """Return column and row of a patch.

        Raises
        ------
        HarnessError
            If the tract has no such patch.
        """
        if not 0 <= patch < self.n_patches**2:
            raise HarnessError(
                f"{self} has no patch {patch}", remedy=f"ids run from 0 to {self.n_patches**2 - 1}", code="patch"
            )
        y, x = divmod(patch, self.n_patches)
        return x, y

    def find_patch(self, ra: ArrayLike, dec: ArrayLike) -> Integers:
        """Return the patch whose own area holds each position (degrees); -1 outside of the tract."""
        x, y = self.sky_to_pixel(ra, dec)
        with np.errstate(invalid="ignore"):
            columns, rows = (np.floor((v + 0.5) / self.patch_size) for v in (x, y))
            inside = (columns >= 0) & (columns < self.n_patches) & (rows >= 0) & (rows < self.n_patches)
        return np.asarray(np.where(inside, np.nan_to_num(columns + self.n_patches * rows), -1), np.int64)

    def inner_box(self, patch: int) -> Box:
        """Return the pixels that belong to a patch alone (`lsst.images.Box`)."""
        return self.grid_boxes(patch)[1]

    def outer_box(self, patch: int) -> Box:
        """Return the pixels of a patch with its border, within the tract (`lsst.images.Box`)."""
        return self.grid_boxes(patch)[0]

    def grid_boxes(self, patch: int, scale: int = 1) -> tuple[Box, Box]:
        """Return outer and inner pixels of a patch in the binned grid (`lsst.images.Box`).

        The outer box covers the whole patch. Inner boxes tile the tract at every scale; where its pixels do not
        divide the patch size, a border between patches moves by less than a pixel.
        """
        outer, inner = [], []
        for i in self.patch_index(patch):
            start, stop = i * self.patch_size, (i + 1) * self.patch_size
            low, high = max(0, start - self.patch_border), min(self.size, stop + self.patch_border)
            outer.append((low // scale, -(-high // scale)))
            inner.append((start // scale, -(-stop // scale) if i == self.n_patches - 1 else stop // scale))
        return _box(outer), _box(inner)

    def projection(self, scale: int = 1) -> SkyProjection[TractFrame]:
        """Return the sky projection of the whole tract's pixel grid, binned (`lsst.images.SkyProjection`)."""
        from lsst.images import Box, SkyProjection, TractFrame

        n = -(-self.size // scale)
        box = Box.from_shape((n, n), (0, 0))
        frame = TractFrame(skymap=self.skymap, tract=self.id, bbox=box)
        return SkyProjection.from_fits_wcs(self.binned_wcs(scale), frame)

    def grid(self, patch: int, scale: int = 1) -> PatchGrid:
        """Return the (binned) pixel grid of a patch.

        Parameters
        ----------
        patch : `int`
            Patch id.
        scale : `int`, optional
            Tract pixels to combine along each axis.

        Returns
        -------
        grid : `PatchGrid`
            Its boxes are in the pixels of the whole (binned) tract, so that patches share one grid.

        Raises
        ------
        HarnessError
            If the tract has no such patch, or the scale is not positive.
        """
        if scale < 1:
            raise HarnessError(f"cannot bin {self} by {scale}", remedy="use a positive integer", code="scale")
        outer, inner = self.grid_boxes(patch, scale)
        return PatchGrid(outer, inner, self.projection(scale), self.pixel_arcsec * scale, scale)

    # --- regions ---------------------------------------------------------------------------------------

    @cached_property
    def region(self) -> ConvexPolygon:
        """The tract on the sky, to the outer edges of its pixels (`lsst.sphgeom.ConvexPolygon`)."""
        edge = np.array([-0.5, self.size - 0.5])
        return hull(unit_vectors(*self.pixel_to_sky(edge[[0, 1, 1, 0]], edge[[0, 0, 1, 1]])))

    def patch_regions(self, patches: Iterable[int] | None = None) -> Mapping[int, ConvexPolygon]:
        """Return the regions of patches with their borders, to the outer edges of their pixels.

        Parameters
        ----------
        patches : `~collections.abc.Iterable` [`int`], optional
            Patch ids; all by default.
        """
        ids = list(self.patches if patches is None else patches)
        index = np.array([self.patch_index(p) for p in ids]).reshape(-1, 2)
        low = np.maximum(0, index * self.patch_size - self.patch_border) - 0.5
        high = np.minimum(self.size, (index + 1) * self.patch_size + self.patch_border) - 0.5
        x = np.stack([low[:, 0], high[:, 0], high[:, 0], low[:, 0]], axis=1)
        y = np.stack([low[:, 1], low[:, 1], high[:, 1], high[:, 1]], axis=1)
        corners = unit_vectors(*self.pixel_to_sky(x.ravel(), y.ravel())).reshape(-1, 4, 3)
        return {p: hull(c) for p, c in zip(ids, corners, strict=True)}


def _box(limits: Sequence[tuple[int, int]]) -> Box:
    """Make a box from its limits along x and along y."""
    from lsst.images import Box

    (x0, x1), (y0, y1) = limits
    return Box.from_shape((y1 - y0, x1 - x0), (y0, x0))
