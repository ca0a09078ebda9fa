"""Reading only what has changed gives the same state as reading all of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from lsst.daf.butler import Butler, CollectionType
from misbehaviour import input_removed, prune, record_changed, some, writing

from harness.rerun.tables import changed_types, copy_of_registry
from harness.stages.fork import fork_repository
from harness.transfer.capture import capture

FIRST = "Mini/runs/tiny/first"


def nothing(_: Path) -> None:
    pass


def chain_turned(repo: Path) -> None:
    with writing(repo) as butler:
        first, *rest = butler.collections.get_info("Mini/runs/tiny").children
        butler.collections.redefine_chain("Mini/runs/tiny", [*rest, first])


def tagged(repo: Path) -> None:
    with writing(repo) as butler:
        butler.collections.register("mine", CollectionType.TAGGED)
        butler.registry.associate("mine", [some(butler, FIRST, "stars")])


def unstored(repo: Path) -> None:
    with writing(repo) as butler:
        butler.pruneDatasets([some(butler, FIRST, "stars")], disassociate=False, unstore=True, purge=False)


def made_again(repo: Path) -> None:
    with writing(repo) as butler:
        ref = some(butler, FIRST, "visitStars")
        content = butler.get(ref)
        prune(butler, ref)
        butler.collections.register("elsewhere")
        butler.put(content, ref.datasetType, ref.dataId, run="elsewhere")


def decertified(repo: Path) -> None:
    from lsst.daf.butler import Timespan

    with writing(repo) as butler:
        butler.registry.decertify("Mini/calib", "bias", Timespan(None, None))


def another_table(repo: Path) -> None:
    with sqlite3.connect(repo / "gen3.sqlite3") as connection:
        connection.execute("CREATE TABLE of_the_future (id INTEGER)")


@pytest.mark.parametrize(
    ("change", "types"),
    [
        (nothing, set()),
        (chain_turned, set()),
        (tagged, {"stars"}),
        (unstored, {"stars"}),
        (made_again, {"visitStars"}),
        (decertified, {"bias"}),
        (input_removed, {"raw"}),
        (record_changed, None),
        (another_table, None),
    ],
    ids=lambda v: getattr(v, "__name__", ""),
)
def test_what_has_changed_is_found(
    change: Callable[[Path], None], types: set[str] | None, processed: Path, tmp_path: Path
) -> None:
    repo = tmp_path / "repo"
    fork_repository(processed / "repo", repo)
    with Butler.from_config(str(repo), writeable=False) as butler:
        before = capture(butler)
    copy = copy_of_registry(repo, tmp_path / "before.sqlite3")
    assert copy is not None
    change(repo)
    assert changed_types(repo, copy) == types
    with Butler.from_config(str(repo), writeable=False) as butler:
        whole = capture(butler)
        if types is not None:
            assert capture(butler, since=(before, types)) == whole
    assert (whole == before) == (change in (nothing, another_table))


def test_without_a_database_file_all_is_read(tmp_path: Path) -> None:
    assert copy_of_registry(tmp_path, tmp_path / "copy") is None
