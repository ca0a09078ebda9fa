from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lsst.daf.butler import Butler, DatasetRef
from minirepo import DETECTORS, EXPOSURES, NAME, MiniInstrument

from harness.checks.context import CheckContext
from harness.defects.base import Defect, DefectTarget
from harness.errors import HarnessError
from harness.instrument.kit import InstrumentKit
from harness.stage import StageContext
from harness.stages.fork import fork_repository
from harness.transfer.capture import capture
from harness.transfer.checks import CHECKS
from harness.transfer.defects import DEFECTS
from harness.transfer.exports import EXPORT_FILE, export_repository, exportable, import_repository
from harness.transfer.roundtrip import run
from harness.verdicts import Check, Verdict, run_check


def kit() -> InstrumentKit:
    """The part of a kit that the round trip uses: its class and the configuration of repositories."""
    unused: Any = None
    return InstrumentKit(MiniInstrument, unused, unused, frozenset())


@pytest.fixture(scope="module")
def trip(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The imported repository, and the stage's facts as JSON gives them back."""
    process = tmp_path_factory.mktemp("process")
    fork_repository(pristine, process / "repo")
    folder = tmp_path_factory.mktemp("roundtrip")
    fork_repository(pristine, folder / "repo")
    (folder / "outputs").mkdir()
    unused: Any = None
    context = StageContext(
        repo=folder / "repo",
        outputs=folder / "outputs",
        inputs={},
        dataset=unused,
        kit=kit(),
        engine=unused,
        facts={},
        progress=lambda _: None,
        origin=process / "repo",
    )
    return folder / "repo", json.loads(json.dumps(run(context)))


SHARED: dict[str, Any] = {}
"""What the checks compute from the original, which no test changes: computed once for all of them."""


def results(repo: Path, facts: dict[str, Any]) -> Iterator[tuple[Check, Verdict, tuple[str, ...]]]:
    with Butler.from_config(str(repo), writeable=False) as butler:
        context = CheckContext(butler, repo, {}, facts={"roundtrip": facts})
        for key, value in SHARED.items():
            context.cached(key, lambda value=value: value)
        for check in CHECKS:
            result = run_check(check, context, "roundtrip")
            assert not result.traceback, result.traceback
            yield check, result.verdict, tuple(f.message for f in result.findings)
        SHARED["roundtrip.expected"] = context.cached("roundtrip.expected", dict)


def test_a_round_trip_keeps_everything(trip: tuple[Path, dict[str, Any]]) -> None:
    repo, facts = trip
    assert facts["differences"] == []
    assert facts["left_out"] == {"dataset-type": 1}
    assert facts["counts"]["dataset"] == 19
    assert facts["counts"]["tag"] == 3 + 5  # of each dataset type one is tagged before the export
    assert [r for r in results(repo, facts) if r[1] is not Verdict.PASS] == []


def test_the_original_is_not_touched(
    trip: tuple[Path, dict[str, Any]], pristine: Path, fork: Callable[[], Path]
) -> None:
    """Not even by deleting everything in the imported repository, which shares its inodes."""
    repo, facts = trip
    original = Path(facts["original"])
    with Butler.from_config(str(pristine)) as butler:
        before = capture(butler)
    again = fork()
    fork_repository(repo, again / "imported")
    with Butler.from_config(str(again / "imported"), writeable=True) as butler:
        butler.removeRuns([n for (n,), (t, _) in before["collection"].items() if t == "RUN"], unlink_from_chains=True)
    with Butler.from_config(str(original)) as butler:
        assert capture(butler) == before


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda d: d.id)
def test_a_defect_is_found_by_its_check(defect: Defect, trip: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    repo, facts = trip
    unused: Any = None
    fork_repository(repo, tmp_path / "repo")
    defect.apply(DefectTarget(tmp_path / "repo", unused, kit()))
    found = {check.id: messages for check, verdict, messages in results(tmp_path / "repo", facts) if verdict != "pass"}
    assert defect.found_by in found
    # A dataset with another id takes its artifact and memberships with it; all others are found once.
    if defect.id != "roundtrip-new-id":
        assert set(found) == {defect.found_by}
        several = {
            "roundtrip-definitions-dropped": 3,
            "roundtrip-memberships-dropped": 3,
            "roundtrip-artifacts-swapped": 2,
        }
        assert len(found[defect.found_by]) == several.get(defect.id, 1)


def test_every_check_has_a_defect() -> None:
    assert {d.found_by for d in DEFECTS} == {c.id for c in CHECKS}


def test_without_the_original_nothing_is_said(trip: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    repo, facts = trip
    with Butler.from_config(str(repo), writeable=False) as butler:
        context = CheckContext(butler, repo, {}, facts={"roundtrip": {**facts, "original": str(tmp_path / "gone")}})
        result = run_check(CHECKS[0], context, "roundtrip")
    assert result.verdict is Verdict.UNKNOWN
    assert "is gone" in result.reason


def test_records_that_no_dataset_needs_are_exported(trip: tuple[Path, dict[str, Any]]) -> None:
    """Exports drop them, unless told: DM-50446, pipe_base#185."""
    repo, _ = trip
    with Butler.from_config(str(repo)) as butler:
        count = {
            name: len(butler.query_dimension_records(name, explain=False))
            for name in ("visit_definition", "visit_system_membership", "visit_detector_region", "patch")
        }
    assert count == {
        "visit_definition": len(EXPOSURES),
        "visit_system_membership": len(EXPOSURES),
        "visit_detector_region": len(EXPOSURES) * len(DETECTORS),
        "patch": 2,
    }


def exported(fork: Callable[[], Path], folder: Path) -> None:
    with Butler.from_config(str(fork())) as butler:
        # Not "copy": the middleware cannot copy a file of two datasets, as it finds its own first copy in the way.
        state = capture(butler)
        export_repository(butler, state, [name for (name,) in state["collection"]], folder, "hardlink")


def test_an_import_that_fails_says_what_it_leaves(fork: Callable[[], Path], tmp_path: Path) -> None:
    exported(fork, tmp_path / "export")
    lost = next(p for p in (tmp_path / "export").rglob("*.parq"))
    lost.unlink()
    Butler.makeRepo(str(tmp_path / "new"))
    with pytest.raises(HarnessError) as caught:
        import_repository(tmp_path / "new", tmp_path / "export", "copy")
    assert caught.value.code == "import-failed"
    assert lost.name in str(caught.value)
    assert "it leaves 9 collections, 5 dataset-types, 0 datasets, 0 records" in str(caught.value)


def test_an_export_that_is_no_yaml_is_one_line(fork: Callable[[], Path], tmp_path: Path) -> None:
    exported(fork, tmp_path / "export")
    (tmp_path / "export" / EXPORT_FILE).write_text("version: [\n")
    Butler.makeRepo(str(tmp_path / "new"))
    with pytest.raises(HarnessError, match=r"import of .* failed: ParserError") as caught:
        import_repository(tmp_path / "new", tmp_path / "export", "copy")
    assert "\n" not in str(caught.value)


def test_a_dataset_without_artifact_is_left_out(fork: Callable[[], Path], tmp_path: Path) -> None:
    repo = fork()
    with Butler.from_config(str(repo), writeable=True) as butler:
        unstored: list[DatasetRef] = butler.query_datasets("raw", f"{NAME}/raw/all")[:2]
        butler.pruneDatasets(unstored, disassociate=False, unstore=True, purge=False)
        state = capture(butler)
        export_repository(butler, state, [name for (name,) in state["collection"]], tmp_path / "export", "hardlink")
    assert len(exportable(state)["dataset"]) == len(state["dataset"]) - 2
    Butler.makeRepo(str(tmp_path / "new"))
    import_repository(tmp_path / "new", tmp_path / "export", "copy")
    with Butler.from_config(str(tmp_path / "new")) as butler:
        assert capture(butler)["dataset"] == exportable(state)["dataset"]
