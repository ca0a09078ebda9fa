"""Opening repositories, and telling in one line why one cannot be opened or written."""

from __future__ import annotations

import errno
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import HarnessError

if TYPE_CHECKING:
    from lsst.daf.butler import Butler

__all__ = ["RARE", "check_universe", "open_repository", "rare_garbage_collection", "storage_errors"]


@contextmanager
def open_repository(
    path: str | Path, *, writeable: bool = False, any_universe: bool = False, config: Any = None, **kwargs: Any
) -> Iterator[Butler]:
    """Open a repository that the installed middleware supports.

    Parameters
    ----------
    path : `str` or `~pathlib.Path`
        Folder, URI or configuration file of the repository.
    writeable : `bool`, optional
        Whether to open it for writing.
    any_universe : `bool`, optional
        Whether its dimension universe may be another than that of the installed middleware.
    config : `lsst.daf.butler.ButlerConfig`, optional
        Configuration to open it with; that which is found at ``path`` by default.
    **kwargs
        Further arguments of ``Butler.from_config``.

    Yields
    ------
    butler : `lsst.daf.butler.Butler`
        Closed at the end.

    Raises
    ------
    HarnessError
        If it is no repository, is of another dimension universe or of other manager versions, is damaged, or
        cannot be read or written. Also raised for a storage failure while the repository is open
        (`storage_errors`).
    """
    with storage_errors(path), _open(path, writeable, config, kwargs) as butler:
        if not any_universe:
            check_universe(butler, path)
        yield butler


def _open(path: str | Path, writeable: bool, config: Any, kwargs: dict[str, Any]) -> Butler:
    """Open a repository or say why not."""
    import logging

    import yaml  # type: ignore[import-untyped]
    from lsst.daf.butler import Butler
    from lsst.daf.butler.registry.interfaces import _versioning
    from lsst.daf.butler.registry.versions import (
        IncompatibleVersionError,
        ManagerMismatchError,
        MissingManagerError,
    )
    from sqlalchemy.exc import DatabaseError

    local = Path(path) if "://" not in str(path) else None
    if local is not None and not local.exists():
        raise HarnessError(f"no repository at {path}: nothing is there", code="no-repository")
    if local is not None and local.is_dir() and not (local / "butler.yaml").exists():
        raise HarnessError(
            f"no repository at {path}: it has no butler.yaml",
            remedy="give a folder made by makeRepo",
            code="no-repository",
        )
    if writeable and local is not None:
        _check_writeable(local if local.is_dir() else local.parent)
    # The middleware logs its own error beside the exception; a user gets one line.
    log = logging.getLogger("lsst.daf.butler")
    quiet = log.level
    log.setLevel(logging.CRITICAL)
    try:
        return Butler.from_config(str(path) if config is None else config, writeable=writeable, **kwargs)
    except (
        _versioning.IncompatibleVersionError,
        IncompatibleVersionError,
        ManagerMismatchError,
        MissingManagerError,
    ) as error:
        raise HarnessError(
            f"repository {path} was made by another version of the middleware: {_first_line(error)}",
            remedy="use the version of lsst-daf-butler that made it, or migrate it",
            code="repository-version",
        ) from error
    except DatabaseError as error:
        raise storage_error(error, path) or HarnessError(
            f"registry of {path} cannot be read: {_first_line(error)}", code="registry-unreadable"
        ) from error
    except (yaml.YAMLError, KeyError, RuntimeError, FileNotFoundError) as error:
        raise HarnessError(f"no repository at {path}: {_first_line(error)}", code="no-repository") from error
    finally:
        log.setLevel(quiet)


def _check_writeable(folder: Path) -> None:
    """Raise unless the folder and an SQLite registry in it may be written."""
    for item in (folder, folder / "gen3.sqlite3"):
        if item.exists() and not os.access(item, os.W_OK):
            raise HarnessError(
                f"no write access to {item}", remedy="ask its owner, or copy the repository", code="no-write-access"
            )


def check_universe(butler: Butler, path: object = "") -> None:
    """Refuse a repository whose dimension universe is not the one of the installed middleware.

    Parameters
    ----------
    butler : `lsst.daf.butler.Butler`
        An open repository. A later universe opens without complaint in the middleware.
    path : `object`, optional
        What to call it.

    Raises
    ------
    HarnessError
        If version or namespace differ.
    """
    from lsst.daf.butler import DimensionUniverse

    here = DimensionUniverse()
    seen = (butler.dimensions.namespace, butler.dimensions.version)
    if seen != (here.namespace, here.version):
        raise HarnessError(
            f"repository {path} has dimension universe {seen[0]} {seen[1]}, not {here.namespace} {here.version}",
            remedy="migrate it, or use the version of lsst-daf-butler that made it",
            code="dimension-universe",
        )


@contextmanager
def storage_errors(path: object) -> Iterator[None]:
    """Turn a full disk or a storage without write access into one line.

    Parameters
    ----------
    path : `object`
        The repository, for the message.

    Raises
    ------
    HarnessError
        In place of such `OSError` and `sqlalchemy.exc.DatabaseError`; others pass.
    """
    from sqlalchemy.exc import DatabaseError

    try:
        yield
    except OSError as error:
        found = storage_error(error, path)
        if found is None:
            raise
        raise found from error
    except DatabaseError as error:
        found = storage_error(error, path)
        if found is None:
            raise
        raise found from error


def storage_error(error: BaseException, path: object) -> HarnessError | None:
    """Return the one-line error for a failure of the storage as a whole; `None` if it is of another kind.

    Parameters
    ----------
    error : `BaseException`
        What was raised.
    path : `object`
        The repository, for the message.
    """
    text = _first_line(error)
    number = error.errno if isinstance(error, OSError) else None
    if number in (errno.ENOSPC, errno.EDQUOT) or "database or disk is full" in text:
        return HarnessError(f"no space left for repository {path}", remedy="free space and run again", code="disk-full")
    if number == errno.EROFS or "attempt to write a readonly database" in text:
        return HarnessError(f"no write access to repository {path}: {text}", code="no-write-access")
    if number in (errno.EACCES, errno.EPERM):
        name = str(getattr(error, "filename2", None) or getattr(error, "filename", None) or "")
        if name and Path(name).is_relative_to(Path(str(path)).absolute()):
            return HarnessError(f"no write access to {name}", code="no-write-access")
    if "database is locked" in text:
        return HarnessError(
            f"registry of {path} is locked by another process", remedy="wait for it and run again", code="locked"
        )
    return None


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__


RARE = (50_000, 20, 50)
"""Thresholds of the three generations; the command line has them from its start."""

_within = False
"""Whether a block of `rare_garbage_collection` is open: frozen objects tell nothing, Python has some itself."""


@contextmanager
def rare_garbage_collection() -> Iterator[None]:
    """Look for cyclic garbage less often, and not among what was there before.

    Notes
    -----
    The middleware makes many short-lived objects on top of a large heap of imported ones: with Python's usual
    thresholds a quarter of the time goes into collections that find little (ci_hsc at scale 8: 26.9 s, with these
    21.8 s, at a peak of 450 MB). Within another such block nothing changes.
    """
    global _within
    if _within:
        yield
        return
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*RARE)
    _within = True
    try:
        yield
    finally:
        _within = False
        gc.set_threshold(*thresholds)
        gc.unfreeze()
