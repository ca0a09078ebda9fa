from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.datasets.manifest import Dataset, DiscreteSkyMapEntry, RingsSkyMapEntry, load_manifest
from harness.instrument.kit import InstrumentKit
from harness.sky.skymaps import SkyMapDefinition

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def truth() -> dict[str, Any]:
    """Sky maps as computed with the production stack's code."""
    return json.loads((ROOT / "tests/data/skymap_truth.json").read_text())


@pytest.fixture(scope="session")
def rings(truth: dict[str, Any]) -> SkyMapDefinition:
    return SkyMapDefinition.from_entry(RingsSkyMapEntry(kind="rings", name=truth["rings"]["name"]))


@pytest.fixture(scope="session")
def discrete(truth: dict[str, Any]) -> SkyMapDefinition:
    given = truth["discrete"]
    return SkyMapDefinition.from_entry(DiscreteSkyMapEntry(kind="discrete", name=given["name"], **given["config"]))


@pytest.fixture(scope="session")
def kit() -> InstrumentKit:
    plugin = pytest.importorskip("harness_hsc.plugin")
    return next(iter(plugin.harness_instruments()))


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    return load_manifest(ROOT / "datasets" / "ci_hsc")
