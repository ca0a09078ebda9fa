"""Invariants of dataset types, and of how the files of their datasets are written."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from ..verdicts import Check, Finding, check
from .conventions import believed
from .records import look_rows
from .reflected import rows, stored
from .survey import files
from .tables import NO_COMPONENT, tables

if TYPE_CHECKING:
    from .context import CheckContext

__all__ = ["CHECKS"]

MOST = 100
"""How many findings one question to the database gives at most."""

MADE_AGAIN = "make its datasets again under a dataset type as it should be, and remove this one"


def _look(name: str) -> str:
    return f"butler query-dataset-types {{repo}} '{name}' --verbose"


@check(
    "types.names",
    title="Names of dataset types are valid, are no components, and differ in more than case",
    after="calibs",
    remedy=MADE_AGAIN,
)
def names(context: CheckContext) -> Iterator[Finding]:
    """Names become parts of file names and of expressions; two that differ in case are one file on many disks."""
    import re

    from lsst.daf.butler import DatasetType

    found = [n for _, n, _, _, _, _ in _types(context)]
    same = Counter(n.casefold() for n in found)
    for name in found:
        context.examined()
        if not re.fullmatch(DatasetType.VALID_NAME_REGEX, name) or "." in name:
            seen, expected = repr(name), "letters, digits and underscores"
        elif same[name.casefold()] > 1:
            seen = ", ".join(sorted(n for n in found if n.casefold() == name.casefold()))
            expected = "one of them"
        else:
            continue
        yield Finding(
            f"{name} is no name of a dataset type",
            where="dataset_type.name",
            seen=seen,
            expected=expected,
            look=look_rows("dataset_type", "name", name),
        )


def _types(context: CheckContext) -> list[tuple[Any, ...]]:
    """Return the rows of ``dataset_type``."""
    columns = ("id", "name", "storage_class", "dimensions_key", "tag_association_table")
    return list(tables(context).select("dataset_type", *columns, "calibration_association_table"))


@check(
    "types.storage-classes",
    title="The storage class of every dataset type is known, and can be made of what its files hold",
    after="calibs",
    upstream="daf_butler: storage class conversions",
    remedy="add the storage class to the repository's configuration, or correct it in the table dataset_type",
)
def storage_classes(context: CheckContext) -> Iterator[Finding]:
    """What a file holds is written with it; what the dataset type promises must follow, or no get() succeeds."""
    from lsst.daf.butler import StorageClassFactory

    factory, here, data = StorageClassFactory(), stored(context), tables(context)
    of_files: dict[int, set[tuple[str, str]]] = defaultdict(set)
    for table_name, _ in data.datastores.values():
        if table_name not in here:
            continue
        for kind, _, part, _, storage in files(context, table_name).ways:
            of_files[kind].add((storage, "" if part == NO_COMPONENT else part))

    def unfit(wanted: str, storage: str, part: str) -> str:
        """Say why a file of a storage class does not serve a dataset type of another one."""
        if wanted not in factory:
            return f"{wanted} is unknown"
        if storage not in factory:
            return f"{storage} is unknown"
        whole = factory.getStorageClass(wanted)
        if part:
            return "" if part in whole.allComponents() else f"{wanted} has no component {part}"
        try:
            return "" if whole.can_convert(factory.getStorageClass(storage)) else f"{storage} makes no {wanted}"
        except (ImportError, TypeError) as error:
            return str(error)

    for number, name, wanted, *_ in _types(context):
        context.examined()
        for storage, part in sorted(of_files.get(number, {(wanted, "")})):
            if wanted == storage and wanted in factory:
                continue  # whether its Python type is installed is asked by datastore.formatters
            reason = unfit(wanted, storage, part)
            if reason:
                yield Finding(
                    f"dataset type {name} cannot be read: {reason}",
                    where="dataset_type.storage_class",
                    seen=f"{storage} in files" + (f" of component {part}" if part else ""),
                    expected=f"{wanted}, or what can be converted to it",
                    look=_look(name),
                )


@check(
    "types.calibrations",
    title="Dataset types of calibrations belong to an instrument and to no moment",
    after="calibs",
    remedy=MADE_AGAIN,
)
def calibrations(context: CheckContext) -> Iterator[Finding]:
    """A calibration is found by the time for which it is certified: a time in its data ID contradicts that.

    Its table of validity ranges has the number of its table of memberships: both follow from the same dimensions.
    """
    data, universe = tables(context), context.butler.dimensions
    groups: dict[int, set[str]] = defaultdict(set)
    for number, dimension in data.select("dimension_graph_definition", "dimension_graph_id", "dimension_name"):
        groups[number].add(dimension)
    for _, name, _, key, tags, calibs in _types(context):
        if calibs is None or not groups[key] <= set(universe.dimensions.names):
            continue
        context.examined()
        group = universe.conform(groups[key])
        times = sorted(set(group.names) & {d.name for d in universe.dimensions if d.temporal is not None})
        twins = tags.rpartition("_")[2] == calibs.rpartition("_")[2]
        if times or "instrument" not in group or not twins:
            yield Finding(
                f"dataset type {name} cannot be a calibration",
                where="dataset_type",
                seen=f"dimensions {', '.join(group.required)}; tables {tags}, {calibs}",
                expected="an instrument, no exposure or visit, and two tables of one number",
                look=_look(name),
            )


@check(
    "datastore.formatter-and-suffix",
    title="The name of every file ends as its formatter writes it",
    after="calibs",
    remedy="restore the row of the datastore's table of records from a backup, or ingest the file again",
)
def formatter_and_suffix(context: CheckContext) -> Iterator[Finding]:
    """A formatter that is given another one's file fails, or reads nonsense; only the name tells beforehand."""
    import sqlalchemy
    from lsst.utils import doImportType

    here = stored(context)
    for table_name, _ in tables(context).datastores.values():
        if table_name not in here:
            continue
        path, formatter = here[table_name].columns["path"], here[table_name].columns["formatter"]
        found = files(context, table_name)
        for name in sorted({way[3] for way in found.ways}, key=str):
            try:
                suffixes = _suffixes(doImportType(name))
            except (ImportError, TypeError):
                continue  # found by datastore.formatters
            context.examined()
            lower = {s.lower() for s in suffixes}
            if not suffixes or all(f".{end.lower()}" in lower for owner, end in found.endings if owner == name):
                continue
            other = sqlalchemy.and_(formatter == name, *(~_ends(path, s) for s in suffixes))
            for (place,) in rows(context, sqlalchemy.select(path).where(other), MOST):
                yield Finding(
                    f"the file {place} is none of {name.rpartition('.')[2]}",
                    where=place,
                    seen=PurePosixPath(place).suffix or "no suffix",
                    expected=" or ".join(sorted(suffixes)),
                    look=look_rows(table_name, "path", place),
                )


