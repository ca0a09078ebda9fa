"""Rules of all of Rubin's headers, on small headers made here."""

from __future__ import annotations

import astropy.units as u
import pytest
from astro_metadata_translator import MetadataTranslator, ObservationInfo, PropertyDefinition
from astro_metadata_translator.properties import PROPERTIES
from astropy.coordinates import SkyCoord
from harness_lsst.translators.tables import detectors
from hypothesis import given, settings
from hypothesis import strategies as st

CAMERAS = ("LATISS", "LSSTComCam", "LSSTCam", "LSSTComCamSim")
UNITS = {
    "exposure_time": u.s,
    "exposure_time_requested": u.s,
    "dark_time": u.s,
    "focus_z": u.mm,
    "pressure": u.hPa,
    "boresight_rotation_angle": u.deg,
}
WEATHER = {"AIRTEMP": 10.5, "PRESSURE": 74210.0, "HUMIDITY": 30, "VIGN_MIN": "NO"}


@pytest.mark.parametrize("camera", CAMERAS)
def test_every_property_has_its_type_and_unit(make, info, camera):
    seen = info(make[camera](**WEATHER), pedantic=True)
    assert seen.instrument == camera
    for name, definition in PROPERTIES.items():
        value = getattr(seen, name)
        assert isinstance(definition, PropertyDefinition)
        if name != "altaz_end":  # no camera of ours tells
            assert isinstance(value, definition.py_type), name
        if name in UNITS:
            assert value.unit.is_equivalent(UNITS[name]), name
    assert seen.temperature.to_value(u.deg_C) == pytest.approx(10.5)


@pytest.mark.parametrize("camera", CAMERAS)
def test_times_are_tai_whatever_the_header_says(make, info, camera):
    for system in ("TAI", "UTC", ...):
        seen = info(make[camera](**{"TIMESYS": system, "DATE-END": "2025-01-01T00:00:00"}))
        assert seen.datetime_begin.scale == seen.datetime_end.scale == "tai"
        assert seen.datetime_begin.isot[11:] == "20:00:00.000"


@pytest.mark.parametrize(
    ("changes", "begin"),
    [
        ({"MJD-BEG": 60835.5, "DATE-BEG": "2025-06-09T13:00:00", "MJD-OBS": 60835.6}, "2025-06-09T12:00:00.000"),
        ({"DATE-BEG": "2025-06-09T13:00:00", "MJD-OBS": 60835.6}, "2025-06-09T13:00:00.000"),
        ({"MJD-OBS": 60835.75}, "2025-06-09T18:00:00.000"),
        ({}, "2025-06-09T20:00:00.000"),
    ],
)
def test_the_begin_has_four_keys(make, info, changes, begin):
    assert info(make["LSSTCam"](**changes)).datetime_begin.isot == begin


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (..., "2025-06-09T20:00:30.000"),
        ("2025-06-09T20:00:31.5", "2025-06-09T20:00:31.500"),
        ("2025-06-09T19:00:00", "2025-06-09T20:00:00.000"),
    ],
)
def test_the_end_is_never_before_the_begin(make, info, end, expected):
    assert info(make["LSSTCam"](**{"DATE-END": end})).datetime_end.isot == expected


