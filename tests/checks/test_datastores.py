"""Datastores other than the default one: several in a chain, checksums, files that lie elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lsst.daf.butler import Butler, Config, DatasetRef, DatasetType, FileDataset

from harness.verdicts import Verdict

FILE = "lsst.daf.butler.datastores.fileDatastore.FileDatastore"
CHAINED = "lsst.daf.butler.datastores.chainedDatastore.ChainedDatastore"
ALWAYS = (
    "datastore.files-exist",
    "datastore.sizes",
    "datastore.no-orphans",
    "datastore.registry-agrees",
    "datastore.artifacts-readable",
    "datastore.trash-empty",
)


@pytest.fixture
def make(tmp_path: Path) -> Callable[[dict], Path]:
    """Make a repository with some configuration and two datasets in it."""

    def repository(config: dict) -> Path:
        repo = tmp_path / "repo"
        Butler.makeRepo(str(repo), config=Config(config), forceConfigRoot=False)
        with Butler.from_config(str(repo), writeable=True, run="some/run") as butler:
            for name in ("one", "two"):
                kind = DatasetType(name, [], "StructuredDataDict", universe=butler.dimensions)
                butler.registry.registerDatasetType(kind)
                butler.put({"value": 1}, name)
        return repo

    return repository


def chained() -> dict:
    stores = [
        {"datastore": {"cls": FILE, "name": n, "root": f"<butlerRoot>/{n}", "records": {"table": f"records_{n}"}}}
        for n in ("near", "far")
    ]
    return {"datastore": {"cls": CHAINED, "datastores": stores}}


def verdicts(results: dict) -> dict[str, Verdict]:
    return {name: results[name].verdict for name in ALWAYS}


def test_every_datastore_of_a_chain_is_looked_at(make, judge) -> None:
    repo = make(chained())
    results = judge(repo, "datastore.")
    assert set(verdicts(results).values()) == {Verdict.PASS}
    assert results["datastore.files-exist"].examined == 4


def test_a_file_missing_from_one_datastore_of_a_chain_is_found(make, judge) -> None:
    repo = make(chained())
    next((repo / "far").rglob("one*.yaml")).unlink()
    [finding] = judge(repo, "datastore.files-exist")["datastore.files-exist"].findings
    assert "one" in finding.message


def test_a_file_of_the_right_size_and_another_content_has_another_checksum(make, judge) -> None:
    repo = make({"datastore": {"cls": FILE, "root": "<butlerRoot>", "checksum": True}})
    assert judge(repo, "datastore.checksums")["datastore.checksums"].verdict is Verdict.PASS
    path = next(repo.rglob("one*.yaml"))
    path.write_bytes(path.read_bytes().replace(b"1", b"2"))
    assert judge(repo, "datastore.sizes")["datastore.sizes"].verdict is Verdict.PASS
    [finding] = judge(repo, "datastore.checksums")["datastore.checksums"].findings
    assert "another content" in finding.message


def test_a_file_that_was_ingested_where_it_is_is_no_orphan_and_must_exist(make, judge, tmp_path: Path) -> None:
    repo = make({})
    outside = tmp_path / "with space.yaml"
    outside.write_text("value: 3\n")
    with Butler.from_config(str(repo), writeable=True, run="some/run") as butler:
        kind = DatasetType("three", [], "StructuredDataDict", universe=butler.dimensions)
        butler.registry.registerDatasetType(kind)
        ref = DatasetRef(kind, butler.registry.expandDataId({}), run="some/run")
        butler.ingest(FileDataset(path=str(outside), refs=[ref]), transfer="direct")
    assert set(verdicts(judge(repo, "datastore.")).values()) == {Verdict.PASS}
    assert judge(repo, "collections.run-in-file-name")["collections.run-in-file-name"].verdict is Verdict.PASS
    outside.unlink()
    [finding] = judge(repo, "datastore.files-exist")["datastore.files-exist"].findings
    assert "three" in finding.message
