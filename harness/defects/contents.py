"""Seeded defects of what files hold: sound files of a right size, with something else in them."""

from __future__ import annotations

from .base import Defect, DefectTarget, defect
from .tools import artifact, calibration_type, one, replace_artifact, replace_file

__all__ = ["DEFECTS"]


@defect("calibration-files-exchanged", found_by="datastore.paths-name-data-ids", after="calibs")
def calibration_files_exchanged(target: DefectTarget) -> None:
    """Two detectors have each other's calibration file."""
    with target.sql() as db:
        name = calibration_type(db, "detector")
        pair = [(artifact(target, name, i)) for i in (0, 1)]
        rows = [
            one(db, "SELECT path, file_size FROM file_datastore_records WHERE dataset_id=?", identifier)
            for identifier, _ in pair
        ]
        for (identifier, _), (path, size) in zip(pair, reversed(rows), strict=True):
            query = "UPDATE file_datastore_records SET path=?, file_size=? WHERE dataset_id=?"
            db.execute(query, (path, size, identifier))


@defect("table-with-bad-block", found_by="datastore.contents", after="process")
def table_with_bad_block(target: DefectTarget) -> None:
    """A block in the middle of a table is empty; its size, its beginning and its end are as they were."""
    with target.sql() as db:
        query = "SELECT path FROM file_datastore_records WHERE path LIKE '%.parq' AND file_size > 10000 ORDER BY path"
        path = one(db, query)[0]
    file = target.repo / path
    content = file.read_bytes()
    begin, end = len(content) // 8, len(content) // 2
    replace_file(file, content[:begin] + bytes(end - begin) + content[end:])


@defect("metadata-of-other-form", found_by="datastore.contents", after="process")
def metadata_of_other_form(target: DefectTarget) -> None:
    """The metadata of a quantum are sound JSON, of another kind."""
    identifier, path = artifact(target, _made(target, "_metadata"))
    replace_artifact(target, identifier, path, b'["no", "metadata"]')


@defect("image-cut-within", found_by="datastore.contents", after="process")
def image_cut_within(target: DefectTarget) -> None:
    """An image ends before its last pixels, after a whole block."""
    with target.sql() as db:
        query = (
            "SELECT f.dataset_id, f.path FROM file_datastore_records f JOIN dataset d ON d.id=f.dataset_id"
            " WHERE f.path LIKE '%.fits' ORDER BY d.ingest_date DESC, f.path"
        )
        identifier, path = one(db, query)
    content = (target.repo / path).read_bytes()
    replace_artifact(target, identifier, target.repo / path, content[: len(content) // 2 // 2880 * 2880])


@defect("logs-exchanged", found_by="provenance.log-names-quantum", after="process")
def logs_exchanged(target: DefectTarget) -> None:
    """Two quanta have each other's log."""
    _exchange(target, _made(target, "_log"))


@defect("metadata-exchanged", found_by="provenance.outputs-recorded", after="process")
def metadata_exchanged(target: DefectTarget) -> None:
    """Two quanta have each other's metadata."""
    _exchange(target, _made(target, "_metadata"))


@defect("shard-of-another-pixel", found_by="geometry.sky-pixel-contents", after="refcats")
def shard_of_another_pixel(target: DefectTarget) -> None:
    """Two shards of the reference catalogue have each other's content."""
    assert target.dataset.refcat is not None
    _exchange(target, target.dataset.refcat.name)


def _exchange(target: DefectTarget, dataset_type: str) -> None:
    """Write the content of each of the first two files of a type into the other, with the size on record."""
    first, second = artifact(target, dataset_type, 0), artifact(target, dataset_type, 1)
    content, other = first[1].read_bytes(), second[1].read_bytes()
    replace_artifact(target, *first, other)
    replace_artifact(target, *second, content)


def _made(target: DefectTarget, suffix: str) -> str:
    """Return the first dataset type with a suffix that a pipeline left at least two datasets of."""
    with target.sql() as db:
        name: str = one(
            db,
            "SELECT t.name FROM dataset_type t JOIN dataset d ON d.dataset_type_id=t.id WHERE t.name LIKE ?"
            " GROUP BY t.name HAVING count(*) > 1 ORDER BY t.name",
            f"%{suffix.replace('_', '')}",
        )[0]
    return name


DEFECTS: tuple[Defect, ...] = (
    calibration_files_exchanged,
    table_with_bad_block,
    metadata_of_other_form,
    image_cut_within,
    logs_exchanged,
    metadata_exchanged,
    shard_of_another_pixel,
)
