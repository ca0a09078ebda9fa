"""What belongs to LATISS alone: its filters, its early habits and the faults of its headers."""

from __future__ import annotations

import math

import astropy.units as u
import pytest
from astro_metadata_translator import MetadataTranslator, fix_header
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st


def fixed(header):
    """Return a header with its faults put right."""
    copy = dict(header)
    fix_header(copy)
    return copy


def test_there_is_one_detector(make, info):
    seen = info(make["LATISS"](RAFTBAY="R00", CCDSLOT="S00"))
    assert (seen.detector_num, seen.detector_unique_name) == (0, "RXX_S00")
    assert seen.telescope == "Rubin Auxiliary Telescope"


@pytest.mark.parametrize(
    ("filter_name", "grating", "name"),
    [
        ("SDSSr_65mm", "empty_1", "SDSSr_65mm~empty"),
        ("empty_3", "ronchi90lpmm", "empty~ronchi90lpmm"),
        ("EMPTY", "Empty_2", "empty~empty"),
        ("empty", "", "empty~empty"),
        (None, None, "unknown~unknown"),
        (..., "holo4_003", "unknown~holo4_003"),
        ("RG610", ..., "RG610~unknown"),
        ("disperser", "ronchi170lpmm", "diffuser~ronchi170lpmm"),
    ],
)
def test_filter_and_grating_are_one_name(make, info, filter_name, grating, name):
    assert info(make["LATISS"](FILTER=filter_name, GRATING=grating)).physical_filter == name


@pytest.mark.parametrize(
    ("date", "keys", "kind"),
    [
        ("2019-12-31", {"OBSTYPE": "OBJECT"}, "labobject"),
        ("2020-01-02", {"OBSTYPE": "OBJECT"}, "science"),
        ("2020-01-27", {"IMGTYPE": "OBJECT"}, "engtest"),
        ("2020-01-28", {"IMGTYPE": "OBJECT"}, "science"),
        ("2022-08-01", {"OBSTYPE": None, "IMGTYPE": "ACQ"}, "acq"),
        ("2019-12-31", {"IMGTYPE": None, "EXPTIME": 0.0}, "bias"),
        ("2019-12-31", {"IMGTYPE": ..., "EXPTIME": 2.0}, "unknown"),
    ],
)
def test_types_of_observations(make, info, date, keys, kind):
    header = make["LATISS"](date, **keys)
    header["DATE-OBS"] = f"{date}T{'20:01' if kind == 'science' else '19:59'}:00"  # objects were objects from 20:00
    assert info(header).observation_type == kind


@pytest.mark.parametrize(
    ("group", "kind", "left"),
    [
        ("bias_0027_0100", "bias", "bias_0027_0100"),
        ("DARK", "dark", None),
        ("FOCUS", "focus", None),
        ("focus3", "focus", "focus3"),
        ("test", "unknown", "test"),
    ],
)
def test_groups_held_the_type(make, info, group, kind, left):
    header = make["LATISS"]("2019-10-31", GROUPID=group, IMGTYPE=None)
    seen = info(header)
    assert seen.observation_type == kind
    assert seen.exposure_group == (left or str(seen.exposure_id))


def test_groups_hold_no_type_any_more(make, info):
    seen = info(make["LATISS"]("2019-11-08", GROUPID="DARK", IMGTYPE=None))
    assert (seen.observation_type, seen.exposure_group) == ("unknown", "DARK")


def test_a_group_that_repeats_the_type_is_none(make):
    assert fixed(make["LATISS"]("2019-10-31", GROUPID="DARK", IMGTYPE="DARK"))["GROUPID"] is None


@pytest.mark.parametrize(("date", "serial"), [("2019-06-23", "ITL-3800C-098"), ("2019-06-24", "ITL-3800C-068")])
def test_the_detector_was_exchanged(make, info, date, serial):
    assert info(make["LATISS"](date, LSST_NUM="ITL-3800C-098")).detector_serial == serial


