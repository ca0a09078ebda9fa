"""Calibrations in a real repository: what is put, and what a lookup by time finds."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from astropy.time import Time, TimeDelta
from hypothesis import given
from hypothesis import strategies as st
from lsst.daf.butler import Butler, CollectionType, Config, Timespan

from harness.bootstrap import calibs
from harness.datasets.manifest import CalibrationEpoch, load_manifest
from harness.errors import HarnessError
from harness.instrument.kit import Capability
from harness.simulate.calibration import DetectorCalibration
from harness.stage import StageContext
from harness.stages.fork import fork_repository

DETECTORS = (16, 100)
BOUNDARY = Time("2013-10-01T00:00:00", scale="tai")


@pytest.fixture(scope="module")
def kit():
    plugin = pytest.importorskip("harness_hsc.plugin")
    return next(iter(plugin.harness_instruments()))


@pytest.fixture(scope="module")
def dataset():
    """One r exposure before the boundary of the epochs and one i exposure after it, two detectors each."""
    full = load_manifest(Path(__file__).parents[2] / "datasets" / "ci_hsc")
    exposures = tuple(e.model_copy(update={"detectors": DETECTORS}) for e in full.exposures if e.id in (903334, 903986))
    assert len(exposures) == 2
    return full.model_copy(update={"exposures": exposures})


@pytest.fixture(scope="module")
def result(kit, dataset, tmp_path_factory):
    """Repository, facts and messages after the stage."""
    root = tmp_path_factory.mktemp("calibs")
    repo = root / "repo"
    with Butler.from_config(Butler.makeRepo(str(repo), Config(kit.repository_config)), writeable=True) as butler:
        kit.instrument_class().register(butler.registry)
    messages: list[str] = []
    context = StageContext(repo, root / "outputs", {}, dataset, kit, None, {}, messages.append)
    return repo, calibs.run(context), messages


@pytest.fixture
def butler(result):
    with Butler.from_config(str(result[0]), writeable=False) as butler:
        yield butler


def test_everything_is_there_once(result, butler):
    _, facts, messages = result
    assert facts["datasets"] == {"bias": 4, "flat": 8, "defects": 4, "camera": 1}
    assert facts["collection"] == "HSC/calib"
    assert facts["runs"] == {"2013-06": "HSC/calib/simulated/2013-06", "2013-10": "HSC/calib/simulated/2013-10"}
    assert butler.collections.get_info("HSC/calib").type is CollectionType.CALIBRATION
    for run in facts["runs"].values():
        assert len(butler.query_datasets("bias", collections=run)) == 2
    assert len(butler.query_datasets("camera", collections="HSC/calib/unbounded")) == 1
    assert len(messages) == 2


@pytest.fixture
def again(result, kit, dataset, tmp_path):
    """Run the stage on a fork of the finished repository, with something changed."""

    def run(kit=kit, **changes):
        fork_repository(result[0], tmp_path / "repo")
        (tmp_path / "outputs").mkdir()
        changed = dataset.model_copy(update=changes)
        context = StageContext(tmp_path / "repo", tmp_path / "outputs", {}, changed, kit, None, {}, lambda _: None)
        return calibs.run(context)

    return run


def test_a_second_dataset_brings_only_what_is_not_certified_yet(again, dataset):
    assert again()["datasets"] == {"bias": 0, "flat": 0, "defects": 0, "camera": 0}


def test_a_second_dataset_with_another_filter_and_detector_adds_those(again, dataset):
    first = dataset.exposures[0]
    more = first.model_copy(update={"id": 903335, "filter": "HSC-Y", "detectors": (16, 17)})
    # In each of two epochs: detector 17 with bias, defects and three flats, the others with a flat in Y.
    added = again(exposures=(*dataset.exposures, more))["datasets"]
    assert added == {"bias": 2, "flat": 10, "defects": 2, "camera": 0}


@pytest.mark.parametrize(("changes", "message"), [({"scale": 4}, "camera of HSC"), ({"seed": 1}, "other defects")])
def test_a_second_dataset_that_was_simulated_differently_is_refused(again, changes, message):
    with pytest.raises(HarnessError, match=message) as caught:
        again(**changes)
    assert "share a repository" in caught.value.remedy


def test_exposures_that_become_calibrations_leave_only_camera_and_defects(kit, dataset, tmp_path):
    chained = dataclasses.replace(kit, capabilities=kit.capabilities | {Capability.CALIBRATION_CHAIN})
    bias = dataset.exposures[0].model_copy(update={"id": 903333, "type": "bias"})
    for exposures, expected in (
        ((*dataset.exposures, bias), {"defects": 4, "camera": 1}),
        (dataset.exposures, {"bias": 4, "dark": 4, "flat": 8, "defects": 4, "camera": 1}),
    ):
        repo = tmp_path / str(len(expected))
        with Butler.from_config(Butler.makeRepo(str(repo), Config(kit.repository_config)), writeable=True) as butler:
            kit.instrument_class().register(butler.registry)
        changed = dataset.model_copy(update={"exposures": exposures})
        context = StageContext(repo, tmp_path / "outputs", {}, changed, chained, None, {}, lambda _: None)
        assert calibs.run(context)["datasets"] == expected


def test_nothing_is_left_of_the_temporary_files(result):
    outputs = result[0].parent / "outputs"
    assert list(outputs.iterdir()) == []


@pytest.mark.parametrize(("seconds", "label"), [(-30, "2013-06"), (0, "2013-10"), (86400, "2013-10")])
def test_lookup_finds_the_epoch_on_both_sides_of_the_boundary(seconds, label, butler):
    begin = BOUNDARY + TimeDelta(seconds, format="sec")
    when = Timespan(begin, begin + TimeDelta(30, format="sec"))
    keys = {"bias": {}, "defects": {}, "flat": {"physical_filter": "HSC-R"}}
    for name, more in keys.items():
        found = butler.find_dataset(name, instrument="HSC", detector=16, **more, collections="HSC/calib", timespan=when)
        assert found is not None
        assert found.run == f"HSC/calib/simulated/{label}"


def test_nothing_is_valid_before_the_first_epoch(butler):
    begin = Time("2013-05-31T12:00:00", scale="tai")
    when = Timespan(begin, begin + TimeDelta(30, format="sec"))
    assert butler.find_dataset("bias", instrument="HSC", detector=16, collections="HSC/calib", timespan=when) is None


def test_camera_is_valid_for_ever_and_binned(butler, kit, dataset):
    for date in ("1971-01-01", "2099-01-01"):
        begin = Time(date, scale="tai")
        when = Timespan(begin, begin + TimeDelta(1, format="sec"))
        camera = butler.get(butler.find_dataset("camera", instrument="HSC", collections="HSC/calib", timespan=when))
    assert camera == kit.make_camera(dataset.scale)
    assert camera[16].nx == 256


@pytest.mark.parametrize("label", ["2013-06", "2013-10"])
@pytest.mark.parametrize("detector", DETECTORS)
def test_images_are_those_of_the_simulation(label, detector, butler, kit, dataset):
    """What is stored is what the simulation of raw files was distorted by, plus the noise of the frames."""
    truth = DetectorCalibration(dataset.seed, "HSC", kit.make_camera(8)[detector], label)
    run = f"HSC/calib/simulated/{label}"
    bias = butler.get("bias", instrument="HSC", detector=detector, collections=run)
    assert bias.array.dtype == np.float32
    assert str(bias.unit) == "adu"
    assert (bias.bbox.y.start, bias.bbox.x.start) == (0, 0)
    np.testing.assert_array_equal(bias.array, truth.bias_frame())
    for name in ("HSC-R", "HSC-I"):
        flat = butler.get("flat", instrument="HSC", detector=detector, physical_filter=name, collections=run)
        np.testing.assert_array_equal(flat.array, truth.flat_frame(name))
        assert flat.array.mean(dtype=float) == pytest.approx(1, abs=1e-6)
        assert flat.array.shape == (522, 256)


def test_stored_files_say_which_dataset_they_are(butler):
    from lsst.images import Image

    ref = butler.find_dataset("bias", instrument="HSC", detector=16, collections="HSC/calib/simulated/2013-06")
    path = butler.getURI(ref)
    assert str(ref.id) in path.read().decode("latin-1")
    np.testing.assert_array_equal(Image.read(path.ospath).array, butler.get(ref).array)


def test_defects_are_boxes_within_the_detector(butler, kit, dataset):
    truth = DetectorCalibration(dataset.seed, "HSC", kit.make_camera(8)[16], "2013-06")
    table = butler.get("defects", instrument="HSC", detector=16, collections="HSC/calib/simulated/2013-06")
    assert table.colnames == ["x0", "y0", "width", "height"]
    assert len(table) == len(truth.defects) > 10
    mask = np.zeros(truth.shape, bool)
    for row in table:
        assert 0 <= row["x0"] < row["x0"] + row["width"] <= 256
        assert 0 <= row["y0"] < row["y0"] + row["height"] <= 522
        mask[row["y0"] : row["y0"] + row["height"], row["x0"] : row["x0"] + row["width"]] = True
    np.testing.assert_array_equal(mask, truth.defect_mask)


def test_empty_defects_are_a_table_too():
    table = calibs.defects_table(())
    assert table.colnames == ["x0", "y0", "width", "height"]
    assert len(table) == 0


DATES = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1))


@given(times=st.lists(DATES, min_size=3, max_size=3, unique=True).map(sorted))
def test_consecutive_epochs_neither_overlap_nor_leave_a_gap(times):
    first = calibs.epoch_timespan(CalibrationEpoch(label="a", begin=times[0], end=times[1]))
    second = calibs.epoch_timespan(CalibrationEpoch(label="b", begin=times[1]))
    third = calibs.epoch_timespan(CalibrationEpoch(label="c", begin=times[1], end=times[2]))
    assert not first.overlaps(second)
    assert list(first.difference(second)) == [first]
    assert first.end == second.begin == third.begin
    assert second.overlaps(third)
    assert second.end is None
