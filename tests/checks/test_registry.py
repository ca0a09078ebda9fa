"""What holds of checks and defects as values, without any repository."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.checks import all_checks
from harness.defects import all_defects
from harness.instrument.kit import Capability
from harness.stages.builtin import STAGES

CHECKS = all_checks()
FAMILIES = {
    "identifiers",
    "time",
    "geometry",
    "visits",
    "calibrations",
    "collections",
    "datastore",
    "provenance",
    "quality",
    "registry",
    "types",
}
ORDER = [s.name for s in STAGES]


def test_ids_are_unique() -> None:
    assert len({c.id for c in CHECKS}) == len(CHECKS)
    assert len({d.id for d in all_defects()}) == len(all_defects())


def test_every_family_has_checks() -> None:
    assert {c.family for c in CHECKS} >= FAMILIES - {"quality"}
    assert {c.family for c in CHECKS} <= FAMILIES


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.id)
def test_a_check_says_what_it_is_and_when(check) -> None:
    assert check.title[0].isupper()
    assert not check.title.endswith(".")
    assert len(check.rationale) > 60
    assert check.after in ORDER
    assert check.needs <= set(Capability)


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.id)
def test_a_check_has_a_defect_that_it_must_find(check) -> None:
    assert any(d.found_by == check.id for d in all_defects())


@pytest.mark.parametrize("defect", all_defects(), ids=lambda d: d.id)
def test_a_defect_names_a_check_that_holds_by_its_stage(defect) -> None:
    [check] = [c for c in CHECKS if c.id == defect.found_by]
    assert ORDER.index(check.after) <= ORDER.index(defect.after)
    assert defect.title


def test_listing_imports_nothing_heavy() -> None:
    code = (
        "import sys; from harness.checks import all_checks; from harness.defects import all_defects;"
        "all_checks(); all_defects();"
        "print(sorted(m for m in ('astropy', 'lsst.daf.butler', 'lsst.images', 'pyarrow', 'sep') if m in sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
