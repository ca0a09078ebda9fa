from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.stages.fork import fork_repository

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that nobody may write to."""
    from minirepo import fill

    folder = tmp_path_factory.mktemp("pristine")
    fill(folder / "repo", files=folder)
    return folder / "repo"


@pytest.fixture(scope="session")
def fork(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Path]]:
    """Makes writable copies of the pristine repository."""
    folder = tmp_path_factory.mktemp("forks")
    number = itertools.count()

    def make() -> Path:
        target = folder / f"fork{next(number)}"
        fork_repository(pristine, target)
        return target

    return make
