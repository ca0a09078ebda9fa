"""Seeded defects of an imported repository: what past and future imports may get wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..defects.base import Defect, DefectTarget, defect

if TYPE_CHECKING:
    from lsst.daf.butler import Butler, DatasetAssociation, DatasetRef

__all__ = ["DEFECTS", "any_dataset", "replace_content"]

AFTER = "roundtrip"


def any_dataset(butler: Butler, *, n: int = 0) -> DatasetRef:
    """Return the n-th of the datasets of the dataset type and run that have the most, in order of their ids."""
    groups: dict[tuple[str, str], list[DatasetRef]] = {}
    for ref in butler.query_all_datasets("*", find_first=False, limit=None):
        groups.setdefault((ref.datasetType.name, ref.run), []).append(ref)
    largest = max(groups, key=lambda k: (len(groups[k]), k))
    return sorted(set(groups[largest]), key=lambda ref: ref.id)[n]


def replace_content(butler: Butler, ref: DatasetRef, content: bytes) -> None:
    """Write other bytes in place of a dataset's artifact, leaving alone the files that share its inode."""
    path = Path(butler.getURI(ref).ospath)
    path.unlink()
    path.write_bytes(content)


def _first_validity(butler: Butler) -> DatasetAssociation:
    """Return one certification of one calibration."""
    from lsst.daf.butler import CollectionType

    registry = butler.registry
    calibrations = [t for t in registry.queryDatasetTypes() if t.isCalibration()]
    collections = list(registry.queryCollections(collectionTypes={CollectionType.CALIBRATION}))
    found = (a for t in sorted(calibrations) for a in registry.queryDatasetAssociations(t, collections))
    return min(found, key=lambda a: (a.collection, a.ref.datasetType.name, a.ref.dataId, a.ref.id))


@defect("roundtrip-definitions-dropped", found_by="roundtrip.records-equal", after=AFTER)
def definitions_dropped(target: DefectTarget) -> None:
    """The records that say which exposures make a visit are not imported."""
    with target.sql() as connection:
        connection.execute("DELETE FROM visit_definition")


@defect("roundtrip-memberships-dropped", found_by="roundtrip.records-equal", after=AFTER)
def memberships_dropped(target: DefectTarget) -> None:
    """The records that say which visit system a visit is of are not imported."""
    with target.sql() as connection:
        connection.execute("DELETE FROM visit_system_membership")


@defect("roundtrip-region-dropped", found_by="roundtrip.records-equal", after=AFTER)
def region_dropped(target: DefectTarget) -> None:
    """The region of one detector in one visit is not imported."""
    with target.sql() as connection:
        connection.execute(
            "DELETE FROM visit_detector_region WHERE rowid = (SELECT MIN(rowid) FROM visit_detector_region)"
        )


@defect("roundtrip-record-kept", found_by="roundtrip.records-equal", after=AFTER)
def record_kept(target: DefectTarget) -> None:
    """The record of an exposure has another target, as if it had been there before and was kept."""
    with target.butler() as butler:
        record = min(butler.query_dimension_records("exposure", instrument=target.kit.name), key=lambda r: r.id)
        butler.registry.syncDimensionData("exposure", {**record.toDict(), "target_name": "elsewhere"}, update=True)


@defect("roundtrip-storage-class-changed", found_by="roundtrip.dataset-types-equal", after=AFTER)
def storage_class_changed(target: DefectTarget) -> None:
    """A dataset type is registered with another storage class."""
    with target.butler() as butler:
        name = any_dataset(butler).datasetType.name
    with target.sql() as connection:
        connection.execute("UPDATE dataset_type SET storage_class = 'Packages' WHERE name = ?", [name])


@defect("roundtrip-stray-collection", found_by="roundtrip.collections-equal", after=AFTER)
def stray_collection(target: DefectTarget) -> None:
    """A collection of an import that failed is left behind."""
    with target.butler() as butler:
        butler.collections.register("left/behind")


@defect("roundtrip-documentation-changed", found_by="roundtrip.collections-equal", after=AFTER)
def documentation_changed(target: DefectTarget) -> None:
    """The documentation of a run is that of another, as if the collection had been there before."""
    from lsst.daf.butler import CollectionType

    with target.butler() as butler:
        run = min(butler.collections.query("*", collection_types={CollectionType.RUN}))
        butler.registry.setCollectionDocumentation(run, "Something else")


