"""Visits in a real repository."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.time import TimeDelta
from lsst.daf.butler import Butler, Config, Timespan
from lsst.sphgeom import UnitVector3d

from harness.bootstrap import visits
from harness.bootstrap.visits import define_visits
from harness.datasets.manifest import load_manifest
from harness.errors import HarnessError
from harness.instrument.pointing import Pointing
from harness.instrument.visits import VisitGroup, VisitGrouping
from harness.sky.regions import unit_vectors, vertices
from harness.stage import StageContext

FIRST, SECOND, DARK, LOST = 903334, 903336, 1, 2


@pytest.fixture(scope="module")
def kit():
    plugin = pytest.importorskip("harness_hsc.plugin")
    return next(iter(plugin.harness_instruments()))


@pytest.fixture(scope="module")
def dataset():
    return load_manifest(Path(__file__).parents[2] / "datasets" / "ci_hsc")


def exposure(observation, **changes):
    """Return the fields of an exposure record."""
    fields = {
        "instrument": observation.instrument,
        "id": observation.exposure,
        "physical_filter": observation.physical_filter,
        "day_obs": int(observation.begin.utc.strftime("%Y%m%d")),
        "exposure_time": observation.exposure_time,
        "observation_type": "science",
        "observation_reason": "science",
        "seq_num": observation.exposure,
        "target_name": observation.target,
        "science_program": observation.program,
        "tracking_ra": observation.ra,
        "tracking_dec": observation.dec,
        "sky_angle": observation.sky_angle,
        "azimuth": 120.5,
        "zenith_angle": 33.25,
        "can_see_sky": None,
        "timespan": Timespan(observation.begin, observation.end),
    } | changes
    return fields | {"group": str(fields["id"]), "obs_id": f"HSCA{fields['id']:06d}00"}


@pytest.fixture(scope="module")
def template(kit, dataset, tmp_path_factory):
    """A repository with two exposures of the sky, a dark and one without rotation."""
    one, two = (o for o in dataset.observations if o.exposure in (FIRST, SECOND))
    rows = [
        exposure(one),
        exposure(two),
        exposure(one, id=DARK, can_see_sky=False, observation_type="dark"),
        exposure(one, id=LOST, sky_angle=None, can_see_sky=True),
    ]
    root = tmp_path_factory.mktemp("visits") / "repo"
    config = Butler.makeRepo(str(root), Config(dict(kit.repository_config)))
    with Butler.from_config(config, writeable=True) as butler:
        kit.instrument_class().register(butler.registry)
        insert = butler.registry.insertDimensionData
        insert("day_obs", {"instrument": kit.name, "id": rows[0]["day_obs"]})
        insert("group", *({"instrument": kit.name, "name": r["group"]} for r in rows))
        insert("exposure", *rows)
    return root


@pytest.fixture
def repo(template, tmp_path):
    shutil.copytree(template, tmp_path / "repo")
    return tmp_path / "repo"


@pytest.fixture
def butler(repo):
    with Butler.from_config(str(repo), writeable=True) as butler:
        yield butler


def state(butler, *elements):
    """Return all records of some elements, as comparable values."""
    found = {}
    for element in elements or visits.ELEMENTS:
        records = butler.query_dimension_records(element, limit=None, explain=False)
        found[element] = sorted((str(r.dataId.required_values), str(r.toDict())) for r in records)
    return found


def test_every_field_follows_from_the_exposure(butler, kit):
    report = define_visits(butler, kit)
    assert report.defined == [FIRST, SECOND]
    assert report.skipped == {DARK: "cannot see the sky", LOST: "no sky_angle"}
    assert report.inserted == {
        "visit": 2,
        "visit_definition": 2,
        "visit_system_membership": 2,
        "visit_detector_region": 224,
    }
    for number in (FIRST, SECOND):
        (visit,) = butler.query_dimension_records("visit", instrument=kit.name, visit=number)
        (source,) = butler.query_dimension_records("exposure", instrument=kit.name, exposure=number)
        assert visit.name == source.obs_id
        same = (
            "physical_filter day_obs seq_num exposure_time target_name observation_reason science_program azimuth "
            "zenith_angle timespan"
        )
        for field in same.split():
            assert getattr(visit, field) == getattr(source, field), field
            assert getattr(visit, field) is not None
    (system,) = butler.query_dimension_records("visit_system")
    assert (system.id, system.name) == (0, "one-to-one")
    definitions = butler.query_dimension_records("visit_definition")
    assert sorted((r.exposure, r.visit) for r in definitions) == [(FIRST, FIRST), (SECOND, SECOND)]
    memberships = butler.query_dimension_records("visit_system_membership")
    assert sorted((r.visit, r.visit_system) for r in memberships) == [(FIRST, 0), (SECOND, 0)]


def test_regions_are_those_of_the_padded_detectors(butler, kit, dataset):
    """All 112 detectors, whether there is a raw or not; the padding is in real pixels whatever the data's scale."""
    define_visits(butler, kit)
    at = next(o for o in dataset.observations if o.exposure == FIRST)
    pointing = Pointing(at.ra, at.dec, at.sky_angle, kit.camera.sky_parity)
    (visit,) = butler.query_dimension_records("visit", instrument=kit.name, visit=FIRST)
    records = butler.query_dimension_records("visit_detector_region", instrument=kit.name, visit=FIRST)
    assert sorted(r.detector for r in records) == [d.id for d in kit.camera.detectors]
    whole = vertices(visit.region)
    normals = np.cross(whole, np.roll(whole, -1, axis=0))
    for record in records:
        item = kit.camera[record.detector]
        wanted = unit_vectors(*pointing.pixel_to_sky(kit.camera, record.detector, *item.corners(250)))
        corners = vertices(record.region)
        distances = np.linalg.norm(corners[:, None] - wanted[None], axis=-1)
        assert (distances.min(axis=0) < 1e-12).all()
        assert (distances.min(axis=1) < 1e-12).all()
        assert (corners @ normals.T).min() > -1e-12
    assert visit.region.contains(UnitVector3d(*unit_vectors(at.ra, at.dec).tolist()))


