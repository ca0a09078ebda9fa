"""Where the registry and the datastores of a repository are, and what is in the way of reading them.

Nothing here writes, nor lets the middleware write: it makes the root of a datastore if that is gone, and SQLite
leaves files beside a database in WAL mode.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ExitCode, HarnessError

if TYPE_CHECKING:
    from lsst.daf.butler import ButlerConfig
    from lsst.daf.butler.registry.interfaces import Database
    from lsst.resources import ResourcePath

__all__ = ["LOCK_SECONDS", "Root", "Source", "open_source"]

LOCK_SECONDS = 2.0
"""How long to wait for somebody who has locked the registry (s); a commit takes milliseconds."""

WAL_VERSION = 2
"""The read version in the header of an SQLite file in WAL mode (SQLite file format, section 1.3.3)."""


@dataclasses.dataclass(frozen=True)
class Root:
    """The root of one file datastore.

    Parameters
    ----------
    key : `tuple`
        Where the configuration has it.
    uri : `lsst.resources.ResourcePath`
        The folder.
    missing : `bool`
        Whether it is a local folder that is not there.
    """

    key: tuple[str | int, ...]
    uri: ResourcePath
    missing: bool


@dataclasses.dataclass(frozen=True)
class Source:
    """A repository, found but not opened.

    Parameters
    ----------
    name : `str`
        Its path or URI, without alias.
    folder : `str`
        The folder that ``<butlerRoot>`` stands for.
    config : `lsst.daf.butler.ButlerConfig`
        Configuration to open it with: that of the repository, but for a registry that is read from a copy and
        datastores whose root is gone.
    roots : `tuple` [`Root`]
        Roots of its file datastores.
    dialect : `str`
        ``sqlite`` or ``postgresql``.
    database : `~pathlib.Path`, optional
        The SQLite file; `None` with another database.
    busy : `str`
        Who is writing to it, as far as that can be seen now; empty if nobody is.
    notes : `tuple` [`str`]
        What its reader should know.
    """

    name: str
    folder: str
    config: ButlerConfig
    roots: tuple[Root, ...]
    dialect: str
    database: Path | None
    busy: str = ""
    notes: tuple[str, ...] = ()

    @contextlib.contextmanager
    def connect(self) -> Iterator[Database]:
        """Open the database without the middleware's managers, for reading (`lsst.daf.butler…Database`).

        Raises
        ------
        HarnessError
            If there is no server that lets us in, or no driver for it.
        """
        from sqlalchemy.exc import DatabaseError

        registry = _registry(self.config, self.folder)
        try:
            database = registry.getDatabaseClass().fromUri(
                registry.connectionString,
                origin=0,
                namespace=registry.get("namespace"),
                writeable=False,
                allow_temporary_tables=registry.areTemporaryTablesAllowed,
            )
        except (DatabaseError, ImportError) as error:
            first = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
            remedy = "install the driver" if isinstance(error, ImportError) else "see registry.db in butler.yaml"
            raise HarnessError(
                f"registry of {self.name} cannot be reached: {first}", remedy=remedy, code="registry-unreachable"
            ) from error
        try:
            yield database
        finally:
            database.dispose()

    def real_command(self, command: str) -> str:
        """Return a command with the database that it is really about, in place of ``gen3.sqlite3`` in the folder.

        Parameters
        ----------
        command : `str`
            A command of a check.
        """
        usual = "{repo}/gen3.sqlite3"
        if not command.startswith("sqlite3 ") or usual not in command:
            return command
        if self.database is not None:
            here = self.database == Path(self.folder) / "gen3.sqlite3"
            return command if here else command.replace(usual, shlex.quote(str(self.database)))
        url = _registry(self.config, self.folder).connectionString.set(password=None).render_as_string()
        return f"psql {shlex.quote(url)} -c {shlex.quote(shlex.split(command)[-1])}"


@contextlib.contextmanager
def open_source(path: str | Path) -> Iterator[Source]:
    """Find a repository and see what is in the way of reading it.

    Parameters
    ----------
    path : `str` or `~pathlib.Path`
        Folder, URI, configuration file, or alias of the repository index.

    Yields
    ------
    source : `Source`
        Copies that had to be made for it are removed at the end.

    Raises
    ------
    HarnessError
        If it is no repository, cannot be read, or is locked: one line for each.
    """
    name = _locate(str(path))
    config = _configuration(name)
    folder = _home(config)
    with tempfile.TemporaryDirectory(prefix="harness-audit-") as scratch:
        database = _sqlite_file(config, folder)
        busy, notes = "", []
        if database is not None:
            _readable(database, f"the registry of {name}")
            if _in_wal_mode(database):
                copy = _copy(database, Path(scratch))
                config["registry", "db"] = f"sqlite:///{copy}"
                notes.append("the registry is in WAL mode, in which a reader leaves files: a copy was read")
            else:
                busy = _probe(database, name)
        roots = []
        for key, uri in _roots(config, folder):
            missing = uri.isLocal and not os.path.isdir(uri.ospath)  # noqa: PTH112
            roots.append(Root(key, uri, missing))
            if missing:
                empty = Path(scratch) / f"root{len(roots)}"
                empty.mkdir()
                config[key] = str(empty)
        yield Source(name, folder, config, tuple(roots), _dialect(config, folder, name), database, busy, tuple(notes))


# --- configuration -----------------------------------------------------------------------------------


def _locate(path: str) -> str:
    """Resolve an alias of the repository index, and say what is wrong with a local path."""
    from lsst.daf.butler import ButlerRepoIndex

    if "://" not in path and not os.path.lexists(path):
        with contextlib.suppress(KeyError, FileNotFoundError, RuntimeError):
            return str(ButlerRepoIndex.get_repo_uri(path))
        raise HarnessError(f"no repository at {path}: nothing is there", code="no-repository")
    if "://" in path:
        return path
    try:
        path.encode()
    except UnicodeEncodeError:
        raise HarnessError(
            f"no repository at {os.fsencode(path)!r}: the path is not UTF-8, which the middleware cannot read",
            remedy="give it by a symbolic link",
            code="no-repository",
        ) from None
    try:
        Path(path).stat()
    except OSError as error:  # a loop of symbolic links, a dangling one, a folder that may not be entered
        raise HarnessError(f"no repository at {path}: {error.strerror}", code="no-repository") from error
    return str(Path(path).absolute())


def _configuration(name: str) -> ButlerConfig:
    """Read the configuration of a repository."""
    import yaml  # type: ignore[import-untyped]
    from lsst.daf.butler import ButlerConfig

    if "://" not in name:
        file = Path(name) / "butler.yaml" if Path(name).is_dir() else Path(name)
        if not file.exists() and not file.is_symlink():
            raise HarnessError(
                f"no repository at {name}: it has no butler.yaml",
                remedy="give a folder made by 'butler create'",
                code="no-repository",
            )
        _readable(file, f"the configuration of {name}")
    try:
        config = ButlerConfig(name)
        remote = "registry" not in config or config.get("cls", "").endswith("RemoteButler")
    except (yaml.YAMLError, LookupError, RuntimeError, TypeError, ValueError, AttributeError, OSError) as error:
        first = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise HarnessError(f"no repository at {name}: {first}", code="no-repository") from error
    if remote:
        raise HarnessError(
            f"{name} is a Butler server, which gives no access to the registry's tables",
            remedy="audit the repository behind it",
            code="no-tables",
        )
    return config


def _home(config: ButlerConfig) -> str:
    """Return the folder that ``<butlerRoot>`` stands for: that of the configuration, unless this names another."""
    from lsst.resources import ResourcePath

    home = ResourcePath(config.get("root", config.configDir), forceDirectory=True, forceAbsolute=True)
    return str(home.ospath if home.isLocal else home)


def _registry(config: ButlerConfig, folder: str) -> Any:
    from lsst.daf.butler.registry import RegistryConfig

    registry = RegistryConfig(config)
    registry.replaceRoot(folder)
    return registry


def _dialect(config: ButlerConfig, folder: str, name: str) -> str:
    registry = _registry(config, folder)
    try:
        registry.getDatabaseClass()
    except (ImportError, TypeError, ValueError) as error:
        raise HarnessError(
            f"registry of {name} is in a database that the middleware does not know: {error}", code="no-repository"
        ) from error
    dialect: str = registry.getDialect()
    return dialect


def _roots(
    config: ButlerConfig, folder: str, key: tuple[str | int, ...] = ("datastore",)
) -> Iterator[tuple[tuple[str | int, ...], ResourcePath]]:
    """Find the roots of all file datastores, which may hang below chained ones, with their place in the
    configuration.
    """
    from lsst.daf.butler.repo_relocation import replaceRoot
    from lsst.resources import ResourcePath

    if (*key, "datastores") in config:
        for number in range(len(config[(*key, "datastores")])):
            yield from _roots(config, folder, (*key, "datastores", number))
    elif (*key, "root") in config:
        root = replaceRoot(config[(*key, "root")], folder)
        yield (*key, "root"), ResourcePath(root, forceDirectory=True, forceAbsolute=True)


def _sqlite_file(config: ButlerConfig, folder: str) -> Path | None:
    url = _registry(config, folder).connectionString
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


# --- an SQLite file ------------------------------------------------------------------------------------


def _readable(file: Path, what: str) -> None:
    """Raise unless a file is there and may be read."""
    try:
        with file.open("rb") as stream:
            stream.read(1)
    except OSError as error:
        raise HarnessError(
            f"{what} cannot be read: {file}: {error.strerror}",
            remedy="ask its owner" if isinstance(error, PermissionError) else "see whether it was moved",
            code="unreadable",
        ) from error


def _in_wal_mode(database: Path) -> bool:
    with database.open("rb") as file:
        return file.read(20)[19:] == bytes([WAL_VERSION])


def _copy(database: Path, scratch: Path) -> Path:
    """Copy a database in WAL mode with what has not been written back from its log."""
    target = scratch / database.name
    shutil.copyfile(database, target)
    log = database.with_name(database.name + "-wal")
    if log.exists():
        shutil.copyfile(log, target.with_name(log.name))
    return target


def _probe(database: Path, name: str) -> str:
    """Say who is writing to a database, as far as its files tell.

    Raises
    ------
    HarnessError
        If it cannot be read because of that.
    """
    journal = database.with_name(database.name + "-journal")
    begun = journal.exists() and journal.stat().st_size > 0
    try:
        with contextlib.closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute(f"PRAGMA busy_timeout = {round(LOCK_SECONDS * 1000)}")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None) or 0
        raise _not_now(code, error, name, journal) from error
    return f"another process has begun to write to it: {journal} is there" if begun else ""


def _not_now(code: int, error: sqlite3.Error, name: str, journal: Path) -> HarnessError:
    """Make the error for a database that cannot be read now; nothing is then known of it."""
    if code == sqlite3.SQLITE_READONLY_ROLLBACK:
        found = HarnessError(
            f"registry of {name} was left in the middle of a change: a writer was stopped, and {journal} waits to be "
            "rolled back, for which it must be opened for writing",
            remedy="open it once for writing, or audit a copy of both files",
            code="interrupted-write",
        )
    elif code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        found = HarnessError(
            f"registry of {name} is locked: another process is writing to it",
            remedy="wait for it and run again",
            code="locked",
        )
    else:
        return HarnessError(f"registry of {name} cannot be read: {error}", code="registry-unreadable")
    found.exit_code = ExitCode.UNKNOWN
    return found
