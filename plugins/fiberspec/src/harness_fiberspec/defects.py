"""Seeded defects of spectra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.defects.base import Defect, DefectTarget, defect
from harness.defects.quality import rewrite
from harness.defects.tools import artifact, one, replace_artifact
from harness.errors import HarnessError

from .devices import DEVICES, device_of

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["DEFECTS"]


@defect("fiber-device-swapped", found_by="identifiers.fiber-device", after="ingest")
def device_swapped(target: DefectTarget) -> None:
    """The file of one device is replaced by what another took at the same moment; the record stays."""
    from astropy.io import fits

    identifier, path = artifact(target, "rawSpectrum")
    header = fits.getheader(path)
    device = device_of(header)
    other = next(d for d in DEVICES.values() if d.name != device.name)
    content = path.read_bytes()
    for key, old, new in (
        ("INSTRUME", device.name, other.name),
        ("SERIAL", device.serial, other.serial),
        ("OBSID", device.prefix, other.prefix),
        ("CONTRLLR", device.prefix, other.prefix),
    ):
        value = str(header[key])
        card = _card(key, value)
        start = content.index(card[:30].rstrip())
        content = content[:start] + _card(key, value.replace(old, new)) + content[start + 80 :]
    replace_artifact(target, identifier, path, content)


def _card(key: str, value: str) -> bytes:
    from astropy.io import fits

    return fits.Card(key, value).image.encode("ascii")


@defect("fiber-moment-merged", found_by="identifiers.fiber-moment", after="ingest")
def moment_merged(target: DefectTarget) -> None:
    """An exposure bears the name of another number, as if two observations were one."""
    with target.sql() as db:
        number, name = one(db, "SELECT id, obs_id FROM exposure WHERE instrument=? ORDER BY id", target.kit.name)
        db.execute(
            "UPDATE exposure SET obs_id=? WHERE id=? AND instrument=?",
            (name[:-6] + f"{(int(name[-6:]) + 7000) % 100_000:06d}", number, target.kit.name),
        )


@defect("fiber-lines-shifted", found_by="quality.fiber-lines", after="process")
def lines_shifted(target: DefectTarget) -> None:
    """The wavelengths of a spectrum's lines are half a nanometre too long."""

    def change(table: Table) -> Any:
        table["wavelength"] = table["wavelength"] + 0.5 * table["wavelength"].unit
        return table

    rewrite(target, "spectrumLines", change)


@defect("fiber-lines-lost", found_by="quality.fiber-lines", after="process")
def lines_lost(target: DefectTarget) -> None:
    """The brightest line of a spectrum is missing."""

    def change(table: Table) -> Any:
        import numpy as np

        if not len(table):
            raise HarnessError("the first table of lines is empty", code="defect")
        return table[np.arange(len(table)) != int(np.argmax(table["flux"]))]

    rewrite(target, "spectrumLines", change)


DEFECTS: tuple[Defect, ...] = (device_swapped, moment_merged, lines_shifted, lines_lost)
"""The defects of this plugin."""
