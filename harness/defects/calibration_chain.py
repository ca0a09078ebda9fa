"""Seeded defects of calibrations that are made of exposures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import HarnessError
from .base import Defect, DefectTarget, defect
from .tools import calibration_table, dataset_type_id

__all__ = ["DEFECTS"]


def _rewrite(target: DefectTarget, kind: str, change: Callable[[Any], None]) -> None:
    """Change the first epoch's calibration of the first detector, keeping its identity.

    Raises
    ------
    HarnessError
        If there is none.
    """
    run = target.kit.instrument_class().makeCalibrationCollectionName(kind, target.dataset.calibrations[0].label, "run")
    with target.butler() as butler:
        refs = sorted(
            butler.query_datasets(kind, run, with_dimension_records=True, explain=False), key=lambda r: r.dataId
        )
        if not refs:
            raise HarnessError(f"{run} has no {kind}", remedy="apply the defect after the chain", code="defect")
        content = butler.get(refs[0])
        change(content)
        butler.pruneDatasets([refs[0]], disassociate=False, unstore=True)
        butler.put(content, refs[0])


def _exchange(target: DefectTarget, kind: str) -> None:
    """Let two epochs change their calibrations of one detector, behind the middleware's back."""
    with target.sql() as db:
        table = calibration_table(db, kind)
        query = (
            f"SELECT id, dataset_id FROM {table}"  # noqa: S608 - the registry's own name
            " WHERE dataset_type_id=? AND instrument=? AND detector=? ORDER BY timespan_begin"
        )
        key = (dataset_type_id(db, kind), target.kit.name, target.dataset.detectors[0])
        rows = db.execute(query, key).fetchall()
        if len(rows) < 2:
            raise HarnessError(f"there are no two epochs of {kind}", remedy="apply it after the chain", code="defect")
        update = f"UPDATE {table} SET dataset_id=? WHERE id=?"  # noqa: S608 - the registry's own name
        db.execute(update, (rows[1][1], rows[0][0]))
        db.execute(update, (rows[0][1], rows[1][0]))


@defect("bias-epochs-exchanged", found_by="calibrations.made-in-range", after="calibrate")
def bias_epochs_exchanged(target: DefectTarget) -> None:
    """Two epochs have each other's bias, for one detector."""
    _exchange(target, "bias")


@defect("dark-epochs-exchanged", found_by="calibrations.epoch-found", after="calibrate")
def dark_epochs_exchanged(target: DefectTarget) -> None:
    """Two epochs have each other's dark, for one detector."""
    _exchange(target, "dark")


@defect("calibrated-anew", found_by="calibrations.used-in-range", after="process")
def calibrated_anew(target: DefectTarget) -> None:
    """Two epochs' darks were exchanged after the images had been processed."""
    _exchange(target, "dark")


@defect("bias-level-left", found_by="quality.bias-truth", after="calibrate")
def bias_level_left(target: DefectTarget) -> None:
    """The bias of one amplifier has 3 ADU of the overscan's level left."""

    def change(image: Any) -> None:
        camera = target.kit.make_camera(target.dataset.scale)
        image.array[camera[target.dataset.detectors[0]].amplifiers[0].bbox.slices] += 3.0

    _rewrite(target, "bias", change)


@defect("dark-not-scaled", found_by="quality.dark-truth", after="calibrate")
def dark_not_scaled(target: DefectTarget) -> None:
    """A dark has the current of two seconds rather than of one."""

    def change(image: Any) -> None:
        image.array *= 2.0

    _rewrite(target, "dark", change)


@defect("flat-mirrored", found_by="quality.flat-truth", after="calibrate")
def flat_mirrored(target: DefectTarget) -> None:
    """A flat is mirrored left to right."""

    def change(image: Any) -> None:
        image.array[...] = image.array[:, ::-1].copy()

    _rewrite(target, "flat", change)


@defect("bias-noise-added", found_by="quality.bias-truth", after="calibrate")
def bias_noise_added(target: DefectTarget) -> None:
    """A bias is as noisy as a single exposure."""

    def change(image: Any) -> None:
        import numpy as np

        rng = np.random.default_rng(target.dataset.seed)
        image.array += 2 * float(image.metadata["NOISE"]) * rng.standard_normal(image.array.shape)

    _rewrite(target, "bias", change)


DEFECTS: tuple[Defect, ...] = (
    bias_epochs_exchanged,
    dark_epochs_exchanged,
    calibrated_anew,
    bias_level_left,
    dark_not_scaled,
    flat_mirrored,
    bias_noise_added,
)
"""The defects of this family."""
