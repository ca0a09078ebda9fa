"""Seeded defects of the outputs of pipelines."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..drp.names import POST_ISR, VISIT_IMAGE
from .base import Defect, DefectTarget, defect
from .tools import artifact, association_table, dataset_type_id, one, output_run, replace_artifact, replace_file

if TYPE_CHECKING:
    from lsst.daf.butler import Butler

__all__ = ["DEFECTS"]


def _purge(butler: Butler, target: DefectTarget, dataset_type: str, **data_id: Any) -> None:
    """Delete the first dataset of a type and data ID from the run of outputs."""
    refs = butler.query_datasets(dataset_type, collections=output_run(target), order_by=_order(data_id), **data_id)
    butler.pruneDatasets(refs[:1], disassociate=True, unstore=True, purge=True)


def _order(data_id: dict[str, Any]) -> list[str] | None:
    return list(data_id) or None


def _edit_metadata(target: DefectTarget, identifier: str, path: Path, **values: list[Any]) -> None:
    """Change what the executor wrote into the metadata of a quantum."""
    content = json.loads(path.read_bytes())
    content["metadata"]["quantum"]["arrays"] |= values
    replace_artifact(target, identifier, path, json.dumps(content).encode())


def _maker(target: DefectTarget) -> tuple[dict[str, Any], str, Path]:
    """Return the data ID of the first isr output, and dataset id and file of the metadata of its quantum."""
    identifier, _ = artifact(target, POST_ISR)
    with target.sql() as db:
        table = association_table(db, POST_ISR)
        exposure, detector = one(db, f"SELECT exposure, detector FROM {table} WHERE dataset_id=?", identifier)  # noqa: S608
        metadata, path = one(
            db,
            f"SELECT f.dataset_id, f.path FROM file_datastore_records f JOIN {table} a ON a.dataset_id = f.dataset_id"  # noqa: S608
            " WHERE a.dataset_type_id=? AND a.exposure=? AND a.detector=?",
            dataset_type_id(db, "isr_metadata"),
            exposure,
            detector,
        )
    data_id = {"instrument": target.kit.name, "exposure": exposure, "detector": detector}
    return data_id, metadata, target.repo / path


@defect("packages-lost", found_by="provenance.init-outputs", after="process")
def packages_lost(target: DefectTarget) -> None:
    """The versions that a run was made with are not recorded."""
    with target.butler() as butler:
        _purge(butler, target, "packages")


@defect("config-lost", found_by="provenance.init-outputs", after="process")
def config_lost(target: DefectTarget) -> None:
    """The config of a task is not recorded."""
    with target.butler() as butler:
        _purge(butler, target, "isr_config")


@defect("log-lost", found_by="provenance.metadata-and-log", after="process")
def log_lost(target: DefectTarget) -> None:
    """A quantum has no log."""
    with target.butler() as butler:
        _purge(butler, target, "isr_log")


@defect("metadata-lost", found_by="provenance.metadata-and-log", after="process")
def metadata_lost(target: DefectTarget) -> None:
    """A quantum has outputs and a log but no metadata, as if it had failed."""
    with target.butler() as butler:
        _purge(butler, target, "isr_metadata")


@defect("quantum-ends-first", found_by="provenance.quantum-times", after="process")
def quantum_ends_first(target: DefectTarget) -> None:
    """A quantum ended before it began."""
    _edit_metadata(target, *artifact(target, "isr_metadata"), endUtc=["2001-01-01T00:00:00.000000+00:00"])


@defect("metadata-cut-off", found_by="provenance.quantum-times", after="process")
def metadata_cut_off(target: DefectTarget) -> None:
    """The metadata of a quantum end in the middle."""
    _, path = artifact(target, "isr_metadata")
    replace_file(path, path.read_bytes()[:-200])


@defect("output-lost", found_by="provenance.outputs-recorded", after="process")
def output_lost(target: DefectTarget) -> None:
    """An output was deleted, its metadata were not."""
    with target.butler() as butler:
        _purge(butler, target, POST_ISR)


@defect("output-of-nobody", found_by="provenance.outputs-recorded", after="process")
def output_of_nobody(target: DefectTarget) -> None:
    """An output is listed by no quantum: it was put by hand."""
    _, identifier, path = _maker(target)
    _edit_metadata(target, identifier, path, outputs=[])


@defect("output-not-made", found_by="provenance.outputs-complete", after="process")
def output_not_made(target: DefectTarget) -> None:
    """A quantum succeeded without making its output, and its metadata do not admit it."""
    data_id, identifier, path = _maker(target)
    _edit_metadata(target, identifier, path, outputs=[])
    with target.butler() as butler:
        _purge(butler, target, POST_ISR, **data_id)


@defect("quantum-never-made", found_by="provenance.quanta-expected", after="process")
def quantum_never_made(target: DefectTarget) -> None:
    """One detector was left out of isr, without a trace."""
    entry = target.dataset.observations[0]
    data_id = {"instrument": target.kit.name, "exposure": entry.exposure, "detector": entry.detectors[0]}
    with target.butler() as butler:
        for dataset_type in (POST_ISR, "isr_metadata", "isr_log"):
            _purge(butler, target, dataset_type, **data_id)


@defect("packages-of-other-version", found_by="provenance.packages", after="process")
def packages_of_other_version(target: DefectTarget) -> None:
    """A run was extended after an upgrade: it records older software than is installed."""
    identifier, path = artifact(target, "packages")
    text = re.sub(r"(?m)^(.?numpy.?): .*$", r"\1: 1.0.0", path.read_text())
    replace_artifact(target, identifier, path, text.encode())


@defect("outputs-swapped", found_by="provenance.artifact-names-itself", after="process")
def outputs_swapped(target: DefectTarget) -> None:
    """Two images of one task have each other's file."""
    (first, _), (second, _) = artifact(target, VISIT_IMAGE, 0), artifact(target, VISIT_IMAGE, 1)
    with target.sql() as db:
        rows = {
            i: one(db, "SELECT path, file_size FROM file_datastore_records WHERE dataset_id=?", i)
            for i in (first, second)
        }
        for identifier, other in ((first, second), (second, first)):
            db.execute(
                "UPDATE file_datastore_records SET path=?, file_size=? WHERE dataset_id=?", (*rows[other], identifier)
            )


@defect("input-unknown", found_by="provenance.inputs-exist", after="process")
def input_unknown(target: DefectTarget) -> None:
    """An output names an input that the repository never had."""
    _rewrite_input(target, "01234567-89ab-7def-8123-456789abcdef")


@defect("made-of-itself", found_by="provenance.acyclic", after="process")
def made_of_itself(target: DefectTarget) -> None:
    """An output names itself among its inputs."""
    identifier, _ = artifact(target, POST_ISR)
    _rewrite_input(target, str(uuid.UUID(identifier)))


def _rewrite_input(target: DefectTarget, new: str) -> None:
    """Replace the id of the first input in the header of an image; a header's length does not change."""
    _, path = artifact(target, POST_ISR)
    content = path.read_bytes()
    start = content.index(b"HIERARCH LSST BUTLER INPUT 0 ID")
    quote = content.index(b"'", start) + 1
    replace_file(path, content[:quote] + new.encode() + content[quote + len(new) :])


DEFECTS: tuple[Defect, ...] = (
    packages_lost,
    config_lost,
    log_lost,
    metadata_lost,
    quantum_ends_first,
    metadata_cut_off,
    output_lost,
    output_of_nobody,
    output_not_made,
    quantum_never_made,
    packages_of_other_version,
    outputs_swapped,
    input_unknown,
    made_of_itself,
)
