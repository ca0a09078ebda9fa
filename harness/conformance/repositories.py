"""Repositories in the states that tests start from, opened seldom: opening one costs more than most tests."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..bootstrap.create import create_repository
from ..repository import open_repository
from ..stages.fork import fork_repository

if TYPE_CHECKING:
    from lsst.daf.butler import Butler

__all__ = ["Repositories"]

REGISTRY = "gen3.sqlite3"
"""File of the registry in a repository that ``makeRepo`` makes by default."""


class Repositories:
    """States of a repository, and one writable copy of each that goes back to the state before each use.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Where to put them.
    config : `~collections.abc.Mapping`
        Butler configuration of the repositories.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        from sqlalchemy import event
        from sqlalchemy.engine import Engine

        self._folder = folder
        self._config = config
        self._states: dict[str, Path] = {}
        self._open: dict[str, Butler] = {}
        self._stack = ExitStack()
        # nothing of what is written here must survive a failure of power
        event.listen(Engine, "connect", _without_sync)
        self._stack.callback(event.remove, Engine, "connect", _without_sync)

    def state(self, name: str, before: str | None, change: Callable[[Butler], object] | None = None) -> str:
        """Make a state, once.

        Parameters
        ----------
        name : `str`
            Its name.
        before : `str` or `None`
            The state that it starts from; `None` for an empty repository.
        change : `~collections.abc.Callable`, optional
            Brings a repository that is open for writing into the state.

        Returns
        -------
        name : `str`
            The name.
        """
        if name not in self._states:
            path = self._folder / name
            if before is None:
                create_repository(path, self._config)
            else:
                fork_repository(self._states[before], path)
            if change is not None:
                try:
                    with open_repository(path, writeable=True) as butler:
                        change(butler)
                except BaseException:
                    shutil.rmtree(path)
                    raise
            self._states[name] = path
        return name

    def view(self, state: str) -> Butler:
        """Return a butler for reading a state."""
        key = f"view of {state}"
        if key not in self._open:
            self._open[key] = self._stack.enter_context(open_repository(self._states[state]))
        return self._open[key]

    def separate(self, state: str, name: str) -> Butler:
        """Return a butler of a copy of a state that keeps what is written."""
        path = self._folder / name
        fork_repository(self._states[state], path)
        return self._stack.enter_context(open_repository(path, writeable=True))

    @contextmanager
    def fork(self, state: str) -> Iterator[Butler]:
        """Give a butler of a copy of a state that is open for writing, and as the state is.

        For records, and datasets of types that are registered in the state: a butler remembers for ever the table of a
        type that it has registered itself.

        Yields
        ------
        butler : `lsst.daf.butler.Butler`
            The same for each use of a state, so not to be used twice at once.
        """
        source, path = self._states[state], self._folder / f"fork-of-{state}"
        if state not in self._open:
            fork_repository(source, path)
            self._open[state] = self._stack.enter_context(open_repository(path, writeable=True))
        else:
            _restore(source, path)
            self._open[state].registry.refresh()
        yield self._open[state]

    def close(self) -> None:
        """Close everything."""
        self._stack.close()


def _restore(source: Path, path: Path) -> None:
    """Bring a repository back to a state while it is open."""
    for item in path.iterdir():
        if item.is_dir():
            shutil.rmtree(item)
    with (
        closing(sqlite3.connect(f"file:{source / REGISTRY}?mode=ro", uri=True)) as read,
        closing(sqlite3.connect(path / REGISTRY)) as write,
    ):
        read.backup(write)
    for item in source.iterdir():
        if item.is_dir():
            shutil.copytree(item, path / item.name, symlinks=True)


def _without_sync(connection: Any, _: object) -> None:
    """Don't wait for the disk."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF")