@pytest.mark.parametrize(("shutter", "kept"), [(59.4, None), (0.0, 0.0), (None, None)])
def test_the_shutter_is_not_believed(make, info, shutter, kept):
    header = make["LATISS"](SHUTTIME=shutter)
    assert fixed(header)["SHUTTIME"] == kept
    assert info(header).exposure_time.to_value(u.s) == 30.0


@pytest.mark.parametrize(("dark", "seconds"), [(30.3, 30.3), (29.0, 30.0), (None, 30.0)])
def test_dark_time_is_never_shorter_than_the_exposure(make, info, dark, seconds):
    assert info(make["LATISS"](DARKTIME=dark)).dark_time.to_value(u.s) == seconds


def test_an_unknown_exposure_time_leaves_an_instant(make, info):
    seen = info(make["LATISS"](EXPTIME=None, IMGTYPE="UNKNOWN"))
    assert seen.exposure_time.to_value(u.s) == -1.0
    assert seen.datetime_end == seen.datetime_begin


def test_unset_clocks_are_set_by_the_file(make, info):
    header = make["LATISS"]("2020-01-29", DATE="2020-01-29T20:00:01.5", MJD=58877.5, **{
        "DATE-OBS": "1970-01-01T00:00:08.000", "MJD-OBS": 40587.0, "DATE-END": "1970-01-01T00:00:09.000"})  # fmt: skip
    seen = info(header)
    assert seen.datetime_begin.isot == "2020-01-29T12:00:00.000"
    assert (seen.datetime_end - seen.datetime_begin).to_value("s") == pytest.approx(30)
    # RA and Dec were derived with the wrong time
    assert SkyCoord(seen.altaz_begin).icrs.separation(seen.tracking_radec).arcsec < 1e-6
    assert abs(seen.tracking_radec.ra.degree - header["RASTART"]) > 1


@pytest.mark.parametrize(("date", "ends"), [("2020-01-31", 30.0), ("2020-02-01", 31.0)])
def test_ends_were_in_two_time_scales(make, info, date, ends):
    seen = info(make["LATISS"](date, **{"DATE-END": f"{date}T20:00:31"}))
    assert (seen.datetime_end - seen.datetime_begin).to_value("s") == pytest.approx(ends)


def test_coordinates_were_in_radians(make, info):
    header = make["LATISS"]("2020-01-28", RA=1.5, DEC=-0.5)
    assert fixed(header)["RA"] == pytest.approx(math.degrees(1.5))
    assert fixed(header)["DEC"] == pytest.approx(math.degrees(-0.5))
    # dates of faults are in UTC, times of headers in TAI
    later = header | {"DATE-OBS": "2020-01-28T22:00:38"}
    assert (fixed(later)["RA"], fixed(later)["DEC"]) == (1.5, -0.5)
    assert info(later).tracking_radec.ra.degree == pytest.approx(1.5)


def test_coordinates_in_degrees_are_left_alone(make):
    assert fixed(make["LATISS"]("2020-01-28", RA=1.5, DEC=-30.0))["RA"] == 1.5


def test_coordinates_at_the_begin_were_of_another_place(make, info):
    assert info(make["LATISS"]("2020-04-30")).tracking_radec.ra.degree == 10.0
    assert fixed(make["LATISS"]("2020-04-30", DECEND=-30.0))["DECEND"] is None
    assert info(make["LATISS"]("2020-05-01", RASTART=10.0 / 15)).tracking_radec.ra.degree != 10.0


@given(st.floats(0.01, 359.9))
@settings(max_examples=40, deadline=None)
def test_right_ascensions_were_in_hours_and_37_seconds_off(make, right):
    """They come out in degrees, whether they were put right before or not."""
    offset = 37.0 / 240.0
    for written in ((right - offset) % 360 / 15, right):
        header = fixed(make["LATISS"]("2020-11-01", RA=right, RASTART=written, RAEND=None))
        assert abs((header["RASTART"] - right + 180) % 360 - 180) < 1e-9
    late = make["LATISS"]("2021-02-11", RA=right)
    for written in (right - offset, right):
        assert fixed(late | {"RASTART": written})["RASTART"] == pytest.approx(right)
    assert fixed(make["LATISS"]("2021-02-12", RA=right, RASTART=right - offset))["RASTART"] == right - offset


