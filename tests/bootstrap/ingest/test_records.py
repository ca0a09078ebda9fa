"""Exposure records: real headers give the real records; times, days and angles hold for all values."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import astropy.units as u
import pytest
from astro_metadata_translator import ObservationInfo, makeObservationInfo
from astropy.coordinates import AltAz, Angle, EarthLocation, SkyCoord
from astropy.io import fits
from astropy.time import Time, TimeDelta
from hypothesis import given, settings
from hypothesis import strategies as st
from lsst.daf.butler import DimensionUniverse, Timespan

from harness.bootstrap.ingest.files import read_headers
from harness.bootstrap.ingest.reasons import BadRaw, Reason
from harness.bootstrap.ingest.records import build_records, check_records, differences, wrap_degrees
from harness.bootstrap.ingest.translate import Translators, identify, translate

REAL = Path(__file__).parents[3].parent / "shared" / "real" / "headers"
NOW = Timespan(Time("2026-01-01T00:00:00", scale="tai"), None).nsec[0]
SITE = EarthLocation.from_geodetic(-70.7, -30.2, 2663)


def real_headers():
    """Those that some installed translator claims."""
    for path in sorted(REAL.glob("HSC/*.json")):  # plugins test the translators that they bring
        try:
            with_info = ObservationInfo(dict(json.loads(path.read_text())["header"]), subset={"instrument"}, quiet=True)
        except ValueError:
            continue
        yield pytest.param(path, id=f"{with_info.instrument}-{path.stem}")


def write_header(path: Path, values: dict) -> Path:
    """Write a FITS file with a header given as a dictionary."""
    header = fits.Header()
    for key, value in values.items():
        for one in value if isinstance(value, list) else [value]:
            header.append((key, one), end=True)
    content = header.tostring().encode("ascii")
    path.write_bytes(content + bytes(values["NAXIS1"] * values["NAXIS2"] * 2))
    return path


@pytest.mark.skipif(not REAL.is_dir(), reason="the real headers are not on this machine")
@pytest.mark.parametrize("source", list(real_headers()) if REAL.is_dir() else [])
def test_real_header_gives_the_real_record(source, tmp_path):
    content = json.loads(source.read_text())
    expected = content["expected_exposure"]
    path = write_header(tmp_path / "real.fits", content["header"])
    (header, *_), _ = read_headers(str(path))
    translators = Translators()
    translator = translators.choose(header, str(path))
    translators.correct(translator, header, str(path))
    frame = identify(translator, header)
    assert frame.detector == content["expected_other"]["detector"]
    assert frame.detector_name == content["expected_other"]["detector_unique_name"]
    record = dict(build_records(translate(translator, header, str(path)).info).exposure)
    span = record.pop("timespan")
    record["datetime_begin_tai"] = span.begin.tai.to_value("isot", subfmt="date_hms")[:23]
    record["datetime_end_tai"] = span.end.tai.to_value("isot", subfmt="date_hms")[:23]
    assert record == expected


def info(**changes):
    values = {
        "instrument": "I",
        "exposure_id": 5,
        "observation_id": "o5",
        "physical_filter": "r",
        "datetime_begin": Time("2020-01-02T03:04:05", scale="utc"),
        "datetime_end": Time("2020-01-02T03:05:05", scale="utc"),
        "exposure_time": 60 * u.s,
        "exposure_time_requested": 59 * u.s,
        "dark_time": 61 * u.s,
        "observation_type": "science",
        "observation_reason": "science",
        "observing_day": 20200102,
        "observing_day_offset": TimeDelta(0, format="sec", scale="tai"),
        "observation_counter": 7,
        "exposure_group": "g",
    }
    return makeObservationInfo(**(values | changes))


def test_requested_time_and_counters():
    fields = build_records(info()).exposure
    assert fields["exposure_time"] == 59.0
    assert (fields["seq_num"], fields["seq_start"], fields["seq_end"]) == (7, 7, 7)


@pytest.mark.parametrize(("sees_sky", "refused"), [(None, False), (False, False), (True, True)])
def test_only_an_exposure_of_the_sky_needs_an_exposure_time(sees_sky, refused):
    """Real files of a camera without its telescope have none, for which translators give -1 s."""
    records = build_records(info(exposure_time_requested=-1 * u.s, can_see_sky=sees_sky))
    if not refused:
        check_records(records, DimensionUniverse(), 10, NOW)
        return
    with pytest.raises(BadRaw, match=r"exposure_time is -1\.0"):
        check_records(records, DimensionUniverse(), 10, NOW)


def test_every_field_of_the_universe_is_set():
    records = build_records(info())
    universe = DimensionUniverse()
    for element, values in records.items():
        assert set(values) == set(universe.elements[element].schema.all.names), element


def test_sky_angle_only_on_the_sky():
    angle = Angle(33 * u.deg)
    coordinate = {"boresight_rotation_angle": angle}
    assert build_records(info(boresight_rotation_coord="mount", **coordinate)).exposure["sky_angle"] is None
    assert build_records(info(boresight_rotation_coord="sky", **coordinate)).exposure["sky_angle"] == 33.0


def test_icrs():
    fk5 = SkyCoord(10, 20, unit="deg", frame="icrs").transform_to("fk5")
    fields = build_records(info(tracking_radec=SkyCoord(fk5).icrs)).exposure
    assert fields["tracking_ra"] == pytest.approx(10, abs=1e-9)


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e6, max_value=1e6))
def test_wrapped_angles_lie_on_the_circle(angle):
    wrapped = wrap_degrees(angle)
    assert 0.0 <= wrapped < 360.0
    turns = (wrapped - angle) / 360.0
    assert abs(turns - round(turns)) < 1e-9


@settings(max_examples=40, deadline=None)
@given(st.floats(-720, 720), st.floats(-10, 90))
def test_pointing_of_any_altaz(azimuth, altitude):
    altaz = AltAz(
        az=azimuth * u.deg, alt=altitude * u.deg, obstime=Time("2026-01-01T00:00:00", scale="tai"), location=SITE
    )
    fields = build_records(info(altaz_begin=altaz)).exposure
    assert 0.0 <= fields["azimuth"] < 360.0
    assert fields["zenith_angle"] == pytest.approx(90 - altitude, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(
    seconds=st.floats(0, 1.4e9),
    length=st.floats(0, 3600),
    offset=st.sampled_from([None, 0, 25200, 28800, 43200]),
    scale=st.sampled_from(["tai", "utc"]),
)
def test_times(seconds, length, offset, scale):
    """Begin and end are TAI, ordered, and begin lies in the observing day whatever its offset."""
    from astro_metadata_translator import MetadataTranslator

    logging.getLogger("lsst.daf.butler.time_utils").setLevel(logging.ERROR)
    begin = Time("1981-01-01T00:00:00", scale=scale) + TimeDelta(seconds, format="sec")
    end = begin + TimeDelta(length, format="sec")
    delta = None if offset is None else TimeDelta(offset, format="sec", scale="tai")
    day = MetadataTranslator.observing_date_to_observing_day(begin, delta)
    records = build_records(info(datetime_begin=begin, datetime_end=end, observing_day=day, observing_day_offset=delta))
    span = records.exposure["timespan"]
    assert not span.isEmpty()
    assert abs((span.begin - begin.tai).to_value("s")) < 1e-6
    assert abs((span.end - end.tai).to_value("s")) < 1e-6
    check_records(records, DimensionUniverse(), 10, NOW)
    if offset is None:
        assert records.day_obs["timespan"] is None
    else:
        assert records.day_obs["timespan"].begin <= span.begin < records.day_obs["timespan"].end


@settings(max_examples=30, deadline=None)
@given(st.floats(1e-3, 1e6))
def test_end_before_begin_is_refused(seconds):
    begin = Time("2015-01-01T00:00:00", scale="tai")
    with pytest.raises(BadRaw) as caught:
        build_records(info(datetime_begin=begin, datetime_end=begin - TimeDelta(seconds, format="sec")))
    assert caught.value.reason is Reason.BAD_TIME


@settings(max_examples=30, deadline=None)
@given(st.integers(-5, 5).filter(bool))
def test_wrong_observing_day_is_refused(days):
    records = build_records(info(observing_day=20200110 + days, datetime_begin=Time("2020-01-10T12:00:00", scale="tai"),
                                 datetime_end=Time("2020-01-10T12:01:00", scale="tai")))  # fmt: skip
    with pytest.raises(BadRaw, match="outside observing day"):
        check_records(records, DimensionUniverse(), 10, NOW)


def test_simulated_night_of_another_date_is_kept():
    """Rehearsals of Rubin's commissioning camera are of 2026, and were made in 2024."""
    check_records(build_records(info(observing_day=20260321, has_simulated_content=True)), DimensionUniverse(), 10, NOW)


def test_observing_day_that_is_no_date():
    with pytest.raises(BadRaw, match="20201350 is no date"):
        build_records(info(observing_day=20201350))


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_are_none(number):
    records = build_records(info(dark_time=number * u.s))
    with pytest.raises(BadRaw, match="dark_time"):
        check_records(records, DimensionUniverse(), 10, NOW)


def test_differences():
    assert differences({"a": 1.0, "b": "x"}, {"a": 1.0 + 1e-13, "b": "x"}) == []
    assert differences({"a": 1.0, "b": "x", "c": None}, {"a": 1.1, "b": "y"}) == ["a", "b"]
    assert differences({"a": None}, {"a": 0.0}) == ["a"]
