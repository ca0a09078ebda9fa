"""The checks of quality are silent on what the pipeline makes, and find what is corrupted."""

from __future__ import annotations

import pytest
from lsst.daf.butler import Butler

from harness.checks.context import CheckContext
from harness.checks.quality import CHECKS
from harness.checks.quality_data import psf_sigma
from harness.defects.base import DefectTarget
from harness.defects.quality import DEFECTS
from harness.verdicts import Verdict, run_check

BY_ID = {c.id: c for c in CHECKS}


def test_results_are_as_good_as_they_should_be(snapshot, dataset, kit) -> None:
    repo = snapshot("process").repo
    with Butler.from_config(str(repo), writeable=False) as butler:
        context = CheckContext(butler, repo, {kit.name: kit}, dataset)
        results = [run_check(c, context, "process") for c in CHECKS]
    bad = [(r.check.id, r.reason, r.traceback, r.findings) for r in results if r.verdict is not Verdict.PASS]
    assert bad == []
    pairs = sum(len(e.detectors) for e in dataset.exposures)
    counts = {r.check.id: r.examined for r in results}
    assert counts["quality.visit-astrometry"] == counts["quality.psf-size"] == pairs


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda d: d.id)
def test_the_defect_is_found(defect, state, dataset, kit) -> None:
    repo = state(defect.after)
    defect.apply(DefectTarget(repo, dataset, kit))
    with Butler.from_config(str(repo), writeable=False) as butler:
        result = run_check(BY_ID[defect.found_by], CheckContext(butler, repo, {kit.name: kit}, dataset), "process")
    assert result.verdict is Verdict.FAIL
    assert all(f.data_id and f.seen and f.expected and f.look for f in result.findings)


def test_each_check_has_a_defect() -> None:
    assert {d.found_by for d in DEFECTS} == set(BY_ID)


def test_a_repository_that_was_not_simulated_is_unknown(snapshot, kit) -> None:
    repo = snapshot("defaults").repo
    with Butler.from_config(str(repo), writeable=False) as butler:
        results = [run_check(c, CheckContext(butler, repo, {kit.name: kit}), "process") for c in CHECKS]
    assert {r.verdict for r in results} == {Verdict.UNKNOWN}
    assert {r.reason for r in results} == {"found nothing to look at"}


def test_an_unprocessed_repository_is_unknown(snapshot, dataset, kit) -> None:
    repo = snapshot("defaults").repo
    with Butler.from_config(str(repo), writeable=False) as butler:
        context = CheckContext(butler, repo, {kit.name: kit}, dataset)
        results = [run_check(c, context, "process") for c in CHECKS]
    assert {r.verdict for r in results} == {Verdict.UNKNOWN}


def test_the_expected_psf_width_grows_with_the_seeing() -> None:
    assert psf_sigma(2.2) == pytest.approx(2.2 / 2.3867 * 1.026, rel=0.01)  # the wing widens the core by 2.6 %
    assert psf_sigma(4.4) == pytest.approx(2 * psf_sigma(2.2), rel=0.01)
