"""Dimension records of an exposure, built from its properties, and what is absurd about them."""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .reasons import BadRaw, Reason

if TYPE_CHECKING:
    from astro_metadata_translator import ObservationInfo
    from astropy.time import Time
    from lsst.daf.butler import DimensionUniverse

    from .translate import Properties

__all__ = ["ExposureRecords", "build_records", "check_records", "differences", "wrap_degrees"]

DAY = 86400.0
"""Seconds in a day."""
EARLIEST = 1980
"""Year before which no CCD image of a survey was taken; 1970 and earlier mean an unset clock."""
LATEST = 2099
"""Last year that the middleware can represent."""
_EARLIEST_MJD, _LATEST_MJD = (datetime.date(year, 1, 1).toordinal() - 678576 for year in (EARLIEST, LATEST + 1))
"""Modified Julian dates on which the first of these years begins and the last one has ended."""
NO_EXPOSURE_TIME = -1.0
"""What translators give (s) for a header without one: LATISS wrote such when its telescope was not there."""
FUTURE = 86400 * 10**9
"""Nanoseconds by which the clocks of an observatory may be ahead of ours: a day."""
LONGEST = 86400 * 10**9
"""Nanoseconds that an exposure may last: a day."""


@dataclasses.dataclass(frozen=True, slots=True)
class ExposureRecords:
    """Fields of the records that one exposure needs, by element.

    Parameters
    ----------
    day_obs, group, exposure : `~collections.abc.Mapping`
        Fields as in dimension universe 8.
    """

    day_obs: Mapping[str, Any]
    group: Mapping[str, Any]
    exposure: Mapping[str, Any]

    def items(self) -> tuple[tuple[str, Mapping[str, Any]], ...]:
        """Return element names and fields in order of insertion."""
        return (("day_obs", self.day_obs), ("group", self.group), ("exposure", self.exposure))


def wrap_degrees(angle: float) -> float:
    """Wrap an angle into [0, 360) degrees; tiny negative ones become 0, not 360."""
    wrapped = angle % 360.0
    return 0.0 if wrapped >= 360.0 else wrapped


def build_records(info: Properties | ObservationInfo) -> ExposureRecords:
    """Build the records of an exposure: times in TAI, angles in degrees, the exposure time as requested.

    Parameters
    ----------
    info : `~.translate.Properties`
        Exposure-level properties; those of an `astro_metadata_translator.ObservationInfo` do as well.

    Raises
    ------
    BadRaw
        If begin or end are undefined or in the wrong order.
    """
    from lsst.daf.butler import Timespan

    begin, end = info.datetime_begin.tai, info.datetime_end.tai
    _check_times(begin, end)
    radec = None if info.tracking_radec is None else _degrees(info.tracking_radec, "icrs")
    altaz = None if info.altaz_begin is None else _degrees(info.altaz_begin, "altaz")
    on_sky = info.boresight_rotation_coord == "sky" and info.boresight_rotation_angle is not None
    counter = info.observation_counter
    instrument = info.instrument
    group = info.exposure_group if info.exposure_group is not None else str(info.exposure_id)
    exposure = {
        "instrument": instrument,
        "id": info.exposure_id,
        "physical_filter": info.physical_filter,
        "group": group,
        "day_obs": info.observing_day,
        "obs_id": info.observation_id,
        "exposure_time": _seconds(info.exposure_time_requested),
        "dark_time": _seconds(info.dark_time),
        "observation_type": info.observation_type,
        "observation_reason": info.observation_reason,
        "seq_num": counter,
        "seq_start": info.group_counter_start if info.group_counter_start is not None else counter,
        "seq_end": info.group_counter_end if info.group_counter_end is not None else counter,
        "target_name": info.object,
        "science_program": info.science_program,
        "tracking_ra": None if radec is None else wrap_degrees(radec[0]),
        "tracking_dec": None if radec is None else radec[1],
        "sky_angle": float(info.boresight_rotation_angle.degree) if on_sky else None,
        "azimuth": None if altaz is None else wrap_degrees(altaz[0]),
        "zenith_angle": None if altaz is None else 90.0 - altaz[1],
        "has_simulated": bool(info.has_simulated_content),
        "can_see_sky": info.can_see_sky,
        "timespan": Timespan(begin, end),  # an exposure without length becomes an instant, which isn't empty
    }
    day = {"instrument": instrument, "id": info.observing_day, "timespan": _day_span(info)}
    return ExposureRecords(day, {"instrument": instrument, "name": group}, exposure)


