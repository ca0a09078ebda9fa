"""Comparing the records that visits should have with those that are there, and writing what is amiss."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import HarnessError
from .records import KEYS, differences, rows
from .report import ELEMENTS
from .selection import select

if TYPE_CHECKING:
    from lsst.daf.butler import Butler, DimensionRecord

    from ...instrument.visits import VisitGroup, VisitGrouping
    from ...sky.regions import Footprint
    from .report import VisitReport

__all__ = ["VisitWriter"]

Stored = Mapping[tuple[str, int | None], "DimensionRecord"]

_NO_WAY = "the middleware cannot remove records of visits: start from a new repository"


@dataclasses.dataclass(frozen=True)
class VisitWriter:
    """Writes visits.

    The middleware has no way to remove a dimension record (``insertDimensionData`` inserts or replaces one of the
    same key, ``syncDimensionData`` inserts or updates one): an exposure can join a visit and a visit can join a visit
    system, but neither can leave. What would need that is refused.

    Parameters
    ----------
    butler : `lsst.daf.butler.Butler`
        The repository, within a transaction.
    instrument : `str`
        Name of the instrument.
    grouping : `~harness.instrument.visits.VisitGrouping`
        How its exposures are grouped.
    footprint : `~harness.sky.regions.Footprint`
        The padded corners of all registered detectors.
    report : `VisitReport`
        Where to note what is done.
    wanted : `~collections.abc.Mapping` [`int`, `~collections.abc.Collection` [`int`]]
        For each exposure all of its visits in the systems of the grouping.
    update : `bool`
        Whether to change records that are there.
    """

    butler: Butler
    instrument: str
    grouping: VisitGrouping
    footprint: Footprint
    report: VisitReport
    wanted: Mapping[int, Collection[int]]
    update: bool

    def write(self, groups: Sequence[VisitGroup]) -> None:
        """Insert what is missing of some visits, and with ``update`` change what differs.

        Raises
        ------
        HarnessError
            If something differs and is not to be changed, or cannot be.
        """
        there = self._stored([g.id for g in groups])
        for group in groups:
            self._refuse_leaving(group, there.get(group.id, {}))
        self._refuse_other_visits(groups)
        self._refuse_taken_names(groups)
        new: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        changed: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for group in groups:
            stored = there.get(group.id, {})
            added = differ = False
            for element, key, row in rows(self.instrument, group, self.footprint):
                record = stored.get((element, key))
                if record is None:
                    new[element].append(row)
                    added = True
                elif names := differences(row, record):
                    if not self.update:
                        raise self._differs(group, stored, element, key, names, row)
                    changed[element].append(row)
                    differ = True
            if ("visit", None) not in stored:
                self.report.defined.append(group.id)
            elif differ:
                self.report.updated.append(group.id)
            else:
                (self.report.completed if added else self.report.unchanged).append(group.id)
        for element in ELEMENTS:
            for records, replace in ((new[element], False), (changed[element], True)):
                if records:
                    self.butler.registry.insertDimensionData(element, *records, replace=replace)
                    self.report.inserted[element] += len(records)

    def _stored(self, visits: Sequence[int]) -> dict[int, dict[tuple[str, int | None], DimensionRecord]]:
        """Return the records of visits that are there, by visit, element and what tells them apart in a visit."""
        out: dict[int, dict[tuple[str, int | None], DimensionRecord]] = defaultdict(dict)
        for record in select(self.butler, "visit", self.instrument, visits):
            out[record.id]["visit", None] = record
        if out:  # without the visit, there can be nothing that refers to it
            for element, key in KEYS.items():
                for record in select(self.butler, element, self.instrument, sorted(out)):
                    out[record.visit][element, getattr(record, key)] = record
        return out

    def _differs(
        self,
        group: VisitGroup,
        stored: Stored,
        element: str,
        key: int | None,
        names: Sequence[str],
        row: Mapping[str, Any],
    ) -> HarnessError:
        """Make the error for a record that is there with other values."""
        name, record = names[0], stored[element, key]
        which = f"{KEYS[element]} {key} of visit {group.id}" if element in KEYS else f"visit {group.id}"
        seen = "another one" if name == "region" else f"{getattr(record, name)!r}, not {row[name]!r}"
        there = sorted(k for e, k in stored if e == "visit_definition" and k is not None)
        late = [e.id for e in group.exposures if e.id not in there]
        if there and late:
            what = (
                f"is defined with exposure{'s' if len(there) > 1 else ''} {_listed(there)}"
                f" and without {_listed(late)}, which came later"
            )
        else:
            what = f"is defined with other values: {name} is {seen}"
        return HarnessError(
            f"{which} of {self.instrument} {what}",
            remedy="define visits with update=True (--update) to change it",
            code="visit-differs",
        )

    def _refuse_leaving(self, group: VisitGroup, stored: Stored) -> None:
        """Refuse a visit that is there with exposures or in systems that it should not have."""
        members = {e.id for e in group.exposures}
        others = sorted(k for e, k in stored if e == "visit_definition" and k is not None and k not in members)
        if others:
            raise HarnessError(
                f"visit {group.id} of {self.instrument} is defined with exposure {_listed(others)},"
                " which is not in it, and an exposure cannot be taken out of a visit",
                remedy=_NO_WAY,
                code="visit-differs",
            )
        systems = sorted(
            k
            for e, k in stored
            if e == "visit_system_membership" and k in self.grouping.systems and k not in group.systems
        )
        if systems:
            raise HarnessError(
                f"visit {group.id} of {self.instrument} is defined in visit system {self._system(systems[0])}, into"
                f" which {self.grouping.name} does not put it, and a visit cannot be taken out of a system",
                remedy=f"{_NO_WAY}, or keep the grouping that visits were defined with",
                code="visit-differs",
            )

    def _refuse_other_visits(self, groups: Sequence[VisitGroup]) -> None:
        """Refuse exposures that are in other visits of the same systems."""
        exposures = sorted({e.id for g in groups for e in g.exposures})
        there = select(self.butler, "visit_definition", self.instrument, exposures, "exposure")
        others = [(r.exposure, r.visit) for r in there if r.visit not in self.wanted[r.exposure]]
        if not others:
            return
        visits = sorted({visit for _, visit in others})
        members: dict[int, set[int]] = defaultdict(set)
        for record in select(self.butler, "visit_system_membership", self.instrument, visits):
            members[record.visit].add(record.visit_system)
        for exposure, visit in sorted(others):
            if shared := sorted(members[visit] & self.grouping.systems):
                raise HarnessError(
                    f"exposure {exposure} of {self.instrument} is in visit {visit} of visit system"
                    f" {self._system(shared[0])}, where it does not belong ({self.grouping.name} puts it into"
                    f" {_listed(sorted(self.wanted[exposure]))}), and it cannot be taken out of a visit",
                    remedy=_NO_WAY,
                    code="visit-differs",
                )

    def _refuse_taken_names(self, groups: Sequence[VisitGroup]) -> None:
        """Refuse names that other visits have: the database would, without saying which."""
        mine = {g.name: g.id for g in groups}
        there = self.butler.query_dimension_records(
            "visit",
            where="visit.name IN (:names)",
            bind={"names": sorted(mine)},
            instrument=self.instrument,
            limit=None,
            explain=False,
        )
        for record in there:
            if record.id != mine[record.name]:
                raise HarnessError(
                    f"visit {mine[record.name]} of {self.instrument} would have the name {record.name},"
                    f" which visit {record.id} has",
                    remedy="group exposures in another way, or start from a new repository",
                    code="visit-differs",
                )

    def _system(self, number: int) -> str:
        return f"{number} ({self.grouping.names.get(number, 'of another name')})"


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
