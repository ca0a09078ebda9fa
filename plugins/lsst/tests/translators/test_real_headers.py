"""Every real header gives the real record and properties, whatever was corrected before."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import astropy.units as u
import pytest
import yaml
from astro_metadata_translator import MetadataTranslator, ObservationInfo, fix_header
from astropy.io import fits
from astropy.time import Time
from lsst.daf.butler import DimensionUniverse, Timespan

from harness.bootstrap.ingest.files import read_headers
from harness.bootstrap.ingest.records import build_records, check_records
from harness.bootstrap.ingest.translate import Translators, identify, translate

UNKNOWN_EXPOSURE_TIME = -1.0
NOW = Timespan(Time("2026-11-25T00:00:00", scale="tai"), None).nsec[0]


def milliseconds(time: Time) -> str:
    copy = Time(time.tai, format="isot")
    copy.precision = 3
    return str(copy.isot)


def record_of(info: ObservationInfo) -> dict[str, Any]:
    record = dict(build_records(info).exposure)
    span = record.pop("timespan")
    record["datetime_begin_tai"] = milliseconds(span.begin)
    record["datetime_end_tai"] = milliseconds(span.end)
    return record


def properties_of(info: ObservationInfo) -> dict[str, Any]:
    def value(quantity: Any, unit: u.UnitBase) -> float | None:
        return None if quantity is None else float(quantity.to_value(unit))

    place = info.location
    return {
        "detector": info.detector_num,
        "detector_group": info.detector_group,
        "detector_name": info.detector_name,
        "detector_serial": info.detector_serial,
        "detector_unique_name": info.detector_unique_name,
        "detector_exposure_id": info.detector_exposure_id,
        "visit_id": info.visit_id,
        "telescope": info.telescope,
        "exposure_time_actual_s": value(info.exposure_time, u.s),
        "boresight_rotation_coord": info.boresight_rotation_coord,
        "boresight_airmass": info.boresight_airmass,
        "focus_z_mm": value(info.focus_z, u.mm),
        "observing_day_offset_s": value(info.observing_day_offset, u.s),
        "pressure_hPa": value(info.pressure, u.hPa),
        "temperature_C": value(info.temperature, u.deg_C),
        "relative_humidity": info.relative_humidity,
        "location_geodetic_deg_m": None
        if place is None
        else [float(place.lon.degree), float(place.lat.degree), float(place.height.to_value(u.m))],
    }


def same(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float | int) and not isinstance(other, bool):
        return math.isclose(one, other, rel_tol=1e-12, abs_tol=1e-9)
    return type(one) is type(other) and bool(one == other)


def assert_expected(info: ObservationInfo, content: dict[str, Any]) -> None:
    for seen, expected in (
        (record_of(info), content["expected_exposure"]),
        (properties_of(info), content["expected_other"]),
    ):
        assert set(seen) == set(expected)
        assert {k: v for k, v in seen.items() if not same(v, expected[k])} == {}


def remaining(content: dict[str, Any]) -> dict[str, Any]:
    """Return those corrections that don't follow from a rule: the rest is data of one exposure."""
    fixed = dict(content["header"])
    fix_header(fixed)
    return {k: v for k, v in content["corrections_applied"].items() if fixed.get(k) != v}


@pytest.fixture
def content(real_header: Path) -> dict[str, Any]:
    return json.loads(real_header.read_text())


@pytest.fixture
def corrections(content: dict[str, Any], tmp_path: Path) -> Callable[[dict[str, Any]], str]:
    """Writes a correction file, and returns its folder."""

    def write(values: dict[str, Any]) -> str:
        expected = content["expected_exposure"]
        name = f"{expected['instrument']}-{expected['obs_id']}.yaml"
        if values:
            (tmp_path / name).write_text(yaml.safe_dump(values))
        return str(tmp_path)

    return write


def test_with_the_remaining_corrections_in_a_search_path(content, corrections):
    path = corrections(remaining(content))
    assert_expected(ObservationInfo(content["header"], search_path=[path]), content)


def test_with_the_remaining_corrections_in_the_environment(content, corrections, monkeypatch):
    monkeypatch.setenv("METADATA_CORRECTIONS_PATH", corrections(remaining(content)))
    assert_expected(ObservationInfo(content["header"]), content)


def test_with_all_corrections_in_a_search_path(content, corrections):
    path = corrections(content["corrections_applied"])
    assert_expected(ObservationInfo(content["header"], search_path=[path]), content)


