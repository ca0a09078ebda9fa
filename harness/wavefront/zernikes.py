"""The task that estimates the wavefront from the donuts of a pair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from lsst.pex.config import RangeField
from lsst.pipe.base import (
    InputQuantizedConnection,
    OutputQuantizedConnection,
    PipelineTask,
    PipelineTaskConfig,
    PipelineTaskConnections,
    QuantumContext,
    Struct,
    connectionTypes,
)

from ..drp import names as drp
from ..drp.cache import shared
from ..instrument.zernikes import NOLL
from . import names
from .estimate import Estimate, Stamp, combine, fit
from .stamps import donut_model

if TYPE_CHECKING:
    from astropy.table import Row, Table

    from ..instrument.camera import Camera

__all__ = ["AVERAGE", "CalcZernikesTask"]

AVERAGE = "average"
"""Label of the row that stands for the whole detector."""

_VISIT = ("instrument", "visit", "detector")


class CalcZernikesConnections(PipelineTaskConnections, dimensions=_VISIT):
    """Inputs and outputs of `CalcZernikesTask`."""

    stamps_extra = connectionTypes.Input(
        doc="Donuts behind the focus.", name=names.STAMPS_EXTRA, storageClass="ArrowAstropy", dimensions=_VISIT
    )
    stamps_intra = connectionTypes.Input(
        doc="Donuts before the focus.", name=names.STAMPS_INTRA, storageClass="ArrowAstropy", dimensions=_VISIT
    )
    camera = connectionTypes.PrerequisiteInput(
        doc="Camera geometry and optics.",
        name=drp.CAMERA,
        storageClass="HarnessCamera",
        dimensions=("instrument",),
        isCalibration=True,
        deferLoad=True,
    )
    zernikes = connectionTypes.Output(
        doc="Zernike coefficients of each pair of donuts and their average.",
        name=names.ZERNIKES,
        storageClass="ArrowAstropy",
        dimensions=_VISIT,
    )


class CalcZernikesConfig(PipelineTaskConfig, pipelineConnections=CalcZernikesConnections):
    """Configuration of `CalcZernikesTask`."""

    seeing = RangeField[float](doc="First guess of the seeing (FWHM, arcsec).", default=0.8, min=0.1, max=5.0)
    clip = RangeField[float](doc="Robust standard deviations beyond which a pair is left out.", default=3.0, min=1.0)


class CalcZernikesTask(PipelineTask):
    """Fit the donuts of a pair of detectors, two by two, and average."""

    ConfigClass = CalcZernikesConfig
    _DefaultName = "calcZernikesTask"
    config: CalcZernikesConfig

    def runQuantum(
        self, butlerQC: QuantumContext, inputRefs: InputQuantizedConnection, outputRefs: OutputQuantizedConnection
    ) -> None:
        """Process one pair of detectors."""
        inputs = butlerQC.get(inputRefs)
        inputs["camera"] = shared(inputs["camera"])
        butlerQC.put(self.run(**inputs), outputRefs)

    def run(self, stamps_extra: Table, stamps_intra: Table, camera: Camera) -> Struct:
        """Estimate the wavefront.

        Parameters
        ----------
        stamps_extra, stamps_intra : `astropy.table.Table`
            Stamps of either half, the brightest first; see `~harness.wavefront.stamps.cut_out`.
        camera : `~harness.instrument.camera.Camera`
            Camera, binned as the images are.

        Returns
        -------
        result : `lsst.pipe.base.Struct`
            ``zernikes`` (`astropy.table.Table`): a row for the average and one for each pair of donuts, with ``label``,
            ``used``, ``Z4`` … ``Z11`` (nm), their errors from photon noise ``Z4_err`` …, ``misfit``, and positions in
            the field (degrees) ``extra_field_x`` …; in every row ``extra_exposure``, ``extra_detector`` ….
        """
        pairs = list(zip(stamps_extra, stamps_intra, strict=False))
        estimates = [fit([self._stamp(row, camera) for row in pair]) for pair in pairs]
        mean, used = combine(estimates, self.config.clip)
        table = _table(pairs, estimates, mean, used)
        self.metadata["n_pairs"], self.metadata["n_used"] = len(pairs), int(used.sum())
        self.log.info("%d of %d pairs of donuts used: %s nm", used.sum(), len(pairs), [round(v) for v in mean.values()])
        return Struct(zernikes=table)

    def _stamp(self, row: Row, camera: Camera) -> Stamp:
        detector, distance = int(row["detector"]), float(row["distance"])
        image = np.asarray(row["image"], np.float64)
        model = donut_model(camera, detector, distance, image.shape[0])
        fwhm = self.config.seeing / (camera.plate_scale * camera[detector].pixel_mm)
        variance = np.asarray(row["variance"], np.float64)
        good = np.asarray(row["good"], bool) & np.isfinite(image) & (variance > 0)
        return Stamp(image, np.where(good, variance, 1.0), good, model, fwhm)


def _table(
    pairs: list[tuple[Row, Row]], estimates: list[Estimate], mean: Any, used: np.ndarray[Any, np.dtype[np.bool_]]
) -> Table:
    """Put the average before the pairs."""
    from astropy import units
    from astropy.table import Table

    def with_mean(values: list[float]) -> list[float]:
        return [float(np.mean(np.asarray(values)[used])), *values]

    columns: dict[str, Any] = {
        "label": [AVERAGE, *(f"pair{i + 1}" for i in range(len(pairs)))],
        "used": [True, *(bool(v) for v in used)],
    }
    for j in NOLL:
        columns[f"Z{j}"] = [mean[j], *(e.coefficients[j] for e in estimates)] * units.nm
    for j in NOLL:
        errors = np.array([e.errors[j] for e in estimates])
        average = float(np.sqrt(np.sum(errors[used] ** 2)) / used.sum())
        columns[f"Z{j}_err"] = [average, *(float(v) for v in errors)] * units.nm
    columns["misfit"] = with_mean([e.misfit for e in estimates])
    for k, half in enumerate(("extra", "intra")):
        for key in ("exposure", "detector"):
            columns[f"{half}_{key}"] = np.full(len(pairs) + 1, int(pairs[0][k][key]), np.int64)
        for axis in ("field_x", "field_y"):
            columns[f"{half}_{axis}"] = with_mean([float(pair[k][axis]) for pair in pairs]) * units.deg
        columns[f"{half}_flux"] = with_mean([e.flux[k] for e in estimates]) * units.electron
    return Table(columns)
