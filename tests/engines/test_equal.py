"""All engines leave the same datasets: type, data ID and content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from harness.engines.inprocess import InProcessEngine
from harness.engines.pipetask import PipetaskEngine
from harness.engines.qbb import QuantumBackedEngine

RUN = "u/test/run"


def contents(repo: Path) -> dict[tuple[str, tuple[Any, ...]], Any]:
    """Everything that a run left, by type and data ID."""
    from lsst.daf.butler import Butler

    with Butler.from_config(str(repo), writeable=False) as butler:
        refs = butler.query_all_datasets(RUN, find_first=False)
        return {(r.datasetType.name, tuple(r.dataId.required_values)): plain(butler.get(r)) for r in refs}


def plain(thing: Any) -> Any:
    """Reduce a dataset to what must be equal, leaving out times, memory, hosts and process ids."""
    from astropy.table import Table
    from lsst.daf.butler.logging import ButlerLogRecords
    from lsst.images import MaskedImage, VisitImage
    from lsst.pipe.base import TaskMetadata
    from lsst.utils.packages import Packages

    if isinstance(thing, Packages):
        return dict(thing)
    if isinstance(thing, MaskedImage):
        out = [thing.image.array, thing.variance.array, thing.mask.array, str(thing.unit), dict(thing.metadata)]
        if isinstance(thing, VisitImage):
            out += [
                thing.sky_projection.show(),
                thing.psf.sigma,
                thing.summary_stats.model_dump_json(),
                thing.obs_info.to_json(),
                [b.field._coefficients for b in thing.backgrounds.values()],
            ]
        return out
    if isinstance(thing, Table):
        return [(c, str(thing[c].unit), np.asarray(thing[c])) for c in thing.colnames]
    if isinstance(thing, TaskMetadata):
        # The quantum's own part holds resource usage; the tasks' parts hold results.
        return {label: part.model_dump() for label, part in thing.metadata.items() if label not in ("quantum", "job")}
    if isinstance(thing, ButlerLogRecords):
        return [r.message for r in thing if r.name.startswith("harness")]
    return str(thing)


def equal(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))
    return a == b


def test_all_engines_give_the_same_datasets(snapshot, request_for, tmp_path) -> None:
    from harness.stages.fork import fork_repository

    found = []
    for engine in (InProcessEngine(), PipetaskEngine(), QuantumBackedEngine()):
        repo = tmp_path / engine.name
        fork_repository(snapshot("defaults").repo, repo)
        result = engine.run(request_for(repo), tmp_path / f"{engine.name}.log")
        assert result.exit_code == 0, result.message
        assert 0 <= result.startup_seconds < result.seconds
        assert "Executed 4 quanta successfully" in result.log.read_text()
        found.append(contents(repo))
    first, *others = found
    names = {name for name, _ in first}
    assert {"post_isr_image", "preliminary_visit_image", "single_visit_star_unstandardized", "isr_metadata"} <= names
    # Each detector has three products, and a log and metadata of either task; then two configurations, packages.
    assert len(first) == 2 * (3 + 4) + 3
    # A process lists the packages that it has loaded, and pytest has loaded more; of what both list versions agree.
    one = first.pop(("packages", ()))
    for other in others:
        two = other.pop(("packages", ()))
        assert first.keys() == other.keys()
        assert {"numpy", "sep", "python"} <= one.keys() & two.keys()
        assert all(one[name] == two[name] for name in one.keys() & two.keys())
        assert [key for key in first if not equal(first[key], other[key])] == []
