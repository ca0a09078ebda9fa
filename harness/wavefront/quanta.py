"""Pairing while a quantum graph is built: which quanta stay, and which take the inputs of their other half."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lsst.pipe.base import Instrument

from ..errors import HarnessError
from ..instrument.base import HarnessInstrument
from .plan import Plan, make_plan

if TYPE_CHECKING:
    from lsst.daf.butler import DataCoordinate
    from lsst.pipe.base import QuantaAdjuster

__all__ = ["join_pairs", "keep_halves"]

_LOG = logging.getLogger(__name__)

Quanta = dict[tuple[int, int], list["DataCoordinate"]]
"""Data IDs (a visit and a detector) by exposure and detector: an exposure may be in several visits."""


def keep_halves(adjuster: QuantaAdjuster, images: str) -> None:
    """Remove the quanta whose image is no half of a pair.

    Parameters
    ----------
    adjuster : `lsst.pipe.base.QuantaAdjuster`
        The quanta of a task with the dimensions visit and detector.
    images : `str`
        Its connection for the images.

    Notes
    -----
    The other half need not be among the quanta: what a half is, is the same in whatever order they are made.
    """
    quanta = _quanta(adjuster, images)
    plan = _plan(adjuster, quanta)
    for (exposure, detector), data_ids in quanta.items():
        if plan is None or not plan.is_half(exposure, detector):
            for data_id in data_ids:
                adjuster.remove_quantum(data_id)


def join_pairs(adjuster: QuantaAdjuster, images: str, tables: str) -> None:
    """Give the extra-focal quantum of each pair the inputs of the intra-focal one, and remove all other quanta.

    Parameters
    ----------
    adjuster : `lsst.pipe.base.QuantaAdjuster`
        The quanta of a task with the dimensions visit and detector.
    images, tables : `str`
        Its connections for images and for tables of donuts.
    """
    quanta = _quanta(adjuster, images)
    plan = _plan(adjuster, quanta)
    stay = set()
    for pair in plan.pairs(quanta) if plan is not None else ():
        # Visits of one kind go together: single exposures with single exposures.
        for extra, intra in zip(sorted(quanta[pair.extra]), sorted(quanta[pair.intra]), strict=False):
            inputs = adjuster.get_inputs(intra)
            if not inputs[tables] or not adjuster.get_inputs(extra)[tables]:
                continue
            for connection in (images, tables):
                for dataset in inputs[connection]:
                    adjuster.add_input(extra, connection, dataset)
            stay.add(extra)
    for data_ids in quanta.values():
        for data_id in data_ids:
            if data_id not in stay:
                adjuster.remove_quantum(data_id)


def _quanta(adjuster: QuantaAdjuster, images: str) -> Quanta:
    out: Quanta = {}
    for data_id in list(adjuster.iter_data_ids()):
        found = adjuster.get_inputs(data_id)[images]
        if len(found) != 1:
            # Several snaps in one visit, or none that was processed: neither is half of a pair.
            adjuster.remove_quantum(data_id)
            continue
        out.setdefault((int(found[0]["exposure"]), int(data_id["detector"])), []).append(data_id)
    return out


def _plan(adjuster: QuantaAdjuster, quanta: Quanta) -> Plan | None:
    """Plan for the exposures of some quanta; `None` if there are none."""
    names = {str(data_id["instrument"]) for data_ids in quanta.values() for data_id in data_ids}
    if not names:
        return None
    if len(names) > 1:
        raise HarnessError(f"images of {' and '.join(sorted(names))} in one graph", remedy="name one instrument")
    kind = Instrument.fromName(names.pop(), adjuster.butler.registry)
    if not isinstance(kind, HarnessInstrument):
        raise HarnessError(f"instrument {kind.getName()} has no camera of the harness", code="no-camera")
    plan = make_plan(adjuster.butler, kind.camera(), {exposure for exposure, _ in quanta})
    for exposure, reason in plan.pairing.unpaired.items():
        _LOG.info("%s: exposure %d is in no pair: %s", adjuster.task_label, exposure, reason)
    return plan
