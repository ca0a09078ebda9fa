"""From the projector's exposures, and what a camera saw of them, to a curve of throughput.

One exposure of the projector and one or more of a camera share the name of a group. Dimension records of groups
belong to one instrument each, so that the middleware cannot join them: `MeasureSpotsTask` has the dimensions of the
projector's exposure, and looks the camera's raw images up by the name of the group when the quantum graph is built.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from lsst.pex.config import Field, RangeField
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

from .photometry import electrometer_charge, measure_spots, trimmed_electrons

if TYPE_CHECKING:
    from astropy.table import Table
    from lsst.daf.butler import DataCoordinate, DatasetRef, DatasetType, DeferredDatasetHandle, Registry

    from .exposure import CbpExposure

__all__ = [
    "MeasureChargeConfig",
    "MeasureChargeConnections",
    "MeasureChargeTask",
    "MeasureSpotsConfig",
    "MeasureSpotsConnections",
    "MeasureSpotsTask",
    "ThroughputConfig",
    "ThroughputConnections",
    "ThroughputTask",
    "camera_raws",
]

ELEMENTARY_CHARGE = 1.602176634e-19
"""Coulomb; exact by the definition of the SI."""
_DIMENSIONS = ("instrument", "exposure", "detector")


# --- the charge of the photodiode --------------------------------------------------------------------


class MeasureChargeConnections(PipelineTaskConnections, dimensions=_DIMENSIONS):
    """Inputs and outputs of `MeasureChargeTask`."""

    raw = connectionTypes.Input(
        doc="Raw exposure.", name="rawCbp", storageClass="HarnessCbpExposure", dimensions=_DIMENSIONS
    )
    charge = connectionTypes.Output(
        doc="One row: settings, charge without the dark current.",
        name="cbpCharge",
        storageClass="ArrowAstropy",
        dimensions=_DIMENSIONS,
    )


class MeasureChargeConfig(PipelineTaskConfig, pipelineConnections=MeasureChargeConnections):
    """Configuration of `MeasureChargeTask`."""

    quiet = RangeField[float](
        doc="Seconds at either end of an exposure in which the laser is shut.", default=3.5, min=0.1
    )


class MeasureChargeTask(PipelineTask):
    """Measure the charge that the light gave, from the step between the baselines before and after it."""

    ConfigClass = MeasureChargeConfig
    _DefaultName = "measureCharge"
    config: MeasureChargeConfig

    def run(self, *, raw: CbpExposure) -> Struct:
        """Measure one exposure.

        Parameters
        ----------
        raw : `~harness_cbp.exposure.CbpExposure`
            The exposure.

        Returns
        -------
        result : `lsst.pipe.base.Struct`
            ``charge`` (`astropy.table.Table`), one row: ``group``, ``wavelength`` (nm), ``mask``, ``charge`` and its
            error (C), ``darkCurrent`` (A), ``noise`` (C).

        Raises
        ------
        HarnessError
            If there are too few measurements at one end.
        """
        from astropy.table import Table

        found = electrometer_charge(raw.time, raw.charge, self.config.quiet)
        table = Table(
            {
                "group": [str(raw.obs_info.exposure_group)],
                "wavelength": [float(raw.settings["wavelength"])],
                "mask": [int(raw.settings["mask"])],
                "charge": [found.charge],
                "chargeErr": [found.error],
                "darkCurrent": [found.dark_current],
                "noise": [found.noise],
            },
            units={"wavelength": "nm", "charge": "C", "chargeErr": "C", "darkCurrent": "A", "noise": "C"},
        )
        return Struct(charge=table)


# --- what the camera saw -----------------------------------------------------------------------------


def camera_raws(
    dataset_type: DatasetType, registry: Registry, data_id: DataCoordinate, collections: Sequence[str]
) -> Iterator[DatasetRef]:
    """Look up the raw images of all cameras whose exposures have the group of one of the projector.

    Parameters
    ----------
    dataset_type : `lsst.daf.butler.DatasetType`
        Of the raw images.
    registry : `lsst.daf.butler.Registry`
        The repository.
    data_id : `lsst.daf.butler.DataCoordinate`
        Data ID of the projector's exposure, with its records.
    collections : `~collections.abc.Sequence` [`str`]
        Where to look.

    Yields
    ------
    ref : `lsst.daf.butler.DatasetRef`
        Of images of type ``cbp``, with the data ID of the camera's exposure.
    """
    group = data_id.records["exposure"].group
    # One query for each instrument: the group of one is not the group of the other, whatever their names.
    for instrument in sorted(r.name for r in registry.queryDimensionRecords("instrument")):
        if instrument == data_id["instrument"]:
            continue
        refs = registry.queryDatasets(
            dataset_type,
            collections=collections,
            findFirst=True,
            where="instrument = :camera AND group = :name AND exposure.observation_type = 'cbp'",
            bind={"camera": instrument, "name": group},
        )
        yield from sorted(refs.expanded(), key=lambda r: (r.dataId["exposure"], r.dataId["detector"]))


class MeasureSpotsConnections(PipelineTaskConnections, dimensions=_DIMENSIONS):
    """Inputs and outputs of `MeasureSpotsTask`."""

    charge = connectionTypes.Input(
        doc="Charge of the projector's exposure.", name="cbpCharge", storageClass="ArrowAstropy", dimensions=_DIMENSIONS
    )
    images = connectionTypes.PrerequisiteInput(
        doc="Raw images of the cameras that saw the light: exposures with the group of the projector's.",
        name="raw",
        storageClass="HarnessRaw",
        dimensions=_DIMENSIONS,
        lookupFunction=camera_raws,
        multiple=True,
        deferLoad=True,
        minimum=1,
    )
    spots = connectionTypes.Output(
        doc="Spots of light: camera, place, flux.",
        name="cbpSpots",
        storageClass="ArrowAstropy",
        dimensions=_DIMENSIONS,
    )


class MeasureSpotsConfig(PipelineTaskConfig, pipelineConnections=MeasureSpotsConnections):
    """Configuration of `MeasureSpotsTask`."""

    threshold = RangeField[float](doc="Height of a spot in units of the noise of the background.", default=5.0, min=1)
    minArea = RangeField[int](doc="Pixels of a spot; smaller things are cosmic rays.", default=25, min=1)
    margin = RangeField[float](doc="Pixels around a spot that belong to its aperture.", default=3.0, min=0)
    annulus = RangeField[float](doc="Pixels around the aperture from which the background is taken.", default=10, min=1)


class MeasureSpotsTask(PipelineTask):
    """Measure the electrons in the projector's spots, without the background, on raw images of any camera."""

    ConfigClass = MeasureSpotsConfig
    _DefaultName = "measureSpots"
    config: MeasureSpotsConfig

    def runQuantum(
        self, butlerQC: QuantumContext, inputRefs: InputQuantizedConnection, outputRefs: OutputQuantizedConnection
    ) -> None:
        """Process one exposure of the projector."""
        inputs = butlerQC.get(inputRefs)
        butlerQC.put(self.run(images=inputs["images"]), outputRefs)

    def run(self, *, images: Sequence[DeferredDatasetHandle]) -> Struct:
        """Measure the spots on some images.

        Parameters
        ----------
        images : `~collections.abc.Sequence` [`lsst.daf.butler.DeferredDatasetHandle`]
            Raw images (`~harness.instrument.raw.Raw`).

        Returns
        -------
        result : `lsst.pipe.base.Struct`
            ``spots`` (`astropy.table.Table`): ``camera``, ``exposure``, ``detector``, ``x``, ``y`` (pixels of the
            trimmed detector, from 0), ``flux`` and its error (electrons), ``area`` (pixels), ``background`` (electrons
            per pixel); a row for each spot. Empty if no light was seen.
        """
        from astropy.table import Table

        rows: list[tuple[Any, ...]] = []
        for handle in images:
            where = handle.dataId
            electrons, noise = trimmed_electrons(handle.get())
            found = measure_spots(
                electrons, noise, self.config.threshold, self.config.minArea, self.config.margin, self.config.annulus
            )
            rows += [(where["instrument"], where["exposure"], where["detector"], *spot) for spot in found]
            self.log.info("%d spots on exposure %s of %s", len(found), where["exposure"], where["instrument"])
        table = Table(
            rows=rows or None,
            names=("camera", "exposure", "detector", "x", "y", "flux", "fluxErr", "area", "background"),
            dtype=(str, np.int64, np.int64, float, float, float, float, np.int64, float),
            units={"x": "pix", "y": "pix", "flux": "electron", "fluxErr": "electron", "background": "electron / pix"},
        )
        return Struct(spots=table)


