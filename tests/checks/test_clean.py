"""On a sound repository no check has a finding, and none is unknown once its stage has run."""

from __future__ import annotations

import pytest

from harness.checks import all_checks
from harness.checks.context import CheckContext
from harness.instrument.kit import Capability
from harness.stages.builtin import STAGES
from harness.verdicts import Verdict, run_check

ORDER = [s.name for s in STAGES]


def by(stage: str) -> list:
    found = [c for c in all_checks() if ORDER.index(c.after) <= ORDER.index(stage) and c.family != "quality"]
    return [c for c in found if Capability.CALIBRATION_CHAIN not in c.needs]


@pytest.mark.parametrize("stage", ["register", "calibs", "ingest", "visits", "defaults", "process"])
def test_all_checks_pass(stage: str, state, dataset, kit) -> None:
    from lsst.daf.butler import Butler

    repo = state(stage)
    with Butler.from_config(str(repo), writeable=False) as butler:
        context = CheckContext(butler, repo, {kit.name: kit}, dataset)
        results = [run_check(c, context, stage) for c in by(stage)]
    bad = {r.check.id: (r.verdict.value, r.reason, [f.message for f in r.findings][:3]) for r in results}
    assert not {k: v for k, v in bad.items() if v[0] != Verdict.PASS}
    assert results


def test_without_kits_and_dataset_nothing_fails(state) -> None:
    """Auditing a repository of instruments that are not installed: less is known, nothing is made up."""
    from lsst.daf.butler import Butler

    repo = state("defaults")
    with Butler.from_config(str(repo), writeable=False) as butler:
        context = CheckContext(butler, repo, {})
        results = [run_check(c, context, "defaults") for c in by("defaults")]
    assert not [r.check.id for r in results if r.verdict is Verdict.FAIL or r.traceback]
    assert sum(r.verdict is Verdict.PASS for r in results) > 30


def test_nothing_is_written(state, dataset, kit) -> None:
    from lsst.daf.butler import Butler

    repo = state("defaults")
    before = {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in sorted(repo.rglob("*"))}
    with Butler.from_config(str(repo), writeable=False) as butler:
        context = CheckContext(butler, repo, {kit.name: kit}, dataset)
        for check in by("defaults"):
            run_check(check, context, "defaults")
    assert {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in sorted(repo.rglob("*"))} == before
