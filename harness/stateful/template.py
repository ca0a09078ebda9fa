"""The repository that every random walk begins with: an instrument, and no dataset."""

from __future__ import annotations

from pathlib import Path

from .world import DIMENSIONS, INSTRUMENT

__all__ = ["DETECTORS", "EXPOSURES", "make_template"]

DETECTORS = (1, 2, 3)
EXPOSURES = (1, 2)


def make_template(path: Path) -> Path:
    """Make the repository.

    Parameters
    ----------
    path : `~pathlib.Path`
        New folder.

    Returns
    -------
    path : `~pathlib.Path`
        The same.
    """
    from astropy.time import Time, TimeDelta
    from lsst.daf.butler import Butler, DatasetType, Timespan

    Butler.makeRepo(str(path))
    with Butler.from_config(str(path), writeable=True) as butler:
        universe = butler.dimensions

        def hour(number: float) -> Time:
            return Time("2020-01-01T12:00:00", scale="tai") + TimeDelta(number * 3600, format="sec")

        records: dict[str, list[dict[str, object]]] = {
            "instrument": [
                {"name": INSTRUMENT, "detector_max": 9, "exposure_max": 9, "visit_max": 9, "class_name": ""}
            ],
            "physical_filter": [{"name": "f", "band": "r"}],
            "day_obs": [{"id": 20200101}],
            "group": [{"name": str(e)} for e in EXPOSURES],
            "detector": [{"id": d, "full_name": f"d{d}"} for d in DETECTORS],
            "exposure": [
                {
                    "id": e,
                    "obs_id": f"e{e}",
                    "physical_filter": "f",
                    "day_obs": 20200101,
                    "group": str(e),
                    "timespan": Timespan(hour(e), hour(e + 0.5)),
                }
                for e in EXPOSURES
            ],
        }
        for element, rows in records.items():
            if element in universe.elements.names:
                owner = {} if element == "instrument" else {"instrument": INSTRUMENT}
                butler.registry.insertDimensionData(element, *({**owner, **row} for row in rows))
        for name, dimensions in DIMENSIONS.items():
            if name != "made":
                butler.registry.registerDatasetType(
                    DatasetType(
                        name,
                        ("instrument", *dimensions),
                        "StructuredDataDict",
                        universe=universe,
                        isCalibration=name == "cal",
                    )
                )
    return path