def _degrees(place: Any, frame: str) -> tuple[float, float]:
    """Return longitude and latitude of coordinates in a frame (degrees).

    Of what is in the frame already they are taken as they are: astropy would make a new representation for each.
    """
    there = place if place.name == frame else place.transform_to(frame)
    data = there.data if hasattr(there.data, "lon") else there.spherical
    return float(data.lon.degree), float(data.lat.degree)


def _seconds(quantity: Any) -> float | None:
    return None if quantity is None else float(quantity.to_value("s"))


def _check_times(begin: Time, end: Time) -> None:
    """Refuse times that are undefined, in the wrong order, or from a clock that was not set."""
    for name, time in (("begin", begin), ("end", end)):
        if time.ndim or not math.isfinite(time.jd):
            raise BadRaw(Reason.BAD_TIME, f"{name} of the exposure is undefined", key=f"datetime_{name}", seen=time)
    if (end.jd1 - begin.jd1) + (end.jd2 - begin.jd2) < 0.0:  # times of astropy take ten times as long to compare
        raise BadRaw(
            Reason.BAD_TIME,
            f"exposure ends at {end.isot} before it begins at {begin.isot} (TAI)",
            key="datetime_end",
            seen=end.isot,
            expected=f"not before {begin.isot}",
        )
    for name, time in (("begin", begin), ("end", end)):
        if not _EARLIEST_MJD <= time.mjd < _LATEST_MJD:  # a third of the time that the year itself takes
            raise BadRaw(
                Reason.BAD_TIME,
                f"{name} of the exposure is {time.isot}: the clock was not set",
                key=f"datetime_{name}",
                seen=time.isot,
                expected=f"{EARLIEST} to {LATEST}",
            )


def _day_span(info: Properties | ObservationInfo) -> Any:
    """Return the 24 hours of the observing day; `None` if its offset is unknown."""
    if info.observing_day_offset is None:
        return None
    return _span_of_day(info.observing_day, float(info.observing_day_offset.to_value("s")))


@lru_cache(maxsize=64)  # a night has a thousand exposures
def _span_of_day(day: int, offset: float) -> Any:
    """Return the 24 hours of a day that begins so many seconds after midnight."""
    from astropy.time import Time, TimeDelta
    from lsst.daf.butler import Timespan

    text = f"{day:08d}"
    try:
        midnight = Time(f"{text[:4]}-{text[4:6]}-{text[6:]}T00:00:00", format="isot", scale="tai")
    except ValueError as error:
        raise BadRaw(Reason.BAD_TIME, f"observing day {day} is no date", key="day_obs", seen=day) from error
    begin = midnight + TimeDelta(offset, format="sec", scale="tai")
    return Timespan(begin, begin + TimeDelta(DAY, format="sec", scale="tai"))


def check_records(
    records: ExposureRecords,
    universe: DimensionUniverse,
    exposure_max: int,
    now: int,
    *,
    day_is_date: bool = False,
) -> None:
    """Refuse absurd values.

    Parameters
    ----------
    records : `ExposureRecords`
        What would be inserted.
    universe : `lsst.daf.butler.DimensionUniverse`
        Knows how long each field may be.
    exposure_max : `int`
        Exclusive limit of the instrument's exposure ids.
    now : `int`
        The present (ns since 1970 TAI).
    day_is_date : `bool`, optional
        Whether the observing day is the date on which the exposure began, too, whatever its offset.

    Raises
    ------
    BadRaw
        With the field, the value seen and the one expected.
    """
    fields = records.exposure
    if not 0 < fields["id"] < exposure_max:
        raise BadRaw(
            Reason.EXPOSURE_ID,
            f"exposure id {fields['id']} is out of range",
            key="exposure_id",
            seen=fields["id"],
            expected=f"1 to {exposure_max - 1}",
        )
    for element, values in records.items():
        _check_strings(element, values, universe)
    _check_numbers(fields)
    _check_plausible(records, now, day_is_date)


