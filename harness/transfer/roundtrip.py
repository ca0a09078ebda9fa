"""The stage ``roundtrip``: export the repository, import it into an empty one, compare everything."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .capture import capture
from .compare import compare
from .exports import export_repository, exportable, import_repository, transfer_mode
from .state import Key, RepositoryState

if TYPE_CHECKING:
    from lsst.daf.butler import Butler

    from ..stage import StageContext

__all__ = ["TAGGED", "expected_after", "make_repository", "run", "selection", "tag_some"]


TAGGED = "harness/roundtrip"
"""A TAGGED collection that is made before the export: pipelines make none, and they are what transfers lose."""


def run(context: StageContext) -> Mapping[str, Any]:
    """Export the repository and import it into a new one, ``context.repo``.

    Parameters
    ----------
    context : `~harness.stage.StageContext`
        ``context.repo`` is a copy of the repository ``context.origin``. A tagged collection is added to it, it is
        exported, and the new repository takes its place.

    Returns
    -------
    facts : `~collections.abc.Mapping`
        ``original``: path of the processed repository; ``transfer``: the transfer mode; ``counts``: how much
        should be there after the import, by kind; ``left_out``: what an export cannot hold, by kind;
        ``differences``: those found; ``seconds``: times of export, import and comparison.

    Raises
    ------
    HarnessError
        If the export or import fails.
    """
    folder = context.outputs / "export"
    mode = transfer_mode(context.repo, context.outputs)
    clock = [time.perf_counter()]

    context.progress("exporting")
    with context.butler() as butler:
        before = capture(butler)
        tag_some(butler, before)
    with context.butler(writeable=False) as butler:
        export_repository(butler, before, (*(name for (name,) in before["collection"]), TAGGED), folder, mode)
    clock.append(time.perf_counter())

    context.progress(f"importing {len(before['artifact'])} artifacts by {mode}")
    shutil.rmtree(context.repo)
    make_repository(context.repo, context.repository_config)
    import_repository(context.repo, folder, mode)
    clock.append(time.perf_counter())

    context.progress("comparing")
    expected = expected_after(before)
    with context.butler(writeable=False) as butler:
        after = capture(butler)
    differences = compare(expected, after)
    clock.append(time.perf_counter())
    names = ("export", "import", "compare")
    possible = exportable(before)
    return {
        "original": str(context.origin),
        "transfer": mode,
        "counts": {kind: len(table) for kind, table in expected.tables.items()},
        "left_out": {kind: n for kind, t in before.tables.items() if (n := len(t) - len(possible[kind]))},
        "differences": [d.to_facts() for d in differences],
        "seconds": {n: round(b - a, 3) for n, a, b in zip(names, clock[:-1], clock[1:], strict=True)},
    }


def selection(state: RepositoryState) -> dict[str, tuple[str, Key]]:
    """Choose one dataset of each dataset type, to be tagged.

    Returns
    -------
    selection : `dict` [`str`, `tuple`]
        Dataset type and data ID values of each, by dataset id.
    """
    stored = {id_ for id_, _ in state["artifact"]}
    chosen: dict[str, tuple[Key, str]] = {}
    for (id_,), (type_, values, _) in state["dataset"].items():
        if id_ in stored:
            chosen[type_] = min(chosen.get(type_, (values, id_)), (values, id_))
    return {id_: (type_, values) for type_, (values, id_) in chosen.items()}


def tag_some(butler: Butler, state: RepositoryState) -> None:
    """Make the collection `TAGGED` with the datasets of `selection`."""
    from lsst.daf.butler import CollectionType

    butler.collections.register(TAGGED, CollectionType.TAGGED)
    butler.registry.associate(TAGGED, butler.get_many_datasets(list(selection(state))))


def expected_after(state: RepositoryState) -> RepositoryState:
    """Return the state that the imported repository should have, from that of the original."""
    rest = exportable(state)
    tags = {(TAGGED, id_): row for id_, row in selection(state).items()}
    return rest.replace(collection={**rest["collection"], (TAGGED,): ("TAGGED", "")}, tag={**rest["tag"], **tags})


def make_repository(root: Path, config: Mapping[str, Any]) -> None:
    """Make an empty repository with the configuration that an instrument's datasets need."""
    from lsst.daf.butler import Butler, Config

    Butler.makeRepo(str(root), config=Config(dict(config)))
