"""``harness roundtrip``: does everything survive export, import and transfer."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from ..errors import UsageError, nearest
from ..plugins import Plugins
from .common import print_table, quiet, work_option

if TYPE_CHECKING:
    from ..transfer.kinds import Kind
    from ..transfer.perform import Outcome
    from ..transfer.trip import Trip

__all__ = ["command"]

SHOWN = 3
"""Findings of one check that are shown of each kind of transfer; ``--format json`` has all."""


class _Query(NamedTuple):
    """What to carry, as the user says it."""

    collections: tuple[str, ...]
    types: tuple[str, ...]
    where: str


@click.command("roundtrip")
@click.argument("name", metavar="REPO|INSTRUMENT|DATASET", required=False)
@click.option("--list", "listed", is_flag=True, help="List the kinds of transfer, and what they carry by design.")
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help="Kinds of transfer to try.  [default: all]")
@click.option("--collections", metavar="NAME,…", default="", help="Collections to carry.  [default: all]")
@click.option("--dataset-type", "types", multiple=True, metavar="TYPE", help="Dataset types to carry.  [default: all]")
@click.option("--where", default="", metavar="QUERY", help="Carry what this query of the middleware finds.")
@click.option("--graph", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Quantum graph of outputs.")
@click.option(
    "--universe", type=int, metavar="N", help="There and back, through a repository of this universe (6 to 8)."
)
@click.option("--once", is_flag=True, help="Don't make each transfer twice.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@work_option
@click.pass_obj
def command(
    plugins: Plugins,
    name: str | None,
    listed: bool,
    kinds: tuple[str, ...],
    collections: str,
    types: tuple[str, ...],
    where: str,
    graph: Path | None,
    universe: int | None,
    once: bool,
    form: str,
    work: Path,
) -> None:
    """Carry a repository, or a part of it, into new ones in every way that the middleware has, and compare.

    What must be there is computed from the source: the datasets with ids and content, the records that they need,
    dataset types, collections, chains, tags and validity ranges, and nothing else. Each transfer is then made a second
    time: that may be refused, but must change nothing. The source is only read.

    INSTRUMENT or DATASET stands for its processed repository, which is built if it is not there.
    """
    from ..transfer.kinds import KINDS_OF_TRANSFER

    if listed:
        _list(KINDS_OF_TRANSFER.values())
        return
    if name is None:
        raise UsageError("no repository given", remedy="give a repository or an instrument; --list lists the kinds")
    for kind in kinds:
        if kind not in KINDS_OF_TRANSFER:
            raise nearest("kind of transfer", kind, KINDS_OF_TRANSFER)
    wanted = [k for k in KINDS_OF_TRANSFER.values() if not kinds or k.name in kinds]
    query = _Query(tuple(c for c in collections.split(",") if c), types, where)
    outcomes: list[Outcome] = []
    with _scratch() as folder:
        source, graph = _source(plugins, name, graph, any(k.needs == "graph" for k in wanted), work)
        trip = _plan(source, folder, graph, universe, query)
        if form == "text":
            what = "everything" if trip.selection.whole else "a selection"
            counts = f"{len(trip.selection.chosen)} datasets"
            extra = len(trip.selection.ids) - len(trip.selection.chosen)
            click.echo(f"{source}: {what}, {counts}" + (f" and {extra} calibrations that they need" if extra else ""))
        for outcome in _outcomes(wanted, trip, once):
            if outcome.skipped and not kinds:
                if form == "text":
                    click.echo(f"  -     {outcome.label}: {outcome.skipped}")
                continue
            outcomes.append(outcome)
            if form == "text":
                _show(outcome, source)
    raise SystemExit(_end(outcomes, form, source))


def _outcomes(kinds: Iterable[Kind], trip: Trip, once: bool) -> Iterator[Outcome]:
    import dataclasses
    import shutil

    from ..transfer.perform import perform, there_and_back

    for kind in kinds:
        own = dataclasses.replace(trip, folder=trip.folder / kind.name)
        if trip.universe is None:
            yield perform(kind, own, twice=not once)
        else:
            yield from there_and_back(kind, own, twice=not once)
        shutil.rmtree(own.folder, ignore_errors=True)


@contextmanager
def _scratch() -> Iterator[Path]:
    """Make a folder for the targets; the middleware's own messages are left out, as findings say it all."""
    with quiet(), tempfile.TemporaryDirectory(prefix="harness-roundtrip-") as folder:
        yield Path(folder)


