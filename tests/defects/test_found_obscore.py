"""Defects of the ObsCore table are found, in a repository that keeps one; without one there is nothing to find."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.checks.bookkeeping import CHECKS as BOOKKEEPING
from harness.checks.context import CheckContext
from harness.checks.obscore import CHECKS
from harness.checks.registry import CHECKS as REGISTRY
from harness.defects.base import DefectTarget
from harness.defects.registry import DEFECTS
from harness.errors import HarnessError
from harness.repository import open_repository
from harness.stages.fork import fork_repository
from harness.verdicts import Verdict, run_check

OBSCORE = {
    "namespace": "daf_butler_obscore",
    "version": 0,
    "facility_name": "somewhere",
    "obs_collection": "tests",
    "collection_type": "RUN",
    "collections": ["run/.*"],
    "dataset_types": {
        "raw": {
            "dataproduct_type": "image",
            "calib_level": 1,
            "obs_id_fmt": "{records[exposure].obs_id}",
            "access_format": "application/json",
        }
    },
    "spectral_ranges": {"r": [5.5e-7, 7.0e-7]},
}
MANAGER = "lsst.daf.butler.registry.obscore.ObsCoreLiveTableManager"
PUBLISHED = [d for d in DEFECTS if ".obscore-" in d.found_by]


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """A repository with an ObsCore table, two raws of it and one in a run that is not published."""
    from astropy.time import Time
    from lsst.daf.butler import Butler, Config, DatasetType, Timespan

    repo = tmp_path_factory.mktemp("obscore") / "repo"
    Butler.makeRepo(
        str(repo), config=Config({"registry": {"managers": {"obscore": {"cls": MANAGER, "config": OBSCORE}}}})
    )
    begin, end = Time("2024-01-01T12:00:00", scale="tai"), Time("2024-01-01T12:00:30", scale="tai")
    records = {
        "instrument": {"name": "I", "class_name": "x", "visit_max": 9, "exposure_max": 9, "detector_max": 9},
        "day_obs": {"instrument": "I", "id": 20240101},
        "physical_filter": {"instrument": "I", "name": "r", "band": "r"},
        "group": {"instrument": "I", "name": "1"},
    }
    exposure = {"instrument": "I", "id": 1, "obs_id": "e1", "group": "1", "physical_filter": "r", "day_obs": 20240101}
    with Butler.from_config(str(repo), writeable=True) as butler:
        for element, record in records.items():
            butler.registry.insertDimensionData(element, record)
        for i in (1, 2):
            butler.registry.insertDimensionData("detector", {"instrument": "I", "id": i, "full_name": f"d{i}"})
        span = {"exposure_time": 30.0, "timespan": Timespan(begin, end), "target_name": "M31"}
        butler.registry.insertDimensionData("exposure", exposure | span)
        kind = DatasetType("raw", {"exposure", "detector"}, "StructuredDataDict", universe=butler.dimensions)
        butler.registry.registerDatasetType(kind)
        for run, detector in (("run/a", 1), ("run/a", 2), ("private", 1)):
            butler.collections.register(run)
            butler.put({"a": 1}, "raw", instrument="I", exposure=1, detector=detector, run=run)
    return repo


def examine(repo: Path, *checks):
    with open_repository(repo) as butler:
        return {c.id: run_check(c, CheckContext(butler, repo, {}), "process") for c in checks}


def test_the_checks_are_silent_on_a_sound_table(published) -> None:
    results = examine(published, *CHECKS, *REGISTRY, *BOOKKEEPING)
    bad = {k: r.reason or [f.message for f in r.findings] for k, r in results.items() if r.verdict is not Verdict.PASS}
    assert not bad
    assert results["registry.obscore-rows"].examined == 1 + 2
    assert results["registry.obscore-values"].examined == 1 + 2


@pytest.mark.parametrize("defect", PUBLISHED, ids=lambda d: d.id)
def test_the_defect_is_found(defect, published, tmp_path, named, usable) -> None:
    fork_repository(published, tmp_path / "repo")
    defect.apply(DefectTarget(tmp_path / "repo", None, None))
    (check,) = [c for c in CHECKS if c.id == defect.found_by]
    findings = examine(tmp_path / "repo", check)[check.id].findings
    described = [f"{f.message} {dict(f.data_id)} {f.where} {f.seen} {f.expected}" for f in findings]
    assert any(all(word in text for word in named[defect.id]) for text in described), described
    assert all(f.seen and f.expected and usable(f.look) for f in findings)


@pytest.mark.parametrize("defect", PUBLISHED, ids=lambda d: d.id)
def test_without_the_table_there_is_nothing_to_corrupt(defect, state) -> None:
    with pytest.raises(HarnessError, match="nothing to corrupt"):
        defect.apply(DefectTarget(state("register"), None, None))
