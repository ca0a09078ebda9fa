"""Which detectors of which exposures are the halves of pairs: for quantum graphs and for checks."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import HarnessError
from .corners import corner_pairs
from .pairing import FocusedExposure, Pairing, Thresholds, pair_exposures

if TYPE_CHECKING:
    from lsst.daf.butler import Butler, DimensionRecord

    from ..instrument.camera import Camera

__all__ = ["CWFS", "HalfPair", "Plan", "group_members", "make_plan", "read_focus"]

CWFS = "cwfs"
"""Type of observation of which every exposure is out of focus, or between two that are."""


@dataclasses.dataclass(frozen=True)
class HalfPair:
    """Two images of one place in the field: exposure and detector of each."""

    extra: tuple[int, int]
    intra: tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is to be done with some exposures.

    Parameters
    ----------
    camera : `~harness.instrument.camera.Camera`
        The camera, with its optics.
    pairing : `~harness.wavefront.pairing.Pairing`
        The pairs of exposures.
    focus : `~collections.abc.Mapping` [`int`, `float`]
        Focus (mm) of the exposures that were looked at.
    blind : `frozenset` [`int`]
        Exposures that are out of focus without a partner: nothing can be made of them.
    """

    camera: Camera
    pairing: Pairing
    focus: Mapping[int, float | None]
    blind: frozenset[int]

    def is_half(self, exposure: int, detector: int) -> bool:
        """Say whether a detector of an exposure is half of a pair."""
        in_plane = not self.camera[detector].z_mm
        if exposure in self.pairing.halves:
            return in_plane
        return not in_plane and exposure not in self.blind

    def pairs(self, images: Iterable[tuple[int, int]]) -> list[HalfPair]:
        """Return the pairs of which both halves are among some images (exposure, detector), in order."""
        there = set(images)
        out = [
            HalfPair((pair.extra, detector), (pair.intra, detector))
            for pair in self.pairing.pairs
            for detector in sorted(d for e, d in there if e == pair.extra and not self.camera[d].z_mm)
        ]
        for corner in corner_pairs(self.camera):
            out += [
                HalfPair((e, corner.extra), (e, corner.intra))
                for e in sorted({e for e, _ in there})
                if self.is_half(e, corner.extra)
            ]
        return sorted((p for p in out if p.extra in there and p.intra in there), key=lambda p: p.extra)


def make_plan(
    butler: Butler,
    camera: Camera,
    exposures: Iterable[int],
    collections: Any = None,
    thresholds: Thresholds | None = None,
) -> Plan:
    """Plan what to do with exposures, looking up the others of their groups.

    Parameters
    ----------
    butler : `lsst.daf.butler.Butler`
        The repository.
    camera : `~harness.instrument.camera.Camera`
        The camera of the instrument.
    exposures : `~collections.abc.Iterable` [`int`]
        Ids.
    collections : optional
        Where the raws are; the butler's own by default.
    thresholds : `~harness.wavefront.pairing.Thresholds`, optional
        Limits of pairing.

    Raises
    ------
    HarnessError
        If the camera has no optics.
    """
    if camera.optics is None:
        raise HarnessError(
            f"{camera.name} says nothing of its optics", remedy="give its camera `optics`", code="no-optics"
        )
    wanted = frozenset(exposures)
    groups = group_members(butler, camera.name, wanted)
    focus: dict[int, float | None] = {}
    items = []
    for group, members in groups.items():
        alone = len(members) == 1
        if alone and members[0].observation_type != CWFS:
            continue
        for record in members:
            # Of one that is alone the focus does not matter: without a partner it says nothing.
            focus[record.id] = None if alone else read_focus(butler, camera.name, record.id, collections)
            items.append(_focused(record, group, focus[record.id]))
    pairing = pair_exposures(items, camera.optics, thresholds)
    kinds = {r.id: r.observation_type for members in groups.values() for r in members}
    blind = frozenset(e for e in pairing.unpaired if kinds[e] == CWFS)
    return Plan(camera, pairing, focus, blind)


def group_members(butler: Butler, instrument: str, exposures: frozenset[int]) -> dict[str, list[DimensionRecord]]:
    """Return the exposures of every group that some exposures belong to, by its name."""
    if not exposures:
        return {}
    find = butler.query_dimension_records
    mine = find("exposure", where="exposure IN (:ids)", bind={"ids": sorted(exposures)}, instrument=instrument)
    names = sorted({r.group for r in mine})
    found = find("exposure", where="group IN (:names)", bind={"names": names}, instrument=instrument, explain=False)
    out: dict[str, list[DimensionRecord]] = {name: [] for name in names}
    for record in sorted(found, key=lambda r: r.id):
        out[record.group].append(record)
    return out


def read_focus(butler: Butler, instrument: str, exposure: int, collections: Any = None) -> float | None:
    """Return the focus (mm) that the header of an exposure's first raw gives; `None` without one."""
    from astro_metadata_translator import ObservationInfo
    from lsst.pipe.base import Instrument

    kind = Instrument.fromName(instrument, butler.registry)
    refs = butler.query_datasets(
        kind.raw_definition[0], collections, instrument=instrument, exposure=exposure, explain=False
    )
    if not refs:
        return None
    header = butler.get(min(refs, key=lambda r: r.dataId["detector"]).makeComponentRef("header"))
    # The translator is found from the header, as anybody would who has the file alone.
    info = ObservationInfo(header, subset={"focus_z"}, required=set(), quiet=True)
    return None if info.focus_z is None else float(info.focus_z.to_value("mm"))


def _focused(record: DimensionRecord, group: str, focus: float | None) -> FocusedExposure:
    begin = record.timespan.begin
    return FocusedExposure(
        exposure=record.id,
        group=group,
        begin=float(begin.tai.unix_tai) if begin is not None else 0.0,
        ra=record.tracking_ra,
        dec=record.tracking_dec,
        sky_angle=record.sky_angle,
        focus=focus,
    )
