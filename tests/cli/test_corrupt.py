"""``harness corrupt`` corrupts copies alone; ``harness defects`` shows what there is to be found, and by what."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path

import pytest

from harness.cli.corrupt import MARK, target_of


def digest(repo: Path) -> dict[str, str]:
    files = (p for p in repo.rglob("*") if p.is_file())
    return {str(p.relative_to(repo)): hashlib.blake2b(p.read_bytes()).hexdigest() for p in files}


def target_name(repo: Path) -> str:
    with sqlite3.connect(repo / "gen3.sqlite3") as db:
        return db.execute("SELECT target_name FROM exposure ORDER BY id").fetchone()[0]


def test_a_copy_is_corrupted_and_the_original_is_not(harness, state, tmp_path: Path) -> None:
    repo = state("ingest")
    before = digest(repo)
    done = harness("corrupt", str(repo), "target-renamed", "--output", str(tmp_path / "copy"))
    assert done.code == 0, done.err
    assert "identifiers.exposure-header" in done.out
    assert str(tmp_path / "copy") in done.out
    assert digest(repo) == before
    assert target_name(tmp_path / "copy") == "M31"


def test_a_copy_is_corrupted_further_in_place_and_says_what_it_has(harness, state) -> None:
    repo = state("ingest")
    copy = repo.with_name(f"{repo.name}-target-renamed")
    assert harness("corrupt", str(repo), "target-renamed").code == 0
    assert harness("corrupt", str(copy), "span-without-end").code == 0
    assert json.loads((copy / MARK).read_text())["defects"] == ["target-renamed", "span-without-end"]
    assert target_name(copy) == "M31"


@pytest.mark.parametrize(
    ("place", "defect", "says"),
    [
        ("repo", "no-such-defect", "unknown defect"),
        ("empty", "keys-lost", "has no butler.yaml"),
        ("repo", "logs-exchanged", "nothing to corrupt"),
    ],
)
def test_what_cannot_be_corrupted_is_refused_in_one_line(harness, state, tmp_path, place, defect, says) -> None:
    repo = state("register") if place == "repo" else tmp_path / "empty"
    repo.mkdir(exist_ok=True)
    before = digest(repo)
    done = harness("corrupt", str(repo), defect, "--output", str(tmp_path / "copy"))
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert says in done.err
    assert not (tmp_path / "copy").exists()
    assert digest(repo) == before


def test_nothing_is_overwritten_nor_written_into_the_repository(harness, state, tmp_path: Path) -> None:
    repo = state("register")
    (tmp_path / "there").mkdir()
    there = harness("corrupt", str(repo), "keys-lost", "--output", str(tmp_path / "there"))
    inside = harness("corrupt", str(repo), "keys-lost", "--output", str(repo / "copy"))
    assert (there.code, inside.code) == (2, 2)
    assert "exists already" in there.err
    assert "lies within" in inside.err


def test_the_dataset_of_a_repository_is_recognised_by_its_exposures(state, plugins, dataset) -> None:
    target = target_of(plugins, state("ingest"))
    assert (target.dataset.name, target.kit.name) == (dataset.name, dataset.instrument)


def test_defects_are_chosen_by_check_family_and_stage(harness, plugins) -> None:
    def listed(*words: str) -> set[str]:
        return {line.split("\t")[0] for line in harness("defects", *words).out.splitlines()}

    every = plugins.defects().values()
    assert listed("--check", "registry.values") == {d.id for d in every if d.found_by == "registry.values"} != set()
    assert listed("--family", "time") == {d.id for d in every if d.found_by.startswith("time.")} != set()
    assert listed("--after", "skymap") == {d.id for d in every if d.after == "skymap"} != set()


def test_a_defect_is_explained(harness, plugins) -> None:
    defect = plugins.defects()["keys-lost"]
    out = harness("defects", "keys-lost").out
    assert defect.title in out
    assert defect.found_by in out
    assert plugins.checks()[defect.found_by].title in out
