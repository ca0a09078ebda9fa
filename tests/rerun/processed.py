"""What the fixtures of reruns are made of."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from harness.datasets.manifest import Dataset
from harness.engines.inprocess import InProcessEngine
from harness.instrument.kit import InstrumentKit
from harness.stage import StageContext


@dataclasses.dataclass(frozen=True)
class Rerun:
    """A repository that was processed and then rerun."""

    repo: Path
    original: Path
    facts: dict[str, Any]
    dataset: Dataset
    kit: InstrumentKit
    logs: Path


def context_of(folder: Path, parent: Path, dataset: Dataset, kit: InstrumentKit) -> StageContext:
    return StageContext(
        repo=folder / "repo",
        outputs=folder / "outputs",
        inputs={},
        dataset=dataset,
        kit=kit,
        engine=InProcessEngine(),
        facts={},
        progress=lambda _: None,
        origin=parent / "repo",
    )
