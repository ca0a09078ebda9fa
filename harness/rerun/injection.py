"""Failures that strike a task at a chosen quantum, whichever task it is."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ..errors import HarnessError

if TYPE_CHECKING:
    from lsst.daf.butler import DatasetRef
    from lsst.pipe.base import QuantumContext

__all__ = ["HOW", "PREFIX", "VARIABLE", "InjectedError", "Injection", "inject", "write_pipeline", "write_plan"]

VARIABLE = "HARNESS_INJECTIONS"
"""Environment variable that names the file of what is to go wrong."""

PREFIX = "Injected__"
"""How the names of classes begin in `harness.rerun.injected`."""

INJECTED = "harness.rerun.injected"
"""Module that has these classes."""

HOW: Mapping[str, str] = {
    "raise": "an exception",
    "memory": "MemoryError, unless the quantum is given enough memory",
    "partial": "AnnotatedPartialOutputsError: the task gives up, and says that what it wrote may be used",
    "kill": "the process is killed (SIGKILL)",
    "orphan": "an exception, after the file of an output was written of which the repository knows nothing",
    "lost": "the task succeeds, but the file of an output is gone",
}
"""What can go wrong."""


class InjectedError(RuntimeError):
    """A task failed as it was told to."""


@dataclasses.dataclass(frozen=True)
class Injection:
    """Something that is to go wrong.

    Parameters
    ----------
    label : `str`
        Label of the task.
    data_id : `~collections.abc.Mapping` [`str`, `~typing.Any`]
        Required values of the quantum's data ID.
    how : `str`
        One of `HOW`.
    after : `int`, optional
        How many outputs are written before, in the order of dataset type and data ID; with none the task does
        not even begin. For ``lost`` the place of the output whose file goes.
    memory : `str`, optional
        For ``memory``: what is enough.
    """

    label: str
    data_id: Mapping[str, Any]
    how: str
    after: int = 0
    memory: str = ""


def write_plan(path: Path, repo: Path, injections: Iterable[Injection]) -> dict[str, str]:
    """Write down what is to go wrong.

    Parameters
    ----------
    path : `~pathlib.Path`
        File to write.
    repo : `~pathlib.Path`
        Repository, in which files are written or removed.
    injections : `~collections.abc.Iterable` [`Injection`]
        The failures.

    Returns
    -------
    environment : `dict` [`str`, `str`]
        Environment in which the pipeline is to be run.
    """
    rows = [dataclasses.asdict(i) for i in injections]
    path.write_text(json.dumps({"repo": str(repo), "injections": rows}))
    return {VARIABLE: str(path)}


def write_pipeline(uri: str, path: Path) -> None:
    """Write a pipeline with tasks that fail when they are told to.

    Parameters
    ----------
    uri : `str`
        The pipeline that it is made of, without subset.
    path : `~pathlib.Path`
        YAML file to write.

    Raises
    ------
    HarnessError
        If the name of a task's class has two underscores in a row.
    """
    import yaml  # type: ignore[import-untyped]
    from lsst.pipe.base import Pipeline

    # The text, because replacing a task by `Pipeline.addTask` would lose its configuration.
    content = yaml.safe_load(str(Pipeline.from_uri(uri)))
    for task in content["tasks"].values():
        if "__" in task["class"]:
            raise HarnessError(f"task class {task['class']} has '__' in its name", code="rerun-injection")
        task["class"] = f"{INJECTED}.{PREFIX}{task['class'].replace('.', '__')}"
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def inject(run: Callable[[Any, Any, Any], None], task: Any, context: QuantumContext, inputs: Any, outputs: Any) -> None:
    """Run a quantum of a task, and make it fail if that is asked for.

    Parameters
    ----------
    run : `~collections.abc.Callable`
        The task's own ``runQuantum``.
    task : `lsst.pipe.base.PipelineTask`
        The task.
    context : `lsst.pipe.base.QuantumContext`
        What the middleware gives it to read and write with.
    inputs, outputs
        What else it gives.
    """
    injection, repo = _wanted(task.getName(), context)
    if injection is None or (injection.how == "memory" and _enough(context, injection.memory)):
        run(context, inputs, outputs)
        return
    if injection.after or injection.how in {"orphan", "lost"}:
        run(_Writer(context, injection, repo, task), inputs, outputs)
    else:
        _strike(injection, task)


def _wanted(label: str, context: QuantumContext) -> tuple[Injection | None, str]:
    """Return what is to go wrong with a quantum, and the repository."""
    path = os.environ.get(VARIABLE)
    if not path:
        return None, ""
    plan = json.loads(Path(path).read_text())
    data_id = context.quantum.dataId
    assert data_id is not None
    for row in plan["injections"]:
        if row["label"] == label and row["data_id"] == dict(data_id.required):
            return Injection(**row), plan["repo"]
    return None, ""


def _enough(context: QuantumContext, memory: str) -> bool:
    import astropy.units as u

    available = context.resources.max_mem
    return available is not None and bool(available >= u.Quantity(memory))


def _strike(injection: Injection, task: Any) -> NoReturn:
    from lsst.pipe.base import AnnotatedPartialOutputsError

    error = InjectedError(f"told to fail at {injection.label} after {injection.after} outputs")
    match injection.how:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
            raise SystemExit  # never reached: the signal cannot be caught
        case "memory":
            raise MemoryError(f"told that {injection.memory} are needed")
        case "partial":
            try:
                raise error
            except InjectedError as cause:
                raise AnnotatedPartialOutputsError.annotate(cause, task, log=task.log) from cause
        case _:
            raise error


class _Writer:
    """A quantum's context that fails when so many outputs have been written."""

    def __init__(self, context: QuantumContext, injection: Injection, repo: str, task: Any) -> None:
        self._context, self._injection, self._repo, self._task = context, injection, repo, task
        self._written = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def put(self, values: Any, dataset: Any) -> None:
        """Write some outputs in the order of type and data ID, until it is time to fail."""
        for ref, value in sorted(_pairs(values, dataset), key=lambda p: _place(p[0])):
            last = self._written == self._injection.after
            if last and self._injection.how == "orphan":
                uri = self._uri(ref)
                uri.write(b"what a crash leaves of a file")
            if last and self._injection.how != "lost":
                _strike(self._injection, self._task)
            self._context.put(value, ref)
            if last:
                self._uri(ref).remove()
            self._written += 1
        if self._written <= self._injection.after and self._injection.how != "lost":
            _strike(self._injection, self._task)

    def _uri(self, ref: DatasetRef) -> Any:
        from lsst.daf.butler import Butler

        with Butler.from_config(self._repo, writeable=False) as butler:
            return butler.getURI(ref, predict=True)


def _pairs(values: Any, dataset: Any) -> list[tuple[DatasetRef, Any]]:
    """Return each reference that a task wants to write, with its value."""
    from lsst.pipe.base import OutputQuantizedConnection

    if isinstance(dataset, OutputQuantizedConnection):
        present = ((refs, getattr(values, name, None)) for name, refs in dataset)
        return [pair for refs, value in present if value is not None for pair in _pairs(value, refs)]
    return list(zip(dataset, values, strict=True)) if isinstance(dataset, list | tuple) else [(dataset, values)]


def _place(ref: DatasetRef) -> tuple[str, tuple[Any, ...]]:
    return ref.datasetType.name, ref.dataId.required_values
