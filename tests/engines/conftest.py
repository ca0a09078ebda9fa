from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.engines.base import PipelineRun


@pytest.fixture
def request_for(dataset, kit) -> Callable[..., PipelineRun]:
    """Make a request that processes two detectors of the first visit, from raw to calibrated images."""
    first = dataset.observations[0]
    detectors = ", ".join(str(d) for d in first.detectors[:2])
    where = f"instrument='{kit.name}' AND exposure={first.exposure} AND detector IN ({detectors})"

    def make(repo: Path, **changes: Any) -> PipelineRun:
        values = {
            "repo": repo,
            "pipeline": kit.pipelines["DRP"] + "#step1",
            "inputs": (f"{kit.name}/defaults",),
            "output": "u/test",
            "output_run": "u/test/run",
            "where": where,
        }
        return PipelineRun(**(values | changes))

    return make
