from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.checks import all_checks
from harness.checks.context import CheckContext
from harness.repository import open_repository
from harness.stages.fork import fork_repository
from harness.verdicts import CheckResult, run_check

if TYPE_CHECKING:
    from lsst.daf.butler import Butler

# the instrument's class is imported by the middleware under the name in its record
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the made-up instrument and nothing else; not to be written to."""
    from snapcam import make

    return make(tmp_path_factory.mktemp("snapcam") / "repo")


@pytest.fixture
def repo(registered: Path, tmp_path: Path) -> Path:
    """A writable copy."""
    fork_repository(registered, tmp_path / "repo")
    return tmp_path / "repo"


@pytest.fixture
def butler(repo: Path) -> Iterator[Butler]:
    with open_repository(repo, writeable=True) as butler:
        yield butler


@pytest.fixture
def judge(repo: Path) -> Callable[..., dict[str, CheckResult]]:
    """Run the checks that are about visits on the repository, as it is when called."""
    from snapcam import KIT

    about = ("visits.", "geometry.", "time.visit-hull", "identifiers.visit-max", "identifiers.day-obs")

    def run(*prefixes: str, kit=KIT) -> dict[str, CheckResult]:
        with open_repository(repo) as butler:
            context = CheckContext(butler, repo, {kit.name: kit})
            wanted = [c for c in all_checks() if c.id.startswith(prefixes or about) and c.after in ("ingest", "visits")]
            return {c.id: run_check(c, context, "visits") for c in wanted}

    return run