def _suffixes(formatter: Any) -> set[str]:
    """Return the endings of the files that a formatter reads, in either generation of formatters."""
    names = ("default_extension", "supported_extensions", "extension", "supportedExtensions")
    found: set[str] = set()
    for name in names:
        value = getattr(formatter, name, None)
        if isinstance(value, str):
            found.add(value)
        elif isinstance(value, set | frozenset | tuple | list):
            found |= set(value)
    return {s for s in found if s}


def _ends(path: Any, suffix: str) -> Any:
    """Return the condition that a path ends in a suffix, or that it lies in a zip of its kind."""
    import sqlalchemy

    lower = sqlalchemy.func.lower(path)
    return sqlalchemy.or_(lower.endswith(suffix.lower(), autoescape=True), path.contains("#"), path.contains("?"))


@check(
    "datastore.formatter-of-type",
    title="The datasets of one type are written by one formatter, but for few kinds of exceptions",
    after="calibs",
    remedy="restore the row of the datastore's table of records from a backup, or store the dataset again",
)
def formatter_of_type(context: CheckContext) -> Iterator[Finding]:
    """A run writes all datasets of a type in one way: a single one that claims another way was tampered with.

    Between runs formatters may change, with the software.
    """
    import sqlalchemy

    here, data = stored(context), tables(context)
    for table_name, _ in data.datastores.values():
        if table_name not in here:
            continue
        dataset, file = here["dataset"], here[table_name]
        joined = file.join(dataset, dataset.columns["id"] == file.columns["dataset_id"])
        first = sqlalchemy.select(sqlalchemy.func.min(file.columns["path"])).select_from(joined)
        keys = [dataset.columns[c] for c in ("dataset_type_id", "run_id")]
        keys += [file.columns[c] for c in ("component", "formatter", "storage_class")]
        found: dict[tuple[Any, ...], dict[tuple[str, str], int]] = defaultdict(dict)
        for (*group, formatter, storage), number in sorted(files(context, table_name).ways.items(), key=str):
            if group[0] is not None:
                context.examined(number)
                found[tuple(group)][formatter, storage] = number
        for owner, ways in found.items():
            common, most = max(ways.items(), key=lambda w: w[1])
            for way, number in ways.items():
                if way != common and believed(most, number):
                    equal = [c == value for c, value in zip(keys, (*owner, *way), strict=True)]
                    ((path,),) = rows(context, first.where(*equal))
                    yield Finding(
                        f"{number} of {most + number} {data.dataset_type_name(owner[0])} are written in another way",
                        where=path,
                        seen=", ".join(way),
                        expected=", ".join(common),
                        look=look_rows(table_name, "path", path),
                    )


CHECKS: tuple[Check, ...] = (
    names,
    storage_classes,
    calibrations,
    formatter_and_suffix,
    formatter_of_type,
)
