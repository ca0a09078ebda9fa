"""A defect corrupts the fork that it is given, and nothing that the fork shares files with."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

import pytest

from harness.defects import all_defects
from harness.defects.base import DefectTarget
from harness.defects.tools import replace_file
from harness.stages.fork import fork_repository

FILES = [d for d in all_defects() if d.found_by.startswith("datastore.") and d.after == "calibs"]


def digest(repo: Path) -> str:
    """Digest of all files but the database, which SQLite copies and never shares."""
    out = hashlib.blake2b()
    for path in sorted(p for p in repo.rglob("*") if p.is_file() and p.suffix != ".sqlite3"):
        out.update(str(path.relative_to(repo)).encode() + path.read_bytes())
    return out.hexdigest()


@pytest.mark.parametrize("defect", FILES, ids=lambda d: d.id)
def test_the_original_keeps_its_files(defect, state, dataset, kit, tmp_path: Path) -> None:
    original = state("calibs")
    before = digest(original)
    fork_repository(original, tmp_path / "fork")
    defect.apply(DefectTarget(tmp_path / "fork", dataset, kit))
    assert digest(original) == before


def test_replacing_a_file_leaves_its_twin_alone(tmp_path: Path) -> None:
    twin, file = tmp_path / "twin", tmp_path / "file"
    twin.write_bytes(b"old")
    file.hardlink_to(twin)
    replace_file(file, b"new")
    assert (twin.read_bytes(), file.read_bytes()) == (b"old", b"new")


def test_every_defect_has_words_that_a_finding_must_contain() -> None:
    named = tomllib.loads((Path(__file__).parent / "named.toml").read_text())
    own = {d.id for d in all_defects() if not d.found_by.startswith("quality.")}
    assert own <= named.keys()
