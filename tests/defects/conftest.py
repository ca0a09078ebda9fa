from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from harness.checks import all_checks
from harness.checks.context import CheckContext
from harness.defects.base import Defect, DefectTarget
from harness.verdicts import Finding, run_check


@pytest.fixture(scope="session")
def named() -> dict[str, list[str]]:
    """For each defect the words by which a finding must name what was corrupted."""
    return tomllib.loads((Path(__file__).parent / "named.toml").read_text())


@pytest.fixture
def find(state, dataset, kit) -> Callable[[Defect], Sequence[Finding]]:
    """Apply a defect to a fresh fork and return what the check that it names finds there."""
    checks = {c.id: c for c in all_checks()}

    def run(defect: Defect) -> Sequence[Finding]:
        from lsst.daf.butler import Butler

        repo = state(defect.after)
        defect.apply(DefectTarget(repo, dataset, kit))
        with Butler.from_config(str(repo), writeable=False) as butler:
            check = checks[defect.found_by]
            # Of the files of a repository that was just made only some are opened; of an audit's, all.
            context = CheckContext(butler, repo, {kit.name: kit}, None if check.deep else dataset)
            return run_check(check, context, defect.after).findings

    return run


@pytest.fixture(scope="session")
def usable() -> Callable[[str], bool]:
    """Tell whether the command of a finding exists and takes its options; it is not run."""
    import shlex

    import click
    from lsst.daf.butler.cli.butler import cli

    def check(look: str) -> bool:
        words = shlex.split(look.partition("|")[0])
        if words[0] != "butler":
            return words[0] in {"ls", "sqlite3", "fitsheader", "python"} and "{repo}" in look
        with click.Context(cli) as context:
            command = cli.get_command(context, words[1])
            command.make_context(words[1], words[2:], parent=context)
        return words[2] == "{repo}"

    return check
