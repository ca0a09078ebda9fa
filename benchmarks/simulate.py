"""Simulation: seconds per detector at several scales, seconds for a whole dataset, and of its calibrations.

Usage: ``python benchmarks/simulate.py [--dataset ci_hsc] [--scales 8,4,1] [--repeat 3]``.

Per detector the least of some repetitions is printed for the light of sources and sky, for everything up to raw
pixels, and for writing the file. The reference, timed in the same run over arrays of the same size, is one draw of
normal random numbers: what noise costs at the very least.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def best(function: Callable[[], Any], repeat: int) -> tuple[float, Any]:
    """Return the least seconds of some calls, and the last value."""
    seconds, value = [], None
    for _ in range(repeat):
        start = time.perf_counter()
        value = function()
        seconds.append(time.perf_counter() - start)
    return min(seconds), value


def detector(kit: Any, dataset: Any, sources: Any, folder: Path, repeat: int) -> None:
    """Print the times of one detector."""
    import numpy as np

    from harness.simulate.exposure import Simulator, band_of
    from harness.simulate.scene import place

    observation = dataset.observations[0]
    number = observation.detectors[0]
    simulator = Simulator(dataset, kit, sources)
    item = simulator.camera[number]
    placed = place(simulator.camera, number, observation, sources, band_of(kit, observation.physical_filter))

    def expose() -> Any:
        # A simulator of its own each time: nothing is remembered of the detector's calibration.
        return Simulator(dataset, kit, sources).expose(observation, number)

    light, _ = best(lambda: simulator.light(observation, number), repeat)
    whole, exposed = best(expose, repeat)
    write, path = best(lambda: kit.write_raw(folder, observation, item, exposed.pixels, dataset.scale), repeat)
    noise, _ = best(lambda: np.random.default_rng(1).standard_normal((item.ny, item.nx)), repeat)
    inside = (abs(placed.x - item.nx / 2) < item.nx / 2) & (abs(placed.y - item.ny / 2) < item.ny / 2)
    print(
        f"scale {dataset.scale:2d}: {item.nx} x {item.ny} pixels, {inside.sum()} sources ({len(inside)} considered):"
        f" light {light:.3f} s, raw pixels {whole:.3f} s, file {write:.3f} s ({path.stat().st_size / 1e6:.2f} MB);"
        f" raw pixels / one noise draw = {whole / noise:.1f}"
    )


def whole_dataset(kit: Any, dataset: Any, folder: Path) -> None:
    """Print the times of the stages."""
    from lsst.daf.butler import Butler, Config

    from harness.bootstrap import calibs
    from harness.simulate import stage
    from harness.stage import StageContext

    repo = folder / "repo"
    root = Butler.makeRepo(str(repo), Config(kit.repository_config))
    with Butler.from_config(root, writeable=True) as butler:
        kit.instrument_class().register(butler.registry)

    def run(module: Any) -> tuple[float, float, Any]:
        context = StageContext(repo, folder / module.__name__, {}, dataset, kit, None, {}, [].append)  # type: ignore[arg-type]
        wall, cpu = time.perf_counter(), time.process_time()
        facts = module.run(context)
        return time.perf_counter() - wall, time.process_time() - cpu, facts

    wall, cpu, facts = run(stage)
    print(f"{dataset.name}: {facts['raws']} raws in {wall:.2f} s (CPU {cpu:.2f} s), {facts['bytes'] / 1e6:.1f} MB")
    wall, cpu, facts = run(calibs)
    print(f"{dataset.name}: {sum(facts['datasets'].values())} calibrations in {wall:.2f} s (CPU {cpu:.2f} s)")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="ci_hsc")
    parser.add_argument("--scales", default="8,4,1")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()

    from harness.datasets.manifest import load_manifest
    from harness.plugins import load_plugins
    from harness.simulate.scene import Sources
    from harness.sky.truth import make_truth

    plugins = load_plugins()
    dataset = load_manifest(plugins.dataset_folders()[options.dataset])
    kit = plugins.find("instrument", dataset.instrument)
    seconds, table = best(lambda: make_truth(dataset, kit), 1)
    print(f"truth catalogue: {len(table)} objects in {seconds:.2f} s")
    sources = Sources.from_table(table)
    with tempfile.TemporaryDirectory() as folder:
        for scale in map(int, options.scales.split(",")):
            detector(kit, dataset.model_copy(update={"scale": scale}), sources, Path(folder), options.repeat)
        whole_dataset(kit, dataset, Path(folder))


if __name__ == "__main__":
    main()