def test_visits_join_to_the_sky(butler, kit, dataset):
    """The middleware finds, by region alone, the patch that the dataset is about."""
    from harness.bootstrap.skymaps import register_skymap
    from harness.sky.skymaps import SkyMapDefinition

    define_visits(butler, kit)
    register_skymap(butler, SkyMapDefinition.from_entry(dataset.skymap))
    with butler.query() as query:
        found = query.where("patch = 69 AND detector IN (16, 22, 23, 100, 50)", skymap="discrete/ci_hsc", tract=0)
        pairs = {
            (d["visit"], d["detector"])
            for d in found.where(instrument=kit.name).data_ids(["visit", "detector", "patch"])
        }
    assert {(FIRST, d) for d in (16, 22, 23, 100)} <= pairs
    assert (FIRST, 50) not in pairs


def test_again_does_nothing_and_says_so(butler, kit):
    define_visits(butler, kit)
    before = state(butler)
    report = define_visits(butler, kit)
    assert (report.defined, report.unchanged) == ([], [FIRST, SECOND])
    assert set(report.inserted.values()) == {0}
    assert str(report) == f"visits of {kit.name} (one-to-one): 2 unchanged, 2 exposures left out"
    assert state(butler) == before


def test_chosen_exposures(butler, kit):
    assert define_visits(butler, kit, exposures=[SECOND, DARK]).defined == [SECOND]
    report = define_visits(butler, kit)
    assert (report.defined, report.unchanged) == ([FIRST], [SECOND])
    with pytest.raises(HarnessError, match=r"1 of 2 exposures of HSC are not in the repository: 77"):
        define_visits(butler, kit, exposures=[FIRST, 77])


def test_nothing_to_do(butler, kit):
    report = define_visits(butler, kit, exposures=[])
    assert str(report) == f"visits of {kit.name} (one-to-one): nothing to do"
    assert butler.query_dimension_records("visit_system", explain=False) == []


def test_moved_exposure_is_refused_unless_updated(butler, kit):
    define_visits(butler, kit)
    (record,) = butler.query_dimension_records("exposure", instrument=kit.name, exposure=FIRST)
    moved = record.toDict() | {"tracking_dec": record.tracking_dec + 5.0, "target_name": "elsewhere"}
    butler.registry.syncDimensionData("exposure", moved, update=True)
    before = state(butler)
    with pytest.raises(HarnessError, match=f"visit {FIRST} of HSC is defined with other values: target_name is") as e:
        define_visits(butler, kit)
    assert e.value.code == "visit-differs"
    assert e.value.remedy == "define visits with update=True (--update) to change it"
    assert state(butler) == before

    report = define_visits(butler, kit, update=True)
    assert (report.updated, report.unchanged) == ([FIRST], [SECOND])
    assert report.inserted["visit"] == 1
    assert report.inserted["visit_detector_region"] == 112
    (visit,) = butler.query_dimension_records("visit", instrument=kit.name, visit=FIRST)
    assert visit.target_name == "elsewhere"
    # The tables that spatial queries use have moved along.
    envelope = butler.dimensions.commonSkyPix.pixelization.envelope(visit.region)
    inside = next(i for begin, end in envelope for i in range(begin, end))
    assert butler.query_dimension_records("visit", instrument=kit.name, htm7=inside, explain=False)
    assert define_visits(butler, kit).unchanged == [FIRST, SECOND]


