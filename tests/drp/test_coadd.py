"""Averages, weights and outliers of coadds; selection of visits; merging of detections; identifiers."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import Table
from hypothesis import given
from hypothesis import strategies as st
from lsst.pipe.base import NoWorkFound

from harness.drp.coadd import AssembleCoaddTask, SelectDeepCoaddVisitsTask, combine
from harness.drp.consolidate import stacked
from harness.drp.detection import MergeDetectionsTask
from harness.drp.identifiers import SkyMapPacker
from harness.errors import HarnessError

CLIP = {"clip_sigma": 5.0, "clip_fraction": 0.3, "min_clip": 3}


def stack(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    sigma = np.linspace(1, 2, n)[:, None, None]
    data = 10 + sigma * rng.standard_normal((n, 100, 100))
    return data.astype(np.float32), np.broadcast_to(sigma**2, data.shape).astype(np.float32)


def test_noise_falls_as_the_weights_say() -> None:
    data, variance = stack(6)
    out = combine(data, variance, np.ones(data.shape, bool), **CLIP)
    expected = 1 / np.sum(1 / variance[:, 0, 0])
    np.testing.assert_allclose(out.variance, expected, rtol=1e-4)
    assert out.image.var() == pytest.approx(expected, rel=0.05)
    assert out.image.mean() == pytest.approx(10, abs=0.02)
    assert (out.count == 6).mean() > 0.999


def test_outliers_go_where_there_are_enough_visits_and_stay_where_not() -> None:
    data, variance = stack(4)
    good = np.ones(data.shape, bool)
    good[2:, :, 50:] = False
    data[1, 20, 20] = data[1, 20, 80] = 1000
    out = combine(data, variance, good, **CLIP)
    assert out.clipped[1, 20, 20]
    assert out.count[20, 20] == 3
    assert not out.clipped[:, 20, 80].any()
    assert out.image[20, 20] < 20


def test_masked_pixels_do_not_contribute() -> None:
    data, variance = stack(2)
    data[0, 5, 5] = 1e6
    good = np.ones(data.shape, bool)
    good[0, 5, 5] = good[:, 6, 6] = False
    out = combine(data, variance, good, **CLIP)
    assert out.image[5, 5] == data[1, 5, 5]
    assert (out.count[6, 6], out.image[6, 6]) == (0, 0)


def test_no_warps_is_no_work() -> None:
    with pytest.raises(NoWorkFound):
        AssembleCoaddTask(config=AssembleCoaddTask.ConfigClass()).run(warps={})


def summary(visit: int, sigma: float = 0.95, noise: float = 100.0) -> Table:
    row = {"visit": visit, "psfSigma": sigma, "pixelScale": 1.3, "zeroPoint": 32.0, "skyNoise": noise}
    return Table([row])


def test_visits_with_a_bad_psf_or_much_noise_are_left_out() -> None:
    task = SelectDeepCoaddVisitsTask(config=SelectDeepCoaddVisitsTask.ConfigClass())
    tables = [summary(1), summary(2), summary(3, sigma=1.9), summary(4, noise=400.0), summary(5, noise=200.0)]
    selection = task.run(visit_summaries=tables).selection
    assert list(selection) == ["1", "2", "5"]
    assert sum(selection.values()) == pytest.approx(1)
    assert selection["1"] / selection["5"] == pytest.approx(4)


def test_the_number_of_visits_is_limited_to_the_best() -> None:
    config = SelectDeepCoaddVisitsTask.ConfigClass()
    config.maxVisits = 2
    tables = [summary(1, sigma=1.0), summary(2, sigma=0.9), summary(3, sigma=0.95)]
    assert list(SelectDeepCoaddVisitsTask(config=config).run(visit_summaries=tables).selection) == ["2", "3"]


class _AllHere:
    """A sky map of which every position belongs to tract 3, patch 7, if it lies north of the equator."""

    def find_patch(self, ra, dec):
        return np.full(len(ra), 3), np.where(np.asarray(dec) > 0, 7, 8)


def peaks(*xy: tuple[float, float]) -> Table:
    x, y = np.array([p[0] for p in xy], float), np.array([p[1] for p in xy], float)
    return Table({"x": x, "y": y, "coord_ra": x / 1000, "coord_dec": (y - 50) / 1000})


def test_detections_of_two_bands_are_one_object_if_they_are_near() -> None:
    task = MergeDetectionsTask(config=MergeDetectionsTask.ConfigClass())
    bands = {"r": peaks((10.4, 20), (60, 90)), "i": peaks((10, 20), (30, 70)), "w": peaks((61, 90))}
    merged = task.run(peaks=bands, sky_map=_AllHere(), tract=3, patch=7, id_prefix=1 << 40).merged
    assert list(merged["x"]) == [10, 30, 60]  # the priority band's position, in order of y
    assert list(merged["peak_i"]) == [True, True, False]
    assert list(merged["peak_r"]) == [True, False, True]
    assert list(merged["peak_w"]) == [False, False, True]
    assert list(merged["detect_isPrimary"]) == [False, True, True]
    assert list(merged["id"]) == [(1 << 40) + k for k in (1, 2, 3)]


def test_no_detections_give_an_empty_table() -> None:
    task = MergeDetectionsTask(config=MergeDetectionsTask.ConfigClass())
    merged = task.run(peaks={"r": peaks()}, sky_map=_AllHere(), tract=3, patch=7, id_prefix=0).merged
    assert len(merged) == 0
    assert "peak_r" in merged.colnames


@given(st.integers(1, 20_000), st.integers(1, 40), st.data())
def test_object_identifiers_give_tract_patch_and_counter_back(tracts: int, side: int, data: st.DataObject) -> None:
    packer = SkyMapPacker(tracts, side, side)
    tract, patch = data.draw(st.integers(0, tracts - 1)), data.draw(st.integers(0, side * side - 1))
    counter = data.draw(st.integers(0, 2 ** (63 - packer.bits) - 1))
    number = packer.prefix(tract, patch) + counter
    assert 0 <= number < 2**63
    assert packer.split(number) == (tract, patch, counter)


def test_tracts_outside_the_sky_map_are_refused() -> None:
    with pytest.raises(HarnessError, match="tracts run to 9"):
        SkyMapPacker(10, 9, 9).pack(10, 0)


def test_stacked_tables_are_ordered_and_unique() -> None:
    one, two = Table({"id": [5, 2]}), Table({"id": [3]})
    assert list(stacked([one, two], "id")["id"]) == [2, 3, 5]
    with pytest.raises(ValueError, match="2 is not unique"):
        stacked([one, one], "id")
