"""Reference catalogues in a real repository."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lsst.daf.butler import Butler, CollectionType, Config

from harness.bootstrap import refcats
from harness.bootstrap.refcats import FLUX_ERROR, POSITION_ERROR, make_refcat, put_refcat
from harness.datasets.manifest import load_manifest
from harness.errors import HarnessError
from harness.sky.regions import unit_vectors
from harness.sky.truth import make_objects, make_truth
from harness.stage import StageContext

NAME = "ps1_pv3_3pi_20170110"


@pytest.fixture(scope="module")
def kit():
    plugin = pytest.importorskip("harness_hsc.plugin")
    return next(iter(plugin.harness_instruments()))


@pytest.fixture(scope="module")
def dataset():
    return load_manifest(Path(__file__).parents[2] / "datasets" / "ci_hsc")


@pytest.fixture(scope="module")
def truth(dataset, kit):
    return make_truth(dataset, kit)


@pytest.fixture(scope="module")
def staged(kit, dataset, tmp_path_factory):
    root = tmp_path_factory.mktemp("refcats")
    Butler.makeRepo(str(root / "repo"), Config(dict(kit.repository_config)))
    context = StageContext(root / "repo", root / "outputs", {}, dataset, kit, None, {}, lambda _: None)
    return context, refcats.run(context)


def read(context, facts):
    with Butler.from_config(str(context.repo)) as butler:
        refs = butler.query_datasets(NAME, collections="refcats")
        return {ref.dataId["htm7"]: butler.get(ref) for ref in refs}, facts


def test_shards_hold_every_bright_star_once_and_where_it_belongs(staged, truth):
    from lsst.sphgeom import HtmPixelization, UnitVector3d

    shards, facts = read(*staged)
    assert sorted(shards) == facts["shards"]
    assert facts["put"] == len(shards) > 1
    pixels = HtmPixelization(7)
    for index, table in shards.items():
        assert table.colnames == ["id", "ra", "dec", "i_flux", "i_fluxErr", "r_flux", "r_fluxErr"]
        for v in unit_vectors(table["ra"], table["dec"]).tolist():
            assert pixels.index(UnitVector3d(*v)) == index
    limit = 10 ** (0.4 * (31.4 - 22.0))
    bright = (np.maximum(truth["i_flux"], truth["r_flux"]) > limit) & truth["is_star"]
    ids = np.concatenate([t["id"] for t in shards.values()])
    assert sorted(ids) == sorted(truth["id"][bright])
    assert facts["objects"] == len(ids) > 300


def test_collections(staged):
    context, facts = staged
    with Butler.from_config(str(context.repo)) as butler:
        assert butler.collections.get_info(facts["run"]).type is CollectionType.RUN
        chain = butler.collections.get_info("refcats")
        assert chain.type is CollectionType.CHAINED
        assert chain.children == (f"refcats/{NAME}",)


def test_errors_are_as_large_as_they_say():
    truth = make_objects(3, range(5_000_000, 5_000_400), ("r", "i"))
    refcat = make_refcat(truth, 3, "any")
    assert len(refcat) > 3000
    assert (np.diff(refcat["id"]) > 0).all()
    truth.sort("id")
    by_id = truth[np.searchsorted(truth["id"], refcat["id"])]
    assert (by_id["id"] == refcat["id"]).all()
    east = (refcat["ra"] - by_id["ra"]) * np.cos(np.radians(by_id["dec"])) * 3600
    north = (refcat["dec"] - by_id["dec"]) * 3600
    pulls = [(refcat[f"{b}_flux"] - by_id[f"{b}_flux"]) / refcat[f"{b}_fluxErr"] for b in "ri"]
    for values, sigma in ((east, POSITION_ERROR), (north, POSITION_ERROR), *((p, 1.0) for p in pulls)):
        n = len(values)
        assert abs(np.mean(values)) < 4 * sigma / np.sqrt(n)
        assert np.std(values) == pytest.approx(sigma, rel=4 / np.sqrt(2 * n))
    assert abs(np.corrcoef(pulls)[0, 1]) < 4 / np.sqrt(len(refcat))
    np.testing.assert_allclose(refcat["r_fluxErr"] / by_id["r_flux"], FLUX_ERROR)


def test_errors_of_a_star_do_not_depend_on_the_others(truth, dataset):
    whole = make_refcat(truth, dataset.seed, NAME)
    part = make_refcat(truth[::-1][: len(truth) // 2][[c for c in truth.colnames if c != "i_flux"]], dataset.seed, NAME)
    _, here, there = np.intersect1d(part["id"], whole["id"], return_indices=True)
    assert len(here) > 100
    for column in part.colnames:
        assert (part[column][here] == whole[column][there]).all()
    assert not (make_refcat(truth, dataset.seed, "other")["ra"] == whole["ra"]).any()


def test_again_changes_nothing_and_other_content_is_refused(staged, truth, dataset):
    context, facts = staged
    again = refcats.run(context)
    assert again == {**facts, "put": 0}
    other = make_refcat(truth, dataset.seed + 1, NAME)
    with context.butler() as butler, pytest.raises(HarnessError, match=r"shard htm7=\d+ .* other content") as caught:
        put_refcat(butler, NAME, other)
    assert caught.value.code == "refcat-differs"


def test_second_catalogue_joins_the_chain(staged, truth):
    context, _ = staged
    with context.butler() as butler:
        put_refcat(butler, "gaia", make_refcat(truth, 1, "gaia"))
        assert butler.collections.get_info("refcats").children == (f"refcats/{NAME}", "refcats/gaia")


def test_dataset_type_of_another_definition_is_refused(staged, truth):
    from lsst.daf.butler import DatasetType

    context, _ = staged
    with context.butler() as butler:
        butler.registry.registerDatasetType(DatasetType("odd", ("htm9",), "ArrowAstropy", universe=butler.dimensions))
        with pytest.raises(HarnessError, match="dataset type odd is registered with another definition"):
            put_refcat(butler, "odd", make_refcat(truth, 1, "odd"))
