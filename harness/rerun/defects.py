"""Seeded defects of a repository after reruns: what past and future middleware may get wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..defects.base import Defect, DefectTarget, defect
from ..transfer.defects import replace_content

if TYPE_CHECKING:
    from lsst.daf.butler import Butler, DatasetRef

__all__ = ["DEFECTS"]

AFTER = "rerun"


def _output(target: DefectTarget) -> str:
    return f"{target.kit.name}/runs/{target.dataset.name}"


def _results(butler: Butler, run: str) -> list[DatasetRef]:
    """Return the datasets of a run that hold results, as opposed to logs and the like, in order."""
    from ..transfer.content import VOLATILE

    found = set(butler.query_all_datasets(run, find_first=False, limit=None))
    results = (r for r in found if r.datasetType.storageClass_name not in VOLATILE and r.dataId.required_values)
    return sorted(results, key=lambda r: (r.datasetType.name, r.dataId.required_values))


@defect("rerun-input-removed", found_by="rerun.nothing-to-do-changes-nothing", after=AFTER)
def input_removed(target: DefectTarget) -> None:
    """An input of the pipeline is no longer there after a rerun."""
    with target.butler() as butler:
        children = butler.collections.query(f"{target.kit.name}/defaults", flatten_chains=True)
        inputs = butler.query_all_datasets(children, find_first=False, limit=None)
        ref = min(inputs, key=lambda r: (r.datasetType.name, r.dataId.required_values, r.id))
        butler.pruneDatasets([ref], disassociate=True, unstore=True, purge=True)


@defect("rerun-record-changed", found_by="rerun.nothing-to-do-changes-nothing", after=AFTER)
def record_changed(target: DefectTarget) -> None:
    """A rerun writes the record of a visit again, with another name of the target."""
    with target.butler() as butler:
        record = min(butler.query_dimension_records("visit", instrument=target.kit.name), key=lambda r: r.id)
        butler.registry.syncDimensionData("visit", {**record.toDict(), "target_name": "elsewhere"}, update=True)


@defect("rerun-success-run-again", found_by="rerun.extend-remakes-only-missing", after=AFTER)
def success_run_again(target: DefectTarget) -> None:
    """An output that was there when a run was extended is made again and has another id."""
    with target.butler() as butler:
        # Of a type that the narrow reruns do not make: those that were missing do have new ids.
        made = {ref.datasetType.name for ref in _results(butler, f"{_output(target)}/again/second")}
        ref = next(r for r in _results(butler, f"{_output(target)}/first") if r.datasetType.name not in made)
        content = butler.get(ref)
        butler.pruneDatasets([ref], disassociate=True, unstore=True, purge=True)
        butler.put(content, ref.datasetType, ref.dataId, run=ref.run)


@defect("rerun-missing-not-remade", found_by="rerun.extend-remakes-only-missing", after=AFTER)
def missing_not_remade(target: DefectTarget) -> None:
    """Extending a run leaves out an output that was missing."""
    with target.butler() as butler:
        ref = _results(butler, f"{_output(target)}/first")[0]
        butler.pruneDatasets([ref], disassociate=True, unstore=True, purge=True)


@defect("rerun-old-run-leads", found_by="rerun.replace-leads-the-chain", after=AFTER)
def old_run_leads(target: DefectTarget) -> None:
    """The run that was replaced is still at the head of the output chain."""
    with target.butler() as butler:
        butler.collections.prepend_chain(f"{_output(target)}/again", f"{_output(target)}/first")


@defect("rerun-new-run-behind-inputs", found_by="rerun.replace-leads-the-chain", after=AFTER)
def new_run_behind_inputs(target: DefectTarget) -> None:
    """The new run comes after the inputs in the output chain."""
    with target.butler() as butler:
        chain = f"{_output(target)}/again"
        first, *others = butler.collections.get_info(chain).children
        butler.collections.redefine_chain(chain, [*others, first])


@defect("rerun-other-chain-changed", found_by="rerun.replace-leads-the-chain", after=AFTER)
def other_chain_changed(target: DefectTarget) -> None:
    """Replacing a run in one chain also replaces it in another."""
    with target.butler() as butler:
        children = butler.collections.get_info(f"{_output(target)}/again").children
        butler.collections.redefine_chain(_output(target), children)


@defect("rerun-replacement-incomplete", found_by="rerun.replace-is-complete", after=AFTER)
def replacement_incomplete(target: DefectTarget) -> None:
    """The new run lacks an output of a quantum that succeeded."""
    with target.butler() as butler:
        ref = _results(butler, f"{_output(target)}/again/second")[0]
        butler.pruneDatasets([ref], disassociate=True, unstore=True, purge=True)


@defect("rerun-other-result", found_by="rerun.made-again-says-the-same", after=AFTER)
def other_result(target: DefectTarget) -> None:
    """An output that was made again has the content of another one."""
    with target.butler() as butler:
        results = _results(butler, f"{_output(target)}/again/second")
        first = results[0]
        others = (r for r in results if r.datasetType.storageClass_name == first.datasetType.storageClass_name)
        other = max(others, key=lambda r: (r.datasetType.name, r.dataId.required_values))
        content = butler.getURI(other).read()
        replace_content(butler, first, content if other != first else content + b" ")


DEFECTS: tuple[Defect, ...] = (
    input_removed,
    record_changed,
    success_run_again,
    missing_not_remade,
    old_run_leads,
    new_run_behind_inputs,
    other_chain_changed,
    replacement_incomplete,
    other_result,
)
