"""Fixtures that all tests share: states of the ci_hsc repository, forked for each test that wants one."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cli.common import find_dataset
from harness.datasets.manifest import Dataset
from harness.instrument.kit import InstrumentKit
from harness.plugins import Plugins, load_plugins
from harness.stages.fork import fork_repository
from harness.stages.runner import Runner
from harness.stages.snapshots import Snapshot, SnapshotStore

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def real() -> Path:
    """Real headers and files of the observatories, which are not part of this project."""
    path = ROOT.parent / "shared" / "real"
    if not path.is_dir():
        pytest.skip("no real files beside this checkout")
    return path


@pytest.fixture(scope="session")
def plugins() -> Plugins:
    return load_plugins()


@pytest.fixture(scope="session")
def dataset(plugins: Plugins) -> Dataset:
    return find_dataset(plugins, "ci_hsc")


@pytest.fixture(scope="session")
def kit(plugins: Plugins, dataset: Dataset) -> InstrumentKit:
    return plugins.find("instrument", dataset.instrument)


@pytest.fixture(scope="session")
def runner(plugins: Plugins, dataset: Dataset, kit: InstrumentKit) -> Runner:
    """The stages of ci_hsc; their snapshots are shared by all test processes and kept for the next time."""
    work = Path(os.environ.get("HARNESS_WORK", ROOT / ".harness"))
    return Runner(plugins, dataset, kit, plugins.find("engine", "inprocess"), SnapshotStore(work / "snapshots"))


@pytest.fixture(scope="session")
def snapshot(runner: Runner) -> Callable[[str], Snapshot]:
    """The snapshot of a stage, to be read only."""
    built: dict[str, Snapshot] = {}

    def get(stage: str) -> Snapshot:
        if stage not in built:
            built[stage] = runner.build(stage)
        return built[stage]

    return get


@pytest.fixture
def state(snapshot: Callable[[str], Snapshot], tmp_path: Path) -> Callable[[str], Path]:
    """A fork of the repository after a stage, to do with as one likes."""

    def fork(stage: str) -> Path:
        target = tmp_path / f"repo-{stage}"
        fork_repository(snapshot(stage).repo, target)
        return target

    return fork


@pytest.fixture(scope="session")
def chain_runner(plugins: Plugins) -> Runner:
    """The stages of latiss, whose calibrations are made of its own exposures."""
    work = Path(os.environ.get("HARNESS_WORK", ROOT / ".harness"))
    dataset = find_dataset(plugins, "latiss")
    kit = plugins.find("instrument", dataset.instrument)
    return Runner(plugins, dataset, kit, plugins.find("engine", "inprocess"), SnapshotStore(work / "snapshots"))


@pytest.fixture(scope="session")
def chain_snapshot(chain_runner: Runner) -> Callable[[str], Snapshot]:
    """The snapshot of a stage of latiss, to be read only."""
    return functools.cache(chain_runner.build)
