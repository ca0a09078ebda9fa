"""The form of files: sound ones pass, and each way to break one is seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from harness.checks.artifacts import problem


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.fixture
def sound(tmp_path: Path) -> dict[str, Path]:
    """One sound file of each form."""
    fits.PrimaryHDU(np.zeros((3, 3))).writeto(tmp_path / "a.fits")
    Table({"x": [1, 2]}).write(tmp_path / "a.parq", format="parquet")
    write(tmp_path / "a.json", b'{"a": [1, 2]}')
    write(tmp_path / "a.yaml", b"a: 1\n")
    write(tmp_path / "a.py", b"config.threshold = 5\n")
    return {p.suffix: p for p in tmp_path.iterdir()}


@pytest.mark.parametrize("suffix", [".fits", ".parq", ".json", ".yaml", ".py"])
def test_a_sound_file_has_no_problem(sound, suffix: str) -> None:
    assert not problem(sound[suffix], sound[suffix].name)


@pytest.mark.parametrize("suffix", [".fits", ".parq", ".json", ".yaml", ".py"])
def test_an_empty_file_is_a_problem(sound, suffix: str) -> None:
    assert "empty" in problem(write(sound[suffix], b""), sound[suffix].name)


@pytest.mark.parametrize("suffix", [".fits", ".parq", ".json", ".yaml", ".py"])
def test_zeros_are_a_problem(sound, suffix: str) -> None:
    assert problem(write(sound[suffix], bytes(sound[suffix].stat().st_size)), sound[suffix].name)


@pytest.mark.parametrize("suffix", [".fits", ".parq", ".json"])
def test_a_file_that_is_cut_off_is_a_problem(sound, suffix: str) -> None:
    assert problem(write(sound[suffix], sound[suffix].read_bytes()[:-7]), sound[suffix].name)


def test_the_recorded_name_decides_the_form(sound) -> None:
    assert "FITS" in problem(sound[".json"], "file:///elsewhere/a.fits")
    assert not problem(sound[".json"], "a.unknown")
