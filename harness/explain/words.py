"""What a contradiction means, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..verdicts import Finding
from .core import DATASETS, RECORDS, TERM, Constraint

if TYPE_CHECKING:
    from lsst.daf.butler import Butler

    from .core import Space

__all__ = ["cause", "collections_with", "unregistered"]

SHOWN = 6
"""How many values or collections are named in a message."""

INSTRUMENT = "butler register-instrument {repo} INSTRUMENT_CLASS"
INGEST = "harness ingest {repo} RAW…"
DEFINE = "harness define-visits {repo} --update"
SKYMAP = "register a sky map, and put it as a dataset"

STAGES = {
    "instrument": INSTRUMENT,
    "detector": INSTRUMENT,
    "physical_filter": INSTRUMENT,
    "band": INSTRUMENT,
    "day_obs": INGEST,
    "group": INGEST,
    "exposure": INGEST,
    "visit": DEFINE,
    "skymap": SKYMAP,
    "tract": SKYMAP,
    "patch": SKYMAP,
}
"""What gives a repository the records of a dimension."""


def cause(space: Space, core: Sequence[Constraint]) -> Finding:
    """Say what some constraints that nothing satisfies mean.

    Parameters
    ----------
    space : `~harness.explain.core.Space`
        The data IDs in question.
    core : `~collections.abc.Sequence` [`~harness.explain.core.Constraint`]
        A smallest set of constraints that no data ID satisfies.
    """
    terms = [c.name for c in core if c.kind == TERM]
    datasets = [c.name for c in core if c.kind == DATASETS]
    dimensions = [c.name for c in core if c.kind == RECORDS]
    butler = space.question.butler
    if not terms and not datasets:
        return _no_records(butler, dimensions)
    if len(datasets) == 1 and not dimensions:
        return _no_datasets(space, datasets[0], terms)
    if not datasets:
        return _no_match(space, terms, dimensions)
    inputs = ", ".join(space.question.inputs)
    universe = butler.dimensions
    families = universe.conform(set().union(*(space.needs(c) for c in core))).spatial
    if len(families) > 1:
        places = " and a ".join(sorted(f.name for f in families))
        return Finding(
            f"no {_and(datasets)} in {inputs} overlaps what is asked for"
            + (f": {' AND '.join(terms)}" if terms else ""),
            where=inputs,
            seen=f"there are some, and none of them has a {places} that overlap",
            expected="images that overlap",
            look=f"butler query-datasets {{repo}} {datasets[0]} --collections {inputs.replace(' ', '')}",
            remedy="ask for a part of the sky that the images cover",
        )
    return Finding(
        f"no data ID has {_and([*(f'a {d} in {inputs}' for d in datasets), *(f'a {d}' for d in dimensions)])}"
        + (f" where {' AND '.join(terms)}" if terms else ""),
        where=inputs,
        seen="nothing has all of it together",
        expected="without any one of these there would be some",
        look=f"butler query-datasets {{repo}} {datasets[0]} --collections {inputs.replace(' ', '')}",
        remedy="leave out of the query, or add to the input collections, what should not be asked for",
    )


def _no_records(butler: Butler, dimensions: Sequence[str]) -> Finding:
    """Name dimensions that have no records, or none that go together."""
    look = "butler query-dimension-records {repo} " + dimensions[0]
    if len(dimensions) == 1:
        (name,) = dimensions
        remedy = STAGES.get(name, f"insert records of {name}")
        return Finding(
            f"the repository has no {name}", where=name, seen="no records", expected="some", look=look, remedy=remedy
        )
    spatial = sum(butler.dimensions.conform([d]).spatial != frozenset() for d in dimensions) > 1
    first, *others = dimensions
    verb = "overlaps" if spatial else "belongs to"
    remedy = next((STAGES[d] for d in dimensions if not spatial and d == "visit"), "")
    return Finding(
        f"no {first} {verb} a {_and(others)}",
        where=", ".join(dimensions),
        seen=f"there are records of each, and none of {_and(dimensions)} go together",
        expected="some",
        look=look,
        remedy=remedy or ("use a sky map that covers the images" if spatial else f"see how {first} is defined"),
    )


def _no_datasets(space: Space, name: str, terms: Sequence[str]) -> Finding:
    """Say where the datasets are that the input collections do not have."""
    butler, inputs = space.question.butler, ", ".join(space.question.inputs)
    asked = f" where {' AND '.join(terms)}" if terms else ""
    elsewhere = collections_with(butler, name, terms)
    query = f' --where "{" AND ".join(terms)}"' if terms else ""
    make = STAGES["exposure"] if name == "raw" else f"make or import {name} first"
    return Finding(
        f"there is no {name} in {inputs}{asked}",
        where=inputs,
        seen=f"there are some in {_some(elsewhere)}" if elsewhere else f"no collection has any{asked}",
        expected=f"datasets of {name}",
        look=f'butler query-datasets {{repo}} {name} --collections "*"{query}',
        remedy=f"add --input {elsewhere[0]}" if elsewhere else make,
    )


def _no_match(space: Space, terms: Sequence[str], dimensions: Sequence[str]) -> Finding:
    """Name parts of the query that nothing satisfies, with what there is."""
    query = " AND ".join(terms)
    what = f"no {_and(dimensions)} where {query}" if dimensions else f"nothing satisfies {query}"
    named = [d for d in space.question.butler.dimensions.dimensions.names if any(_speaks_of(t, d) for t in terms)]
    values = [f"{d}: {_some(found)}" for d in named if (found := _values(space.question.butler, d))]
    return Finding(
        what,
        where="query",
        seen="; ".join(values) or "no such records",
        expected="some data ID" if len(terms) == 1 else "each of these alone has some; together they have none",
        look=f"butler query-dimension-records {{repo}} {named[0]}" if named else "",
        remedy="change the query",
    )


def unregistered(space: Space) -> Iterable[Finding]:
    """Yield overall inputs whose dataset type the repository does not know."""
    for name in space.inputs:
        if space.question.butler.registry.queryDatasetTypes(name):
            continue
        yield Finding(
            f"dataset type {name} is not registered, so there is no dataset of it",
            where=name,
            seen="no such dataset type",
            expected="an input of the pipeline",
            look="butler query-dataset-types {repo}",
            remedy=STAGES["exposure"] if name == "raw" else f"make or import {name} first",
        )


def collections_with(butler: Butler, name: str, terms: Sequence[str] = ()) -> list[str]:
    """Return the RUN, TAGGED and CALIBRATION collections that have a dataset of a type that satisfies some terms."""
    out = []
    for info in butler.collections.query_info("*", include_summary=True):
        if info.type.name == "CHAINED" or name not in (info.dataset_types or ()):
            continue
        with butler.query() as query:
            query = query._skip_governor_validation().join_dataset_search(name, [info.name])
            for term in terms:
                query = query.where(term)
            if query.any():
                out.append(info.name)
    return out


def _values(butler: Butler, dimension: str) -> list[str]:
    with butler.query() as query:
        found = query._skip_governor_validation().join_dimensions([dimension]).data_ids([dimension]).limit(SHOWN + 1)
        return [str(d[dimension]) for d in found]


def _speaks_of(term: str, dimension: str) -> bool:
    return re.search(rf"(?<![\w'\"]){dimension}(?![\w'\"])", term) is not None


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (" …" if len(names) > SHOWN else "")


def _and(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last