# --- the curve ---------------------------------------------------------------------------------------


class ThroughputConnections(PipelineTaskConnections, dimensions=("instrument",)):
    """Inputs and outputs of `ThroughputTask`."""

    charges = connectionTypes.Input(
        doc="Charges.",
        name="cbpCharge",
        storageClass="ArrowAstropy",
        dimensions=_DIMENSIONS,
        multiple=True,
    )
    spots = connectionTypes.Input(
        doc="Spots.",
        name="cbpSpots",
        storageClass="ArrowAstropy",
        dimensions=_DIMENSIONS,
        multiple=True,
    )
    throughput = connectionTypes.Output(
        doc="Throughput at each wavelength.",
        name="cbpThroughput",
        storageClass="ArrowAstropy",
        dimensions=("instrument",),
    )


class ThroughputConfig(PipelineTaskConfig, pipelineConnections=ThroughputConnections):
    """Configuration of `ThroughputTask`."""

    coupling = Field[float](doc="Photons that enter the telescope for each electron of the photodiode.", default=3e-4)
    systematic = RangeField[float](doc="Relative error of every measurement beside its noise.", default=0.001, min=0)


class ThroughputTask(PipelineTask):
    """Divide what each camera saw by what the projector sent, for each wavelength."""

    ConfigClass = ThroughputConfig
    _DefaultName = "throughput"
    config: ThroughputConfig

    def runQuantum(
        self, butlerQC: QuantumContext, inputRefs: InputQuantizedConnection, outputRefs: OutputQuantizedConnection
    ) -> None:
        """Process all exposures of the projector."""
        charges, spots = (
            {ref.dataId["exposure"]: butlerQC.get(ref) for ref in refs} for refs in (inputRefs.charges, inputRefs.spots)
        )
        pairs = [(charges[number], spots[number]) for number in sorted(charges.keys() & spots.keys())]
        butlerQC.put(self.run(pairs=pairs), outputRefs)

    def run(self, *, pairs: Sequence[tuple[Any, ...]]) -> Struct:
        """Make the curve.

        Parameters
        ----------
        pairs : `~collections.abc.Sequence` [`tuple`]
            Charge and spots of each exposure of the projector.

        Returns
        -------
        result : `lsst.pipe.base.Struct`
            ``throughput`` (`astropy.table.Table`), in order of camera and wavelength: ``camera``, ``wavelength`` (nm),
            ``throughput`` and its error (without unit), ``exposures``, ``signal`` (electrons), ``charge`` (C), both
            summed. Exposures without light and images without spots count for nothing.
        """
        from astropy.table import Table

        seen: dict[tuple[str, float], list[tuple[float, float, float, float]]] = {}
        for charge, spots in pairs:
            wavelength, amount = float(charge["wavelength"][0]), float(charge["charge"][0])
            relative = float(charge["chargeErr"][0]) / abs(amount) if amount else np.inf
            if relative > 0.1:
                continue  # no light
            for camera in sorted(set(map(str, spots["camera"]))):
                flux, error = _summed(spots, camera)
                value = flux / (amount / ELEMENTARY_CHARGE) / self.config.coupling
                spread = value * float(np.sqrt((error / flux) ** 2 + relative**2 + self.config.systematic**2))
                seen.setdefault((camera, wavelength), []).append((value, spread, flux, amount))
        rows = []
        for (camera, wavelength), found in sorted(seen.items()):
            values, errors, fluxes, amounts = (np.array(v) for v in zip(*found, strict=True))
            weights = errors**-2
            mean, error = float((values * weights).sum() / weights.sum()), float(weights.sum() ** -0.5)
            rows.append((camera, wavelength, mean, error, len(found), float(fluxes.sum()), float(amounts.sum())))
        table = Table(
            rows=rows or None,
            names=("camera", "wavelength", "throughput", "throughputErr", "exposures", "signal", "charge"),
            dtype=(str, float, float, float, np.int64, float, float),
            units={"wavelength": "nm", "signal": "electron", "charge": "C"},
        )
        return Struct(throughput=table)


def _summed(spots: Table, camera: str) -> tuple[float, float]:
    """Return the electrons in all spots on a camera, and their error."""
    rows = np.asarray([str(c) == camera for c in spots["camera"]])
    return float(np.sum(spots["flux"][rows])), float(np.sqrt(np.sum(np.asarray(spots["fluxErr"][rows]) ** 2)))