def _check_strings(element: str, values: Mapping[str, Any], universe: DimensionUniverse) -> None:
    """Refuse empty names, and strings that a database with fixed lengths would refuse."""
    schema = universe.elements[element].schema
    for column in schema.all:
        value = values.get(column.name)
        limit = getattr(column, "length", None)
        if isinstance(value, str) and limit and len(value) > limit:
            raise _absurd(column.name, value, f"at most {limit} characters")
    for name in ("obs_id", "name", "physical_filter", "observation_type"):
        if name in values and not str(values[name]).strip():
            raise _absurd(name, values[name], "a name")


def _check_numbers(fields: Mapping[str, Any]) -> None:
    limits = {
        "exposure_time": (0.0, DAY),
        "dark_time": (0.0, DAY),
        "tracking_ra": (0.0, 360.0),
        "tracking_dec": (-90.0, 90.0),
        "sky_angle": (-360.0, 360.0),
        "azimuth": (0.0, 360.0),
        "zenith_angle": (0.0, 180.0),
        "seq_num": (0, 2**63 - 1),
        "seq_start": (0, 2**63 - 1),
        "seq_end": (0, 2**63 - 1),
    }
    for name, (low, high) in limits.items():
        value = fields[name]
        if name == "exposure_time" and value == NO_EXPOSURE_TIME and not fields["can_see_sky"]:
            continue
        if value is not None and not low <= value <= high:  # false for NaN as well
            raise _absurd(name, value, f"{low} to {high}")
    first, last = fields["seq_start"], fields["seq_end"]
    if first is not None and last is not None and first > last:
        raise _absurd("seq_start", first, f"at most seq_end = {last}")


def _check_plausible(records: ExposureRecords, now: int, day_is_date: bool) -> None:
    """Refuse exposures in the future, of more than a day, or outside their observing day."""
    fields, span = records.exposure, records.exposure["timespan"]
    begin, end = span.nsec
    if not fields["has_simulated"] and begin - now > FUTURE:
        raise BadRaw(
            Reason.BAD_TIME,
            f"exposure begins in the future, at {span.begin.isot} (TAI)",
            key="datetime_begin",
            seen=span.begin.isot,
            expected="at most a day from now",
        )
    if end - begin > LONGEST:
        raise BadRaw(
            Reason.BAD_TIME,
            f"exposure lasts from {span.begin.isot} to {span.end.isot}",
            key="datetime_end",
            seen=span.end.isot,
            expected="at most a day",
        )
    day = records.day_obs["timespan"]
    if day is None or day.nsec[0] <= begin < day.nsec[1]:
        return
    on_date = day_is_date and span.begin.strftime("%Y%m%d") == str(fields["day_obs"])
    # simulations of future nights keep the time at which they were made
    if not on_date and not fields["has_simulated"]:
        raise BadRaw(
            Reason.BAD_TIME,
            f"exposure begins at {span.begin.isot} (TAI), outside observing day {fields['day_obs']}",
            key="day_obs",
            seen=span.begin.isot,
            expected=f"{day.begin.isot} to {day.end.isot}",
        )


def _absurd(name: str, value: object, expected: str) -> BadRaw:
    return BadRaw(Reason.BAD_VALUE, f"{name} is {value!r}", key=name, seen=value, expected=expected)


def differences(fields: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return the names of fields that differ; numbers may differ by rounding (1e-9).

    Parameters
    ----------
    fields, other : `~collections.abc.Mapping`
        Fields of two records of one element; a field that only one has counts as `None` in the other.
    """
    names = dict.fromkeys((*fields, *other))
    return [n for n in names if not _equal(fields.get(n), other.get(n))]


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=1e-12, abs_tol=1e-9)
    return bool(one == other)