@given(st.integers(1, 99_999), st.integers(1, 9), st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_snaps_know_first_and_last(make, info, sequence, index, more):
    seen = info(make["LSSTCam"](SEQNUM=sequence, CURINDEX=index, MAXINDEX=index + more))
    assert seen.group_counter_start == sequence - index + 1
    assert seen.group_counter_end == sequence + more


def test_without_indices_an_exposure_is_alone_and_sequence_zero_too(make, info):
    seen = info(make["LSSTCam"]())
    assert (seen.group_counter_start, seen.group_counter_end) == (12, 12)
    zero = info(make["LSSTCam"](SEQNUM=0))
    assert zero.observation_counter == 0
    assert zero.group_counter_start == zero.group_counter_end == zero.exposure_id == 2025060900000


def test_a_group_is_named_by_the_header_or_by_the_exposure(make, info):
    alone, grouped = info(make["LSSTCam"]()), info(make["LSSTCam"](GROUPID="2025-06-09T20:00:00.000#1"))
    assert (alone.exposure_group, alone.visit_id) == (str(alone.exposure_id), alone.exposure_id)
    assert grouped.exposure_group == "2025-06-09T20:00:00.000#1"
    assert grouped.visit_id != grouped.exposure_id


def test_combined_calibrations_have_no_exposure(make, info):
    seen = info(make["LSSTCam"](CALIB_ID="raftName=R22"))
    assert seen.exposure_id is seen.visit_id is seen.detector_exposure_id is seen.exposure_group is None


def test_the_controller_of_a_doctored_name_is_ignored(make, info):
    seen = info(make["LSSTCam"](OBSID="MC_X_20250609_000012"))
    assert seen.exposure_id == 2025060900012
    assert seen.observation_id == "MC_X_20250609_000012"


@pytest.mark.parametrize("camera", CAMERAS)
def test_unknown_controller_is_named(make, camera):
    header = make[camera](CONTRLLR="Z")
    translator = MetadataTranslator.determine_translator(header)
    with pytest.raises(Exception, match=r"CONTRLLR is 'Z' .*O, C, H, P, Q, S"):
        translator(header).to_exposure_id()


@pytest.mark.parametrize("camera", ["LSSTComCam", "LSSTCam", "LSSTComCamSim"])
@pytest.mark.parametrize(("raft", "slot"), [("R22", "S33"), ("R99", "S00"), ("R00", "S00"), ("", "S11")])
def test_unknown_detector_is_named(make, camera, raft, slot):
    header = make[camera](RAFTBAY=raft, CCDSLOT=slot)
    translator = MetadataTranslator.determine_translator(header)
    with pytest.raises(Exception, match=f"no detector '{raft}_{slot}'.*RAFTBAY and CCDSLOT"):
        translator(header).to_detector_num()


@pytest.mark.parametrize(
    ("key", "value", "prop"),
    [
        ("DAYOBS", "20251340", "exposure_id"),
        ("SEQNUM", 100_000, "exposure_id"),
        ("SEQNUM", 1.5, "exposure_id"),
        ("EXPTIME", "long", "exposure_time_requested"),
        ("EXPTIME", float("nan"), "exposure_time_requested"),
        ("DATE-OBS", "yesterday", "datetime_begin"),
        ("DATE-END", "60835.x", "datetime_end"),
        ("ROTPA", "north", "boresight_rotation_angle"),
        ("CURINDEX", "first", "group_counter_start"),
        ("FOCUSZ", "far", "focus_z"),
        ("OBSGEO-X", "here", "location"),
    ],
)
def test_absurd_values_are_named_with_what_is_expected(make, key, value, prop):
    header = make["LSSTCam"](**{key: value})
    with pytest.raises(Exception, match=rf"{key} is .*expected|{key} is .*fit") as caught:
        getattr(MetadataTranslator.determine_translator(header)(header), f"to_{prop}")()
    assert str(value) in str(caught.value)


@pytest.mark.parametrize(
    ("key", "prop"),
    [
        ("OBSID", "observation_id"),
        ("DAYOBS", "exposure_id"),
        ("SEQNUM", "exposure_id"),
        ("EXPTIME", "exposure_time"),
        ("IMGTYPE", "observation_type"),
        ("CCDSLOT", "detector_num"),
        ("RAFTBAY", "detector_num"),
        ("LSST_NUM", "detector_serial"),
        ("DATE-OBS", "datetime_begin"),
        ("ROTPA", "boresight_rotation_angle"),
    ],
)
@pytest.mark.parametrize("undefined", [..., None])
def test_missing_keys_are_named(make, key, prop, undefined):
    header = make["LSSTCam"](**{key: undefined})
    with pytest.raises(KeyError, match=f"{key} is missing"):
        getattr(MetadataTranslator.determine_translator(header)(header), f"to_{prop}")()


@pytest.mark.parametrize(
    ("written", "kind"),
    [("OBJECT", "science"), ("SKYEXP", "science"), ("Bias", "bias"), ("CWFS", "cwfs"), ("CBP", "cbp"), ("ACQ", "acq")],
)
@pytest.mark.parametrize("camera", CAMERAS)
def test_types_of_observations(make, info, camera, written, kind):
    assert info(make[camera](IMGTYPE=written)).observation_type == kind


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"REASON": "INTRA", "TESTTYPE": "CWFS"}, "intra"),
        ({"REASON": None, "TESTTYPE": "DARK"}, "dark"),
        ({}, "science"),
        ({"IMGTYPE": "DARK"}, "unknown"),
    ],
)
def test_reason_of_an_observation(make, info, keys, reason):
    assert info(make["LSSTCam"](**keys)).observation_reason == reason