def test_missing_records_of_a_visit_are_added(repo, kit):
    import sqlite3

    with Butler.from_config(str(repo), writeable=True) as butler:
        define_visits(butler, kit)
        before = state(butler)
    with sqlite3.connect(repo / "gen3.sqlite3") as db:
        for table in ("visit_detector_region_skypix_overlap", "visit_detector_region"):
            db.execute(f"DELETE FROM {table} WHERE visit={FIRST} AND detector IN (16, 50)")
        db.execute(f"DELETE FROM visit_definition WHERE visit={SECOND}")
    with Butler.from_config(str(repo), writeable=True) as butler:
        report = define_visits(butler, kit)
        assert report.completed == [FIRST, SECOND]
        assert report.inserted == {
            "visit": 0,
            "visit_definition": 1,
            "visit_system_membership": 0,
            "visit_detector_region": 2,
        }
        assert state(butler) == before


def test_visit_of_another_exposure_is_refused(butler, kit):
    define_visits(butler, kit)
    row = {"instrument": kit.name, "visit": FIRST, "exposure": SECOND}
    butler.registry.insertDimensionData("visit_definition", row)
    with pytest.raises(HarnessError, match=f"visit {FIRST} of HSC is defined with exposure {SECOND}"):
        define_visits(butler, kit, update=True)


def test_failure_leaves_nothing_behind(butler, kit, monkeypatch):
    """The second chunk fails: the first one is undone."""
    monkeypatch.setattr(visits, "CHUNK", 1)
    insert = type(butler.registry).insertDimensionData

    def failing(self, element, *rows, **kwargs):
        if element == "visit_detector_region" and rows[0]["visit"] == SECOND:
            raise KeyboardInterrupt
        return insert(self, element, *rows, **kwargs)

    monkeypatch.setattr(type(butler.registry), "insertDimensionData", failing)
    with pytest.raises(KeyboardInterrupt):
        define_visits(butler, kit)
    assert not any(state(butler).values())
    monkeypatch.undo()
    assert define_visits(butler, kit).defined == [FIRST, SECOND]


def pairs(number=FIRST):
    """Another grouping needs nothing but two functions: here all exposures are one visit."""

    def both(exposures):
        yield VisitGroup(number, "pair", tuple(exposures), frozenset({5}))

    return VisitGrouping("pairs", frozenset({5}), lambda exposure: "all", both, names={5: "pairs"})


def test_visits_of_several_exposures(butler, kit, dataset):
    report = define_visits(butler, dataclasses.replace(kit, visit_grouping=pairs()))
    (system,) = butler.query_dimension_records("visit_system")
    assert (system.id, system.name) == (5, "pairs")
    assert report.inserted["visit_definition"] == 2
    (visit,) = butler.query_dimension_records("visit", instrument=kit.name)
    one, two = butler.query_dimension_records("exposure", instrument=kit.name, where=f"exposure IN ({FIRST}, {SECOND})")
    assert visit.exposure_time == 60
    assert visit.timespan == Timespan(one.timespan.begin, two.timespan.end)
    assert (visit.timespan.end - visit.timespan.begin - TimeDelta(96, format="sec")).sec == pytest.approx(0, abs=1e-6)
    for record in (one, two):
        assert visit.region.contains(UnitVector3d(*unit_vectors(record.tracking_ra, record.tracking_dec).tolist()))
    # Half a degree apart: a detector's region reaches over both of its places.
    (region,) = butler.query_dimension_records("visit_detector_region", instrument=kit.name, detector=50)
    for record in (one, two):
        pointing = Pointing(record.tracking_ra, record.tracking_dec, record.sky_angle, kit.camera.sky_parity)
        centre = pointing.pixel_to_sky(kit.camera, 50, 1023.5, 2087.5)
        assert region.region.contains(UnitVector3d(*unit_vectors(*centre).tolist()))


