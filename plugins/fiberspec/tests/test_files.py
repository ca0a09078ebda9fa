"""Files: written as the observatory's, read back, and refused when they are damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.time import Time
from astropy.wcs import WCS
from harness_fiberspec.lamp import RANGES, wavelengths
from harness_fiberspec.spectrum import read_spectrum

from harness.bootstrap.ingest import ingest
from harness.errors import HarnessError


def change(path: Path, edit) -> Path:
    """Write a file again after a change of its HDUs."""
    with fits.open(path, memmap=False) as hdus:
        edited = edit(hdus) or hdus
        content = fits.HDUList([h.copy() for h in edited])
    content.writeto(path, overwrite=True)
    return path


def test_the_structure_is_that_of_a_real_file(write, observe, real: Path) -> None:
    import json

    path = write(observe())
    example = json.loads(next((real / "headers/FiberSpec").glob("*.json")).read_text())["header"]
    with fits.open(path) as hdus:
        header, table = hdus[0].header, hdus[1]
        assert [k for k in header if k not in ("SIMULATE",)] == list(example)
        assert hdus[0].data.dtype == ">f8"
        assert hdus[0].data.shape == (2048,)
        assert (table.name, table.header["TDIM1"], table.header["NAXIS2"]) == ("WCS-TAB", "(1,2048)", 1)
        assert (table.columns[0].name, table.columns[0].unit) == ("wavelength", "nm")
    same = {k for k, v in example.items() if header[k] == v}
    assert set(example) - same <= {"ORIGIN", "SOURCE", "CCDTEMP", "LOCATN"}
    assert header["LOCATN"] is None or isinstance(header["LOCATN"], fits.card.Undefined)


def test_equal_observations_give_equal_bytes_and_others_other_noise(write, observe) -> None:
    first = write(observe()).read_bytes()
    assert write(observe()).read_bytes() == first
    with fits.open(write(observe(exposure=2024010900005))) as hdus:
        assert hdus[0].data.tobytes() not in first


def test_wavelengths_are_those_that_astropy_finds_by_the_wcs(write, observe) -> None:
    path = write(observe())
    wavelength, flux = read_spectrum(str(path))
    with fits.open(path) as hdus:
        (seen,) = WCS(hdus[0].header, hdus, fix=False).wcs_pix2world(np.arange(1, 2049), 1)
    assert wavelength == pytest.approx(seen, abs=1e-9)
    assert (wavelength[0], wavelength[-1]) == RANGES["Broad"]
    assert len(flux) == 2048


@pytest.mark.parametrize(("key", "value"), [("CRVAL1", 1.0), ("CDELT1", 0.5), ("CRPIX1", -200.0)])
def test_another_linear_wcs_is_followed(write, observe, key: str, value: float) -> None:
    path = change(write(observe()), lambda hdus: hdus[0].header.set(key, value))
    if key in ("CRVAL1", "CRPIX1"):  # beyond the end of the table
        with pytest.raises(HarnessError, match="2048 wavelengths"):
            read_spectrum(str(path))
        return
    wavelength, _ = read_spectrum(str(path))
    with fits.open(path) as hdus:
        (seen,) = WCS(hdus[0].header, hdus, fix=False).wcs_pix2world(np.arange(1, 2049), 1)
    assert wavelength == pytest.approx(seen, abs=1e-9)


def _other_table(values: np.ndarray, name: str = "wavelength"):
    def edit(hdus):
        n = values.size
        column = fits.Column(name=name, format=f"{n}D", dim=f"(1,{n})", unit="nm", array=values.reshape(1, n, 1))
        return [hdus[0], fits.BinTableHDU.from_columns([column], name="WCS-TAB", ver=1)]

    return edit


def _swapped() -> np.ndarray:
    values = wavelengths("Broad")
    values[[700, 701]] = values[[701, 700]]
    return values


def _with_nan() -> np.ndarray:
    values = wavelengths("Broad")
    values[1200] = np.nan
    return values


DAMAGES = {
    "no table": (lambda hdus: [hdus[0]], "WCS-TAB"),
    "another table": (lambda hdus: hdus[1].header.set("EXTNAME", "OTHER"), "WCS-TAB"),
    "another column": (_other_table(wavelengths("Broad"), "lambda"), "no column wavelength"),
    "a short table": (_other_table(wavelengths("Broad")[:2000]), "2000 wavelengths"),
    "order": (_other_table(_swapped()), "pixel 702"),
    "descending": (_other_table(wavelengths("Broad")[::-1].copy()), "pixel 2"),
    "no number": (_other_table(_with_nan()), "pixel 1201"),
    "negative": (_other_table(wavelengths("Broad") - 400), "pixel 1 "),
    "another wcs": (lambda hdus: hdus[0].header.set("CTYPE1", "WAVE"), "CTYPE1"),
    "an index": (lambda hdus: hdus[0].header.set("PS1_2", "index"), "PS1_2"),
    "another unit": (lambda hdus: hdus[0].header.set("CUNIT1", "furlong"), "furlong"),
    "no column named": (lambda hdus: hdus[0].header.set("PS1_1", ""), "PS1_1"),
    "an image": (lambda hdus: [fits.PrimaryHDU(np.zeros((4, 2048)), hdus[0].header), hdus[1]], "NAXIS|one axis"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused_and_says_why(write, observe, butler, damage: str) -> None:
    edit, word = DAMAGES[damage]
    path = change(write(observe()), edit)
    good = write(observe(exposure=2024010900005, begin=Time("2024-01-09T18:00:00", scale="tai")))
    report = ingest(butler, [path, good])
    ((entry),) = report.quarantined
    assert (str(entry.reason), report.ingested) == ("structure", 1)
    with pytest.raises(HarnessError, match=word):
        read_spectrum(str(path))


def test_a_table_in_other_units_is_converted(write, observe) -> None:
    path = change(write(observe()), _other_table(wavelengths("Broad") / 1000))
    change(path, lambda hdus: hdus[0].header.set("CUNIT1", "um"))
    assert read_spectrum(str(path))[0] == pytest.approx(wavelengths("Broad"), rel=1e-12)
