"""How long it takes to read the state of a repository, and to compare two states.

    python benchmarks/state.py REPO             # a repository that is there, e.g. of the stage ``process``
    python benchmarks/state.py --synthetic N    # one made for the purpose, with N datasets of one file each

The reference is what has to be done at least: each table of the registry read once with plain SQL, each file once.
It is measured in the same run, and the ratio to it is what counts.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

DETECTORS = 100


def synthetic(root: Path, n: int) -> None:
    """Make a repository with ``n`` datasets of one small file each, in two runs, and half of them tagged."""
    from lsst.daf.butler import Butler, CollectionType, DatasetRef, DatasetType, FileDataset

    Butler.makeRepo(str(root / "repo"))
    files = root / "files"
    files.mkdir()
    with Butler.from_config(str(root / "repo"), writeable=True) as butler:
        registry = butler.registry
        exposures = range(1, n // DETECTORS + 2)
        registry.insertDimensionData(
            "instrument",
            {"name": "B", "class_name": "x", "visit_max": n, "exposure_max": n, "detector_max": DETECTORS},
        )
        registry.insertDimensionData("day_obs", {"instrument": "B", "id": 20240101})
        registry.insertDimensionData("physical_filter", {"instrument": "B", "name": "r", "band": "r"})
        registry.insertDimensionData(
            "detector", *({"instrument": "B", "id": i, "full_name": f"d{i}"} for i in range(DETECTORS))
        )
        registry.insertDimensionData("group", *({"instrument": "B", "name": str(i)} for i in exposures))
        fields = {"instrument": "B", "physical_filter": "r", "day_obs": 20240101}
        registry.insertDimensionData(
            "exposure", *({**fields, "id": i, "obs_id": f"e{i}", "group": str(i)} for i in exposures)
        )
        type_ = DatasetType(
            "thing", {"instrument", "exposure", "detector"}, "StructuredDataDict", universe=butler.dimensions
        )
        registry.registerDatasetType(type_)
        for run in ("a", "b"):
            butler.collections.register(run)
        butler.collections.register("tagged", CollectionType.TAGGED)
        data_ids = ({"instrument": "B", "exposure": i // DETECTORS + 1, "detector": i % DETECTORS} for i in range(n))
        datasets = []
        for i, data_id in enumerate(butler._expand_data_ids([registry.expandDataId(d) for d in data_ids])):
            file = files / f"{i}.yaml"
            file.write_text(f"number: {i}\n")
            datasets.append(FileDataset(str(file), DatasetRef(type_, data_id, run="ab"[i % 2])))
        butler.ingest(*datasets, transfer="direct")
        registry.associate("tagged", [d.refs[0] for d in datasets[::2]])


def reference(repo: Path, artifacts: list[Path]) -> None:
    """Read each table of the registry and each artifact once."""
    with sqlite3.connect(f"file:{repo / 'gen3.sqlite3'}?mode=ro", uri=True) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            connection.execute(f'SELECT * FROM "{name}"').fetchall()
    for path in artifacts:
        path.read_bytes()


def best(function: Callable[[], object], repeat: int = 3) -> float:
    """Return the shortest of some times (s)."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repo", type=Path, nargs="?")
    parser.add_argument("--synthetic", type=int, metavar="N", help="make a repository with N datasets")
    arguments = parser.parse_args()
    if (arguments.repo is None) == (arguments.synthetic is None):
        parser.error("give either REPO or --synthetic N")

    from lsst.daf.butler import Butler

    from harness.transfer.capture import _DIGESTS, capture
    from harness.transfer.compare import compare

    with tempfile.TemporaryDirectory() as folder:
        repo: Path = arguments.repo
        if arguments.synthetic:
            synthetic(Path(folder), arguments.synthetic)
            repo = Path(folder) / "repo"
        with Butler.from_config(str(repo), writeable=False) as butler:
            state = capture(butler)
            refs = butler.get_many_datasets(list(state.ids()))
            many = butler._datastore.getManyURIs(refs, allow_missing=True)
            artifacts = list({Path(uri.ospath) for uris in many.values() for uri in uris.iter_all()})
            floor = best(lambda: reference(repo, artifacts))
            without = best(lambda: capture(butler, hashes=False))
            again = best(lambda: capture(butler))

            def first() -> None:
                _DIGESTS.clear()  # else no file is read: this process has read them all
                capture(butler)

            full = best(first)
        key, row = next(iter(state["dataset"].items()))
        other = state.replace(dataset={**state["dataset"], key: (*row[:2], "elsewhere")})
        comparison = best(lambda: compare(state, other))
        assert len(compare(state, other)) == 1
        size = sum(row[2] for row in state["artifact"].values()) / 1e6
    counts = ", ".join(f"{len(state[kind])} {kind}s" for kind in ("dataset", "record", "dataset-type", "collection"))
    print(f"{repo}: {counts}, {size:.1f} MB")
    results = {
        "state without content": without,
        "state with content": full,
        "the same state again": again,
        "comparison": comparison,
    }
    for name, seconds in results.items():
        print(f"{name:24} {seconds:8.3f} s   {seconds / floor:6.2f} × reference")
    print(f"{'reference':24} {floor:8.3f} s   tables by plain SQL, files read once")


if __name__ == "__main__":
    main()
