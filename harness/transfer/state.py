"""The state of a repository as a value: what it holds, without where it holds it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

__all__ = ["KINDS", "DatasetKey", "Key", "RepositoryState", "Value", "dataset_key"]

Key = tuple[Any, ...]
"""What names one thing of a kind; made of strings, numbers and None, so that it sorts and goes into JSON."""

Value = tuple[Any, ...]
"""What is known about one thing; made of strings, numbers, None and tuples of these."""

DatasetKey = tuple[str, Key]
"""Dataset type and required data ID values: what stays the same when a dataset is made anew."""

KINDS: Mapping[str, tuple[str, ...]] = {
    "record": (),
    "dataset-type": ("dimensions", "storage class", "is calibration"),
    "collection": ("type", "doc"),
    "chain": ("children",),
    "tag": ("dataset type", "data ID"),
    "certification": ("dataset type", "data ID", "validity ranges"),
    "dataset": ("dataset type", "data ID", "run"),
    "artifact": ("formatter", "storage class", "size", "digest"),
}
"""Kinds of things in a state, with the names of the fields of their values.

================  ======================================  =============================================
kind              key                                     note
================  ======================================  =============================================
record            element, required values …              fields differ by element: see `RepositoryState.elements`
dataset-type      name
collection        name
chain             name                                    children in search order
tag               collection, dataset id
certification     collection, dataset id                  ranges as pairs of TAI nanoseconds, sorted
dataset           dataset id
artifact          dataset id, component                   component is empty if the file is the whole dataset
================  ======================================  =============================================
"""


@dataclasses.dataclass(frozen=True)
class RepositoryState:
    """Everything that a repository holds, apart from the paths of its files.

    Parameters
    ----------
    universe : `tuple` [`str`, `int`]
        Namespace and version of the dimension universe.
    elements : `~collections.abc.Mapping` [`str`, `tuple` [`str`]]
        For each dimension element that has records the names of their fields.
    dimensions : `~collections.abc.Mapping` [`str`, `tuple` [`str`]]
        For each dimension element and dataset type the names of the values in its keys and data IDs.
    tables : `~collections.abc.Mapping` [`str`, `~collections.abc.Mapping` [`Key`, `Value`]]
        For each of the `KINDS` what there is.
    hashed : `bool`
        Whether the content of artifacts was read; if not, their digests are empty.
    """

    universe: tuple[str, int]
    elements: Mapping[str, tuple[str, ...]]
    dimensions: Mapping[str, tuple[str, ...]]
    tables: Mapping[str, Mapping[Key, Value]]
    hashed: bool = True

    def __getitem__(self, kind: str) -> Mapping[Key, Value]:
        """Return everything of a kind."""
        return self.tables[kind]

    def replace(self, **tables: Mapping[Key, Value]) -> RepositoryState:
        """Return a state with some tables replaced; ``dataset_type`` stands for ``dataset-type``."""
        new = {name.replace("_", "-"): table for name, table in tables.items()}
        return dataclasses.replace(self, tables={**self.tables, **new})

    def ids(self, types: Iterable[str] | None = None, runs: Iterable[str] | None = None) -> Iterator[str]:
        """Return the ids of the datasets of some types in some runs; by default of all.

        Parameters
        ----------
        types, runs : `~collections.abc.Iterable` [`str`], optional
            Names of dataset types and of RUN collections.

        Yields
        ------
        id : `str`
            Dataset id.
        """
        some_types = None if types is None else set(types)
        some_runs = None if runs is None else set(runs)
        for (id_,), (type_, _, run) in self["dataset"].items():
            if (some_types is None or type_ in some_types) and (some_runs is None or run in some_runs):
                yield id_

    def data_id(self, name: str, values: Key) -> dict[str, Any]:
        """Name the values of the data ID of a dataset type, or of a record's key."""
        names = self.dimensions.get(name, ())
        return dict(zip(names, values, strict=True)) if len(names) == len(values) else {"values": values}

    def to_json(self) -> str:
        """Write the state as JSON text (`str`); `from_json` is the inverse."""
        return json.dumps(
            {
                **{f: getattr(self, f) for f in ("universe", "elements", "dimensions", "hashed")},
                "tables": {kind: list(table.items()) for kind, table in self.tables.items()},
            },
            allow_nan=False,
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, text: str) -> RepositoryState:
        """Read what `to_json` wrote."""
        data = json.loads(text)
        return cls(
            universe=_frozen(data["universe"]),
            elements={k: _frozen(v) for k, v in data["elements"].items()},
            dimensions={k: _frozen(v) for k, v in data["dimensions"].items()},
            tables={kind: {_frozen(k): _frozen(v) for k, v in rows} for kind, rows in data["tables"].items()},
            hashed=data["hashed"],
        )


def dataset_key(state: RepositoryState, id: str) -> DatasetKey:
    """Return the dataset type and data ID of a dataset, given its id."""
    type_, values, _ = state["dataset"][(id,)]
    return type_, values


def _frozen(value: Any) -> Any:
    return tuple(_frozen(v) for v in value) if isinstance(value, list) else value
