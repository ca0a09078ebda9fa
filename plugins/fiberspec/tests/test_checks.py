"""The plugin's checks are silent on a clean repository, and each defect is found by the one that it names."""

from __future__ import annotations

import pytest
from harness_fiberspec.checks import CHECKS
from harness_fiberspec.defects import DEFECTS

NAMED = {
    "fiber-device-swapped": ["2024010900007", "Red", "FS2", "FS1_O_20240109_000007"],
    "fiber-moment-merged": ["2024010900004", "FS3_O_20240109_007004"],
    "fiber-lines-shifted": ["0.5", "nm off"],
    "fiber-lines-lost": ["missing"],
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.id)
def test_a_clean_repository_has_no_findings(judge, check) -> None:
    assert judge(check.id, check.after) == ()


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda d: d.id)
def test_the_defect_is_found(judge, defect) -> None:
    findings = judge(defect.found_by, defect.after, defect)
    described = [f"{f.message} {dict(f.data_id)} {f.seen} {f.expected}" for f in findings]
    assert any(all(word in text for word in NAMED[defect.id]) for text in described), described
    assert all(f.where and f.look for f in findings)


def test_every_check_has_a_defect() -> None:
    assert {c.id for c in CHECKS} == {d.found_by for d in DEFECTS}
