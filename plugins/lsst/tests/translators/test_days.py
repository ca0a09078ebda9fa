"""When observing days begin."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from astro_metadata_translator import MetadataTranslator
from astropy.time import Time, TimeDelta
from harness_lsst.translators.days import observing_offset, pacific_offset
from hypothesis import given
from hypothesis import strategies as st

MOMENTS = st.datetimes(datetime.datetime(2007, 3, 1), datetime.datetime(2037, 12, 31))


@given(MOMENTS)
def test_pacific_time_is_that_of_the_database(moment):
    try:
        zone = ZoneInfo("America/Los_Angeles")
    except ZoneInfoNotFoundError:
        pytest.skip("no database of time zones on this machine")
    there = moment.replace(tzinfo=datetime.UTC).astimezone(zone)
    assert pacific_offset(moment) == -there.utcoffset().total_seconds()


@pytest.mark.parametrize(
    ("moment", "seconds"),
    [
        ("2019-03-10T09:59:59", 28800),
        ("2019-03-10T10:00:00", 25200),
        ("2019-11-03T08:59:59", 25200),
        ("2019-11-03T09:00:00", 28800),
    ],
)
def test_pacific_clocks_change_at_two(moment, seconds):
    assert pacific_offset(datetime.datetime.fromisoformat(moment)) == seconds


@pytest.mark.parametrize(
    ("translator", "date", "seconds"),
    [
        ("LSSTCam", "2024-04-30T23:59:00", 25200),
        ("LSSTCam", "2021-12-13T04:58:56", 28800),
        ("LSSTCam", "2024-05-01T00:00:00", 43200),
        ("LSSTComCam", "2020-02-29T23:00:00", 28800),
        ("LSSTComCam", "2020-03-01T00:00:00", 43200),
        ("LSST_LATISS", "2018-09-21T06:00:00", 43200),
        ("LSSTComCamSim", "2019-01-01T00:00:00", 43200),
        ("LSSTCamSim", "2019-01-01T00:00:00", 43200),
    ],
)
def test_cameras_begin_their_days_as_the_place_where_they_are(translator, date, seconds):
    one = MetadataTranslator.translators[translator]
    assert one.observing_date_to_offset(Time(date, scale="tai")).to_value("s") == pytest.approx(seconds)


@given(st.datetimes(datetime.datetime(2025, 1, 1), datetime.datetime(2049, 12, 31)))
def test_summit_days_roll_over_at_noon(moment):
    moment = moment.replace(microsecond=0)
    time = Time(moment, scale="tai")
    day = MetadataTranslator.observing_date_to_observing_day(time, observing_offset(time, None))
    assert day == int((moment - datetime.timedelta(hours=12)).strftime("%Y%m%d"))


@given(st.datetimes(datetime.datetime(2018, 1, 1), datetime.datetime(2049, 12, 31)), st.sampled_from([None, 202405]))
def test_an_offset_is_one_of_three(moment, shipped):
    offset = observing_offset(Time(moment, scale="tai"), shipped)
    assert isinstance(offset, TimeDelta)
    assert round(offset.to_value("s"), 6) in (25200, 28800, 43200)
