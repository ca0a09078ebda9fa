"""Merging: every collision is told before anything is written, and what fails is undone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import astropy.units as u
import pytest
from click.testing import CliRunner, Result
from lsst.daf.butler import Butler, CollectionType, DatasetRef, DatasetType, FileDataset, Timespan
from lsst.daf.butler.registry.sql_registry import SqlRegistry
from minirepo import NAME, SPLIT, register_type

from harness.cli.merge import command
from harness.errors import HarnessError
from harness.stages.fork import fork_repository
from harness.transfer.capture import capture
from harness.transfer.merge import additions, merge, merged_state, plan_merge
from harness.transfer.state import RepositoryState

RUN = f"{NAME}/runs/mini/first"


def state_of(repo: Path) -> RepositoryState:
    with Butler.from_config(str(repo)) as butler:
        return capture(butler)


def site(repo: Path, name: str) -> Path:
    """Add what one site made of the data that both have: all under its own names."""
    with Butler.from_config(str(repo), writeable=True) as butler:
        run, tag, chain, calibs = (f"u/{name}/{what}" for what in ("run", "tag", "chain", "calib"))
        butler.collections.register(run, doc=f"Run of {name}")
        ref = butler.put({"by": name}, "notes", {}, run=run)
        bias = butler.put({"level": name}, "bias", {"instrument": NAME, "detector": 0}, run=run)
        butler.collections.register(tag, CollectionType.TAGGED)
        butler.registry.associate(tag, [ref])
        butler.collections.register(calibs, CollectionType.CALIBRATION)
        butler.registry.certify(calibs, [bias], Timespan(None, SPLIT))
        butler.collections.register(chain, CollectionType.CHAINED)
        butler.collections.redefine_chain(chain, [tag, run])
        detector = 7 if name == "a" else 8
        butler.registry.insertDimensionData(
            "detector", {"instrument": NAME, "id": detector, "full_name": f"of {name}", "purpose": "GUIDE", "raft": "R"}
        )
        register_type(butler, f"only_{name}", {"instrument"}, "StructuredDataDict")
    return repo


@pytest.fixture(scope="module")
def both(fork: Callable[[], Path]) -> tuple[Path, Path]:
    """Two sites, which nobody may write to."""
    return site(fork(), "a"), site(fork(), "b")


@pytest.fixture
def sites(both: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """Two sites, of which the second may be written to."""
    fork_repository(both[1], tmp_path / "target")
    return both[0], tmp_path / "target"


def invoke(*words: str | Path) -> Result:
    return CliRunner().invoke(command, [str(w) for w in words], catch_exceptions=False)


def test_two_sites_are_merged(sites: tuple[Path, Path]) -> None:
    source, target = sites
    here, there = state_of(source), state_of(target)
    plan = plan_merge(source, target)
    assert plan.collisions == []
    assert additions(plan) == {
        "record": 1,
        "dataset-type": 1,
        "collection": 4,
        "chain": 1,
        "tag": 1,
        "certification": 1,
        "dataset": 2,
        "artifact": 2,
    }
    dry = invoke(source, target, "--dry-run")
    assert dry.exit_code == 0
    assert dry.output.startswith("nothing collides; would add: 1 records")
    assert state_of(target) == there
    done = invoke(source, target)
    assert (done.exit_code, done.output.split(":")[0]) == (0, "added")
    merged = state_of(target)
    assert merged == merged_state(here, there)
    for kind, table in there.tables.items():
        assert table.items() <= merged[kind].items()
    assert state_of(source) == here
    again = invoke(source, target, "--no-rehearsal", "--format", "json")
    assert again.exit_code == 0
    assert json.loads(again.output)["additions"] == {}
    assert state_of(target) == merged


def test_into_an_empty_repository(pristine: Path, tmp_path: Path) -> None:
    Butler.makeRepo(str(tmp_path / "new"))
    assert merge(plan_merge(pristine, tmp_path / "new"), "hardlink") == []


# --- collisions: each changes the target, whose kind of collision must be found, and no other ----------


def change_record(butler: Butler) -> None:
    (record,) = butler.query_dimension_records("exposure", instrument=NAME, exposure=101)
    butler.registry.syncDimensionData("exposure", {**record.toDict(), "target_name": "elsewhere"}, update=True)


def take_name(butler: Butler) -> None:
    record = {"instrument": NAME, "id": 9, "full_name": "of a", "purpose": "GUIDE", "raft": "R"}
    butler.registry.insertDimensionData("detector", record)


def other_type(butler: Butler) -> None:
    butler.registry.registerDatasetType(
        DatasetType("only_a", {"skymap"}, "StructuredDataDict", universe=butler.dimensions)
    )


def other_collection(butler: Butler) -> None:
    butler.collections.register("u/a/tag", CollectionType.RUN)


def other_chain(butler: Butler) -> None:
    children = butler.collections.get_info(f"{NAME}/defaults").children
    butler.collections.redefine_chain(f"{NAME}/defaults", children[::-1])


def same_place(butler: Butler) -> None:
    butler.collections.register("u/a/run")
    butler.put({"by": "somebody else"}, "notes", {}, run="u/a/run")


def other_content(butler: Butler) -> None:
    path = Path(butler.getURI("notes", collections=RUN).ospath)
    path.unlink()
    path.write_text("all: different\n")


def same_tag(butler: Butler) -> None:
    butler.collections.register("u/a/tag", CollectionType.TAGGED)
    butler.registry.associate("u/a/tag", butler.query_datasets("notes", RUN))


def other_validity(butler: Butler) -> None:
    butler.collections.register("u/a/calib", CollectionType.CALIBRATION)
    refs = butler.query_datasets("bias", f"{NAME}/calib/b")
    butler.registry.certify("u/a/calib", refs, Timespan(SPLIT - 1 * u.s, None))


def stray_file(butler: Butler) -> Path:
    """A file where the source's is to go, of no dataset."""
    root = Path(butler.getURI("notes", collections=RUN).ospath.partition(f"/{NAME}/")[0])
    place = root / "u/a/run/notes/notes_u_a_run.yaml"
    place.parent.mkdir(parents=True)
    place.write_text("by: nobody\n")
    return place


