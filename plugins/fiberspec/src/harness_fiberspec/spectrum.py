"""A raw spectrum as a Python object: the type of the ``HarnessFiberSpectrum`` storage class."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError

if TYPE_CHECKING:
    from astro_metadata_translator import ObservationInfo
    from astropy.io.fits import HDUList

__all__ = ["FiberSpectrum", "read_spectrum", "wavelength_table"]

Floats = NDArray[np.float64]

_UNITS = {"nm": 1.0, "um": 1e3, "m": 1e9, "angstrom": 0.1}
"""Nanometres in the units that CUNIT1 may name."""


@dataclasses.dataclass(frozen=True)
class FiberSpectrum:
    """One spectrum as it was read out.

    All fields are components of the storage class: each can be had alone, the header without reading data.

    Parameters
    ----------
    wavelength : `numpy.ndarray`
        Wavelength of each pixel (nm), strictly increasing, shape (n,).
    flux : `numpy.ndarray`
        Signal of each pixel (uncalibrated counts), shape (n,).
    header : `dict` [`str`, `typing.Any`]
        Primary FITS header.
    obs_info : `astro_metadata_translator.ObservationInfo`
        The translated header.
    """

    wavelength: Floats
    flux: Floats
    header: dict[str, Any]
    obs_info: ObservationInfo


def read_spectrum(path: str) -> tuple[Floats, Floats]:
    """Read wavelengths (nm) and fluxes of a file.

    Raises
    ------
    HarnessError
        If it is no spectrum: no flux, no table of wavelengths or one that does not fit; wavelengths that do not
        increase strictly or are no numbers.
    """
    from astropy.io import fits

    try:
        with fits.open(path, memmap=False) as hdus:
            data = hdus[0].data
            flux = np.zeros(0) if data is None else np.asarray(data, np.float64)
            if flux.ndim != 1 or not flux.size:
                raise _bad(path, f"its primary HDU has data of shape {flux.shape}", "a spectrum has one axis")
            wavelength = wavelength_table(hdus, path)
    except (OSError, ValueError, TypeError) as error:
        raise _bad(path, f"it cannot be read: {error}", "the file is damaged: fetch it again") from error
    if not np.all(np.isfinite(wavelength)) or not np.all(np.diff(wavelength) > 0) or wavelength[0] <= 0:
        wrong = _first_wrong(wavelength)
        raise _bad(
            path,
            f"wavelength {wavelength[wrong]:g} nm of pixel {wrong + 1} does not follow"
            f" {wavelength[wrong - 1] if wrong else 0.0:g} nm",
            "wavelengths increase from pixel to pixel",
        )
    return wavelength, flux


def _first_wrong(wavelength: Floats) -> int:
    before = np.concatenate([[0.0], wavelength[:-1]])
    return int(np.flatnonzero(~(wavelength > before) | ~np.isfinite(wavelength))[0])


def wavelength_table(hdus: HDUList, path: str = "") -> Floats:
    """Return the wavelength of each pixel from the look-up table that the WCS names (FITS Paper III, section 6).

    Parameters
    ----------
    hdus : `astropy.io.fits.HDUList`
        The file: a primary HDU with CTYPE1 ``WAVE-TAB``, and the binary table of PS1_0 with the column of PS1_1.
    path : `str`, optional
        Its name, for messages.

    Returns
    -------
    wavelength : `numpy.ndarray`
        Wavelengths (nm). The pixel p (from 1) is at place CRVAL1 + CDELT1·(p − CRPIX1) of the table, whose first
        entry is at 1; between entries is interpolated, and half a place beyond the ends extrapolated, linearly.

    Raises
    ------
    HarnessError
        If the WCS is another one or incomplete, there is no such table or column, or it does not reach far enough.
    """
    header = hdus[0].header
    kind, unit = str(header.get("CTYPE1", "")).strip(), str(header.get("CUNIT1", "nm")).strip()
    if kind != "WAVE-TAB":
        raise _bad(path, f"CTYPE1 is {kind!r}", "wavelengths are looked up in a table: WAVE-TAB")
    if unit.casefold() not in _UNITS:
        raise _bad(path, f"CUNIT1 is {unit!r}", f"known units: {', '.join(_UNITS)}")
    if header.get("PS1_2"):
        raise _bad(path, f"PS1_2 names an index vector {header['PS1_2']!r}", "tables with an index are not supported")
    values = _column(hdus, header, path)
    pixels = np.arange(1, int(header["NAXIS1"]) + 1)
    start, step, reference = (float(header.get(k, d)) for k, d in (("CRVAL1", 0.0), ("CDELT1", 1.0), ("CRPIX1", 0.0)))
    place = start + step * (pixels - reference)
    if place.min() < 0.5 or place.max() > len(values) + 0.5:
        raise _bad(
            path,
            f"its table has {len(values)} wavelengths, but pixels are at places {place.min():g} to {place.max():g}",
            f"{len(pixels)} pixels need as many wavelengths",
        )
    if len(values) < 2:
        return np.full(len(pixels), values[0])
    left = np.clip(np.floor(place).astype(int), 1, len(values) - 1)
    part = place - left
    # Whole places take their own entry and nothing of the next, which may be no number.
    slope = np.where(part == 0, 0.0, values[left] - values[left - 1])
    wavelength = np.where(part == 1, values[left], values[left - 1] + part * slope)
    return np.asarray(wavelength * _UNITS[unit.casefold()], np.float64)


def _column(hdus: HDUList, header: Mapping[str, Any], path: str) -> Floats:
    """Return the coordinate array that the WCS names, as one row of numbers."""
    table, column = (str(header.get(k, "")).strip() for k in ("PS1_0", "PS1_1"))
    if not table or not column:
        raise _bad(path, "PS1_0 and PS1_1 do not name a table and its column", "WAVE-TAB needs both")
    version = int(header.get("PV1_1", 1))
    found = [h for h in hdus[1:] if h.name == table.upper() and h.ver == version]
    if len(found) != 1 or not hasattr(found[0], "columns"):
        raise _bad(path, f"it has no table {table} (version {version})", "its wavelengths are lost: fetch it again")
    names = {n.casefold(): n for n in found[0].columns.names}
    if column.casefold() not in names:
        raise _bad(path, f"table {table} has no column {column}", f"it has {', '.join(names.values()) or 'none'}")
    values = np.asarray(found[0].data[names[column.casefold()]], np.float64)
    if values.shape[0] != 1 or values.size == 0 or values.size != max(values.shape):
        raise _bad(
            path, f"column {column} of table {table} has shape {values.shape}", "one row of wavelengths: (1, n, 1)"
        )
    return values.ravel()


def _bad(path: str, what: str, remedy: str) -> HarnessError:
    return HarnessError(f"{path or 'file'} is no spectrum: {what}", remedy=remedy, code="spectrum")
