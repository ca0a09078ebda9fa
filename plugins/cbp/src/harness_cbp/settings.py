"""What the projector, its laser and its electrometer were set to, and what they cannot be set to."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

from harness.errors import HarnessError
from harness.instrument.structure import StructureProblem

__all__ = ["CONFIGURATIONS", "LIMITS", "MASKS", "MODES", "Settings", "problems"]

MASKS = (1, 2, 3, 4, 5, 9)
"""Slots of the mask wheel; 9 means that it is not known. Source of this and all limits: instruments.md."""

CONFIGURATIONS = ("SCU", "F1 SCU", "F2 SCU", "No SCU", "F1 No SCU", "F2 No SCU")
"""Optical configurations of the tunable laser."""

MODES = ("CHARGE", "CURRENT")
"""What the electrometer measures: charge (C) that has come since it was reset, or current (A)."""

LIMITS: Mapping[str, tuple[float, float, str]] = {
    "CBPAZ": (-45.0, 45.0, "deg"),
    "CBPEL": (-69.0, 45.0, "deg"),
    "CBPFOC": (0.0, 13000.0, "um"),
    "CBPMROT": (0.0, 360.0, "deg"),
    "LASERWL": (200.0, 3000.0, "nm"),
}
"""Least and largest value and unit of each number. Wavelengths are an assumption, wider than any scan (300 to 1240)."""

_FOCUS_UNITS = {"um": 1.0, "mm": 1000.0}


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings of one exposure.

    Parameters
    ----------
    azimuth, elevation : `float`
        Where the projector points, in its own axes (degrees).
    focus : `float`
        Place of the focus stage (µm).
    mask : `int`
        Slot of the mask wheel, one of `MASKS`.
    mask_rotation : `float`
        Rotation of the mask (degrees).
    wavelength : `float`
        Of the laser (nm).
    configuration : `str`
        Optical configuration of the laser, one of `CONFIGURATIONS`.
    bursts : `int`
        Bursts of the laser during the exposure; 0 if it was shut.
    mode : `str`
        One of `MODES`.
    integration_time : `float`
        Of the electrometer (s); 0 if unknown.
    """

    azimuth: float
    elevation: float
    focus: float
    mask: int
    mask_rotation: float
    wavelength: float
    configuration: str
    bursts: int
    mode: str = "CHARGE"
    integration_time: float = 0.0

    @classmethod
    def from_header(cls, header: Mapping[str, Any]) -> Settings:
        """Take the settings from a header.

        Raises
        ------
        HarnessError
            If one is missing, or is beyond its limits: names the key, the value and the limits.
        """
        found = next(problems(header), None)
        if found is not None:
            raise HarnessError(
                f"{found.key} is {found.seen}", remedy=f"expected {found.expected}", code="projector-setting"
            )
        return cls(
            azimuth=float(header["CBPAZ"]),
            elevation=float(header["CBPEL"]),
            focus=_focus(header),
            mask=int(header["CBPMASK"]),
            mask_rotation=float(header["CBPMROT"]),
            wavelength=float(header["LASERWL"]),
            configuration=str(header["OPTCONF"]).strip(),
            bursts=int(header["NBURST"]),
            mode=str(header.get("ELECMODE", MODES[0])).strip(),
            integration_time=float(header.get("ELECITIM") or 0.0),
        )


def _focus(header: Mapping[str, Any]) -> float:
    """Return the focus in µm, in whatever unit the header says that it is."""
    return float(header["CBPFOC"]) * _FOCUS_UNITS[str(header.get("CBPFUNIT", "um")).strip()]


def problems(header: Mapping[str, Any]) -> Iterator[StructureProblem]:
    """Yield what is wrong with the settings in a header.

    Parameters
    ----------
    header : `~collections.abc.Mapping`
        Primary header.

    Notes
    -----
    The focus is in µm. ``CBPFUNIT`` may say so, or that it is in mm, which is then converted: the interface of the
    observatory calls its unit mm, but has limits (0 to 13000) that only make sense in µm.
    """
    unit = str(header.get("CBPFUNIT", "um")).strip()
    if unit not in _FOCUS_UNITS:
        yield _problem("CBPFUNIT", repr(unit), " or ".join(_FOCUS_UNITS))
        return
    for key, (low, high, name) in LIMITS.items():
        value = header.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            yield _problem(key, "missing" if value is None else repr(value), f"a number of {name}")
            continue
        number = _focus(header) if key == "CBPFOC" else value
        if not low <= number <= high:
            yield _problem(key, f"{number:g} {name}", f"{low:g} to {high:g} {name}")
    yield from _choice(header, "CBPMASK", MASKS)
    yield from _choice(header, "OPTCONF", CONFIGURATIONS)
    if "ELECMODE" in header:
        yield from _choice(header, "ELECMODE", MODES)
    bursts = header.get("NBURST")
    if isinstance(bursts, bool) or not isinstance(bursts, int) or bursts < 0:
        yield _problem("NBURST", "missing" if bursts is None else repr(bursts), "0 or more")
    time = header.get("ELECITIM")
    if time is not None and (not isinstance(time, int | float) or not math.isfinite(time) or time < 0):
        yield _problem("ELECITIM", repr(time), "seconds, not negative")


def _choice(header: Mapping[str, Any], key: str, known: tuple[Any, ...]) -> Iterator[StructureProblem]:
    value = header.get(key)
    value = value.strip() if isinstance(value, str) else value
    if isinstance(value, bool) or value not in known:
        yield _problem(key, "missing" if value is None else repr(value), f"one of {', '.join(map(str, known))}")


def _problem(key: str, seen: str, expected: str) -> StructureProblem:
    return StructureProblem("0 (primary)", key, seen, expected)
