"""A raw exposure of the projector as a Python object: the type of the ``HarnessCbpExposure`` storage class."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError

from .settings import Settings

if TYPE_CHECKING:
    from astro_metadata_translator import ObservationInfo

__all__ = ["EXTENSION", "CbpExposure", "read_series"]

Floats = NDArray[np.float64]

EXTENSION = "ELECTROMETER"
"""Name of the HDU with the time series."""


@dataclasses.dataclass(frozen=True)
class CbpExposure:
    """One exposure: what was set, and what the electrometer measured.

    All fields are components of the storage class: each can be had alone, the header without reading data.

    Parameters
    ----------
    settings : `dict` [`str`, `typing.Any`]
        The fields of `~harness_cbp.settings.Settings`.
    time : `numpy.ndarray`
        Seconds since the begin of the exposure, strictly increasing, shape (n,).
    charge : `numpy.ndarray`
        Charge (C) that has come since the electrometer was reset, shape (n,). Measured currents are integrated.
    header : `dict` [`str`, `typing.Any`]
        Primary FITS header.
    obs_info : `astro_metadata_translator.ObservationInfo`
        The translated header.
    """

    settings: dict[str, Any]
    time: Floats
    charge: Floats
    header: dict[str, Any]
    obs_info: ObservationInfo


def read_series(path: str, header: Mapping[str, Any]) -> tuple[Floats, Floats]:
    """Read the time series of a file: times (s) and charges (C).

    Parameters
    ----------
    path : `str`
        The file.
    header : `~collections.abc.Mapping`
        Its primary header.

    Raises
    ------
    HarnessError
        If the table or a column is missing, there are fewer than two rows, times do not increase strictly, or
        something is no number.
    """
    from astropy.io import fits

    column = Settings.from_header(header).mode
    try:
        with fits.open(path, memmap=False) as hdus:
            found = [h for h in hdus[1:] if h.name == EXTENSION and isinstance(h, fits.BinTableHDU)]
            if len(found) != 1:
                raise _bad(path, f"it has {len(found)} tables {EXTENSION}", "one is needed")
            names = {n.upper(): n for n in found[0].columns.names}
            missing = [n for n in ("TIME", column) if n not in names]
            if missing:
                raise _bad(path, f"its table has no column {missing[0]}", f"it has {', '.join(names) or 'none'}")
            time, value = (np.asarray(found[0].data[names[n]], np.float64) for n in ("TIME", column))
    except (OSError, ValueError, TypeError) as error:
        raise _bad(path, f"it cannot be read: {error}", "the file is damaged: fetch it again") from error
    if time.ndim != 1 or len(time) < 2 or value.shape != time.shape:
        raise _bad(path, f"its series has the shapes {time.shape} and {value.shape}", "two rows at least")
    if not np.all(np.isfinite(value)):
        row = int(np.flatnonzero(~np.isfinite(value))[0])
        raise _bad(path, f"{column} of row {row + 1} is {value[row]}", "every row needs a number")
    if not np.all(np.isfinite(time)) or not np.all(np.diff(time) > 0):
        row = int(np.flatnonzero(~np.isfinite(time) | ~(np.diff(time, prepend=-np.inf) > 0))[0])
        raise _bad(path, f"TIME of row {row + 1} is {time[row]:g} s, after {time[row - 1]:g} s", "times increase")
    return time, value if column == "CHARGE" else _integral(time, value)


def _integral(time: Floats, current: Floats) -> Floats:
    """Integrate a current (A) over time (s), by trapezoids; 0 at the first time."""
    steps = np.diff(time) * (current[1:] + current[:-1]) / 2
    return np.concatenate([[0.0], np.cumsum(steps)])


def _bad(path: str, what: str, remedy: str) -> HarnessError:
    return HarnessError(f"{path} is no exposure of the projector: {what}", remedy=remedy, code="electrometer")
