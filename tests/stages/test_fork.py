"""A fork is independent: whatever is done in one copy is never seen in the other."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from lsst.daf.butler import Butler, CollectionType, DatasetRef, DatasetType, FileDataset, Timespan

from harness.engines.base import PipelineRun
from harness.engines.inprocess import InProcessEngine
from harness.stages.fork import fork_repository


def content(repo: Path) -> dict[str, str]:
    """Digest of every file; of the registry the rows, as SQLite may rewrite its pages."""
    out = {}
    for path in sorted(repo.rglob("*")):
        if path.is_symlink():
            out[str(path.relative_to(repo))] = str(path.readlink())
        elif path.suffix == ".sqlite3":
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
                out["registry"] = hashlib.sha256("\n".join(db.iterdump()).encode()).hexdigest()
        elif path.is_file():
            out[str(path.relative_to(repo))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return out


def some(butler: Butler, kind: str):
    return butler.query_datasets(kind, collections="*", find_first=False, limit=1, with_dimension_records=True)[0]


def put(butler: Butler, **_) -> None:
    butler.registry.registerDatasetType(DatasetType("note", [], "StructuredDataDict", universe=butler.dimensions))
    butler.collections.register("notes")
    butler.put({"a": 1}, "note", run="notes")


def overwrite(butler: Butler, **_) -> None:
    ref = some(butler, "bias")
    image = butler.get(ref)
    butler.pruneDatasets([ref], disassociate=False, unstore=True)
    image.array[:] += 1
    butler.put(image, ref)


def unstore(butler: Butler, **_) -> None:
    butler.pruneDatasets([some(butler, "raw")], disassociate=False, unstore=True)


def purge(butler: Butler, **_) -> None:
    butler.pruneDatasets([some(butler, "flat")], disassociate=True, unstore=True, purge=True)


def remove_run(butler: Butler, kit, **_) -> None:
    butler.removeRuns([f"{kit.name}/raw/all"], unlink_from_chains=True)


def chain(butler: Butler, kit, **_) -> None:
    butler.collections.redefine_chain(f"{kit.name}/defaults", [f"{kit.name}/calib"])


def tag(butler: Butler, **_) -> None:
    butler.collections.register("tagged", CollectionType.TAGGED)
    butler.registry.associate("tagged", [some(butler, "raw")])


def decertify(butler: Butler, kit, **_) -> None:
    butler.registry.decertify(f"{kit.name}/calib", "bias", Timespan(None, None))


def records(butler: Butler, kit, **_) -> None:
    record = butler.query_dimension_records("exposure", instrument=kit.name, limit=1)[0]
    butler.registry.insertDimensionData(
        "exposure", type(record)(**{**record.toDict(), "target_name": "moved"}), replace=True
    )


def ingest(mode: str) -> Callable[..., None]:
    def run(butler: Butler, kit, tmp_path: Path, **_) -> None:
        old = some(butler, "raw")
        source = tmp_path / f"new-{mode}.fits"
        source.write_bytes(Path(butler.getURI(old).ospath).read_bytes())
        butler.collections.register("elsewhere")
        formatter = kit.instrument_class().getRawFormatter(old.dataId)
        new = DatasetRef(old.datasetType, old.dataId, run="elsewhere")
        butler.ingest(FileDataset(str(source), new, formatter=formatter), transfer=mode)
        if mode == "hardlink":
            butler.pruneDatasets([new], disassociate=False, unstore=True)

    run.__name__ = f"ingest_{mode}"
    return run


OPERATIONS = [put, overwrite, unstore, purge, remove_run, chain, tag, decertify, records]
OPERATIONS += [ingest(m) for m in ("copy", "move", "hardlink", "symlink", "direct")]


@pytest.fixture
def pair(state, tmp_path: Path) -> tuple[Path, Path]:
    """A repository of this test's own, and a fork of it."""
    first, second = state("defaults"), tmp_path / "second"
    fork_repository(first, second)
    return first, second


def test_a_fork_is_the_same(pair) -> None:
    assert content(pair[0]) == content(pair[1])


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.__name__)
@pytest.mark.parametrize("where", ["in the fork", "in the original"])
def test_the_other_copy_never_changes(pair, where: str, operation, kit, tmp_path: Path) -> None:
    changed, other = pair if where == "in the original" else reversed(pair)
    before, own = content(other), content(changed)
    with Butler.from_config(str(changed), writeable=True) as butler:
        operation(butler, kit=kit, tmp_path=tmp_path)
    assert content(changed) != own, "the operation did nothing"
    assert content(other) == before


def test_a_pipeline_that_clobbers_changes_only_its_own(state, dataset, kit, tmp_path: Path) -> None:
    first, second = state("process"), tmp_path / "second"
    fork_repository(first, second)
    exposure = dataset.exposures[1]
    where = f"instrument='{kit.name}' AND exposure={exposure.id} AND detector={exposure.detectors[0]}"
    output = f"{kit.name}/runs/{dataset.name}"
    with Butler.from_config(str(second), writeable=True) as butler:
        # Without its metadata the quantum counts as not done, while its outputs are in the way.
        done = butler.query_datasets("isr_metadata", collections=output, where=where)
        butler.pruneDatasets(done, disassociate=True, unstore=True, purge=True)
    before, own = content(first), content(second)
    request = PipelineRun(
        repo=second,
        pipeline=kit.pipelines[dataset.processing.pipeline] + "#isr",
        inputs=(f"{kit.name}/defaults",),
        output=output,
        output_run=f"{output}/first",
        where=where,
        extend_run=True,
        clobber_outputs=True,
    )
    result = InProcessEngine().run(request, tmp_path / "log")
    assert result.exit_code == 0, result.message
    assert content(second) != own
    assert content(first) == before


def test_links_and_journals(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "raw").mkdir(parents=True)
    (tmp_path / "outside.fits").write_text("pixels")
    (source / "raw" / "link.fits").symlink_to(tmp_path / "outside.fits")
    (source / "raw" / "dangling.fits").symlink_to(tmp_path / "gone.fits")
    (source / "butler.yaml").write_text("a: 1")
    db = sqlite3.connect(source / "gen3.sqlite3")
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("CREATE TABLE t (x)")
    db.execute("INSERT INTO t VALUES (1)")
    db.commit()  # still in the write-ahead log, as the connection stays open
    fork_repository(source, tmp_path / "fork")
    assert (tmp_path / "fork" / "raw" / "link.fits").read_text() == "pixels"
    assert (tmp_path / "fork" / "raw" / "dangling.fits").is_symlink()
    assert not list((tmp_path / "fork").glob("*-wal"))
    with sqlite3.connect(tmp_path / "fork" / "gen3.sqlite3") as copy:
        assert copy.execute("SELECT x FROM t").fetchall() == [(1,)]
    (tmp_path / "fork" / "butler.yaml").write_text("a: 2")
    assert (source / "butler.yaml").read_text() == "a: 1"
    db.close()


def test_without_hard_links_files_are_copied(tmp_path: Path, monkeypatch) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "file.fits").write_text("pixels")

    def refuse(*args, **kwargs) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    fork_repository(source, tmp_path / "fork")
    assert (tmp_path / "fork" / "file.fits").read_text() == "pixels"
    assert (tmp_path / "fork" / "file.fits").stat().st_ino != (source / "file.fits").stat().st_ino
