"""Executed quanta, as their metadata tell of them."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .artifacts import local_path
from .tables import FileRow, tables

if TYPE_CHECKING:
    from lsst.pipe.base import TaskMetadata

    from .context import CheckContext

__all__ = ["CONFIG", "LOG", "METADATA", "PACKAGES", "ExecutedQuantum", "init_outputs", "key", "quanta"]

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
        for row in data.datasets.values():
            kind = data.dataset_types.get(row.type_id)
            if kind is not None and not kind.dimensions:
                out.setdefault(data.collection_name(row.run_id), {})[kind.name] = row.id
        return out

    return context.cached("init-outputs", make).get(run, {})


def quanta(context: CheckContext) -> Sequence[ExecutedQuantum]:
    """Return all executed quanta of all runs, read once for all checks."""

    def make() -> Sequence[ExecutedQuantum]:
        data = tables(context)
        files = {r.dataset_id: r for r in data.files if not r.component}
        out = []
        for (run, name), ids in sorted(data.by_run_and_type.items()):
            if name.endswith(METADATA):
                label = name.removesuffix(METADATA)
                for identifier in ids:
                    metadata, error = _read(context, identifier, files.get(identifier))
                    data_id = data.data_ids.get(identifier, {})
                    out.append(ExecutedQuantum(run, label, data_id, identifier, metadata, error))
        return out

    return context.cached("quanta", make)


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
