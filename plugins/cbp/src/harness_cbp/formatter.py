"""Reader of raw exposures of the projector."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.instrument.structure import StructureProblem
from harness.instrument.tabular import TabularRawFormatter

from .exposure import EXTENSION, CbpExposure, read_series
from .settings import Settings, problems
from .translator import CbpTranslator

if TYPE_CHECKING:
    from astro_metadata_translator import ObservationInfo

__all__ = ["CbpFormatter"]


class CbpFormatter(TabularRawFormatter):
    """Read raw exposures of the projector."""

    translator = CbpTranslator

    @classmethod
    def read_raw(cls, path: str, header: dict[str, Any], info: ObservationInfo) -> CbpExposure:
        """Return the exposure (`~harness_cbp.exposure.CbpExposure`)."""
        time, charge = read_series(path, header)
        return CbpExposure(dataclasses.asdict(Settings.from_header(header)), time, charge, header, info)

    @classmethod
    def check_structure(cls, headers: Sequence[Mapping[str, Any]], detector: int) -> list[StructureProblem]:  # noqa: ARG003
        """Say which settings are beyond their limits, and whether the time series is there."""
        found = list(problems(headers[0]))
        names = [str(h.get("EXTNAME", "")).strip().upper() for h in headers[1:]]
        if names.count(EXTENSION) != 1:
            found.append(StructureProblem(EXTENSION, "EXTNAME", f"found {names.count(EXTENSION)} times", "one table"))
        return found
