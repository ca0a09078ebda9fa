from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.bootstrap.create import create_repository
from harness.repository import open_repository
from harness.stages.fork import fork_repository

if TYPE_CHECKING:
    from lsst.daf.butler import Butler

# the instruments' classes are imported by the middleware under the name in their records
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def bootstrapped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository in which the two made-up instruments are registered; not to be written to."""
    from madecams import MadeCamA, MadeCamB

    repo = tmp_path_factory.mktemp("bootstrapped") / "repo"
    create_repository(repo, {})
    with open_repository(repo, writeable=True) as butler:
        MadeCamA().register(butler.registry)
        MadeCamB().register(butler.registry)
    return repo


@pytest.fixture
def repo(bootstrapped: Path, tmp_path: Path) -> Path:
    """A writable copy."""
    fork_repository(bootstrapped, tmp_path / "repo")
    return tmp_path / "repo"


@pytest.fixture
def butler(repo: Path) -> Iterator[Butler]:
    with open_repository(repo, writeable=True) as butler:
        yield butler


@pytest.fixture
def raw(tmp_path: Path) -> Callable[..., Path]:
    """Writes a raw into the folder ``in``: ``raw(DETNUM=1, RA=None)``."""
    from madecams import write

    number = itertools.count()

    def make(name: str = "", **changes: object) -> Path:
        return write(tmp_path / "in" / (name or f"raw{next(number)}.fits"), **changes)

    return make