@pytest.mark.parametrize(
    ("date", "rotation"), [("2020-11-18", 200.0), ("2020-11-19", 20.0), ("2021-10-28", 20.0), ("2021-10-29", 200.0)]
)
def test_rotation_was_turned_for_a_year(make, info, date, rotation):
    seen = info(make["LATISS"](date, ROTPA=200.0, TRACKSYS="SIDEREAL", SHUTTIME=30.1))
    assert seen.boresight_rotation_angle.degree == rotation


@given(st.floats(0, 359.9), st.sampled_from(["SIDEREAL", "RADEC", None, "LOCAL"]), st.sampled_from([None, 0.0, 30.1]))
@settings(max_examples=60, deadline=None)
def test_a_rotation_put_right_before_is_left_alone(make, rotation, tracking, shutter):
    header = fixed(make["LATISS"]("2021-02-12", ROTPA=rotation, TRACKSYS=tracking, SHUTTIME=shutter))
    as_written = tracking == "SIDEREAL" or bool(shutter)
    assert header["ROTPA"] == (rotation - 180 if as_written or tracking != "RADEC" else rotation)
    if as_written and header["TRACKSYS"] == "RADEC":
        again = {k: v for k, v in header.items() if not k.startswith("HIERARCH")}
        assert fixed(again)["ROTPA"] == header["ROTPA"]


@pytest.mark.parametrize("height", [3195186.45, -3195186.45])
def test_the_telescope_is_in_the_south(make, info, height):
    seen = info(make["LATISS"](**{"OBSGEO-Z": height}))
    assert seen.location.lat.degree == pytest.approx(-30.24, abs=0.01)


@pytest.mark.parametrize(
    ("date", "written", "name"),
    [
        ("2022-07-09", "spec:HD 1", "HD 1"),
        ("2022-07-10", "spec:HD 1", "spec:HD 1"),
        ("2022-07-09", "HD spec:1", "HD spec:1"),
        ("2022-08-01", ..., "NOTSET"),
    ],
)
def test_names_of_targets(make, info, date, written, name):
    header = make["LATISS"](date, OBJECT=written)
    assert info(header).object == name


def test_a_target_without_a_name_is_refused_on_the_sky_only(make, info):
    header = make["LATISS"](OBJECT=None)
    with pytest.raises(KeyError, match="OBJECT is missing"):
        MetadataTranslator.determine_translator(header)(header).to_object()
    assert info(make["LATISS"](OBJECT=None, IMGTYPE="ENGTEST")).object == "UNKNOWN"


def test_tracking_and_system_have_other_names(make, info):
    header = make["LATISS"](TRACKSYS="SIDEREAL", RADESYS="")
    assert (fixed(header)["TRACKSYS"], fixed(header)["RADESYS"]) == ("RADEC", "ICRS")
    assert info(header).tracking_radec.ra.degree == pytest.approx(10.001)


def test_a_missing_rotation_is_no_number(make, info):
    assert math.isnan(info(make["LATISS"](ROTPA=None, IMGTYPE="BIAS")).boresight_rotation_angle.degree)


def test_headers_of_the_first_weeks(make, info):
    header = make["LATISS"](
        "2019-03-29", OBSID=..., DAYOBS=..., SEQNUM=..., CONTRLLR=..., IMGNAME="AT_O_20190329_000022"
    )
    seen = info(header)
    assert (seen.observation_id, seen.exposure_id) == ("AT_O_20190329_000022", 2019032900022)
    assert (seen.observing_day, seen.observation_counter) == (20190329, 22)


def test_days_of_the_first_weeks_had_another_key(make, info):
    header = make["LATISS"]("2019-03-29", OBSID="AT-O-22", DAYOBS=..., **{"OBS-NITE": "20190329"})
    assert info(header).exposure_id == 2019032900012


def test_combined_calibrations_without_names_are_recognised(info):
    seen = info({"DETNAME": "RXX_S00", "CALIB_ID": "bias", "OBSTYPE": "bias"})
    assert (seen.instrument, seen.detector_num, seen.exposure_id) == ("LATISS", 0, None)
