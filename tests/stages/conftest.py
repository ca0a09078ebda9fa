from __future__ import annotations

import pytest

from harness.stage import Stage


def nothing(context) -> dict:
    return {}


@pytest.fixture
def stage():
    """Make a stage of a few words."""

    def make(name, run=nothing, **kwargs) -> Stage:
        return Stage(name, f"do {name}", run, **kwargs)

    return make
