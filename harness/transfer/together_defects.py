"""Seeded defects of a repository that several datasets share: what a later one may do to an earlier one."""

from __future__ import annotations

from ..defects.base import Defect, DefectTarget, defect
from .defects import any_dataset, replace_content

__all__ = ["DEFECTS"]

AFTER = "together"


@defect("together-record-overwritten", found_by="together.records-unchanged", after=AFTER)
def record_overwritten(target: DefectTarget) -> None:
    """An exposure that was there before gets another target."""
    with target.butler() as butler:
        record = min(butler.query_dimension_records("exposure"), key=lambda r: (r.instrument, r.id))
        butler.registry.syncDimensionData("exposure", {**record.toDict(), "target_name": "elsewhere"}, update=True)


@defect("together-chain-pushed", found_by="together.collections-unchanged", after=AFTER)
def chain_pushed(target: DefectTarget) -> None:
    """A run is put in front of a shared chain, where it hides what comes after it."""
    with target.butler() as butler:
        butler.collections.register("pushy")
        chain = min((c for c in butler.collections.query_info("*") if c.children), key=lambda c: c.name)
        butler.collections.redefine_chain(chain.name, ["pushy", *chain.children])


@defect("together-file-overwritten", found_by="together.datasets-unchanged", after=AFTER)
def file_overwritten(target: DefectTarget) -> None:
    """The file of a dataset that was there before has other content."""
    with target.butler() as butler:
        replace_content(butler, ref := any_dataset(butler), butler.getURI(ref).read() + b" ")


@defect("together-run-shared", found_by="together.runs-apart", after=AFTER)
def run_shared(target: DefectTarget) -> None:
    """Another instrument puts a dataset into a run that is not its own."""
    from lsst.daf.butler import DatasetType

    with target.butler() as butler:
        (run, *_) = sorted({ref.run for ref in butler.query_all_datasets("*", find_first=False, limit=None)})
        names = sorted(r.name for r in butler.query_dimension_records("instrument"))
        dataset_type = DatasetType("stray", ("instrument",), "StructuredDataDict", universe=butler.dimensions)
        butler.registry.registerDatasetType(dataset_type)
        for name in names[:2]:
            butler.put({}, dataset_type, instrument=name, run=run)


DEFECTS: tuple[Defect, ...] = (record_overwritten, chain_pushed, file_overwritten, run_shared)
