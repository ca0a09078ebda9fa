"""Each seeded defect of a calibration chain is found by the check that it names, in the repository of latiss."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from lsst.daf.butler import Butler

from harness.checks import all_checks
from harness.checks.context import CheckContext
from harness.defects.base import DefectTarget
from harness.defects.calibration_chain import DEFECTS
from harness.stages.fork import fork_repository
from harness.verdicts import Finding, Verdict, run_check

CHECKS = {c.id: c for c in all_checks()}
FAMILY = sorted({d.found_by for d in DEFECTS})


@pytest.fixture
def fork(chain_snapshot, tmp_path):
    def make(stage: str):
        fork_repository(chain_snapshot(stage).repo, tmp_path / stage)
        return tmp_path / stage

    return make


@pytest.fixture
def look(chain_runner) -> Callable:
    def run(repo, check: str):
        kit = chain_runner.kit
        with Butler.from_config(str(repo), writeable=False) as butler:
            return run_check(CHECKS[check], CheckContext(butler, repo, {kit.name: kit}, chain_runner.dataset), "test")

    return run


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda d: d.id)
def test_the_defect_is_found(defect, fork, look, chain_runner, named, usable) -> None:
    repo = fork(defect.after)
    defect.apply(DefectTarget(repo, chain_runner.dataset, chain_runner.kit))
    findings: Sequence[Finding] = look(repo, defect.found_by).findings
    assert findings, f"{defect.found_by} is silent"
    described = [f"{f.message} {dict(f.data_id)} {f.where} {f.seen} {f.expected}" for f in findings]
    assert any(all(word in text for word in named[defect.id]) for text in described), described
    assert all(f.seen and f.expected and usable(f.look) for f in findings)


@pytest.mark.parametrize("check", FAMILY)
def test_a_sound_repository_passes(check, look, chain_snapshot) -> None:
    result = look(chain_snapshot("process").repo, check)
    assert result.verdict is Verdict.PASS, (result.findings, result.reason, result.traceback)
    assert result.examined >= 2  # epochs
