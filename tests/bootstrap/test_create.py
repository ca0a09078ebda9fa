"""Making and opening repositories, and why they cannot be."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

import pytest
from lsst.daf.butler import Butler, DimensionConfig, DimensionUniverse

from harness.bootstrap.create import create_repository
from harness.errors import HarnessError
from harness.repository import open_repository, storage_errors


@pytest.fixture(scope="module")
def repo(tmp_path_factory):
    root = tmp_path_factory.mktemp("create") / "repo"
    config = {"storageClasses": {"MadeUp": {"pytype": "dict"}}}
    assert create_repository(root, config) == {
        "universe": {"namespace": "daf_butler", "version": DimensionUniverse().version}
    }
    return root


def refused(path, act=lambda butler: None, **kwargs):
    with pytest.raises(HarnessError) as caught, open_repository(path, **kwargs) as butler:
        act(butler)
    assert "\n" not in str(caught.value)
    return caught.value


def test_storage_classes_travel_in_the_configuration(repo):
    with open_repository(repo) as butler:
        assert not butler.isWriteable()
        assert butler.storageClasses.getStorageClass("MadeUp").pytype is dict


def test_repository_is_not_made_twice(repo):
    before = (repo / "butler.yaml").read_bytes()
    with pytest.raises(HarnessError, match="already holds a repository"):
        create_repository(repo, {})
    assert (repo / "butler.yaml").read_bytes() == before


def test_repository_cannot_be_made_below_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(HarnessError) as caught:
        create_repository(tmp_path / "file" / "repo", {})
    assert caught.value.code == "no-write-access"


def test_no_repository(tmp_path):
    assert refused(tmp_path / "none").code == "no-repository"
    assert refused(tmp_path).code == "no-repository"
    (tmp_path / "butler.yaml").write_text("a: [")
    assert refused(tmp_path).code == "no-repository"
    (tmp_path / "file").write_text("x")
    assert refused(tmp_path / "file").code == "no-repository"


@pytest.mark.parametrize("version", [6, 7])
def test_older_universe_is_refused_with_its_version(tmp_path, version):
    import lsst.daf.butler as package

    old = Path(package.__file__).parent / f"configs/old_dimensions/daf_butler_universe{version}.yaml"
    Butler.makeRepo(str(tmp_path / "old"), dimensionConfig=DimensionConfig(str(old)))
    error = refused(tmp_path / "old")
    assert error.code == "dimension-universe"
    assert f"has dimension universe daf_butler {version}, not daf_butler {DimensionUniverse().version}" in str(error)


@pytest.mark.parametrize(("key", "value"), [("version", 9), ("namespace", "elsewhere")])
def test_foreign_universe_is_refused(tmp_path, key, value):
    """The middleware opens both without complaint."""
    config = DimensionConfig()
    config[key] = value
    Butler.makeRepo(str(tmp_path / "foreign"), dimensionConfig=config)
    error = refused(tmp_path / "foreign")
    assert error.code == "dimension-universe"
    assert f"{value}" in str(error)


def edit(repo, statement, *parameters):
    with sqlite3.connect(repo / "gen3.sqlite3") as connection:
        assert connection.execute(statement, parameters).rowcount == 1
    connection.close()


def test_other_manager_version(tmp_path):
    create_repository(tmp_path / "r", {})
    name = "version:lsst.daf.butler.registry.collections.synthIntKey.SynthIntKeyCollectionManager"
    edit(tmp_path / "r", "UPDATE butler_attributes SET value = '99.0.0' WHERE name = ?", name)
    error = refused(tmp_path / "r")
    assert error.code == "repository-version"
    assert "99.0.0" in str(error)


def test_registry_missing_or_damaged(tmp_path):
    create_repository(tmp_path / "r", {})
    (tmp_path / "r" / "gen3.sqlite3").write_bytes(b"junk" * 1000)
    assert refused(tmp_path / "r").code == "registry-unreadable"
    (tmp_path / "r" / "gen3.sqlite3").unlink()
    assert refused(tmp_path / "r").code == "registry-unreadable"


def test_no_write_access(repo, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    assert refused(repo, writeable=True).code == "no-write-access"
    with open_repository(repo):
        pass


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, "disk-full"), (errno.EDQUOT, "disk-full"), (errno.EROFS, "no-write-access")]
)
def test_storage_errors_are_one_line(tmp_path, number, code):
    with pytest.raises(HarnessError) as caught, storage_errors(tmp_path):
        raise OSError(number, os.strerror(number))
    assert caught.value.code == code
    with pytest.raises(FileNotFoundError), storage_errors(tmp_path):
        raise FileNotFoundError(errno.ENOENT, "other failures pass")


def test_read_only_registry_is_found_when_it_is_written(tmp_path, monkeypatch):
    """Even root may not write to a database that SQLite was told to keep: as on a read-only mount."""
    create_repository(tmp_path / "r", {})
    connect = sqlite3.connect

    def query_only(*args, **kwargs):
        connection = connect(*args, **kwargs)
        connection.execute("PRAGMA query_only = ON")
        return connection

    monkeypatch.setattr(sqlite3, "connect", query_only)
    error = refused(tmp_path / "r", act=lambda butler: butler.collections.register("x"), writeable=True)
    assert error.code == "no-write-access"
