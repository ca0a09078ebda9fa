"""The stage that defines visits: their records, what exposures they are made of, and where their detectors were.

`selection` chooses exposures, `~harness.instrument.visits` groups them, `records` says what follows from a group and
`writing` brings that into the repository.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import HarnessError
from ...instrument.visits import first_snap_number, ineligible, visit_grouping
from ...sky.regions import Footprint
from .report import ELEMENTS, VisitReport
from .selection import choose, companions, select
from .writing import VisitWriter

if TYPE_CHECKING:
    from lsst.daf.butler import Butler, DimensionRecord

    from ...instrument.kit import InstrumentKit
    from ...instrument.visits import VisitGroup, VisitGrouping
    from ...stage import StageContext

__all__ = ["ELEMENTS", "VisitReport", "define_visits", "run"]

CHUNK = 100
"""Visits that are worked on at a time: what bounds the memory."""


def define_visits(
    butler: Butler,
    kit: InstrumentKit,
    *,
    exposures: Iterable[int] | None = None,
    where: str = "",
    bind: Mapping[str, Any] | None = None,
    collections: str | Iterable[str] | None = None,
    grouping: str | VisitGrouping | None = None,
    update: bool = False,
) -> VisitReport:
    """Define the visits of an instrument's exposures, all of them or none.

    Every detector of the instrument gets a region in every visit, whether it has a raw or not. Calling it again changes
    nothing; records that are missing from a visit are added. Exposures that are in the repository and belong into the
    same visits as those that are asked for are taken in, so that the visits are the same in whatever order and portions
    exposures come. Where one comes after its visit was defined, ``update`` lets it join.

    Parameters
    ----------
    butler : `lsst.daf.butler.Butler`
        A repository open for writing.
    kit : `~harness.instrument.kit.InstrumentKit`
        The instrument. Regions are made with its real, unbinned camera and its padding.
    exposures : `~collections.abc.Iterable` [`int`], optional
        Exposure ids; all of the instrument by default.
    where : `str`, optional
        Expression that the exposures must fulfil, e.g. ``exposure.day_obs > 20250601``.
    bind : `~collections.abc.Mapping`, optional
        Values of names in that expression.
    collections : `str` or `~collections.abc.Iterable` [`str`], optional
        Collections, or patterns of their names: only exposures with a raw in one of them.
    grouping : `str` or `~harness.instrument.visits.VisitGrouping`, optional
        How exposures are grouped: a name of `~harness.instrument.visits.GROUPINGS`, or a grouping of one's own. By
        default the kit's, and if it has none what the instrument's record asks for.
    update : `bool`, optional
        Whether to change records that are there with other values: fields, regions with their overlaps, and exposures
        that join a visit.

    Returns
    -------
    report : `VisitReport`
        What was done; each exposure that is in no visit has a reason.

    Raises
    ------
    HarnessError
        If the instrument is not registered, has an unknown visit system or a detector that its camera lacks; an
        exposure is not there, or the expression or a collection is wrong; the exposures of one visit have different
        filters or the same sequence number; two visits would have one id or name; a visit is there with other values,
        and ``update`` is false; or an exposure would have to leave a visit, or a visit a visit system, for which the
        middleware has no way.
    """
    found = butler.query_dimension_records("instrument", instrument=kit.name, explain=False)
    if not found:
        raise HarnessError(f"instrument {kit.name} is not registered in the repository", code="unregistered-instrument")
    way = visit_grouping(found[0].visit_system, kit.name, grouping or kit.visit_grouping)
    report = VisitReport(kit.name, way.name)
    asked = choose(butler, kit, exposures, where, bind, collections)
    eligible = _eligible(asked, report)
    if exposures is not None or where or collections is not None:
        others = [e for e in companions(butler, kit.name, way, eligible) if not ineligible(e)]
        report.joined += sorted(e.id for e in others)
        eligible += others
    _note_stranded(butler, kit.name, report)
    groups = way.group(eligible)
    wanted = _account(groups, eligible, way, found[0].visit_max, report)
    footprint = _footprint(butler, kit)
    with butler.transaction():
        if groups:
            _ensure_systems(butler, kit.name, way)
        writer = VisitWriter(butler, kit.name, way, footprint, report, wanted, update)
        for chunk in itertools.batched(groups, CHUNK):
            writer.write(chunk)
    return report


def _eligible(asked: Sequence[DimensionRecord], report: VisitReport) -> list[DimensionRecord]:
    """Return the exposures that belong into visits; note the others."""
    out = []
    for exposure in asked:
        if reason := ineligible(exposure):
            report.skipped[exposure.id] = reason
        else:
            out.append(exposure)
    return out


def _note_stranded(butler: Butler, instrument: str, report: VisitReport) -> None:
    """Note exposures that don't belong into visits (any more) and are in one."""
    for batch in itertools.batched(sorted(report.skipped), 1000):
        for record in select(butler, "visit_definition", instrument, batch, "exposure"):
            report.skipped[record.exposure] += f"; is in visit {record.visit}, out of which it cannot be taken"


def _account(
    groups: Sequence[VisitGroup],
    exposures: Sequence[DimensionRecord],
    way: VisitGrouping,
    most: int | None,
    report: VisitReport,
) -> Mapping[int, set[int]]:
    """Return the visits of each exposure; note exposures that a visit system leaves out, and ids beyond the limit."""
    visits: dict[int, set[int]] = defaultdict(set)
    systems: dict[int, set[int]] = defaultdict(set)
    for group in groups:
        for exposure in group.exposures:
            visits[exposure.id].add(group.id)
            systems[exposure.id] |= group.systems
        first = group.exposures[0].id
        by_rule = len(group.exposures) == 1 and group.id == first_snap_number(first)
        if most is not None and (first if by_rule else group.id) > most:
            report.beyond.append(group.id)
    for exposure in exposures:
        if lacking := sorted(way.systems - systems[exposure.id]):
            names = ", ".join(way.names.get(s, str(s)) for s in lacking)
            report.waiting[exposure.id] = f"in no visit of {names} before the first exposure of its run is there"
    return visits


def _ensure_systems(butler: Butler, instrument: str, way: VisitGrouping) -> None:
    """Insert the records of the visit systems.

    Raises
    ------
    HarnessError
        If one is there with another name: it means something else.
    """
    from lsst.daf.butler.registry import ConflictingDefinitionError

    for number in sorted(way.systems):
        row = {"instrument": instrument, "id": number, "name": way.names.get(number, way.name)}
        try:
            butler.registry.syncDimensionData("visit_system", row)
        except ConflictingDefinitionError as error:
            raise HarnessError(
                f"visit system {number} of {instrument} is not called {row['name']} in the repository",
                remedy="see 'butler query-dimension-records REPO visit_system', and choose another grouping",
                code="visit-system",
            ) from error


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
