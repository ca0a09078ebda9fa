"""Tasks from images out of focus to stamps of donuts; which images are pairs is decided when the graph is built."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from lsst.pex.config import Field, RangeField
from lsst.pipe.base import (
    InputQuantizedConnection,
    NoWorkFound,
    OutputQuantizedConnection,
    PipelineTask,
    PipelineTaskConfig,
    PipelineTaskConnections,
    QuantaAdjuster,
    QuantumContext,
    Struct,
    connectionTypes,
)

from ..drp import names as drp
from ..drp.cache import shared
from . import names
from .quanta import join_pairs, keep_halves
from .stamps import cut_out, donut_table

if TYPE_CHECKING:
    from astropy.table import Table
    from lsst.images import MaskedImage

    from ..instrument.camera import Camera

__all__ = ["CutOutDonutsTask", "GenerateDonutDirectDetectTask"]

_IMAGE = ("instrument", "exposure", "detector")
_VISIT = ("instrument", "visit", "detector")


class GenerateDonutDirectDetectConnections(PipelineTaskConnections, dimensions=_VISIT):
    """Inputs and outputs of `GenerateDonutDirectDetectTask`."""

    exposures = connectionTypes.Input(
        doc="Post-ISR image of the visit's exposure.",
        name=drp.POST_ISR,
        storageClass="MaskedImageV2",
        dimensions=_IMAGE,
        multiple=True,
    )
    camera = connectionTypes.PrerequisiteInput(
        doc="Camera geometry and optics.",
        name=drp.CAMERA,
        storageClass="HarnessCamera",
        dimensions=("instrument",),
        isCalibration=True,
        deferLoad=True,
    )
    donut_table = connectionTypes.Output(
        doc="Donuts on the detector.", name=names.DONUT_TABLE, storageClass="ArrowAstropy", dimensions=_VISIT
    )

    def adjust_all_quanta(self, adjuster: QuantaAdjuster) -> None:
        """Leave out the images that are no half of a pair."""
        keep_halves(adjuster, "exposures")


class GenerateDonutDirectDetectConfig(PipelineTaskConfig, pipelineConnections=GenerateDonutDirectDetectConnections):
    """Configuration of `GenerateDonutDirectDetectTask`."""

    threshold = RangeField[float](doc="Least ratio of a donut's flux to its error.", default=50.0, min=3.0)


class GenerateDonutDirectDetectTask(PipelineTask):
    """Find donuts on one detector."""

    ConfigClass = GenerateDonutDirectDetectConfig
    _DefaultName = "generateDonutDirectDetectTask"
    config: GenerateDonutDirectDetectConfig

    def runQuantum(
        self, butlerQC: QuantumContext, inputRefs: InputQuantizedConnection, outputRefs: OutputQuantizedConnection
    ) -> None:
        """Process one detector."""
        inputs = butlerQC.get(inputRefs)
        data_id = butlerQC.quantum.dataId
        result = self.run(inputs["exposures"][0], shared(inputs["camera"]), int(data_id["detector"]))
        butlerQC.put(result, outputRefs)

    def run(self, image: MaskedImage, camera: Camera, detector: int) -> Struct:
        """Find donuts.

        Parameters
        ----------
        image : `lsst.images.MaskedImage`
            Image (electrons).
        camera : `~harness.instrument.camera.Camera`
            Camera, binned as the image is.
        detector : `int`
            Id of the detector.

        Returns
        -------
        result : `lsst.pipe.base.Struct`
            ``donut_table`` (`astropy.table.Table`); see `~harness.wavefront.stamps.donut_table`.
        """
        table = donut_table(image, camera, detector, self.config.threshold)
        self.metadata["n_donuts"] = len(table)
        self.metadata["n_isolated"] = int(np.sum(table["isolated"]))
        self.log.info("%d donuts, %d of them isolated", len(table), np.sum(table["isolated"]))
        return Struct(donut_table=table)


class CutOutDonutsConnections(PipelineTaskConnections, dimensions=_VISIT):
    """Inputs and outputs of `CutOutDonutsTask`."""

    exposures = connectionTypes.Input(
        doc="Post-ISR images of both halves.",
        name=drp.POST_ISR,
        storageClass="MaskedImageV2",
        dimensions=_IMAGE,
        multiple=True,
    )
    donut_tables = connectionTypes.Input(
        doc="Donuts of both halves.",
        name=names.DONUT_TABLE,
        storageClass="ArrowAstropy",
        dimensions=_VISIT,
        multiple=True,
    )
    camera = connectionTypes.PrerequisiteInput(
        doc="Camera geometry and optics.",
        name=drp.CAMERA,
        storageClass="HarnessCamera",
        dimensions=("instrument",),
        isCalibration=True,
        deferLoad=True,
    )
    stamps_extra = connectionTypes.Output(
        doc="Donuts behind the focus.", name=names.STAMPS_EXTRA, storageClass="ArrowAstropy", dimensions=_VISIT
    )
    stamps_intra = connectionTypes.Output(
        doc="Donuts before the focus.", name=names.STAMPS_INTRA, storageClass="ArrowAstropy", dimensions=_VISIT
    )

    def adjust_all_quanta(self, adjuster: QuantaAdjuster) -> None:
        """Give each extra-focal half the inputs of the intra-focal one, and leave out all others."""
        join_pairs(adjuster, "exposures", "donut_tables")


class CutOutDonutsConfig(PipelineTaskConfig, pipelineConnections=CutOutDonutsConnections):
    """Configuration of `CutOutDonutsTask`."""

    maxDonuts = RangeField[int](doc="Stamps of each half, the brightest.", default=3, min=1)
    onlyIsolated = Field[bool](doc="Only donuts that no other spoils?", default=True)


class CutOutDonutsTask(PipelineTask):
    """Cut the donuts of both halves of a pair out of their images."""

    ConfigClass = CutOutDonutsConfig
    _DefaultName = "cutOutDonutsTask"
    config: CutOutDonutsConfig

    def runQuantum(
        self, butlerQC: QuantumContext, inputRefs: InputQuantizedConnection, outputRefs: OutputQuantizedConnection
    ) -> None:
        """Process one pair."""
        data_id = butlerQC.quantum.dataId
        camera: Camera = shared(butlerQC.get(inputRefs.camera))
        me = (int(data_id["visit"]), int(data_id["detector"]))
        tables = {(int(r.dataId["visit"]), int(r.dataId["detector"])): butlerQC.get(r) for r in inputRefs.donut_tables}
        other = next(k for k in tables if k != me)
        # Tables are of visits, images of exposures: a table says which image it was made from.
        images = {(int(r.dataId["exposure"]), int(r.dataId["detector"])): butlerQC.get(r) for r in inputRefs.exposures}
        for (visit, detector), table in tables.items():
            if not len(table):
                raise NoWorkFound(f"no donut on detector {detector} of visit {visit}")
        halves = {key: (images[int(table["exposure"][0]), key[1]], table) for key, table in tables.items()}
        result = self.run(halves[me], halves[other], camera, me[1], other[1])
        butlerQC.put(result, outputRefs)

    def run(
        self,
        extra: tuple[MaskedImage, Table],
        intra: tuple[MaskedImage, Table],
        camera: Camera,
        extra_detector: int,
        intra_detector: int,
    ) -> Struct:
        """Cut donuts out.

        Parameters
        ----------
        extra, intra : `tuple` [`lsst.images.MaskedImage`, `astropy.table.Table`]
            Image of each half and its donuts.
        camera : `~harness.instrument.camera.Camera`
            Camera, binned as the images are.
        extra_detector, intra_detector : `int`
            Ids of the detectors.

        Returns
        -------
        result : `lsst.pipe.base.Struct`
            ``stamps_extra`` and ``stamps_intra`` (`astropy.table.Table`); see `~harness.wavefront.stamps.cut_out`.

        Raises
        ------
        lsst.pipe.base.NoWorkFound
            If a half has no donut.
        """
        optics = camera.optics
        assert optics is not None
        focus = [float(table["focus"][0]) for _, table in (extra, intra)]
        # Where the focus itself is, is not known: it is midway between the halves.
        middle = sum(focus) / 2
        out = {}
        for name, half, detector, position in (
            ("stamps_extra", extra, extra_detector, focus[0]),
            ("stamps_intra", intra, intra_detector, focus[1]),
        ):
            distance = optics.defocus(camera[detector], position - middle)
            stamps = cut_out(*half, camera, detector, distance, self.config.maxDonuts, self.config.onlyIsolated)
            if not len(stamps):
                raise NoWorkFound(f"detector {detector} has no donut to cut out")
            out[name] = stamps
            self.metadata[f"n_{name}"] = len(stamps)
        return Struct(**out)
