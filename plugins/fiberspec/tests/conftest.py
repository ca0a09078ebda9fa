from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from astropy.time import Time

from harness.bootstrap.create import create_repository
from harness.bootstrap.register import register_instrument
from harness.cli.common import find_dataset
from harness.datasets.manifest import Dataset
from harness.datasets.observations import Observation
from harness.defects.base import Defect, DefectTarget
from harness.instrument.kit import InstrumentKit
from harness.plugins import Plugins, load_plugins
from harness.repository import open_repository
from harness.stages.fork import fork_repository
from harness.stages.runner import Runner
from harness.stages.snapshots import SnapshotStore
from harness.verdicts import Finding, run_check


@pytest.fixture(scope="session")
def real() -> Path:
    """Real headers, which are not part of this project."""
    folder = Path(os.environ.get("HARNESS_REAL", Path(__file__).parents[4] / "shared/real"))
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    return folder


@pytest.fixture(scope="session")
def plugins() -> Plugins:
    return load_plugins()


@pytest.fixture(scope="session")
def kit(plugins: Plugins) -> InstrumentKit:
    return plugins.find("instrument", "FiberSpec")


@pytest.fixture(scope="session")
def dataset(plugins: Plugins) -> Dataset:
    return find_dataset(plugins, "fiberspec")


@pytest.fixture(scope="session")
def observe() -> Callable[..., Observation]:
    """Makes an observation: the moment of a real one, unless told otherwise."""

    def make(**changes: Any) -> Observation:
        values: dict[str, Any] = {
            "instrument": "FiberSpec",
            "exposure": 2024010900004,
            "physical_filter": "empty",
            "begin": Time("2024-01-09T17:41:34.996", scale="tai"),
            "exposure_time": 1.0,
            "ra": None,
            "dec": None,
            "sky_angle": None,
            "seeing": 0.7,
            "detectors": (0,),
            "observation_type": "spectrum",
        }
        return Observation(**values | changes)

    return make


@pytest.fixture
def write(kit: InstrumentKit, dataset: Dataset, tmp_path: Path) -> Callable[[Observation], Path]:
    """Writes the file of an observation."""
    return lambda observation: kit.simulate_raw(tmp_path / "raws", dataset, observation, kit.camera[0])


@pytest.fixture
def butler(kit: InstrumentKit, tmp_path: Path):
    """A repository in which the instrument is registered."""
    create_repository(tmp_path / "repo", kit.repository_config)
    with open_repository(tmp_path / "repo", writeable=True) as butler:
        register_instrument(butler, kit)
        yield butler


@pytest.fixture(scope="session")
def runner(plugins: Plugins, dataset: Dataset, kit: InstrumentKit, tmp_path_factory) -> Runner:
    """The stages of the dataset."""
    store = SnapshotStore(tmp_path_factory.mktemp("work") / "snapshots")
    return Runner(plugins, dataset, kit, plugins.find("engine", "inprocess"), store)


@pytest.fixture
def judge(plugins, dataset, kit, runner, tmp_path) -> Callable[[str, str, Defect | None], Sequence[Finding]]:
    """What a check finds after a stage, with a defect or without; each time in a fork of its own."""
    done: list[str] = []

    def run(name: str, stage: str, defect: Defect | None = None) -> Sequence[Finding]:
        repo = tmp_path / f"repo{len(done)}"
        done.append(name)
        fork_repository(runner.build(stage).repo, repo)
        if defect is not None:
            defect.apply(DefectTarget(repo, dataset, kit))
        with runner.context(repo, {}) as context:
            result = run_check(plugins.checks()[name], context, stage)
        assert result.reason == ""
        return result.findings

    return run
