from __future__ import annotations

import itertools
import shutil
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from harness.audit.folding import fold
from harness.verdicts import Finding

FOLDERS = ["a", "a/b", "a/b/c", "d", "d/e"]
FILES = [f"{folder}/{n}" for folder in FOLDERS for n in range(3)]


@given(st.sets(st.sampled_from(FOLDERS)), st.lists(st.sampled_from(FILES), unique=True))
def test_each_lost_file_is_told_once(tmp_path_factory, removed: set[str], lost: list[str]) -> None:
    root = tmp_path_factory.mktemp("root")
    for folder in FOLDERS:
        (root / folder).mkdir()
    for folder in removed:
        shutil.rmtree(root / folder, ignore_errors=True)
    found = list(fold((Finding("lost", where=path) for path in lost), [str(root)]))
    told = {f.where for f in found}
    for path in lost:
        covers = [w for w in told if path == w or path.startswith(w + "/")]
        assert len(covers) == 1
        assert covers[0] == path or not (root / covers[0]).exists()
    if removed >= {"a", "d"}:
        assert len(found) <= 2
    for one, other in itertools.permutations(told, 2):
        assert not one.startswith(other + "/")


def test_what_is_not_in_a_lost_folder_is_left_as_it_is(tmp_path: Path) -> None:
    findings = [
        Finding("no path", where=""),
        Finding("a table", where="file_datastore_records"),
        Finding("outside", where="/elsewhere/x/y"),
        Finding("a URI", where="s3://bucket/x/y"),
        Finding("one file of a lost folder", where="gone/x"),
    ]
    assert list(fold(findings, [str(tmp_path)])) == findings
    assert list(fold(findings, [])) == findings


def test_a_folder_of_any_root_is_there(tmp_path: Path) -> None:
    (tmp_path / "two" / "x").mkdir(parents=True)
    findings = [Finding("lost", where=f"x/{n}") for n in range(2)]
    assert list(fold(findings, [str(tmp_path / "one"), str(tmp_path / "two")])) == findings