@defect("roundtrip-chain-reversed", found_by="roundtrip.chains-equal", after=AFTER)
def chain_reversed(target: DefectTarget) -> None:
    """The children of a chain are in the opposite order."""
    with target.butler() as butler:
        chains = [c for c in butler.collections.query_info("*") if len(c.children) > 1]
        longest = max(chains, key=lambda c: (len(c.children), c.name))
        butler.collections.redefine_chain(longest.name, longest.children[::-1])


@defect("roundtrip-tag-dropped", found_by="roundtrip.tags-equal", after=AFTER)
def tag_dropped(target: DefectTarget) -> None:
    """A tagged collection loses a member."""
    from lsst.daf.butler import CollectionType

    with target.butler() as butler:
        tagged = sorted(butler.registry.queryCollections(collectionTypes={CollectionType.TAGGED}))
        members = {c: sorted(set(butler.query_all_datasets(c, find_first=False, limit=None))) for c in tagged}
        collection = next(c for c in tagged if members[c])
        butler.registry.disassociate(collection, members[collection][:1])


@defect("roundtrip-validity-gap", found_by="roundtrip.calibration-validity-equal", after=AFTER)
def validity_gap(target: DefectTarget) -> None:
    """A calibration is certified for all of its validity range but one nanosecond."""
    from astropy.time import Time, TimeDelta
    from lsst.daf.butler import Timespan

    with target.butler() as butler:
        found = _first_validity(butler)
        assert found.timespan is not None
        begin, end = found.timespan.begin, found.timespan.end
        if begin is None:
            begin = Time("2000-01-01", scale="tai") if end is None else end - TimeDelta(1.0, format="sec")
        gap = Timespan.fromInstant(begin)
        butler.registry.decertify(found.collection, found.ref.datasetType, gap, dataIds=[found.ref.dataId])


@defect("roundtrip-certification-dropped", found_by="roundtrip.calibration-validity-equal", after=AFTER)
def certification_dropped(target: DefectTarget) -> None:
    """A calibration is imported but not certified."""
    with target.butler() as butler:
        found = _first_validity(butler)
        butler.registry.decertify(found.collection, found.ref.datasetType, found.timespan, dataIds=[found.ref.dataId])


@defect("roundtrip-new-id", found_by="roundtrip.dataset-ids-equal", after=AFTER)
def new_id(target: DefectTarget) -> None:
    """A dataset gets a new id on import."""
    from lsst.daf.butler import DatasetRef, FileDataset

    with target.butler() as butler:
        ref = any_dataset(butler)
        source = butler.getURI(ref)
        copy = target.repo / f"copy{source.getExtension()}"
        copy.write_bytes(source.read())
        butler.pruneDatasets([ref], disassociate=True, unstore=True, purge=True)
        again = DatasetRef(ref.datasetType, butler.registry.expandDataId(ref.dataId), run=ref.run)
        butler.ingest(FileDataset(str(copy), again), transfer="move")


@defect("roundtrip-artifact-truncated", found_by="roundtrip.artifacts-equal", after=AFTER)
def artifact_truncated(target: DefectTarget) -> None:
    """A file is cut short."""
    with target.butler() as butler:
        ref = any_dataset(butler)
        replace_content(butler, ref, butler.getURI(ref).read()[:-1])


@defect("roundtrip-artifacts-swapped", found_by="roundtrip.artifacts-equal", after=AFTER)
def artifacts_swapped(target: DefectTarget) -> None:
    """The files of two datasets of one type are exchanged."""
    with target.butler() as butler:
        first, second = any_dataset(butler), any_dataset(butler, n=1)
        one, other = (butler.getURI(ref).read() for ref in (first, second))
        replace_content(butler, first, other)
        replace_content(butler, second, one)


DEFECTS: tuple[Defect, ...] = (
    definitions_dropped,
    memberships_dropped,
    region_dropped,
    record_kept,
    storage_class_changed,
    stray_collection,
    documentation_changed,
    chain_reversed,
    tag_dropped,
    validity_gap,
    certification_dropped,
    new_id,
    artifact_truncated,
    artifacts_swapped,
)
