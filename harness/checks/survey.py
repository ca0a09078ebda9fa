"""One pass over all datasets, and one over all records of files: what most checks of them need to know.

Checks that look at every row share it. It tells which values there are, and whether any is odd; a check that is told
so asks the database which ones, and no other check reads a million rows again.
"""

from __future__ import annotations

import dataclasses
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .tables import tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .context import CheckContext

__all__ = ["CLOCKS", "FIRST", "Datasets", "Files", "datasets", "files"]

CLOCKS = 3600 * 10**9
"""How far the clocks of two computers may be apart (ns)."""

FIRST = 1_262_304_000 * 10**9
"""2010, before which there was no Butler (ns since 1970)."""


@dataclasses.dataclass
class Datasets:
    """What the table of datasets holds.

    Parameters
    ----------
    count : `int`
        How many there are.
    typed : `bool`
        Whether all ids are 32 lower-case hexadecimal digits, all dates are whole numbers, and none is missing.
    made : `bool`
        Whether all ids are of kinds that the middleware makes.
    timely : `bool`
        Whether all dates are whole numbers, neither before the time in their id nor in the future.
    """

    count: int = 0
    typed: bool = True
    made: bool = True
    timely: bool = True


@dataclasses.dataclass
class Files:
    """What a table of records of files holds.

    Parameters
    ----------
    ways : `~collections.Counter`
        How many records there are by number of the dataset type, number of the RUN, component, formatter and storage
        class; the numbers are `None` for those of no dataset.
    endings : `set` [`tuple` [`str`, `str`]]
        Formatters with what follows the last dot of the paths of their files.
    clean : `set` [`str`]
        Columns that hold nothing but what they should: no value is missing, of another type, or untidy.
    misplaced : `bool`
        Whether some file lies within the datastore and not in the folder of its dataset's RUN.
    keys : `numpy.ndarray`
        Hashes of the paths.
    sizes : `numpy.ndarray`
        Recorded sizes (bytes); -1 where there is none.
    plain : `bool`
        Whether no path has a fragment or leads out of the datastore.
    empty : `~collections.Counter` [`str`]
        How many records have no ``file_size`` and no ``checksum``.
    """

    ways: Counter[tuple[Any, ...]]
    endings: set[tuple[str, str]]
    clean: set[str]
    misplaced: bool
    keys: NDArray[Any]
    sizes: NDArray[Any]
    plain: bool
    empty: Counter[str] = dataclasses.field(default_factory=Counter)

    @property
    def owned(self) -> bool:
        """Whether every record is of a dataset that the registry knows (`bool`)."""
        return all(kind is not None for kind, *_ in self.ways)

    @property
    def shared(self) -> bool:
        """Whether two records may have one path (`bool`)."""
        import numpy as np

        return len(np.unique(self.keys)) < len(self.keys)


def datasets(context: CheckContext) -> Datasets:
    """Return what the table of datasets holds, read once for all checks."""

    def make() -> Datasets:
        import sqlalchemy

        data, raw = tables(context), sqlalchemy.types.NullType()
        table = data.table("dataset", "id", "ingest_date", types={"id": raw})
        out, now = Datasets(), time.time_ns()
        for batch in data.batches(sqlalchemy.select(*table.columns)):
            ids, dates = zip(*batch, strict=True)
            out.count += len(ids)
            digits = _digits(ids)
            whole = set(map(type, dates)) == {int}
            if digits is None or not whole:
                out.typed = out.made = out.timely = False
                continue
            _judge(out, digits, dates, now)
        return out

    return context.cached("survey of datasets", make)