def _plan(source: Path, folder: Path, graph: Path | None, universe: int | None, query: _Query) -> Trip:
    from ..stages.fork import fork_repository
    from ..transfer.capture import capture
    from ..transfer.closure import relations
    from ..transfer.selection import select, stored_ids
    from ..transfer.trip import Trip, artifact_paths, opened
    from ..transfer.universes import dimension_config

    if universe is not None:
        dimension_config(universe)
    with opened(source) as butler:
        state = capture(butler)
        known = relations(butler.dimensions)
        selection = select(butler, state, known, collections=query.collections, types=query.types, where=query.where)
        paths = artifact_paths(butler, stored_ids(state))
    if universe == state.universe[1]:
        universe = None
    return Trip(source, folder, state, known, selection, paths, graph, universe, fork_repository)


def _source(plugins: Plugins, name: str, graph: Path | None, want_graph: bool, work: Path) -> tuple[Path, Path | None]:
    """Return the repository that is meant, and the graph of its outputs."""
    if Path(name).exists() or "/" in name:
        return Path(name).absolute(), graph.absolute() if graph else None
    from ..engines.inprocess import InProcessEngine
    from ..engines.qbb import QuantumBackedEngine
    from ..stages.graph import StageGraph
    from .built import built
    from .common import find_dataset

    dataset = find_dataset(plugins, name)
    kit = plugins.find("instrument", dataset.instrument)
    want_graph = want_graph and dataset.processing is not None
    # This engine keeps the graph whose outputs the repository then has.
    engine = QuantumBackedEngine() if want_graph else InProcessEngine()
    last = StageGraph(plugins.stages().values(), kit.applicable(dataset)).stages["roundtrip"].extends
    assert last is not None
    snapshot = built(plugins, dataset, engine, work, last)
    return snapshot.repo, next(iter(sorted(snapshot.outputs.glob("process*.qg"))), None) if want_graph else graph


def _list(kinds: Iterable[Kind]) -> None:
    rows = []
    for kind in kinds:
        carries = kind.carries
        memberships = {"all": "all", "calibrations": "calibrations", "there": "kept", "none": "-"}[carries.memberships]
        rows.append((kind.name, carries.datasets, carries.records, memberships, kind.title))
    print_table(("kind", "datasets", "records", "chains, tags, validity", ""), rows)


def _show(outcome: Outcome, source: Path) -> None:
    """Print a line for a kind of transfer, and its findings below."""
    expected = outcome.expected
    if outcome.skipped:
        text = outcome.skipped
    elif outcome.refused:
        text = f"refused, as it must be: {outcome.refused}"
    else:
        text = f"{expected['dataset']} datasets, {expected['record']} records"
        if outcome.again:
            text += f"; again: {outcome.again if len(outcome.again) < 70 else outcome.again[:69] + '…'}"
    click.echo(f"  {outcome.verdict!s:7} {outcome.label:24} {outcome.seconds:5.1f} s  {text}")
    if outcome.left_out:
        click.echo(" " * 43 + "not carried: " + ", ".join(f"{n} {k}s" for k, n in outcome.left_out.items()))
    shown: dict[str, int] = {}
    for check, finding in outcome.findings:
        shown[check] = shown.get(check, 0) + 1
        if shown[check] <= SHOWN:
            click.echo(f"    {check}: {finding.message}")
            if finding.look:
                click.echo(f"      look: {finding.look.format(repo=source)}")
    for check, number in shown.items():
        if number > SHOWN:
            click.echo(f"    {check}: {number - SHOWN} more")


def _end(outcomes: list[Outcome], form: str, source: Path) -> int:
    """Print the verdict; return the exit status."""
    import json

    from ..verdicts import worst

    verdict = worst(o.verdict for o in outcomes)
    if form == "json":
        facts = {"repository": str(source), "verdict": str(verdict), "kinds": [o.to_facts() for o in outcomes]}
        click.echo(json.dumps(facts, indent=1))
    else:
        counts = {v: sum(o.verdict == v for o in outcomes) for v in dict.fromkeys(o.verdict for o in outcomes)}
        click.echo(f"{verdict}: " + (", ".join(f"{n} {v}" for v, n in counts.items()) or "nothing was tried"))
    return int(verdict.exit_code)
