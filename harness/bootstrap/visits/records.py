"""The records of a visit, as they follow from its exposures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import HarnessError
from ...instrument.pointing import Pointing
from ...sky.regions import vertices

if TYPE_CHECKING:
    from lsst.daf.butler import DimensionRecord

    from ...instrument.visits import VisitGroup
    from ...sky.regions import Footprint

__all__ = ["KEYS", "Row", "differences", "mean_angle", "rows", "visit_fields"]

SAME_PLACE = 1e-12
"""Distance (radians) up to which two vertices are the same: rounding, and nothing that matters on the sky."""

KEYS = {
    "visit_definition": "exposure",
    "visit_system_membership": "visit_system",
    "visit_detector_region": "detector",
}
"""For each element that refers to a visit, the dimension that tells its records apart within the visit."""

Row = tuple[str, int | None, Mapping[str, Any]]
"""An element, what tells the record apart in its visit (see `KEYS`), and the record's fields."""


def rows(instrument: str, group: VisitGroup, footprint: Footprint) -> Iterator[Row]:
    """Yield all records of a visit.

    Parameters
    ----------
    instrument : `str`
        Name of the instrument.
    group : `~harness.instrument.visits.VisitGroup`
        The visit.
    footprint : `~harness.sky.regions.Footprint`
        The padded corners of all registered detectors.
    """
    pointings = [Pointing(e.tracking_ra, e.tracking_dec, e.sky_angle, footprint.parity) for e in group.exposures]
    fields = visit_fields(group)
    regions = footprint.regions(pointings)
    key = {"instrument": instrument, "visit": group.id}
    yield "visit", None, {"instrument": instrument, **fields, "region": regions.visit}
    for exposure in group.exposures:
        yield "visit_definition", exposure.id, {**key, "exposure": exposure.id}
    for system in sorted(group.systems):
        yield "visit_system_membership", system, {**key, "visit_system": system}
    for detector, region in regions.detectors.items():
        yield "visit_detector_region", detector, {**key, "detector": detector, "region": region}


def visit_fields(group: VisitGroup) -> dict[str, Any]:
    """Return the fields of a visit's record, but for its region.

    Exposure times are summed; zenith angle and azimuth are means; day and sequence number are the first ones; the
    time span reaches from the first beginning to the last end. Of the other fields what differs between the exposures
    is left open, a reason is then ``various``.

    Raises
    ------
    HarnessError
        If the exposures have different filters.
    """
    from lsst.daf.butler import Timespan

    exposures = group.exposures
    if len({e.physical_filter for e in exposures}) > 1:
        used = ", ".join(f"{e.id} {e.physical_filter}" for e in exposures)
        raise HarnessError(
            f"exposures of visit {group.id} have different filters: {used}",
            remedy="correct their records, or group exposures in another way",
            code="visit-filters",
        )
    times = [e.exposure_time for e in exposures]
    numbers = [e.seq_num for e in exposures if e.seq_num is not None]
    spans = [e.timespan for e in exposures if e.timespan is not None]
    heights = [e.zenith_angle for e in exposures]
    azimuths = [e.azimuth for e in exposures]
    return {
        "id": group.id,
        "name": group.name,
        "physical_filter": exposures[0].physical_filter,
        "day_obs": min(e.day_obs for e in exposures),
        "seq_num": min(numbers, default=None),
        "exposure_time": None if None in times else math.fsum(times),
        "target_name": _common(exposures, "target_name"),
        "observation_reason": _common(exposures, "observation_reason", "various"),
        "science_program": _common(exposures, "science_program"),
        "azimuth": None if None in azimuths else mean_angle(azimuths),
        "zenith_angle": None if None in heights else math.fsum(heights) / len(heights),
        "timespan": Timespan(min(s.begin for s in spans), max(s.end for s in spans)) if spans else None,
    }


def mean_angle(angles: Sequence[float]) -> float:
    """Return the mean direction (degrees) of angles; several ones give a value from 0 to 360."""
    if len(set(angles)) == 1:
        return angles[0]
    radians = [math.radians(a) for a in angles]
    mean = math.atan2(math.fsum(map(math.sin, radians)), math.fsum(map(math.cos, radians)))
    return math.degrees(mean) % 360.0 % 360.0  # the first one rounds -1e-20 to 360


def _common(exposures: Sequence[Any], name: str, otherwise: str | None = None) -> Any:
    """Return the value of a field that all exposures share."""
    values = {getattr(e, name) for e in exposures}
    return values.pop() if len(values) == 1 else otherwise


def differences(row: Mapping[str, Any], record: DimensionRecord) -> list[str]:
    """Return the names of the fields in which a record is not as it should be; rounding does not count."""
    return [name for name, value in row.items() if not _same(value, getattr(record, name))]


def _same(one: Any, other: Any) -> bool:
    if hasattr(one, "getVertices"):
        if not hasattr(other, "getVertices"):
            return False
        a, b = vertices(one), vertices(other)
        return a.shape == b.shape and bool(np.all(np.abs(a - b) <= SAME_PLACE))
    if isinstance(one, float) and isinstance(other, float):
        return (math.isnan(one) and math.isnan(other)) or math.isclose(one, other, rel_tol=1e-12, abs_tol=1e-9)
    return bool(one == other)
