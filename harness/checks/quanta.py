"""Executed quanta, as their metadata tell of them."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .artifacts import local_path
from .inventory import files_of
from .members import members
from .records import spread
from .tables import tables

if TYPE_CHECKING:
    from lsst.pipe.base import TaskMetadata

    from .context import CheckContext
    from .members import Member
    from .rows import FileRow

__all__ = [
    "CONFIG",
    "LOG",
    "METADATA",
    "PACKAGES",
    "ExecutedQuantum",
    "are_all_quanta",
    "init_outputs",
    "key",
    "quanta",
]

METADATA, LOG, CONFIG, PACKAGES = "_metadata", "_log", "_config", "packages"
"""What names of dataset types that the middleware writes for every task end with; and the one per run."""


@dataclasses.dataclass(frozen=True)
class ExecutedQuantum:
    """A quantum that has metadata: it succeeded, perhaps with caveats.

    Parameters
    ----------
    run, label : `str`
        Its RUN and task label.
    data_id : `~collections.abc.Mapping`
        Its data ID.
    id : `uuid.UUID`
        Dataset id of its metadata.
    metadata : `lsst.pipe.base.TaskMetadata` or `None`
        What it says.
    error : `str`
        Why it cannot be read; empty otherwise.
    """

    run: str
    label: str
    data_id: Mapping[str, Any]
    id: uuid.UUID
    metadata: TaskMetadata | None
    error: str = ""

    @cached_property
    def own(self) -> Any:
        """The part of the metadata that the executor wrote; empty if there is none."""
        return self.metadata.get("quantum", {}) if self.metadata is not None else {}

    @cached_property
    def outputs(self) -> frozenset[uuid.UUID] | None:
        """The datasets that it put; `None` if it does not say."""
        if "outputs" not in self.own:
            return frozenset() if self.own else None
        return frozenset(uuid.UUID(v) for v in self.own.getArray("outputs"))

    @property
    def caveats(self) -> int:
        """Flags of `lsst.pipe.base.QuantumSuccessCaveats`; 0 if all went well."""
        return int(self.own.get("caveats", 0)) if self.own else 0

    def time(self, name: str) -> str:
        """Return a moment (``prep``, ``start``, ``end``) as ISO 8601 UTC; empty if it is not there."""
        values = self.own.getArray(f"{name}Utc") if f"{name}Utc" in self.own else []
        return str(values[-1]) if values else ""


def key(data_id: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Return a data ID as a value that can be compared."""
    return tuple(sorted(data_id.items()))


def init_outputs(context: CheckContext, run: str) -> Mapping[str, uuid.UUID]:
    """Return the datasets of a run that belong to no data ID: configs, packages, schemas."""

    def make() -> Mapping[str, dict[str, uuid.UUID]]:
        data = tables(context)
        out: dict[str, dict[str, uuid.UUID]] = {}
        kinds = [k for k in data.dataset_types.values() if not k.dimensions]
        for row in members(context, kinds, everything=True):
            names = out.setdefault(data.collection_name(row.run_id), {})
            names[data.dataset_type_name(row.type_id)] = row.id
        return out

    return context.cached("init-outputs", make).get(run, {})


def quanta(context: CheckContext) -> Sequence[ExecutedQuantum]:
    """Return the executed quanta of all runs, read once for all checks.

    As many as the scope allows; `are_all_quanta` tells whether these are all.
    """

    def make() -> Sequence[ExecutedQuantum]:
        data = tables(context)
        found = _metadata(context)
        chosen = spread(found, context.scope.sample or len(found))
        files = files_of(context, [row.id for row in chosen])
        out = []
        for row in chosen:
            kind = data.dataset_types[row.type_id]
            metadata, error = _read(context, row.id, files.get(row.id))
            label, run = kind.name.removesuffix(METADATA), data.collection_name(row.run_id)
            out.append(ExecutedQuantum(run, label, kind.data_id(row.values), row.id, metadata, error))
        return out

    return context.cached("quanta", make)


def are_all_quanta(context: CheckContext) -> bool:
    """Tell whether `quanta` are all that their runs have, and not those of a part of the repository."""
    return context.scope.since is None and len(quanta(context)) == len(_metadata(context))


def _metadata(context: CheckContext) -> Sequence[Member]:
    """Return the datasets with metadata of quanta, by run and label."""

    def make() -> Sequence[Member]:
        data = tables(context)
        kinds = [k for k in data.dataset_types.values() if k.name.endswith(METADATA)]
        found = list(members(context, kinds))
        names = {k.id: k.name for k in kinds}
        return sorted(found, key=lambda r: (data.collection_name(r.run_id), names[r.type_id], r.id))

    return context.cached("metadata of quanta", make)


def _read(context: CheckContext, identifier: uuid.UUID, row: FileRow | None) -> tuple[TaskMetadata | None, str]:
    from lsst.pipe.base import TaskMetadata

    try:
        path = local_path(context, row) if row is not None and "#" not in row.path else None
        if path is not None:
            return TaskMetadata.model_validate_json(path.read_bytes()), ""
        found = context.butler.get(context.butler.get_dataset(identifier))
        return TaskMetadata.from_metadata(found) if not isinstance(found, TaskMetadata) else found, ""
    except Exception as error:  # whatever is wrong with it becomes a finding
        return None, f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
