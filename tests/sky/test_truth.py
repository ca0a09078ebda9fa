"""The truth catalogue: the same sky for the same seed, whatever looks at it."""

from __future__ import annotations

import numpy as np
import pytest

from harness.errors import HarnessError
from harness.instrument.pointing import Pointing
from harness.sky import truth as module
from harness.sky.truth import bands_of, footprint, footprint_cells, make_objects, make_truth, read_truth, write_truth


@pytest.fixture(scope="module")
def catalogue(dataset, kit):
    return make_truth(dataset, kit)


@pytest.fixture(scope="module")
def field():
    """1200 cells: 3.9 square degrees."""
    return make_objects(1, range(5_000_000, 5_001_200), ("g", "r", "i"))


def only(dataset, *exposures):
    kept = tuple(e for e in dataset.exposures if e.id in exposures)
    assert len(kept) == len(exposures)
    return dataset.model_copy(update={"exposures": kept})


def test_columns_units_and_ranges(catalogue, dataset):
    assert catalogue.colnames == [
        "id",
        "ra",
        "dec",
        "is_star",
        "r_half_arcsec",
        "axis_ratio",
        "position_angle",
        "i_flux",
        "r_flux",
    ]
    assert catalogue.meta["seed"] == dataset.seed
    assert {c: str(catalogue[c].unit) for c in ("ra", "r_half_arcsec", "i_flux")} == {
        "ra": "deg",
        "r_half_arcsec": "arcsec",
        "i_flux": "nJy",
    }
    assert len(np.unique(catalogue["id"])) == len(catalogue)
    assert catalogue["id"].max() < 2**53  # survives columns of floats
    stars = catalogue["is_star"]
    assert (catalogue["r_half_arcsec"][stars] == 0).all()
    assert catalogue["r_half_arcsec"][~stars].min() >= 0.1
    assert catalogue["axis_ratio"].min() >= 0.25
    assert catalogue["axis_ratio"].max() <= 1
    assert not any(np.isnan(catalogue[c]).any() for c in catalogue.colnames)


def test_same_seed_same_sky(catalogue, dataset, kit):
    again = make_truth(dataset, kit)
    assert all((again[c] == catalogue[c]).all() for c in catalogue.colnames)
    other = make_truth(dataset.model_copy(update={"seed": dataset.seed + 1}), kit)
    positions = [set(zip(t["ra"], t["dec"], strict=True)) for t in (catalogue, other)]
    assert not positions[0] & positions[1]


def test_smaller_dataset_sees_the_same_objects(catalogue, dataset, kit):
    """Neither the extent nor the bands of a dataset move or change an object."""
    part = make_truth(only(dataset, 903334), kit)
    assert part.colnames == [c for c in catalogue.colnames if c != "i_flux"]
    assert 0 < len(part) < len(catalogue)
    _, here, there = np.intersect1d(part["id"], catalogue["id"], return_indices=True)
    assert len(here) == len(part)
    assert all((part[c][here] == catalogue[c][there]).all() for c in part.colnames)


def test_every_detector_is_covered_with_margin(catalogue, dataset, kit):
    """Cells that hold random positions on padded detectors are all there."""
    cells = set(footprint_cells(footprint(dataset, kit)).tolist())
    import hpgeom

    rng = np.random.default_rng(0)
    pad = module.MARGIN / 0.168 * 0.98
    for observation in dataset.observations:
        pointing = Pointing(observation.ra, observation.dec, observation.sky_angle, kit.camera.sky_parity)
        for detector in observation.detectors:
            item = kit.camera[detector]
            x, y = rng.uniform(-pad, item.nx + pad, 200), rng.uniform(-pad, item.ny + pad, 200)
            ra, dec = pointing.pixel_to_sky(kit.camera, detector, x, y)
            assert set(hpgeom.angle_to_pixel(2**module.CELL_ORDER, ra, dec, nest=True).tolist()) <= cells
    assert set((np.asarray(catalogue["id"]) >> 20).tolist()) <= cells


def test_numbers_are_those_that_are_promised(field):
    """Densities and the slopes of the counts, within 4 sigma of Poisson noise."""
    area = 1200 * 41252.96 / (12 * 4**10)
    stars = np.asarray(field["is_star"])
    for chosen, density, slope in ((stars, 7000, 0.12), (~stars, 60000, 0.38)):
        n = chosen.sum()
        assert abs(n - density * area) < 4 * np.sqrt(n)
        magnitude = 31.4 - 2.5 * np.log10(field["i_flux"][chosen])
        assert magnitude.max() <= 24.5 + 1e-9
        brighter = (magnitude < 22.5).sum()
        assert abs(brighter - n * 10 ** (-2 * slope)) < 4 * np.sqrt(brighter) + 0.03 * brighter


def test_objects_lie_in_their_cells_evenly(field):
    import hpgeom

    cells = hpgeom.angle_to_pixel(2**module.CELL_ORDER, field["ra"], field["dec"], nest=True)
    assert (cells == np.asarray(field["id"]) >> 20).all()
    # Quarters of all cells hold the same number of objects.
    quarters = hpgeom.angle_to_pixel(2 ** (module.CELL_ORDER + 1), field["ra"], field["dec"], nest=True) % 4
    counts = np.bincount(quarters)
    assert np.abs(counts - len(field) / 4).max() < 4 * np.sqrt(len(field) / 4)


def test_colours_differ_between_objects(field):
    colour = -2.5 * np.log10(field["g_flux"] / field["i_flux"])
    stars = np.asarray(field["is_star"])
    assert colour[stars].min() == pytest.approx(0.3, abs=0.01)
    assert colour[stars].max() == pytest.approx(2.9, abs=0.01)
    assert np.std(colour[~stars]) == pytest.approx(0.35, rel=0.02)


def test_parquet_keeps_everything(catalogue, tmp_path):
    path = tmp_path / "made" / "truth.parquet"
    write_truth(catalogue, path)
    again = read_truth(path)
    assert again.colnames == catalogue.colnames
    assert again.meta["seed"] == catalogue.meta["seed"]
    assert all((again[c] == catalogue[c]).all() for c in catalogue.colnames)
    assert again["i_flux"].unit == catalogue["i_flux"].unit


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(HarnessError, match=r"cannot read truth catalogue .*none\.parquet"):
        read_truth(tmp_path / "none.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"nonsense")
    with pytest.raises(HarnessError, match=r"cannot read truth catalogue .*bad\.parquet"):
        read_truth(tmp_path / "bad.parquet")


def test_datasets_without_sky_or_with_unknown_filters(dataset, kit):
    dark = tuple(e.model_copy(update={"type": "dark"}) for e in dataset.exposures[:1])
    with pytest.raises(HarnessError, match="ci_hsc has no exposure of the sky"):
        make_truth(dataset.model_copy(update={"exposures": dark}), kit)
    for name, message in (("HSC-RR", "did you mean 'HSC-R'"), ("NB0387", "unknown band of the truth catalogue")):
        odd = tuple(e.model_copy(update={"filter": name}) for e in dataset.exposures[:1])
        with pytest.raises(HarnessError, match=message):
            bands_of(dataset.model_copy(update={"exposures": odd}), kit)
