from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from harness.audit.baseline import Baseline
from harness.audit.running import AuditReport, audit
from harness.audit.selection import Request
from harness.cli.main import main
from harness.verdicts import Check, Finding


@pytest.fixture
def harness(tmp_path: Path, monkeypatch):
    """Run the command line in this process, in an empty folder, and return exit status, output and errors."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> SimpleNamespace:
        done = CliRunner().invoke(main, [str(w) for w in words])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return SimpleNamespace(code=done.exit_code, out=done.stdout, err=done.stderr)

    return run


@pytest.fixture
def audited(plugins) -> Callable[..., AuditReport]:
    """Audit a repository with the installed checks, or with some given ones."""

    def run(repo: Path, only: list[Check] | None = None, baseline: Baseline | None = None, **request) -> AuditReport:
        known = plugins.checks() if only is None else {c.id: c for c in only}
        return audit(repo, known, plugins.instruments(), Request(**request), baseline=baseline)

    return run


@pytest.fixture(scope="session")
def make_small() -> Callable[..., Path]:
    """Make a small repository without any installed instrument: two runs with three datasets each."""
    from lsst.daf.butler import Butler, DatasetType

    def make(folder: Path, **kwargs) -> Path:
        Butler.makeRepo(str(folder), **kwargs)
        with Butler.from_config(str(folder), writeable=True) as butler:
            insert = butler.registry.insertDimensionData
            insert(
                "instrument",
                {"name": "Cam", "detector_max": 3, "exposure_max": 9, "visit_max": 9, "class_name": "x.Cam"},
            )
            for number in range(3):
                insert("detector", {"instrument": "Cam", "id": number, "full_name": f"d{number}"})
            kind = DatasetType("level", {"instrument", "detector"}, "StructuredDataDict", universe=butler.dimensions)
            butler.registry.registerDatasetType(kind)
            for run in ("one", "two"):
                butler.registry.registerRun(run)
                for number in range(3):
                    butler.put({"n": number}, kind, run=run, instrument="Cam", detector=number)
        return folder

    return make


@pytest.fixture(scope="session")
def made(make_small, tmp_path_factory) -> Path:
    """A small repository, to be copied, not changed."""
    return make_small(tmp_path_factory.mktemp("small") / "repo")


@pytest.fixture
def small(made: Path, tmp_path: Path) -> Path:
    """A copy of the small repository."""
    return Path(shutil.copytree(made, tmp_path / "small"))


@pytest.fixture
def listing() -> Callable[[Path], dict[str, tuple[int, ...]]]:
    """Return kind, size and time of everything in a folder."""

    def read(folder: Path) -> dict[str, tuple[int, ...]]:
        found = {}
        for path in [folder, *folder.rglob("*")]:
            status = path.lstat()
            found[str(path)] = (status.st_mode, status.st_size, status.st_mtime_ns)
        return found

    return read


@pytest.fixture
def finds() -> Callable[..., Check]:
    """Make a check that finds what it is given, having looked at as many things."""
    from harness.verdicts import check

    def make(id_: str, *findings: Finding, examined: int = 1, **kwargs) -> Check:
        def function(context):
            """Why."""
            context.examined(examined)
            yield from findings

        return check(id_, title="It holds", after="create", **kwargs)(function)

    return make
