"""Audits of the real repository: silent while it is sound, at whatever stage, and never a writer."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import pytest

from harness.defects.base import DefectTarget
from harness.stages.fork import fork_repository
from harness.verdicts import Verdict


@pytest.mark.parametrize("stage", ["register", "ingest", "process"])
def test_a_sound_repository_passes_and_is_not_touched(audited, snapshot, listing, stage: str) -> None:
    repo = snapshot(stage).repo
    before = listing(repo)
    report = audited(repo, sample=3)
    assert not [(c.check.id, f.finding) for c in report.checks for f in c.findings]
    assert not [(c.check.id, c.result.reason) for c in report.checks if c.result.traceback]
    assert report.verdict is Verdict.PASS
    assert listing(repo) == before


DEFECTS = ("day-obs-record-lost", "visit-region-shrunk", "calibration-overlap", "chain-member-gone")


def test_findings_are_the_same_elsewhere(audited, state, plugins, dataset, kit, tmp_path: Path) -> None:
    """In a copy at another place, whose rows are in another order, each finding has the same id and content."""
    repo = state("defaults")
    defects = [plugins.find("defect", name) for name in DEFECTS]
    for defect in defects:
        defect.apply(DefectTarget(repo, dataset, kit))
    copy = tmp_path / "another place" / "repo"
    fork_repository(repo, copy)
    with DefectTarget(copy, dataset, kit).sql() as sql:
        for table in ("visit", "exposure", "visit_definition", "collection_chain"):
            sql.execute(f"CREATE TABLE sorted AS SELECT * FROM {table} ORDER BY rowid DESC")
            sql.execute(f"DELETE FROM {table}")
            sql.execute(f"INSERT INTO {table} SELECT * FROM sorted")
            sql.execute("DROP TABLE sorted")
    one, other = audited(repo), audited(copy)
    found, again = ([(c.check.id, f.id, f.content) for c in r.checks for f in c.findings] for r in (one, other))
    assert found
    assert {d.found_by for d in defects} <= {name for name, _, _ in found}
    assert Counter((name, id_) for name, id_, _ in found) == Counter((name, id_) for name, id_, _ in again)
    assert max(Counter(id_ for _, id_, _ in found).values()) == 1, "two findings share an id"


def test_findings_have_their_parts(audited, state, plugins, dataset, kit) -> None:
    repo = state("visits")
    plugins.find("defect", "visit-region-shrunk").apply(DefectTarget(repo, dataset, kit))
    report = audited(repo, checks=("geometry.visit-contains-detectors",))
    (found,) = report.checks[0].findings
    assert found.finding.data_id
    assert all(dataclasses.asdict(found.finding)[part] for part in ("message", "where", "seen", "expected", "look"))
