"""Seeded defects of the datastore."""

from __future__ import annotations

from .base import Defect, DefectTarget, defect
from .tools import artifact, one, replace_file

__all__ = ["DEFECTS"]


@defect("file-deleted", found_by="datastore.files-exist", after="calibs")
def file_deleted(target: DefectTarget) -> None:
    """The file of a bias was deleted by hand."""
    artifact(target, "bias")[1].unlink()


@defect("file-longer", found_by="datastore.sizes", after="calibs")
def file_longer(target: DefectTarget) -> None:
    """Something appended to the file of a bias."""
    _, path = artifact(target, "bias")
    replace_file(path, path.read_bytes() + bytes(2880))


@defect("size-forgotten", found_by="datastore.records-filled", after="calibs")
def size_forgotten(target: DefectTarget) -> None:
    """Somebody emptied the recorded size of a bias, to silence a complaint."""
    identifier, _ = artifact(target, "bias")
    with target.sql() as db:
        db.execute("UPDATE file_datastore_records SET file_size=NULL WHERE dataset_id=?", (identifier,))


@defect("file-without-dataset", found_by="datastore.no-orphans", after="calibs")
def file_without_dataset(target: DefectTarget) -> None:
    """A killed process left a file that nothing owns."""
    _, path = artifact(target, "bias")
    path.with_name("left-behind.fits").write_bytes(path.read_bytes())


@defect("formatter-gone", found_by="datastore.formatters", after="calibs")
def formatter_gone(target: DefectTarget) -> None:
    """The formatter of a dataset has moved to another module since."""
    identifier, _ = artifact(target, "camera")
    with target.sql() as db:
        key = ("harness.of_the_past.CameraFormatter", identifier)
        db.execute("UPDATE file_datastore_records SET formatter=? WHERE dataset_id=?", key)


@defect("record-lost", found_by="datastore.registry-agrees", after="calibs")
def record_lost(target: DefectTarget) -> None:
    """The datastore does not know a dataset that the registry has."""
    identifier, path = artifact(target, "bias")
    with target.sql() as db:
        db.execute("DELETE FROM file_datastore_records WHERE dataset_id=?", (identifier,))
    path.unlink()


@defect("location-lost", found_by="datastore.registry-agrees", after="calibs")
def location_lost(target: DefectTarget) -> None:
    """The registry does not know that a dataset is stored."""
    identifier, _ = artifact(target, "bias")
    with target.sql() as db:
        db.execute("DELETE FROM dataset_location WHERE dataset_id=?", (identifier,))


@defect("record-of-nothing", found_by="datastore.registry-agrees", after="calibs")
def record_of_nothing(target: DefectTarget) -> None:
    """The datastore has a record of a dataset that the registry does not know."""
    identifier, _ = artifact(target, "camera")
    with target.sql() as db:
        db.execute(
            "INSERT INTO file_datastore_records SELECT ?, path, formatter, storage_class, component, checksum,"
            " file_size FROM file_datastore_records WHERE dataset_id=?",
            ("0123456789ab7def8123456789abcdef", identifier),
        )


@defect("file-empty", found_by="datastore.artifacts-readable", after="calibs")
def file_empty(target: DefectTarget) -> None:
    """A full disk left the file of a camera empty."""
    replace_file(artifact(target, "camera")[1], b"")


@defect("file-zeros", found_by="datastore.artifacts-readable", after="calibs")
def file_zeros(target: DefectTarget) -> None:
    """A crash left a FITS file of the right size that holds nothing but zeros."""
    _, path = artifact(target, "bias")
    replace_file(path, bytes(path.stat().st_size))


@defect("table-cut-off", found_by="datastore.artifacts-readable", after="calibs")
def table_cut_off(target: DefectTarget) -> None:
    """A Parquet table ends in the middle."""
    _, path = artifact(target, "defects")
    replace_file(path, path.read_bytes()[:-100])


@defect("file-shared", found_by="datastore.no-shared-file", after="calibs")
def file_shared(target: DefectTarget) -> None:
    """A flat has the file of a bias."""
    flat, _ = artifact(target, "flat")
    bias, _ = artifact(target, "bias")
    with target.sql() as db:
        db.execute(
            "UPDATE file_datastore_records SET (path, file_size) ="
            " (SELECT path, file_size FROM file_datastore_records WHERE dataset_id=?) WHERE dataset_id=?",
            (bias, flat),
        )


@defect("deletion-interrupted", found_by="datastore.trash-empty", after="calibs")
def deletion_interrupted(target: DefectTarget) -> None:
    """A deletion stopped after it had put a dataset into the trash."""
    identifier, _ = artifact(target, "bias")
    with target.sql() as db:
        db.execute(
            "INSERT INTO dataset_location_trash SELECT dataset_id, datastore_name FROM dataset_location"
            " WHERE dataset_id=?",
            (identifier,),
        )
        db.execute("DELETE FROM dataset_location WHERE dataset_id=?", (identifier,))


@defect("checksum-other", found_by="datastore.checksums", after="calibs")
def checksum_other(target: DefectTarget) -> None:
    """The checksum that was recorded when a file was stored is that of another content."""
    with target.sql() as db:
        identifier = one(db, "SELECT dataset_id FROM file_datastore_records ORDER BY path")[0]
        db.execute("UPDATE file_datastore_records SET checksum=? WHERE dataset_id=?", ("0" * 128, identifier))


DEFECTS: tuple[Defect, ...] = (
    file_deleted,
    file_longer,
    size_forgotten,
    file_without_dataset,
    formatter_gone,
    record_lost,
    location_lost,
    record_of_nothing,
    file_empty,
    checksum_other,
    file_zeros,
    table_cut_off,
    file_shared,
    deletion_interrupted,
)
