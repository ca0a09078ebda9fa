"""Headers, real and made up, to properties and exposure records."""

from __future__ import annotations

import json
from pathlib import Path

import astropy.units as u
import pytest
from astro_metadata_translator import MetadataTranslator, ObservationInfo
from harness_fiberspec.devices import DEVICES, device_of
from harness_fiberspec.translator import FiberSpecTranslator, load_translators

from harness.bootstrap.ingest.records import build_records
from harness.errors import HarnessError

HEADER = {
    "INSTRUME": "FiberSpectrograph.Blue",
    "SERIAL": "1606192U1",
    "OBSID": "FS1_O_20250301_000012",
    "DATE-BEG": "2025-03-01T23:00:00.000",
    "DATE-END": "2025-03-01T23:00:04.500",
    "TIMESYS": "TAI",
    "DAYOBS": 20250301,
    "SEQNUM": 12,
    "CONTRLLR": "FS1",
    "EXPTIME": 4.0,
    "IMGTYPE": "spectrum",
}


def info(**changes) -> ObservationInfo:
    header = {k: v for k, v in (HEADER | {k.replace("_", "-"): v for k, v in changes.items()}).items() if v != "absent"}
    return ObservationInfo(header, pedantic=True)


def test_real_headers_give_the_records_of_the_observatory(real: Path) -> None:
    found = sorted((real / "headers/FiberSpec").glob("*.json"))
    assert found
    for path in found:
        example = json.loads(path.read_text())
        seen = ObservationInfo(example["header"] | example["corrections_applied"], pedantic=True)
        record, wanted = dict(build_records(seen).exposure), example["expected_exposure"]
        span = record.pop("timespan")
        for name, time in (("datetime_begin_tai", span.begin), ("datetime_end_tai", span.end)):
            assert time.isot[:23] == wanted[name]
        assert {k: record[k] for k in wanted if k in record} == {k: v for k, v in wanted.items() if k in record}
        assert set(wanted) - set(record) == {"datetime_begin_tai", "datetime_end_tai"}
        other = example["expected_other"]
        for name in ("group", "name", "serial", "unique_name", "exposure_id"):
            assert getattr(seen, f"detector_{name}") == other[f"detector_{name}"]
        for name in ("visit_id", "telescope", "boresight_rotation_coord", "boresight_airmass", "relative_humidity"):
            assert getattr(seen, name) == other[name]
        assert seen.detector_num == other["detector"]
        assert seen.exposure_time.to_value(u.s) == other["exposure_time_actual_s"]
        assert seen.observing_day_offset.to_value("s") == other["observing_day_offset_s"]
        place = seen.location.geodetic
        assert (place.lon.deg, place.lat.deg, place.height.to_value(u.m)) == pytest.approx(
            other["location_geodetic_deg_m"], abs=1e-6
        )
        device_of(example["header"])


def test_the_entry_point_registers_the_translator() -> None:
    assert load_translators() == ["FiberSpec"]
    assert MetadataTranslator.translators["FiberSpec"] is FiberSpecTranslator
    assert MetadataTranslator.determine_translator(HEADER) is FiberSpecTranslator


@pytest.mark.parametrize("name", ["HSC", "FiberSpectrograph", None, 3])
def test_other_instruments_are_not_claimed(name) -> None:
    assert not FiberSpecTranslator.can_translate({"INSTRUME": name})
    assert not FiberSpecTranslator.can_translate({})


def test_the_exposure_id_ignores_the_device_and_follows_dayobs() -> None:
    morning = {"DATE_BEG": "2025-03-02T03:00:00", "DATE_END": "2025-03-02T03:00:04", "DAYOBS": 20250302}
    seen = info(INSTRUME="FiberSpectrograph.Red", SERIAL="1606190U1", OBSID="FS2_O_20250301_000012", **morning)
    assert (seen.exposure_id, seen.observing_day) == (2025030200012, 20250302)
    assert info(**morning).exposure_id == seen.exposure_id


def test_an_end_before_the_begin_or_absent_is_the_begin_or_made_of_the_exposure_time() -> None:
    seen = info(DATE_END="2025-03-01T22:59:59")
    assert seen.datetime_end == seen.datetime_begin
    assert (info(DATE_END="absent").datetime_end - seen.datetime_begin).to_value("s") == pytest.approx(4.0)


def test_times_are_tai_whatever_the_header_says_of_them() -> None:
    assert info(TIMESYS="UTC").datetime_begin.tai.isot == "2025-03-01T23:00:00.000"


def test_simulated_data_say_so_by_key_or_controller() -> None:
    assert not info().has_simulated_content
    assert info(SIMULATE=True).has_simulated_content
    assert info(OBSID="FS1_S_20250301_000012").has_simulated_content


def test_snaps_and_groups() -> None:
    seen = info(CURINDEX=2, MAXINDEX=3, GROUPID="2025-03-01T22:00:00.000")
    assert (seen.group_counter_start, seen.group_counter_end) == (11, 13)
    assert seen.exposure_group == "2025-03-01T22:00:00.000"
    assert info().exposure_group == "2025030100012"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"INSTRUME": "FiberSpectrograph.Green"}, "Green"),
        ({"SERIAL": DEVICES["Red"].serial}, "SERIAL"),
        ({"OBSID": "FS3_O_20250301_000012"}, "OBSID"),
    ],
)
def test_parts_of_two_devices_are_named(changes: dict[str, str], word: str) -> None:
    with pytest.raises(HarnessError, match=word):
        device_of(HEADER | changes)
