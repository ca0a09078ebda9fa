"""The stage that makes an empty repository."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import HarnessError
from ..repository import open_repository, storage_errors

if TYPE_CHECKING:
    from ..stage import StageContext

__all__ = ["create_repository", "run"]


def create_repository(root: Path, config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Make an empty repository: SQLite registry, files in the same folder.

    Parameters
    ----------
    root : `~pathlib.Path`
        Where; the folder may exist if no repository is in it.
    config : `~collections.abc.Mapping`
        Configuration to merge into the middleware's defaults: storage classes, formatters.

    Returns
    -------
    facts : `~collections.abc.Mapping`
        Dimension universe of the new repository.

    Raises
    ------
    HarnessError
        If a repository is there already, or it cannot be written.
    """
    from lsst.daf.butler import Butler, Config

    try:
        with storage_errors(root):
            Butler.makeRepo(str(root), config=Config(dict(config)) if config else None)
    except FileExistsError as error:
        raise HarnessError(
            f"{root} already holds a repository", remedy="remove it or choose another folder", code="repository-exists"
        ) from error
    except PermissionError as error:
        raise HarnessError(f"no write access to {root}: {error.strerror}", code="no-write-access") from error
    except NotADirectoryError as error:
        raise HarnessError(f"{root} is not a folder", code="no-write-access") from error
    with open_repository(root) as butler:
        return {"universe": {"namespace": butler.dimensions.namespace, "version": butler.dimensions.version}}


def run(context: StageContext) -> Mapping[str, Any]:
    """Make the repository with the storage classes and formatters that its datasets need.

    Parameters
    ----------
    context : `~harness.stage.StageContext`
        What the stage works with.

    Returns
    -------
    facts : `~collections.abc.Mapping`
        ``universe``: ``namespace`` and ``version``.
    """
    return create_repository(context.repo, context.repository_config)
