"""Raws of the simulation's writer, ingested: the records must be those of the manifest."""

from __future__ import annotations

import numpy as np
import pytest

from harness.bootstrap.create import create_repository
from harness.bootstrap.ingest import ingest
from harness.bootstrap.register import register_instrument
from harness.datasets.observations import Observation
from harness.plugins import load_plugins
from harness.repository import open_repository

SCALE = 16
DETECTORS = (0, 50, 100, 104)


@pytest.fixture(scope="module")
def kit():
    return load_plugins().instruments()["HSC"]


@pytest.fixture(scope="module")
def observation():
    from astropy.time import Time

    return Observation(
        instrument="HSC",
        exposure=904024,
        physical_filter="HSC-I",
        begin=Time("2013-11-02T06:16:30.908", scale="tai"),
        exposure_time=30.0,
        ra=320.75,
        dec=0.5,
        sky_angle=270.0,
        seeing=0.6,
        detectors=DETECTORS,
        target="STRIPE82L",
        program="o13015",
    )


@pytest.fixture(scope="module")
def raws(kit, observation, tmp_path_factory):
    folder = tmp_path_factory.mktemp("raws")
    camera = kit.make_camera(SCALE)
    for number in DETECTORS:
        detector = camera[number]
        pixels = {a.name: np.full((a.raw_bbox.ny, a.raw_bbox.nx), number, np.uint16) for a in detector.amplifiers}
        kit.write_raw(folder, observation, detector, pixels, SCALE)
    return folder


@pytest.fixture
def butler(kit, tmp_path):
    create_repository(tmp_path / "repo", kit.repository_config)
    with open_repository(tmp_path / "repo", writeable=True) as butler:
        register_instrument(butler, kit)
        yield butler


def test_records_are_those_of_the_observation(kit, butler, raws, observation):
    report = ingest(butler, [raws], transfer="direct", translators=[kit.translator])
    assert not report.quarantined
    assert (report.ingested, report.exposures, report.translations) == (4, 1, 1)
    (record,) = butler.query_dimension_records("exposure", instrument="HSC")
    assert (record.id, record.obs_id, record.physical_filter) == (904024, "HSCA90402400", "HSC-I")
    assert (record.exposure_time, record.day_obs, record.has_simulated) == (30.0, 20131102, True)
    assert (record.target_name, record.science_program) == ("STRIPE82L", "o13015")
    assert record.tracking_ra == pytest.approx(observation.ra, abs=1e-5)
    assert record.tracking_dec == pytest.approx(observation.dec, abs=1e-5)
    assert record.sky_angle == pytest.approx(observation.sky_angle, abs=1e-3)
    assert abs((record.timespan.begin - observation.begin).to_value("s")) < 1e-3
    refs = butler.query_datasets("raw", collections="HSC/raw/all")
    assert sorted(r.dataId["detector"] for r in refs) == list(DETECTORS)
    assert all(r.datasetType.storageClass_name == "HarnessRaw" for r in refs)


def test_pixels_come_back(kit, butler, raws):
    ingest(butler, [raws], translators=[kit.translator])
    raw = butler.get("raw.image", instrument="HSC", exposure=904024, detector=50, collections="HSC/raw/all")
    assert int(np.min(raw.array)) == int(np.max(raw.array)) == 50


def test_upstream_translator_reads_them_as_well(butler, raws):
    """Found in the registry of translators alone; it knows nothing of simulations."""
    report = ingest(butler, [raws], transfer="direct")
    assert (report.ingested, report.quarantined) == (4, [])


def test_frame_of_another_exposure_is_refused(kit, butler, raws, tmp_path):
    """One detector's header says another start than the others'."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    for path in sorted(raws.iterdir()):
        (folder / path.name).write_bytes(path.read_bytes())
    odd = sorted(folder.iterdir())[2]
    content = odd.read_bytes()
    start = content.index(b"UT-STR  = ")
    card = content[start : start + 80]
    odd.write_bytes(content.replace(card, card.replace(b":15:", b":14:", 1), 1))
    assert odd.read_bytes() != content
    report = ingest(butler, [folder], translators=[kit.translator])
    (entry,) = report.quarantined
    assert (entry.path, entry.reason, entry.key) == (str(odd), "inconsistent-header", "UT-STR")
    assert report.ingested == 3


@pytest.mark.parametrize(("key", "value", "seen"), [("NAXIS2", 200, "152 × 200"), ("SIMSCALE", 8, "152 × 268")])
def test_an_image_of_another_shape_is_refused(kit, raws, butler, tmp_path, key, value, seen):
    from astropy.io import fits

    folder = tmp_path / "raws"
    folder.mkdir()
    for path in sorted(raws.iterdir()):
        (folder / path.name).write_bytes(path.read_bytes())
    odd = sorted(folder.iterdir())[2]
    content, card = odd.read_bytes(), fits.Card(key, value)
    start = content.index(f"{key:<8}= ".encode())
    odd.write_bytes(content[:start] + str(card).encode() + content[start + 80 :])
    (entry,) = ingest(butler, [folder], translators=[kit.translator]).quarantined
    assert (entry.path, entry.reason, entry.seen) == (str(odd), "structure", seen)
    assert "extension 0 (primary)" in entry.message
