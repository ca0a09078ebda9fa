"""Wrong in a value that they translate."""

from __future__ import annotations

import astropy.units as u
from astropy.coordinates import Angle, SkyCoord
from astropy.time import Time

from . import wrong


@wrong("test_exposure_id_is_the_observations", "seen 2001, expected 1001")
def exposure_id_of_another_scheme(toy):
    """Exposure ids are not those of the manifest."""

    class Translator(toy.Translator):
        def to_exposure_id(self):
            return self._header["EXPID"] + 1000

    return toy.kit(translator=Translator)


@wrong("test_detector_is_the_one_written", "detector_num of exposure 1001 detector 0")
def detectors_counted_from_one(toy):
    """Detectors are counted from 1 in headers and from 0 in the camera."""

    class Translator(toy.Translator):
        def to_detector_num(self):
            return self._header["DETNUM"] + 1

    return toy.kit(translator=Translator)


@wrong("test_detector_is_the_one_written", "detector_unique_name of exposure 1001 detector 0")
def detector_name_in_lower_case(toy):
    """Headers name detectors otherwise than the camera."""

    class Translator(toy.Translator):
        def to_detector_unique_name(self):
            return self._header["DETNAME"].lower()

    return toy.kit(translator=Translator)


@wrong("test_exposure_ends_after_it_begins", "not before its begin")
def begin_and_end_swapped(toy):
    """Begin and end are swapped."""

    class Translator(toy.Translator):
        def to_datetime_begin(self):
            return super().to_datetime_end()

        def to_datetime_end(self):
            return super().to_datetime_begin()

    return toy.kit(translator=Translator)


@wrong("test_times_are_the_observations", "UTC and TAI are mixed up")
def utc_as_tai(toy):
    """Times in TAI are taken for UTC."""

    class Translator(toy.Translator):
        def to_datetime_begin(self):
            return Time(self._header["DATE-BEG"], format="isot", scale="utc")

        def to_datetime_end(self):
            return Time(self._header["DATE-END"], format="isot", scale="utc")

    return toy.kit(translator=Translator)


@wrong("test_times_are_the_observations", "begin of exposure 1001")
def begin_in_local_time(toy):
    """Times are those of a clock that is an hour late."""

    class Translator(toy.Translator):
        def to_datetime_begin(self):
            return super().to_datetime_begin() - 1 * u.hour

        def to_datetime_end(self):
            return super().to_datetime_end() - 1 * u.hour

    return toy.kit(translator=Translator)


@wrong("test_exposure_time_is_the_observations", "seen 30000.0, expected 30")
def exposure_time_in_milliseconds(toy):
    """Milliseconds are taken for seconds."""

    class Translator(toy.Translator):
        def to_exposure_time(self):
            return 1000 * self._header["EXPTIME"] * u.s

    return toy.kit(translator=Translator)


@wrong("test_observing_day_is_the_day_of_the_begin", "seen 20250301, expected 20250228")
def day_off_by_one(toy):
    """The observing day is the next one."""

    class Translator(toy.Translator):
        def to_observing_day(self):
            return int((self.to_datetime_begin() + 0.5 * u.day).strftime("%Y%m%d"))

    return toy.kit(translator=Translator)


@wrong("test_filter_is_the_observations", "physical_filter of exposure 1002")
def filter_of_another_exposure(toy):
    """Every exposure is taken for one through the filter r."""

    class Translator(toy.Translator):
        def to_physical_filter(self):
            return "r"

    return toy.kit(translator=Translator)


@wrong("test_observation_type_is_the_observations", "observation_type of exposure 1001")
def observation_type_as_written(toy):
    """The type is an observatory's word for it, and not the middleware's."""

    class Translator(toy.Translator):
        def to_observation_type(self):
            return "object" if self._header["IMGTYPE"] == "science" else self._header["IMGTYPE"]

    return toy.kit(translator=Translator)


@wrong("test_observation_type_is_the_observations", "can_see_sky of exposure 1001")
def sky_cannot_be_seen(toy):
    """Exposures of the sky are said not to see it."""

    class Translator(toy.Translator):
        def to_can_see_sky(self):
            return False

    return toy.kit(translator=Translator)


@wrong("test_pointing_is_the_observations", "tracking_radec of exposure 1001")
def right_ascension_in_hours(toy):
    """Degrees of right ascension are taken for something that must be divided by 15."""

    class Translator(toy.Translator):
        def to_tracking_radec(self):
            position = super().to_tracking_radec()
            return position and SkyCoord(position.ra / 15, position.dec, frame="icrs")

    return toy.kit(translator=Translator)


@wrong("test_rotation_is_the_observations", "the sign is wrong")
def rotation_of_the_wrong_sign(toy):
    """The rotation has the wrong sign."""

    class Translator(toy.Translator):
        def to_boresight_rotation_angle(self):
            angle = super().to_boresight_rotation_angle()
            return angle if angle is None else Angle(-angle)

    return toy.kit(translator=Translator)


@wrong("test_target_and_program_are_the_observations", "seen 'FIELD', expected 'field'")
def target_in_capitals(toy):
    """Names of targets are changed."""

    class Translator(toy.Translator):
        def to_object(self):
            return self._header["OBJECT"].upper()

    return toy.kit(translator=Translator)


@wrong("test_group_and_counters_are_the_observations", "exposure_group of exposure 1002")
def group_forgotten(toy):
    """The group in the header is left aside."""

    class Translator(toy.Translator):
        def to_exposure_group(self):
            return str(self._header["EXPID"])

    return toy.kit(translator=Translator)


@wrong("test_bad_file_is_refused[no exposure id]", "(no exposure id): seen")
def exposure_id_made_up(toy):
    """An exposure without an id is given one."""

    class Translator(toy.Translator):
        def to_exposure_id(self):
            return self._header.get("EXPID", 999)

        def to_visit_id(self):
            return self.to_exposure_id()

    return toy.kit(translator=Translator)


@wrong("test_bad_file_is_refused[no time]", "(no time): seen")
def time_made_up(toy):
    """An exposure without a time is given one."""

    class Translator(toy.Translator):
        def to_datetime_begin(self):
            return super().to_datetime_begin() or Time("2025-03-01T03:00:00", format="isot", scale="tai")

        def to_datetime_end(self):
            return super().to_datetime_end() or Time("2025-03-01T03:00:30", format="isot", scale="tai")

    return toy.kit(translator=Translator)


@wrong("test_bad_file_is_refused[negative exposure time]", "(negative exposure time): seen")
def sign_of_the_exposure_time_dropped(toy):
    """An absurd exposure time is made a plausible one."""

    class Translator(toy.Translator):
        def to_exposure_time(self):
            return abs(self._header["EXPTIME"]) * u.s

        def to_dark_time(self):
            return self.to_exposure_time()

    return toy.kit(translator=Translator)
