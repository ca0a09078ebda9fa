"""The devices that share the instrument's name, and how they are told apart."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from harness.errors import HarnessError, nearest

__all__ = ["DEVICES", "Device", "device_of", "exposure_id", "observation_id", "split_observation_id"]

INSTRUME = "FiberSpectrograph."
"""How INSTRUME begins; the device's name follows."""

_OBSID = re.compile(r"FS(\d+)_([A-Z])_(\d{8})_(\d{6})")
SEQUENCE = 100_000
"""Exclusive limit of sequence numbers: five digits of the exposure id."""


@dataclasses.dataclass(frozen=True)
class Device:
    """One spectrograph.

    Parameters
    ----------
    name : `str`
        As INSTRUME ends.
    number : `int`
        As in the prefix ``FS1`` of its observations' names.
    serial : `str`
        Serial number.
    """

    name: str
    number: int
    serial: str

    @property
    def prefix(self) -> str:
        """How the names of its observations begin (`str`)."""
        return f"FS{self.number}"


DEVICES: Mapping[str, Device] = MappingProxyType(
    {
        d.name: d
        for d in (Device("Blue", 1, "1606192U1"), Device("Red", 2, "1606190U1"), Device("Broad", 3, "1606191U1"))
    }
)
"""The devices by name; numbers and serials from instruments.md, "Calibration fiber spectrograph"."""


def device_of(header: Mapping[str, Any]) -> Device:
    """Return the device that a header is of, after proving that all keys which name one agree.

    Parameters
    ----------
    header : `~collections.abc.Mapping`
        Header with INSTRUME; SERIAL, OBSID and CONTRLLR are looked at if they are there.

    Raises
    ------
    HarnessError
        If the device is unknown, or the keys name different ones.
    """
    said = str(header.get("INSTRUME") or "")
    if not said.startswith(INSTRUME):
        raise HarnessError(f"INSTRUME is {said!r}", remedy=f"'{INSTRUME}Broad' is one", code="device")
    name = said.removeprefix(INSTRUME)
    if name not in DEVICES:
        raise nearest("fiber spectrograph", name, DEVICES)
    device = DEVICES[name]
    wanted = {"SERIAL": device.serial, "OBSID": device.prefix}
    for key, value in wanted.items():
        seen = str(header.get(key) or "").strip()
        own = seen.partition("_")[0] if key == "OBSID" else seen
        if own and own != value:
            raise HarnessError(
                f"{key} is {seen!r}, but INSTRUME {said!r} is the device {value!r}",
                remedy="the file has parts of two devices",
                code="device",
            )
    return device


def split_observation_id(name: str) -> tuple[int, str, int, int]:
    """Take the name of an observation apart; the inverse of `observation_id`.

    Returns
    -------
    device, controller, day, sequence : `int`, `str`, `int`, `int`
        Its parts.

    Raises
    ------
    HarnessError
        If it is no name of an observation of a fiber spectrograph.
    """
    match = _OBSID.fullmatch(name.strip())
    if match is None:
        raise HarnessError(
            f"OBSID {name!r} is not one of a fiber spectrograph", remedy="FS3_O_20240109_000004 is", code="obsid"
        )
    return int(match[1]), match[2], int(match[3]), int(match[4])


def observation_id(device: Device, day: int, sequence: int, controller: str = "O") -> str:
    """Return the name of an observation, ``FS3_O_20240109_000004`` (`str`)."""
    return f"{device.prefix}_{controller}_{day:08d}_{sequence:06d}"


def exposure_id(day: int, sequence: int) -> int:
    """Return the exposure id: the day and five digits of the sequence number; the device is not in it.

    Raises
    ------
    HarnessError
        If the sequence number has more than five digits.
    """
    if not 0 <= sequence < SEQUENCE:
        raise HarnessError(
            f"sequence number {sequence} is out of range", remedy=f"0 to {SEQUENCE - 1}", code="exposure-id"
        )
    return day * SEQUENCE + sequence
