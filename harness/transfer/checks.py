"""Invariants of the round trip: what was exported is what is found after the import."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import HarnessError
from ..verdicts import Check, Finding, check
from .compare import Difference, compare

if TYPE_CHECKING:
    from ..checks.context import CheckContext
    from .state import RepositoryState

__all__ = ["CHECKS", "finding", "live_state", "original_state"]

AFTER = "roundtrip"


def live_state(context: CheckContext) -> RepositoryState:
    """Return the state of the repository that is checked, read once for all checks."""
    from .capture import capture

    return context.cached("transfer.live", lambda: capture(context.butler))


def original_state(context: CheckContext, stage: str) -> RepositoryState:
    """Return the state of the repository that a stage started from, read once for all checks.

    Parameters
    ----------
    context : `~harness.checks.context.CheckContext`
        Its facts name the original.
    stage : `str`
        The stage whose facts have ``original``.

    Raises
    ------
    HarnessError
        If the original is no longer there: nothing can then be said.
    """

    def read() -> RepositoryState:
        from lsst.daf.butler import Butler

        from .capture import capture

        path = Path(context.facts[stage]["original"])
        if not path.is_dir():
            raise HarnessError(f"the original repository {path} is gone", remedy="run with --fresh")
        with Butler.from_config(str(path), writeable=False) as butler:
            return capture(butler)

    return context.cached(f"transfer.original.{stage}", read)


def finding(difference: Difference, what: str) -> Finding:
    """Make a finding of a difference between what is expected and what is there.

    Parameters
    ----------
    difference : `~harness.transfer.compare.Difference`
        From what is expected to what is there.
    what : `str`
        When it was made: "the round trip", "a rerun" …
    """
    expected, seen = _fields(difference.before), _fields(difference.after)
    return Finding(
        f"{what}: {difference}",
        data_id=difference.data_id,
        where=_where(difference),
        seen=seen,
        expected=expected,
        look=_look(difference),
    )


def _fields(values: Any) -> str:
    return "nothing" if values is None else ", ".join(f"{k}={v!r}" for k, v in values.items())


def _where(difference: Difference) -> str:
    if difference.kind in {"tag", "certification"}:
        return f"collection {difference.key[0]}"
    return f"{difference.kind} {difference.name}"


def _look(difference: Difference) -> str:
    """Return a command that shows the thing that differs."""
    name, where = difference.name, " AND ".join(f"{k}={v!r}" for k, v in difference.data_id.items())
    match difference.kind:
        case "record":
            return f'butler query-dimension-records {{repo}} {name} --where "{where}"'
        case "dataset-type":
            return f"butler query-dataset-types {{repo}} --verbose {name}"
        case "collection" | "chain":
            return f"butler query-collections {{repo}} --chains TREE {name}"
        case "universe":
            return "grep -i universe {repo}/butler.yaml"
        case "tag" | "certification":
            collection = difference.key[0]
            return f'butler query-datasets {{repo}} {name} --collections {collection} --where "{where}"'
        case _:
            return f'butler query-datasets {{repo}} {name} --show-uri --where "{where}"'


def _differing(context: CheckContext, kind: str) -> Iterator[Finding]:
    """Compare things of one kind in the original and in the imported repository."""
    from .roundtrip import expected_after

    expected = context.cached("roundtrip.expected", lambda: expected_after(original_state(context, AFTER)))
    imported = live_state(context)
    context.examined(len(expected[kind]))
    for difference in compare(expected, imported, kinds=(kind,)):
        yield finding(difference, "the round trip")


@check(
    "roundtrip.records-equal",
    title="Each dimension record is the same, field by field, after export and import",
    after=AFTER,
    upstream="pipe_base#185, DM-50446",
)
def records_equal(context: CheckContext) -> Iterator[Finding]:
    """Exports of some releases drop visit definitions, memberships or regions, and imports silently keep a record that
    was there already. Without these records the imported images cannot be processed, or are matched to the wrong patch.
    """
    yield from _differing(context, "record")


@check(
    "roundtrip.dataset-types-equal",
    title="Each dataset type in use has the same dimensions, storage class and calibration flag after import",
    after=AFTER,
)
def dataset_types_equal(context: CheckContext) -> Iterator[Finding]:
    """A dataset type with another storage class reads its files as something else; one that is no longer a
    calibration type cannot be certified, and pipelines written for the original refuse to run on the copy.
    """
    yield from _differing(context, "dataset-type")


@check(
    "roundtrip.collections-equal",
    title="The same collections, of the same types and with the same documentation, are there after import",
    after=AFTER,
)
def collections_equal(context: CheckContext) -> Iterator[Finding]:
    """People and pipelines name collections; a collection that is gone, or that is empty but was a run of its own,
    makes commands that worked on the original fail on the copy.
    """
    yield from _differing(context, "collection")


@check(
    "roundtrip.chains-equal",
    title="Each chained collection has the same children in the same order after import",
    after=AFTER,
)
def chains_equal(context: CheckContext) -> Iterator[Finding]:
    """The order of a chain decides which of two datasets with one data ID is found. In another order the copy gives
    other data than the original, without any error.
    """
    yield from _differing(context, "chain")


@check(
    "roundtrip.tags-equal",
    title="Each tagged collection has the same members after import",
    after=AFTER,
    upstream="pipe_base#229",
)
def tags_equal(context: CheckContext) -> Iterator[Finding]:
    """Tags record which data somebody selected, often by hand; the selection cannot be made again from other things."""
    yield from _differing(context, "tag")


@check(
    "roundtrip.calibration-validity-equal",
    title="Each calibration is certified for the same time spans after import",
    after=AFTER,
    upstream="pipe_base#229",
)
def calibration_validity_equal(context: CheckContext) -> Iterator[Finding]:
    """With another validity range an exposure gets another epoch's bias or flat, or none. The first is not noticed
    until somebody looks at the pixels.
    """
    if not any(row[0] == "CALIBRATION" for row in original_state(context, AFTER)["collection"].values()):
        context.examined()  # instruments without calibrations: that the copy has none either is what is proven
    yield from _differing(context, "certification")


@check(
    "roundtrip.dataset-ids-equal",
    title="Each dataset has the same id, type, data ID and run after import",
    after=AFTER,
)
def dataset_ids_equal(context: CheckContext) -> Iterator[Finding]:
    """Provenance, quantum graphs and tags refer to datasets by id; with another id the history of the copy is lost, and
    it can never be merged with the original again.
    """
    yield from _differing(context, "dataset")


@check(
    "roundtrip.artifacts-equal",
    title="Each dataset has the same content, formatter and storage class after import",
    after=AFTER,
)
def artifacts_equal(context: CheckContext) -> Iterator[Finding]:
    """A file that was cut short, mixed up with another or left behind is not noticed by the registry. Here the bytes of
    every artifact are compared.
    """
    yield from _differing(context, "artifact")


CHECKS: tuple[Check, ...] = (
    records_equal,
    dataset_types_equal,
    collections_equal,
    chains_equal,
    tags_equal,
    calibration_validity_equal,
    dataset_ids_equal,
    artifacts_equal,
)