def _judge(out: Datasets, digits: NDArray[Any], dates: Sequence[int], now: int) -> None:
    """Note whether ids and dates are what the middleware makes."""
    import numpy as np

    version, variant = digits[:, 12], digits[:, 16]
    out.made &= bool((np.isin(version, (4, 5, 7)) & (variant >= 8) & (variant <= 11)).all())
    if max(dates) > now + CLOCKS or min(dates) < FIRST - CLOCKS:
        out.timely = False
        return
    # The first 48 bits of an id of version 7 are the time (ms since 1970, RFC 9562).
    scale = 16 ** np.arange(11, -1, -1, dtype=np.int64)
    moments = np.where(version == 7, digits[:, :12].astype(np.int64) @ scale, 0)
    # In milliseconds: the largest that such an id may have is more nanoseconds than a whole number has room for.
    out.timely &= bool((moments <= (np.array(dates, dtype=np.int64) + CLOCKS) // 1_000_000).all())


def _digits(ids: Sequence[Any]) -> NDArray[Any] | None:
    """Return ids as the values of their 32 hexadecimal digits, shape (n, 32); `None` if one has others."""
    import numpy as np

    if set(map(type, ids)) != {str} or set(map(len, ids)) != {32}:
        return None
    text = "".join(ids)
    if not text.isascii():
        return None
    table = np.full(256, 255, dtype=np.uint8)
    table[np.frombuffer(b"0123456789abcdef", dtype=np.uint8)] = np.arange(16)
    digits: NDArray[Any] = table[np.frombuffer(text.encode("ascii"), dtype=np.uint8)].reshape(-1, 32)
    return None if digits.max() > 15 else digits


def files(context: CheckContext, table: str) -> Files:
    """Return what a table of records of files holds, read once for all checks.

    Parameters
    ----------
    context : `~harness.checks.context.CheckContext`
        The repository.
    table : `str`
        Name of a datastore's table of records; must exist.
    """
    return context.cached(f"survey of {table}", lambda: _survey(context, table))


PARTS = ("component", "formatter", "storage_class")


def _survey(context: CheckContext, name: str) -> Files:
    import numpy as np
    import sqlalchemy

    data, raw = tables(context), sqlalchemy.types.NullType()
    columns = ("path", *PARTS, "checksum", "file_size")
    file = data.table(name, "dataset_id", *columns, types={"dataset_id": raw})
    dataset = data.table("dataset", "id", "dataset_type_id", "run_id", types={"id": raw})
    # Of the same type on either side: an index serves the comparison.
    joined = file.outerjoin(dataset, dataset.c.id == file.c.dataset_id)
    wanted = (dataset.c.dataset_type_id, dataset.c.run_id, *(file.c[c] for c in columns))
    statement = sqlalchemy.select(*wanted).select_from(joined)
    folders: dict[Any, str] = defaultdict(
        str, {c.id: f"{c.name.replace(' ', '_')}/" for c in data.collections.values()}
    )
    empty = np.empty(0, dtype=np.int64)
    out = Files(Counter(), set(), {"path", "checksum", "file_size"}, False, empty, empty, True)
    keys, sizes = [empty], [empty]
    for batch in data.batches(statement):
        kinds, runs, paths, components, formatters, storages, checksums, recorded = zip(*batch, strict=True)
        out.ways.update(zip(kinds, runs, components, formatters, storages, strict=True))
        out.empty.update(file_size=recorded.count(None), checksum=checksums.count(None))
        _paths(out, paths, runs, formatters, folders)
        if not _tidy({c for c in checksums if c is not None}):
            out.clean.discard("checksum")
        if not set(map(type, recorded)) <= {int, type(None)}:
            out.clean.discard("file_size")
            recorded = tuple(n if isinstance(n, int) else None for n in recorded)
        keys.append(np.fromiter(map(hash, paths), dtype=np.int64, count=len(paths)))
        if None in recorded:
            recorded = tuple(-1 if n is None else n for n in recorded)
        sizes.append(np.maximum(np.array(recorded, dtype=np.int64), -1))
    out.clean |= {c for i, c in enumerate(PARTS, 2) if _tidy({way[i] for way in out.ways})}
    if out.owned and datasets(context).typed:
        out.clean.add("dataset_id")
    out.keys, out.sizes = np.concatenate(keys), np.concatenate(sizes)
    return out


def _paths(
    out: Files, paths: Sequence[Any], runs: Sequence[Any], formatters: Sequence[Any], folders: Mapping[Any, str]
) -> None:
    """Note what there is to say about some paths."""
    if not _tidy(paths):
        out.clean.discard("path")
    words = [str(p) for p in paths] if "path" not in out.clean else paths
    out.endings.update(zip(formatters, [w[w.rfind(".") + 1 :] for w in words], strict=True))
    within = list(map(str.startswith, words, map(folders.__getitem__, runs)))
    if not all(within):
        odd = (w for w, inside in zip(words, within, strict=True) if not inside)
        out.misplaced |= any("://" not in w and not w.startswith("/") for w in odd)
    joined = "\n".join(("", *words))
    out.plain &= not any(word in joined for word in ("#", "://", "\n/", "\nfile:"))


def _tidy(values: Iterable[Any]) -> bool:
    """Tell whether all values are texts without blanks around them and control characters, and none is empty."""
    found = list(values)
    if not set(map(type, found)) <= {str}:
        return False
    joined = "\n".join(("", *found, ""))
    return joined.count("\n") == len(found) + 1 and not any(c in joined for c in ("\t", "\r", "\n\n", " \n", "\n "))
