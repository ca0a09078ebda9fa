"""Reader of raw spectra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.instrument.structure import StructureProblem
from harness.instrument.tabular import TabularRawFormatter

from .devices import device_of
from .spectrum import FiberSpectrum, read_spectrum
from .translator import FiberSpecTranslator

if TYPE_CHECKING:
    from astro_metadata_translator import ObservationInfo

__all__ = ["FiberSpectrumFormatter"]


class FiberSpectrumFormatter(TabularRawFormatter):
    """Read raw spectra, real or simulated."""

    translator = FiberSpecTranslator

    @classmethod
    def read_raw(cls, path: str, header: dict[str, Any], info: ObservationInfo) -> FiberSpectrum:
        """Return the spectrum (`FiberSpectrum`)."""
        wavelength, flux = read_spectrum(path)
        return FiberSpectrum(wavelength, flux, header, info)

    @classmethod
    def check_structure(cls, headers: Sequence[Mapping[str, Any]], detector: int) -> list[StructureProblem]:  # noqa: ARG003
        """Say in what a file is not that of one device, from its headers alone.

        Raises
        ------
        HarnessError
            If its header does not name a known device, or names two.
        """
        device_of(headers[0])
        wanted = str(headers[0].get("PS1_0", "")).strip().upper()
        names = [str(h.get("EXTNAME", "")).strip().upper() for h in headers[1:]]
        if headers[0].get("NAXIS") != 1:
            return [StructureProblem("0 (primary)", "NAXIS", str(headers[0].get("NAXIS")), "1")]
        if names.count(wanted) != 1:
            return [StructureProblem(wanted or "WCS-TAB", "EXTNAME", f"found {names.count(wanted)} times", "one table")]
        return []
