"""The stage that makes calibrations of the dataset's own exposures and certifies them, kind by kind.

A kind is certified for all epochs before the next is begun, which then finds it by the time of its own exposures.
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..engines.base import PipelineRun
from ..engines.inprocess import own_logging
from ..engines.outcome import LOG_OPTIONS, failure
from ..errors import HarnessError, nearest
from ..simulate.calibration import epoch_of

if TYPE_CHECKING:
    from ..datasets.manifest import CalibrationEpoch
    from ..stage import StageContext

__all__ = ["KINDS", "certify", "inputs_of", "requests", "run"]

KINDS = ("bias", "dark", "flat")
"""Types of exposure, of the calibration made of them, and of the pipeline that makes it; in the order of the chain."""


def inputs_of(context: StageContext) -> Mapping[tuple[str, str], tuple[int, ...]]:
    """Return the exposures that each calibration is made of: for each kind and label of an epoch.

    Raises
    ------
    HarnessError
        If an epoch lacks exposures of some kind.
    """
    dataset = context.dataset
    labels = [e.label for e in dataset.calibrations]
    found: dict[tuple[str, str], list[int]] = {(kind, label): [] for kind in KINDS for label in labels}
    for observation in dataset.observations:
        if observation.observation_type in KINDS:
            found[observation.observation_type, epoch_of(dataset, observation).label].append(observation.exposure)
    for (kind, label), exposures in found.items():
        if not exposures:
            raise HarnessError(
                f"epoch {label} of {dataset.name} has no exposure of type {kind}",
                remedy=f"add some to {dataset.source}, or leave the epoch out",
                code="calibration-inputs",
            )
    return {key: tuple(exposures) for key, exposures in found.items()}


def requests(context: StageContext, kind: str) -> Sequence[tuple[CalibrationEpoch, PipelineRun]]:
    """Return the pipeline runs that make one kind of calibration, one for each epoch.

    Raises
    ------
    HarnessError
        If the instrument has no pipeline for it, or an epoch no exposures.
    """
    kit, dataset = context.kit, context.dataset
    if kind not in kit.pipelines:
        raise nearest(f"pipeline of {kit.name}", kind, kit.pipelines)
    inputs = inputs_of(context)
    out = []
    for epoch in dataset.calibrations:
        output = kit.instrument_class().makeCalibrationCollectionName(kind, epoch.label)
        exposures = ", ".join(map(str, inputs[kind, epoch.label]))
        request = PipelineRun(
            repo=context.repo,
            pipeline=kit.pipelines[kind],
            inputs=(kit.instrument_class().makeUmbrellaCollectionName(),),
            output=output,
            output_run=f"{output}/run",
            where=f"instrument='{kit.name}' AND exposure IN ({exposures})",
        )
        out.append((epoch, request))
    return out


def certify(context: StageContext, run: str, collection: str, kind: str, epoch: CalibrationEpoch) -> None:
    """Certify what a run has made for an epoch, with the middleware's own command.

    Raises
    ------
    HarnessError
        If the command fails: there is nothing to certify, or something is valid at that time already.
    """
    import click
    from lsst.daf.butler.cli.butler import cli

    log = context.log(f"calibrate-certify-{kind}-{epoch.label}.log")
    arguments = [*LOG_OPTIONS, str(log), "certify-calibrations", str(context.repo), run, collection, kind]
    arguments += ["--begin-date", epoch.begin.isoformat()]
    if epoch.end is not None:
        arguments += ["--end-date", epoch.end.isoformat()]
    message = ""
    with own_logging(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            code = int(cli.main(arguments, prog_name="butler", standalone_mode=False) or 0)
        except click.ClickException as error:
            code, message = error.exit_code, error.format_message()
    if code != 0:
        message = message or failure(log.read_text(encoding="utf-8")) or f"exit code {code}"
        raise HarnessError(
            f"cannot certify {kind} of epoch {epoch.label}: {message}",
            remedy=f"see 'butler query-datasets {context.repo} {kind} --collections {collection} --no-find-first'",
            code="certify",
        )


def run(context: StageContext) -> Mapping[str, Any]:
    """Make and certify bias, dark and flat of every epoch.

    Returns
    -------
    facts : `~collections.abc.Mapping`
        ``collection``: where they are certified; for each kind and epoch ``runs`` and ``exposures``; ``seconds``
        of the pipelines.

    Raises
    ------
    HarnessError
        If exposures are missing, a pipeline fails, or something cannot be certified.
    """
    collection = context.kit.instrument_class().makeCalibrationCollectionName()
    runs: dict[str, dict[str, str]] = {}
    start = time.perf_counter()
    for kind in KINDS:
        runs[kind] = {}
        for epoch, request in requests(context, kind):
            context.progress(f"{kind} of epoch {epoch.label}")
            assert request.output_run is not None
            result = context.engine.run(request, context.log(f"calibrate-{kind}-{epoch.label}.log"))
            if result.exit_code != 0:
                raise HarnessError(
                    f"{kind} of epoch {epoch.label} failed: {result.message or f'exit code {result.exit_code}'}",
                    remedy=f"its log is {result.log}",
                    code="pipeline-failed",
                )
            runs[kind][epoch.label] = request.output_run
            certify(context, request.output_run, collection, kind, epoch)
    inputs = inputs_of(context)
    return {
        "collection": collection,
        "runs": runs,
        "exposures": {kind: {label: list(inputs[kind, label]) for label in runs[kind]} for kind in KINDS},
        "seconds": round(time.perf_counter() - start, 3),
    }
