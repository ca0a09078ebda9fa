"""Seeded defects of the projector's data."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness.defects.base import Defect, DefectTarget, defect
from harness.defects.quality import rewrite
from harness.defects.tools import artifact, one, replace_artifact

from .linkage import NAME, TYPE

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["DEFECTS"]


@defect("cbp-name-of-another", found_by="identifiers.cbp-name", after="ingest")
def name_of_another(target: DefectTarget) -> None:
    """An exposure of the projector has the obs_id of a number that was never taken."""
    with target.sql() as db:
        number, name = one(db, "SELECT id, obs_id FROM exposure WHERE instrument=? ORDER BY id", NAME)
        db.execute("UPDATE exposure SET obs_id=? WHERE id=? AND instrument=?", (name[:-6] + "099999", number, NAME))


@defect("cbp-focus-in-mm", found_by="identifiers.cbp-settings", after="ingest")
def focus_in_mm(target: DefectTarget) -> None:
    """A focus in µm is called one in mm, as the observatory's interface does."""
    _edit(target, "CBPFUNIT", "mm")


@defect("cbp-mask-impossible", found_by="identifiers.cbp-settings", after="ingest")
def mask_impossible(target: DefectTarget) -> None:
    """A raw says that the sixth mask of five was in."""
    _edit(target, "CBPMASK", 6)


def _edit(target: DefectTarget, key: str, value: Any) -> None:
    """Change a card of the first raw, in a copy under its name."""
    import io

    from astropy.io import fits

    identifier, path = artifact(target, "rawCbp")
    with fits.open(io.BytesIO(path.read_bytes())) as hdus:
        hdus[0].header[key] = value
        changed = io.BytesIO()
        hdus.writeto(changed)
    replace_artifact(target, identifier, path, changed.getvalue())


def _regroup(target: DefectTarget, where: str, *values: Any) -> None:
    """Give the first exposure for which a condition holds a group of its own."""
    with target.sql() as db:
        # The name comes from the class definition of this plugin's queries, the values from its constants.
        query = f'SELECT instrument, id, "group" FROM exposure WHERE {where} ORDER BY id'  # noqa: S608
        instrument, number, group = one(db, query, *values)
        lost = f"{group}-lost"
        db.execute('INSERT INTO "group" (instrument, name) VALUES (?, ?)', (instrument, lost))
        db.execute('UPDATE exposure SET "group"=? WHERE instrument=? AND id=?', (lost, instrument, number))


@defect("cbp-camera-regrouped", found_by="identifiers.cbp-linked", after="ingest")
def camera_regrouped(target: DefectTarget) -> None:
    """The camera's exposure is in another group than the projector's."""
    _regroup(target, "observation_type=? AND instrument<>?", TYPE, NAME)


@defect("cbp-exposure-regrouped", found_by="identifiers.cbp-linked", after="ingest")
def exposure_regrouped(target: DefectTarget) -> None:
    """The projector's exposure is in another group than the camera's."""
    _regroup(target, "instrument=?", NAME)


@defect("cbp-groups-merged", found_by="identifiers.cbp-linked", after="ingest")
def groups_merged(target: DefectTarget) -> None:
    """Two exposures of the projector are in one group."""
    with target.sql() as db:
        first, group = one(db, 'SELECT id, "group" FROM exposure WHERE instrument=? ORDER BY id', NAME)
        second, _ = one(db, 'SELECT id, "group" FROM exposure WHERE instrument=? AND id<>? ORDER BY id', NAME, first)
        db.execute('UPDATE exposure SET "group"=? WHERE instrument=? AND id=?', (group, NAME, second))


@defect("cbp-camera-late", found_by="time.cbp-together", after="ingest")
def camera_late(target: DefectTarget) -> None:
    """The camera's exposure is an hour later than the light."""
    hour = 3600 * 10**9
    with target.sql() as db:
        instrument, number = one(
            db,
            "SELECT instrument, id FROM exposure WHERE observation_type=? AND instrument<>? ORDER BY id",
            TYPE,
            NAME,
        )
        db.execute(
            "UPDATE exposure SET timespan_begin=timespan_begin+?, timespan_end=timespan_end+?"
            " WHERE instrument=? AND id=?",
            (hour, hour, instrument, number),
        )


def _scaled(column: str, factor: float, rows: Callable[[Table], Any]) -> Callable[[Any], Any]:
    def change(table: Table) -> Any:
        table[column][rows(table)] *= factor
        return table

    return change


@defect("cbp-charge-scaled", found_by="quality.cbp-charge", after="process")
def charge_scaled(target: DefectTarget) -> None:
    """A charge is 2 % too high."""
    rewrite(target, "cbpCharge", _scaled("charge", 1.02, lambda _: slice(None)))


@defect("cbp-throughput-scaled", found_by="quality.cbp-throughput", after="process")
def throughput_scaled(target: DefectTarget) -> None:
    """The whole curve is 15 % too low."""
    rewrite(target, "cbpThroughput", _scaled("throughput", 0.85, lambda _: slice(None)))


@defect("cbp-throughput-bent", found_by="quality.cbp-throughput", after="process")
def throughput_bent(target: DefectTarget) -> None:
    """The throughput at the shortest wavelength is 10 % too high."""
    rewrite(target, "cbpThroughput", _scaled("throughput", 1.1, lambda _: slice(0, 1)))


@defect("cbp-wavelength-lost", found_by="quality.cbp-throughput", after="process")
def wavelength_lost(target: DefectTarget) -> None:
    """The curve ends before the last wavelength of the scan."""
    rewrite(target, "cbpThroughput", lambda table: table[:-1])


DEFECTS: tuple[Defect, ...] = (
    name_of_another,
    focus_in_mm,
    mask_impossible,
    camera_regrouped,
    exposure_regrouped,
    groups_merged,
    camera_late,
    charge_scaled,
    throughput_scaled,
    throughput_bent,
    wavelength_lost,
)
"""The defects of this plugin."""
