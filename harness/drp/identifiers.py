"""Identifiers of objects: tract and patch in the upper bits, a counter in the lower ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import HarnessError

if TYPE_CHECKING:
    from lsst.daf.butler import DataCoordinate

__all__ = ["SkyMapPacker"]

_BITS = 63


class SkyMapPacker:
    """Packs tract and patch into integers.

    Parameters
    ----------
    tract_max, patch_nx_max, patch_ny_max : `int`
        Limits of the sky map, as in its dimension record.

    Attributes
    ----------
    bits : `int`
        Bits that a packed data ID needs.
    """

    def __init__(self, tract_max: int, patch_nx_max: int, patch_ny_max: int) -> None:
        self.n_patches = patch_nx_max * patch_ny_max
        self.n_tracts = tract_max
        self.bits = max(1, (self.n_tracts * self.n_patches - 1).bit_length())

    @classmethod
    def from_data_id(cls, data_id: DataCoordinate) -> SkyMapPacker:
        """Take the limits from the ``skymap`` record of an expanded data ID."""
        record = data_id.records["skymap"]
        if record is None:
            raise HarnessError(f"data ID {data_id} has no sky map record")
        return cls(record.tract_max, record.patch_nx_max, record.patch_ny_max)

    def pack(self, tract: int, patch: int) -> int:
        """Return the identifier of a patch (`int`).

        Raises
        ------
        HarnessError
            If tract or patch exceed the limits.
        """
        if not (0 <= tract < self.n_tracts and 0 <= patch < self.n_patches):
            raise HarnessError(
                f"tract {tract}, patch {patch} are outside the sky map",
                remedy=f"tracts run to {self.n_tracts - 1}, patches to {self.n_patches - 1}",
            )
        return tract * self.n_patches + patch

    def unpack(self, packed: int) -> tuple[int, int]:
        """Return tract and patch of an identifier made by `pack`."""
        return divmod(packed, self.n_patches)

    def prefix(self, tract: int, patch: int) -> int:
        """Return what identifiers of the objects of a patch begin with: counters are added to it (`int`)."""
        return self.pack(tract, patch) << (_BITS - self.bits)

    def split(self, object_id: int) -> tuple[int, int, int]:
        """Return tract, patch and counter of an object's identifier."""
        low = _BITS - self.bits
        return (*self.unpack(object_id >> low), object_id & ((1 << low) - 1))
