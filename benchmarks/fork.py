"""Forks against a plain copy of the same tree: of the processed repository, and of one with 50,000 datasets.

Exits with 1 if a target is missed by the median of five.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from harness.stages.fork import fork_repository


def median(make: Callable[[Path], object], folder: Path, n: int) -> float:
    """Return the median time (s) of making a copy, each of which is removed."""
    times = []
    for _ in range(n):
        target = folder / "copy"
        start = time.perf_counter()
        make(target)
        times.append(time.perf_counter() - start)
        shutil.rmtree(target)
    return statistics.median(times)


def many(root: Path, n: int) -> None:
    """Make a repository with ``n`` stored datasets: real records and files, ingested in bulk."""
    from lsst.daf.butler import Butler, DatasetRef, DatasetType, FileDataset

    Butler.makeRepo(str(root))
    files = root.parent / "files"
    files.mkdir()
    with Butler.from_config(str(root), writeable=True) as butler:
        butler.registry.insertDimensionData("instrument", {"name": "Many", "detector_max": n + 1})
        butler.registry.insertDimensionData(
            "detector", *({"instrument": "Many", "id": i, "full_name": str(i)} for i in range(n))
        )
        kind = DatasetType("note", ["instrument", "detector"], "StructuredDataDict", universe=butler.dimensions)
        butler.registry.registerDatasetType(kind)
        butler.collections.register("many")
        found = []
        for data_id in butler.registry.queryDataIds(["detector"], instrument="Many").expanded():
            file = files / f"{data_id['detector']}.yaml"
            file.write_text("a: 1\n")
            found.append(FileDataset(str(file), DatasetRef(kind, data_id, run="many")))
        butler.ingest(*found, transfer="move")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repo", type=Path, help="a processed repository  [default: the newest snapshot in .harness]")
    parser.add_argument("--datasets", type=int, default=50_000)
    options = parser.parse_args()
    missed = False

    def measure(what: str, repo: Path, folder: Path, target: float) -> None:
        nonlocal missed
        fork = median(lambda path: fork_repository(repo, path), folder, 5)
        copy = median(lambda path: shutil.copytree(repo, path, symlinks=True), folder, 1)
        missed |= fork > target
        met = "met" if fork <= target else "MISSED"
        print(f"{what:<40}{fork:>8.3f} s   target {target:g} s: {met}   copy {copy:.2f} s, {copy / fork:.0f} times")

    repo = options.repo
    if repo is None:
        found = sorted(Path(".harness/snapshots").glob("*/process-*/repo"), key=lambda p: p.stat().st_mtime)
        if not found:
            sys.exit("no processed repository in .harness: run 'harness run HSC' first, or give --repo")
        repo = found[-1]
    with tempfile.TemporaryDirectory(dir=repo.parent.parent) as name:
        folder = Path(name)
        measure("processed repository", repo, folder, 0.1)
        many(folder / "many", options.datasets)
        measure(f"repository of {options.datasets} datasets", folder / "many", folder, 1.0)
    return missed


if __name__ == "__main__":
    sys.exit(main())
