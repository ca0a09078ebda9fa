"""Files: written, read back, and refused when they are damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.time import Time

from harness.bootstrap.ingest import ingest
from harness.errors import HarnessError

ID = {"instrument": "CBP", "exposure": 2025030100012, "detector": 0, "collections": "CBP/raw/all"}


def change(path: Path, edit) -> Path:
    """Write a file again after a change of its HDUs."""
    with fits.open(path, memmap=False) as hdus:
        edited = edit(hdus) or hdus
        content = fits.HDUList([h.copy() for h in edited])
    content.writeto(path, overwrite=True)
    return path


def test_components_are_those_of_the_whole(butler, write, observe) -> None:
    report = ingest(butler, [write(observe())], transfer="copy")
    assert (report.ingested, report.quarantined) == (1, [])
    whole = butler.get("rawCbp", **ID)
    for name in ("time", "charge"):
        np.testing.assert_array_equal(butler.get(f"rawCbp.{name}", **ID), getattr(whole, name))
    for name in ("settings", "header", "obs_info"):
        assert butler.get(f"rawCbp.{name}", **ID) == getattr(whole, name)
    assert whole.settings["wavelength"] == 500.0
    assert (whole.settings["mask"], whole.settings["focus"], whole.settings["bursts"]) == (1, 3800.0, 5)
    assert whole.time[[0, -1]].tolist() == [0.0, 30.0]
    (record,) = butler.query_dimension_records("exposure", instrument="CBP")
    assert (record.group, record.has_simulated) == ("2025-03-01T14:59:00.000#1", True)


def test_equal_observations_give_equal_bytes(write, observe) -> None:
    first = write(observe()).read_bytes()
    assert write(observe()).read_bytes() == first
    assert write(observe(settings={"charge": 2.1e-8})).read_bytes() != first


def test_the_structure(write, observe) -> None:
    with fits.open(write(observe())) as hdus:
        assert [h.name for h in hdus] == ["PRIMARY", "ELECTROMETER"]
        assert hdus[0].header["NAXIS"] == 0
        assert [(c.name, c.unit) for c in hdus[1].columns] == [("TIME", "s"), ("CHARGE", "C")]
        assert "um" in hdus[0].header.comments["CBPFOC"]


def _column(name: str, row: int, value: float):
    def edit(hdus) -> None:
        hdus[1].data[name][row] = value

    return edit


def _without(name: str):
    def edit(hdus):
        columns = [c for c in hdus[1].columns if c.name != name]
        return [hdus[0], fits.BinTableHDU.from_columns(columns, name="ELECTROMETER")]

    return edit


DAMAGES = {
    "no series": (lambda hdus: [hdus[0], fits.ImageHDU(np.zeros(4), name="OTHER")], "ELECTROMETER"),
    "no charge": (_without("CHARGE"), "no column CHARGE"),
    "another mode": (lambda hdus: hdus[0].header.set("ELECMODE", "CURRENT"), "no column CURRENT"),
    "time runs back": (_column("TIME", 100, 3.0), "TIME of row 101 is 3 s"),
    "no number": (_column("CHARGE", 7, np.nan), "CHARGE of row 8"),
    "one row": (lambda hdus: [hdus[0], fits.BinTableHDU(hdus[1].data[:1], name="ELECTROMETER")], "two rows"),
    "azimuth": (lambda hdus: hdus[0].header.set("CBPAZ", 60.0), "CBPAZ is 60 deg, expected -45 to 45 deg"),
    "mask": (lambda hdus: hdus[0].header.set("CBPMASK", 7), "CBPMASK is 7"),
    "focus in mm": (lambda hdus: hdus[0].header.set("CBPFUNIT", "mm"), "CBPFOC is 3.8e[+]06 um"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused_and_says_why(write, observe, butler, damage: str) -> None:
    import re

    edit, word = DAMAGES[damage]
    path = change(write(observe()), edit)
    good = write(observe(exposure=2025030100013, begin=Time("2025-03-01T15:01:00", scale="tai")))
    report = ingest(butler, [path, good])
    (entry,) = report.quarantined
    assert (str(entry.reason), report.ingested) == ("structure", 1)
    assert re.search(word, entry.message), entry.message
    assert "\n" not in entry.message


def test_a_name_that_contradicts_the_number_is_refused(write, observe, butler) -> None:
    path = write(observe())
    fits.setval(path, "SEQNUM", value=13)
    ((entry),) = ingest(butler, [path]).quarantined
    assert "CB_O_20250301_000012" in entry.message


def test_wrong_settings_in_a_manifest_are_named(write, observe) -> None:
    for settings, word in (({"mask": 8}, "CBPMASK"), ({"colour": 1}, "colour"), ({"bursts": 0}, "without bursts")):
        with pytest.raises(HarnessError, match=word):
            write(observe(settings=settings))
    with pytest.raises(HarnessError, match="20250301"):
        write(observe(exposure=2025022800012))
    with pytest.raises(HarnessError, match="too short"):
        write(observe(exposure_time=8.0))
