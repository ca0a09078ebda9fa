"""What is in the way of an audit is said in one line, with an exit status; a repository is never taken for sound."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from importlib.resources import files
from pathlib import Path

import pytest
import yaml
from lsst.daf.butler import Butler, Config, DimensionConfig

from harness.audit import source
from harness.errors import ExitCode, HarnessError
from harness.verdicts import Verdict


def configure(repo: Path, **datastore: object) -> None:
    """Change the datastore's configuration of a repository."""
    file = repo / "butler.yaml"
    content = yaml.safe_load(file.read_text())
    content["datastore"].update(datastore)
    file.write_text(yaml.safe_dump(content))


def attribute(repo: Path, name: str, value: str) -> None:
    with closing(sqlite3.connect(repo / "gen3.sqlite3")) as database, database:
        assert database.execute("UPDATE butler_attributes SET value=? WHERE name LIKE ?", (value, name)).rowcount


# --- no repository -------------------------------------------------------------------------------------


def make_nothing(path: Path) -> None:
    pass


def make_folder(path: Path) -> None:
    path.mkdir()


def make_file(path: Path) -> None:
    path.write_text("[1, 2")


def make_loop(path: Path) -> None:
    path.symlink_to(path)


def make_broken_configuration(path: Path) -> None:
    path.mkdir()
    (path / "butler.yaml").write_text("a: [")


def make_list(path: Path) -> None:
    path.mkdir()
    (path / "butler.yaml").write_text("- 1\n- 2\n")


def make_unknown_database(path: Path) -> None:
    path.mkdir()
    (path / "butler.yaml").write_text("registry: {db: 'oracle://host/name'}\n")


def make_other_configuration(path: Path) -> None:
    path.mkdir()
    (path / "butler.yaml").write_text("registry: {db: 'sqlite:///<butlerRoot>/gen3.sqlite3'}\n")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (make_nothing, "nothing is there"),
        (make_folder, "it has no butler.yaml"),
        (make_file, "no repository at"),
        (make_loop, "Too many levels of symbolic links"),
        (make_broken_configuration, "no repository at"),
        (make_list, "no repository at"),
        (make_unknown_database, "a database that the middleware does not know"),
        (make_other_configuration, "gen3.sqlite3: No such file or directory"),
    ],
)
def test_not_a_repository(harness, tmp_path: Path, make, says: str) -> None:
    path = tmp_path / "thing"
    make(path)
    done = harness("audit", path)
    assert done.code == ExitCode.USAGE
    assert done.out == ""
    assert done.err.count("\n") == 1
    assert says in done.err
    assert str(path) in done.err


def test_a_path_that_is_not_utf8(audited, small: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(small) + b"\xff"))
    small.rename(odd)
    with pytest.raises(HarnessError, match="the path is not UTF-8") as caught:
        audited(odd)
    assert str(caught.value).isprintable()


def test_no_database(harness, small: Path) -> None:
    (small / "gen3.sqlite3").write_text("this was a database once" * 100)
    done = harness("audit", small)
    assert (done.code, done.err.count("\n")) == (ExitCode.USAGE, 1)
    assert "file is not a database" in done.err


