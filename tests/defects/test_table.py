"""The table of defects and checks: what a defect must be found by finds it, and a sound repository is silent.

A sample of it, chosen by a seed; all of it is printed by ``harness defects --table``.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from harness.checks import all_checks
from harness.checks.context import CheckContext
from harness.defects import all_defects
from harness.defects.base import Defect, DefectTarget
from harness.defects.table import Row, lines, row
from harness.repository import open_repository
from harness.stages.builtin import STAGES
from harness.verdicts import Verdict, run_check

ORDER = [s.name for s in STAGES]
SOME = [d for d in all_defects() if ORDER.index(d.after) <= ORDER.index("defaults") and d.after != "calibrate"]
FITTING = [d for d in SOME if not d.found_by.startswith(("visits.", "registry.obscore-"))]
SAMPLE = random.Random(1).sample(FITTING, 4)


def holding(stage: str) -> list:
    return [c for c in all_checks() if ORDER.index(c.after) <= ORDER.index(stage) and not c.needs and not c.deep]


@pytest.mark.parametrize("defect", SAMPLE, ids=lambda d: d.id)
def test_a_line_of_the_table(defect: Defect, state, dataset, kit) -> None:
    repo = state(defect.after)
    checks = [c for c in all_checks() if c.id == defect.found_by]
    checks += [c for c in holding(defect.after) if c.id != defect.found_by]
    with open_repository(repo) as butler:
        context = CheckContext(butler, repo, {kit.name: kit}, dataset)
        clean = [run_check(c, context, defect.after) for c in checks]
    assert not [r.check.id for r in clean if r.verdict is Verdict.FAIL], "a sound repository is silent"
    found = row(defect, DefectTarget(repo, dataset, kit), checks, audit=checks[0].deep)
    print("\n" + "\t".join(lines([found])[0]))  # noqa: T201 - with -s, the table
    assert found.proven
    assert found.found_by[0] == defect.found_by


def test_every_check_of_the_families_has_a_defect_that_it_finds() -> None:
    """A check without one does not count."""
    found = {d.found_by for d in all_defects()}
    assert not [c.id for c in all_checks() if c.id not in found]


def test_a_defect_that_nothing_finds_is_named(tmp_path: Path, state, dataset, kit) -> None:
    harmless = Defect("harmless", "Nothing", "registry.spans", "register", lambda _: None)
    checks = [c for c in all_checks() if c.id == "registry.spans"]
    found = row(harmless, DefectTarget(state("register"), dataset, kit), checks)
    assert not found.proven
    assert lines([found]) == [["harmless", "registry.spans", "NOT FOUND", ""]]
    assert lines([Row(harmless, ("registry.spans", "other"), ("third",))])[0][2:] == ["found", "other; unknown: third"]
