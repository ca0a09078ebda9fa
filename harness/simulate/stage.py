"""The stage that writes the raw files of a dataset, and the truth that they were made from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..sky.truth import make_truth, write_truth
from .exposure import Simulator
from .scene import Sources

if TYPE_CHECKING:
    from ..stage import StageContext

__all__ = ["RAWS", "TRUTH", "run"]

RAWS, TRUTH = "raws", "truth.parquet"
"""Where the stage's outputs hold the raw files and the truth catalogue."""


def run(context: StageContext) -> Mapping[str, Any]:
    """Write every raw file of the dataset.

    Parameters
    ----------
    context : `~harness.stage.StageContext`
        ``outputs`` receives ``raws/*.fits``, ``raws.sha256`` (as ``sha256sum`` writes it) and
        ``truth.parquet``.

    Returns
    -------
    facts : `~collections.abc.Mapping`
        Numbers of raws, exposures and objects, seed, scale, bytes, and ``sha256``: the digest of
        ``raws.sha256``, equal for equal raws.
    """
    dataset = context.dataset
    context.progress("truth catalogue")
    table = make_truth(dataset, context.kit)
    write_truth(table, context.outputs / TRUTH)

    folder = context.outputs / RAWS
    folder.mkdir(exist_ok=True)
    simulator = Simulator(dataset, context.kit, Sources.from_table(table))
    sums: list[tuple[str, str]] = []
    size = 0
    for observation in dataset.observations:
        context.progress(f"exposure {observation.exposure}: {len(observation.detectors)} detectors")
        for detector in observation.detectors:
            exposed = simulator.expose(observation, detector)
            item = simulator.camera[detector]
            path = context.kit.write_raw(folder, observation, item, exposed.pixels, dataset.scale)
            content = path.read_bytes()
            sums.append((path.name, hashlib.sha256(content).hexdigest()))
            size += len(content)
    listing = "".join(f"{digest}  {RAWS}/{name}\n" for name, digest in sorted(sums))
    (context.outputs / "raws.sha256").write_text(listing, encoding="ascii")
    return {
        "raws": len(sums),
        "exposures": len(dataset.exposures),
        "objects": len(table),
        "seed": dataset.seed,
        "scale": dataset.scale,
        "bytes": size,
        "sha256": hashlib.sha256(listing.encode()).hexdigest(),
    }
