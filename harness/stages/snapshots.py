"""Snapshots: stored states of a repository, each in a folder that is there whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from ..errors import HarnessError

__all__ = ["Snapshot", "SnapshotStore"]


class Snapshot:
    """One stored state.

    Parameters
    ----------
    path : `~pathlib.Path`
        Its folder, with ``repo``, ``outputs`` and ``facts.json``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.repo = path / "repo"
        self.outputs = path / "outputs"

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the stage returned."""
        facts: dict[str, Any] = json.loads((self.path / "facts.json").read_text())
        return facts


class SnapshotStore:
    """Snapshots of all datasets below one folder.

    Parameters
    ----------
    root : `~pathlib.Path`
        The folder; made if it does not exist.

    Raises
    ------
    HarnessError
        If the folder cannot be written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            root.mkdir(parents=True, exist_ok=True)
            probe = root / f".probe-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise HarnessError(
                f"cannot write to {root}: {error.strerror}", remedy="choose another folder with --work", code="no-write"
            ) from error

    def path(self, dataset: str, stage: str, fingerprint: str) -> Path:
        """Return the folder of a snapshot, whether it is there or not."""
        return self.root / dataset / f"{stage}-{fingerprint[:16]}"

    def find(self, dataset: str, stage: str, fingerprint: str) -> Snapshot | None:
        """Return a snapshot if it is there."""
        path = self.path(dataset, stage, fingerprint)
        if not (path / "facts.json").exists():
            return None
        os.utime(path)  # last use, for `prune`
        return Snapshot(path)

    def discard(self, dataset: str, stage: str, fingerprint: str) -> None:
        """Remove a snapshot: renamed first, so that it is never there in part."""
        path = self.path(dataset, stage, fingerprint)
        if path.exists():
            doomed = path.with_name(f".old-{path.name}-{os.getpid()}")
            path.rename(doomed)
            shutil.rmtree(doomed)

    @contextmanager
    def lock(self, dataset: str, stage: str, fingerprint: str) -> Iterator[None]:
        """Hold the right to build a snapshot; a second process waits for the first one's."""
        path = self.path(dataset, stage, fingerprint)
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f".{path.name}.lock")):
            yield

    @contextmanager
    def build(self, dataset: str, stage: str, fingerprint: str) -> Iterator[Path]:
        """Build a snapshot in a folder of its own and rename it into place when the block ends well.

        Call with the snapshot's `lock` held: anything left in the building folder is then of a process
        that was killed, and is removed.

        Yields
        ------
        path : `~pathlib.Path`
            Folder to fill.
        """
        path = self.path(dataset, stage, fingerprint)
        building = path.with_name(f".building-{path.name}")
        if building.exists():
            shutil.rmtree(building)
        building.mkdir(parents=True)
        try:
            yield building
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise
        building.rename(path)

    def prune(self, dataset: str, keep_days: float) -> int:
        """Remove the snapshots of a dataset that nobody has used for some days; return how many."""
        horizon = time.time() - keep_days * 86400
        removed = 0
        folder = self.root / dataset
        for path in folder.glob("[!.]*-*") if folder.is_dir() else ():
            if path.stat().st_mtime < horizon:
                shutil.rmtree(path)
                path.with_name(f".{path.name}.lock").unlink(missing_ok=True)
                removed += 1
        return removed
