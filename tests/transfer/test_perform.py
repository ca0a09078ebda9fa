"""Every kind of transfer is silent on the middleware as it is, and finds what a faulty one may do."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lsst.daf.butler import Butler, CollectionType, Timespan
from lsst.daf.butler.transfers import YamlRepoExportBackend
from minirepo import BEGIN, NAME, SPLIT

from harness.stages.fork import fork_repository
from harness.transfer.capture import capture
from harness.transfer.closure import relations
from harness.transfer.expect import expect
from harness.transfer.kinds import KINDS_OF_TRANSFER, Kind
from harness.transfer.perform import Outcome, differing, inapplicable, perform, there_and_back
from harness.transfer.selection import select, stored_ids
from harness.transfer.trip import Trip, artifact_paths, self_contained
from harness.verdicts import Verdict

GRAPH = {"zip-from-graph", "transfer-from-graph"}
PART = {"export-cut"}
Change = Callable[[Path], None]


def trip_of(source: Path, folder: Path, **query: Any) -> Trip:
    with Butler.from_config(str(source)) as butler:
        state, known = capture(butler), relations(butler.dimensions)
        selection = select(butler, state, known, **query)
        paths = artifact_paths(butler, stored_ids(state))
    return Trip(source, folder, state, known, selection, paths, fork=fork_repository)


@pytest.fixture(scope="module")
def whole(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Trip:
    return trip_of(pristine, tmp_path_factory.mktemp("unused"))


@pytest.fixture(scope="module")
def part(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Trip:
    query = {"where": f"instrument='{NAME}' AND visit IN (101, 102)", "types": ["src", "raw"]}
    return trip_of(pristine, tmp_path_factory.mktemp("unused"), **query)


def found(outcome: Outcome) -> list[str]:
    return [f.message for _, f in outcome.findings]


LEFT_OUT = {
    "export": {"record": 4, "dataset-type": 1},
    "export-hardlink": {"dataset-type": 1},
    "export-copy": {"dataset-type": 2, "dataset": 2, "artifact": 2},
    "transfer-from": {"record": 4, "dataset-type": 1, "collection": 5, "chain": 2, "tag": 3, "certification": 4},
}
"""Records that no dataset needs, types without datasets, files of several datasets, memberships."""


QUICK = {"export", "transfer-from", "export-calibs", "export-move", "transfer-datasets"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=[] if n in QUICK else pytest.mark.thorough)
        for n in sorted(KINDS_OF_TRANSFER.keys() - GRAPH - PART - {"transfer-from-hardlink"})  # that one is used below
    ],
)
def test_everything_survives(name: str, whole: Trip, tmp_path: Path) -> None:
    outcome = perform(KINDS_OF_TRANSFER[name], dataclasses.replace(whole, folder=tmp_path / "trip"), twice=False)
    assert found(outcome) == []
    assert outcome.verdict is Verdict.PASS
    assert outcome.left_out == LEFT_OUT.get(name, outcome.left_out)


@pytest.mark.parametrize("name", ["export", "export-cut", "retrieve-zip"])
def test_a_part_comes_with_what_it_needs(name: str, part: Trip, tmp_path: Path) -> None:
    outcome = perform(KINDS_OF_TRANSFER[name], dataclasses.replace(part, folder=tmp_path / "trip"), twice=False)
    assert found(outcome) == []
    carries = KINDS_OF_TRANSFER[name].carries
    assert outcome.expected["dataset"] == (8 if carries.datasets == "chosen" else 10)  # two calibrations are needed
    assert outcome.expected["certification"] == (2 if carries.memberships == "all" else 0)
    # Of the second filter, the third visit and the sky map there is no need.
    assert outcome.expected["record"] == (15 if carries.records == "own" else 20)


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("transfer-from-hardlink", 6),
        pytest.param("export-hardlink", 6, marks=pytest.mark.thorough),
        pytest.param("export-hardlink", 7, marks=pytest.mark.thorough),
    ],
)
def test_through_an_older_universe(name: str, version: int, whole: Trip, tmp_path: Path) -> None:
    trip = dataclasses.replace(whole, folder=tmp_path / "trip", universe=version)
    outcomes = list(there_and_back(KINDS_OF_TRANSFER[name], trip, twice=False))
    assert [found(o) for o in outcomes] == [[]] * len(outcomes)
    if name == "export-hardlink" and version == 6:
        assert "can_see_sky" in outcomes[0].refused
        assert len(outcomes) == 1
    else:
        assert [o.label for o in outcomes] == [f"{name} → universe {version}", f"{name} → universe {version} → 8"]


def test_what_must_be_refused_is_not_accepted(whole: Trip, tmp_path: Path) -> None:
    trip = dataclasses.replace(whole, folder=tmp_path / "trip", universe=6)
    kind = dataclasses.replace(KINDS_OF_TRANSFER["export-hardlink"], bring=lambda _: None)
    ((check, finding),) = perform(kind, trip).findings
    assert check == "roundtrip.succeeds"
    assert "accepted, though universe 6 has no field can_see_sky" in finding.message


# --- twice ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["export-hardlink", "transfer-from"])
def test_a_second_time_changes_nothing(name: str, whole: Trip, tmp_path: Path) -> None:
    outcome = perform(KINDS_OF_TRANSFER[name], dataclasses.replace(whole, folder=tmp_path / "trip"))
    assert found(outcome) == []
    assert outcome.again.startswith("refused" if name == "export-hardlink" else "nothing changed")


def test_a_refusal_that_destroys_is_found(whole: Trip, tmp_path: Path) -> None:
    """Releases differ in whether a refused import by copy takes the files of the first one with it."""
    kind, calls = KINDS_OF_TRANSFER["transfer-from-hardlink"], []

    def bring(trip: Trip) -> None:
        kind.bring(trip)
        calls.append(trip)
        if len(calls) > 1:
            for file in (trip.target / NAME / "raw").rglob("*.yaml"):
                file.unlink()
            raise ValueError("refused")

    outcome = perform(dataclasses.replace(kind, bring=bring), dataclasses.replace(whole, folder=tmp_path / "trip"))
    ((check, finding),) = outcome.findings
    assert check == "roundtrip.repeated-harmless"
    assert "6 of 19 artifacts changed" in finding.message
    assert outcome.again == "refused: ValueError: refused"


def test_a_source_that_is_written_to_is_found(fork: Callable[[], Path], tmp_path: Path) -> None:
    trip = trip_of(fork(), tmp_path / "trip")
    kind = KINDS_OF_TRANSFER["transfer-from-hardlink"]

    def bring(trip: Trip) -> None:
        kind.bring(trip)
        stray_run(trip.source)

    outcome = perform(dataclasses.replace(kind, bring=bring), trip, twice=False)
    assert [c for c, _ in outcome.findings] == ["roundtrip.source-untouched"]


def test_what_the_middleware_raises_is_one_line(whole: Trip, tmp_path: Path) -> None:
    def bring(trip: Trip) -> None:
        raise RuntimeError("first\nsecond")

    kind = dataclasses.replace(KINDS_OF_TRANSFER["transfer-from"], bring=bring)
    outcome = perform(kind, dataclasses.replace(whole, folder=tmp_path / "trip"))
    assert found(outcome) == ["transfer-from: RuntimeError: first"]
    assert outcome.verdict is Verdict.FAIL


# --- a faulty middleware -------------------------------------------------------------------------


def sql(statement: str) -> Change:
    def change(repo: Path) -> None:
        connection = sqlite3.connect(repo / "gen3.sqlite3")
        with connection:
            assert connection.execute(statement).rowcount > 0
        connection.close()

    return change


def stray_run(repo: Path) -> None:
    with Butler.from_config(str(repo), writeable=True) as butler:
        butler.collections.register("stray")


def stray_record(repo: Path) -> None:
    """One that the source does not have; those that it has may come along."""
    record = {"instrument": NAME, "id": 9, "full_name": "R9", "purpose": "GUIDE", "raft": "R"}
    with Butler.from_config(str(repo), writeable=True) as butler:
        butler.registry.insertDimensionData("detector", record)


def other_region(repo: Path) -> None:
    with Butler.from_config(str(repo), writeable=True) as butler:
        first, second = butler.query_dimension_records("visit", where=f"instrument='{NAME}'", order_by="visit")[:2]
        butler.registry.syncDimensionData("visit", {**first.toDict(), "region": second.region}, update=True)


def stray_dataset(repo: Path) -> None:
    with Butler.from_config(str(repo), writeable=True) as butler:
        butler.put(
            {"new": 1}, "raw", {"instrument": NAME, "exposure": 103, "detector": 1}, run=f"{NAME}/runs/mini/first"
        )


def lost_file(repo: Path) -> None:
    next(iter(sorted((repo / NAME / "raw").rglob("*.yaml")))).unlink()


def other_content(repo: Path) -> None:
    file = next(iter(sorted((repo / NAME / "raw").rglob("*.yaml"))))
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content[:-1])


def reversed_chain(repo: Path) -> None:
    with Butler.from_config(str(repo), writeable=True) as butler:
        name = f"{NAME}/defaults"
        butler.collections.redefine_chain(name, butler.collections.get_info(name).children[::-1])


def cut_validity(repo: Path) -> None:
    with Butler.from_config(str(repo), writeable=True) as butler:
        butler.registry.decertify(f"{NAME}/calib", "bias", Timespan(BEGIN, SPLIT))


def untagged(repo: Path) -> None:
    with Butler.from_config(str(repo), writeable=True) as butler:
        refs = butler.query_datasets("src", "best", find_first=False)
        butler.registry.disassociate("best", refs[:1])


FAULTS: dict[str, tuple[str, Change]] = {
    "definitions lost": ("records-equal", sql("DELETE FROM visit_definition")),
    "memberships lost": ("records-equal", sql("DELETE FROM visit_system_membership")),
    "a region lost": ("records-equal", sql("DELETE FROM visit_detector_region WHERE detector = 1")),
    "another region": ("records-equal", other_region),
    "a record out of nowhere": ("records-equal", stray_record),
    "a time span shifted": ("records-equal", sql("UPDATE exposure SET timespan_begin = timespan_begin + 1")),
    "a stray run": ("collections-equal", stray_run),
    "documentation lost": ("collections-equal", sql("UPDATE collection SET doc = NULL WHERE name = 'Mini/runs/mini'")),
    "another storage class": ("dataset-types-equal", sql("UPDATE dataset_type SET storage_class = 'Packages'")),
    "a dataset too many": ("dataset-ids-equal", stray_dataset),
    "a file lost": ("artifacts-equal", lost_file),
    "a file cut short": ("artifacts-equal", other_content),
    "a formatter changed": ("artifacts-equal", sql("UPDATE file_datastore_records SET formatter = 'other'")),
    "a chain reversed": ("chains-equal", reversed_chain),
    "a validity range cut": ("calibration-validity-equal", cut_validity),
    "a tag lost": ("tags-equal", untagged),
}


@pytest.fixture(scope="module")
def carried(whole: Trip, tmp_path_factory: pytest.TempPathFactory) -> tuple[Kind, Trip]:
    """A transfer that went well: its target is to be forked and spoilt."""
    kind = KINDS_OF_TRANSFER["export-hardlink"]
    trip = dataclasses.replace(whole, folder=tmp_path_factory.mktemp("carried") / "trip")
    assert found(perform(kind, trip, twice=False)) == []
    return kind, trip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault: str, carried: tuple[Kind, Trip], tmp_path: Path) -> None:
    kind, trip = carried
    check, change = FAULTS[fault]
    fork_repository(trip.target, tmp_path / "spoilt")
    change(tmp_path / "spoilt")
    with Butler.from_config(str(tmp_path / "spoilt")) as butler:
        checks = {c for c, _ in differing(kind.name, expect(kind, trip), capture(butler))}
    assert f"roundtrip.{check}" in checks
    assert checks <= {f"roundtrip.{check}", "roundtrip.artifacts-equal"}  # a dataset too many has a file too


def test_an_export_that_drops_definitions_is_found(
    whole: Trip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = YamlRepoExportBackend.saveDimensionData

    def drop(self: Any, element: Any, *data: Any) -> None:
        if element.name != "visit_definition":
            original(self, element, *data)

    monkeypatch.setattr(YamlRepoExportBackend, "saveDimensionData", drop)
    outcome = perform(KINDS_OF_TRANSFER["export"], dataclasses.replace(whole, folder=tmp_path / "trip"), twice=False)
    assert {c for c, _ in outcome.findings} == {"roundtrip.records-equal"}
    assert len(outcome.findings) == 3
    assert all("visit_definition" in f.look for _, f in outcome.findings)


# --- what applies --------------------------------------------------------------------------------


def test_validity_is_cut_to_the_time_of_what_was_chosen(part: Trip) -> None:
    """From the beginning of the first exposure to the end of the second."""
    ranges = {row[2] for row in expect(KINDS_OF_TRANSFER["export-cut"], part).state["certification"].values()}
    begin = Timespan(BEGIN, None).nsec[0]
    assert ranges == {((begin, begin + 3630 * 10**9),)}


def test_what_cannot_be_tried_is_unknown(whole: Trip, part: Trip) -> None:
    assert "--where" in inapplicable(KINDS_OF_TRANSFER["export-cut"], whole)
    kinds = KINDS_OF_TRANSFER
    assert "--graph" in inapplicable(kinds["zip-from-graph"], whole)
    assert inapplicable(kinds["retrieve-zip"], dataclasses.replace(whole, universe=7))
    assert inapplicable(kinds["zip-from-graph"], dataclasses.replace(part, graph=Path("x")))
    assert perform(kinds["zip-from-graph"], whole).verdict is Verdict.UNKNOWN


def test_a_registry_elsewhere_is_never_forked(whole: Trip, fork: Callable[[], Path]) -> None:
    """A copy of such a repository would write into the registry of the original."""
    repo = fork()
    assert self_contained(repo)
    config = repo / "butler.yaml"
    config.write_text(config.read_text().replace("<butlerRoot>/gen3", f"/{repo}/gen3"))
    assert not self_contained(repo)
    trip = dataclasses.replace(whole, source=repo, graph=Path("x"))
    assert "lie elsewhere" in inapplicable(KINDS_OF_TRANSFER["transfer-from-graph"], trip)


def test_a_part_brings_its_collections(fork: Callable[[], Path], tmp_path: Path) -> None:
    """A chain of a selection comes with its members, and no other collection does."""
    repo = fork()
    with Butler.from_config(str(repo), writeable=True) as butler:
        butler.collections.register("unrelated", CollectionType.TAGGED)
    trip = trip_of(repo, tmp_path / "trip", collections=[f"{NAME}/defaults"])
    outcome = perform(KINDS_OF_TRANSFER["export-hardlink"], trip, twice=False)
    assert found(outcome) == []
    assert outcome.expected["chain"] == 1
    assert outcome.expected["collection"] == 5  # the chain, its members, and the runs of the calibrations
