"""What the headers of all of Rubin's cameras have in common."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import astropy.units as u
from astro_metadata_translator import cache_translation
from astropy.time import Time, TimeDelta

from harness.bootstrap.ingest.header import key_names
from harness.errors import HarnessError

from .days import observing_offset
from .groups import group_number
from .identifiers import (
    MAX_EXPOSURE_ID,
    SIMULATED,
    day_number,
    detector_exposure_id,
    exposure_id,
)
from .pointing import NO_SKY_TYPES, PointingTranslator, defined
from .tables import detector

__all__ = ["FILTER_DELIMITER", "FIXED_KEY", "RubinTranslator", "is_empty"]

FILTER_DELIMITER = "~"
"""Between the names of filters, or of filter and grating, that were in the beam together."""
FIXED_KEY = "HIERARCH HARNESS FIXED"
"""Set in a header in memory when its known faults were put right, so that it isn't done twice."""
SIMULATION_FLAGS = tuple(
    f"SIMULATE {name}"
    for name in (
        *("ATMCS", "ATHEXAPOD", "ATPNEUMATICS", "ATDOME", "ATSPECTROGRAPH"),
        *("MTMOUNT", "MTM1M3", "MTM2", "CAMHEXAPOD", "M2HEXAPOD", "MTROTATOR", "MTDOME", "MTDOMETRAJECTORY"),
    )
)
"""Keys by which the observatory's header service says which component was simulated."""
_EMPTY = re.compile(r"empty_?\d*")
_PASCAL = 10_000
"""Above this a pressure is in Pa, below in hPa: headers have both."""


def is_empty(name: str) -> bool:
    """Return whether a filter's or grating's name is that of an empty place, such as ``empty_2`` (`bool`)."""
    return _EMPTY.fullmatch(name.lower()) is not None


