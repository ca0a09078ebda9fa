from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from toy import Toy

# the table of wrong instruments, and the toy that they are made from, are shared by the tests of this folder
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toy]:
    """The instrument that ``harness new-plugin`` makes."""
    from toy import Toy, registry_kept

    with registry_kept():
        yield Toy(tmp_path_factory.mktemp("toy"))
