"""The tasks on simulated images of a camera that resembles no real one."""

from __future__ import annotations

import numpy as np
import pytest
from lsst.pipe.base import NoWorkFound

from harness.instrument.zernikes import NOLL
from harness.simulate.donuts import wavefront
from harness.wavefront.tasks import CutOutDonutsConfig, CutOutDonutsTask, GenerateDonutDirectDetectTask
from harness.wavefront.zernikes import CalcZernikesTask


def halves(post_isr, camera, extra: tuple[int, int], intra: tuple[int, int]):
    detect = GenerateDonutDirectDetectTask()
    images = [post_isr(*key) for key in (extra, intra)]
    tables = [detect.run(i, camera, k[1]).donut_table for i, k in zip(images, (extra, intra), strict=True)]
    return (images[0], tables[0]), (images[1], tables[1])


@pytest.mark.parametrize(
    ("extra", "intra"), [((1, 8), (1, 7)), ((3, 3), (2, 3))], ids=["sensors of one exposure", "exposures"]
)
def test_the_wavefront_is_recovered(post_isr, toy_camera, toy_dataset, extra, intra) -> None:
    first, second = halves(post_isr, toy_camera, extra, intra)
    stamps = CutOutDonutsTask().run(first, second, toy_camera, extra[1], intra[1])
    assert set(stamps.stamps_extra["distance"]) == {1.2}
    assert set(stamps.stamps_intra["distance"]) == {-1.2}
    table = (
        CalcZernikesTask()
        .run(stamps_extra=stamps.stamps_extra, stamps_intra=stamps.stamps_intra, camera=toy_camera)
        .zernikes
    )
    assert list(table["label"]) == ["average", "pair1", "pair2", "pair3"]
    assert (table["extra_exposure"][0], table["extra_detector"][0]) == extra
    assert (table["intra_exposure"][0], table["intra_detector"][0]) == intra
    observation = next(o for o in toy_dataset.observations if o.exposure == extra[0])
    fx, fy = (np.radians((table[f"extra_field_{a}"][0] + table[f"intra_field_{a}"][0]) / 2) for a in "xy")
    truth = wavefront(toy_dataset.seed, toy_camera, observation, fx, fy)
    errors = {j: float(table[f"Z{j}"][0]) - truth[j] for j in NOLL}
    assert all(abs(e) < 40.0 for e in errors.values()), errors
    assert max(abs(v) for v in truth.values()) > 100.0
    assert str(table["Z4"].unit) == "nm"


def test_halves_that_are_swapped_turn_the_even_terms_over(post_isr, toy_camera) -> None:
    """The images do not tell which half is which: a pair that is swapped fits as well, with the wrong signs."""
    first, second = halves(post_isr, toy_camera, (1, 8), (1, 7))
    right, swapped = (CutOutDonutsTask().run(first, second, toy_camera, 8, 7) for _ in range(2))
    swapped.stamps_extra["distance"] *= -1
    swapped.stamps_intra["distance"] *= -1
    good, bad = (
        CalcZernikesTask().run(stamps_extra=s.stamps_extra, stamps_intra=s.stamps_intra, camera=toy_camera).zernikes
        for s in (right, swapped)
    )
    for j in NOLL:
        sign = -1 if j in (4, 5, 6, 11) else 1
        assert float(bad[f"Z{j}"][0]) == pytest.approx(sign * float(good[f"Z{j}"][0]), abs=15.0), j


def test_only_so_many_and_only_good_ones_are_cut_out(post_isr, toy_camera) -> None:
    first, second = halves(post_isr, toy_camera, (1, 8), (1, 7))
    config = CutOutDonutsConfig()
    config.maxDonuts = 2
    stamps = CutOutDonutsTask(config=config).run(first, second, toy_camera, 8, 7).stamps_extra
    assert len(stamps) == 2
    assert stamps["flux"][0] >= stamps["flux"][1]
    size = stamps["image"].shape[1]
    assert stamps["image"].shape == stamps["variance"].shape == stamps["good"].shape == (2, size, size)
    assert size % 2 == 1
    first[1]["isolated"] = False
    with pytest.raises(NoWorkFound, match="detector 8"):
        CutOutDonutsTask().run(first, second, toy_camera, 8, 7)
