"""The stage that defines visits: their records, what exposures they are made of, and where their detectors were."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import HarnessError
from ..instrument.pointing import Pointing
from ..instrument.visits import VisitGroup, VisitSystem, ineligible, visit_system
from ..sky.regions import Footprint, vertices

if TYPE_CHECKING:
    from lsst.daf.butler import Butler, DimensionRecord

    from ..instrument.kit import InstrumentKit
    from ..stage import StageContext

__all__ = ["VisitReport", "define_visits", "run"]

CHUNK = 100
"""Visits that are worked on at a time: what bounds the memory."""

SAME_PLACE = 1e-12
"""Distance (radians) up to which two vertices are the same: rounding, and nothing that matters on the sky."""

ELEMENTS = ("visit", "visit_definition", "visit_system_membership", "visit_detector_region")
"""Dimension elements that are written, in the order of insertion."""


@dataclasses.dataclass
class VisitReport:
    """What `define_visits` did.

    Parameters
    ----------
    instrument : `str`
        The instrument.
    system : `str`
        Name of the visit system.
    defined : `list` [`int`]
        New visits.
    unchanged : `list` [`int`]
        Visits that were there as they should be.
    completed : `list` [`int`]
        Visits that were there and lacked some of their other records, which were added.
    updated : `list` [`int`]
        Visits that were there with other values and were changed.
    skipped : `dict` [`int`, `str`]
        Exposures that belong into no visit, and why.
    inserted : `dict` [`str`, `int`]
        Number of records inserted or changed, by dimension element.
    """

    instrument: str
    system: str
    defined: list[int] = dataclasses.field(default_factory=list)
    unchanged: list[int] = dataclasses.field(default_factory=list)
    completed: list[int] = dataclasses.field(default_factory=list)
    updated: list[int] = dataclasses.field(default_factory=list)
    skipped: dict[int, str] = dataclasses.field(default_factory=dict)
    inserted: dict[str, int] = dataclasses.field(default_factory=lambda: dict.fromkeys(ELEMENTS, 0))

    def __str__(self) -> str:
        parts = [
            f"{len(visits)} {what}"
            for what in ("defined", "unchanged", "completed", "updated")
            if (visits := getattr(self, what))
        ]
        if self.skipped:
            parts.append(f"{len(self.skipped)} exposures left out")
        return f"visits of {self.instrument} ({self.system}): {', '.join(parts) or 'nothing to do'}"

    def facts(self) -> Mapping[str, Any]:
        """Return the report as JSON-serializable values; exposures as strings."""
        facts = dataclasses.asdict(self)
        facts["skipped"] = {str(exposure): why for exposure, why in self.skipped.items()}
        return facts


def define_visits(
    butler: Butler, kit: InstrumentKit, *, exposures: Iterable[int] | None = None, update: bool = False
) -> VisitReport:
    """Define the visits of an instrument's exposures, all of them or none.

    Every detector of the instrument gets a region in every visit, whether it has a raw or not. Calling it again changes
    nothing; records that are missing from a visit are added.

    Parameters
    ----------
    butler : `lsst.daf.butler.Butler`
        A repository open for writing.
    kit : `~harness.instrument.kit.InstrumentKit`
        The instrument. Regions are made with its real, unbinned camera and its padding.
    exposures : `~collections.abc.Iterable` [`int`], optional
        Exposure ids; all of the instrument by default.
    update : `bool`, optional
        Whether to change records that are there with other values.

    Returns
    -------
    report : `VisitReport`
        What was done; each exposure that is in no visit has a reason.

    Raises
    ------
    HarnessError
        If the instrument is not registered, has an unknown visit system or a detector that its camera lacks; an
        exposure is not there; the exposures of one visit have different filters; or a visit is there with other
        values, and ``update`` is false, or with other exposures.
    """
    found = butler.query_dimension_records("instrument", instrument=kit.name, explain=False)
    if not found:
        raise HarnessError(f"instrument {kit.name} is not registered in the repository", code="unregistered-instrument")
    system = visit_system(found[0].visit_system, kit.name)
    report = VisitReport(kit.name, system.name)
    eligible = []
    for exposure in _exposures(butler, kit.name, exposures):
        reason = ineligible(exposure)
        if reason:
            report.skipped[exposure.id] = reason
        else:
            eligible.append(exposure)
    footprint = _footprint(butler, kit)
    with butler.transaction():
        if eligible:
            row = {"instrument": kit.name, "id": system.id, "name": system.name}
            butler.registry.syncDimensionData("visit_system", row)
        for chunk in itertools.batched(system.group(eligible), CHUNK):
            _Chunk(butler, kit, system, footprint, report, update).define(chunk)
    return report


def _exposures(butler: Butler, instrument: str, wanted: Iterable[int] | None) -> list[DimensionRecord]:
    """Return the records of exposures, in the order of their ids."""
    if wanted is None:
        found = butler.query_dimension_records("exposure", instrument=instrument, limit=None, explain=False)
        return sorted(found, key=lambda r: r.id)
    ids = sorted(set(wanted))
    found = [r for chunk in itertools.batched(ids, 1000) for r in _select(butler, "exposure", instrument, chunk)]
    missing = sorted(set(ids) - {r.id for r in found})
    if missing:
        shown = ", ".join(map(str, missing[:5])) + (" …" if len(missing) > 5 else "")
        raise HarnessError(
            f"{len(missing)} of {len(ids)} exposures of {instrument} are not in the repository: {shown}",
            remedy="ingest them first",
            code="no-exposure",
        )
    return sorted(found, key=lambda r: r.id)


def _select(butler: Butler, element: str, instrument: str, ids: Iterable[int]) -> Sequence[DimensionRecord]:
    """Return the records of an element for some exposures or, for other elements, some visits."""
    key = "exposure" if element == "exposure" else "visit"
    where = f"{key} IN ({', '.join(map(str, ids))})"
    return butler.query_dimension_records(element, where=where, instrument=instrument, limit=None, explain=False)


def _footprint(butler: Butler, kit: InstrumentKit) -> Footprint:
    """Return the padded corners of all registered detectors."""
    registered = {
        r.id for r in butler.query_dimension_records("detector", instrument=kit.name, limit=None, explain=False)
    }
    known = {d.id for d in kit.camera.detectors}
    if lacking := sorted(registered - known):
        raise HarnessError(
            f"detector {lacking[0]} of {kit.name} is registered, but its camera has none ({len(lacking)} in all)",
            remedy="use the version of the plugin that registered the instrument",
            code="camera-differs",
        )
    if not registered:
        raise HarnessError(f"instrument {kit.name} has no detectors in the repository", code="empty-instrument")
    return Footprint(kit.camera, kit.visit_padding, sorted(registered))


@dataclasses.dataclass(frozen=True)
class _Chunk:
    """Defines some visits."""

    butler: Butler
    kit: InstrumentKit
    system: VisitSystem
    footprint: Footprint
    report: VisitReport
    update: bool

    def define(self, groups: Sequence[VisitGroup]) -> None:
        """Compare the records that the visits should have with those that are there, and write what is amiss."""
        there = self._stored([g.id for g in groups])
        new: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        changed: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for group in groups:
            stored = there.get(group.id, {})
            seen_visit = ("visit", None) in stored
            added = differ = False
            for element, key, row in self._rows(group):
                record = stored.pop((element, key), None)
                if record is None:
                    new[element].append(row)
                    added = True
                elif names := _differences(row, record):
                    if not self.update:
                        raise self._differs(group, element, key, names, row, record)
                    changed[element].append(row)
                    differ = True
            self._refuse_other_exposures(group, stored)
            if not seen_visit:
                self.report.defined.append(group.id)
            elif differ:
                self.report.updated.append(group.id)
            else:
                (self.report.completed if added else self.report.unchanged).append(group.id)
        for element in ELEMENTS:
            for rows, replace in ((new[element], False), (changed[element], True)):
                if rows:
                    self.butler.registry.insertDimensionData(element, *rows, replace=replace)
                    self.report.inserted[element] += len(rows)

    def _stored(self, visits: Sequence[int]) -> dict[int, dict[tuple[str, int | None], DimensionRecord]]:
        """Return the records of visits that are there, by visit, element and what tells them apart in a visit."""
        out: dict[int, dict[tuple[str, int | None], DimensionRecord]] = defaultdict(dict)
        for record in _select(self.butler, "visit", self.kit.name, visits):
            out[record.id]["visit", None] = record
        if out:  # without the visit, there can be nothing that refers to it
            for element, key in _KEYS.items():
                for record in _select(self.butler, element, self.kit.name, sorted(out)):
                    out[record.visit][element, getattr(record, key)] = record
        return out

    def _rows(self, group: VisitGroup) -> Iterator[tuple[str, int | None, Mapping[str, Any]]]:
        """Yield all records of a visit: element, what tells it apart in the visit, fields."""
        name, parity = self.kit.name, self.kit.camera.sky_parity
        pointings = [Pointing(e.tracking_ra, e.tracking_dec, e.sky_angle, parity) for e in group.exposures]
        regions = self.footprint.regions(pointings)
        key = {"instrument": name, "visit": group.id}
        yield "visit", None, {"instrument": name, **_fields(group), "region": regions.visit}
        for exposure in group.exposures:
            yield "visit_definition", exposure.id, {**key, "exposure": exposure.id}
        yield "visit_system_membership", self.system.id, {**key, "visit_system": self.system.id}
        for detector, region in regions.detectors.items():
            yield "visit_detector_region", detector, {**key, "detector": detector, "region": region}

    def _differs(
        self,
        group: VisitGroup,
        element: str,
        key: int | None,
        names: Sequence[str],
        row: Mapping[str, Any],
        record: DimensionRecord,
    ) -> HarnessError:
        """Make the error for a record that is there with other values."""
        name = names[0]
        which = f"{_KEYS[element]} {key} of visit {group.id}" if element in _KEYS else f"visit {group.id}"
        seen = "another one" if name == "region" else f"{getattr(record, name)!r}, not {row[name]!r}"
        return HarnessError(
            f"{which} of {self.kit.name} is defined with other values: {name} is {seen}",
            remedy="define visits with update=True to change it",
            code="visit-differs",
        )

    def _refuse_other_exposures(
        self, group: VisitGroup, rest: Mapping[tuple[str, int | None], DimensionRecord]
    ) -> None:
        others = sorted(key for element, key in rest if element == "visit_definition" and key is not None)
        if others:
            raise HarnessError(
                f"visit {group.id} of {self.kit.name} is defined with exposure {others[0]}, which is not in it",
                remedy="the middleware cannot take it out again: start from a new repository",
                code="visit-differs",
            )


_KEYS = {
    "visit_definition": "exposure",
    "visit_system_membership": "visit_system",
    "visit_detector_region": "detector",
}
"""For each element that refers to a visit, the dimension that tells its records apart within the visit."""


def _fields(group: VisitGroup) -> dict[str, Any]:
    """Return the fields of a visit that follow from its exposures.

    What differs between them is left open; azimuth and zenith angle are those of the first exposure.

    Raises
    ------
    HarnessError
        If the exposures have different filters.
    """
    from lsst.daf.butler import Timespan

    exposures = group.exposures
    filters = sorted({e.physical_filter for e in exposures})
    if len(filters) > 1:
        raise HarnessError(
            f"exposures of visit {group.id} have different filters: {', '.join(filters)}",
            remedy="group them otherwise",
            code="visit-filters",
        )
    first = min(exposures, key=lambda e: (e.timespan.nsec if e.timespan is not None else (0, 0), e.id))
    times = [e.exposure_time for e in exposures]
    numbers = [e.seq_num for e in exposures if e.seq_num is not None]
    spans = [e.timespan for e in exposures if e.timespan is not None]
    return {
        "id": group.id,
        "name": group.name,
        "physical_filter": filters[0],
        "day_obs": first.day_obs,
        "seq_num": min(numbers, default=None),
        "exposure_time": None if None in times else float(sum(times)),
        "target_name": _common(exposures, "target_name"),
        "observation_reason": _common(exposures, "observation_reason", "various"),
        "science_program": _common(exposures, "science_program"),
        "azimuth": first.azimuth,
        "zenith_angle": first.zenith_angle,
        "timespan": Timespan(min(s.begin for s in spans), max(s.end for s in spans)) if spans else None,
    }


def _common(exposures: Sequence[Any], name: str, otherwise: str | None = None) -> Any:
    """Return the value of a field that all exposures share."""
    values = {getattr(e, name) for e in exposures}
    return values.pop() if len(values) == 1 else otherwise


def _differences(row: Mapping[str, Any], record: DimensionRecord) -> list[str]:
    """Return the names of the fields in which a record is not as it should be; rounding does not count."""
    return [name for name, value in row.items() if not _same(value, getattr(record, name))]


def _same(one: Any, other: Any) -> bool:
    if hasattr(one, "getVertices"):
        if not hasattr(other, "getVertices"):
            return False
        a, b = vertices(one), vertices(other)
        return a.shape == b.shape and bool(np.all(np.abs(a - b) <= SAME_PLACE))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-12, abs_tol=1e-9)
    return bool(one == other)


def run(context: StageContext) -> Mapping[str, Any]:
    """Define the visits of all exposures of the dataset's instrument.

    Parameters
    ----------
    context : `~harness.stage.StageContext`
        What the stage works with.

    Returns
    -------
    facts : `~collections.abc.Mapping`
        See `VisitReport.facts`.
    """
    with context.butler() as butler:
        report = define_visits(butler, context.kit)
    context.progress(str(report))
    return report.facts()
