"""Pairs of exposures of cameras without wavefront sensors: the focus has another sign for each telescope."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from lsst.daf.butler import Butler

from harness.checks.context import CheckContext
from harness.datasets.manifest import load_manifest
from harness.plugins import load_plugins
from harness.stages.campaign import merged_config
from harness.stages.runner import Runner
from harness.stages.snapshots import SnapshotStore
from harness.verdicts import Verdict, run_check
from harness.wavefront.checks import CHECKS
from harness.wavefront.names import ZERNIKES

EXPOSURE = """
[[exposures]]
id = {id}
filter = "{filter}"
begin = {begin}
exposure_time = 30.0
ra = 220.0
dec = -40.0
sky_angle = 20.0
type = "cwfs"
reason = "{reason}"
target = "stars"
program = "BLOCK-T1"
group = "pair#1"
focus = {focus}
detectors = [{detector}]
"""
MANIFEST = """
name = "{name}"
title = "a pair of exposures"
instrument = "{instrument}"
seed = 5
scale = 8

[[calibrations]]
label = "2024"
begin = 2024-01-01T00:00:00

[processing]
pipeline = "Wavefront"
config = ["isr:doDark=False"]
"""


@pytest.mark.parametrize(
    ("instrument", "physical_filter", "detector", "extra_focus"),
    [("LATISS", "SDSSr_65mm~empty", 0, -0.8), ("LSSTComCam", "r_03", 4, 1.5)],
)
def test_the_extra_focal_half_follows_from_the_focus(
    instrument: str, physical_filter: str, detector: int, extra_focus: float, tmp_path: Path
) -> None:
    """The reasons are swapped on purpose: they must not be believed."""
    name = f"{instrument.lower()}_pair"
    text = MANIFEST.format(name=name, instrument=instrument)
    for number, focus, reason in ((1, extra_focus, "intra"), (2, -extra_focus, "extra")):
        text += EXPOSURE.format(
            id=2024110800100 + number,
            filter=physical_filter,
            begin=f"2024-11-09T03:2{number}:00",
            reason=reason,
            focus=focus,
            detector=detector,
        )
    path = tmp_path / "manifest.toml"
    path.write_text(text)
    dataset, plugins = load_manifest(path), load_plugins()
    kit = plugins.find("instrument", instrument)
    store = SnapshotStore(Path(os.environ.get("HARNESS_WORK", Path(__file__).parents[2] / ".harness")) / "snapshots")
    engine = plugins.find("engine", "inprocess")
    runner = Runner(plugins, dataset, kit, engine, store, repository_config=merged_config([kit]))
    repo = runner.build("process").repo
    with Butler.from_config(str(repo), writeable=False) as butler:
        refs = butler.query_datasets(ZERNIKES, f"{instrument}/runs/{name}")
        assert [(r.dataId["visit"], r.dataId["detector"]) for r in refs] == [(2024110800101, detector)]
        context = CheckContext(butler, repo, {kit.name: kit}, dataset)
        results = [run_check(c, context, "process") for c in CHECKS]
    assert {r.check.id: r.findings for r in results if r.verdict is not Verdict.PASS} == {}