class RubinTranslator(PointingTranslator):
    """Everything but the pointing, which the base class has."""

    camera: ClassVar[str] = ""
    """Camera whose table of detectors holds: LATISS, LSSTComCam or LSSTCam."""
    shipped: ClassVar[int | None] = None
    """Month (YYYYMM) from which the camera keeps the observatory's days, not its laboratory's; `None`: always."""
    on_telescope: ClassVar[float | None] = None
    """Modified Julian date (TAI) from which the camera was on its telescope; `None`: always."""
    type_tells_sky: ClassVar[bool] = True
    """Whether the type of an observation says if the sky was seen, where no header key does."""

    @classmethod
    def can_translate(cls, header: Mapping[str, Any], filename: str | None = None) -> bool:  # noqa: ARG003
        """Return whether a header is of this camera (`bool`); its file's name does not matter."""
        return cls.claims(header)

    @classmethod
    def claims(cls, header: Mapping[str, Any]) -> bool:
        """Return whether a header is of this camera (`bool`); no two cameras claim the same."""
        raise NotImplementedError

    @classmethod
    def fix_header(cls, header: Any, instrument: str, obsid: str, filename: str | None = None) -> bool:  # noqa: ARG003
        """Put known faults of a header right, in place.

        Called after the corrections of single exposures, if there are any. Faults that are already put right,
        by this or by other software, are left alone.

        Parameters
        ----------
        header : `~collections.abc.MutableMapping`
            The header.
        instrument, obsid, filename : `str`
            Names of the instrument, of the observation and of the file; not used.

        Returns
        -------
        modified : `bool`
            Whether anything was changed.
        """
        if FIXED_KEY in header:
            return False
        changes = cls.faults(header)
        for key, value in changes.items():
            header[key] = value
        if changes:
            header[FIXED_KEY] = True
        return bool(changes)

    @classmethod
    def faults(cls, header: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG003
        """Return the keys of a header that are known to be wrong, with their right values.

        Parameters
        ----------
        header : `~collections.abc.Mapping`
            The header, with the corrections of this exposure, if there are any.
        """
        return {}

    @classmethod
    def max_exposure_id(cls) -> int:
        """Return the largest exposure id (`int`)."""
        return MAX_EXPOSURE_ID

    @classmethod
    def observing_date_to_offset(cls, observing_date: Time) -> TimeDelta:
        """Return what to subtract from a time to get its observing day; see `~.days.observing_offset`."""
        return observing_offset(observing_date, cls.shipped)

    def is_on_mountain(self) -> bool:
        """Return whether the camera was on its telescope, judging by the date (`bool`)."""
        return self.on_telescope is None or bool(self.to_datetime_begin().mjd > self.on_telescope)

    def _controller(self) -> str | None:
        return self._text("CONTRLLR")

    # identifiers

    @cache_translation
    def to_observation_id(self) -> str:
        """Return OBSID (`str`)."""
        return self._required("OBSID")

    @cache_translation
    def to_exposure_id(self) -> int | None:
        """Return the id made of DAYOBS, SEQNUM and CONTRLLR; `None` for a combined calibration (CALIB_ID)."""
        if "CALIB_ID" in self._header:
            self._used_these_cards("CALIB_ID")
            return None
        day, sequence = self._required("DAYOBS"), self._integer("SEQNUM")
        if sequence is None:
            raise KeyError("SEQNUM is missing")
        return exposure_id(day, sequence, self._controller())

    @cache_translation
    def to_exposure_group(self) -> str | None:
        """Return GROUPID, else the exposure id as text."""
        group = self._text("GROUPID")
        if group is not None:
            return group
        number = self.to_exposure_id()
        return None if number is None else str(number)

    @cache_translation
    def to_visit_id(self) -> int | None:
        """Return the integer that stands for the group; see `~.groups.group_number`."""
        group = self.to_exposure_group()
        return None if group is None else group_number(group)

    @cache_translation
    def to_observing_day(self) -> int | None:
        """Return DAYOBS; without it, the day of the begin."""
        day = self._value("DAYOBS")
        return super().to_observing_day() if day is None else day_number(day)

    @cache_translation
    def to_observation_counter(self) -> int:
        """Return SEQNUM, 0 without it."""
        return self._integer("SEQNUM") or 0

    @cache_translation
    def to_group_counter_start(self) -> int:
        """Return the sequence number of the first snap, from CURINDEX."""
        index = self._integer("CURINDEX")
        return self._alone() if index is None else self.to_observation_counter() - index + 1

    @cache_translation
    def to_group_counter_end(self) -> int:
        """Return the sequence number of the last snap, from CURINDEX and MAXINDEX."""
        index, last = self._integer("CURINDEX"), self._integer("MAXINDEX")
        return self._alone() if index is None or last is None else self.to_observation_counter() + last - index

    def _alone(self) -> int:
        """Return the counter of an exposure that is a group by itself; never 0, which would make one large group."""
        return self.to_observation_counter() or self.to_exposure_id()

    # detectors

    @cache_translation
    def to_detector_group(self) -> str:
        """Return the raft, RAFTBAY (`str`)."""
        return self._required("RAFTBAY")

    @cache_translation
    def to_detector_name(self) -> str:
        """Return the place in the raft, CCDSLOT (`str`)."""
        return self._required("CCDSLOT")

    @cache_translation
    def to_detector_serial(self) -> str:
        """Return LSST_NUM (`str`)."""
        return self._required("LSST_NUM")

    @cache_translation
    def to_detector_num(self) -> int:
        """Return the id of the detector in this place, whichever CCD is there.

        Raises
        ------
        HarnessError
            If the camera has no such place.
        """
        return detector(self.camera, f"{self.to_detector_group()}_{self.to_detector_name()}").id

    @cache_translation
    def to_detector_exposure_id(self) -> int | None:
        """Return the number that exposure and detector are packed into; see `~.identifiers.detector_exposure_id`."""
        exposure = self.to_exposure_id()
        return None if exposure is None else detector_exposure_id(exposure, self.to_detector_num())

    # times

    @cache_translation
    def to_datetime_begin(self) -> Time:
        """Return the begin, in TAI, whatever TIMESYS says: MJD-BEG, DATE-BEG, MJD-OBS or DATE-OBS."""
        for key in ("MJD-BEG", "DATE-BEG", "MJD-OBS", "DATE-OBS"):
            if (value := self._value(key)) is not None:
                return self._time(key, value)
        raise KeyError("DATE-OBS is missing, and so are MJD-OBS, DATE-BEG and MJD-BEG")

    @cache_translation
    def to_datetime_end(self) -> Time:
        """Return DATE-END, in TAI, else begin and exposure time; never before the begin."""
        begin = self.to_datetime_begin()
        date = self._value("DATE-END")
        end = begin + self.to_exposure_time() if date is None else self._time("DATE-END", date)
        # Of two times astropy would make two more to compare them.
        return end if (end.jd1 - begin.jd1) + (end.jd2 - begin.jd2) > 0.0 else begin

    def _time(self, key: str, value: Any) -> Time:
        form = "mjd" if key.startswith("MJD") else "fits"
        try:
            return Time(float(value) if form == "mjd" else value, format=form, scale="tai")
        except (TypeError, ValueError) as error:
            raise HarnessError(f"{key} is {value!r}", remedy="a date is expected", code="header-value") from error

    @cache_translation
    def to_exposure_time_requested(self) -> u.Quantity:
        """Return EXPTIME (s)."""
        seconds = self._number("EXPTIME")
        if seconds is None:
            raise KeyError("EXPTIME is missing")
        return seconds * u.s

    @cache_translation
    def to_exposure_time(self) -> u.Quantity:
        """Return how long the shutter was open (s): SHUTTIME, unless it stayed closed; else EXPTIME."""
        seconds = self._number("SHUTTIME")
        return seconds * u.s if seconds is not None and seconds > 0 else self.to_exposure_time_requested()

    @cache_translation
    def to_dark_time(self) -> u.Quantity:
        """Return DARKTIME, else the exposure time (s)."""
        seconds = self._number("DARKTIME")
        return self.to_exposure_time() if seconds is None else seconds * u.s

    # what was observed

    @cache_translation
    def to_observation_type(self) -> str:
        """Return IMGTYPE in lower case; OBJECT and SKYEXP are ``science``."""
        kind = self._required("IMGTYPE").lower()
        return "science" if kind in ("object", "skyexp") else kind

    @cache_translation
    def to_observation_reason(self) -> str:
        """Return REASON, else TESTTYPE, in lower case; else ``science`` or ``unknown``."""
        for key in ("REASON", "TESTTYPE"):
            if (reason := self._text(key)) is not None:
                return reason.lower()
        return super().to_observation_reason()

    @cache_translation
    def to_object(self) -> str:
        """Return OBJECT, ``UNKNOWN`` without it."""
        target = self._text("OBJECT")
        return "UNKNOWN" if target is None else target

    @cache_translation
    def to_science_program(self) -> str:
        """Return PROGRAM, else the laboratory's RUNNUM, else ``unknown``."""
        for key in ("PROGRAM", "RUNNUM"):
            if (program := self._text(key)) is not None:
                return program
        return "unknown"

    @cache_translation
    def to_physical_filter(self) -> str:
        """Return FILTER, FILTER1 and FILTER2, joined by ``~``; empty places at the end are left out."""
        names = [text for key in ("FILTER", "FILTER1", "FILTER2") if (text := self._text(key)) is not None]
        joined = (FILTER_DELIMITER.join(names) or "unknown").replace("NONE", "none")
        while joined.endswith(f"{FILTER_DELIMITER}empty"):
            joined = joined.removesuffix(f"{FILTER_DELIMITER}empty")
        return joined

    @cache_translation
    def to_can_see_sky(self) -> bool | None:
        """Return whether light of the sky could fall on the detector; `None` if nobody knows.

        SHUTTIME of 0 says no; VIGN_MIN says yes unless it is FULLY (no) or UNKNOWN; after that the type of the
        observation decides, for cameras of which it is trusted.
        """
        if self._number("SHUTTIME") == 0.0:
            return False
        vignetting = self._text("VIGN_MIN")
        if vignetting is not None:
            return {"FULLY": False, "UNKNOWN": None}.get(vignetting.strip().upper(), True)
        if not self.type_tells_sky:
            return None
        kind = self.to_observation_type()
        return False if kind in NO_SKY_TYPES else True if kind in ("science", "object") else None

    @cache_translation
    def to_has_simulated_content(self) -> bool:
        """Return whether a component was simulated (any key with SIMULATE in its name), or the controller is one."""
        flags = [*SIMULATION_FLAGS, *(key for key in key_names(self._header) if "SIMULATE" in key)]
        for key in flags:
            if self._value(key):
                return True
        return self._controller() in SIMULATED

    # weather

    @cache_translation
    def to_temperature(self) -> u.Quantity | None:
        """Return AIRTEMP (°C)."""
        degrees = self._number("AIRTEMP")
        return None if degrees is None else degrees * u.deg_C

    @cache_translation
    def to_pressure(self) -> u.Quantity | None:
        """Return PRESSURE (hPa), which headers give in Pa or in hPa."""
        pressure = self._number("PRESSURE")
        if pressure is None:
            return None
        return (pressure * (u.Pa if pressure > _PASCAL else u.hPa)).to(u.hPa)

    @cache_translation
    def to_relative_humidity(self) -> float | None:
        """Return HUMIDITY (percent)."""
        return self._number("HUMIDITY")

    def _required(self, key: str) -> str:
        """Return a key's value as text; without it there is no observation."""
        value = self._value(key)
        if value is None:
            raise KeyError(f"{key} is missing")
        return str(value)

    @staticmethod
    def _said(header: Mapping[str, Any], key: str) -> str:
        """Return a key's value as text, empty without one; for headers that may be of anything."""
        value = defined(header, key)
        return value.strip() if isinstance(value, str) else ""
