"""Each seeded defect of this family is found by the check that it names, which names the corrupted thing."""

from __future__ import annotations

import pytest

from harness.defects.holdings import DEFECTS


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda d: d.id)
def test_the_defect_is_found(defect, find, named, usable) -> None:
    findings = find(defect)
    assert findings, f"{defect.found_by} is silent"
    wanted = named[defect.id]
    described = [f"{f.message} {dict(f.data_id)} {f.where} {f.seen} {f.expected}" for f in findings]
    assert any(all(word in text for word in wanted) for text in described), f"none of {described} names {wanted}"
    assert all(f.seen and f.expected and usable(f.look) for f in findings)