def test_with_all_corrections_applied_before(content):
    assert_expected(ObservationInfo(content["header"] | content["corrections_applied"]), content)


def test_with_all_corrections_applied_by_the_correction_mechanism(content):
    """What says of itself that it was corrected is not corrected again."""
    header = content["header"] | content["corrections_applied"] | {"HIERARCH ASTRO METADATA FIX MODIFIED": True}
    assert_expected(ObservationInfo(header), content)


def test_as_an_astropy_header(content, corrections):
    header = fits.Header()
    for key, value in content["header"].items():
        if key not in ("COMMENT", "HISTORY"):
            header[key if len(key) <= 8 else f"HIERARCH {key.removeprefix('HIERARCH.')}"] = value
    assert_expected(ObservationInfo(header, search_path=[corrections(remaining(content))]), content)


def test_fixing_twice_changes_nothing(content):
    header = content["header"] | content["corrections_applied"]
    translator = MetadataTranslator.determine_translator(header)
    translator.fix_header(header, "", "")
    fixed = dict(header)
    assert not translator.fix_header(header, "", "")
    assert header == fixed


def test_few_corrections_are_data(content):
    """The rules cover what has a rule: what remains are values of single exposures."""
    expected = content["expected_exposure"]
    if content["header"].get("RA") is None and content["corrections_applied"].get("RA") is not None:
        pytest.skip("the telescope's part of this header was lost")
    known = {"MC_O_20250415_000228": {"science_program"}, "MC_O_20250609_000578": {"physical_filter"}}
    info = ObservationInfo(content["header"])
    wrong = {k for k, v in record_of(info).items() if not same(v, expected[k])}
    wrong |= {k for k, v in properties_of(info).items() if not same(v, content["expected_other"][k])}
    assert wrong == known.get(expected["obs_id"], set())


def test_one_translator_claims_it(content):
    header = content["header"]
    claims = {name for name, one in MetadataTranslator.translators.items() if one.can_translate(header)}
    assert len(claims) == 1


def test_ingest_accepts_its_record(content, corrections):
    info = ObservationInfo(content["header"], search_path=[corrections(remaining(content))])
    if info.exposure_time_requested.value == UNKNOWN_EXPOSURE_TIME:
        pytest.skip("without EXPTIME nothing is ingested")
    records = build_records(info)
    check_records(records, DimensionUniverse(), 7050123199999 + 1, NOW)


def test_ingest_reads_it_from_a_file(content, corrections, tmp_path, monkeypatch):
    """As from a file, and without depending on cards that differ from detector to detector."""
    header = fits.Header()
    for key, value in content["header"].items():
        if key not in ("COMMENT", "HISTORY") and not key.startswith("__"):
            header[key if len(key) <= 8 else f"HIERARCH {key.removeprefix('HIERARCH.')}"] = value
    path = tmp_path / "raw.fits"
    header["SIMPLE"], header["BITPIX"], header["NAXIS"] = True, 8, 1
    header["NAXIS1"] = 4
    for key in ("NAXIS2", "XTENSION", "PCOUNT", "GCOUNT", "TFIELDS", "ZIMAGE", "ZTENSION", "BSCALE", "BZERO"):
        header.remove(key, ignore_missing=True)
    ordered = fits.Header([header.cards[k] for k in ("SIMPLE", "BITPIX", "NAXIS", "NAXIS1")])
    ordered.extend(c for c in header.cards if c.keyword not in ordered)
    path.write_bytes(ordered.tostring().encode("ascii") + b"\0" * 2880)
    monkeypatch.setenv("METADATA_CORRECTIONS_PATH", corrections(remaining(content)))
    (raw, *_), _ = read_headers(str(path))
    translators = Translators()
    translator = translators.choose(raw, str(path))
    translators.correct(translator, raw, str(path))
    frame = identify(translator, raw)
    assert frame.detector == content["expected_other"]["detector"]
    assert frame.detector_name == content["expected_other"]["detector_unique_name"]
    translation = translate(translator, raw, str(path))
    assert not set(translation.keys) & {"*", "CCDSLOT", "LSST_NUM", "EXTNAME", "CHECKSUM"}
    seen = record_of(translation.info)
    assert {k: v for k, v in seen.items() if not same(v, content["expected_exposure"][k])} == {}
