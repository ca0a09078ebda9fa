"""What a rerun should leave: the state after, computed from the state before. Pure functions, no middleware."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ..transfer.capture import MISSING
from ..transfer.content import ANYTHING
from ..transfer.state import Key, RepositoryState, Value

__all__ = [
    "MADE",
    "PACKAGES",
    "TaskShape",
    "chained",
    "compatible",
    "flattened",
    "matched",
    "outputs",
    "quanta",
    "remade",
    "replaced",
    "unknown",
]

PACKAGES = "packages"
"""Dataset type of the software versions of a run, which pipetask may replace."""

MADE = "new "
"""How the stand-ins for ids begin that the middleware will choose."""


@dataclasses.dataclass(frozen=True)
class TaskShape:
    """What a task of a pipeline reads and writes.

    Parameters
    ----------
    label : `str`
        Its label.
    dimensions : `tuple` [`str`]
        Required dimensions of its quanta.
    inputs, outputs : `tuple` [`str`]
        Dataset types; the outputs have metadata and log among them.
    init_outputs : `tuple` [`str`]
        Dataset types written once for a run, the configuration among them.
    metadata : `str`
        The output whose presence says that a quantum succeeded.
    log : `str`, optional
        The output that a quantum also leaves when it fails; empty if there is none.
    optional : `tuple` [`str`], optional
        Those of ``inputs`` that a quantum can do without.
    """

    label: str
    dimensions: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    init_outputs: tuple[str, ...]
    metadata: str
    log: str = ""
    optional: tuple[str, ...] = ()


def compatible(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Say whether two data IDs agree in all dimensions that they share."""
    return all(second[k] == v for k, v in first.items() if k in second)


def quanta(state: RepositoryState, task: TaskShape, run: str) -> list[dict[str, Any]]:
    """Return the data IDs of the quanta of a task that succeeded in a run, in order."""
    found = (state["dataset"][id_,][1] for id_ in state.ids([task.metadata], [run]))
    return [state.data_id(task.metadata, values) for values in sorted(found)]


def outputs(state: RepositoryState, task: TaskShape, run: str, data_id: Mapping[str, Any]) -> set[str]:
    """Return the ids of what a quantum wrote into a run."""
    return {
        id_ for id_ in state.ids(task.outputs, [run]) if compatible(data_id, state.data_id(*state["dataset"][id_,][:2]))
    }


def flattened(state: RepositoryState, name: str) -> tuple[str, ...]:
    """Return the collections that a search of a collection visits, in order, without chains and repetitions."""
    if state["collection"][name,][0] != "CHAINED":
        return (name,)
    (children,) = state["chain"][name,]
    return tuple(dict.fromkeys(c for child in children for c in flattened(state, child)))


def remade(state: RepositoryState, ids: Collection[str], contents: Mapping[Key, str]) -> RepositoryState:
    """Return the state after datasets were deleted and made again in the same run.

    They have new ids, which nobody can foretell, and are members of no tagged or calibration collection. The
    software versions of the run may be written again, as more software may have been imported.

    Parameters
    ----------
    state : `~harness.transfer.state.RepositoryState`
        The state before.
    ids : `~collections.abc.Collection` [`str`]
        The datasets.
    contents : `~collections.abc.Mapping` [`tuple`, `str`]
        What they say: see `harness.transfer.content.content_digests`.
    """
    gone = set(ids)
    datasets, artifacts = _made(state, ids, contents, run=None)
    kept = {k: v for k, v in state["artifact"].items() if k[0] not in gone}
    versions = set(state.ids([PACKAGES], {row[2] for row in datasets.values()}))
    noted = {k: (*v[:2], None, ANYTHING) for k, v in kept.items() if k[0] in versions}
    return state.replace(
        dataset={**{k: v for k, v in state["dataset"].items() if k[0] not in gone}, **datasets},
        artifact={**kept, **noted, **artifacts},
        tag={k: v for k, v in state["tag"].items() if k[1] not in gone},
        certification={k: v for k, v in state["certification"].items() if k[1] not in gone},
    )


