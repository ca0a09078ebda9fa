"""Arithmetic of identifiers: what inverts, what collides, and when."""

from __future__ import annotations

import datetime

import pytest
from harness_lsst.translators.identifiers import (
    CONTROLLERS,
    MAX_EXPOSURE_ID,
    day_number,
    detector_exposure_id,
    exposure_id,
    observation_id,
    parse_observation_id,
    unpack_exposure_id,
)
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HarnessError

DATES = st.dates(datetime.date(2010, 1, 1), datetime.date(2050, 12, 31))
DAYS = DATES.map(lambda date: int(date.strftime("%Y%m%d")))
SEQUENCES = st.integers(0, 99_999)
PACKED_SEQUENCES = st.integers(0, 32_767)
LETTERS = st.sampled_from(CONTROLLERS)


@given(DAYS, SEQUENCES, st.none() | LETTERS)
def test_exposure_id_always_inverts_to_day_and_sequence(day, sequence, controller):
    number = exposure_id(day, sequence, controller)
    assert unpack_exposure_id(number)[:2] == (day, sequence)
    assert 0 < number <= MAX_EXPOSURE_ID


@given(DAYS, DAYS, SEQUENCES, SEQUENCES, LETTERS, LETTERS)
def test_exposures_collide_only_where_controllers_share_a_count(day, other_day, sequence, other, one, two):
    same = exposure_id(day, sequence, one) == exposure_id(other_day, other, two)
    shared = {"O"} | ({"C"} if day > 20231004 else set()) | (set("PQS") if day > 20250417 else set())
    assert same == ((day, sequence) == (other_day, other) and (one == two or {one, two} <= shared))


@pytest.mark.parametrize(
    ("day", "controller", "index"),
    [
        (20231004, "C", 1),
        (20231005, "C", 0),
        (20250417, "P", 3),
        (20250417, "Q", 4),
        (20250417, "S", 5),
        (20250418, "P", 0),
        (20250418, "Q", 0),
        (20250418, "S", 0),
        (20260101, "H", 2),
        (20260101, "O", 0),
        (20190101, None, 0),
    ],
)
def test_controllers_lose_their_own_ids(day, controller, index):
    assert exposure_id(day, 7, controller) == (day + index * 10_000_000) * 100_000 + 7


def test_the_largest_exposure_id_is_that_of_the_last_controller():
    assert MAX_EXPOSURE_ID == (20501231 + 5 * 10_000_000) * 100_000 + 99_999


@given(st.sampled_from(["AT", "CC", "MC", "MT", "FS3"]), LETTERS, DAYS, SEQUENCES)
def test_observation_id_gives_its_parts_and_so_the_exposure(camera, controller, day, sequence):
    name = observation_id(camera, controller, day, sequence)
    assert parse_observation_id(name) == (camera, controller, day, sequence)
    _, letter, date, number = parse_observation_id(name)
    assert exposure_id(date, number, letter) == exposure_id(day, sequence, controller)


def test_observation_ids_of_doctored_files_are_read():
    assert parse_observation_id("MC_X_20190401_000003").controller == "X"


@pytest.mark.parametrize("text", ["", "AT_O_20240624_106", "AT_O_20241324_000106", "AT-O-20240624-000106", "at_O"])
def test_what_is_no_observation_id_is_named(text):
    with pytest.raises(HarnessError, match=r"OBSID is|DAYOBS is"):
        parse_observation_id(text)


@pytest.mark.parametrize("given_day", [20240624, "20240624", "2024-06-24", "2024-06-24T01:02:03", " 20240624 "])
def test_days_come_in_several_forms(given_day):
    assert day_number(given_day) == 20240624


@pytest.mark.parametrize("given_day", ["20240230", "2024062", "unknown", "", "202406244", None])
def test_what_is_no_day_is_named(given_day):
    with pytest.raises(HarnessError) as caught:
        exposure_id(given_day, 1)
    assert f"DAYOBS is {given_day!r}" in str(caught.value)
    assert "YYYYMMDD" in str(caught.value)


@pytest.mark.parametrize("controller", ["X", "o", "OC", "FS3"])
def test_unknown_controller_is_named(controller):
    with pytest.raises(HarnessError, match=f"CONTRLLR is '{controller}' .*O, C, H, P, Q, S"):
        exposure_id(20240624, 1, controller)


@pytest.mark.parametrize("sequence", [-1, 100_000])
def test_sequence_number_out_of_range_is_named(sequence):
    with pytest.raises(HarnessError, match=f"SEQNUM is {sequence} .*99999"):
        exposure_id(20240624, sequence)


@pytest.mark.parametrize("number", [0, -5, 1999123199999, 8050123199999, 2024133200001])
def test_what_is_no_exposure_id_is_named(number):
    with pytest.raises(HarnessError):
        unpack_exposure_id(number)


@given(DAYS, PACKED_SEQUENCES, LETTERS, st.integers(0, 255))
def test_detector_exposure_id_inverts(day, sequence, controller, number):
    exposure = exposure_id(day, sequence, controller)
    rest, seen = divmod(detector_exposure_id(exposure, number), 256)
    days, seen_sequence = divmod(rest, 32768)
    index, offset = divmod(days, 16384)
    date = datetime.date(2010, 1, 1) + datetime.timedelta(days=offset)
    assert (seen, seen_sequence) == (number, sequence)
    assert exposure_id(int(date.strftime("%Y%m%d")), sequence) + index * 10**12 == exposure


def test_detector_exposure_id_of_real_exposures():
    """Numbers of upstream, of an exposure of the camera's controller and of one of the observatory's."""
    assert detector_exposure_id(3018092000065, 0) == 164148297984
    assert detector_exposure_id(2025112100156, 203) == 48679132363


@pytest.mark.parametrize(
    ("exposure", "number", "what"),
    [
        (2024062400001, 256, "detector is 256 "),
        (2024062400001, -1, "detector is -1 "),
        (2024062432768, 0, "sequence number is 32768 "),
        (2009123100001, 0, "days since 2010-01-01 is -1 "),
    ],
)
def test_what_does_not_fit_is_named(exposure, number, what):
    with pytest.raises(HarnessError, match=what):
        detector_exposure_id(exposure, number)
