"""Calibrations of LATISS from its own exposures: which exposures go into which, and which is found when."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from astropy.time import Time, TimeDelta
from lsst.daf.butler import Butler, CollectionType, Timespan

from harness.drp import calibrate_stage
from harness.drp.calibration_chain.combination import exposures_of
from harness.errors import HarnessError
from harness.simulate.calibration import DetectorCalibration
from harness.stage import StageContext
from harness.stages.fork import fork_repository

BOUNDARY = Time("2024-07-01T00:00:00", scale="tai")
EPOCHS = ("2024-06", "2024-07")
FILTER = "SDSSr_65mm~empty"


@pytest.fixture(scope="module")
def repo(chain_snapshot):
    return chain_snapshot("calibrate").repo


@pytest.fixture
def butler(repo):
    with Butler.from_config(str(repo), writeable=False) as butler:
        yield butler


@pytest.fixture
def context(repo, chain_runner, tmp_path):
    """A stage's context on a fork of the finished repository."""
    fork_repository(repo, tmp_path / "repo")
    runner = chain_runner
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    return StageContext(tmp_path / "repo", outputs, {}, runner.dataset, runner.kit, runner.engine, {}, lambda _: None)


def find(butler, kind: str, begin: Time):
    more = {"physical_filter": FILTER} if kind == "flat" else {}
    when = Timespan(begin, begin + TimeDelta(1, format="sec"))
    return butler.find_dataset(kind, instrument="LATISS", detector=0, **more, collections="LATISS/calib", timespan=when)


@pytest.mark.parametrize("kind", calibrate_stage.KINDS)
def test_validity_is_half_open_at_the_boundary_of_two_epochs(kind, butler) -> None:
    last, first = find(butler, kind, BOUNDARY - TimeDelta(1, format="sec")), find(butler, kind, BOUNDARY)
    assert last.run == f"LATISS/calib/{kind}/2024-06/run"
    assert first.run == f"LATISS/calib/{kind}/2024-07/run"
    assert find(butler, kind, Time("2099-01-01", scale="tai")) == first
    assert find(butler, kind, Time("2024-05-31T23:59:00", scale="tai")) is None


@pytest.mark.parametrize("epoch", EPOCHS)
@pytest.mark.parametrize("kind", calibrate_stage.KINDS)
def test_each_says_what_it_was_made_of(kind, epoch, butler, chain_runner) -> None:
    day = "20240624" if epoch == "2024-06" else "20240710"
    expected = [
        o.exposure
        for o in chain_runner.dataset.observations
        if o.observation_type == kind and str(o.exposure).startswith(day)
    ]
    image = butler.get(butler.query_datasets(kind, f"LATISS/calib/{kind}/{epoch}/run")[0])
    assert exposures_of(image.metadata) == tuple(expected)
    assert image.metadata["N_INPUTS"] == len(expected) >= 3


@pytest.mark.parametrize("epoch", EPOCHS)
def test_flats_use_the_bias_and_dark_of_their_own_epoch(epoch, butler, repo) -> None:
    for ref in butler.query_datasets("cpFlatProc", f"LATISS/calib/flat/{epoch}/run"):
        content = butler.getURI(ref).read().decode("latin-1")
        for kind in ("bias", "dark"):
            runs = {e: str(butler.query_datasets(kind, f"LATISS/calib/{kind}/{e}/run")[0].id) for e in EPOCHS}
            assert [e for e, identifier in runs.items() if identifier in content] == [epoch]


@pytest.mark.parametrize("epoch", EPOCHS)
def test_cosmic_rays_are_in_none_of_the_darks(epoch, butler, chain_runner) -> None:
    """100 s of LATISS gather some 40 hits: in a plain mean of three they would stand far above the noise."""
    dataset, kit = chain_runner.dataset, chain_runner.kit
    run = f"LATISS/calib/dark/{epoch}/run"
    dark = butler.get(butler.query_datasets("dark", run)[0])
    single = [butler.get(r) for r in butler.query_datasets("cpDarkProc", run)]
    plain = np.mean([e.array / e.metadata["DARKTIME"] for e in single], axis=0)
    camera = kit.make_camera(dataset.scale)
    truth = DetectorCalibration(dataset.seed, camera.name, camera[0], epoch)
    # Warm pixels have photon noise of their own: those of the plain current are enough.
    quiet = ~truth.defect_mask & (truth.dark < np.median(truth.dark) * 3)
    limit = 8 * dark.metadata["NOISE"]
    assert ((plain - truth.dark)[quiet] > limit).sum() > 50
    # Two of three may be hit in the same pixel: that is beyond what three can tell.
    assert (np.abs(dark.array - truth.dark)[quiet] > limit).sum() <= 2
    assert dark.metadata["N_REJECTED"] > 50


def test_only_camera_and_defects_are_simulated(butler) -> None:
    for kind in calibrate_stage.KINDS:
        assert not [r for r in butler.query_datasets(kind, "*", find_first=False) if "simulated" in r.run]
    runs = butler.collections.query("LATISS/calib/simulated/*", collection_types=CollectionType.RUN)
    assert {t for run in runs for t in butler.collections.get_info(run, include_summary=True).dataset_types} == {
        "defects"
    }


def test_certifying_twice_is_refused_in_one_line(context) -> None:
    epoch = context.dataset.calibrations[0]
    with pytest.raises(HarnessError, match="cannot certify bias of epoch 2024-06: ") as caught:
        calibrate_stage.certify(context, "LATISS/calib/bias/2024-07/run", "LATISS/calib", "bias", epoch)
    assert "\n" not in str(caught.value.args[0])


def test_certifying_nothing_is_refused(context) -> None:
    epoch = context.dataset.calibrations[0]
    with pytest.raises(HarnessError, match="cannot certify flat"):
        calibrate_stage.certify(context, "LATISS/calib/bias/2024-06/run", "LATISS/calib", "flat", epoch)


@pytest.mark.parametrize("kind", calibrate_stage.KINDS)
def test_an_epoch_without_exposures_of_a_kind_is_refused(kind, context) -> None:
    late = "2024071000000"
    exposures = tuple(e for e in context.dataset.exposures if e.type != kind or str(e.id) < late)
    dataset = context.dataset.model_copy(update={"exposures": exposures})
    with pytest.raises(HarnessError, match=f"epoch 2024-07 of latiss has no exposure of type {kind}"):
        calibrate_stage.inputs_of(dataclasses.replace(context, dataset=dataset))


def test_a_kit_without_the_pipeline_is_refused(context) -> None:
    kit = dataclasses.replace(context.kit, pipelines={"DRP": "x", "flats": "y"})
    with pytest.raises(HarnessError, match="pipeline of LATISS"):
        calibrate_stage.requests(dataclasses.replace(context, kit=kit), "flat")
