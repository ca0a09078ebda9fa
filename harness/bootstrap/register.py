"""The stage that registers the instrument."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import HarnessError

if TYPE_CHECKING:
    from lsst.daf.butler import Butler

    from ..instrument.kit import InstrumentKit
    from ..stage import StageContext

__all__ = ["register_instrument", "run"]


def register_instrument(butler: Butler, kit: InstrumentKit, *, update: bool = False) -> Mapping[str, int]:
    """Register an instrument with its detectors and filters.

    Parameters
    ----------
    butler : `lsst.daf.butler.Butler`
        A repository open for writing.
    kit : `~harness.instrument.kit.InstrumentKit`
        The instrument.
    update : `bool`, optional
        Whether to change records that are there with other values.

    Returns
    -------
    facts : `~collections.abc.Mapping` [`str`, `int`]
        Numbers of ``detectors`` and ``physical_filters`` that the registry now has.

    Raises
    ------
    HarnessError
        If a record is there with other values and ``update`` is false, or the instrument registers nothing.
    """
    from lsst.daf.butler.registry import ConflictingDefinitionError

    try:
        kit.instrument_class().register(butler.registry, update=update)
    except ConflictingDefinitionError as error:
        raise HarnessError(str(error), remedy="register with update=True", code="conflicting-record") from error
    counts = {
        f"{element}s": len(butler.query_dimension_records(element, instrument=kit.name, explain=False))
        for element in ("detector", "physical_filter")
    }
    empty = [element for element, n in counts.items() if not n]
    if empty:
        raise HarnessError(f"instrument {kit.name} registered no {' and no '.join(empty)}", code="empty-instrument")
    return counts


def run(context: StageContext) -> Mapping[str, Any]:
    """Register the instrument.

    Parameters
    ----------
    context : `~harness.stage.StageContext`
        What the stage works with.

    Returns
    -------
    facts : `~collections.abc.Mapping` [`str`, `int`]
        See `register_instrument`.
    """
    with context.butler() as butler:
        return register_instrument(butler, context.kit)
