"""Spectra in the repository: components, devices that collide, mornings."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.time import Time

from harness.bootstrap.ingest import ingest
from harness.errors import HarnessError

ID = {"instrument": "FiberSpec", "exposure": 2024010900004, "detector": 0, "collections": "FiberSpec/raw/all"}


def test_components_are_those_of_the_whole(butler, write, observe) -> None:
    report = ingest(butler, [write(observe())], transfer="copy")
    assert (report.ingested, report.quarantined) == (1, [])
    whole = butler.get("rawSpectrum", **ID)
    for name in ("wavelength", "flux"):
        np.testing.assert_array_equal(butler.get(f"rawSpectrum.{name}", **ID), getattr(whole, name))
    assert butler.get("rawSpectrum.header", **ID) == whole.header
    assert butler.get("rawSpectrum.obs_info", **ID) == whole.obs_info
    assert whole.obs_info.observation_id == "FS3_O_20240109_000004"
    assert (whole.flux.shape, whole.wavelength.shape) == ((2048,), (2048,))


@pytest.mark.parametrize("together", [True, False])
def test_two_devices_of_one_moment_are_not_merged(butler, write, observe, together: bool) -> None:
    """They have one exposure id: the second is refused, and its file is not taken for the first's."""
    files = [write(observe(settings={"device": d})) for d in ("Broad", "Red")]
    assert len(set(files)) == 2
    reports = [ingest(butler, files)] if together else [ingest(butler, [f]) for f in files]
    assert sum(r.ingested for r in reports) == 1
    ((entry),) = [q for r in reports for q in r.quarantined]
    assert str(entry.reason) in ("inconsistent-header", "record-conflict")
    assert "FS2" in f"{entry.message} {entry.seen}"
    assert butler.get("rawSpectrum", **ID).header["INSTRUME"] == "FiberSpectrograph.Broad"


def test_devices_of_different_moments_share_the_instrument(butler, write, observe) -> None:
    files = [
        write(observe(exposure=2024010900004 + i, begin=Time(f"2024-01-09T18:0{i}:00", scale="tai"), settings=s))
        for i, s in enumerate(({"device": "Blue"}, {"device": "Red"}, {"device": "Broad"}))
    ]
    report = ingest(butler, files)
    assert (report.ingested, report.quarantined) == (3, [])
    names = {r.obs_id for r in butler.query_dimension_records("exposure", instrument="FiberSpec")}
    assert names == {"FS1_O_20240109_000004", "FS2_O_20240109_000005", "FS3_O_20240109_000006"}


def test_a_morning_is_of_its_date_though_obsid_says_the_day_before(butler, write, observe) -> None:
    morning = observe(exposure=2024011000011, begin=Time("2024-01-10T04:00:00", scale="tai"))
    report = ingest(butler, [write(morning)])
    assert (report.ingested, report.quarantined) == (1, [])
    (record,) = butler.query_dimension_records("exposure", instrument="FiberSpec")
    assert (record.obs_id, record.day_obs) == ("FS3_O_20240109_000011", 20240110)


def test_a_day_that_is_neither_date_nor_night_is_refused(butler, write, observe) -> None:
    from astropy.io import fits

    path = write(observe())
    fits.setval(path, "DAYOBS", value=20240112)
    fits.setval(path, "SIMULATE", value=False)  # simulations of future nights may have any time
    ((entry),) = ingest(butler, [path]).quarantined
    assert (str(entry.reason), entry.key) == ("bad-time", "day_obs")


def test_a_serial_of_another_device_is_refused(butler, write, observe) -> None:
    from astropy.io import fits

    path = write(observe())
    fits.setval(path, "SERIAL", value="1606190U1")
    ((entry),) = ingest(butler, [path]).quarantined
    assert str(entry.reason) == "structure"
    assert "SERIAL" in entry.message


def test_wrong_settings_are_named(write, observe) -> None:
    for settings, word in (({"device": "Green"}, "Green"), ({"lamp": "Xe"}, "Xe"), ({"lamb": "HgAr"}, "lamb")):
        with pytest.raises(HarnessError, match=word):
            write(observe(settings=settings))
    with pytest.raises(HarnessError, match="20240109"):
        write(observe(exposure=2024010800004))
    with pytest.raises(HarnessError, match="saturate"):
        write(observe(exposure_time=1000.0))


def test_a_file_with_a_real_header_is_ingested(butler, write, observe, real) -> None:
    """As the observatory wrote it: CONTRLLR FS3, no SIMULATE, a key without a value."""
    import json

    from astropy.io import fits

    for place, path in enumerate(sorted((real / "headers/FiberSpec").glob("*.json"))):
        example = json.loads(path.read_text())
        file = write(observe(begin=Time(f"2024-01-09T18:00:{place:02d}", scale="tai")))
        with fits.open(file, memmap=False) as hdus:
            header = fits.Header([(k, fits.card.Undefined() if v is None else v) for k, v in example["header"].items()])
            content = fits.HDUList([fits.PrimaryHDU(hdus[0].data, header), hdus[1].copy()])
        content.writeto(file, overwrite=True)
        report = ingest(butler, [file], transfer="copy")
        assert (report.ingested, report.quarantined) == (1, [])
        wanted = example["expected_exposure"]
        (record,) = butler.query_dimension_records("exposure", instrument="FiberSpec", exposure=wanted["id"])
        seen = record.toDict()
        assert {k: seen[k] for k in wanted if k in seen} == {k: v for k, v in wanted.items() if k in seen}