@pytest.mark.parametrize(
    ("camera", "keys", "sees"),
    [
        ("LSSTCam", {"SHUTTIME": 0.0, "VIGN_MIN": "NO"}, False),
        ("LSSTCam", {"VIGN_MIN": "FULLY"}, False),
        ("LSSTCam", {"VIGN_MIN": "UNKNOWN"}, None),
        ("LSSTCam", {"VIGN_MIN": "PARTIALLY"}, True),
        ("LSSTCam", {"VIGN_MIN": "NO"}, True),
        ("LSSTCam", {}, None),
        ("LSSTCam", {"IMGTYPE": "BIAS"}, None),
        ("LSSTComCam", {}, None),
        ("LATISS", {}, True),
        ("LATISS", {"IMGTYPE": "FLAT"}, False),
        ("LATISS", {"IMGTYPE": "ENGTEST"}, None),
        ("LATISS", {"SHUTTIME": 0.0}, False),
        ("LSSTComCamSim", {}, True),
        ("LSSTComCamSim", {"IMGTYPE": "DARK"}, False),
    ],
)
def test_whether_the_sky_is_seen(make, info, camera, keys, sees):
    assert info(make[camera](**keys)).can_see_sky is sees


@pytest.mark.parametrize(("camera", "date"), [("LSSTCam", "2025-02-28"), ("LSSTComCam", "2024-08-23")])
def test_in_the_laboratory_nothing_is_of_the_sky(make, info, camera, date):
    seen = info(make[camera](date, VIGN_MIN="NO"))
    assert seen.can_see_sky is False
    assert seen.location is seen.altaz_begin is seen.boresight_airmass is None
    assert seen.boresight_rotation_coord == "unknown"


@pytest.mark.parametrize(
    ("camera", "date"), [("LSSTCam", "2025-03-01"), ("LSSTComCam", "2024-08-24"), ("LATISS", "2020-01-01")]
)
def test_on_the_mountain_from_a_date_on(make, info, camera, date):
    assert info(make[camera](date, RASTART=None)).location is not None


def test_a_site_without_coordinates_is_the_telescopes(make, info):
    for camera, latitude in (("LATISS", -30.244728), ("LSSTCam", -30.244639)):
        seen = info(make[camera](**{"OBSGEO-X": None, "OBSGEO-Y": None, "OBSGEO-Z": None}))
        assert seen.location.lat.degree == pytest.approx(latitude)


@pytest.mark.parametrize(
    ("keys", "tracked"),
    [
        ({}, True),
        ({"TRACKSYS": None}, True),
        ({"TRACKSYS": "AZEL"}, False),
        ({"TRACKSYS": "LOCAL"}, False),
        ({"IMGTYPE": "BIAS"}, False),
        ({"IMGTYPE": "FLAT"}, False),
        ({"IMGTYPE": "DARK"}, True),
        ({"IMGTYPE": "CBP", "RASTART": None, "RA": None}, False),
    ],
)
@pytest.mark.parametrize("camera", CAMERAS)
def test_coordinates_are_given_when_the_telescope_tracked(make, info, camera, keys, tracked):
    seen = info(make[camera](**keys))
    assert (seen.tracking_radec is not None) is tracked
    if tracked:
        assert seen.tracking_radec.ra.degree == pytest.approx(10.001)


