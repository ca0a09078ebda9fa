"""Seeded defects of images taken out of focus, and of the wavefronts made of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ..defects.base import Defect, DefectTarget, defect
from ..defects.quality import rewrite
from ..defects.tools import raw_run, replace_file
from ..errors import HarnessError
from .corners import corner_pairs
from .names import ZERNIKES
from .plan import CWFS

if TYPE_CHECKING:
    from pathlib import Path

    from lsst.daf.butler import Butler, DatasetRef

__all__ = ["DEFECTS"]


def _raws(target: DefectTarget, butler: Butler, **data_id: Any) -> list[DatasetRef]:
    """Return raws in order; at least one."""
    refs = butler.query_datasets("raw", raw_run(target), instrument=target.kit.name, data_id=data_id, explain=False)
    if not refs:
        raise HarnessError(f"no raw of {data_id}", remedy="apply the defect after ingest", code="defect")
    return sorted(refs, key=lambda r: r.dataId)


def _cwfs(target: DefectTarget) -> int:
    """Return the first exposure out of focus."""
    for observation in target.dataset.observations:
        if observation.observation_type == CWFS and observation.focus:
            return observation.exposure
    raise HarnessError(f"{target.dataset.name} has no exposure out of focus", code="defect")


def _sensor(target: DefectTarget) -> tuple[int, int]:
    """Return the first pair of wavefront sensors that the dataset has: extra- and intra-focal id."""
    for pair in corner_pairs(target.kit.camera):
        if {pair.extra, pair.intra} <= set(target.dataset.detectors):
            return pair.extra, pair.intra
    raise HarnessError(f"{target.dataset.name} has no pair of wavefront sensors", code="defect")


@defect("wavefront-sensor-as-science", found_by="wavefront.sensor-purposes", after="register")
def sensor_as_science(target: DefectTarget) -> None:
    """A wavefront sensor is registered as a science detector."""
    with target.sql() as db:
        db.execute(
            "UPDATE detector SET purpose='SCIENCE' WHERE instrument=? AND id=?", (target.kit.name, _sensor(target)[1])
        )


@defect("wavefront-sensor-in-other-raft", found_by="wavefront.sensor-pairs", after="register")
def sensor_in_other_raft(target: DefectTarget) -> None:
    """A wavefront sensor is registered in the raft of another."""
    (first, _), (_, last) = _sensor(target), max((p.extra, p.intra) for p in corner_pairs(target.kit.camera))
    raft = target.kit.camera[last].raft
    with target.sql() as db:
        db.execute("UPDATE detector SET raft=? WHERE instrument=? AND id=?", (raft, target.kit.name, first))


@defect("wavefront-sensor-missing", found_by="wavefront.pairs-complete", after="ingest")
def sensor_missing(target: DefectTarget) -> None:
    """The raw of an intra-focal wavefront sensor is lost."""
    with target.butler() as butler:
        ref = _raws(target, butler, detector=_sensor(target)[1])[0]
        butler.pruneDatasets([ref], disassociate=True, unstore=True, purge=True)


@defect("wavefront-half-alone", found_by="wavefront.pairs-complete", after="ingest")
def half_alone(target: DefectTarget) -> None:
    """One half of a pair of exposures is put into a group of its own."""
    exposure = _cwfs(target)
    with target.sql() as db:
        db.execute(
            'INSERT INTO "group" (instrument, name) SELECT instrument, name || \' alone\' FROM "group"'
            ' WHERE instrument=? AND name=(SELECT "group" FROM exposure WHERE instrument=? AND id=?)',
            (target.kit.name, target.kit.name, exposure),
        )
        db.execute(
            'UPDATE exposure SET "group"="group" || \' alone\' WHERE instrument=? AND id=?',
            (target.kit.name, exposure),
        )


@defect("wavefront-focus-reversed", found_by="wavefront.focus-signs", after="ingest")
def focus_reversed(target: DefectTarget) -> None:
    """The focus of an exposure has the other sign in its headers."""
    with target.butler() as butler:
        for ref in _raws(target, butler, exposure=_cwfs(target)):
            _turn_focus(_path(butler, ref))


def _path(butler: Butler, ref: DatasetRef) -> Path:
    from pathlib import Path

    return Path(butler.getURI(ref).ospath)


def _turn_focus(path: Path) -> None:
    """Change the sign of FOCUSZ in its card, byte for byte."""
    content = path.read_bytes()
    card = re.search(rb"FOCUSZ  = ([ ]*)(-?)([0-9.]+)", content)
    if card is None:
        raise HarnessError(f"{path.name} has no FOCUSZ", code="defect")
    value = card[3] if card[2] else b"-" + card[3]
    new = b"FOCUSZ  = " + value.rjust(len(card[1] + card[2] + card[3]))
    replace_file(path, content[: card.start()] + new + content[card.end() :])


@defect("zernikes-of-intra", found_by="wavefront.zernikes-of-extra", after="process")
def zernikes_of_intra(target: DefectTarget) -> None:
    """The wavefront of a pair of sensors is kept under the intra-focal one."""
    extra, intra = _sensor(target)
    collection = f"{target.kit.name}/runs/{target.dataset.name}"
    with target.butler() as butler:
        ref = min(
            butler.query_datasets(ZERNIKES, collection, instrument=target.kit.name, detector=extra),
            key=lambda r: r.dataId,
        )
        content = butler.get(ref)
        butler.pruneDatasets([ref], disassociate=True, unstore=True, purge=True)
        butler.put(content, ref.datasetType, ref.dataId.to_simple().dataId | {"detector": intra}, run=ref.run)


@defect("zernikes-turned-over", found_by="quality.zernikes", after="process")
def zernikes_turned_over(target: DefectTarget) -> None:
    """The coefficients of a wavefront have the wrong sign."""

    def change(table: Any) -> Any:
        for name in table.colnames:
            if re.fullmatch(r"Z\d+", name):
                table[name] = -table[name]
        return table

    rewrite(target, ZERNIKES, change)


DEFECTS: tuple[Defect, ...] = (
    sensor_as_science,
    sensor_in_other_raft,
    sensor_missing,
    half_alone,
    focus_reversed,
    zernikes_of_intra,
    zernikes_turned_over,
)
"""The defects of wavefront sensing."""
