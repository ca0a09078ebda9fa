"""Tables of whole visits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from lsst.pipe.base import (
    InputQuantizedConnection,
    OutputQuantizedConnection,
    PipelineTask,
    PipelineTaskConfig,
    PipelineTaskConnections,
    QuantumContext,
    Struct,
    connectionTypes,
)

from . import names

if TYPE_CHECKING:
    from astropy.table import Table
    from lsst.images import ObservationSummaryStats

__all__ = [
    "ConsolidateSourceTableConfig",
    "ConsolidateSourceTableConnections",
    "ConsolidateSourceTableTask",
    "ConsolidateVisitSummaryConfig",
    "ConsolidateVisitSummaryConnections",
    "ConsolidateVisitSummaryTask",
]

SUMMARY_COLUMNS = {
    "psfSigma": "pix",
    "psfArea": "pix2",
    "ra": "deg",
    "dec": "deg",
    "pixelScale": "arcsec/pix",
    "zenithDistance": "deg",
    "expTime": "s",
    "zeroPoint": "mag",
    "skyBg": "electron",
    "skyNoise": "electron",
    "meanVar": "electron2",
    "astromOffsetMean": "arcsec",
    "astromOffsetStd": "arcsec",
    "nPsfStar": "",
    "magLim": "mag",
}
"""Summary statistics that are tabulated, with their units."""


class ConsolidateVisitSummaryConnections(PipelineTaskConnections, dimensions=("instrument", "visit")):
    """Inputs and outputs of `ConsolidateVisitSummaryTask`."""

    summaries = connectionTypes.Input(
        doc="Summary statistics of the detectors' images.",
        name=f"{names.VISIT_IMAGE}.summary_stats",
        storageClass="ObservationSummaryStats",
        dimensions=("instrument", "visit", "detector"),
        multiple=True,
        deferLoad=True,
    )
    visit_summary = connectionTypes.Output(
        doc="One row per detector.",
        name=names.VISIT_SUMMARY,
        storageClass="ArrowAstropy",
        dimensions=("instrument", "visit"),
    )


class ConsolidateVisitSummaryConfig(PipelineTaskConfig, pipelineConnections=ConsolidateVisitSummaryConnections):
    """Configuration of `ConsolidateVisitSummaryTask`."""


class ConsolidateVisitSummaryTask(PipelineTask):
    """Tabulate the summary statistics of a visit's detectors."""

    ConfigClass = ConsolidateVisitSummaryConfig
    _DefaultName = "consolidateVisitSummary"

    def runQuantum(
        self, butlerQC: QuantumContext, inputRefs: InputQuantizedConnection, outputRefs: OutputQuantizedConnection
    ) -> None:
        """Read the components, by detector."""
        handles = butlerQC.get(inputRefs)["summaries"]
        data_id = butlerQC.quantum.dataId
        outputs = self.run(
            summaries={h.dataId["detector"]: h.get() for h in handles},
            visit=data_id["visit"],
            band=data_id["band"],
            physical_filter=data_id["physical_filter"],
        )
        butlerQC.put(outputs, outputRefs)

    def run(
        self, *, summaries: Mapping[int, ObservationSummaryStats], visit: int, band: str, physical_filter: str
    ) -> Struct:
        """Make the table.

        Parameters
        ----------
        summaries : `~collections.abc.Mapping` [`int`, `lsst.images.ObservationSummaryStats`]
            Statistics by detector.
        visit : `int`
            Visit.
        band, physical_filter : `str`
            Its band and filter.

        Returns
        -------
        result : `lsst.pipe.base.Struct`
            ``visit_summary`` (`astropy.table.Table`), by detector.
        """
        from astropy.table import Table

        detectors = sorted(summaries)
        stats = [summaries[d] for d in detectors]
        n = len(stats)
        columns: dict[str, Any] = {
            "visit": np.full(n, visit, np.int64),
            "detector": np.array(detectors, np.int32),
            "band": np.full(n, band),
            "physical_filter": np.full(n, physical_filter),
        }
        columns |= {name: np.array([getattr(s, name) for s in stats]) for name in SUMMARY_COLUMNS}
        for k in range(4):
            columns[f"ra_corner_{k}"] = np.array([s.raCorners[k] for s in stats])
            columns[f"dec_corner_{k}"] = np.array([s.decCorners[k] for s in stats])
        table = Table(columns)
        for name, unit in SUMMARY_COLUMNS.items():
            if unit:
                table[name].unit = unit
        return Struct(visit_summary=table)


class ConsolidateSourceTableConnections(PipelineTaskConnections, dimensions=("instrument", "visit")):
    """Inputs and outputs of `ConsolidateSourceTableTask`."""

    detector_stars = connectionTypes.Input(
        doc="Sources of the detectors.",
        name=names.VISIT_STARS,
        storageClass="ArrowAstropy",
        dimensions=("instrument", "visit", "detector"),
        multiple=True,
    )
    visit_stars = connectionTypes.Output(
        doc="Sources of the visit.",
        name=names.VISIT_STARS_ALL,
        storageClass="ArrowAstropy",
        dimensions=("instrument", "visit"),
    )


class ConsolidateSourceTableConfig(PipelineTaskConfig, pipelineConnections=ConsolidateSourceTableConnections):
    """Configuration of `ConsolidateSourceTableTask`."""


class ConsolidateSourceTableTask(PipelineTask):
    """Put the sources of a visit's detectors into one table."""

    ConfigClass = ConsolidateSourceTableConfig
    _DefaultName = "consolidateSourceTable"

    def run(self, *, detector_stars: Sequence[Table]) -> Struct:
        """Stack the tables.

        Parameters
        ----------
        detector_stars : `~collections.abc.Sequence` [`astropy.table.Table`]
            Sources by detector.

        Returns
        -------
        result : `lsst.pipe.base.Struct`
            ``visit_stars`` (`astropy.table.Table`), ordered by identifier.
        """
        return Struct(visit_stars=stacked(detector_stars, "sourceId"))


def stacked(tables: Sequence[Table], key: str) -> Table:
    """Stack tables and order them by a column of unique identifiers.

    Parameters
    ----------
    tables : `~collections.abc.Sequence` [`astropy.table.Table`]
        Tables with the same columns.
    key : `str`
        Column of identifiers.

    Raises
    ------
    ValueError
        If an identifier is there twice.
    """
    from astropy.table import vstack

    table = vstack(list(tables), metadata_conflicts="silent")
    table.meta.clear()
    table.sort(key)
    ids = np.asarray(table[key])
    if len(ids) > 1 and (np.diff(ids) == 0).any():
        raise ValueError(f"{key} {ids[:-1][np.diff(ids) == 0][0]} is not unique")
    return table
