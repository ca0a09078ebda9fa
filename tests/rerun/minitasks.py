"""Three tiny real tasks: by exposure, by visit and detector, by visit."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy.table import Table, vstack
from lsst.images import Box, MaskedImage, MaskPlane, MaskSchema
from lsst.pipe.base import PipelineTask, PipelineTaskConfig, PipelineTaskConnections, Struct
from lsst.pipe.base import connectionTypes as ct  # noqa: N813 - as every task does

SCHEMA = MaskSchema([MaskPlane("BAD", "a bad pixel")])


class MiniIsrConnections(PipelineTaskConnections, dimensions=("instrument", "exposure", "detector")):
    raw = ct.Input(
        doc="Raw", name="raw", storageClass="StructuredDataDict", dimensions=("instrument", "exposure", "detector")
    )
    bias = ct.PrerequisiteInput(
        doc="Bias",
        name="bias",
        storageClass="StructuredDataDict",
        dimensions=("instrument", "detector"),
        isCalibration=True,
    )
    image = ct.Output(
        doc="Image", name="post", storageClass="MaskedImageV2", dimensions=("instrument", "exposure", "detector")
    )


class MiniIsrConfig(PipelineTaskConfig, pipelineConnections=MiniIsrConnections):
    pass


class MiniIsrTask(PipelineTask):
    ConfigClass = MiniIsrConfig
    _DefaultName = "miniIsr"

    def run(self, raw: dict[str, int], bias: dict[str, str]) -> Struct:
        image = MaskedImage(
            image=self._image(float(raw["e"] + 10 * raw["d"] + len(bias["level"]))),
            mask_schema=SCHEMA,
        )
        return Struct(image=image)

    @staticmethod
    def _image(value: float) -> Any:
        from lsst.images import Image

        return Image(np.full((8, 8), value, dtype=np.float32), bbox=Box.factory[0:8, 0:8])


class MiniMeasureConnections(PipelineTaskConnections, dimensions=("instrument", "visit", "detector")):
    image = ct.Input(
        doc="Image",
        name="post",
        storageClass="MaskedImageV2",
        dimensions=("instrument", "exposure", "detector"),
        multiple=True,
    )
    schema = ct.InitOutput(doc="Schema", name="stars_schema", storageClass="StructuredDataDict")
    stars = ct.Output(
        doc="Stars", name="stars", storageClass="ArrowAstropy", dimensions=("instrument", "visit", "detector")
    )


class MiniMeasureConfig(PipelineTaskConfig, pipelineConnections=MiniMeasureConnections):
    pass


class MiniMeasureTask(PipelineTask):
    ConfigClass = MiniMeasureConfig
    _DefaultName = "miniMeasure"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.schema = {"columns": ["id", "flux"]}

    def run(self, image: list[MaskedImage]) -> Struct:
        flux = float(sum(i.image.array.sum() for i in image))
        return Struct(stars=Table({"id": [1, 2], "flux": [flux, flux / 2]}))


class MiniGatherConnections(PipelineTaskConnections, dimensions=("instrument", "visit")):
    stars = ct.Input(
        doc="Stars",
        name="stars",
        storageClass="ArrowAstropy",
        dimensions=("instrument", "visit", "detector"),
        multiple=True,
    )
    table = ct.Output(doc="Table", name="visitStars", storageClass="ArrowAstropy", dimensions=("instrument", "visit"))


class MiniGatherConfig(PipelineTaskConfig, pipelineConnections=MiniGatherConnections):
    pass


class MiniGatherTask(PipelineTask):
    ConfigClass = MiniGatherConfig
    _DefaultName = "miniGather"

    def run(self, stars: list[Table]) -> Struct:
        return Struct(table=vstack(stars))
