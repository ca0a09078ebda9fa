"""Tests of translated values: they are those of the observation that the file was written for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .headers import Headers
from .requirement import mismatches, requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .subject import RawFile, Subject

__all__ = ["Values"]

SECOND = 0.01
"""Seconds that rounding in a header may cost."""
READOUT = 300.0
"""Seconds that an exposure may last beyond its exposure time: shutter, readout."""
ARCSECONDS = 0.1
"""Arcseconds that rounding in a header may cost."""
DEGREES = 0.01
"""Degrees that rounding of the rotation may cost."""

_SOUND = (Headers.test_properties_have_the_right_type_and_unit, Headers.test_translation_is_stable)


class Values:
    """Tests of translated values."""

    @requirement(after=_SOUND)
    def test_exposure_id_is_the_observations(self, subject: Subject) -> None:
        """``exposure_id`` is that of the manifest."""
        with mismatches() as wrong:
            for raw in subject.firsts:
                wrong.equal(f"exposure_id of {raw}", subject.info(raw).exposure_id, raw.observation.exposure)

    @requirement(after=_SOUND)
    def test_detector_is_the_one_written(self, subject: Subject) -> None:
        """Number and unique name are those of the camera's detector; so are raft and name in it, if given."""
        with mismatches() as wrong:
            for raw in subject.raws:
                info, detector = subject.info(raw), raw.detector
                wrong.equal(f"detector_num of {raw}", info.detector_num, detector.id)
                name = info.detector_unique_name
                good = name == detector.name or (detector.raft is None and name == f"None_{detector.name}")
                wrong.that(good, f"detector_unique_name of {raw}", name, f"{detector.name!r}")
                if info.detector_group is not None and detector.raft:
                    wrong.equal(f"detector_group of {raw}", info.detector_group, detector.raft)
                    wrong.equal(f"detector_name of {raw}", info.detector_name, detector.name_in_raft)

    @requirement(after=_SOUND)
    def test_exposure_ends_after_it_begins(self, subject: Subject) -> None:
        """``datetime_end`` is not before ``datetime_begin``."""
        with mismatches() as wrong:
            for raw in subject.firsts:
                begin, end = subject.info(raw).datetime_begin.tai, subject.info(raw).datetime_end.tai
                wrong.that(end >= begin, f"end of {raw}", end.isot, f"not before its begin {begin.isot} (TAI)")

    @requirement(after=(test_exposure_ends_after_it_begins,))
    def test_times_are_the_observations(self, subject: Subject) -> None:
        """The exposure begins when it was observed, to the right time scale, and lasts at least as long as exposed."""
        with mismatches() as wrong:
            for raw in subject.firsts:
                info, observation = subject.info(raw), raw.observation
                begin, end = info.datetime_begin.tai, info.datetime_end.tai
                off = (begin - observation.begin).to_value("s")
                leap = round((observation.begin.tai.mjd - observation.begin.utc.mjd) * 86400)
                hint = " (UTC and TAI are mixed up)" if math.isclose(abs(off), leap, abs_tol=1) else ""
                expected = f"{observation.begin.tai.isot} TAI{hint}"
                wrong.that(abs(off) <= SECOND, f"begin of {raw}", f"{begin.isot} TAI", expected)
                lasted = (end - begin).to_value("s") - observation.exposure_time
                what = f"time from begin to end of {raw}, less the exposure time (s)"
                wrong.that(-SECOND <= lasted <= READOUT, what, round(lasted, 3), f"0 to {READOUT:g}")

    @requirement(after=_SOUND)
    def test_exposure_time_is_the_observations(self, subject: Subject) -> None:
        """``exposure_time_requested`` is that of the manifest."""
        with mismatches() as wrong:
            for raw in subject.firsts:
                seen = float(subject.info(raw).exposure_time_requested.to_value("s"))
                expected = raw.observation.exposure_time
                what = f"exposure_time_requested of {raw} (s)"
                wrong.that(math.isclose(seen, expected, abs_tol=1e-3), what, seen, f"{expected:g}")

    @requirement(after=(test_exposure_ends_after_it_begins,))
    def test_observing_day_is_the_day_of_the_begin(self, subject: Subject) -> None:
        """``observing_day`` is the date of the begin less ``observing_day_offset``, of which there must be one."""
        is_date = getattr(subject.kit.instrument_class, "observing_day_is_date", False)
        with mismatches() as wrong:
            for raw in subject.firsts:
                info = subject.info(raw)
                begin, offset = info.datetime_begin.tai, info.observing_day_offset
                days = {(begin if offset is None or is_date else begin - offset).strftime("%Y%m%d")}
                if offset is None or is_date:
                    days.add(begin.utc.strftime("%Y%m%d"))
                what = f"observing_day of {raw}, which begins at {begin.isot} TAI"
                wrong.that(str(info.observing_day) in days, what, info.observing_day, " or ".join(sorted(days)))

    @requirement(after=_SOUND)
    def test_filter_is_the_observations(self, subject: Subject) -> None:
        """``physical_filter`` is that of the manifest."""
        with mismatches() as wrong:
            for raw in subject.firsts:
                wrong.equal(
                    f"physical_filter of {raw}", subject.info(raw).physical_filter, raw.observation.physical_filter
                )

    @requirement(after=_SOUND)
    def test_observation_type_is_the_observations(self, subject: Subject) -> None:
        """``observation_type`` is that of the manifest, and the sky can be seen on the sky."""
        with mismatches() as wrong:
            for raw in subject.firsts:
                info = subject.info(raw)
                wrong.equal(f"observation_type of {raw}", info.observation_type, raw.observation.observation_type)
                if raw.observation.on_sky:
                    wrong.that(info.can_see_sky is not False, f"can_see_sky of {raw}", False, "True or None")

    @requirement(after=_SOUND)
    def test_pointing_is_the_observations(self, subject: Subject) -> None:
        """``tracking_radec`` is the boresight of the manifest."""
        from astropy.coordinates import SkyCoord

        with mismatches() as wrong:
            for raw in _on_sky(subject):
                ra, dec, _ = raw.observation.pointing
                seen = subject.info(raw).tracking_radec.icrs
                off = float(seen.separation(SkyCoord(ra, dec, unit="deg")).arcsec)
                where = f"{seen.ra.deg:.6f} {seen.dec.deg:+.6f}"
                wrong.that(off <= ARCSECONDS, f"tracking_radec of {raw}", where, f"{ra:.6f} {dec:+.6f} (ICRS)")

    @requirement(after=_SOUND)
    def test_rotation_is_the_observations(self, subject: Subject) -> None:
        """``boresight_rotation_angle`` is the sky angle of the manifest, sign included."""
        with mismatches() as wrong:
            for raw in _on_sky(subject):
                expected = raw.observation.pointing[2]
                info = subject.info(raw)
                seen = float(info.boresight_rotation_angle.deg)
                off = math.remainder(seen - expected, 360)
                hint = " (the sign is wrong)" if abs(math.remainder(seen + expected, 360)) <= DEGREES else ""
                what = f"boresight_rotation_angle of {raw} (deg)"
                wrong.that(abs(off) <= DEGREES, what, round(seen, 4), f"{expected:g}{hint}")
                wrong.equal(f"boresight_rotation_coord of {raw}", info.boresight_rotation_coord, "sky")

    @requirement(after=_SOUND)
    def test_target_and_program_are_the_observations(self, subject: Subject) -> None:
        """Object, program and reason are those of the manifest, where it gives them."""
        with mismatches() as wrong:
            for raw in subject.firsts:
                info, o = subject.info(raw), raw.observation
                for name, given in (("object", o.target), ("science_program", o.program)):
                    if given:
                        wrong.equal(f"{name} of {raw}", getattr(info, name), given)
                if o.reason:
                    seen = info.observation_reason
                    wrong.that(str(seen).lower() == o.reason.lower(), f"observation_reason of {raw}", seen, o.reason)

    @requirement(after=_SOUND)
    def test_group_and_counters_are_the_observations(self, subject: Subject) -> None:
        """Exposures of one group have its name, and snaps count from the first to the last of it."""
        with mismatches() as wrong:
            for raw in subject.firsts:
                info, o = subject.info(raw), raw.observation
                if o.group:
                    wrong.equal(f"exposure_group of {raw}", info.exposure_group, o.group)
                place, number = o.snap
                if number > 1:
                    counter = info.observation_counter
                    first = counter - place + 1
                    seen = (info.group_counter_start, info.group_counter_end)
                    what = f"group_counter_start and _end of {raw}, number {counter}, snap {place} of {number}"
                    wrong.equal(what, seen, (first, first + number - 1))


def _on_sky(subject: Subject) -> Iterator[RawFile]:
    return (raw for raw in subject.firsts if raw.observation.on_sky)
