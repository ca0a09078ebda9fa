from __future__ import annotations

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
from harness.stages.campaign import merged_config
from harness.stages.fork import fork_repository
from harness.stages.runner import Runner
from harness.stages.snapshots import SnapshotStore
from harness.verdicts import Finding, run_check

FEW = (0, 6, 7, 10, 16, 17)
"""Places in the manifest of the exposures that tests process: both ends, the middle twice, a current, the dark."""


@pytest.fixture(scope="session")
def plugins() -> Plugins:
    return load_plugins()


@pytest.fixture(scope="session")
def kit(plugins: Plugins) -> InstrumentKit:
    return plugins.find("instrument", "CBP")


@pytest.fixture(scope="session")
def dataset(plugins: Plugins) -> Dataset:
    return find_dataset(plugins, "cbp")


@pytest.fixture(scope="session")
def few(dataset: Dataset) -> Dataset:
    """A part of the scan."""
    return dataset.model_copy(update={"exposures": tuple(dataset.exposures[i] for i in FEW)})


@pytest.fixture(scope="session")
def observe() -> Callable[..., Observation]:
    """Makes an observation: one of a scan, unless told otherwise."""

    def make(**changes: Any) -> Observation:
        settings = {"wavelength": 500.0, "charge": 2e-8} | changes.pop("settings", {})
        values: dict[str, Any] = {
            "instrument": "CBP",
            "exposure": 2025030100012,
            "physical_filter": "empty",
            "begin": Time("2025-03-01T15:00:00", scale="tai"),
            "exposure_time": 30.0,
            "ra": None,
            "dec": None,
            "sky_angle": None,
            "seeing": 0.7,
            "detectors": (0,),
            "observation_type": "cbp",
            "group": "2025-03-01T14:59:00.000#1",
            "settings": settings,
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
def runner(plugins: Plugins, few: Dataset, kit: InstrumentKit, tmp_path_factory) -> Runner:
    """The stages of a part of the scan, onto a repository with what the camera saw of it."""
    if "LATISS" not in plugins.instruments():
        pytest.skip("needs a camera: the plugin that has LATISS is not installed")
    camera = plugins.find("instrument", "LATISS")
    seen = find_dataset(plugins, "latiss_cbp")
    seen = seen.model_copy(update={"exposures": tuple(seen.exposures[i] for i in FEW)})
    store = SnapshotStore(tmp_path_factory.mktemp("work") / "snapshots")
    engine = plugins.find("engine", "inprocess")
    config = merged_config([camera, kit])
    first = Runner(plugins, seen, camera, engine, store, repository_config=config)
    first.build(first.graph.ready)
    return Runner(plugins, few, kit, engine, store, base=first.reached(first.graph.ready), repository_config=config)


@pytest.fixture
def judge(plugins, few, kit, runner, tmp_path) -> Callable[[str, str, Defect | None], Sequence[Finding]]:
    """What a check finds after a stage, with a defect or without; each time in a fork of its own."""
    done: list[str] = []

    def run(name: str, stage: str, defect: Defect | None = None) -> Sequence[Finding]:
        repo = tmp_path / f"repo{len(done)}"
        done.append(name)
        fork_repository(runner.build(stage).repo, repo)
        if defect is not None:
            defect.apply(DefectTarget(repo, few, kit))
        with runner.context(repo, {}) as context:
            result = run_check(plugins.checks()[name], context, stage)
        assert result.reason == ""
        return result.findings

    return run
