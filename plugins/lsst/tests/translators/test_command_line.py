"""The field's own command finds the translators through their entry point."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest
import yaml
from astropy.io import fits
from harness_lsst.translators import load_translators


@pytest.fixture
def raw(make, tmp_path: Path) -> Path:
    primary = fits.PrimaryHDU()
    for key, value in make["LATISS"]("2021-02-12", TRACKSYS="SIDEREAL", SHUTTIME=30.1, GROUPID="g").items():
        primary.header[key] = value
    path = tmp_path / "raw.fits"
    fits.HDUList([primary, fits.ImageHDU(np.zeros((2, 2), dtype="int32"), name="Segment10")]).writeto(path)
    return path


def test_the_entry_point_gives_the_names():
    (entry,) = entry_points(group="astro_metadata_translators", name="harness_lsst")
    assert entry.load() is load_translators
    assert sorted(load_translators()) == ["LSSTCam", "LSSTCamSim", "LSSTComCam", "LSSTComCamSim", "LSST_LATISS"]


def test_loading_the_entry_point_registers():
    """Without calling what is loaded: neither the field's command nor the Butler's tools do."""
    program = (
        "from importlib.metadata import entry_points; from astro_metadata_translator import MetadataTranslator;"
        "[e.load() for e in entry_points(group='astro_metadata_translators', name='harness_lsst')];"
        "print('LSST_LATISS' in MetadataTranslator.translators)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_a_file_is_translated(raw: Path):
    program = str(Path(sys.executable).with_name("astrometadata"))
    command = [program, "-p", "harness_lsst", "translate", "--mode", "verbose", str(raw)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "instrument: LATISS" in done.stdout
    assert "exposure_id: 2021021200012" in done.stdout
    assert "detector_unique_name: RXX_S00" in done.stdout
    assert "physical_filter: empty~empty" in done.stdout
    assert "boresight_rotation_angle: -160" in done.stdout


def test_nothing_heavy_is_imported_before_it_is_asked_for():
    program = "import sys, harness_lsst.plugin; print('astropy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_correction_file_on_the_path_is_applied_and_named(raw: Path, tmp_path: Path, monkeypatch, info):
    folder = tmp_path / "corrections"
    folder.mkdir()
    (folder / "LATISS-AT_O_20210212_000012.yaml").write_text(yaml.safe_dump({"OBJECT": "right", "IMGTYPE": "BIAS"}))
    monkeypatch.setenv("METADATA_CORRECTIONS_PATH", str(folder))
    header = fits.getheader(raw)
    from astro_metadata_translator import ObservationInfo

    seen = ObservationInfo(header)
    assert (seen.object, seen.observation_type) == ("right", "bias")
    assert header["HIERARCH ASTRO METADATA FIX FILE"].endswith("LATISS-AT_O_20210212_000012.yaml")
