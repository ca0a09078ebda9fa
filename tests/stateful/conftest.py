from __future__ import annotations

from pathlib import Path

import pytest

from harness.stateful.template import make_template


@pytest.fixture(scope="session")
def template(tmp_path_factory) -> Path:
    """The repository that walks begin with."""
    return make_template(tmp_path_factory.mktemp("stateful") / "template")
