"""Invariants of the provenance that files carry: a file knows what it is and what it was made of."""

from __future__ import annotations

import dataclasses
import re
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..instrument.kit import Capability
from ..verdicts import Check, Finding, check
from .artifacts import local_path, problem
from .chains import find_cycles
from .inventory import files_of
from .members import describe, described
from .quanta import quanta
from .records import look_datasets, spread, text
from .tables import tables

if TYPE_CHECKING:
    from .context import CheckContext
    from .rows import FileRow

__all__ = ["CHECKS", "Carried", "carried_by"]

COADDS = {Capability.COADDS}

SAMPLE = 400
"""How many files are opened at most."""

BLOCK = 2880
"""Bytes in a block of a FITS header (FITS standard 4.0, section 3.1)."""


class Input(NamedTuple):
    """A dataset that a file names as one that it was made of; run and type are empty if it does not say."""

    id: uuid.UUID
    run: str
    dataset_type: str


@dataclasses.dataclass(frozen=True)
class Carried:
    """What a file says about itself.

    Parameters
    ----------
    row : `~harness.checks.tables.FileRow`
        The file.
    own : `~collections.abc.Mapping` [`str`, `str`]
        ``id``, ``run``, ``datasettype`` and ``dataid …``, as written.
    inputs : `tuple` [`Input`]
        The datasets that it was made of.
    """

    row: FileRow
    own: Mapping[str, str]
    inputs: tuple[Input, ...]


def carried(context: CheckContext) -> Sequence[Carried]:
    """Return what the outputs of quanta say about themselves: FITS headers and metadata of Parquet tables."""

    def make() -> Sequence[Carried]:
        listed = {i for q in quanta(context) for i in q.outputs or ()}
        rows = [r for r in files_of(context, listed).values() if Path(r.path).suffix in _READERS]
        out = []
        for row in spread(sorted(rows, key=lambda r: r.path), min(SAMPLE, context.scope.sample or SAMPLE)):
            if item := carried_by(context, row):
                out.append(item)
        return out

    return context.cached("carried provenance", make)


def carried_by(context: CheckContext, row: FileRow) -> Carried | None:
    """Return what one file says about itself; `None` if it cannot be read, which other checks find."""
    path = local_path(context, row)
    if path is None or path.suffix not in _READERS or not path.is_file() or problem(path, row.path):
        return None  # found by datastore.files-exist and datastore.artifacts-readable
    return _interpret(row, _READERS[path.suffix](path))


def _interpret(row: FileRow, values: Mapping[str, str]) -> Carried:
    inputs: dict[int, dict[str, str]] = defaultdict(dict)
    for name, value in values.items():
        match = re.fullmatch(r"input (\d+) (id|run|datasettype)", name)
        if match:
            inputs[int(match[1])][match[2]] = value
    own = {n: v for n, v in values.items() if not n.startswith("input ")}
    found = [inputs[i] for i in sorted(inputs) if "id" in inputs[i]]
    named = (Input(uuid.UUID(f["id"]), f.get("run", ""), f.get("datasettype", "")) for f in found)
    return Carried(row, own, tuple(named))


def _fits(path: Path) -> dict[str, str]:
    """Read the cards that the middleware wrote into a primary header; keys in lower case, without prefix."""
    from astropy.io.fits import Header

    parts = []
    with path.open("rb") as file:
        while True:
            block = file.read(BLOCK)
            parts.append(block)
            ends = (block[i : i + 80].rstrip() == b"END" for i in range(0, len(block), 80))
            if len(block) < BLOCK or any(ends):
                break
    cards = b"".join(parts).decode("ascii", "replace")
    wanted, keep = [], False
    for i in range(0, len(cards), 80):
        card = cards[i : i + 80]
        keep = card.startswith("HIERARCH LSST BUTLER ") or (keep and card.startswith("CONTINUE"))
        if keep:
            wanted.append(card)
    header = Header.fromstring("".join(wanted))
    return {k.removeprefix("LSST BUTLER ").lower(): str(v) for k, v in header.items()}


def _parquet(path: Path) -> dict[str, str]:
    """Read the provenance that the middleware wrote into the metadata of an Astropy table."""
    import pyarrow.parquet

    metadata = pyarrow.parquet.read_schema(path).metadata or {}
    stored = metadata.get(b"table_meta_yaml", b"").decode()
    found = re.findall(r"""LSST\.BUTLER\.([\w.]+)['"]?: *['"]?([^'"}\n]*)""", stored)
    return {name.lower().replace(".", " "): value.strip() for name, value in found}


_READERS = {".fits": _fits, ".parq": _parquet, ".parquet": _parquet}


