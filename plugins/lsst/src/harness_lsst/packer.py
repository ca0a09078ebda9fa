"""How exposure or visit and detector are packed into one integer."""

from __future__ import annotations

import datetime
import re
from typing import Any, cast

from lsst.daf.butler import DataCoordinate, DimensionPacker
from lsst.pex.config import Config
from lsst.pipe.base import observation_packer_registry

from harness.errors import HarnessError

from .translators.identifiers import detector_exposure_id, exposure_id

__all__ = ["PACKER", "RubinPacker"]

PACKER = "harness-rubin"
"""Name of `RubinPacker` in the registry of packers of ``pipe_base``."""

_FIRST_SNAP = re.compile(r"9(\d{13})")
"""The one-to-one visit of the first of several snaps: its exposure id behind a 9."""
_BITS = 40
"""Of an exposure and a detector."""
_DETECTORS, _SEQUENCES, _DAYS, _CONTROLLERS = 256, 32768, 16384, 8
_PER_CONTROLLER = 10**12
"""Exposure ids between a controller and the next: a thousand years of days."""
_FIRST_DAY = datetime.date(2010, 1, 1)


class RubinPacker(DimensionPacker):
    """Packs visit or exposure and detector into 41 bits, taking the ids of observations apart.

    Packed as they are, exposure ids of 13 digits would leave ten bits for the sources of a detector. The lower 40 bits
    are the observatory's ``detector_exposure_id``, detector + 256 · (sequence number + 32768 · (days since
    2010-01-01 + 16384 · controller)); the highest is set for the one-to-one visit of the first of several snaps.

    Parameters
    ----------
    data_id : `lsst.daf.butler.DataCoordinate`
        Identifies at least the instrument.
    config : `lsst.pex.config.Config`, optional
        Without fields.
    is_exposure : `bool`, optional
        Whether exposures are packed, rather than visits; by default told from ``data_id``.

    Raises
    ------
    ValueError
        When packing: if an id cannot be taken apart, or exceeds its bits.
    """

    ConfigClass = Config

    def __init__(self, data_id: DataCoordinate, config: Config | None = None, is_exposure: bool | None = None) -> None:  # noqa: ARG002
        names = data_id.dimensions.names
        if is_exposure is None:
            if not {"visit", "exposure"} & set(names):
                raise ValueError("is_exposure is not given, and the data ID has neither visit nor exposure")
            is_exposure = "visit" not in names
        fixed = data_id.subset(data_id.universe.conform(["instrument"]))
        self._name = "exposure" if is_exposure else "visit"
        super().__init__(fixed, fixed.universe.conform(["instrument", self._name, "detector"]))

    @property
    def maxBits(self) -> int:
        """Bits of the largest packed integer (`int`)."""
        return _BITS + 1

    def _pack(self, dataId: DataCoordinate) -> int:
        number, detector = cast(int, dataId[self._name]), cast(int, dataId["detector"])
        first = _FIRST_SNAP.fullmatch(str(number)) if self._name == "visit" else None
        try:
            packed = detector_exposure_id(int(first.group(1)) if first else number, detector)
        except HarnessError as error:
            raise ValueError(str(error)) from error
        return packed + (1 << _BITS) * (first is not None)

    def unpack(self, packedId: int) -> DataCoordinate:
        """Return the data ID that an integer was made of (`lsst.daf.butler.DataCoordinate`)."""
        rest, detector = divmod(packedId, _DETECTORS)
        rest, seq_num = divmod(rest, _SEQUENCES)
        rest, days = divmod(rest, _DAYS)
        first, controller = divmod(rest, _CONTROLLERS)
        day = f"{_FIRST_DAY + datetime.timedelta(days=days):%Y%m%d}"
        number = exposure_id(day, seq_num) + controller * _PER_CONTROLLER
        values: dict[str, Any] = {
            "instrument": self.fixed["instrument"],
            self._name: int(f"9{number}") if first else number,
            "detector": detector,
        }
        return DataCoordinate.standardize(values, dimensions=self._dimensions)


if PACKER not in observation_packer_registry:
    observation_packer_registry.register(PACKER, RubinPacker)
