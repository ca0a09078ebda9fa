"""Stages: steps that turn a repository into the next one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lsst.daf.butler import Butler

    from .datasets.manifest import Dataset
    from .engines.base import Engine
    from .instrument.kit import InstrumentKit

__all__ = ["SHARED", "Stage", "StageContext"]

SHARED = "shared"
"""What stages and checks need that compare a repository with what other datasets had made of it before."""


@dataclasses.dataclass
class StageContext:
    """What a stage works with.

    Parameters
    ----------
    repo : `~pathlib.Path`
        The repository: a writable fork of the state left by the stage that this one extends. For the
        first stage of a repository the folder does not exist yet.
    outputs : `~pathlib.Path`
        A folder of this stage's own, kept beside the repository (raw files, reports …).
    inputs : `~collections.abc.Mapping` [`str`, `~pathlib.Path`]
        The ``outputs`` folders of the stages named in `Stage.needs`.
    dataset : `~harness.datasets.manifest.Dataset`
        The resolved manifest.
    kit : `~harness.instrument.kit.InstrumentKit`
        The instrument.
    engine : `~harness.engines.base.Engine`
        What executes quanta.
    facts : `~collections.abc.Mapping` [`str`, `~collections.abc.Mapping`]
        What earlier stages returned, by stage name.
    progress : `~collections.abc.Callable` [[`str`], `None`]
        Tells the user, in a few words, what is being done.
    logs : `~pathlib.Path`, optional
        Folder for logs, which stays when the stage fails; ``outputs`` by default, which does not.
    origin : `~pathlib.Path`, optional
        The repository that ``repo`` is a fork of; to be read only.
    base : `~pathlib.Path`, optional
        The repository as it was before anything of this dataset came in, if other datasets share it; read only.
    repository_config : `~collections.abc.Mapping`
        Butler configuration that the datasets which share the repository need.
    """

    repo: Path
    outputs: Path
    inputs: Mapping[str, Path]
    dataset: Dataset
    kit: InstrumentKit
    engine: Engine
    facts: Mapping[str, Mapping[str, Any]]
    progress: Callable[[str], None]
    logs: Path | None = None
    origin: Path | None = None
    base: Path | None = None
    repository_config: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def log(self, name: str) -> Path:
        """Return the path of a log file to write."""
        folder = self.logs or self.outputs
        folder.mkdir(parents=True, exist_ok=True)
        return folder / name

    @contextmanager
    def butler(self, **kwargs: Any) -> Iterator[Butler]:
        """Open the repository for writing; arguments go to ``Butler.from_config``."""
        from lsst.daf.butler import Butler

        kwargs.setdefault("writeable", True)
        with Butler.from_config(str(self.repo), **kwargs) as butler:
            yield butler


@dataclasses.dataclass(frozen=True)
class Stage:
    """One step of the stage graph.

    Parameters
    ----------
    name : `str`
        Its name: ``create``, ``ingest`` …
    title : `str`
        What it does, for the progress display.
    run : `~collections.abc.Callable`
        Does it, and returns facts: JSON-serializable values that checks and later stages may read.
    extends : `str`, optional
        The stage whose repository it starts from; `None` for one without a repository or that makes one.
    needs : `tuple` [`str`]
        Other stages whose ``outputs`` it reads.
    code : `tuple` [`str`]
        Packages and modules whose source it depends on; part of its fingerprint.
    capabilities : `frozenset` [`str`]
        Capabilities of the instrument without which it is left out.
    proves : `frozenset` [`str`]
        Families of the checks that need not open files again after this stage, since its own checks compare each
        file with that of the stage which it extends.
    """

    name: str
    title: str
    run: Callable[[StageContext], Mapping[str, Any]]
    extends: str | None = None
    needs: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    capabilities: frozenset[str] = frozenset()
    proves: frozenset[str] = frozenset()
