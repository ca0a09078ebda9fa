"""The stage that puts and certifies calibrations: bias, flat and defects by epoch, and the camera for ever.

Only detectors that the dataset has raw files of get a bias, a flat and defects; the camera has all of them.
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

from ..simulate.calibration import DetectorCalibration
from ..simulate.exposure import DARK_TYPES

if TYPE_CHECKING:
    from ..datasets.manifest import CalibrationEpoch
    from ..instrument.camera import Rect
    from ..stage import StageContext

__all__ = ["DATASET_TYPES", "defects_table", "epoch_timespan", "run"]

DATASET_TYPES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "bias": (("instrument", "detector"), "ImageV2"),
    "flat": (("instrument", "detector", "physical_filter"), "ImageV2"),
    "defects": (("instrument", "detector"), "ArrowAstropy"),
    "camera": (("instrument",), "HarnessCamera"),
}
"""Dimensions and storage class of the calibration dataset types."""


def run(context: StageContext) -> Mapping[str, Any]:
    """Put and certify the calibrations of the dataset.

    Parameters
    ----------
    context : `~harness.stage.StageContext`
        ``repo`` holds the registered instrument.

    Returns
    -------
    facts : `~collections.abc.Mapping`
        ``collection``, ``runs`` (by epoch), ``camera_run`` and ``datasets`` (number by dataset type).
    """
    dataset, kit = context.dataset, context.kit
    instrument = kit.instrument_class()
    camera = kit.make_camera(dataset.scale)
    filters = sorted({o.physical_filter for o in dataset.observations if o.observation_type not in DARK_TYPES})
    collection = instrument.makeCalibrationCollectionName()
    unbounded = instrument.makeUnboundedCalibrationRunName()
    counts = dict.fromkeys(DATASET_TYPES, 0)
    runs: dict[str, str] = {}
    with context.butler() as butler:
        types = {
            name: DatasetType(name, dimensions, storage_class, universe=butler.dimensions, isCalibration=True)
            for name, (dimensions, storage_class) in DATASET_TYPES.items()
        }
        for dataset_type in types.values():
            butler.registry.registerDatasetType(dataset_type)
        butler.collections.register(collection, CollectionType.CALIBRATION)
        butler.collections.register(unbounded, CollectionType.RUN)
        ref = butler.put(camera, types["camera"], instrument=kit.name, run=unbounded)
        butler.registry.certify(collection, [ref], Timespan(None, None))
        counts["camera"] += 1
        for epoch in dataset.calibrations:
            context.progress(f"epoch {epoch.label}: {len(dataset.detectors)} detectors")
            runs[epoch.label] = instrument.makeCalibrationCollectionName("simulated", epoch.label)
            truths = [DetectorCalibration(dataset.seed, camera.name, camera[d], epoch.label) for d in dataset.detectors]
            refs = _Epoch(butler, kit.name, types, runs[epoch.label]).put(truths, filters, context.outputs)
            butler.registry.certify(collection, refs, epoch_timespan(epoch))
            for ref in refs:
                counts[ref.datasetType.name] += 1
    return {"collection": collection, "runs": runs, "camera_run": unbounded, "datasets": counts}


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

    def put(self, truths: list[DetectorCalibration], filters: list[str], scratch: Path) -> list[DatasetRef]:
        self.butler.collections.register(self.run, CollectionType.RUN)
        scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=scratch) as folder, self.butler.transaction():
            files = [file for truth in truths for file in self._images(truth, filters, Path(folder))]
            # Written uncompressed and ingested, because a put always compresses: four times slower for pixels that
            # are mostly noise, of which compression takes a tenth.
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
            ]
        return [ref for file in files for ref in file.refs] + tables

    def _images(self, truth: DetectorCalibration, filters: list[str], folder: Path) -> Iterator[FileDataset]:
        key = {"instrument": self.instrument, "detector": truth.detector.id}
        yield self._image("bias", key, Image(truth.bias_frame(), unit=u.adu), folder)
        for name in filters:
            image = Image(truth.flat_frame(name), unit=u.dimensionless_unscaled)
            yield self._image("flat", key | {"physical_filter": name}, image, folder)

    def _image(self, name: str, key: Mapping[str, Any], image: Image, folder: Path) -> FileDataset:
        data_id = self.butler.registry.expandDataId(key)
        ref = DatasetRef(self.types[name], data_id, run=self.run)
        path = folder / f"{ref.id}.fits"
        info = ButlerInfo(dataset=ref.to_simple(), provenance=DatasetProvenance())
        write_fits(image, path, compression_options={"image": None}, butler_info=info)
        return FileDataset(path=str(path), refs=[ref])
