"""Bringing one repository into another: what stands in the way first, then all or nothing, then a look at all of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import HarnessError
from .capture import capture
from .closure import Relations, relations
from .collisions import Collision, collisions
from .compare import Difference, compare, in_words
from .exports import exportable, reason
from .state import KINDS, RepositoryState
from .trip import artifact_paths, opened, refs_of

if TYPE_CHECKING:
    from lsst.daf.butler import Butler

__all__ = ["Merge", "additions", "merge", "merged_state", "plan_merge"]


@dataclasses.dataclass(frozen=True)
class Merge:
    """What a merge would do.

    Parameters
    ----------
    source, target : `~pathlib.Path`
        The repositories.
    here, there : `~harness.transfer.state.RepositoryState`
        Their states.
    known : `~harness.transfer.closure.Relations`
        Relations of the dimensions.
    collisions : `list` [`~harness.transfer.collisions.Collision`]
        What stands in the way.
    """

    source: Path
    target: Path
    here: RepositoryState
    there: RepositoryState
    known: Relations
    collisions: list[Collision]

    @property
    def left_out(self) -> int:
        """Number of datasets of the source without any file: nothing can be brought of these."""
        return len(self.here["dataset"]) - len(exportable(self.here)["dataset"])


def plan_merge(source: Path, target: Path) -> Merge:
    """Read both repositories, and find what stands in the way.

    Parameters
    ----------
    source, target : `~pathlib.Path`
        The repository to bring, and the one to bring it into. Neither is written to.

    Raises
    ------
    HarnessError
        If either cannot be opened, or they are the same.
    """
    if source.resolve() == target.resolve():
        raise HarnessError(f"{source} cannot be merged into itself", code="same-repository")
    states: list[RepositoryState] = []
    paths: list[Mapping[tuple[str, str], str]] = []
    for repo in (source, target):
        with opened(repo) as butler:
            states.append(capture(butler))
            paths.append(artifact_paths(butler, (i for (i,) in states[-1]["dataset"])))
            known = relations(butler.dimensions)
    here, there = states
    found = collisions(here, there, (paths[0], paths[1]), known)
    found += _strays(here, there, paths, target)
    return Merge(source, target, here, there, known, found)


def _strays(
    here: RepositoryState, there: RepositoryState, paths: list[Mapping[tuple[str, str], str]], target: Path
) -> Iterable[Collision]:
    """Find files of no dataset that would be overwritten."""
    if not target.is_dir():
        return
    owned = set(paths[1].values())
    for (id_, _), path in paths[0].items():
        if (id_,) in there["dataset"] or path in owned or path.startswith("/") or ":" in path:
            continue
        if (target / path).exists():
            type_, values, _run = here["dataset"][id_,]
            data_id = here.data_id(type_, values)
            yield Collision(
                "file",
                f"file {path}: of {type_} {in_words(data_id)}, there of no dataset",
                id_,
                "a file",
                "move it away",
                data_id,
            )


def merged_state(here: RepositoryState, there: RepositoryState) -> RepositoryState:
    """Return what a repository must hold after another has been brought into it.

    Parameters
    ----------
    here, there : `~harness.transfer.state.RepositoryState`
        The states of the source and of the target, which do not collide.
    """
    bring = exportable(here)
    tables = {kind: {**bring[kind], **there[kind]} for kind in KINDS}
    tables["dataset-type"] = {**here["dataset-type"], **there["dataset-type"]}
    for key, (type_, values, ranges) in bring["certification"].items():
        if key in there["certification"]:
            both = sorted({*ranges, *there["certification"][key][2]})
            tables["certification"][key] = (type_, values, tuple(both))
    return RepositoryState(
        there.universe,
        {**here.elements, **there.elements},
        {**here.dimensions, **there.dimensions},
        tables,
        here.hashed and there.hashed,
    )


def additions(plan: Merge) -> dict[str, int]:
    """Count what a merge adds, by kind of thing."""
    merged = merged_state(plan.here, plan.there)
    return {k: n for k in KINDS if (n := len(merged[k].keys() - plan.there[k].keys()))}


def merge(
    plan: Merge, mode: str = "copy", progress: Callable[[str], None] = lambda _: None, target: Path | None = None
) -> list[Difference]:
    """Bring the source of a plan into its target, and compare all of it with what must be there.

    Parameters
    ----------
    plan : `Merge`
        A plan without collisions.
    mode : `str`, optional
        Transfer mode of the files.
    progress : `~collections.abc.Callable`, optional
        Is told what is going on.
    target : `~pathlib.Path`, optional
        A copy of the target to bring it into instead.

    Returns
    -------
    differences : `list` [`~harness.transfer.compare.Difference`]
        Between what must be there and what is there.

    Raises
    ------
    HarnessError
        If there are collisions, or the middleware fails; the target is then as it was before, or the error says what
        is not.
    """
    if plan.collisions:
        raise HarnessError(
            f"{len(plan.collisions)} collisions", remedy="see 'harness merge --dry-run'", code="collision"
        )
    where = target or plan.target
    with opened(plan.source) as source, opened(where, writeable=True) as butler:
        try:
            _bring(plan, source, butler, mode, progress)
        except BaseException as error:  # whatever the middleware raises, and Ctrl-C: the target is put back
            problem = _undone(plan, butler, where, error)
            if isinstance(error, Exception):
                raise problem from error
            raise
    progress("comparing")
    with opened(where) as butler:
        return compare(merged_state(plan.here, plan.there), capture(butler))


def _bring(plan: Merge, source: Butler, target: Butler, mode: str, progress: Callable[[str], None]) -> None:
    """Write what the target does not have yet."""
    from lsst.daf.butler import CollectionType, Timespan

    here, there = exportable(plan.here), plan.there
    registry = target.registry
    for (name,) in plan.here["dataset-type"].keys() - there["dataset-type"].keys():
        registry.registerDatasetType(source.get_dataset_type(name))
    new = here["collection"].keys() - there["collection"].keys()
    for (name,) in sorted(new):
        type_, doc = here["collection"][name,]
        target.collections.register(name, CollectionType.from_name(type_), doc=doc or None)
    for (name,) in here["chain"].keys() & new:
        target.collections.redefine_chain(name, list(here["chain"][name,][0]))
    # From here on the middleware puts all back by itself if something fails, files included.
    with target.transaction():
        progress("records")
        for element in plan.known.required:
            missing = {k for k in here["record"].keys() - there["record"].keys() if k[0] == element}
            if missing:
                records = source.query_dimension_records(element, limit=None, explain=False)
                wanted = [r for r in records if (element, *r.dataId.required_values) in missing]
                registry.insertDimensionData(element, *wanted)
        refs = refs_of(source, (i for (i,) in here["dataset"].keys() - there["dataset"].keys()))
        progress(f"{len(refs)} datasets by {mode}")
        target.transfer_from(source, refs, transfer=mode, skip_missing=False)
        members: dict[str, list[str]] = {}
        for collection, id_ in here["tag"].keys() - there["tag"].keys():
            members.setdefault(collection, []).append(id_)
        for collection, ids in members.items():
            registry.associate(collection, refs_of(source, ids))
        valid: dict[tuple[str, int, int], list[str]] = {}
        for key, row in here["certification"].items():
            known = there["certification"].get(key, ((), (), ()))[2]
            for begin, end in set(row[2]) - set(known):
                valid.setdefault((key[0], begin, end), []).append(key[1])
        for (collection, begin, end), ids in valid.items():
            registry.certify(collection, refs_of(source, ids), Timespan(None, None, _nsec=(begin, end)))


def _undone(plan: Merge, butler: Butler, where: Path, error: BaseException) -> HarnessError:
    """Remove what the middleware does not roll back; make the error that says so.

    Datasets, records and files are rolled back; collections and dataset types are not.
    """
    butler.registry.refresh()
    left = compare(plan.there, capture(butler, hashes=False), kinds=("collection", "dataset-type"))
    names = {
        kind: [d.name for d in left if d.kind == kind and d.change == "added"]
        for kind in ("collection", "dataset-type")
    }
    rest = ""
    try:
        for name in names["collection"]:
            if plan.here["collection"][name,][0] == "CHAINED":
                butler.collections.redefine_chain(name, [])
        for name in names["collection"]:
            butler.registry.removeCollection(name)
        for name in names["dataset-type"]:
            butler.registry.removeDatasetType(name)
    except Exception as second:  # the first error is the one to tell; this one says what is left
        rest = f"; and {reason(second)}"
    butler.registry.refresh()
    differences = compare(plan.there, capture(butler))
    state = (
        "it is as it was before"
        if not differences
        else f"{len(differences)} things there have changed: {differences[0]}"
    )
    return HarnessError(
        f"merge into {where} failed: {reason(error)}{rest}; {state}",
        remedy="" if not differences else "restore it from a backup",
        code="merge-failed",
    )
