"""Tiny tasks that note when they are executed, and do what they are ordered to.

Orders and notes are in the folder that the environment variable `ORDERS` names, so that processes of their own take
part, and a rescue has the configuration of what it rescues.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
from pathlib import Path
from typing import Any

import lsst.pex.config as pex
from lsst.pipe.base import NoWorkFound, PipelineTask, PipelineTaskConfig, PipelineTaskConnections, connectionTypes

__all__ = ["ADJUSTED", "ORDERS", "CharTask", "CoaddTask", "IsrTask", "OrderedError", "SumTask", "WarpTask", "digest"]

ORDERS = "HARNESS_CONTRACT_ORDERS"
"""Environment variable with the folder of orders and notes."""

ADJUSTED: list[tuple[str, dict[str, Any], dict[str, list[dict[str, Any]]]]] = []
"""Calls of ``adjustQuantum`` in this process: label, data ID, and the data IDs of what it was given, by connection."""

_DICT = "StructuredDataDict"


class OrderedError(RuntimeError):
    """What a task raises that is ordered to fail."""


def digest(value: object) -> str:
    """Return a short digest of a value that JSON can write."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:12]


class StationConnections(PipelineTaskConnections, dimensions=("instrument",)):
    """Connections that note how they are asked."""

    def adjustQuantum(self, inputs: Any, outputs: Any, label: str, data_id: Any) -> Any:
        """Note the call."""
        given = {
            name: [dict(r.dataId.required) for r in refs] for name, (_, refs) in [*inputs.items(), *outputs.items()]
        }
        ADJUSTED.append((label, dict(data_id.required), given))
        return super().adjustQuantum(inputs, outputs, label, data_id)


class StationConfig(PipelineTaskConfig, pipelineConnections=StationConnections):
    """Configuration of all tasks."""

    value = pex.Field[int](doc="Goes into what is written.", default=1)
    words = pex.ListField[str](doc="Go into what is written.", default=["a", "b"])


class StationTask(PipelineTask):
    """Writes, for each output, a digest of what it read."""

    ConfigClass = StationConfig
    _DefaultName = "station"

    def runQuantum(self, butlerQC: Any, inputRefs: Any, outputRefs: Any) -> None:
        """Note the execution, follow the order, and write."""
        label = self.getName()
        data_id = dict(butlerQC.quantum.dataId.required)
        key = f"{label} {json.dumps(data_id, sort_keys=True)}"
        folder = Path(os.environ[ORDERS])
        with (folder / "executed").open("a", encoding="utf-8") as stream:
            stream.write(key + "\n")
        orders = json.loads((folder / "orders.json").read_text(encoding="utf-8"))
        order = orders.get(key, "")
        if order == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if order == "fail":
            raise OrderedError(f"ordered to fail: {key}")
        if order == "nowork":
            raise NoWorkFound(f"ordered to find no work: {key}")
        read = {}
        for name, value in butlerQC.get(inputRefs).items():
            items = value if isinstance(value, list) else [value]
            read[name] = sorted(digest(v.get() if hasattr(v, "dataId") else v) for v in items)
        content = {"task": label, "id": data_id, "value": self.config.value, "read": read}
        for name, refs in outputRefs:
            if name in ("extra",) and order in ("partial", "annotated"):
                continue
            if not name.startswith("metadata") and not name.startswith("log"):
                butlerQC.put({**content, "name": name}, refs)
        if order == "late":
            raise OrderedError(f"ordered to fail after writing: {key}")
        if order == "annotated":
            self._annotated(key)

    def _annotated(self, key: str) -> None:
        from lsst.pipe.base import AlgorithmError, AnnotatedPartialOutputsError

        class OrderedAlgorithmError(AlgorithmError):
            @property
            def metadata(self) -> dict[str, Any]:
                return {"ordered": True}

        error = OrderedAlgorithmError(f"ordered to write a part: {key}")
        raise AnnotatedPartialOutputsError.annotate(error, self, log=self.log) from error


class IsrConnections(StationConnections, dimensions=("instrument", "exposure", "detector")):
    """Raws, with a calibration that is valid at their time."""

    raw = connectionTypes.Input(
        doc="Raw.", name="raw", storageClass=_DICT, dimensions=("instrument", "exposure", "detector"), deferLoad=True
    )
    flat = connectionTypes.PrerequisiteInput(
        doc="Flat.",
        name="flatcalib",
        storageClass=_DICT,
        dimensions=("instrument", "detector"),
        isCalibration=True,
    )
    post = connectionTypes.Output(
        doc="Result.", name="post", storageClass=_DICT, dimensions=("instrument", "exposure", "detector")
    )


