"""A repository that several instruments share: what was there stays as it was, and what changes is found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lsst.daf.butler import Butler
from minirepo import NAME, MiniInstrument, register_type

from harness.checks.context import CheckContext
from harness.defects.base import Defect, DefectTarget
from harness.instrument.kit import InstrumentKit
from harness.stages.fork import fork_repository
from harness.transfer.together_checks import CHECKS
from harness.transfer.together_defects import DEFECTS
from harness.verdicts import Verdict, run_check

SECOND = "Second"


def add_second_instrument(butler: Butler) -> None:
    """Add what the harness would add for another instrument: records, a run, and the end of a shared chain."""
    registry = butler.registry
    limits = {"detector_max": 1, "visit_max": 10, "exposure_max": 10, "visit_system": 0}
    registry.insertDimensionData("instrument", {"name": SECOND, "class_name": "nowhere.Second", **limits})
    registry.insertDimensionData("detector", {"instrument": SECOND, "id": 0, "full_name": "S0", "purpose": "SCIENCE"})
    register_type(butler, "spectrum", {"instrument", "detector"}, "StructuredDataDict")
    butler.put({}, "spectrum", instrument=SECOND, detector=0, run=f"{SECOND}/raw/all")
    butler.collections.register(f"{SECOND}/more")
    butler.collections.extend_chain(f"{NAME}/defaults", f"{SECOND}/more")


@pytest.fixture(scope="module")
def shared(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    repo = tmp_path_factory.mktemp("shared") / "repo"
    fork_repository(pristine, repo)
    with Butler.from_config(str(repo), writeable=True) as butler:
        butler.collections.register(f"{SECOND}/raw/all")
        add_second_instrument(butler)
    return repo


@pytest.fixture
def verdicts(pristine: Path) -> Callable[[Path], dict[str, list[str]]]:
    """Run the checks and return the messages of those that do not pass."""

    def run(repo: Path) -> dict[str, list[str]]:
        out = {}
        with Butler.from_config(str(repo), writeable=False) as butler:
            context = CheckContext(butler, repo, {}, facts={"together": {"original": str(pristine)}})
            for check in CHECKS:
                result = run_check(check, context, "together")
                assert not result.traceback, result.traceback
                if result.verdict is not Verdict.PASS:
                    out[check.id] = [f.message for f in result.findings]
        return out

    return run


def test_an_addition_disturbs_nothing(shared: Path, verdicts: Callable[[Path], dict[str, list[str]]]) -> None:
    assert verdicts(shared) == {}


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda d: d.id)
def test_a_defect_is_found_by_its_check(
    defect: Defect, shared: Path, verdicts: Callable[[Path], dict[str, list[str]]], tmp_path: Path
) -> None:
    unused: Any = None
    fork_repository(shared, tmp_path / "repo")
    kit = InstrumentKit(MiniInstrument, unused, unused, frozenset())
    defect.apply(DefectTarget(tmp_path / "repo", unused, kit))
    assert set(verdicts(tmp_path / "repo")) == {defect.found_by}


def test_every_check_has_a_defect() -> None:
    assert {d.found_by for d in DEFECTS} == {c.id for c in CHECKS}
