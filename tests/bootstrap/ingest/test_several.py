"""Files that hold several detectors: one raw for each, and one file for all of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.bootstrap.ingest import ingest
from harness.errors import HarnessError


@pytest.fixture
def mosaic(butler: Any, tmp_path: Path) -> Callable[..., Path]:
    """Writes a file of MadeMosaic, which is registered: ``mosaic("a.fits", (0, 1), EXPID=18)``."""
    from mosaics import MadeMosaic, write_mosaic

    MadeMosaic().register(butler.registry)
    return lambda name="one.fits", *args, **changes: write_mosaic(tmp_path / "in" / name, *args, **changes)


def raws(butler: Any) -> dict[tuple[int, int], Any]:
    found = butler.query_datasets("raw", collections="MadeMosaic/raw/all", explain=False)
    return {(r.dataId["exposure"], r.dataId["detector"]): r for r in found}


def refused(report: Any) -> list[tuple[str, str, int | None]]:
    return [(Path(q.path).name, str(q.reason), q.data_id.get("detector")) for q in report.quarantined]


def test_each_detector_becomes_a_raw_of_one_file(butler, mosaic):
    report = ingest(butler, [mosaic()], transfer="copy")
    assert (report.found, report.ingested, report.exposures, report.translations) == (1, 3, 1, 1)
    assert not report.quarantined
    found = raws(butler)
    assert sorted(found) == [(17, 0), (17, 1), (17, 2)]
    assert len({butler.getURI(r) for r in found.values()}) == 1


@pytest.mark.parametrize("transfer", ["copy", "hardlink", "direct", "move"])
def test_again_everything_is_skipped(butler, mosaic, transfer):
    ingest(butler, [mosaic()], transfer=transfer)
    before = raws(butler)
    report = ingest(butler, [mosaic()], transfer=transfer)
    assert (report.ingested, report.skipped, report.quarantined) == (0, 3, [])
    assert raws(butler) == before


def test_the_content_is_compared_once_for_each_file(butler, mosaic, monkeypatch):
    import importlib

    module = importlib.import_module("harness.bootstrap.ingest.ingest")
    ingest(butler, [mosaic()], transfer="copy")
    compared = []
    real = module.same_content
    monkeypatch.setattr(module, "same_content", lambda *paths: compared.append(paths) or real(*paths))
    other = mosaic("one.fits", seed=1)
    report = ingest(butler, [other], transfer="copy")
    assert refused(report) == [("one.fits", "content-conflict", d) for d in range(3)]
    assert len(compared) == 1


def test_one_detector_is_refused_and_the_others_are_not(butler, mosaic):
    path = mosaic("one.fits", (0, 9, {"DETNUM": 1, "DETNAME": "S3"}, 2))
    report = ingest(butler, [path], transfer="move")
    assert refused(report) == [("one.fits", "unknown-detector", 9), ("one.fits", "detector-name", 1)]
    assert sorted(raws(butler)) == [(17, 0), (17, 2)]
    assert path.exists(), "a file is moved away only when all of it is in the repository"


def test_a_header_that_says_nothing_stops_no_other(butler, mosaic):
    report = ingest(butler, [mosaic("one.fits", (0, {"DETNUM": "two"}, 2))], transfer="copy")
    assert refused(report) == [("one.fits", "bad-value", None)]
    assert sorted(raws(butler)) == [(17, 0), (17, 2)]


def test_what_all_detectors_lack_is_said_once(butler, mosaic):
    report = ingest(butler, [mosaic("one.fits", EXPID=None), mosaic("two.fits", EXPID=18)], transfer="copy")
    assert refused(report) == [("one.fits", "missing-key", None)]
    assert report.quarantined[0].key == "EXPID"
    assert report.ingested == 3


def test_a_detector_that_contradicts_its_exposure_is_refused(butler, mosaic):
    extensions = (0, {"DETNUM": 1, "DETNAME": "S1", "RA": 99.0}, 2)
    report = ingest(butler, [mosaic("one.fits", extensions)], transfer="copy")
    assert refused(report) == [("one.fits", "inconsistent-header", 1)]
    assert report.quarantined[0].key == "RA"


def test_a_detector_twice_in_one_file(butler, mosaic):
    report = ingest(butler, [mosaic("one.fits", (0, 1, 1))], transfer="copy")
    assert refused(report) == [("one.fits", "duplicate-data-id", 1)]
    assert sorted(raws(butler)) == [(17, 0), (17, 1)]


@pytest.mark.parametrize("extensions", [({"GUIDER": True},), (0, {"BROKEN": True})], ids=["no detector", "unreadable"])
def test_a_file_without_detectors_is_refused(butler, mosaic, extensions):
    report = ingest(butler, [mosaic("one.fits", extensions), mosaic("two.fits", EXPID=18)], transfer="copy")
    assert refused(report) == [("one.fits", "structure", None)]
    assert report.ingested == 3


def test_a_move_removes_the_file_when_all_of_it_is_there(butler, mosaic):
    path = mosaic()
    report = ingest(butler, [path], transfer="move")
    assert report.ingested == 3
    assert not path.exists()
    assert all(butler.get(r)["EXPID"] == 17 for r in raws(butler).values())


def test_detectors_that_come_later_are_taken_from_the_same_file(butler, mosaic):
    path = mosaic("one.fits", (0, 1, 5))
    assert refused(ingest(butler, [path], transfer="copy")) == [("one.fits", "unknown-detector", 5)]
    butler.registry.insertDimensionData("detector", {"instrument": "MadeMosaic", "id": 5, "full_name": "S5"})
    report = ingest(butler, [path], transfer="copy")
    assert (report.ingested, report.skipped, report.quarantined) == (1, 2, [])
    assert sorted(raws(butler)) == [(17, 0), (17, 1), (17, 5)]


@pytest.mark.parametrize("batch", [1, 2, 4, 100])
def test_no_file_is_split(butler, mosaic, monkeypatch, batch):
    """Whatever the batch, and when a file fails: it is refused as a whole, and the others get in."""
    from harness.bootstrap.ingest.write import Writer

    paths = [mosaic(f"{e}.fits", EXPID=e, seed=e) for e in (17, 18, 19)]
    write_all = Writer._write_all
    sizes = []

    def fails(self, files):
        sizes.extend(len(file) for file in files)
        if any(item[0].frame.exposure == 18 for file in files for item in file):
            raise RuntimeError("the disk dislikes it")
        write_all(self, files)

    monkeypatch.setattr(Writer, "_write_all", fails)
    report = ingest(butler, paths, transfer="copy", batch=batch)
    assert refused(report) == [("18.fits", "transfer-failed", d) for d in range(3)]
    assert set(sizes) == {3}
    assert sorted(raws(butler)) == [(e, d) for e in (17, 19) for d in range(3)]


def test_fail_fast_names_the_file(butler, mosaic):
    with pytest.raises(HarnessError, match=r"one\.fits: MadeMosaic has no detector 9"):
        ingest(butler, [mosaic("one.fits", (0, 9))], transfer="copy", fail_fast=True)
    assert not list(butler.registry.queryDatasetTypes("raw"))
