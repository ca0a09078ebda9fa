from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from harness.datasets.manifest import Dataset
from harness.instrument.kit import InstrumentKit
from harness.stages.fork import fork_repository

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "transfer")]

from processed import Rerun, context_of  # noqa: E402 - beside this file, as are the tasks that pipelines name


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    return Dataset.model_validate(
        {
            "name": "tiny",
            "title": "Three exposures of two detectors",
            "instrument": "Mini",
            "seed": 1,
            "skymap": {"kind": "discrete", "name": "map", "ra": 10.0, "dec": 1.0, "radius": 1.0},
            "refcat": {"name": "none"},
            "calibrations": [{"label": "a", "begin": datetime(2024, 1, 1)}],
            "processing": {"pipeline": "DRP", "where": "instrument='Mini' AND exposure < 103"},
            "exposures": [
                {
                    "id": 101,
                    "filter": "Mini-g",
                    "begin": datetime(2024, 3, 1, 4),
                    "exposure_time": 30.0,
                    "ra": 10.0,
                    "dec": 0.0,
                    "sky_angle": 0.0,
                    "detectors": [0, 1],
                }
            ],
            "source": "manifest.toml",
        }
    )


@pytest.fixture(scope="session")
def kit() -> InstrumentKit:
    """The part of a kit that processing uses."""
    from minirepo import MiniInstrument

    unused: Any = None
    return InstrumentKit(MiniInstrument, unused, unused, frozenset(), pipelines={"DRP": str(HERE / "pipeline.yaml")})


@pytest.fixture(scope="session")
def processed(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset, kit: InstrumentKit) -> Path:
    """The snapshot of the stage ``process``: nobody may write to it."""
    from minirepo import fill

    from harness.drp.stage import run

    folder = tmp_path_factory.mktemp("process")
    fill(folder / "repo", files=folder)
    (folder / "outputs").mkdir()
    run(context_of(folder, folder, dataset, kit))
    return folder


@pytest.fixture(scope="session")
def rerun(tmp_path_factory: pytest.TempPathFactory, processed: Path, dataset: Dataset, kit: InstrumentKit) -> Rerun:
    from harness.rerun.stage import run

    folder = tmp_path_factory.mktemp("rerun")
    fork_repository(processed / "repo", folder / "repo")
    (folder / "outputs").mkdir()
    facts = json.loads(json.dumps(run(context_of(folder, processed, dataset, kit))))
    return Rerun(folder / "repo", processed / "repo", facts, dataset, kit, folder / "outputs")
