"""Two made-up instruments, with every header key in the test's hands."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import astropy.units as u
import numpy as np
from astro_metadata_translator import cache_translation
from astro_metadata_translator.translators import FitsTranslator
from astro_metadata_translator.translators.helpers import altaz_from_degree_headers
from astropy.coordinates import Angle, EarthLocation, SkyCoord
from astropy.io import fits
from astropy.time import TimeDelta
from lsst.daf.butler import FormatterV2
from lsst.pipe.base import Instrument


class CamATranslator(FitsTranslator):
    name = "MadeCamA"
    supported_instrument = "MadeCamA"
    _const_map: ClassVar = {"boresight_rotation_coord": "sky"}
    _trivial_map: ClassVar = {
        "exposure_id": "EXPID",
        "observation_id": "OBSID",
        "physical_filter": "FILTER",
        "exposure_time": ("EXPTIME", {"unit": u.s}),
        "dark_time": ("DARKTIME", {"unit": u.s}),
        "observation_type": "IMGTYPE",
        "science_program": "PROGRAM",
        "object": "OBJECT",
        "exposure_group": "GROUPID",
        "observation_counter": "SEQNUM",
        "detector_num": "DETNUM",
        "detector_unique_name": "DETNAME",
        "has_simulated_content": "SIMULATE",
    }

    def to_location(self):
        return EarthLocation.from_geodetic(-70.7, -30.2, 2663)

    @classmethod
    def observing_date_to_offset(cls, observing_date):
        return TimeDelta(43200, format="sec", scale="tai")

    @cache_translation
    def to_boresight_rotation_angle(self):
        return Angle(self.quantity_from_card("ROTANG", u.deg))

    @cache_translation
    def to_tracking_radec(self):
        if self.to_observation_type() == "bias":
            return None
        return SkyCoord(self._header["RA"], self._header["DEC"], unit="deg", frame="icrs")

    @cache_translation
    def to_altaz_begin(self):
        return altaz_from_degree_headers(self, (("ALT", "AZ"),), self.to_datetime_begin())


class CamBTranslator(CamATranslator):
    name = "MadeCamB"
    supported_instrument = "MadeCamB"


class RivalTranslator(FitsTranslator):
    """Claims what MadeCamA claims, once a header says so, without being a refinement of it."""

    name = "MadeRival"
    supported_instrument = "MadeRival"

    @classmethod
    def can_translate(cls, header, filename=None):
        return header.get("RIVAL") is True


class MadeFormatter(FormatterV2):
    default_extension = ".fits"
    can_read_from_local_file = True

    def read_from_local_file(self, path, component=None, expected_size=-1):
        return dict(fits.getheader(path))


class MadeCamA(Instrument):
    raw_definition = ("raw", ("instrument", "exposure", "detector"), "StructuredDataDict")
    translatorClass = CamATranslator

    @classmethod
    def getName(cls):
        return cls.__name__

    def getRawFormatter(self, dataId):
        return MadeFormatter

    def register(self, registry, *, update=False):
        name = self.getName()
        with registry.transaction():
            registry.syncDimensionData(
                "instrument",
                {
                    "name": name,
                    "class_name": f"madecams.{name}",
                    "detector_max": 10,
                    "exposure_max": 1000,
                    "visit_max": 1000,
                    "visit_system": 0,
                },
            )
            for i in range(4):
                registry.syncDimensionData("detector", {"instrument": name, "id": i, "full_name": f"S{i}"})
            registry.syncDimensionData("physical_filter", {"instrument": name, "name": "r1", "band": "r"})


class MadeCamB(MadeCamA):
    translatorClass = CamBTranslator


class MadeCamLost(MadeCamA):
    """Registered under a class that cannot be imported."""

    def register(self, registry, *, update=False):
        registry.syncDimensionData(
            "instrument", {"name": "MadeCamB", "class_name": "no.such.Camera", "exposure_max": 9, "detector_max": 9}
        )


def header(**changes: Any) -> dict[str, Any]:
    """A good header; a change to `None` removes the key."""
    values = {
        "INSTRUME": "MadeCamA",
        "EXPID": 17,
        "OBSID": None,
        "DATE-BEG": "2020-03-01T02:00:00.000",
        "DATE-END": "2020-03-01T02:00:31.000",
        "TIMESYS": "TAI",
        "EXPTIME": 30.0,
        "DARKTIME": 30.5,
        "FILTER": "r1",
        "IMGTYPE": "science",
        "PROGRAM": "test",
        "OBJECT": "a field",
        "GROUPID": "g17",
        "SEQNUM": 3,
        "RA": 10.5,
        "DEC": -20.25,
        "ROTANG": 12.5,
        "ALT": 60.0,
        "AZ": 200.0,
        "SIMULATE": True,
        "DETNUM": 0,
        "DETNAME": None,
    }
    values |= {k.replace("_", "-"): v for k, v in changes.items()}
    if "OBSID" not in changes:
        values["OBSID"] = f"obs{values['EXPID']}"
    if "DETNAME" not in changes:
        values["DETNAME"] = f"S{values['DETNUM']}"
    return {k: v for k, v in values.items() if v is not None}


def write(path: Path, seed: int = 0, **changes: Any) -> Path:
    """Write a raw of 4 by 6 pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 1000, (6, 4)).astype(np.uint16)
    fits.PrimaryHDU(pixels, fits.Header(list(header(**changes).items()))).writeto(path, overwrite=True)
    return path
