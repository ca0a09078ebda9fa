"""The dimension records of a small world, in any dimension universe.

Two instruments use the same numbers and names for different things, and so do two sky maps: what mixes them up shows.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lsst.daf.butler import Butler, DimensionRecord, DimensionUniverse

__all__ = ["BANDS", "DETECTORS", "EXPOSURES", "INSTRUMENTS", "SKYMAPS", "VISITS", "data_ids", "insert_world", "records"]

INSTRUMENTS = ("CamA", "CamB")
DETECTORS = (1, 2, 3)
EXPOSURES = (11, 12, 13, 14)
VISITS = {11: (11,), 12: (12, 13), 14: (14,)}
"""Exposures of each visit: the second one has two snaps."""

DAYS = {11: 20300101, 12: 20300101, 13: 20300101, 14: 20300102}
FILTERS = {11: "f-one", 12: "f-two", 13: "f-two", 14: "f-one"}
BANDS = {("CamA", "f-one"): "g", ("CamA", "f-two"): "r", ("CamB", "f-one"): "r", ("CamB", "f-two"): "i"}
"""The same filter name is another band in the other instrument."""

SKYMAPS = ("sky-x", "sky-y")
TRACTS = (0, 1)
PATCHES = (0, 1, 2, 3)


def insert_world(butler: Butler) -> None:
    """Insert all records into a repository."""
    for element, items in records(butler.dimensions):
        butler.registry.insertDimensionData(element, *items)


@lru_cache
def records(universe: DimensionUniverse) -> tuple[tuple[str, list[DimensionRecord]], ...]:
    """Make the records of a universe, in an order in which they can be inserted.

    Parameters
    ----------
    universe : `lsst.daf.butler.DimensionUniverse`
        Elements and fields that it does not have are left out.

    Returns
    -------
    records : `tuple` [`tuple` [`str`, `list` [`lsst.daf.butler.DimensionRecord`]]]
        Name of a dimension element, and its records.
    """
    values: dict[str, list[dict[str, Any]]] = {}
    for number, name in enumerate(INSTRUMENTS):
        for element, items in _instrument(name, number).items():
            values.setdefault(element, []).extend(items)
    for number, name in enumerate(SKYMAPS):
        for element, items in _skymap(name, number).items():
            values.setdefault(element, []).extend(items)
    values["subfilter"] = [{"band": band, "id": i} for band in sorted({*BANDS.values()}) for i in (0, 1)]
    values["ssp_hypothesis_table"] = [{"name": "table"}]
    values["ssp_hypothesis_bundle"] = [{"ssp_hypothesis_table": "table", "id": i} for i in (1, 2)]
    values["ssp_balanced_index"] = [{"ssp_hypothesis_table": "table", "id": i} for i in (1, 2)]
    found = []
    for element in universe.elements:
        if element.name in values and element.has_own_table:
            known = {*element.RecordClass.fields.names}
            wanted = [{k: v for k, v in i.items() if k in known} for i in values[element.name]]
            found.append((element.name, [element.RecordClass(**i) for i in wanted]))
    return tuple(found)


def _instrument(name: str, number: int) -> dict[str, list[dict[str, Any]]]:
    from lsst.daf.butler import Timespan

    own = {"instrument": name}
    found: dict[str, list[dict[str, Any]]] = {
        "instrument": [
            {
                "name": name,
                "visit_max": 1000,
                "exposure_max": 1000,
                "detector_max": 10,
                "visit_system": 0,
                "class_name": f"harness.contract.{name}",
            }
        ],
        "physical_filter": [
            {**own, "name": f, "band": band} for (instrument, f), band in BANDS.items() if instrument == name
        ],
        "detector": [
            {
                **own,
                "id": d,
                # the names of the other instrument's detectors are in another order
                "full_name": f"R0_S{d if not number else 4 - d}",
                "name_in_raft": f"S{d}",
                "raft": "R0",
                "purpose": "SCIENCE",
            }
            for d in DETECTORS
        ],
        "visit_system": [{**own, "id": 0, "name": "one-to-one"}, {**own, "id": 1, "name": "by-counter"}],
        "day_obs": [
            {**own, "id": day, "timespan": Timespan(instant(86400 * i), instant(86400 * (i + 1)))}
            for i, day in enumerate(sorted({*DAYS.values()}))
        ],
        "group": [{**own, "name": f"group-{e}"} for e in EXPOSURES],
        "exposure": [],
        "visit": [],
        "visit_definition": [],
        "visit_system_membership": [],
        "visit_detector_region": [],
    }
    for e in EXPOSURES:
        begin = 86400 * (DAYS[e] - 20300101) + 100 * e
        common = {
            **own,
            "id": e,
            "physical_filter": FILTERS[e],
            "day_obs": DAYS[e],
            "seq_num": e + 10 * number,
            "exposure_time": 30.0,
            "target_name": f"target {e}",
            "science_program": "contract",
            "observation_reason": "science",
            "zenith_angle": 10.5,
            "azimuth": 200.25,
        }
        found["exposure"].append(
            {
                **common,
                "obs_id": f"{name}_{e}",
                "group": f"group-{e}",
                "group_name": f"group-{e}",
                "group_id": e,
                "dark_time": 31.5,
                "observation_type": "science",
                "seq_start": 1,
                "seq_end": 99,
                "tracking_ra": 40.0 + e,
                "tracking_dec": -10.0,
                "sky_angle": 0.5,
                "has_simulated": True,
                "can_see_sky": True,
                "timespan": Timespan(instant(begin), instant(begin + 30)),
            }
        )
        if e in VISITS:
            last = VISITS[e][-1]
            end = begin + 100 * (last - e) + 30
            found["visit"].append(
                {
                    **common,
                    "name": f"{name}-v{e}",
                    "exposure_time": 30.0 * len(VISITS[e]),
                    "visit_system": 0,
                    "timespan": Timespan(instant(begin), instant(end)),
                    "region": _box(40.0 + 0.2 * (e - 11), -10.0 + 5 * number, 0.18, 0.18),
                }
            )
            found["visit_definition"] += [{**own, "visit": e, "exposure": x} for x in VISITS[e]]
            systems = (0, 1) if len(VISITS[e]) == 1 else (1,)
            found["visit_system_membership"] += [{**own, "visit": e, "visit_system": s} for s in systems]
            found["visit_detector_region"] += [
                {
                    **own,
                    "visit": e,
                    "detector": d,
                    "region": _box(40.0 + 0.2 * (e - 11) + 0.06 * (d - 1), -10.0 + 5 * number, 0.06, 0.18),
                }
                for d in DETECTORS
            ]
    return found


def _skymap(name: str, number: int) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {
        "skymap": [
            {
                "name": name,
                "hash": bytes([number + 1] * 20),
                "tract_max": len(TRACTS),
                "patch_nx_max": 2,
                "patch_ny_max": 2,
            }
        ],
        "tract": [],
        "patch": [],
    }
    for tract in TRACTS:
        lon, lat = 40.0 + 0.4 * tract, -10.05 + 5 * number
        found["tract"].append({"skymap": name, "id": tract, "region": _box(lon, lat, 0.4, 0.4)})
        for patch in PATCHES:
            x, y = patch % 2, patch // 2
            found["patch"].append(
                {
                    "skymap": name,
                    "tract": tract,
                    "id": patch,
                    "cell_x": x,
                    "cell_y": y,
                    "region": _box(lon + 0.2 * x, lat + 0.2 * y, 0.2, 0.2),
                }
            )
    return found


def instant(seconds: float) -> Any:
    """Return a time (TAI) after the first evening."""
    from astropy.time import Time, TimeDelta

    return Time("2030-01-01T12:00:00", scale="tai") + TimeDelta(seconds, format="sec")


def _box(lon: float, lat: float, width: float, height: float) -> Any:
    """Return a quadrangle on the sky (degrees)."""
    from lsst.sphgeom import ConvexPolygon, LonLat, UnitVector3d

    corners = [(lon, lat), (lon + width, lat), (lon + width, lat + height), (lon, lat + height)]
    return ConvexPolygon([UnitVector3d(LonLat.fromDegrees(x, y)) for x, y in corners])


def data_ids(dimensions: Any) -> list[dict[str, Any]]:
    """List full data IDs of the world for a dimension group: required and implied values.

    Parameters
    ----------
    dimensions : `lsst.daf.butler.DimensionGroup`
        Any group without sky pixels; elements that the world has no records of lead to nothing.

    Returns
    -------
    data_ids : `list` [`dict`]
        All data IDs whose values belong together: a visit with its exposures, an exposure with its filter.
    """
    names = {*dimensions.names}
    rows: list[dict[str, Any]] = [{}]

    def cross(options: list[dict[str, Any]]) -> None:
        nonlocal rows
        rows = [{**r, **o} for r in rows for o in options if all(r.get(k, v) == v for k, v in o.items())]

    for element, items in records(dimensions.universe):
        if element in names:
            options = []
            for item in items:
                implied = {k: getattr(item, k) for k in dimensions.universe[element].implied.names}
                options.append({**item.dataId.required, **implied})
            cross(options)
        elif element == "visit_definition" and {"visit", "exposure"} <= names:
            cross([{"instrument": i.instrument, "visit": i.visit, "exposure": i.exposure} for i in items])
        elif element == "visit_system_membership" and {"visit", "visit_system"} <= names:
            cross([{"instrument": i.instrument, "visit": i.visit, "visit_system": i.visit_system} for i in items])
    if "band" in names and not any("band" in r for r in rows):
        cross([{"band": b} for b in sorted({*BANDS.values()})])
    return [r for r in rows if set(r) >= names]