def test_a_damaged_database_is_a_finding(audited, small: Path) -> None:
    file = small / "gen3.sqlite3"
    with closing(sqlite3.connect(file)) as database:
        (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name='collection'").fetchone()
        (size,) = database.execute("PRAGMA page_size").fetchone()
    with file.open("r+b") as stream:
        stream.seek((page - 1) * size)
        stream.write(b"\xee" * size)
    report = audited(small)
    assert report.verdict is Verdict.FAIL
    assert [c.check.id for c in report.checks if c.findings] == ["repository.database"]
    assert any("registry of" in doubt for doubt in report.doubts)


# --- who may not read ------------------------------------------------------------------------------------


@contextmanager
def unprivileged(folder: Path):
    """Be somebody who owns nothing: as root, another user."""
    if os.geteuid():
        yield
        return
    import lsst.daf.butler

    os.seteuid(65534)
    try:
        if not os.access(Path(lsst.daf.butler.__file__).parent / "configs", os.R_OK, effective_ids=True):
            pytest.skip("this environment can be read by its owner only")
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def foreign(made: Path):
    """A copy of the small repository where any user can reach it, and nobody but its owner can write."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        repo = Path(shutil.copytree(made, Path(folder) / "repo"))
        yield repo
        for path in [repo, *repo.rglob("*")]:
            path.chmod(0o755)


def close(path: Path) -> None:
    path.chmod(0)


@pytest.mark.parametrize("name", ["butler.yaml", "gen3.sqlite3"])
def test_an_unreadable_file(audited, foreign: Path, name: str) -> None:
    close(foreign / name)
    with unprivileged(foreign), pytest.raises(HarnessError, match=f"cannot be read: .*{name}: Permission") as caught:
        audited(foreign)
    assert caught.value.exit_code == ExitCode.USAGE


def test_unreadable_data_are_not_sound(audited, foreign: Path) -> None:
    close(foreign / "one")
    with unprivileged(foreign):
        report = audited(foreign, families=("datastore",))
    assert report.verdict is not Verdict.PASS
    said = [c.result.reason for c in report.checks] + [f.finding.message for c in report.checks for f in c.findings]
    assert any("cannot be looked at" in text or "ermission" in text for text in said), said


def test_without_write_permission(audited, foreign: Path, listing) -> None:
    for path in [*foreign.rglob("*"), foreign]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = listing(foreign)
    audited(foreign)  # all modules are imported by who may read them
    with unprivileged(foreign):
        report = audited(foreign)
    assert listing(foreign) == before
    assert report.verdict is Verdict.PASS, [c.result.traceback for c in report.checks if c.result.traceback]


# --- who writes at the same time ---------------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch) -> None:
    monkeypatch.setattr(source, "LOCK_SECONDS", 0.01)


@pytest.mark.usefixtures("impatient")
def test_a_locked_registry_is_unknown(harness, small: Path) -> None:
    with closing(sqlite3.connect(small / "gen3.sqlite3")) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        done = harness("audit", small)
    assert (done.code, done.err.count("\n")) == (ExitCode.UNKNOWN, 1)
    assert "another process is writing to it" in done.err


@pytest.mark.usefixtures("impatient")
def test_a_write_that_has_begun(audited, small: Path) -> None:
    with closing(sqlite3.connect(small / "gen3.sqlite3", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE collection SET name='three' WHERE name='two'")
        report = audited(small)
        writer.execute("ROLLBACK")
    assert report.verdict is Verdict.UNKNOWN
    assert "another process has begun to write" in report.doubts[0]


@pytest.mark.usefixtures("impatient")
def test_a_write_that_was_interrupted(harness, small: Path, listing) -> None:
    """A writer was killed after its changes had reached the file: they must be rolled back, but not by an audit."""
    with closing(sqlite3.connect(small / "gen3.sqlite3", isolation_level=None)) as writer:
        writer.execute("PRAGMA cache_size=1")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("CREATE TABLE long (x)")
        writer.executemany("INSERT INTO long VALUES (?)", [("x" * 1000,)] * 200)
        killed = small.with_name("killed")
        shutil.copytree(small, killed)
        writer.execute("ROLLBACK")
    before = listing(killed)
    done = harness("audit", killed)
    assert (done.code, done.err.count("\n")) == (ExitCode.UNKNOWN, 1)
    assert "was left in the middle of a change" in done.err
    assert listing(killed) == before


def test_a_repository_that_changes_meanwhile(audited, small: Path, finds) -> None:
    def function(context):
        with Butler.from_config(str(small), writeable=True) as butler:
            butler.registry.registerRun("three")
        context.examined()
        return ()

    writer = finds("collections.writer")
    report = audited(small, [type(writer)(**{**vars(writer), "function": function})])
    assert report.verdict is Verdict.UNKNOWN
    assert "was written to while it was audited" in report.doubts[0]


def test_a_registry_in_wal_mode_is_read_and_left_alone(audited, small: Path, listing) -> None:
    """A reader of such a database leaves files beside it. What is only in its log is part of it."""
    with closing(sqlite3.connect(small / "gen3.sqlite3")) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA wal_autocheckpoint=0")
        with database:
            database.execute("INSERT INTO collection (name, type) VALUES ('new', 2)")
        before = listing(small)
        report = audited(small, families=("collections",), collections=("new", "one"))
        assert listing(small) == before
    assert report.verdict is Verdict.PASS
    assert report.scope.collections == ("new", "one")
    assert "WAL" in report.notes[0]


# --- what is missing or newer ------------------------------------------------------------------------------


def test_a_root_that_is_gone_is_one_finding(harness, small: Path, tmp_path: Path) -> None:
    configure(small, root=str(tmp_path / "elsewhere"))
    for run in ("one", "two"):
        shutil.rmtree(small / run)
    done = harness("audit", small, "--deep", "--format", "json")
    report = json.loads(done.out)
    assert done.code == ExitCode.FAIL
    (found,) = [f for c in report["checks"] for f in c["findings"]]
    assert str(tmp_path / "elsewhere") in found["message"]
    assert not (tmp_path / "elsewhere").exists(), "the middleware would make it"
    assert "datastore.files-exist" in report["left_out"]["the root of the datastore is gone"]
    assert report["families"]["collections"]["pass"], "what needs no files is still looked at"


def test_a_root_that_has_moved(audited, small: Path, tmp_path: Path) -> None:
    configure(small, root=str(tmp_path / "old"))
    report = audited(small)
    (found,) = [f.finding for c in report.checks for f in c.findings]
    assert found.remedy == f"its files lie in {small}: set datastore.root to <butlerRoot> in {small}/butler.yaml"


def test_a_root_of_a_chain_that_is_gone(audited, tmp_path: Path) -> None:
    config = Config(
        {
            "datastore": {
                "cls": "lsst.daf.butler.datastores.chainedDatastore.ChainedDatastore",
                "datastores": [
                    {"datastore": {"cls": "lsst.daf.butler.datastores.fileDatastore.FileDatastore", "root": root}}
                    for root in ("<butlerRoot>/first", "<butlerRoot>/second")
                ],
            }
        }
    )
    repo = tmp_path / "repo"
    Butler.makeRepo(str(repo), config=config)
    with Butler.from_config(str(repo)) as butler:
        roots = [uri.ospath for uri in butler.get_datastore_roots().values() if uri]
    assert len(roots) == 2
    shutil.rmtree(roots[1])
    report = audited(repo, families=("repository",))
    (found,) = [f.finding for c in report.checks for f in c.findings]
    assert roots[1].rstrip("/") in found.message


def test_a_half_deleted_datastore(audited, small: Path) -> None:
    shutil.rmtree(small / "two")
    report = audited(small, families=("datastore",))
    (found,) = [f.finding for c in report.checks for f in c.findings if c.check.id == "datastore.files-exist"]
    assert found.message == "the folder two is gone, with 3 of its files"
    assert report.verdict is Verdict.FAIL


@pytest.mark.parametrize(("key", "value"), [("version:%.SynthIntKeyCollectionManager", "99.0.0")])
def test_a_newer_schema_is_unknown(audited, small: Path, key: str, value: str) -> None:
    attribute(small, key, value)
    report = audited(small)
    assert report.verdict is Verdict.UNKNOWN
    assert "99.0.0" in report.doubts[0]
    looked = {c.check.id: c.result.examined for c in report.checks}
    assert looked["repository.recorded-files"] == 6, "the files can still be counted"
    shutil.rmtree(small / "two")
    assert audited(small).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE butler_attributes SET value='{' WHERE name LIKE 'config:dim%'",
        "DELETE FROM butler_attributes WHERE name LIKE 'config:dim%'",
        "UPDATE butler_attributes SET value='new' WHERE name LIKE 'version:%Collection%'",
        "UPDATE collection SET type=77",
        "UPDATE instrument SET name=CAST(x'ff41' AS TEXT)",
        "DROP TABLE collection",
    ],
)
def test_a_registry_in_disorder_is_not_sound(audited, small: Path, statement: str) -> None:
    """Whatever the middleware makes of it, the audit goes on with what it can look at, and says why."""
    with closing(sqlite3.connect(small / "gen3.sqlite3")) as database, database:
        database.execute(statement)
    report = audited(small, families=("collections", "datastore"))
    assert report.verdict in {Verdict.UNKNOWN, Verdict.FAIL}
    assert report.doubts or any(c.findings for c in report.checks)
    assert all("\n" not in doubt for doubt in report.doubts)


def test_a_newer_universe_is_unknown(audited, small: Path) -> None:
    """The middleware opens it without complaint."""
    with closing(sqlite3.connect(small / "gen3.sqlite3")) as database:
        (text,) = database.execute("SELECT value FROM butler_attributes WHERE name LIKE 'config:dim%'").fetchone()
    attribute(small, "config:dim%", json.dumps(json.loads(text) | {"version": 9}))
    report = audited(small)
    assert report.universe == "daf_butler 9"
    assert report.verdict is Verdict.UNKNOWN
    assert "daf_butler 9 is not one that is known here" in report.doubts[0]
    families = {c.check.family for c in report.checks}
    assert families == {"repository", "collections", "datastore", "registry"} & families
    assert {"collections", "datastore"} <= families


@pytest.mark.parametrize("version", [6, 7])
def test_older_universes_are_audited(audited, tmp_path: Path, make_small, version: int) -> None:
    config = str(files("lsst.daf.butler") / f"configs/old_dimensions/daf_butler_universe{version}.yaml")
    repo = make_small(tmp_path / "repo", dimensionConfig=DimensionConfig(config))
    report = audited(repo)
    assert not [(c.check.id, c.result.reason) for c in report.checks if c.result.traceback]
    assert (report.universe, report.verdict) == (f"daf_butler {version}", Verdict.PASS)
    next((repo / "one").rglob("*.*")).unlink()
    assert audited(repo, families=("datastore",)).verdict is Verdict.FAIL


def test_an_empty_repository_is_unknown(audited, tmp_path: Path) -> None:
    Butler.makeRepo(str(tmp_path / "repo"))
    report = audited(tmp_path / "repo")
    assert not [f for c in report.checks for f in c.findings]
    assert report.verdict is Verdict.UNKNOWN


# --- names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["text", "json", "junit"])
def test_names_that_no_terminal_takes(harness, small: Path, form: str) -> None:
    """A name that is not UTF-8, and one that would colour the terminal."""
    for name in (b"\xff\xfe", b"\x1b[31m\n"):
        Path(os.fsdecode(os.fsencode(small / "one") + b"/" + name)).write_text("x")
    out = small.parent / "report"
    done = harness("audit", small, "--check", "datastore.no-orphans", "--format", form, "--output", out)
    assert done.code == ExitCode.FAIL
    text = out.read_text(encoding="utf-8")
    assert "\x1b" not in text + done.out
    assert r"\xff\xfe" in text or r"\\xff\\xfe" in text or r"\udcff" in text


def test_loops_of_links(audited, small: Path) -> None:
    """One in place of a recorded file, one that nobody knows, and one that leads back to the repository."""
    recorded = next((small / "one").rglob("*.*"))
    recorded.unlink()
    recorded.symlink_to(recorded.name)
    (small / "two" / "back").symlink_to("..", target_is_directory=True)
    (small / "two" / "loop").symlink_to("loop")
    report = audited(small, families=("datastore",))
    assert report.verdict is Verdict.FAIL
    where = {f.finding.where for c in report.checks for f in c.findings}
    assert {"two/back", "two/loop"} <= where
