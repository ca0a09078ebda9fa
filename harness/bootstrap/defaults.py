"""The stage that chains the collections which every pipeline run starts from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import HarnessError
from ..instrument.kit import Capability

if TYPE_CHECKING:
    from lsst.daf.butler import Butler

    from ..stage import StageContext

__all__ = ["chain_defaults", "run"]

SHARED = ("refcats", "skymaps")
"""Collections of no instrument in particular."""


def chain_defaults(butler: Butler, instrument: Any, *, shared: Sequence[str] = SHARED) -> tuple[str, tuple[str, ...]]:
    """Make the instrument's umbrella collection: raws, calibrations, reference catalogues and sky maps.

    A chain that is there grows by those that have come since, each at its place: several datasets of an instrument can
    be in one repository.

    Parameters
    ----------
    butler : `lsst.daf.butler.Butler`
        A repository open for writing.
    instrument : `lsst.pipe.base.Instrument`
        An instance; it names its collections.
    shared : `~collections.abc.Sequence` [`str`], optional
        Those of `SHARED` that the instrument's data need.

    Returns
    -------
    name : `str`
        The chain.
    children : `tuple` [`str`, ...]
        Its members, in the order raws, calibrations, `SHARED`; those that the repository doesn't have are left out.

    Raises
    ------
    HarnessError
        If the chain is there with foreign members, in another order or of another type (it is left as it is), or has
        no member.
    """
    from lsst.daf.butler import CollectionType
    from lsst.daf.butler.registry import MissingCollectionError

    name = instrument.makeUmbrellaCollectionName()
    existing = set(butler.collections.query("*"))  # naming one that is missing would raise
    before = butler.collections.get_info(name).children if name in existing else ()
    own = (instrument.makeDefaultRawIngestRunName(), instrument.makeCalibrationCollectionName())
    wanted = (*own, *(c for c in SHARED if c in shared or c in before))
    children = tuple(c for c in wanted if c in existing)
    if not children:
        raise HarnessError(f"nothing to chain in {name}: none of {', '.join(wanted)} exists", code="no-collections")
    try:
        info = butler.collections.get_info(name)
    except MissingCollectionError:
        with butler.transaction():
            butler.collections.register(name, CollectionType.CHAINED)
            butler.collections.redefine_chain(name, children)
        return name, children
    if info.type is not CollectionType.CHAINED:
        raise HarnessError(f"collection {name} is a {info.type.name}, not a chain", code="collection-type")
    if info.children == children:
        return name, children
    if info.children == tuple(c for c in children if c in info.children):
        # It grows; or it was registered by a process that was interrupted before it could fill it.
        butler.collections.redefine_chain(name, children)
    else:
        raise HarnessError(
            f"chain {name} is [{', '.join(info.children)}], expected [{', '.join(children)}]",
            remedy="redefine it with 'butler collection-chain' if that is a mistake",
            code="chain-differs",
        )
    return name, children


def run(context: StageContext) -> Mapping[str, Any]:
    """Chain the default collections.

    Parameters
    ----------
    context : `~harness.stage.StageContext`
        What the stage works with.

    Returns
    -------
    facts : `~collections.abc.Mapping`
        ``collection`` and ``children``.
    """
    brought = context.kit.applicable(context.dataset)
    needs = dict(zip(SHARED, (Capability.REFCATS, Capability.COADDS), strict=True))
    with context.butler() as butler:
        instrument = context.kit.instrument_class()
        name, children = chain_defaults(butler, instrument, shared=[c for c in SHARED if needs[c] in brought])
    return {"collection": name, "children": list(children)}
