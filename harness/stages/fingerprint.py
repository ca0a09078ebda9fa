"""Fingerprints: a hash of everything that a stage's result depends on."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import HarnessError

if TYPE_CHECKING:
    from ..datasets.manifest import Dataset
    from ..instrument.kit import InstrumentKit
    from ..stage import Stage

__all__ = ["MIDDLEWARE", "fingerprint", "source_digest", "versions"]

MIDDLEWARE = (
    "lsst-daf-butler",
    "lsst-pipe-base",
    "lsst-ctrl-mpexec",
    "lsst-images",
    "lsst-resources",
    "lsst-sphgeom",
    "astro-metadata-translator",
    "astropy",
    "numpy",
    "sqlalchemy",
)
"""Distributions whose versions decide what a stage makes."""

CORE_CODE = ("harness.stage", "harness.datasets", "harness.instrument")
"""Code that every stage depends on."""


@cache
def source_digest(module: str) -> str:
    """Return a digest of the source of a module or package, without importing it.

    Parameters
    ----------
    module : `str`
        Dotted name; a package stands for all Python and YAML files below it.

    Raises
    ------
    HarnessError
        If there is no such module.
    """
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise HarnessError(f"no source for module {module!r}", remedy="is its distribution installed?")
    origin = Path(spec.origin)
    files = [origin]
    if spec.submodule_search_locations:
        files = sorted(p for p in origin.parent.rglob("*") if p.suffix in {".py", ".yaml", ".json", ".toml"})
    digest = hashlib.blake2b(digest_size=16)
    for file in files:
        digest.update(str(file.relative_to(origin.parent)).encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


@cache
def versions(distributions: tuple[str, ...] = MIDDLEWARE) -> dict[str, str]:
    """Return the installed version of each distribution (`dict` [`str`, `str`])."""
    return {name: importlib.metadata.version(name) for name in distributions}


def fingerprint(
    stage: Stage,
    dataset: Dataset,
    kit: InstrumentKit,
    engine: str,
    parents: Mapping[str, str],
    config: Mapping[str, Any] | None = None,
) -> str:
    """Return the fingerprint of a stage.

    Parameters
    ----------
    stage : `~harness.stage.Stage`
        The stage.
    dataset : `~harness.datasets.manifest.Dataset`
        What it is run on.
    kit : `~harness.instrument.kit.InstrumentKit`
        The instrument; the source of its package counts.
    engine : `str`
        Name of the engine; counts for stages that depend on the code of ``harness.engines``.
    parents : `~collections.abc.Mapping` [`str`, `str`]
        Fingerprints of the stages that it starts from or reads.
    config : `~collections.abc.Mapping`, optional
        Configuration of the repository that the stage makes.

    Returns
    -------
    fingerprint : `str`
        32 hexadecimal digits.
    """
    modules: Iterable[str] = (*CORE_CODE, *stage.code, kit.instrument_class.__module__.partition(".")[0])
    uses_engine = any(m.startswith("harness.engines") for m in stage.code)
    content = {
        "stage": stage.name,
        "code": {m: source_digest(m) for m in modules},
        "dataset": dataset.model_dump(mode="json"),
        "versions": versions(),
        "engine": engine if uses_engine else "",
        "parents": dict(sorted(parents.items())),
        "config": dict(config or {}),
    }
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).hexdigest()
