"""A made-up instrument that takes snaps, and exposure records of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import astropy.units as u
from astro_metadata_translator.translators import FitsTranslator
from astropy.time import Time
from lsst.daf.butler import Butler, Timespan

from harness.instrument.base import HarnessInstrument
from harness.instrument.camera import Camera, Detector, Purpose, RadialDistortion
from harness.instrument.kit import Capability, InstrumentKit

NAME = "SnapCam"
DAY = 20220405
MIDNIGHT = Time("2022-04-06T00:00:00", scale="tai")


def detector(number: int, x_mm: float) -> Detector:
    """A detector of 100 × 80 pixels of 0.1 mm: at 20″/mm, 200″ by 160″ on the sky."""
    return Detector(
        id=number,
        name=f"S{number}",
        raft="R",
        name_in_raft=f"S{number}",
        serial=str(number),
        purpose=Purpose.SCIENCE,
        nx=100,
        ny=80,
        x_mm=x_mm,
        y_mm=0.0,
        yaw_deg=0.0,
        ref_x=49.5,
        ref_y=39.5,
        pixel_mm=0.1,
    )


CAMERA = Camera(
    name=NAME,
    plate_scale=20.0,
    distortion=RadialDistortion(coefficients=(0.0, 1.0)),
    detectors=(detector(0, -6.0), detector(1, 6.0)),
    source="invented",
)


class SnapTranslator(FitsTranslator):
    name = NAME
    supported_instrument = NAME


class SnapCam(HarnessInstrument):
    visit_max = exposure_max = 7050123199999
    detector_max = 2
    visit_system = 2
    translatorClass = SnapTranslator

    @classmethod
    def getName(cls) -> str:
        return NAME

    @classmethod
    def camera(cls) -> Camera:
        return CAMERA

    @classmethod
    def filters(cls) -> Mapping[str, str]:
        return {"r1": "r", "g1": "g"}

    def getRawFormatter(self, dataId: Any) -> Any:
        raise NotImplementedError


KIT = InstrumentKit(
    instrument_class=SnapCam,
    translator=SnapTranslator,
    make_camera=lambda scale: CAMERA,
    capabilities=frozenset({Capability.IMAGES, Capability.VISITS}),
    visit_padding=10,
)


def exposure(seq: int, first: int | None = None, last: int | None = None, **changes: Any) -> dict[str, Any]:
    """The fields of the exposure of a sequence number, one of several from ``first`` to ``last``."""
    first = seq if first is None else first
    last = first if last is None else last
    day = changes.get("day_obs", DAY)
    begin = MIDNIGHT + (day - DAY) * u.day + seq * 40 * u.s
    return {
        "instrument": NAME,
        "id": day * 100_000 + seq,
        "obs_id": f"SC_O_{day}_{seq:06d}",
        "physical_filter": "r1",
        "day_obs": day,
        "group": f"{(MIDNIGHT + (day - DAY) * u.day + first * 40 * u.s).isot}",
        "exposure_time": 30.0,
        "dark_time": 30.5,
        "observation_type": "science",
        "observation_reason": "survey",
        "seq_num": seq,
        "seq_start": first,
        "seq_end": last,
        "target_name": f"field {first}",
        "science_program": "test",
        "tracking_ra": 222.0 + 0.001 * seq,
        "tracking_dec": -45.0,
        "sky_angle": 12.5,
        "azimuth": 359.5 + (seq - first) if seq == first else float(seq - first),
        "zenith_angle": 30.0 + seq - first,
        "has_simulated": True,
        "can_see_sky": True,
        "timespan": Timespan(begin, begin + 32 * u.s),
    } | changes


def make(root: Path) -> Path:
    """A repository in which the instrument is registered."""
    config = Butler.makeRepo(str(root))
    with Butler.from_config(config, writeable=True) as butler:
        SnapCam().register(butler.registry)
    return root


def insert(butler: Butler, rows: Iterable[Mapping[str, Any]]) -> list[int]:
    """Insert exposures with their days and groups; return their ids."""
    rows = list(rows)
    for day in sorted({r["day_obs"] for r in rows}):
        noon = MIDNIGHT + (day - DAY - 0.5) * u.day
        row = {"instrument": NAME, "id": day, "timespan": Timespan(noon, noon + 1 * u.day)}
        butler.registry.syncDimensionData("day_obs", row)
    for group in sorted({r["group"] for r in rows if r["group"] is not None}):
        butler.registry.syncDimensionData("group", {"instrument": NAME, "name": group})
    butler.registry.insertDimensionData("exposure", *rows)
    return [r["id"] for r in rows]


def change(butler: Butler, number: int, **fields: Any) -> None:
    """Change an exposure that is there."""
    (record,) = butler.query_dimension_records("exposure", instrument=NAME, exposure=number)
    butler.registry.syncDimensionData("exposure", record.toDict() | fields, update=True)


def visits(butler: Butler) -> dict[int, tuple[str, set[int], set[int]]]:
    """Return name, exposures and systems of each visit that is there."""
    found = {r.id: (r.name, set(), set()) for r in butler.query_dimension_records("visit", explain=False, limit=None)}
    for row in butler.query_dimension_records("visit_definition", explain=False, limit=None):
        found[row.visit][1].add(row.exposure)
    for row in butler.query_dimension_records("visit_system_membership", explain=False, limit=None):
        found[row.visit][2].add(row.visit_system)
    return found


def state(butler: Butler) -> dict[str, list[tuple[str, str]]]:
    """Return all records of visits as comparable values."""
    elements = "visit", "visit_definition", "visit_system", "visit_system_membership", "visit_detector_region"
    return {
        element: sorted(
            (str(r.dataId.required_values), str(r.toDict()))
            for r in butler.query_dimension_records(element, limit=None, explain=False)
        )
        for element in elements
    }
