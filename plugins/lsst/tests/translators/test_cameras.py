"""What belongs to LSSTCam, LSSTComCam or their simulated twins alone; and whose a header is."""

from __future__ import annotations

import astropy.units as u
import pytest
from astro_metadata_translator import MetadataTranslator, fix_header
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

NAMES = ("LSST_LATISS", "LSSTCam", "LSSTCamSim", "LSSTComCam", "LSSTComCamSim")
INSTRUMES = ("LATISS", "LSST_ATISS", "lsstCam", "LSSTCAM", "LSSTCamSim", "ComCam", "comcam", "ComCamSim", "LSST_CAMERA")
TELESCOPES = ("Simonyi Survey Telescope", "LSST", "LSST AuxTelescope", "Subaru", "WIYN")


def fixed(header):
    """Return a header with its faults put right."""
    copy = dict(header)
    fix_header(copy)
    return copy


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "INSTRUME": st.sampled_from(INSTRUMES) | st.text(max_size=12) | st.none() | st.integers(),
            "TELESCOP": st.sampled_from(TELESCOPES) | st.none(),
            "TELCODE": st.sampled_from(["CC", "MC", "AT"]),
            "DETNAME": st.sampled_from(["RXX_S00", "R22_S11"]),
        },
    )
)
def test_no_header_is_claimed_twice(header):
    claims = [name for name in NAMES if MetadataTranslator.translators[name].can_translate(header)]
    assert len(claims) <= 1


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        ({"INSTRUME": "LATISS"}, "LSST_LATISS"),
        ({"INSTRUME": "LSST_ATISS"}, "LSST_LATISS"),
        ({"DETNAME": "RXX_S00"}, "LSST_LATISS"),
        ({"INSTRUME": "lsstCam"}, "LSSTCam"),
        ({"INSTRUME": "LSSTCamSim", "TELESCOP": "LSST"}, "LSSTCamSim"),
        ({"INSTRUME": "ComCam", "TELESCOP": "LSST"}, "LSSTComCam"),
        ({"INSTRUME": "COMCAM", "TELESCOP": "Simonyi Survey Telescope"}, "LSSTComCam"),
        ({"INSTRUME": "LSST_CAMERA", "TELESCOP": "LSST", "TELCODE": "CC"}, "LSSTComCam"),
        ({"INSTRUME": "ComCamSim", "TELESCOP": "Simonyi Survey Telescope"}, "LSSTComCamSim"),
        ({"INSTRUME": "ComCam", "TELESCOP": "WIYN"}, None),
        ({"INSTRUME": "LSST_CAMERA", "TELESCOP": "LSST"}, None),
        ({}, None),
    ],
)
def test_whose_a_header_is(keys, name):
    claims = [n for n in NAMES if MetadataTranslator.translators[n].can_translate(keys)]
    assert claims == ([name] if name else [])


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        ({"FILTER": "i_39"}, "i_39"),
        ({"FILTER": "SDSSi", "FILTER2": "ND_OD0.5"}, "SDSSi~ND_OD0.5"),
        ({"FILTER": "SDSSi", "FILTER2": "empty"}, "SDSSi"),
        ({"FILTER": "empty", "FILTER2": "empty"}, "empty"),
        ({"FILTER": "none", "FILTER1": "HIGH"}, "none~HIGH"),
        ({"FILTER": "NONE"}, "none"),
        ({"FILTER": None}, "unknown"),
        ({"FILTER": ..., "FILTER2": "ND_OD0.5"}, "unknown"),
    ],
)
def test_filters_of_lsstcam(make, info, keys, name):
    assert info(make["LSSTCam"](**keys)).physical_filter == name


@pytest.mark.parametrize(("date", "name"), [("2023-11-07", "ph_5"), ("2024-10-16", "ph_5"), ("2024-10-17", "ph_05")])
def test_pinhole_filter_had_another_name_on_some_nights(make, info, date, name):
    assert info(make["LSSTCam"](date, FILTER="ph_05")).physical_filter == name


def test_programs_of_laboratory_and_mountain(make, info):
    for keys, name in (
        ({"PROGRAM": "BLOCK-1", "RUNNUM": "13162"}, "BLOCK-1"),
        ({"RUNNUM": "13162"}, "13162"),
        ({}, "unknown"),
    ):
        assert info(make["LSSTCam"](**keys)).science_program == name


@pytest.mark.parametrize(("shutter", "seconds"), [(30.001, 30.001), (0.0, 30.0), (None, 30.0), (-1.0, 30.0)])
def test_exposure_time_is_the_shutters_and_the_request_is_kept(make, info, shutter, seconds):
    seen = info(make["LSSTCam"](SHUTTIME=shutter))
    assert seen.exposure_time.to_value(u.s) == seconds
    assert seen.exposure_time_requested.to_value(u.s) == 30.0


def test_dark_time_is_the_exposure_time_without_a_key(make, info):
    assert info(make["LSSTCam"](SHUTTIME=29.0)).dark_time.to_value(u.s) == 29.0
    assert info(make["LSSTCam"](DARKTIME=1.0)).dark_time.to_value(u.s) == 1.0


@pytest.mark.parametrize(
    ("date", "turned"),
    [("2025-03-01", 0), ("2025-03-02", 90), ("2025-04-21", 90), ("2025-04-22", 180), ("2025-04-23", 0)],
)
def test_rotation_was_another_cameras_in_the_first_weeks(make, date, turned):
    header = make["LSSTCam"](date, ROTPA=200.0, AZSTART=None)
    assert fixed(header)["ROTPA"] == 200.0 - turned


