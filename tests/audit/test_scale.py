"""What lets an audit reach a million datasets: sets instead of single ones, and files that are met once."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest
import sqlalchemy
from lsst.daf.butler import Butler

from harness.checks import all_checks, inventory, survey
from harness.checks.context import CheckContext
from harness.checks.inventory import Walk
from harness.checks.scope import Scope
from harness.verdicts import CheckResult, Verdict, run_check

CHECKS = {c.id: c for c in all_checks()}
SETS = (
    "collections.members",
    "collections.run-in-file-name",
    "collections.summary-complete",
    "collections.summary-exact",
    "datastore.files-exist",
    "datastore.no-orphans",
    "datastore.no-shared-file",
    "datastore.registry-agrees",
    "datastore.sizes",
    "identifiers.references-resolve",
    "provenance.init-outputs",
    "provenance.metadata-and-log",
)


@pytest.fixture(scope="session")
def generator() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks/big_repository.py"
    sys.path.insert(0, str(path.parent))  # where it finds its other half
    spec = importlib.util.spec_from_file_location("big_repository", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def made(generator, tmp_path_factory) -> Callable[[int], Path]:
    """Repositories of some sizes, to be read only."""
    built: dict[int, Path] = {}

    def get(datasets: int) -> Path:
        if datasets not in built:
            built[datasets] = generator.build(tmp_path_factory.mktemp("big") / str(datasets), datasets)
        return built[datasets]

    return get


@pytest.fixture
def copy(made, tmp_path: Path) -> Path:
    """A copy of the smallest repository, to do with as one likes."""
    return Path(shutil.copytree(made(200), tmp_path / "repo"))


@pytest.fixture
def look(plugins) -> Callable[..., CheckResult]:
    def run(repo: Path, check: str, scope: Scope | None = None) -> CheckResult:
        with Butler.from_config(str(repo), writeable=False) as butler:
            return run_check(CHECKS[check], CheckContext(butler, repo, plugins.instruments(), scope=scope), "audit")

    return run


def test_the_generated_repository_is_sound(made, audited) -> None:
    report = audited(made(200))
    wrong = {c.check.id: [f.finding.message for f in c.findings] or c.result.traceback for c in report.checks}
    assert not {k: v for k, v in wrong.items() if v}
    passed = {c.check.id for c in report.checks if c.result.verdict is Verdict.PASS}
    assert passed >= {*SETS, "calibrations.found-once", "geometry.detector-regions", "visits.fields"}


@pytest.mark.parametrize("check", SETS)
def test_as_many_questions_for_more_datasets(check: str, made) -> None:
    """A check that asks the database about each dataset, exposure or file asks more of the larger repository."""

    def asked(repo: Path) -> tuple[int, int]:
        with Butler.from_config(str(repo), writeable=False) as butler:
            number = 0

            def count(*_args) -> None:
                nonlocal number
                number += 1

            sqlalchemy.event.listen(butler._registry._db._engine, "before_cursor_execute", count)
            result = run_check(CHECKS[check], CheckContext(butler, repo, {}), "audit")
            return number, result.examined

    (few, small), (many, large) = asked(made(200)), asked(made(600))
    assert few == many
    assert large >= small
    assert few > 0


# --- files -----------------------------------------------------------------------------------------


def some_file(repo: Path, name: str) -> Path:
    return sorted(repo.glob(f"LSSTComCam/runs/nightly/*/{name}/**/*.*"))[0]


def replace(path: Path, content: bytes) -> None:
    path.unlink()  # files are links to few
    path.write_bytes(content)


def test_what_is_wrong_with_files_is_found_among_many(copy: Path, look) -> None:
    gone, longer = some_file(copy, "sources"), some_file(copy, "isr_log")
    gone.unlink()
    replace(longer, longer.read_bytes() + b" ")
    extra = longer.with_name("extra.json")
    extra.write_text("{}")
    [missing] = look(copy, "datastore.files-exist").findings
    assert missing.where == str(gone.relative_to(copy))
    assert missing.data_id["instrument"] == "LSSTComCam"
    assert missing.remedy.startswith("butler prune-datasets {repo}")
    [resized] = look(copy, "datastore.sizes").findings
    assert resized.where == str(longer.relative_to(copy))
    [orphan] = look(copy, "datastore.no-orphans").findings
    assert orphan.where == str(extra.relative_to(copy))


def test_two_names_of_one_hash_make_no_finding(copy: Path, look, monkeypatch) -> None:
    """Names are compared by hashes, but what is told is true by the names themselves."""
    for module in (inventory, survey):
        monkeypatch.setattr(module, "hash", lambda path: hash(path) % 7, raising=False)
    for check in ("datastore.files-exist", "datastore.sizes"):
        assert look(copy, check).verdict is Verdict.PASS


def test_a_run_on_another_disk_is_whole(copy: Path, look, tmp_path: Path) -> None:
    """Folders that are links are not walked, but what is recorded below them is there, and they are no orphans."""
    run = sorted((copy / "LSSTComCam/runs/nightly").iterdir())[0]
    shutil.move(run, tmp_path / "elsewhere")
    run.symlink_to(tmp_path / "elsewhere")
    (copy / "LSSTComCam/stray").symlink_to(tmp_path / "elsewhere")
    assert look(copy, "datastore.files-exist").verdict is Verdict.PASS
    assert look(copy, "datastore.sizes").verdict is Verdict.PASS
    assert [f.where for f in look(copy, "datastore.no-orphans").findings] == ["LSSTComCam/stray"]


def test_links_that_lead_nowhere_are_missing_files(copy: Path, look) -> None:
    broken, loop = some_file(copy, "sources"), some_file(copy, "isr_log")
    for path, target in ((broken, "nowhere"), (loop, loop.name)):
        path.unlink()
        path.symlink_to(target)
    found = {f.where for f in look(copy, "datastore.files-exist").findings}
    assert found == {str(p.relative_to(copy)) for p in (broken, loop)}


def test_a_name_that_is_no_text_is_an_orphan(copy: Path, look) -> None:
    Path(os.fsdecode(os.fsencode(copy) + b"/LSSTComCam/\xff.fits")).touch()
    [finding] = look(copy, "datastore.no-orphans").findings
    assert finding.where == "LSSTComCam/\\udcff.fits"


def test_a_walk_names_what_it_met(tmp_path: Path) -> None:
    for name in ("a/b/1", "a/2", "c/3"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    walk = Walk(str(tmp_path), [""], [])
    names = list(walk.names(range(len(walk.keys))))
    assert sorted(names) == ["a/2", "a/b/1", "c/3"]
    assert {(hash(n), len(n)) for n in names} == set(zip(walk.keys.tolist(), walk.sizes.tolist(), strict=True))


# --- parts of a repository ----------------------------------------------------------------------------


def runs(repo: Path) -> list[str]:
    return sorted(str(p.relative_to(repo)) for p in (repo / "LSSTComCam/runs/nightly").iterdir())


def test_only_the_runs_that_are_asked_for(copy: Path, look) -> None:
    first, second = runs(copy)[:2]
    gone = sorted((copy / first / "isr_log").rglob("*.json"))[0]
    gone.rename(gone.with_name("moved.json"))
    for check in ("datastore.files-exist", "datastore.no-orphans"):
        whole = look(copy, check)
        one, other = (look(copy, check, Scope(collections=(name,))) for name in (first, second))
        assert len(whole.findings) == len(one.findings) == 1
        assert other.verdict is Verdict.PASS
        assert 0 < other.examined < whole.examined


@pytest.mark.parametrize("collection", ["selected", "LSSTComCam/calib"])
def test_members_of_tagged_and_calibration_collections(made, look, collection: str) -> None:
    copy = made(200)
    some = look(copy, "datastore.files-exist", Scope(collections=(collection,)))
    assert some.verdict is Verdict.PASS
    assert 0 < some.examined < look(copy, "datastore.files-exist").examined


@pytest.mark.parametrize("check", ["collections.members", "datastore.registry-agrees", "datastore.files-exist"])
def test_only_what_came_since(made, look, check: str) -> None:
    copy = made(200)
    with closing(sqlite3.connect(f"file:{copy}/gen3.sqlite3?mode=ro", uri=True)) as database:
        dates = sorted(d for (d,) in database.execute("SELECT ingest_date FROM dataset"))
    everything = look(copy, check).examined
    assert 0 < look(copy, check, Scope(since=dates[len(dates) // 2])).examined < everything
    assert look(copy, check, Scope(since=dates[-1] + 1)).verdict is Verdict.UNKNOWN


def test_no_more_files_are_opened_than_asked_for(made, look) -> None:
    copy = made(200)
    assert look(copy, "datastore.artifacts-readable", Scope(sample=10)).examined == 10
    assert look(copy, "provenance.quantum-times", Scope(sample=5)).examined == 5
