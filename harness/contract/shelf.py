"""Repositories that are made once in a process and copied, and what they are made of."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from .base import NotApplicableError, memory

__all__ = ["KNOWN", "TEMPLATES", "old_universe", "templates_folder"]

TEMPLATES: dict[tuple[Any, ...], Path] = {}
"""Repositories that were made in this process and are copied instead of made anew, by what they were made of."""

KNOWN: dict[tuple[Any, ...], Any] = {}
"""What is known of the contents of repositories that are copied."""


def templates_folder() -> Path:
    """Return the folder for repositories that are copied; removed when the process ends."""
    import atexit
    import tempfile

    if "folder" not in _FOLDER:
        _FOLDER["folder"] = Path(tempfile.mkdtemp(prefix="harness-contract-templates-", dir=memory()))
        atexit.register(shutil.rmtree, _FOLDER["folder"], ignore_errors=True)
    return _FOLDER["folder"]


_FOLDER: dict[str, Path] = {}


def old_universe(version: int) -> str:
    """Return the path of the definition of an earlier dimension universe.

    Raises
    ------
    NotApplicableError
        If the installed release does not ship it.
    """
    from lsst.daf import butler as package

    folder = Path(str(package.__file__)).parent / "configs"
    path = folder / "old_dimensions" / f"daf_butler_universe{version}.yaml"
    if path.exists():
        return str(path)
    from lsst.daf.butler import DimensionUniverse

    if DimensionUniverse().version == version:
        return str(folder / "dimensions.yaml")
    raise NotApplicableError(f"this release has no dimension universe {version}")
