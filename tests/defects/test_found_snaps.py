"""Each seeded defect of visits of several exposures is found, in a repository of a made-up instrument with snaps."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.bootstrap.visits import define_visits
from harness.checks import all_checks
from harness.checks.context import CheckContext
from harness.defects import all_defects
from harness.defects.base import DefectTarget
from harness.defects.snaps import DEFECTS
from harness.errors import HarnessError
from harness.repository import open_repository
from harness.stages.fork import fork_repository
from harness.verdicts import Verdict, run_check

sys.path.insert(0, str(Path(__file__).parents[1] / "bootstrap" / "visits"))

from snapcam import KIT, exposure, insert, make

CHECKS = {c.id: c for c in all_checks()}


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """A single exposure, two snaps of one visit and a dark; visits of all three systems. Not to be written to."""
    repo = make(tmp_path_factory.mktemp("snaps") / "repo")
    with open_repository(repo, writeable=True) as butler:
        insert(
            butler,
            [
                exposure(347),
                exposure(348, 348, 349),
                exposure(349, 348, 349),
                exposure(350, can_see_sky=False, tracking_ra=None, tracking_dec=None),
            ],
        )
        define_visits(butler, KIT)
        define_visits(butler, KIT, grouping="by-group-metadata")
    return repo


@pytest.fixture
def repo(night, tmp_path):
    fork_repository(night, tmp_path / "repo")
    return tmp_path / "repo"


def examine(repo, *names):
    with open_repository(repo) as butler:
        context = CheckContext(butler, repo, {KIT.name: KIT})
        return {name: run_check(CHECKS[name], context, "visits") for name in names}


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda d: d.id)
def test_the_defect_is_found(defect, repo, named, usable) -> None:
    clean = examine(repo, defect.found_by)[defect.found_by]
    assert clean.verdict is Verdict.PASS, "silent on a sound repository"
    defect.apply(DefectTarget(repo, None, KIT))
    findings = examine(repo, defect.found_by)[defect.found_by].findings
    assert findings, f"{defect.found_by} is silent"
    described = [f"{f.message} {dict(f.data_id)} {f.where} {f.seen} {f.expected}" for f in findings]
    wanted = named[defect.id]
    assert any(all(word in text for word in wanted) for text in described), f"none of {described} names {wanted}"
    assert all(f.seen and f.expected and usable(f.look) for f in findings)


VISITS = [c for c in CHECKS.values() if c.family == "visits"]


@pytest.mark.parametrize("check", VISITS, ids=lambda c: c.id)
def test_checks_of_visits_are_silent_on_snaps(check, night) -> None:
    result = examine(night, check.id)[check.id]
    assert (result.verdict, result.findings) == (Verdict.PASS, ())


@pytest.mark.parametrize("defect", [d for d in all_defects() if d.found_by.startswith("visits.")], ids=lambda d: d.id)
def test_defects_of_single_exposures_are_found_among_snaps_too(defect, repo) -> None:
    defect.apply(DefectTarget(repo, None, KIT))
    assert examine(repo, defect.found_by)[defect.found_by].findings


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda d: d.id)
def test_without_snaps_there_is_nothing_to_corrupt(defect, registered_only) -> None:
    with pytest.raises(HarnessError, match="nothing to corrupt"):
        defect.apply(DefectTarget(registered_only, None, KIT))


@pytest.fixture(scope="module")
def registered_only(tmp_path_factory):
    return make(tmp_path_factory.mktemp("nothing") / "repo")
