"""Sky maps in a real repository."""

from __future__ import annotations

from pathlib import Path

import pytest
from lsst.daf.butler import Butler, CollectionType, Config

from harness.bootstrap import skymaps
from harness.bootstrap.skymaps import register_skymap, visit_hulls
from harness.datasets.manifest import DiscreteSkyMapEntry, RingsSkyMapEntry, load_manifest
from harness.errors import HarnessError
from harness.instrument.storage import REPOSITORY_CONFIG
from harness.sky.regions import vertices
from harness.sky.skymaps import SkyMapDefinition
from harness.stage import StageContext

SMALL = SkyMapDefinition.from_entry(DiscreteSkyMapEntry(kind="discrete", name="small", ra=10, dec=-30, radius=0.2))


@pytest.fixture(scope="module")
def kit():
    plugin = pytest.importorskip("harness_hsc.plugin")
    return next(iter(plugin.harness_instruments()))


@pytest.fixture(scope="module")
def dataset():
    return load_manifest(Path(__file__).parents[2] / "datasets" / "ci_hsc")


@pytest.fixture(scope="module")
def staged(kit, dataset, tmp_path_factory):
    """Context and facts of the stage on an empty repository."""
    root = tmp_path_factory.mktemp("skymaps")
    Butler.makeRepo(str(root / "repo"), Config(dict(REPOSITORY_CONFIG)))
    context = StageContext(root / "repo", root / "outputs", {}, dataset, kit, None, {}, lambda _: None)
    return context, skymaps.run(context)


@pytest.fixture
def empty(tmp_path):
    config = Butler.makeRepo(str(tmp_path / "repo"), Config(dict(REPOSITORY_CONFIG)))
    with Butler.from_config(config, writeable=True) as butler:
        yield butler


def test_stage_registers_what_the_dataset_needs(staged):
    context, facts = staged
    discrete, rings = facts["skymaps"]["discrete/ci_hsc"], facts["skymaps"]["hsc_rings_v1"]
    assert (discrete["tracts"], discrete["patches"], discrete["whole"]) == ([0], 256, True)
    assert not rings["whole"]
    assert rings["patches"] == 81 * len(rings["tracts"])
    with Butler.from_config(str(context.repo)) as butler:
        assert butler.collections.get_info("skymaps").type is CollectionType.RUN
        records = {r.name: r for r in butler.query_dimension_records("skymap")}
        assert {n: r.hash.hex() for n, r in records.items()} == {n: f["hash"] for n, f in facts["skymaps"].items()}
        limits = {n: (r.tract_max, r.patch_nx_max, r.patch_ny_max) for n, r in records.items()}
        assert limits == {"discrete/ci_hsc": (1, 16, 16), "hsc_rings_v1": (18938, 9, 9)}
        for name, told in facts["skymaps"].items():
            assert sorted(r.id for r in butler.query_dimension_records("tract", skymap=name)) == told["tracts"]
            patches = butler.query_dimension_records("patch", skymap=name, limit=None)
            assert len(patches) == told["patches"]
            assert all(p.id == p.cell_x + records[name].patch_nx_max * p.cell_y for p in patches)
            assert butler.get("skyMap", skymap=name, collections="skymaps").name == name


def test_visits_lie_in_the_registered_tracts(staged, kit, dataset):
    """No vertex of a visit's region belongs to a tract that is not there."""
    _, facts = staged
    rings = SkyMapDefinition.from_entry(dataset.more_skymaps[0])
    hulls = visit_hulls(dataset, kit)
    assert len(hulls) == len({(e.ra, e.dec) for e in dataset.exposures})
    import numpy as np

    for region in hulls:
        x, y, z = vertices(region).T
        found = rings.find_tract(np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arcsin(z)))
        assert set(found.tolist()) <= set(facts["skymaps"]["hsc_rings_v1"]["tracts"])


def test_stored_regions_are_those_of_the_definition(staged, dataset):
    context, _ = staged
    tract = SkyMapDefinition.from_entry(dataset.skymap).tract(0)
    with Butler.from_config(str(context.repo)) as butler:
        (record,) = butler.query_dimension_records("patch", skymap="discrete/ci_hsc", tract=0, patch=69)
        assert (record.cell_x, record.cell_y) == (5, 4)
        assert record.region == tract.patch_regions([69])[69]
        (record,) = butler.query_dimension_records("tract", skymap="discrete/ci_hsc", tract=0)
        assert record.region == tract.region


def test_stage_again_changes_nothing(staged):
    context, facts = staged
    again = skymaps.run(context)
    assert {n: f["new_tracts"] for n, f in again["skymaps"].items()} == dict.fromkeys(facts["skymaps"], 0)
    for name, told in again["skymaps"].items():
        assert told | {"new_tracts": 0} == facts["skymaps"][name] | {"new_tracts": 0}


def test_tracts_can_be_added_later(empty):
    rings = SkyMapDefinition.from_entry(RingsSkyMapEntry(kind="rings", name="rings"))
    assert register_skymap(empty, rings, [9813])["new_tracts"] == 1
    facts = register_skymap(empty, rings, [9813, 9615])
    assert (facts["tracts"], facts["new_tracts"]) == ([9615, 9813], 1)
    assert len(empty.query_dimension_records("patch", skymap="rings", limit=None)) == 162


def test_another_definition_under_the_name_is_refused_and_changes_nothing(empty):
    register_skymap(empty, SMALL)
    other = SkyMapDefinition.from_entry(DiscreteSkyMapEntry(kind="discrete", name="small", ra=10, dec=-30, radius=0.3))
    with pytest.raises(HarnessError, match="sky map small is registered with another definition: hash") as caught:
        register_skymap(empty, other)
    assert caught.value.code == "skymap-differs"
    (record,) = empty.query_dimension_records("skymap")
    assert record.hash == SMALL.sha1
    assert empty.get("skyMap", skymap="small", collections="skymaps") == SMALL


def test_one_definition_has_one_name(empty):
    register_skymap(empty, SMALL)
    with pytest.raises(HarnessError, match=r"sky map again is registered as small already \(use the name small"):
        register_skymap(empty, SMALL.model_copy(update={"name": "again"}))
    assert [r.name for r in empty.query_dimension_records("skymap")] == ["small"]


def test_unknown_tract_leaves_nothing_behind(empty):
    with pytest.raises(HarnessError, match="small has no tract 7"):
        register_skymap(empty, SMALL, [0, 7])
    assert empty.query_dimension_records("skymap", explain=False) == []
