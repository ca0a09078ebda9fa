"""The pipeline on simulated dispersed raws of LATISS: its results hold, and what is corrupted is found."""

from __future__ import annotations

import numpy as np
import pytest
from lsst.daf.butler import Butler

from harness.checks.context import CheckContext
from harness.defects.base import DefectTarget
from harness.simulate.spectra import target
from harness.spectra.checks import CHECKS
from harness.spectra.defects import DEFECTS
from harness.spectra.names import SPECTRUM, SPECTRUM_LINES, SPECTRUM_SUMMARY
from harness.stages.fork import fork_repository
from harness.verdicts import Verdict, run_check

BY_ID = {c.id: c for c in CHECKS}


def _results(repo, kit, dataset) -> dict:
    with Butler.from_config(str(repo), writeable=False) as butler:
        context = CheckContext(butler, repo, {kit.name: kit}, dataset)
        return {c.id: run_check(c, context, "process") for c in CHECKS}


def test_results_are_as_good_as_they_should_be(processed) -> None:
    results = _results(processed.repo, processed.kit, processed.dataset)
    bad = [(r.check.id, r.reason, r.traceback, r.findings) for r in results.values() if r.verdict is not Verdict.PASS]
    assert bad == []
    assert results["quality.spectrum-wavelengths"].examined > 400
    assert results["quality.spectrum-lines"].examined >= 8
    assert results["quality.spectrum-flux"].examined >= 15


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda d: d.id)
def test_the_defect_is_found_and_nothing_else(defect, processed, tmp_path) -> None:
    repo = tmp_path / "repo"
    fork_repository(processed.repo, repo)
    defect.apply(DefectTarget(repo, processed.dataset, processed.kit))
    results = _results(repo, processed.kit, processed.dataset)
    assert [i for i, r in results.items() if r.verdict is not Verdict.PASS] == [defect.found_by]
    found = results[defect.found_by]
    assert found.verdict is Verdict.FAIL
    assert all(f.data_id and f.seen and f.expected and f.look for f in found.findings)


def test_each_check_has_a_defect() -> None:
    assert {d.found_by for d in DEFECTS} == set(BY_ID)


def test_a_repository_that_was_not_simulated_is_unknown(processed) -> None:
    results = _results(processed.repo, processed.kit, None)
    assert {r.verdict for r in results.values()} == {Verdict.UNKNOWN}
    assert {r.reason for r in results.values()} == {"found nothing to look at"}


def test_a_spectrum_of_nothing_fails(processed, tmp_path) -> None:
    """Wavelengths and fluxes that are no numbers are no reason to look away."""
    repo = tmp_path / "repo"
    fork_repository(processed.repo, repo)
    with Butler.from_config(str(repo), writeable=True) as butler:
        ref = min(butler.query_datasets(SPECTRUM, _run(processed), with_dimension_records=True), key=lambda r: r.dataId)
        table = butler.get(ref)
        table["flux"] = np.nan
        table["wavelength"] = np.nan
        butler.pruneDatasets([ref], disassociate=False, unstore=True)
        butler.put(table, ref)
    results = _results(repo, processed.kit, processed.dataset)
    assert results["quality.spectrum-wavelengths"].verdict is Verdict.FAIL
    assert results["quality.spectrum-flux"].verdict is Verdict.FAIL


def _run(processed) -> str:
    return f"{processed.kit.name}/runs/{processed.dataset.name}/first"


def test_the_tables_say_what_they_hold(processed) -> None:
    with Butler.from_config(str(processed.repo), writeable=False) as butler:
        refs = sorted(butler.query_datasets(SPECTRUM, _run(processed)), key=lambda r: r.dataId)
        assert [r.dataId["exposure"] for r in refs] == sorted(e.id for e in processed.dataset.exposures)
        for ref, observation in zip(refs, processed.dataset.observations, strict=True):
            spectrum, lines, summary = (
                butler.get(name, ref.dataId, collections=ref.run)
                for name in (SPECTRUM, SPECTRUM_LINES, SPECTRUM_SUMMARY)
            )
            assert spectrum["wavelength"].unit == "nm"
            assert spectrum["flux"].unit == spectrum["fluxErr"].unit == "electron / nm"
            assert (np.diff(spectrum["wavelength"]) > 0).all()
            assert len(summary) == 1
            assert str(summary["disperser"][0]) == observation.physical_filter.partition("~")[2]
            named = np.asarray(lines["name"]) != ""
            assert named.sum() >= 3
            assert np.isfinite(lines["residual"][named]).all()
            assert np.isnan(lines["residual"][~named]).all()
            # Lines that the task has never heard of lie where they were simulated.
            unknown = np.asarray(lines["wavelength"][~named])
            true = [line.wavelength for line in target(processed.dataset, processed.kit, observation).lines]
            inside = unknown[(unknown > 400) & (unknown < np.max(spectrum["wavelength"]) - 40)]
            assert len(inside) >= 1
            assert all(np.abs(np.array(true) - w).min() < 1.5 for w in inside)
