"""Properties of pipelines, graphs and runs hold for the installed release, and fail when a defect is seeded."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from harness.contract import AREAS, all_properties, area_of
from harness.contract.base import run_property

PROPERTIES = {c.id: c for c in all_properties() if AREAS[area_of(c)].startswith("pipes.")}
EFFORT = 0.3
"""Part of the random cases that these tests try; `harness contract` tries all."""


@pytest.mark.thorough
def test_a_seeded_defect_is_found(defect):
    result = run_property(PROPERTIES[defect], effort=EFFORT, stop=True)
    assert result.word == "fail", (result.skipped, result.result.reason, result.result.traceback)
    assert result.result.findings


def test_every_property_has_a_defect(defects, known):
    assert {f"contract.{n}" for n in (*defects, *known)} == set(PROPERTIES)
    assert not set(defects) & set(known)


QUICK = {"pipeline", "object", "bps"}


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[] if area_of(c) in QUICK else pytest.mark.thorough) for n, c in sorted(PROPERTIES.items())],
)
def test_the_installed_release(name, known):
    if name == "contract.bps.clusters-induce-edges" and find_spec("lsst.ctrl") and find_spec("lsst.ctrl.bps"):
        pytest.skip("ctrl_bps is installed: whether it is sound is another question")
    result = run_property(PROPERTIES[name], effort=EFFORT, stop=True)
    expected = known.get(name.removeprefix("contract."), "pass")
    assert result.word == expected, (result.result.findings, result.result.reason, result.result.traceback)
