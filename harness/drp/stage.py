"""The stage that runs an instrument's pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..engines.base import PipelineRun
from ..errors import HarnessError, nearest
from ..stage import StageContext

__all__ = ["first_run", "run"]


def first_run(context: StageContext) -> PipelineRun:
    """Return the invocation that processes the whole dataset into a new run.

    Raises
    ------
    HarnessError
        If the instrument has no pipeline of the name that the manifest gives.
    """
    processing = context.dataset.processing
    assert processing is not None  # a dataset without has no capability for this stage
    if processing.pipeline not in context.kit.pipelines:
        raise nearest(f"pipeline of {context.kit.name}", processing.pipeline, context.kit.pipelines)
    output = f"{context.kit.name}/runs/{context.dataset.name}"
    return PipelineRun(
        repo=context.repo,
        pipeline=context.kit.pipelines[processing.pipeline],
        inputs=(f"{context.kit.name}/defaults", *processing.inputs),
        output=output,
        output_run=f"{output}/first",
        where=processing.where,
        config=processing.config,
    )


def run(context: StageContext) -> Mapping[str, Any]:
    """Run the pipeline.

    Returns
    -------
    facts : `~collections.abc.Mapping`
        ``output`` and ``run`` collections, ``engine``, ``seconds``.

    Raises
    ------
    HarnessError
        If the engine reports a failure; which quanta failed is left to the checks of provenance.
    """
    request = first_run(context)
    context.progress(f"pipeline {request.pipeline} with {context.engine.name}")
    result = context.engine.run(request, context.log("process-pipetask.log"))
    if result.exit_code != 0:
        raise HarnessError(
            f"pipeline failed: {result.message or f'exit code {result.exit_code}'}",
            remedy=f"its log is {result.log}",
            code="pipeline-failed",
        )
    return {
        "output": request.output,
        "run": request.output_run,
        "engine": context.engine.name,
        "seconds": result.seconds,
    }
