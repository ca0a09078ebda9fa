"""The simulation with a real camera: shapes, and what a reduction of the raw file measures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from harness.datasets.manifest import load_manifest
from harness.instrument.assembly import amplifier_views
from harness.simulate import stage
from harness.simulate.exposure import Simulator
from harness.simulate.photometry import flux_to_electrons
from harness.simulate.scene import pointing
from harness.sky.truth import read_truth
from harness.stage import StageContext


@pytest.fixture(scope="module")
def kit():
    plugin = pytest.importorskip("harness_hsc.plugin")
    return next(iter(plugin.harness_instruments()))


@pytest.fixture
def dataset():
    return load_manifest(Path(__file__).parents[2] / "datasets" / "ci_hsc")


def electrons(path, truth, physical_filter):
    """Reduce a raw file: overscan, bias, gain, flat."""
    raw = fits.getdata(path).astype(float)
    image = np.empty(truth.shape)
    gain = np.empty(truth.shape)
    for view in amplifier_views(raw, truth.detector):
        image[view.amplifier.bbox.slices] = view.data - view.serial_overscan.mean()
        gain[view.amplifier.bbox.slices] = view.amplifier.gain
    return (image - truth.bias_frame()) * gain / truth.flat_frame(physical_filter)


@pytest.mark.parametrize("detector", [22, 100])
def test_bright_stars_are_measured_in_the_raw_file(detector, kit, dataset, make_sources, tmp_path):
    """From the file, turned by the amplifiers' flips as the readers do, stars have their flux and position."""
    observation = dataset.observations[0]
    camera = kit.make_camera(8)
    x, y = (v.ravel() for v in np.meshgrid([40.3, 120.0, 200.8], np.linspace(50.2, 470.4, 5)))
    flux = 2e6
    ra, dec = pointing(camera, observation).pixel_to_sky(camera, detector, x, y)
    simulator = Simulator(dataset, kit, make_sources(ra, dec, flux))
    exposed = simulator.expose(observation, detector)
    path = kit.write_raw(tmp_path, observation, camera[detector], exposed.pixels, 8)
    truth = simulator.calibration(observation, detector)
    image = electrons(path, truth, observation.physical_filter)
    spoiled = exposed.cosmic_rays | exposed.defects | exposed.saturated
    expected = flux_to_electrons(flux, "r", observation.exposure_time)
    measured = 0
    for cx, cy in zip(x, y, strict=True):
        here = (slice(round(cy) - 9, round(cy) + 10), slice(round(cx) - 9, round(cx) + 10))
        if spoiled[here].any():
            continue
        measured += 1
        around = image[here[0].start - 6 : here[0].stop + 6, here[1].start - 6 : here[1].stop + 6].copy()
        around[6:-6, 6:-6] = np.nan
        stamp = image[here] - np.nanmedian(around)
        assert stamp.sum() == pytest.approx(expected, rel=0.02)  # the noise of the sky remains
        rows, columns = np.indices(stamp.shape)
        centre = (
            (stamp * columns).sum() / stamp.sum() + round(cx) - 9,
            (stamp * rows).sum() / stamp.sum() + round(cy) - 9,
        )
        assert centre == pytest.approx((cx, cy), abs=0.2)
    assert measured >= 5


def test_unbinned_raw_has_the_real_shape(kit, dataset, make_sources, tmp_path):
    unbinned = dataset.model_copy(update={"scale": 1})
    observation = unbinned.observations[0]
    simulator = Simulator(unbinned, kit, make_sources(observation.ra, observation.dec, 1e5))
    exposed = simulator.expose(observation, 16)
    path = kit.write_raw(tmp_path, observation, simulator.camera[16], exposed.pixels, 1)
    with fits.open(path) as hdus:
        assert hdus[0].data.shape == (4241, 2144)
        assert hdus[0].header["BITPIX"] == 16
    assert exposed.light.shape == (4176, 2048)


def test_stage_writes_every_raw_of_the_dataset(kit, dataset, tmp_path):
    few = dataset.model_copy(
        update={"exposures": tuple(e.model_copy(update={"detectors": e.detectors[:1]}) for e in dataset.exposures[-2:])}
    )
    messages: list[str] = []
    facts = stage.run(StageContext(tmp_path / "repo", tmp_path / "out", {}, few, kit, None, {}, messages.append))
    files = sorted((tmp_path / "out" / "raws").iterdir())
    assert len(files) == facts["raws"] == facts["exposures"] == 2
    assert facts["bytes"] == sum(p.stat().st_size for p in files)
    assert (facts["seed"], facts["scale"]) == (few.seed, 8)
    assert not (tmp_path / "repo").exists()
    listed = {line.split("  ")[1] for line in (tmp_path / "out" / "raws.sha256").read_text().splitlines()}
    assert listed == {f"raws/{p.name}" for p in files}
    truth = read_truth(tmp_path / "out" / stage.TRUTH)
    assert len(truth) == facts["objects"] > 1000
    assert truth["is_star"].sum() > 100
    assert any(str(e.id) in " ".join(messages) for e in few.exposures)
