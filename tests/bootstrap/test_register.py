"""Registering an installed instrument."""

from __future__ import annotations

import pytest

from harness.bootstrap.create import create_repository
from harness.bootstrap.register import register_instrument
from harness.errors import HarnessError
from harness.plugins import load_plugins
from harness.repository import open_repository

KITS = load_plugins().instruments()


@pytest.fixture(params=sorted(KITS))
def kit(request):
    return KITS[request.param]


@pytest.fixture
def butler(kit, tmp_path):
    create_repository(tmp_path / "repo", kit.repository_config)
    with open_repository(tmp_path / "repo", writeable=True) as butler:
        yield butler


def test_register_conflict_and_update(butler, kit):
    facts = register_instrument(butler, kit)
    assert facts["detectors"] == len(kit.camera.detectors)
    assert facts["physical_filters"] > 0
    assert register_instrument(butler, kit) == facts
    (record,) = butler.query_dimension_records("detector", instrument=kit.name, detector=kit.camera.detectors[0].id)
    changed = record.toDict() | {"purpose": "ART"}
    butler.registry.syncDimensionData("detector", changed, update=True)
    with pytest.raises(HarnessError, match=f"detector {record.id} of {kit.name}"):
        register_instrument(butler, kit)
    register_instrument(butler, kit, update=True)
    (after,) = butler.query_dimension_records("detector", instrument=kit.name, detector=record.id)
    assert after == record


def test_instrument_that_registers_nothing(butler, kit):
    import dataclasses

    class Idle(kit.instrument_class):
        def register(self, registry, *, update=False):
            pass

    with pytest.raises(HarnessError, match="registered no detectors and no physical_filters"):
        register_instrument(butler, dataclasses.replace(kit, instrument_class=Idle))
