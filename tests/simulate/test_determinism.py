"""The same seed gives the same bytes: in another process, in another order; another seed does not."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.simulate.exposure import Simulator
from harness.sky.seeds import generator


def digests(simulator: Simulator, order: list[tuple[int, int]]) -> dict[tuple[int, int], str]:
    """Hash the pixels of exposures and detectors, simulated in an order."""
    out = {}
    observations = {o.exposure: o for o in simulator.dataset.observations}
    for exposure, detector in order:
        content = hashlib.sha256()
        for name, pixels in sorted(simulator.expose(observations[exposure], detector).pixels.items()):
            content.update(name.encode() + pixels.tobytes())
        out[exposure, detector] = content.hexdigest()
    return out


@pytest.fixture
def field(make_sources):
    """A crowded field around the pointing."""
    rng = np.random.default_rng(3)
    n = 500
    radius = np.where(np.arange(n) < 100, 0.0, 0.5)
    ra, dec = 10 + rng.uniform(-0.06, 0.06, n), 40 + rng.uniform(-0.05, 0.05, n)
    return make_sources(ra, dec, 10 ** rng.uniform(2, 6, n), r_half=radius)


PAIRS = [(101, 0), (101, 7), (102, 0), (103, 7)]


def test_order_does_not_matter(toy_dataset, toy_kit, field):
    forward = digests(Simulator(toy_dataset, toy_kit, field), PAIRS)
    backward = digests(Simulator(toy_dataset, toy_kit, field), PAIRS[::-1])
    alone = digests(Simulator(toy_dataset, toy_kit, field), PAIRS[1:2])
    assert forward == backward
    assert alone.items() <= forward.items()
    assert len(set(forward.values())) == len(PAIRS)


def test_seed_matters(toy_dataset, toy_kit, field):
    other = toy_dataset.model_copy(update={"seed": toy_dataset.seed + 1})
    mine, theirs = (digests(Simulator(d, toy_kit, field), PAIRS) for d in (toy_dataset, other))
    assert not set(mine.values()) & set(theirs.values())


SCRIPT = """
import sys
from pathlib import Path
from harness.datasets.manifest import load_manifest
from harness.simulate import stage
from harness.stage import StageContext
from harness_hsc.plugin import harness_instruments

def main(manifest, out):
    dataset = load_manifest(Path(manifest))
    first = dataset.exposures[0]
    some = first.model_copy(update={"detectors": first.detectors[-2:]})
    dataset = dataset.model_copy(update={"exposures": (some,)})
    kit = next(iter(harness_instruments()))
    return stage.run(StageContext(out / "no-repo", out, {}, dataset, kit, None, {}, lambda message: None))

if __name__ == "__main__":
    print(main(sys.argv[1], Path(sys.argv[2]))["sha256"])
"""


def test_another_process_gives_the_same_bytes(tmp_path):
    """An interpreter with another hash seed and this one run the stage on two raws: all files are identical."""
    pytest.importorskip("harness_hsc")
    manifest = Path(__file__).parents[2] / "datasets" / "ci_hsc" / "manifest.toml"
    here, there = tmp_path / "here", tmp_path / "there"
    command = [sys.executable, "-c", SCRIPT, str(manifest), str(there)]
    done = subprocess.run(command, capture_output=True, text=True, env={"PYTHONHASHSEED": "7", "PATH": ""}, check=False)
    assert done.returncode == 0, done.stderr
    names: dict[str, Any] = {"__name__": "script"}
    exec(SCRIPT, names)
    facts = names["main"](manifest, here)
    assert done.stdout.strip() == facts["sha256"]
    ours, theirs = ({str(p.relative_to(d)): p.read_bytes() for p in d.rglob("*.*")} for d in (here, there))
    assert len(ours) == 4
    assert set(ours) > {"truth.parquet", "raws.sha256"}
    assert ours == theirs


@given(st.integers(0, 2**40), st.integers(0, 2**40), st.integers(0, 300), st.integers(0, 300))
def test_generators_repeat_and_differ(seed, exposure, detector, other):
    first = generator(seed, "X", exposure, detector, purpose="noise").integers(0, 2**63, 4)
    again = generator(seed, "X", exposure, detector, purpose="noise").integers(0, 2**63, 4)
    assert (first == again).all()
    for key, purpose in (((exposure, detector + 1 + other), "noise"), ((exposure, detector), "rays")):
        assert (first != generator(seed, "X", *key, purpose=purpose).integers(0, 2**63, 4)).any()
