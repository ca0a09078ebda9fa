"""Each property holds for the installed release, and fails when a defect is seeded."""

from __future__ import annotations

import pytest

from harness.contract import AREAS, all_properties, area_of
from harness.contract.base import run_property

PROPERTIES = {c.id: c for c in all_properties() if not AREAS[area_of(c)].startswith("pipes.")}
EFFORT = 0.3
"""Part of the random cases that these tests try; `harness contract` tries all."""


def test_a_seeded_defect_is_found(mutant):
    result = run_property(PROPERTIES[mutant], effort=EFFORT, stop=True)
    assert result.word == "fail", (result.skipped, result.result.reason, result.result.traceback)
    assert result.result.findings


def test_every_property_has_a_defect(mutants, broken):
    assert {f"contract.{n}" for n in (*mutants, *broken)} == set(PROPERTIES)
    assert not set(mutants) & set(broken)


@pytest.mark.parametrize("name", sorted(PROPERTIES))
def test_the_installed_release(name, broken):
    result = run_property(PROPERTIES[name], effort=EFFORT, stop=True)
    expected = "fail" if name.removeprefix("contract.") in broken else "pass"
    assert result.word == expected, (result.result.findings, result.result.reason, result.result.traceback)
