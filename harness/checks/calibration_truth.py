"""Invariants of quality of calibrations that are made of exposures: they are what the detectors really do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..instrument.kit import Capability
from ..verdicts import Check, Finding, check
from .quality_data import robust_sigma

if TYPE_CHECKING:
    from lsst.daf.butler import DatasetRef

    from ..instrument.camera import Amplifier
    from ..simulate.calibration import DetectorCalibration
    from .context import CheckContext
    from .quality_data import Floats

__all__ = ["CHECKS"]

CHAIN = {Capability.CALIBRATION_CHAIN}
SIGMAS = 5.0
"""Standard errors that a measurement may be off."""
MEDIAN = 1.2533
"""Standard error of a median in units of that of a mean: √(π/2)."""
NOISE_TOLERANCE = 0.15
"""Relative error of a stated noise that is allowed: it is an average over amplifiers that differ."""
RESPONSE_FLOOR = 0.002
"""Error of an amplifier's response that is not judged: what is left of bias and dark, over the light of a flat."""


@check(
    "quality.bias-truth",
    title="Biases are the simulated structure, amplifier by amplifier, within their stated noise",
    after="calibrate",
    needs=CHAIN,
    deep=True,
)
def bias_truth(context: CheckContext) -> Iterator[Finding]:
    """A bias that is off is subtracted from everything.

    Its level over an amplifier is known to the error of the overscan's level, which the median over the overscan's
    pixels has, and to the noise of its own pixels.
    """
    for ref, image, truth in _calibrations(context, "bias"):
        context.examined()
        n = int(image.metadata["N_INPUTS"])
        limits = {a.name: SIGMAS * _overscan_error(a) / a.gain / np.sqrt(n) for a in truth.detector.amplifiers}
        yield from _judge(ref, image, image.array - truth.bias, truth, limits, "ADU")


@check(
    "quality.dark-truth",
    title="Darks are the simulated current, amplifier by amplifier, within their stated noise",
    after="calibrate",
    needs=CHAIN,
    deep=True,
)
def dark_truth(context: CheckContext) -> Iterator[Finding]:
    """A dark that is wrong by a factor leaves warm pixels in long exposures, which look like sources.

    Besides the level, the part of the pattern of warm pixels that is found is judged: 1 within 5 %.
    """
    for ref, image, truth in _calibrations(context, "dark"):
        context.examined()
        # The bias that was subtracted from all of them is as uncertain as that of a single exposure at most.
        seconds = _seconds(context, image)
        limits = {a.name: SIGMAS * _overscan_error(a) * np.sqrt(2) / seconds for a in truth.detector.amplifiers}
        yield from _judge(ref, image, image.array - truth.dark, truth, limits, "electrons/s")
        good = ~truth.defect_mask
        pattern = truth.dark[good] - np.median(truth.dark[good])
        share = float(np.sum(pattern * image.array[good]) / np.sum(pattern**2))
        if abs(share - 1) > 0.05:
            yield _finding(ref, "the warm pixels are not those of the detector", f"{share:.3f} of them", "1 ± 0.05")


@check(
    "quality.flat-truth",
    title="Flats are the simulated response, amplifier by amplifier, within their stated noise",
    after="calibrate",
    needs=CHAIN,
    deep=True,
)
def flat_truth(context: CheckContext) -> Iterator[Finding]:
    """The flat multiplies every flux: what is wrong with it cannot be seen in the image that it made flat."""
    for ref, image, truth in _calibrations(context, "flat"):
        context.examined()
        ratio = image.array / truth.flat(ref.dataId["physical_filter"]) - 1
        limits = dict.fromkeys((a.name for a in truth.detector.amplifiers), RESPONSE_FLOOR)
        yield from _judge(ref, image, ratio, truth, limits, "of the response")


def _calibrations(context: CheckContext, kind: str) -> Iterator[tuple[DatasetRef, Any, DetectorCalibration]]:
    """Yield what exposures of the dataset were made into, with the truth of its epoch."""
    from lsst.daf.butler import CollectionType, MissingDatasetTypeError

    from ..simulate.calibration import DetectorCalibration

    dataset = context.dataset
    if dataset is None or dataset.instrument not in context.kits:
        return
    kit = context.kits[dataset.instrument]
    camera = kit.make_camera(dataset.scale)
    instrument = kit.instrument_class()
    collection = instrument.makeCalibrationCollectionName()
    try:
        found = list(
            context.butler.registry.queryDatasetAssociations(
                kind, collection, collectionTypes={CollectionType.CALIBRATION}
            )
        )
    except MissingDatasetTypeError:
        return
    for epoch in dataset.calibrations:
        chain = instrument.makeCalibrationCollectionName(kind, epoch.label)
        for ref in sorted((a.ref for a in found), key=lambda r: r.dataId):
            if ref.run.startswith(f"{chain}/"):
                detector = camera[ref.dataId["detector"]]
                truth = DetectorCalibration(dataset.seed, camera.name, detector, epoch.label)
                yield ref, context.butler.get(ref), truth


def _seconds(context: CheckContext, image: Any) -> float:
    """Return the mean length of the exposures that a calibration was made of."""
    from ..drp.calibration_chain.combination import exposures_of

    assert context.dataset is not None
    lengths = {o.exposure: o.exposure_time for o in context.dataset.observations}
    return float(np.mean([lengths[e] for e in exposures_of(image.metadata) if e in lengths]))


def _overscan_error(amplifier: Amplifier) -> float:
    """Return the error of an amplifier's level in one exposure (electrons)."""
    box = amplifier.raw_serial_overscan
    return MEDIAN * amplifier.read_noise / float(np.sqrt(box.nx * box.ny))


def _judge(
    ref: DatasetRef, image: Any, difference: Floats, truth: DetectorCalibration, limits: dict[str, Any], unit: str
) -> Iterator[Finding]:
    """Judge the median of every amplifier, and the scatter of all pixels."""
    stated = float(image.metadata["NOISE"])
    good = ~truth.defect_mask
    for amplifier in truth.detector.amplifiers:
        here = difference[amplifier.bbox.slices][good[amplifier.bbox.slices]]
        limit = float(limits[amplifier.name]) + SIGMAS * MEDIAN * stated / np.sqrt(here.size)
        seen = float(np.median(here))
        if abs(seen) > limit:
            yield _finding(
                ref,
                f"amplifier {amplifier.name} is not what the detector does",
                f"median difference {seen:+.4g} {unit}",
                f"within {limit:.4g}",
            )
    noise = robust_sigma(difference[good])
    if abs(noise / stated - 1) > NOISE_TOLERANCE:
        yield _finding(
            ref,
            "the stated noise is not that of the pixels",
            f"{noise:.4g} {unit}",
            f"{stated:.4g} within {100 * NOISE_TOLERANCE:.0f} %",
        )


def _finding(ref: DatasetRef, what: str, seen: str, expected: str) -> Finding:
    kind = ref.datasetType.name
    return Finding(
        f"{kind}: {what}",
        data_id=dict(ref.dataId.required),
        where=ref.run,
        seen=seen,
        expected=expected,
        look=f"butler query-datasets {{repo}} {kind} --collections {ref.run} --show-uri",
    )


CHECKS: tuple[Check, ...] = (bias_truth, dark_truth, flat_truth)
"""The checks of this family."""
