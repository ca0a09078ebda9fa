"""Invariants of chains: they lead somewhere, never back, and in the right order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..instrument.kit import Capability
from ..verdicts import Check, Finding, check
from .records import known_instruments, look_rows
from .tables import tables

if TYPE_CHECKING:
    from ..instrument.kit import InstrumentKit
    from .context import CheckContext

__all__ = ["CHECKS", "find_cycles"]


def find_cycles[T](children: Mapping[T, Sequence[T]]) -> list[tuple[T, ...]]:
    """Find one cycle for each knot of a directed graph.

    Parameters
    ----------
    children : `~collections.abc.Mapping`
        For each node those that it leads to; nodes without an entry lead nowhere.

    Returns
    -------
    cycles : `list` [`tuple`]
        Each a walk from a node back to itself, without the return. Empty if and only if there is no cycle.

    Notes
    -----
    Depth first with an explicit stack: chains of any depth do not exhaust Python's.
    """
    done: set[T] = set()
    cycles: list[tuple[T, ...]] = []
    for root in children:
        if root in done:
            continue
        path: list[T] = [root]
        on_path = {root}
        stack = [iter(children.get(root, ()))]
        while stack:
            for child in stack[-1]:
                if child in on_path:
                    cycles.append(tuple(path[path.index(child) :]))
                elif child not in done:
                    path.append(child)
                    on_path.add(child)
                    stack.append(iter(children.get(child, ())))
                    break
            else:
                stack.pop()
                done.add(path[-1])
                on_path.discard(path.pop())
    return cycles


def _look_chain(name: str) -> str:
    return f"butler query-collections {{repo}} '{name}' --chains TABLE"


def _redefine(name: str, children: Sequence[str]) -> str:
    """Return the command that gives a chain other members, each once."""
    return f"butler collection-chain {{repo}} '{name}' {' '.join(f"'{c}'" for c in dict.fromkeys(children))}"


@check(
    "collections.chain-members",
    title="The members of a chain exist, and none is listed twice",
    after="refcats",
)
def chain_members(context: CheckContext) -> Iterator[Finding]:
    """A chain whose member is gone cannot be searched at all; a member listed twice hides a wrong search order."""
    data = tables(context)
    for parent, children in data.chains.items():
        name = data.collection_name(parent)
        context.examined(len(children))
        if parent not in data.collections or data.collections[parent].type != "CHAINED":
            yield Finding(
                f"{name} has members but is no chain",
                where="collection_chain",
                seen=data.collections[parent].type if parent in data.collections else "no such collection",
                expected="CHAINED",
                look=_look_chain(name),
                remedy="Delete its rows in collection_chain, or give the collection back the type that it had.",
            )
        for child in sorted(set(children)):
            if child not in data.collections:
                yield Finding(
                    f"{name} has a member that does not exist",
                    where=name,
                    seen=f"collection number {child}",
                    expected="an existing collection",
                    look=look_rows("collection_chain", "parent", parent),
                    remedy=_redefine(name, [data.collections[c].name for c in children if c in data.collections]),
                )
            if children.count(child) > 1:
                yield Finding(
                    f"{name} lists {data.collection_name(child)} {children.count(child)} times",
                    where=name,
                    seen=", ".join(data.collection_name(c) for c in children),
                    expected="each member once",
                    look=_look_chain(name),
                    remedy=_redefine(name, [data.collections[c].name for c in children if c in data.collections]),
                )


@check(
    "collections.no-cycles",
    title="No chain contains itself",
    after="refcats",
)
def no_cycles(context: CheckContext) -> Iterator[Finding]:
    """A search through a cyclic chain never ends. Redefining two chains at the same time can make one."""
    data = tables(context)
    context.examined(sum(len(c) for c in data.chains.values()))
    for cycle in find_cycles(data.chains):
        names = [data.collection_name(c) for c in cycle]
        yield Finding(
            f"the chain {names[0]} contains itself",
            where=names[0],
            seen=" → ".join([*names, names[0]]),
            expected="no way back",
            look=_look_chain(names[0]),
            remedy=f"butler collection-chain {{repo}} '{names[-1]}' '{names[0]}' --mode remove",
        )


@check(
    "collections.defaults-order",
    title="An instrument's default chain has its raws, calibrations and reference catalogues, in this order",
    after="defaults",
)
def defaults_order(context: CheckContext) -> Iterator[Finding]:
    """Pipelines read from this one chain. What it lacks is not found; a wrong order lets old inputs shadow new ones."""
    data = tables(context)
    for name, kit in known_instruments(context).items():
        instrument = kit.instrument_class()
        wanted = [instrument.makeDefaultRawIngestRunName()]
        brought = _brought(context, kit)
        if Capability.CALIBRATIONS in brought:
            wanted.append(instrument.makeCalibrationCollectionName())
        shared = {instrument.makeRefCatCollectionName(): Capability.REFCATS, "skymaps": Capability.COADDS}
        wanted += [c for c, capability in shared.items() if capability in brought and c in data.collection_ids]
        chain = instrument.makeUmbrellaCollectionName()
        number = data.collection_ids.get(chain)
        children = [data.collection_name(c) for c in data.chains.get(number, ())] if number is not None else []
        context.examined(len(wanted))
        if [c for c in children if c in wanted] != wanted:
            yield Finding(
                f"{chain} does not lead to what {name} needs, in order",
                data_id={"instrument": name},
                where=chain,
                seen=", ".join(children) or "no such chain",
                expected=", ".join(wanted),
                look=_look_chain(chain),
                remedy=_redefine(chain, [*wanted, *(c for c in children if c not in wanted)]),
            )


def _brought(context: CheckContext, kit: InstrumentKit) -> frozenset[str]:
    """Return what the datasets of an instrument bring; all that it can have, if it is not known which there are."""
    if context.dataset is None:
        return kit.capabilities
    known = (d for d in (*context.others, context.dataset) if d.instrument == kit.name)
    return frozenset().union(*(kit.applicable(d) for d in known))


@check(
    "collections.outputs-first",
    title="A chain finds its own runs before its inputs, the newest first",
    after="process",
    needs={Capability.COADDS},
)
def outputs_first(context: CheckContext) -> Iterator[Finding]:
    """Outputs that stand behind an input of the same dataset type are shadowed: nobody reads what was just made."""
    data = tables(context)
    for parent, children in data.chains.items():
        name = data.collection_name(parent)
        names = [data.collection_name(c) for c in children]
        own = [n for n in names if n.startswith(f"{name}/")]
        if not own:
            continue
        context.examined(len(names))
        if names[: len(own)] != own:
            yield Finding(
                f"{name} searches an input before its own run",
                where=name,
                seen=", ".join(names),
                expected=f"{', '.join(own)} first",
                look=_look_chain(name),
                remedy=_redefine(name, [*own, *(n for n in names if n not in own)]),
            )
    for row in data.collections.values():
        parent_name = row.name.rpartition("/")[0]
        owner = data.collection_ids.get(parent_name)
        if row.type == "RUN" and owner is not None and data.collections[owner].type == "CHAINED":
            context.examined()
            if row.id not in data.chains.get(owner, ()) and owner in _newest_owners(context, row.id):
                yield Finding(
                    f"the newest run of {parent_name} is not in it",
                    where=parent_name,
                    seen=", ".join(data.collection_name(c) for c in data.chains.get(owner, ())) or "an empty chain",
                    expected=row.name,
                    look=_look_chain(parent_name),
                    remedy=f"butler collection-chain {{repo}} '{parent_name}' '{row.name}' --mode prepend",
                )


def _newest_owners(context: CheckContext, run: int) -> set[int]:
    """Return the chains of whose runs this one holds the newest dataset: replaced runs may leave a chain."""
    data = tables(context)

    def make() -> dict[int, int]:
        import sqlalchemy

        newest: dict[int, tuple[Any, int]] = {}
        dataset = data.table("dataset", "run_id", "ingest_date")
        statement = sqlalchemy.select(dataset.c.run_id, sqlalchemy.func.max(dataset.c.ingest_date))
        latest = {row[0]: row[1] for row in data.stream(statement.group_by(dataset.c.run_id))}
        for number, date in latest.items():
            owner = data.collection_ids.get(data.collection_name(number).rpartition("/")[0])
            if owner is not None and (owner not in newest or date > newest[owner][0]):
                newest[owner] = (date, number)
        return {owner: number for owner, (_, number) in newest.items()}

    found = context.cached("newest runs", make)
    return {owner for owner, number in found.items() if number == run}


CHECKS: tuple[Check, ...] = (chain_members, no_cycles, defaults_order, outputs_first)
