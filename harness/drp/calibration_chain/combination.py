"""What the tasks that combine exposures have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from lsst.pex.config import Config, RangeField
from lsst.pipe.base import (
    InputQuantizedConnection,
    OutputQuantizedConnection,
    PipelineTask,
    QuantumContext,
    Struct,
)

from ..cache import shared
from .isr import EXPOSURE, NOISE
from .stack import Combined

if TYPE_CHECKING:
    from lsst.images import Image

    from ...instrument.camera import Camera

__all__ = ["CombineConfig", "CombineTask", "exposures_of"]

EXPOSURES = "EXPOSURES"
"""Metadata of a calibration: the ids of the exposures that it was made of, separated by blanks."""


def exposures_of(metadata: Any) -> tuple[int, ...]:
    """Return the exposures that a calibration says it was made of (`tuple` [`int`]); empty if it does not say."""
    return tuple(int(word) for word in str(metadata.get(EXPOSURES, "")).split())


class CombineConfig(Config):
    """Configuration that the tasks share; a base, without connections of its own."""

    clip = RangeField[float](
        doc="Standard deviations from the median beyond which a pixel of one exposure is left out.",
        default=5.0,
        min=1.0,
    )


class CombineTask(PipelineTask):
    """A task that makes one image out of many; subclasses give ``combined``."""

    config: CombineConfig
    unit: ClassVar[str]

    def runQuantum(
        self, butlerQC: QuantumContext, inputRefs: InputQuantizedConnection, outputRefs: OutputQuantizedConnection
    ) -> None:
        """Read the exposures in their order."""
        inputs = butlerQC.get(inputRefs)
        handles = sorted(inputs["exposures"], key=lambda h: h.dataId["exposure"])
        outputs = self.run(
            exposures=[h.get() for h in handles],
            camera=shared(inputs["camera"]),
            detector=butlerQC.quantum.dataId["detector"],
        )
        butlerQC.put(outputs, outputRefs)

    def run(self, *, exposures: Sequence[Image], camera: Camera, detector: int) -> Struct:
        """Combine exposures of one detector.

        Parameters
        ----------
        exposures : `~collections.abc.Sequence` [`lsst.images.Image`]
            Exposures as `~harness.drp.calibration_chain.isr.CalibrationIsrTask` leaves them.
        camera : `~harness.instrument.camera.Camera`
            Camera, binned as they are.
        detector : `int`
            Detector.

        Returns
        -------
        result : `lsst.pipe.base.Struct`
            ``calibration`` (`lsst.images.Image`), with what went in as metadata.

        Raises
        ------
        HarnessError
            If there are too few exposures, or one cannot be used.
        """
        from astropy import units
        from lsst.images import Image

        result = self.combined(exposures, camera, detector)
        ids = [int(e.metadata[EXPOSURE]) for e in exposures]
        metadata = {
            EXPOSURES: " ".join(map(str, ids)),
            "N_INPUTS": len(ids),
            "N_REJECTED": result.rejected,
            NOISE: result.noise,
        }
        self.metadata["n_exposures"] = len(ids)
        self.metadata["n_rejected"] = result.rejected
        self.log.info("%d exposures; %d of their pixels left out", len(ids), result.rejected)
        return Struct(calibration=Image(result.image, unit=units.Unit(self.unit), metadata=metadata))

    def combined(self, exposures: Sequence[Image], camera: Camera, detector: int) -> Combined:
        """Combine exposures; see `run`."""
        raise NotImplementedError