def same_file(butler: Butler) -> None:
    """A file that another dataset owns, where the source's is to go."""
    place = stray_file(butler)
    butler.collections.register("u/b/more")
    type_ = butler.get_dataset_type("notes")
    ref = DatasetRef(type_, butler.registry.expandDataId({}), run="u/b/more")
    butler.ingest(FileDataset(str(place), [ref]), transfer=None)


COLLISIONS: dict[str, tuple[Callable[[Butler], None], str]] = {
    "record": (change_record, "target_name 'elsewhere' → 'field'"),
    "name": (take_name, "full_name 'of a' is that of {instrument: 'Mini', detector: 9}"),
    "dataset-type": (other_type, "dimensions ('skymap',) → ('instrument',)"),
    "collection": (other_collection, "collection u/a/tag: type 'RUN' → 'TAGGED'"),
    "chain": (other_chain, "chain Mini/defaults: children"),
    "run": (same_place, "dataset notes {} in u/a/run: id"),
    "content": (other_content, "artifact notes"),
    "tag": (same_tag, "tag notes {} in u/a/tag: id"),
    "certification": (other_validity, "[-∞, 2024-03-01T06:00:00) of"),
    "file": (same_file, "file u/a/run/notes/notes_u_a_run.yaml: of notes"),
}


@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=[] if i % 3 == 0 else pytest.mark.thorough) for i, k in enumerate(COLLISIONS)]
)
def test_a_collision_is_told_and_nothing_is_written(kind: str, sites: tuple[Path, Path]) -> None:
    source, target = sites
    change, text = COLLISIONS[kind]
    with Butler.from_config(str(target), writeable=True) as butler:
        change(butler)
    plan = plan_merge(source, target)
    assert {c.kind for c in plan.collisions} == {kind}
    assert any(text in c.text for c in plan.collisions)
    assert all(c.remedy and "\n" not in c.text for c in plan.collisions)
    with pytest.raises(HarnessError, match="collisions"):
        merge(plan)


def test_a_file_of_nobody_is_not_overwritten(sites: tuple[Path, Path]) -> None:
    source, target = sites
    with Butler.from_config(str(target), writeable=True) as butler:
        stray_file(butler)
    (collision,) = plan_merge(source, target).collisions
    assert (collision.kind, collision.there) == ("file", "a file")
    before = state_of(target)
    done = invoke(source, target)
    assert done.exit_code == 1
    assert done.output.startswith("1 thing of ")
    assert "another file of the same name: 1" in done.output
    facts = json.loads(invoke(source, target, "--format", "json").output)
    assert (facts["merged"], [c["kind"] for c in facts["collisions"]]) == (False, ["file"])
    assert state_of(target) == before


def test_not_into_itself(pristine: Path) -> None:
    with pytest.raises(HarnessError, match="into itself"):
        plan_merge(pristine, pristine)


# --- a faulty middleware -------------------------------------------------------------------------


def refuse(*args: Any, **kwargs: Any) -> None:
    raise RuntimeError("no more\nof this")


@pytest.mark.parametrize("method", ["_importDatasets", "certify"])
def test_what_fails_is_undone(method: str, sites: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = sites
    before, files = state_of(target), sorted(p for p in target.rglob("*") if p.is_file())
    plan = plan_merge(source, target)
    monkeypatch.setattr(SqlRegistry, method, refuse)
    with pytest.raises(HarnessError, match="RuntimeError: no more; it is as it was before") as caught:
        merge(plan)
    assert "\n" not in str(caught.value)
    assert state_of(target) == before
    assert sorted(p for p in target.rglob("*") if p.is_file()) == files


def test_an_interruption_is_undone(sites: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = sites
    before = state_of(target)

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(SqlRegistry, "associate", interrupt)
    with pytest.raises(KeyboardInterrupt):
        merge(plan_merge(source, target))
    assert state_of(target) == before


def test_a_merge_that_loses_something_is_found_on_a_copy(
    sites: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = sites
    before = state_of(target)
    monkeypatch.setattr(SqlRegistry, "associate", lambda *_: None)
    done = invoke(source, target)
    assert done.exit_code == 1
    assert "a copy of the target, which itself is untouched" in done.output
    assert "tag notes in u/a/tag: lost" in done.output
    assert state_of(target) == before
    assert [p.name for p in target.parent.glob(".harness-merge-*")] == []
