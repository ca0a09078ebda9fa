"""Invariants of what files hold: each can be read, is what its storage class says, and is of its own data ID."""

from __future__ import annotations

import ast
import itertools
import json
import operator
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..verdicts import Check, Finding, check
from .conventions import believed
from .records import look_datasets, records, spread, text, where
from .reflected import rows, stored
from .tables import NO_COMPONENT, tables

if TYPE_CHECKING:
    from lsst.daf.butler import DatasetRef
    from lsst.resources import ResourcePath

    from .context import CheckContext

__all__ = ["CHECKS"]

SAMPLE = 40
"""How many files one check opens at most in a repository that was just made of a dataset; in an audit, all."""

SOME = 200
"""At how many files of a type and run it is seen what their names have in common."""

HEAD = 65_536
"""How much of a log (bytes) is read to find out what wrote it."""


def _datasets(context: CheckContext, suffixes: tuple[str, ...] = ()) -> Iterator[tuple[Any, str]]:
    """Give ids and paths of stored datasets within the scope, spread evenly."""
    import sqlalchemy

    here, data = stored(context), tables(context)
    found: list[tuple[Any, str]] = []
    for name, _ in data.datastores.values():
        if name not in here:
            continue
        file, dataset = here[name], here["dataset"]
        joined = file.join(dataset, dataset.columns["id"] == file.columns["dataset_id"])
        path = file.columns["path"]
        query = sqlalchemy.select(file.columns["dataset_id"], path).select_from(joined).order_by(path)
        query = query.where(file.columns["component"] == NO_COMPONENT, ~path.contains("#"))
        if context.scope.collections:
            runs = [data.collection_ids[n] for n in context.scope.collections if n in data.collection_ids]
            query = query.where(dataset.columns["run_id"].in_(runs))
        if context.scope.since is not None:
            date = sqlalchemy.type_coerce(dataset.columns["ingest_date"], sqlalchemy.types.NullType())
            query = query.where(date >= context.scope.since)
        if suffixes:
            query = query.where(sqlalchemy.or_(*(path.endswith(s) for s in suffixes)))
        found += [(identifier, place) for identifier, place in rows(context, query)]
    all_of_them = len(found) if context.dataset is None else SAMPLE
    yield from spread(found, context.scope.sample or max(all_of_them, 2))


def _refs(context: CheckContext, suffixes: tuple[str, ...] = ()) -> Iterator[tuple[DatasetRef, str]]:
    """Give datasets with their paths; those that the middleware does not find are found by other checks."""
    for identifier, path in _datasets(context, suffixes):
        try:
            ref = context.butler.get_dataset(identifier)
        except Exception:  # noqa: S112 - a registry that is broken so far is found by registry.references
            continue
        if ref is not None:
            yield ref, path


def _about(ref: DatasetRef, path: str, message: str, seen: str, expected: str) -> Finding:
    """Make a finding about the content of a dataset."""
    data_id = dict(ref.dataId.required)
    name = ref.datasetType.name
    remove = f"butler prune-datasets {{repo}} {ref.run} --purge {ref.run} --datasets {name}"
    return Finding(
        f"{name} {text(data_id)}: {message}",
        data_id=data_id,
        where=path,
        seen=seen,
        expected=expected,
        look=look_datasets(name, ref.run, data_id),
        remedy=f'{remove} --where "{where(data_id)}"',
    )


@check(
    "datastore.contents",
    title="Every file can be read to its end, and gives what the storage class of its dataset promises",
    after="process",
    remedy="remove the dataset, and make or ingest it again",
    deep=True,
)
def contents(context: CheckContext) -> Iterator[Finding]:
    """A bad block or an interrupted copy leaves the size as it was; what was in it is noticed by whoever reads it.

    Images are unpacked, and compared with their checksums where they have some; everything else is read with its own
    formatter.
    """
    for ref, path in _refs(context):
        context.examined()
        problem = ""
        try:
            if path.endswith((".fits", ".fz")):
                problem = _fits(context.butler.getURI(ref))
            else:
                value = context.butler.get(ref)
                wanted = ref.datasetType.storageClass.pytype
                problem = "" if isinstance(value, wanted) else f"it is a {type(value).__name__}"
        except FileNotFoundError:
            continue  # found by datastore.files-exist
        except Exception as error:  # whatever a formatter raises says that the file cannot be read
            problem = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"[:200]
        if problem:
            expected = f"a {ref.datasetType.storageClass_name}"
            yield _about(ref, path, f"its file cannot be read: {problem}", problem, expected)


