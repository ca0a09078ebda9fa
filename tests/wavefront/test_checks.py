"""The pipeline on simulated raws of LSSTCam: its results hold, and what is corrupted is found."""

from __future__ import annotations

import numpy as np
import pytest
from lsst.daf.butler import Butler

from harness.checks.context import CheckContext
from harness.defects.base import DefectTarget
from harness.instrument.kit import Capability
from harness.stages.fork import fork_repository
from harness.verdicts import Verdict, run_check
from harness.wavefront.checks import CHECKS, LIMITS
from harness.wavefront.defects import DEFECTS
from harness.wavefront.names import DONUT_TABLE, STAMPS_EXTRA, STAMPS_INTRA, ZERNIKES
from harness.wavefront.plan import make_plan

ORDER = ("register", "ingest", "process")


def _results(repo, processed, stage: str, dataset: bool = True) -> dict:
    with Butler.from_config(str(repo), writeable=False) as butler:
        kit = processed.kit
        context = CheckContext(butler, repo, {kit.name: kit}, processed.dataset if dataset else None)
        due = [c for c in CHECKS if ORDER.index(c.after) <= ORDER.index(stage)]
        return {c.id: run_check(c, context, stage) for c in due}


def test_the_repository_is_sound(processed) -> None:
    results = _results(processed.snapshot("process"), processed, "process")
    bad = [(r.check.id, r.reason, r.traceback, r.findings) for r in results.values() if r.verdict is not Verdict.PASS]
    assert bad == []
    assert set(results) == {c.id for c in CHECKS}
    assert results["wavefront.zernikes-of-extra"].examined == 6
    assert results["quality.zernikes"].examined == 6
    assert results["wavefront.sensor-purposes"].examined == 205
    assert results["wavefront.focus-signs"].examined == 2


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda d: d.id)
def test_the_defect_is_found_by_the_check_that_it_names(defect, processed, tmp_path) -> None:
    repo = tmp_path / "repo"
    fork_repository(processed.snapshot(defect.after), repo)
    assert {r.verdict for r in _results(repo, processed, defect.after).values()} == {Verdict.PASS}
    defect.apply(DefectTarget(repo, processed.dataset, processed.kit))
    found = _results(repo, processed, defect.after)[defect.found_by]
    assert found.verdict is Verdict.FAIL, found
    assert all(f.message and f.seen and f.look for f in found.findings)


def test_each_check_has_a_defect() -> None:
    assert {d.found_by for d in DEFECTS} == {c.id for c in CHECKS}


def test_a_missing_half_is_named(processed, tmp_path) -> None:
    """In one line each: the sensor, or the exposure, that is alone."""
    by_id = {d.id: d for d in DEFECTS}
    words = {
        "wavefront-sensor-missing": ["R00_SW1", "R00_SW0", "2025112100101"],
        "wavefront-half-alone": ["2025112100102", "one half of the pair is missing"],
    }
    for name, expected in words.items():
        repo = tmp_path / name
        fork_repository(processed.snapshot("ingest"), repo)
        by_id[name].apply(DefectTarget(repo, processed.dataset, processed.kit))
        messages = [f.message for f in _results(repo, processed, "ingest")["wavefront.pairs-complete"].findings]
        assert any(all(w in m for w in expected) for m in messages), messages
        assert all("\n" not in m for m in messages)


def test_nothing_is_claimed_about_a_repository_that_was_not_simulated(processed) -> None:
    results = _results(processed.snapshot("process"), processed, "process", dataset=False)
    assert results["quality.zernikes"].verdict is Verdict.UNKNOWN
    assert results["wavefront.sensor-pairs"].verdict is Verdict.PASS
    assert results["wavefront.pairs-complete"].verdict is Verdict.PASS


def test_results_are_keyed_on_the_extra_focal_half(processed) -> None:
    """Visits and detectors are those that ts_wep would use; nothing else has donuts."""
    run = f"{processed.kit.name}/runs/{processed.dataset.name}/first"
    science, intra, extra = (o.exposure for o in processed.dataset.observations)
    wanted = {(science, d) for d in (191, 195, 199, 203)} | {(extra, d) for d in (94, 98)}
    with Butler.from_config(str(processed.snapshot("process")), writeable=False) as butler:

        def found(name: str) -> set[tuple[int, int]]:
            refs = butler.query_datasets(name, run, limit=None)
            assert {set(r.datasetType.dimensions.required) == {"instrument", "visit", "detector"} for r in refs} == {
                True
            }
            return {(r.dataId["visit"], r.dataId["detector"]) for r in refs}

        for name in (ZERNIKES, STAMPS_EXTRA, STAMPS_INTRA):
            assert found(name) == wanted
        sensors = {(science, d + i) for d in (191, 195, 199, 203) for i in (0, 1)}
        assert found(DONUT_TABLE) == sensors | {(e, d) for e in (intra, extra) for d in (94, 98)}
        for ref in butler.query_datasets(ZERNIKES, run):
            table = butler.get(ref)
            assert int(table["extra_detector"][0]) == ref.dataId["detector"]
            corner = ref.dataId["visit"] == science
            assert int(table["intra_detector"][0]) == ref.dataId["detector"] + corner
            assert int(table["intra_exposure"][0]) == (science if corner else intra)
            assert np.isfinite([float(table[f"Z{j}"][0]) for j in LIMITS]).all()


def test_raws_are_ordinary(processed) -> None:
    """Wavefront sensors have raws of the same dataset type and storage class as all others."""
    with Butler.from_config(str(processed.snapshot("ingest")), writeable=False) as butler:
        run = processed.kit.instrument_class().makeDefaultRawIngestRunName()
        refs = butler.query_datasets("raw", run, where="detector.purpose = 'WAVEFRONT'", instrument=processed.kit.name)
        assert len(refs) == 8
        raw = butler.get(min(refs, key=lambda r: r.dataId))
        assert raw.detector.type.value == "WAVEFRONT"
        assert raw.wcs is not None


def test_the_plan_does_not_depend_on_which_half_is_asked_for(processed) -> None:
    with Butler.from_config(str(processed.snapshot("ingest")), writeable=False) as butler:
        run = processed.kit.instrument_class().makeDefaultRawIngestRunName()
        science, intra, extra = (o.exposure for o in processed.dataset.observations)
        for one in (intra, extra):
            plan = make_plan(butler, processed.kit.camera, [one], [run])
            assert [(p.extra, p.intra) for p in plan.pairing.pairs] == [(extra, intra)]
            assert plan.is_half(one, 94)
            # The sensors in the corners are not where they should be when the whole camera is out of focus.
            assert not plan.is_half(one, 191)
        plan = make_plan(butler, processed.kit.camera, [science], [run])
        assert plan.pairing.pairs == ()
        assert plan.is_half(science, 191)
        assert not plan.is_half(science, 94)


def test_a_dataset_in_focus_does_without(processed) -> None:
    exposures = [e.model_copy(update={"detectors": (94,), "focus": 0.0}) for e in processed.dataset.exposures]
    in_focus = processed.dataset.model_copy(update={"exposures": tuple(exposures)})
    assert Capability.WAVEFRONT in processed.kit.applicable(processed.dataset)
    assert Capability.WAVEFRONT not in processed.kit.applicable(in_focus)
