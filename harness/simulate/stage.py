"""The stage that writes the raw files of a dataset, and the truth that they were made from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import HarnessError
from ..instrument.kit import Capability
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
    size = 0
    for observation in dataset.observations:
        context.progress(f"exposure {observation.exposure}: {len(observation.detectors)} detectors")
        for detector in observation.detectors:
            path = write(folder, observation, detector)
            content = path.read_bytes()
            sums.append((path.name, hashlib.sha256(content).hexdigest()))
            size += len(content)
    listing = "".join(f"{digest}  {RAWS}/{name}\n" for name, digest in sorted(sums))
    (context.outputs / "raws.sha256").write_text(listing, encoding="ascii")
    return {
        "raws": len(sums),
        "exposures": len(dataset.exposures),
        "objects": objects,
        "seed": dataset.seed,
        "scale": dataset.scale,
        "bytes": size,
        "sha256": hashlib.sha256(listing.encode()).hexdigest(),
    }


def _writer(context: StageContext, sources: Sources) -> Callable[[Path, Observation, int], Path]:
    """Return the function that simulates and writes one raw file.

    Raises
    ------
    HarnessError
        If the kit cannot.
    """
    kit, dataset = context.kit, context.dataset
    write_raw, simulate_raw = kit.write_raw, kit.simulate_raw
    if Capability.IMAGES in kit.capabilities and write_raw is not None:
        simulator = Simulator(dataset, kit, sources)

        def write_image(folder: Path, observation: Observation, detector: int) -> Path:
            exposed = simulator.expose(observation, detector)
            return write_raw(folder, observation, simulator.camera[detector], exposed.pixels, dataset.scale)

        return write_image
    if simulate_raw is not None:
        return lambda folder, observation, detector: simulate_raw(folder, dataset, observation, kit.camera[detector])
    raise HarnessError(
        f"the kit of {kit.name} cannot write raw files",
        remedy="give it write_raw (with the capability 'images') or simulate_raw",
        code="no-writer",
    )
