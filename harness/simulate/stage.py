"""The stage that writes the raw files of a dataset, and the truth that they were made from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..sky.truth import make_truth, write_truth
from .exposure import Simulator
from .scene import Sources

if TYPE_CHECKING:
    from ..datasets.observations import Observation
    from ..stage import StageContext

__all__ = ["RAWS", "TRUTH", "run"]

RAWS, TRUTH = "raws", "truth.parquet"
"""Where the stage's outputs hold the raw files and the truth catalogue."""


def run(context: StageContext) -> Mapping[str, Any]:
    """Write every raw file of the dataset.

    Parameters
    ----------
    context : `~harness.stage.StageContext`
        ``outputs`` receives ``raws/*.fits``, ``raws.sha256`` (as ``sha256sum`` writes it) and, if there are
        exposures of the sky, ``truth.parquet``.

    Returns
    -------
    facts : `~collections.abc.Mapping`
        Numbers of raws, exposures and objects, seed, scale, bytes, and ``sha256``: the digest of
        ``raws.sha256``, equal for equal raws.
    """
    dataset = context.dataset
    objects = 0
    if any(o.on_sky for o in dataset.observations):
        context.progress("truth catalogue")
        table = make_truth(dataset, context.kit)
        write_truth(table, context.outputs / TRUTH)
        sources, objects = Sources.from_table(table), len(table)
    else:
        sources = Sources.none()

    folder = context.outputs / RAWS
    folder.mkdir(exist_ok=True)
    write = _writer(context, sources)
    sums: list[tuple[str, str]] = []
    raws = size = 0
    for observation in dataset.observations:
        context.progress(f"exposure {observation.exposure}: {len(observation.detectors)} detectors")
        for path in dict.fromkeys(write(folder, observation)):  # one file may hold all detectors
            content = path.read_bytes()
            sums.append((path.name, hashlib.sha256(content).hexdigest()))
            size += len(content)
        raws += len(observation.detectors)
    listing = "".join(f"{digest}  {RAWS}/{name}\n" for name, digest in sorted(sums))
    (context.outputs / "raws.sha256").write_text(listing, encoding="ascii")
    return {
        "raws": raws,
        "exposures": len(dataset.exposures),
        "objects": objects,
        "seed": dataset.seed,
        "scale": dataset.scale,
        "bytes": size,
        "sha256": hashlib.sha256(listing.encode()).hexdigest(),
    }


def _writer(context: StageContext, sources: Sources) -> Callable[[Path, Observation], list[Path]]:
    """Return the function that simulates and writes the raw files of one exposure.

    Raises
    ------
    HarnessError
        If the kit cannot.
    """
    kit, dataset = context.kit, context.dataset
    simulate_raw = kit.simulate_raw
    if kit.writes_images or simulate_raw is None:
        simulator = Simulator(dataset, kit, sources)

        def write_images(folder: Path, observation: Observation) -> list[Path]:
            raws = ((simulator.camera[d], simulator.expose(observation, d).pixels) for d in observation.detectors)
            return kit.write_raws(folder, observation, raws, dataset.scale)

        return write_images
    return lambda folder, observation: [
        simulate_raw(folder, dataset, observation, kit.camera[d]) for d in observation.detectors
    ]
