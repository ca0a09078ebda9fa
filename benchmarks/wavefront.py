"""How well the Zernike coefficients of simulated donuts are recovered, over many seeds.

Light and noise go through the tasks of the pipeline, without the signature of the detectors. Every seed has its own
stars, wavefront and noise. Exits with 1 if an error is beyond what the check ``quality.zernikes`` allows.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import numpy as np
from astro_metadata_translator import makeObservationInfo
from astropy import units
from lsst.images import Image, MaskedImage
from lsst.pipe.base import NoWorkFound

from harness.cli.common import find_dataset
from harness.drp.planes import VISIT_SCHEMA
from harness.instrument.zernikes import NOLL
from harness.plugins import load_plugins
from harness.simulate.donuts import wavefront
from harness.simulate.exposure import Simulator
from harness.simulate.scene import Sources
from harness.sky.truth import make_truth
from harness.wavefront.checks import LIMITS
from harness.wavefront.corners import corner_pairs
from harness.wavefront.tasks import CutOutDonutsTask, GenerateDonutDirectDetectTask
from harness.wavefront.zernikes import CalcZernikesTask

READ_NOISE = 10.0
"""Electrons; that of the cameras is 5 to 13."""


def half(simulator: Simulator, observation: Any, detector: int, seed: int) -> tuple[MaskedImage, Any]:
    """Return the image of a detector as isr leaves it, nearly, and the donuts found on it."""
    light = simulator.light(observation, detector)
    variance = light + READ_NOISE**2
    noise = np.random.default_rng((seed, detector)).standard_normal(light.shape)
    info = makeObservationInfo(exposure_id=observation.exposure, focus_z=observation.focus * units.mm)
    image = MaskedImage(
        Image((light + np.sqrt(variance) * noise).astype(np.float32), unit=units.electron),
        mask_schema=VISIT_SCHEMA,
        variance=Image(variance.astype(np.float32), unit=units.electron**2),
        metadata={"OBS_INFO": info.to_json()},
    )
    return image, GenerateDonutDirectDetectTask().run(image, simulator.camera, detector).donut_table


def errors_of(dataset: Any, kit: Any) -> list[dict[int, float]]:
    """Return recovered minus true coefficients (nm) of each pair of corner sensors of one exposure."""
    simulator = Simulator(dataset, kit, Sources.from_table(make_truth(dataset, kit)))
    camera = simulator.camera
    out = []
    for pair in corner_pairs(camera):
        extra, intra = pair.extra, pair.intra
        observation = next(o for o in dataset.observations if {extra, intra} <= set(o.detectors))
        first, second = (half(simulator, observation, d, dataset.seed) for d in (extra, intra))
        try:
            stamps = CutOutDonutsTask().run(first, second, camera, extra, intra)
        except NoWorkFound as reason:
            print(f"seed {dataset.seed}, detectors {extra} and {intra}: {reason}")
            continue
        task = CalcZernikesTask()
        table = task.run(stamps_extra=stamps.stamps_extra, stamps_intra=stamps.stamps_intra, camera=camera).zernikes
        fx, fy = (np.radians((table[f"extra_field_{a}"][0] + table[f"intra_field_{a}"][0]) / 2) for a in "xy")
        truth = wavefront(dataset.seed, camera, observation, fx, fy)
        out.append({j: float(table[f"Z{j}"][0]) - truth[j] for j in NOLL})
    return out


def main() -> None:
    """Print r.m.s., worst and allowed error of each coefficient."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="lsstcam_wavefront")
    parser.add_argument("--seeds", type=int, default=8)
    args = parser.parse_args()
    plugins = load_plugins()
    dataset = find_dataset(plugins, args.dataset)
    kit = plugins.find("instrument", dataset.instrument)
    start = time.perf_counter()
    seeds = [dataset.model_copy(update={"seed": 1000 + i}) for i in range(args.seeds)]
    errors = [e for seed in seeds for e in errors_of(seed, kit)]
    values = np.array([[e[j] for j in NOLL] for e in errors])
    allowed = np.array([LIMITS[j] for j in NOLL])
    print(f"scale {dataset.scale}, {args.seeds} seeds, {len(errors)} pairs, {time.perf_counter() - start:.0f} s")
    print("".join(f"{t:>8}" for t in ("", *(f"Z{j}" for j in NOLL))))
    worst = np.abs(values).max(axis=0)
    for name, row in (("rms", np.sqrt((values**2).mean(axis=0))), ("worst", worst), ("allowed", allowed)):
        print(f"{name:>8}" + "".join(f"{v:8.0f}" for v in row))
    if np.any(worst > allowed):
        sys.exit(1)


if __name__ == "__main__":
    main()