def chained(state: RepositoryState, name: str, children: Sequence[str]) -> RepositoryState:
    """Return the state after a new chain was made."""
    return state.replace(
        collection={**state["collection"], (name,): ("CHAINED", "")},
        chain={**state["chain"], (name,): (tuple(children),)},
    )


def replaced(
    state: RepositoryState,
    source: RepositoryState,
    chain: str,
    run: str,
    ids: Collection[str],
    contents: Mapping[Key, str],
) -> RepositoryState:
    """Return the state after the first run of an output chain was replaced by a new one with the same results.

    The new run takes the place of the first at the head of the chain, which is flattened. The replaced run is
    no longer found through the chain, but is there with all that it had.

    Parameters
    ----------
    state : `~harness.transfer.state.RepositoryState`
        The state before.
    source : `~harness.transfer.state.RepositoryState`
        A state that has ``ids``.
    chain, run : `str`
        The output chain and the new run.
    ids : `~collections.abc.Collection` [`str`]
        The datasets like which the new run has some, too.
    contents : `~collections.abc.Mapping` [`tuple`, `str`]
        What they say.
    """
    datasets, artifacts = _made(source, ids, contents, run=run)
    return state.replace(
        collection={**state["collection"], (run,): ("RUN", "")},
        chain={**state["chain"], (chain,): ((run, *flattened(state, chain)[1:]),)},
        dataset={**state["dataset"], **datasets},
        artifact={**state["artifact"], **artifacts},
    )


def _made(
    state: RepositoryState, ids: Iterable[str], contents: Mapping[Key, str], run: str | None
) -> tuple[dict[Key, Value], dict[Key, Value]]:
    """Return the rows of datasets and artifacts that are like some others, but made anew."""
    datasets: dict[Key, Value] = {}
    names: dict[str, str] = {}
    for id_ in ids:
        type_, values, old_run = state["dataset"][id_,]
        names[id_] = unknown(type_, values, run or old_run)
        datasets[names[id_],] = (type_, values, run or old_run)
    artifacts = {
        (names[k[0]], *k[1:]): (*v[:2], None, contents.get(k, ""))
        for k, v in state["artifact"].items()
        if k[0] in names
    }
    return datasets, artifacts


def unknown(type_: str, values: Key, run: str) -> str:
    """Return what stands for the id of a dataset that is made, given its type, data ID and run."""
    return f"{MADE}{type_} {values} in {run}"


def matched(expected: RepositoryState, actual: RepositoryState) -> tuple[RepositoryState, dict[str, str]]:
    """Give the datasets that were made anew the names that the expected state has for them.

    Parameters
    ----------
    expected, actual : `~harness.transfer.state.RepositoryState`
        The states to be compared.

    Returns
    -------
    state : `~harness.transfer.state.RepositoryState`
        ``actual`` with these ids renamed, and without the content of what may say anything.
    names : `dict` [`str`, `str`]
        The new name of each id that was renamed.
    """
    wanted: dict[Value, str] = {}
    for (id_,), row in expected["dataset"].items():
        if (id_,) not in actual["dataset"] and (id_ == unknown(*row) or row[0] == PACKAGES):
            wanted[row] = id_
    rows = actual["dataset"]
    names = {k[0]: wanted[row] for k, row in rows.items() if k not in expected["dataset"] and row in wanted}
    artifacts = {}
    for (id_, component), row in actual["artifact"].items():
        key = (names.get(id_, id_), component)
        anything = expected["artifact"].get(key, ("",))[-1] == ANYTHING and row[-1] != MISSING
        artifacts[key] = (*row[:2], None, ANYTHING) if anything else row
    renamed = actual.replace(
        dataset={(names.get(k[0], k[0]),): row for k, row in rows.items()},
        artifact=artifacts,
        **{
            kind: {(k[0], names.get(k[1], k[1])): v for k, v in actual[kind].items()}
            for kind in ("tag", "certification")
        },
    )
    return renamed, names
