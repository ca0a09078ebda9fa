"""Repositories of older dimension universes: no check crashes on records that have other fields."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from astropy.time import Time
from lsst.daf.butler import Butler, DimensionConfig, Timespan
from lsst.sphgeom import ConvexPolygon, LonLat, UnitVector3d

from harness.verdicts import Verdict

RECORDS_PASS = (
    "identifiers.obs-id-unique",
    "identifiers.seq-num-unique",
    "identifiers.references-resolve",
    "time.exposure-spans",
    "time.visit-hull",
    "geometry.exposure-in-visit",
    "visits.exposures-covered",
    "visits.fields",
)


def fill(butler: Butler, name: str) -> None:
    """Two exposures with their visits, with the fields that the universe has."""
    universe, insert = butler.dimensions, butler.registry.insertDimensionData
    filters = butler.query_dimension_records("physical_filter", instrument=name, limit=1)
    insert("visit_system", {"instrument": name, "id": 0, "name": "one-to-one"})
    for number in (100, 102):
        begin = Time(f"2020-01-01T10:00:{number - 100:02d}", scale="tai")
        common = {
            "instrument": name,
            "id": number,
            "physical_filter": filters[0].name,
            "day_obs": 20200101,
            "seq_num": number,
            "exposure_time": 1.0,
            "target_name": "somewhere",
            "timespan": Timespan(begin, Time(begin.mjd + 1.5 / 86400, format="mjd", scale="tai")),
        }
        exposure = common | {"obs_id": f"e{number}", "group": str(number), "observation_type": "science"}
        exposure |= {"tracking_ra": 10.0, "tracking_dec": -5.0, "sky_angle": 0.0, "group_name": str(number)}
        corners = [LonLat.fromDegrees(10 + x, -5 + y) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
        visit = common | {"name": f"e{number}", "region": ConvexPolygon([UnitVector3d(c) for c in corners])}
        if "day_obs" in universe.elements.names:
            insert("day_obs", {"instrument": name, "id": 20200101}, skip_existing=True)
        if "group" in universe.elements.names:
            insert("group", {"instrument": name, "name": str(number)})
        for element, record in (("exposure", exposure), ("visit", visit)):
            fields = set(universe[element].schema.all.names)
            insert(element, {k: v for k, v in record.items() if k in fields})
        insert("visit_definition", {"instrument": name, "exposure": number, "visit": number})
        insert("visit_system_membership", {"instrument": name, "visit_system": 0, "visit": number})


@pytest.mark.parametrize("version", [5, 6, 7])
def test_checks_read_older_universes(version: int, tmp_path: Path, judge, kit) -> None:
    config = str(files("lsst.daf.butler") / f"configs/old_dimensions/daf_butler_universe{version}.yaml")
    repo = tmp_path / "repo"
    Butler.makeRepo(str(repo), dimensionConfig=DimensionConfig(config))
    with Butler.from_config(str(repo), writeable=True) as butler:
        kit.instrument_class().register(butler.registry)
        fill(butler, kit.name)
    results = judge(repo, kits={kit.name: kit})
    assert not {k: r.reason for k, r in results.items() if r.traceback}
    assert {k: results[k].verdict for k in RECORDS_PASS} == dict.fromkeys(RECORDS_PASS, Verdict.PASS)


def test_an_empty_repository_is_unknown_rather_than_sound(tmp_path: Path, judge) -> None:
    repo = tmp_path / "repo"
    Butler.makeRepo(str(repo))
    results = judge(repo)
    assert not {k: r.reason for k, r in results.items() if r.traceback or r.findings}
    # Of the registry itself there is something to look at: its tables, and those of them that hold regions.
    known = {k for k, r in results.items() if r.verdict is not Verdict.UNKNOWN}
    assert {k for k in known if not k.startswith("registry.")} == {"geometry.regions-sound"}