def test_exposures_of_different_filters_are_no_visit(butler, kit):
    (record,) = butler.query_dimension_records("exposure", instrument=kit.name, exposure=SECOND)
    changed = record.toDict() | {"physical_filter": "HSC-I"}
    butler.registry.syncDimensionData("exposure", changed, update=True)
    words = f"exposures of visit 7 have different filters: {FIRST} HSC-R, {SECOND} HSC-I"
    with pytest.raises(HarnessError, match=words):
        define_visits(butler, kit, grouping=pairs(7))
    assert not any(state(butler, *visits.ELEMENTS, "visit_system").values())


def test_instruments_that_visits_cannot_be_defined_for(butler, kit, tmp_path):
    (record,) = butler.query_dimension_records("instrument", instrument=kit.name)
    butler.registry.syncDimensionData("instrument", record.toDict() | {"visit_system": 7}, update=True)
    with pytest.raises(HarnessError, match=r"HSC is registered with visit system 7 \(known: 0 \(one-to-one\)"):
        define_visits(butler, kit)
    butler.registry.syncDimensionData("instrument", record.toDict(), update=True)
    fewer = kit.camera.model_copy(update={"detectors": kit.camera.detectors[:-1]})
    fewer.__dict__.pop("_by_id", None)
    with pytest.raises(HarnessError, match="detector 111 of HSC is registered, but its camera has none"):
        define_visits(butler, dataclasses.replace(kit, make_camera=lambda scale: fewer))
    config = Butler.makeRepo(str(tmp_path / "empty"))
    with (
        Butler.from_config(config, writeable=True) as empty,
        pytest.raises(HarnessError, match="HSC is not registered"),
    ):
        define_visits(empty, kit)


def test_stage(repo, kit, dataset, tmp_path):
    messages: list[str] = []
    context = StageContext(repo, tmp_path / "outputs", {}, dataset, kit, None, {}, messages.append)
    facts = visits.run(context)
    assert json.loads(json.dumps(facts)) == facts
    assert facts["defined"] == [FIRST, SECOND]
    assert facts["skipped"] == {str(DARK): "cannot see the sky", str(LOST): "no sky_angle"}
    assert messages == [f"visits of {kit.name} (one-to-one): 2 defined, 2 exposures left out"]


def test_command(repo, kit, harness_command):
    done = harness_command(repo, kit.name, "--where", f"exposure = {FIRST}")
    assert done.output.splitlines() == ["visits of HSC (one-to-one): 1 defined"]
    done = harness_command(repo)
    assert done.exit_code == 0
    assert done.output.splitlines() == [
        "visits of HSC (one-to-one): 1 defined, 1 unchanged, 2 exposures left out",
        f"  exposure {DARK}: cannot see the sky",
        f"  exposure {LOST}: no sky_angle",
    ]
    assert "2 unchanged" in harness_command(repo, "--exposure", FIRST, "--exposure", SECOND, "HSC").output


def test_command_updates(repo, kit, harness_command):
    harness_command(repo)
    with Butler.from_config(str(repo), writeable=True) as butler:
        (record,) = butler.query_dimension_records("exposure", instrument=kit.name, exposure=FIRST)
        butler.registry.syncDimensionData("exposure", record.toDict() | {"target_name": "elsewhere"}, update=True)
    done = harness_command(repo)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"harness: visit {FIRST} of HSC is defined with other values: target_name is")
    assert done.stderr.count("\n") == 1
    assert "1 unchanged, 1 updated" in harness_command(repo, "--update").output


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["HCS"], "unknown instrument 'HCS' (did you mean 'HSC'?)"),
        (["--where", "banana = 3"], "exposures of HSC cannot be chosen by 'banana = 3': Unrecognized identifier"),
        (["--collections", "nowhere"], "exposures of HSC cannot be chosen by nowhere: No collection with name"),
        (["--grouping", "by-counter"], "unknown visit grouping 'by-counter'"),
        (["--exposure", "77"], "1 of 1 exposures of HSC are not in the repository: 77"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_command_says_what_it_cannot_do(repo, harness_command, words, says):
    done = harness_command(repo, *words)
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert says in done.stderr


def test_command_without_any_instrument(tmp_path, harness_command):
    Butler.makeRepo(str(tmp_path / "empty"))
    done = harness_command(tmp_path / "empty")
    assert done.exit_code == 2
    assert "no instrument of" in done.stderr
    assert "none is registered" in done.stderr


@pytest.fixture
def harness_command():
    from click.testing import CliRunner

    from harness.cli.main import main

    return lambda *words: CliRunner().invoke(main, ["define-visits", *map(str, words)])