def _fits(uri: ResourcePath) -> str:
    """Read all of a FITS file; say what is wrong with it."""
    import warnings

    from astropy.io import fits
    from astropy.utils.exceptions import AstropyWarning

    with warnings.catch_warnings(record=True) as told, uri.as_local() as local:
        warnings.simplefilter("always", AstropyWarning)
        with fits.open(local.ospath, memmap=False, checksum=True) as file:
            for hdu in file:
                _ = hdu.data
    bad = [str(w.message) for w in told if any(word in str(w.message).lower() for word in ("checksum", "truncated"))]
    return bad[0] if bad else ""


@check(
    "provenance.log-names-quantum",
    title="Every log was written by the quantum whose log it is, into the run that it lies in",
    after="process",
    remedy="remove the log, its metadata and outputs, and run the quantum again",
    deep=True,
)
def log_names_quantum(context: CheckContext) -> Iterator[Finding]:
    """Who looks for the reason of a failure reads the log: another quantum's leads away from it.

    The execution writes into every record which task, data ID and run it belongs to.
    """
    for ref, path in _refs(context, (".json",)):
        if not ref.datasetType.name.endswith("_log"):
            continue
        label, run = _label(context, ref)
        if not label:
            continue
        context.examined()
        task, _, written = label.partition(":")
        try:
            values = _values(written)
        except (ValueError, SyntaxError):
            continue  # a label of another form says nothing
        data_id = dict(ref.dataId.required)
        other = {k: values[k] for k in data_id if k in values and values[k] != data_id[k]}
        if other or task != ref.datasetType.name.removesuffix("_log") or (run and run != ref.run):
            yield _about(
                ref, path, "it is the log of another quantum", f"{label} in {run}", f"{text(data_id)} {ref.run}"
            )


def _label(context: CheckContext, ref: DatasetRef) -> tuple[str, str]:
    """Return what the first record of a log says about its quantum and its run; empty if it doesn't."""
    uri = context.butler.getURI(ref)
    try:
        with uri.open("rb") as file:
            head = file.read(HEAD).decode("utf-8", "replace")
    except OSError:
        return "", ""  # found by datastore.files-exist
    label = re.search(r'"LABEL"\s*:\s*("(?:[^"\\]|\\.)*")', head)
    run = re.search(r'"RUN"\s*:\s*("(?:[^"\\]|\\.)*")', head)
    return tuple(json.loads(m[1]) if m else "" for m in (label, run))  # type: ignore[return-value]


def _values(written: str) -> Mapping[str, Any]:
    """Read a data ID as the middleware prints it: ``{instrument: 'HSC', detector: 1}``."""
    quoted = re.sub(r"([{,]\s*)([A-Za-z_][A-Za-z_0-9]*):", r"\1'\2':", written.strip())
    value: Mapping[str, Any] = ast.literal_eval(quoted)
    return value


# --- names -------------------------------------------------------------------------------------------


@check(
    "datastore.paths-name-data-ids",
    title="The name of a file has what the names of the other files of its type and run have of their data IDs",
    after="calibs",
    remedy="give the dataset its file back: restore its row in the datastore's table of records from a backup",
)
def paths_name_data_ids(context: CheckContext) -> Iterator[Finding]:
    """Two datasets that have each other's file have the right sizes, types and formats, and the wrong content.

    No template is assumed: what nearly all names of a type and run have in them is what each must have.
    """
    import sqlalchemy

    data, here = tables(context), stored(context)
    tokens = {e: [_tokens(context, e, column) for column in columns] for e, columns in NAMES.items()}
    for kind in sorted(data.dataset_types.values()):
        tags = here.get(kind.tags_table)
        for name, _ in data.datastores.values():
            if tags is None or name not in here or not kind.dimensions or not set(kind.dimensions) <= {*tags.c.keys()}:
                continue
            file, dataset = here[name], here["dataset"]
            own = sqlalchemy.and_(
                tags.c.dataset_id == dataset.c.id,
                tags.c.collection_id == dataset.c.run_id,
                tags.c.dataset_type_id == kind.id,
            )
            joined = dataset.join(tags, own).join(file, file.c.dataset_id == dataset.c.id)
            columns = [dataset.c.run_id, file.c.path, *(tags.c[d] for d in kind.dimensions)]
            found: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
            for batch in data.batches(sqlalchemy.select(*columns).select_from(joined)):
                for run, of_run in itertools.groupby(map(tuple, batch), operator.itemgetter(0)):
                    found[run].extend(of_run)
            for run, files in found.items():
                context.examined(len(files))
                yield from _misnamed(kind.name, data.collection_name(run), kind.dimensions, files, tokens)


