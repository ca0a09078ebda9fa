"""A task that makes one dataset of another: what is run again in a random walk."""

from __future__ import annotations

from typing import Any

from lsst.pipe.base import PipelineTask, PipelineTaskConfig, PipelineTaskConnections, Struct
from lsst.pipe.base import connectionTypes as ct  # noqa: N813 - as every task does

__all__ = ["MakeConfig", "MakeConnections", "MakeTask"]

DIMENSIONS = ("instrument", "exposure", "detector")


class MakeConnections(PipelineTaskConnections, dimensions=DIMENSIONS):
    """One input, one output."""

    image = ct.Input(doc="A number.", name="image", storageClass="StructuredDataDict", dimensions=DIMENSIONS)
    made = ct.Output(doc="The next one.", name="made", storageClass="StructuredDataDict", dimensions=DIMENSIONS)


class MakeConfig(PipelineTaskConfig, pipelineConnections=MakeConnections):
    """Nothing to configure."""


class MakeTask(PipelineTask):
    """Adds one."""

    ConfigClass = MakeConfig
    _DefaultName = "made"

    def run(self, image: dict[str, Any]) -> Struct:
        """Return the next number."""
        return Struct(made={"content": image["content"] + 1})