def test_rotation_was_turned_for_half_a_night(make):
    header = make["LSSTCam"]("2025-04-22", ROTPA=-20.0, AZSTART=None)
    assert fixed(header)["ROTPA"] == 160.0
    assert fixed(header | {"SEQNUM": 250})["ROTPA"] == 160.0
    assert fixed(header | {"SEQNUM": 251})["ROTPA"] == -20.0


@given(st.floats(-30, 30), st.floats(20, 85), st.floats(-180, 180))
@settings(max_examples=60, deadline=None)
def test_a_rotation_put_right_before_is_left_alone(make, rotator, altitude, azimuth):
    """In both weeks, whatever the direction: the rotator is near its zero."""
    for date, turned in (("2025-04-15", 90.0), ("2025-04-22", 180.0)):
        place = {"ELSTART": altitude, "AZSTART": azimuth}
        right = rotation_at(rotator, altitude, azimuth)
        assert fixed(make["LSSTCam"](date, ROTPA=right, **place))["ROTPA"] == right
        raw = fixed(make["LSSTCam"](date, ROTPA=right + turned, **place))["ROTPA"]
        assert abs((raw - right + 180) % 360 - 180) < 1e-9


def rotation_at(rotator: float, altitude: float, azimuth: float) -> float:
    """Return the ROTPA at an angle of the rotator, from the directions of pole and zenith as seen at the target."""
    import numpy as np

    lat, alt, az = np.radians([-30.244639, altitude, azimuth])
    target = np.array([np.cos(alt) * np.sin(az), np.cos(alt) * np.cos(az), np.sin(alt)])  # east, north, up
    pole = np.array([0.0, np.cos(lat), np.sin(lat)])
    zenith = np.array([0.0, 0.0, 1.0])
    east = np.cross(pole, target)
    east /= np.linalg.norm(east)
    north = np.cross(target, east)
    parallactic = np.degrees(np.arctan2(zenith @ east, zenith @ north))
    return float((parallactic - 90.0 + rotator) % 360.0) or 360.0


@pytest.mark.parametrize(
    ("date", "sequence", "value"),
    [
        ("2025-05-18", 4000, "FULLY"),
        ("2025-07-04", 831, "NO"),
        ("2025-07-04", 832, "FULLY"),
        ("2025-07-04", 834, "FULLY"),
        ("2025-07-04", 835, "NO"),
        ("2025-07-06", 500, "NO"),
    ],
)
def test_nights_with_a_closed_dome_come_from_a_table(make, info, date, sequence, value):
    header = make["LSSTCam"](date, SEQNUM=sequence, VIGN_MIN="NO")
    assert fixed(header)["VIGN_MIN"] == value
    assert info(header).can_see_sky is (value != "FULLY")


@pytest.mark.parametrize(
    ("date", "written", "name"),
    [
        ("2024-11-01", "g_01", "g_01"),
        ("2019-05-26", ..., "unknown"),
        ("2024-11-01", None, "unknown"),
        ("2020-03-12", "r", "r_03"),
        ("2020-03-12", "", "r_03"),
        ("2020-03-13", "r", "empty"),
        ("2024-11-01", "", "empty"),
    ],
)
def test_filters_of_comcam(make, info, date, written, name):
    assert info(make["LSSTComCam"](date, FILTER=written)).physical_filter == name


def test_laboratory_headers_of_comcam(make, info):
    header = make["LSSTComCam"]("2019-05-26", INSTRUME="LSST_CAMERA", TELESCOP="LSST", TELCODE="CC", LSST_NUM=...,
                                CCDSLOT="S21", ROTPA=...)  # fmt: skip
    seen = info(header)
    assert (seen.instrument, seen.telescope) == ("LSSTComCam", "Simonyi Survey Telescope")
    assert (seen.detector_num, seen.detector_serial) == (7, "ITL-3800C-209")
    assert seen.boresight_rotation_angle.degree == 0.0
    assert fixed(header)["INSTRUME"] == "ComCam"


def test_simulated_cameras_are_simulated_and_on_the_telescope(make, info):
    for name in ("ComCamSim", "LSSTCamSim"):
        seen = info(make["LSSTComCamSim"]("2022-01-01", INSTRUME=name))
        assert seen.has_simulated_content
        assert seen.location is not None
        assert seen.exposure_id == (20220101 + 5 * 10_000_000) * 100_000 + 12


def test_simulated_pointing_without_altitude(make, info):
    keys = {"ELSTART": None, "AZSTART": None, "RASTART": None, "DECSTART": None}
    by_airmass = info(make["LSSTComCamSim"](AMSTART=2.0, **keys))
    assert by_airmass.altaz_begin.alt.degree == pytest.approx(30.0)
    assert by_airmass.altaz_begin.az.degree == 0.0
    assert by_airmass.tracking_radec.ra.degree == 10.0
    by_time = info(make["LSSTComCamSim"](AMSTART=None, **keys))
    assert SkyCoord(by_time.altaz_begin).icrs.ra.degree == pytest.approx(10.0)


def test_phosim_is_always_on_the_mountain(make, info):
    assert info(make["LSSTCam"]("2010-02-17", CONTRLLR="H")).location is not None
