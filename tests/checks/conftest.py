from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.checks import all_checks
from harness.checks.context import CheckContext
from harness.verdicts import CheckResult, run_check


@pytest.fixture
def judge() -> Callable[..., dict[str, CheckResult]]:
    """Run some checks on a repository, without an instrument's kit unless given one."""

    def run(repo: Path, prefix: str = "", kits: dict | None = None) -> dict[str, CheckResult]:
        from lsst.daf.butler import Butler

        with Butler.from_config(str(repo), writeable=False) as butler:
            context = CheckContext(butler, repo, kits or {})
            wanted = [c for c in all_checks() if c.id.startswith(prefix) and c.family != "quality"]
            return {c.id: run_check(c, context, "process") for c in wanted}

    return run