def _look(path: str) -> str:
    if path.endswith(".fits"):
        return f"fitsheader '{{repo}}/{path}' | grep 'LSST BUTLER'"
    code = f"import pyarrow.parquet as p; print(p.read_schema('{{repo}}/{path}').metadata)"
    return f'python -c "{code}"'


@check(
    "provenance.artifact-names-itself",
    title="A file's own dataset id, type, run and data ID are those of the registry",
    after="process",
    needs=COADDS,
    deep=True,
    remedy="Remove the dataset with 'butler prune-datasets --purge' and make it again.",
)
def artifact_names_itself(context: CheckContext) -> Iterator[Finding]:
    """A file that was copied over another one is intact, has a plausible size, and is the wrong sky."""
    about = described(context, carried(context), lambda i: i.row.dataset_id)
    found = [(item, dataset) for item, dataset in about if dataset is not None]
    # Some storage classes have no room for provenance: where one file of a type has it, all must.
    telling = {dataset.type_id for item, dataset in found if item.own}
    for item, dataset in found:
        if dataset.type_id not in telling:
            continue
        context.examined()
        data_id = dataset.data_id
        wanted = {
            "id": str(dataset.id),
            "run": dataset.run,
            "datasettype": dataset.kind,
        } | {f"dataid {k}": str(v) for k, v in data_id.items()}
        differing = [n for n, v in wanted.items() if item.own.get(n) != v]
        if differing:
            yield Finding(
                f"the file of {wanted['datasettype']} {text(data_id)} says that it is something else",
                data_id=data_id,
                where=item.row.path,
                seen=", ".join(f"{n}={item.own.get(n, 'nothing')}" for n in differing),
                expected=", ".join(f"{n}={wanted[n]}" for n in differing),
                look=_look(item.row.path),
            )


@check(
    "provenance.inputs-exist",
    title="The inputs that a file names exist, unless they were made again since",
    after="process",
    needs=COADDS,
    deep=True,
    remedy="Get the inputs from a copy with 'butler transfer-datasets', or make the output again.",
)
def inputs_exist(context: CheckContext) -> Iterator[Finding]:
    """An output whose inputs are gone cannot be reproduced.

    Outputs that are deleted and made again get new ids: what had been made of the old ones names those still.
    """
    latest = _latest(context)
    for item, dataset in described(context, carried(context), lambda i: i.row.dataset_id):
        if dataset is None:
            continue
        kind, data_id = dataset.kind, dataset.data_id
        for named, source in described(context, item.inputs, lambda i: i.id):
            context.examined()
            remade = latest.get((named.run, named.dataset_type.partition(".")[0]))
            if source is None and (remade is None or remade <= dataset.ingest_date):
                yield Finding(
                    f"an input of {kind} {text(data_id)} does not exist",
                    data_id=data_id,
                    where=item.row.path,
                    seen=f"no dataset {named.id} ({named.dataset_type} in {named.run})",
                    expected="a dataset of the repository",
                    look=_look(item.row.path),
                )


def _latest(context: CheckContext) -> Mapping[tuple[str, str], Any]:
    """Return when the newest dataset of each run and type came."""
    import sqlalchemy

    data = tables(context)
    dataset = data.table("dataset", "run_id", "dataset_type_id", "ingest_date")
    group = (dataset.c.run_id, dataset.c.dataset_type_id)
    statement = sqlalchemy.select(*group, sqlalchemy.func.max(dataset.c.ingest_date)).group_by(*group)
    return {
        (data.collection_name(run), data.dataset_type_name(kind)): date for run, kind, date in data.stream(statement)
    }


@check(
    "provenance.acyclic",
    title="No dataset is made of itself, directly or through others",
    after="process",
    needs=COADDS,
    deep=True,
    remedy="Make these datasets again: what their files say of their inputs cannot be true.",
)
def acyclic(context: CheckContext) -> Iterator[Finding]:
    """Provenance is walked backwards to the raws: a walk in a circle means that some link of it is false."""
    sources: dict[uuid.UUID, list[Any]] = defaultdict(list)
    for item in carried(context):
        context.examined()
        sources[item.row.dataset_id].extend(i.id for i in item.inputs)
    for cycle in find_cycles(sources):
        known = describe(context, cycle)
        dataset = known.get(cycle[0])
        kind = dataset.kind if dataset is not None else "dataset"
        data_id = dataset.data_id if dataset is not None else {}
        names = [known[i].kind if i in known else str(i) for i in cycle]
        yield Finding(
            f"{kind} {text(data_id)} is made of itself",
            data_id=data_id,
            where=dataset.run if dataset is not None else "",
            seen=" ← ".join([*names, names[0]]),
            expected="inputs that do not depend on it",
            look=look_datasets(kind, "'*'", data_id),
        )


CHECKS: tuple[Check, ...] = (artifact_names_itself, inputs_exist, acyclic)