Tokens = Mapping[tuple[Any, Any], str]
"""For the instrument and id of a dimension record, what it is called."""

FIRST = 2
"""Where in a row the values of the dimensions begin, after the run and the path."""

NAMES = {"exposure": ("obs_id",), "visit": ("name",), "detector": ("full_name", "name_in_raft")}
"""Columns of dimension records that templates of file names make use of."""


def _plain(name: str) -> str:
    """Return a name with one underscore for all between its words, and around it."""
    return f"_{re.sub('[^A-Za-z0-9]+', '_', name).strip('_')}_"


def _tokens(context: CheckContext, element: str, column: str) -> Tokens:
    """Return what the records of an element are called, by instrument and id."""
    known = [r for r in records(context, element) if getattr(r, column) is not None]
    return {(r.instrument, r.id): _plain(str(getattr(r, column))) for r in known}


def _misnamed(
    kind: str,
    run: str,
    dimensions: tuple[str, ...],
    found: list[tuple[Any, ...]],
    tokens: Mapping[str, Sequence[Tokens]],
) -> Iterator[Finding]:
    """Find the files of a type and run whose names break with those of the others.

    They are given as number of the run, path, and values of the dimensions.
    """
    owner = FIRST + dimensions.index("instrument") if "instrument" in dimensions else 0

    def ways(place: int, dimension: str, some: list[tuple[Any, ...]]) -> Iterator[Tokens]:
        """Give the ways to write a dimension into a name: by its own value, and as its records are called."""
        keys = {(row[owner], row[place]) for row in some}
        yield {key: _plain(str(key[1])) for key in keys}
        yield from ({key: known.get(key, "") for key in keys} for known in tokens.get(dimension, ()))

    some = list(spread(found, SOME))
    few = [(row, _plain(row[1].rpartition("/")[2])) for row in some]
    rules = []
    for place, dimension in enumerate(dimensions, FIRST):
        if len({row[place] for row in some}) > 1:
            for number, way in enumerate(ways(place, dimension, some)):
                called = [(way[row[owner], row[place]], name) for row, name in few]
                kept = sum(token in name and token != "" for token, name in called)
                if believed(kept, len(few) - kept):
                    rules.append((dimension, place, [*ways(place, dimension, found)][number]))
    for row in _suspects(found, owner, [(place, way) for _, place, way in rules]):
        name = _plain(row[1].rpartition("/")[2])
        for dimension, place, way in rules:
            token = way[row[owner], row[place]]
            if token not in name:
                data_id = dict(zip(dimensions, row[FIRST:], strict=True))
                yield Finding(
                    f"the file of {kind} {text(data_id)} has not the name of its {dimension}",
                    data_id=data_id,
                    where=row[1],
                    seen=row[1],
                    expected=f"a name with {token.strip('_')} in it, as others of {run}",
                    look=look_datasets(kind, run, data_id),
                )
                break


def _suspects(found: list[tuple[Any, ...]], owner: int, rules: list[tuple[int, Tokens]]) -> Iterator[tuple[Any, ...]]:
    """Yield those files in whose name some token is not written as it is, without making all names plain.

    Where it is written with underscores around it, or with what stands before a name and before its suffix, it is in
    the plain name too.
    """
    if not rules:
        return
    names = [f"_{row[1].rpartition('/')[2]}".replace(".", "_") for row in found]
    doubtful: set[int] = set()
    for place, way in rules:
        if len({key[0] for key in way}) == 1:
            mine = {key[1]: token for key, token in way.items()}
            tokens = [mine[row[place]] for row in found]
        else:
            tokens = [way[row[owner], row[place]] for row in found]
        pairs = enumerate(zip(tokens, names, strict=True))
        doubtful.update(i for i, (token, name) in pairs if token not in name)
    yield from (found[i] for i in sorted(doubtful))


CHECKS: tuple[Check, ...] = (paths_name_data_ids, contents, log_names_quantum)