def test_coordinates_of_another_system_become_icrs(make, info):
    seen = info(make["LSSTCam"](RADESYS="FK5"))
    assert seen.tracking_radec.icrs.separation(SkyCoord(10.001, -30.001, unit="deg", frame="fk5")).arcsec < 1e-6
    assert info(make["LSSTCam"](RADESYS="")).tracking_radec.icrs.ra.degree == pytest.approx(10.001)


def test_science_without_coordinates_is_refused(make):
    header = make["LSSTCam"](RASTART=None, RA=None)
    with pytest.raises(KeyError):
        MetadataTranslator.determine_translator(header)(header).to_tracking_radec()


@given(st.floats(-360, 360))
@settings(max_examples=30, deadline=None)
def test_azimuths_wrap(make, info, azimuth):
    seen = info(make["LSSTCam"](AZSTART=azimuth)).altaz_begin
    assert 0 <= seen.az.degree < 360
    assert abs((seen.az.degree - azimuth + 180) % 360 - 180) < 1e-9


def test_rotation_counts_on_the_sky_only(make, info):
    for keys, frame in (({}, "sky"), ({"IMGTYPE": "DARK"}, "unknown"), ({"TRACKSYS": "LOCAL"}, "unknown")):
        seen = info(make["LSSTCam"](**keys))
        assert seen.boresight_rotation_coord == frame
        assert seen.boresight_rotation_angle.degree == 20.0


@pytest.mark.parametrize(
    ("keys", "airmass"),
    [
        ({}, 1.06),
        ({"AMSTART": None}, 1.06418),
        ({"AMSTART": None, "ELSTART": None, "IMGTYPE": "ACQ"}, 1.0),
        ({"IMGTYPE": "BIAS"}, None),
    ],
)
def test_airmass(make, info, keys, airmass):
    seen = info(make["LSSTCam"](**keys)).boresight_airmass
    assert seen == (airmass if airmass is None else pytest.approx(airmass, rel=1e-5))


@pytest.mark.parametrize("pressure", [742.1, 74210.0])
def test_pressure_comes_in_two_units(make, info, pressure):
    assert info(make["LSSTCam"](PRESSURE=pressure)).pressure.to_value(u.hPa) == pytest.approx(742.1)


@pytest.mark.parametrize(
    ("keys", "simulated"),
    [
        ({}, False),
        ({"SIMULATE MTMOUNT": 0, "SIMULATE MTDOME": None}, False),
        ({"SIMULATE MTMOUNT": 1}, True),
        ({"HIERARCH.SIMULATE.UNHEARD": 1}, True),
        ({"SIMULATE": True}, True),
        *(({"CONTRLLR": letter}, True) for letter in "HPQS"),
        ({"CONTRLLR": "C"}, False),
    ],
)
def test_simulated_content(make, info, keys, simulated):
    assert info(make["LSSTCam"](**keys)).has_simulated_content is simulated


@pytest.mark.parametrize(("camera", "table"), [("LSSTComCam", "LSSTComCam"), ("LSSTCam", "LSSTCam")])
def test_detectors_follow_from_their_place_whichever_ccd_is_there(make, table, camera):
    for one in detectors(table).values():
        raft, slot = one.name.split("_")
        header = make[camera](RAFTBAY=raft, CCDSLOT=slot, LSST_NUM="ITL-4400B-999")
        translator = MetadataTranslator.determine_translator(header)(header)
        assert translator.to_detector_num() == one.id
        assert translator.to_detector_unique_name() == one.name
        assert translator.to_detector_serial() == "ITL-4400B-999"


@pytest.mark.parametrize(("table", "number"), [("LATISS", 1), ("LSSTComCam", 9), ("LSSTCam", 205)])
def test_tables_of_detectors_are_whole(table, number):
    assert sorted(d.id for d in detectors(table).values()) == list(range(number))
    assert len({d.serial for d in detectors(table).values()}) == number


def test_an_info_serialises(make, info):
    seen = info(make["LSSTCam"]())
    assert ObservationInfo.from_json(seen.to_json()).exposure_id == seen.exposure_id