class IsrConfig(StationConfig, pipelineConnections=IsrConnections):
    """Configuration of `IsrTask`."""


class IsrTask(StationTask):
    """A raw with its flat."""

    ConfigClass = IsrConfig
    _DefaultName = "isr"


class CharConnections(StationConnections, dimensions=("instrument", "visit", "detector")):
    """All snaps of a visit."""

    posts = connectionTypes.Input(
        doc="Snaps.",
        name="post",
        storageClass=_DICT,
        dimensions=("instrument", "exposure", "detector"),
        multiple=True,
        deferLoad=True,
    )
    cal = connectionTypes.Output(
        doc="Result.", name="cal", storageClass=_DICT, dimensions=("instrument", "visit", "detector")
    )
    extra = connectionTypes.Output(
        doc="May be left out.", name="extra", storageClass=_DICT, dimensions=("instrument", "visit", "detector")
    )
    schema = connectionTypes.InitOutput(doc="What tasks write at their start.", name="cal_schema", storageClass=_DICT)

    def __init__(self, *, config: Any = None) -> None:
        super().__init__(config=config)
        if config is not None and not config.doExtra:
            self.outputs.remove("extra")


class CharConfig(StationConfig, pipelineConnections=CharConnections):
    """Configuration of `CharTask`."""

    doExtra = pex.Field[bool](doc="Whether there is a second output.", default=True)


class CharTask(StationTask):
    """Snaps to a visit's image; writes a schema."""

    ConfigClass = CharConfig
    _DefaultName = "char"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.schema = {"columns": ["a", "b"], "value": self.config.value}


class SumConnections(StationConnections, dimensions=("instrument", "visit")):
    """All detectors of a visit."""

    schema = connectionTypes.InitInput(doc="Schema.", name="cal_schema", storageClass=_DICT)
    cals = connectionTypes.Input(
        doc="Images.",
        name="cal",
        storageClass=_DICT,
        dimensions=("instrument", "visit", "detector"),
        multiple=True,
    )
    extras = connectionTypes.Input(
        doc="What may be missing.",
        name="extra",
        storageClass=_DICT,
        dimensions=("instrument", "visit", "detector"),
        multiple=True,
        minimum=0,
    )
    summary = connectionTypes.Output(
        doc="Result.", name="summary", storageClass=_DICT, dimensions=("instrument", "visit")
    )


class SumConfig(StationConfig, pipelineConnections=SumConnections):
    """Configuration of `SumTask`."""


class SumTask(StationTask):
    """All detectors of a visit; reads a schema."""

    ConfigClass = SumConfig
    _DefaultName = "sum"

    def __init__(self, *, initInputs: Any = None, **kwargs: Any) -> None:
        super().__init__(initInputs=initInputs, **kwargs)
        if initInputs is not None and initInputs["schema"]["columns"] != ["a", "b"]:
            raise ValueError(f"another schema than was written: {initInputs['schema']}")


class WarpConnections(StationConnections, dimensions=("instrument", "visit", "skymap", "tract", "patch")):
    """What overlaps a patch."""

    cals = connectionTypes.Input(
        doc="Images.",
        name="cal",
        storageClass=_DICT,
        dimensions=("instrument", "visit", "detector"),
        multiple=True,
        deferLoad=True,
    )
    warp = connectionTypes.Output(
        doc="Result.",
        name="warp",
        storageClass=_DICT,
        dimensions=("instrument", "visit", "skymap", "tract", "patch"),
    )


class WarpConfig(StationConfig, pipelineConnections=WarpConnections):
    """Configuration of `WarpTask`."""


class WarpTask(StationTask):
    """What of a visit overlaps a patch."""

    ConfigClass = WarpConfig
    _DefaultName = "warp"


class CoaddConnections(StationConnections, dimensions=("skymap", "tract", "patch", "band")):
    """What of a band overlaps a patch."""

    warps = connectionTypes.Input(
        doc="Warps.",
        name="warp",
        storageClass=_DICT,
        dimensions=("instrument", "visit", "skymap", "tract", "patch"),
        multiple=True,
    )
    coadd = connectionTypes.Output(
        doc="Result.", name="coadd", storageClass=_DICT, dimensions=("skymap", "tract", "patch", "band")
    )


class CoaddConfig(StationConfig, pipelineConnections=CoaddConnections):
    """Configuration of `CoaddTask`."""


class CoaddTask(StationTask):
    """All visits of a band in a patch."""

    ConfigClass = CoaddConfig
    _DefaultName = "coadd"
