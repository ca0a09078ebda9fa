"""A small real repository with one of everything, made in a second: used by the tests of transfer and rerun."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import astropy.time
import astropy.units as u
from astropy.table import Table
from lsst.daf.butler import Butler, CollectionType, DatasetRef, DatasetType, FileDataset, Timespan
from lsst.pipe.base import Instrument
from lsst.sphgeom import ConvexPolygon, LonLat, UnitVector3d

NAME = "Mini"
DETECTORS = (0, 1)
EXPOSURES = (101, 102, 103)
BEGIN = astropy.time.Time("2024-03-01T04:00:00", scale="tai")
SPLIT = astropy.time.Time("2024-03-01T06:00:00", scale="tai")
DAY_OBS = 20240301


class MiniInstrument(Instrument):
    """An instrument with two detectors and two filters."""

    def __init__(self, collection_prefix: str | None = None) -> None:
        super().__init__(collection_prefix)

    @classmethod
    def getName(cls) -> str:
        return NAME

    @property
    def filterDefinitions(self) -> Any:
        raise NotImplementedError

    def getRawFormatter(self, dataId: Any) -> Any:
        raise NotImplementedError

    def register(self, registry: Any, *, update: bool = False) -> None:
        with registry.transaction():
            registry.syncDimensionData(
                "instrument",
                {
                    "name": NAME,
                    "class_name": f"{type(self).__module__}.{type(self).__name__}",
                    "detector_max": 10,
                    "visit_max": 1000,
                    "exposure_max": 1000,
                    "visit_system": 0,
                },
                update=update,
            )
            for id_ in DETECTORS:
                record = {"instrument": NAME, "id": id_, "full_name": f"R{id_}", "purpose": "SCIENCE", "raft": "R"}
                registry.syncDimensionData("detector", record, update=update)
            for band in "gr":
                record = {"instrument": NAME, "name": f"Mini-{band}", "band": band}
                registry.syncDimensionData("physical_filter", record, update=update)


def box(ra: float, dec: float, half: float = 0.1) -> ConvexPolygon:
    """A spherical box (degrees)."""
    corners = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    points = (LonLat.fromDegrees(ra + half * x, dec + half * y) for x, y in corners)
    return ConvexPolygon([UnitVector3d(p) for p in points])


def insert_records(butler: Butler) -> None:
    """Insert the records of an instrument, three visits of one exposure each and a sky map."""
    registry = butler.registry
    MiniInstrument().register(registry)
    night = Timespan(BEGIN - 12 * u.hour, BEGIN + 12 * u.hour)
    registry.insertDimensionData("day_obs", {"instrument": NAME, "id": DAY_OBS, "timespan": night})
    registry.insertDimensionData("visit_system", {"instrument": NAME, "id": 0, "name": "one-to-one"})
    for i, id_ in enumerate(EXPOSURES):
        begin = BEGIN + i * u.hour
        common = {
            "instrument": NAME,
            "day_obs": DAY_OBS,
            "physical_filter": "Mini-g" if i < 2 else "Mini-r",
            "exposure_time": 30.0,
            "target_name": "field",
            "science_program": "test",
            "observation_reason": "science",
            "zenith_angle": float("nan") if i == 0 else 20.0 + i,
            "azimuth": 10.0,
            "timespan": Timespan(begin, begin + 30 * u.s),
        }
        registry.insertDimensionData("group", {"instrument": NAME, "name": f"group{id_}"})
        registry.insertDimensionData(
            "exposure",
            {
                **common,
                "id": id_,
                "obs_id": f"M{id_}",
                "group": f"group{id_}",
                "dark_time": 31.0,
                "observation_type": "science",
                "seq_num": i,
                "seq_start": i,
                "seq_end": i,
                "tracking_ra": 10.0,
                "tracking_dec": float(i),
                "sky_angle": 0.0,
                "has_simulated": True,
                "can_see_sky": True,
            },
        )
        visit = {**common, "id": id_, "name": f"M{id_}", "seq_num": i, "region": box(10.0, i, 0.3)}
        registry.insertDimensionData("visit", visit)
        registry.insertDimensionData("visit_definition", {"instrument": NAME, "exposure": id_, "visit": id_})
        registry.insertDimensionData("visit_system_membership", {"instrument": NAME, "visit_system": 0, "visit": id_})
        registry.insertDimensionData(
            "visit_detector_region",
            *({"instrument": NAME, "visit": id_, "detector": d, "region": box(10.0 + 0.2 * d, i)} for d in DETECTORS),
        )
    registry.insertDimensionData("skymap", {"name": "map", "hash": b"0123456789abcdef", "tract_max": 1})
    registry.insertDimensionData("tract", {"skymap": "map", "id": 0, "region": box(10.0, 1.0, 2.0)})
    registry.insertDimensionData(
        "patch",
        *(
            {"skymap": "map", "tract": 0, "id": i, "cell_x": i, "cell_y": 0, "region": box(10.0 + i, 1.0, 0.6)}
            for i in range(2)
        ),
    )


def register_type(
    butler: Butler, name: str, dimensions: set[str], storage: str, calibration: bool = False
) -> DatasetType:
    """Register and return a dataset type."""
    made = DatasetType(name, dimensions, storage, universe=butler.dimensions, isCalibration=calibration)
    butler.registry.registerDatasetType(made)
    return made


def fill(root: Path, *, files: Path) -> None:
    """Make a repository: raws, two epochs of a calibration, a tag, nested chains, catalogues, a file of two datasets.

    Parameters
    ----------
    root : `~pathlib.Path`
        The new repository.
    files : `~pathlib.Path`
        Folder for files to be ingested.
    """
    Butler.makeRepo(str(root))
    with Butler.from_config(str(root), writeable=True) as butler:
        insert_records(butler)
        register_type(butler, "raw", {"instrument", "exposure", "detector"}, "StructuredDataDict")
        bias_type = register_type(butler, "bias", {"instrument", "detector"}, "StructuredDataDict", calibration=True)
        register_type(butler, "src", {"instrument", "visit", "detector"}, "ArrowAstropy")
        register_type(butler, "notes", set(), "StructuredDataDict")
        register_type(butler, "unused", {"instrument"}, "StructuredDataDict")
        pair_type = register_type(butler, "pair", {"instrument", "detector"}, "StructuredDataDict")

        raw_run, out_run = f"{NAME}/raw/all", f"{NAME}/runs/mini/first"
        for run in (raw_run, out_run, f"{NAME}/calib/a", f"{NAME}/calib/b"):
            butler.collections.register(run)
        butler.collections.register(f"{NAME}/empty", doc="A run without datasets")
        for collection, type_ in ((f"{NAME}/calib", CollectionType.CALIBRATION), ("best", CollectionType.TAGGED)):
            butler.collections.register(collection, type_, doc=f"Some {collection}")

        sources = []
        for exposure in EXPOSURES:
            for detector in DETECTORS:
                data_id = {"instrument": NAME, "exposure": exposure, "detector": detector}
                butler.put({"e": exposure, "d": detector}, "raw", data_id, run=raw_run)
                visit_id = {"instrument": NAME, "visit": exposure, "detector": detector}
                table = Table({"id": [1, 2, 3], "flux": [1.5, float(exposure), float(detector)] * u.nJy})
                sources.append(butler.put(table, "src", visit_id, run=out_run))
        butler.put({"all": "done"}, "notes", {}, run=out_run)

        for label, span in (("a", Timespan(None, SPLIT)), ("b", Timespan(SPLIT, None))):
            refs = [
                butler.put(
                    {"level": label}, bias_type, {"instrument": NAME, "detector": d}, run=f"{NAME}/calib/{label}"
                )
                for d in DETECTORS
            ]
            butler.registry.certify(f"{NAME}/calib", refs, span)
        butler.registry.associate("best", sources[:3])

        file = files / "pair.yaml"
        file.write_text("both: 1\n")
        pair_refs = [
            DatasetRef(pair_type, butler.registry.expandDataId({"instrument": NAME, "detector": d}), run=out_run)
            for d in DETECTORS
        ]
        butler.ingest(FileDataset(str(file), pair_refs), transfer="copy")

        chains = {
            f"{NAME}/defaults": [raw_run, f"{NAME}/calib"],
            f"{NAME}/runs/mini": [out_run, f"{NAME}/defaults"],
        }
        for chain, children in chains.items():
            butler.collections.register(chain, CollectionType.CHAINED, doc=f"Chain {chain}")
            butler.collections.redefine_chain(chain, children)
