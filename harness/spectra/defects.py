"""Seeded defects of extracted spectra."""

from __future__ import annotations

from typing import Any

from ..defects.base import Defect, DefectTarget, defect
from ..defects.quality import rewrite
from .names import SPECTRUM, SPECTRUM_LINES

__all__ = ["DEFECTS"]


@defect("spectrum-stretched", found_by="quality.spectrum-wavelengths", after="process")
def spectrum_stretched(target: DefectTarget) -> None:
    """The wavelengths of a spectrum are 1 % too long, as if the disperser were nearer."""

    def change(table: Any) -> Any:
        table["wavelength"] = table["wavelength"] * 1.01
        return table

    rewrite(target, SPECTRUM, change)


@defect("spectrum-lines-shifted", found_by="quality.spectrum-lines", after="process")
def lines_shifted(target: DefectTarget) -> None:
    """The lines of a spectrum are 8 nm from where they are."""

    def change(table: Any) -> Any:
        table["wavelength"] = table["wavelength"] + 8.0 * table["wavelength"].unit
        return table

    rewrite(target, SPECTRUM_LINES, change)


@defect("spectrum-lines-anonymous", found_by="quality.spectrum-lines", after="process")
def lines_anonymous(target: DefectTarget) -> None:
    """No line of a spectrum is recognized."""

    def change(table: Any) -> Any:
        table["name"] = [""] * len(table)
        return table

    rewrite(target, SPECTRUM_LINES, change)


@defect("spectrum-flux-scaled", found_by="quality.spectrum-flux", after="process")
def flux_scaled(target: DefectTarget) -> None:
    """The flux of a spectrum is a tenth too low, as if its aperture were too narrow."""

    def change(table: Any) -> Any:
        table["flux"] = table["flux"] * 0.9
        return table

    rewrite(target, SPECTRUM, change)


DEFECTS: tuple[Defect, ...] = (spectrum_stretched, lines_shifted, lines_anonymous, flux_scaled)
"""The defects of this family."""
