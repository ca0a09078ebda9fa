"""The stage that puts and certifies calibrations: bias, dark, flat and defects by epoch, and the camera for ever.

Only detectors that the dataset has raw files of get them; the camera has all detectors. What another dataset of the
instrument has brought already, or exposures of the dataset will be made into, is left out. A dark is for cameras
that take darks: those with the capability ``calibration-chain``.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import astropy.units as u
from astropy.table import Table
from astropy.time import Time
from lsst.daf.butler import (
    Butler,
    CollectionType,
    DatasetProvenance,
    DatasetRef,
    DatasetType,
    FileDataset,
    Timespan,
)
from lsst.images import Image
from lsst.images.fits import write as write_fits
from lsst.images.serialization import ButlerInfo

from ..errors import HarnessError
from ..instrument.kit import Capability
from ..simulate.calibration import DetectorCalibration
from ..simulate.light import DARK_TYPES

if TYPE_CHECKING:
    from ..datasets.manifest import CalibrationEpoch
    from ..instrument.camera import Camera, Rect
    from ..stage import StageContext

__all__ = ["DATASET_TYPES", "defects_table", "epoch_timespan", "run"]

DATASET_TYPES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "bias": (("instrument", "detector"), "ImageV2"),
    "dark": (("instrument", "detector"), "ImageV2"),
    "flat": (("instrument", "detector", "physical_filter"), "ImageV2"),
    "defects": (("instrument", "detector"), "ArrowAstropy"),
    "camera": (("instrument",), "HarnessCamera"),
}
"""Dimensions and storage class of the calibration dataset types."""

Key = tuple[Any, ...]


def run(context: StageContext) -> Mapping[str, Any]:
    """Put and certify the calibrations of the dataset that are not certified already.

    If the dataset's own exposures will make calibrations, defects and camera are all that is put here.

    Parameters
    ----------
    context : `~harness.stage.StageContext`
        ``repo`` holds the registered instrument.

    Returns
    -------
    facts : `~collections.abc.Mapping`
        ``collection``, ``runs`` (by epoch), ``camera_run`` and ``datasets`` (number by dataset type).

    Raises
    ------
    HarnessError
        If camera or defects are there with other content.
    """
    dataset, kit = context.dataset, context.kit
    instrument = kit.instrument_class()
    camera = kit.make_camera(dataset.scale)
    filters = sorted({o.physical_filter for o in dataset.observations if o.observation_type not in DARK_TYPES})
    collection = instrument.makeCalibrationCollectionName()
    unbounded = instrument.makeUnboundedCalibrationRunName()
    names = _simulated(context)
    counts = dict.fromkeys((*names, "camera"), 0)
    runs: dict[str, str] = {}
    with context.butler() as butler:
        types = {
            name: DatasetType(name, dimensions, storage_class, universe=butler.dimensions, isCalibration=True)
            for name, (dimensions, storage_class) in DATASET_TYPES.items()
            if name in counts
        }
        for dataset_type in types.values():
            butler.registry.registerDatasetType(dataset_type)
        butler.collections.register(collection, CollectionType.CALIBRATION)
        butler.collections.register(unbounded, CollectionType.RUN)
        counts["camera"] += _put_camera(butler, camera, types["camera"], kit.name, unbounded, collection)
        for epoch in dataset.calibrations:
            context.progress(f"epoch {epoch.label}: {len(dataset.detectors)} detectors")
            runs[epoch.label] = instrument.makeCalibrationCollectionName("simulated", epoch.label)
            truths = [DetectorCalibration(dataset.seed, camera.name, camera[d], epoch.label) for d in dataset.detectors]
            there = _certified(butler, names, collection, epoch_timespan(epoch))
            _same_defects(butler, kit.name, truths, there)
            refs = _Epoch(butler, kit.name, types, runs[epoch.label], there).put(truths, filters, context.outputs)
            butler.registry.certify(collection, refs, epoch_timespan(epoch))
            for ref in refs:
                counts[ref.datasetType.name] += 1
    return {"collection": collection, "runs": runs, "camera_run": unbounded, "datasets": counts}


def _simulated(context: StageContext) -> tuple[str, ...]:
    """Return the types of calibrations that are simulated here, rather than made of exposures later."""
    if Capability.CALIBRATION_CHAIN in context.kit.applicable(context.dataset):
        return ("defects",)
    if Capability.CALIBRATION_CHAIN in context.kit.capabilities:
        return ("bias", "dark", "flat", "defects")
    return ("bias", "flat", "defects")


def _put_camera(
    butler: Butler, camera: Camera, dataset_type: DatasetType, instrument: str, run: str, collection: str
) -> int:
    """Put and certify the camera; return how many were put."""
    ref = butler.find_dataset(dataset_type, instrument=instrument, collections=run)
    if ref is None:
        ref = butler.put(camera, dataset_type, instrument=instrument, run=run)
        butler.registry.certify(collection, [ref], Timespan(None, None))
        return 1
    if butler.get(ref) != camera:
        raise HarnessError(
            f"the camera of {instrument} in {run} is another one",
            remedy="give all datasets of an instrument that share a repository the same scale",
            code="camera-differs",
        )
    return 0


def _certified(
    butler: Butler, names: tuple[str, ...], collection: str, timespan: Timespan
) -> Mapping[tuple[str, Key], DatasetRef]:
    """Return what is certified at some time of a span, by dataset type and data ID."""
    return {
        (name, a.ref.dataId.required_values): a.ref
        for name in names
        for a in butler.registry.queryDatasetAssociations(
            name, collection, collectionTypes={CollectionType.CALIBRATION}
        )
        if a.timespan is not None and a.timespan.overlaps(timespan)
    }


def _same_defects(
    butler: Butler,
    instrument: str,
    truths: list[DetectorCalibration],
    there: Mapping[tuple[str, Key], DatasetRef],
) -> None:
    """Refuse to add to the calibrations of a detector that was simulated differently."""
    for truth in truths:
        ref = there.get(("defects", (instrument, truth.detector.id)))
        if ref is not None and not (butler.get(ref) == defects_table(truth.defects)).all():
            raise HarnessError(
                f"detector {truth.detector.id} of {instrument} has other defects in {ref.run}",
                remedy="give all datasets of an instrument that share a repository the same seed and epochs",
                code="defects-differ",
            )


def epoch_timespan(epoch: CalibrationEpoch) -> Timespan:
    """Return the validity range of an epoch (`lsst.daf.butler.Timespan`), half-open, without end if it has none."""
    begin, end = (None if t is None else Time(t, format="datetime", scale="tai") for t in (epoch.begin, epoch.end))
    return Timespan(begin, end)


def defects_table(defects: tuple[Rect, ...]) -> Table:
    """Return defects as the table that is stored.

    Parameters
    ----------
    defects : `tuple` [`~harness.instrument.camera.Rect`]
        Boxes of trimmed pixels.

    Returns
    -------
    table : `astropy.table.Table`
        Columns ``x0``, ``y0``, ``width``, ``height`` (pixels, int32).
    """
    rows = [(box.x0, box.y0, box.nx, box.ny) for box in defects]
    return Table(rows=rows or None, names=("x0", "y0", "width", "height"), dtype=["i4"] * 4)


@dataclasses.dataclass(frozen=True)
class _Epoch:
    """Puts the calibrations of one epoch into its RUN."""

    butler: Butler
    instrument: str
    types: Mapping[str, DatasetType]
    run: str
    there: Mapping[tuple[str, Key], DatasetRef]

    def _wanted(self, name: str, *more: Any) -> bool:
        return name in self.types and (name, (self.instrument, *more)) not in self.there

    def put(self, truths: list[DetectorCalibration], filters: list[str], scratch: Path) -> list[DatasetRef]:
        self.butler.collections.register(self.run, CollectionType.RUN)
        scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=scratch) as folder, self.butler.transaction():
            files = [file for truth in truths for file in self._images(truth, filters, Path(folder))]
            # Written uncompressed and ingested, because a put always compresses: four times slower for pixels that
            # are mostly noise, of which compression takes a tenth.
            if files:
                self.butler.ingest(*files, transfer="move")
            tables = [
                self.butler.put(
                    defects_table(truth.defects),
                    self.types["defects"],
                    instrument=self.instrument,
                    detector=truth.detector.id,
                    run=self.run,
                )
                for truth in truths
                if self._wanted("defects", truth.detector.id)
            ]
        return [ref for file in files for ref in file.refs] + tables

    def _images(self, truth: DetectorCalibration, filters: list[str], folder: Path) -> Iterator[FileDataset]:
        key = {"instrument": self.instrument, "detector": truth.detector.id}
        if self._wanted("bias", truth.detector.id):
            yield self._image("bias", key, Image(truth.bias_frame(), unit=u.adu), folder)
        if self._wanted("dark", truth.detector.id):
            yield self._image("dark", key, Image(truth.dark_frame(), unit=u.electron / u.s), folder)
        for name in filters:
            if self._wanted("flat", truth.detector.id, name):
                image = Image(truth.flat_frame(name), unit=u.dimensionless_unscaled)
                yield self._image("flat", key | {"physical_filter": name}, image, folder)

    def _image(self, name: str, key: Mapping[str, Any], image: Image, folder: Path) -> FileDataset:
        data_id = self.butler.registry.expandDataId(key)
        ref = DatasetRef(self.types[name], data_id, run=self.run)
        path = folder / f"{ref.id}.fits"
        info = ButlerInfo(dataset=ref.to_simple(), provenance=DatasetProvenance())
        write_fits(image, path, compression_options={"image": None}, butler_info=info)
        return FileDataset(path=str(path), refs=[ref])
