"""The object tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

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
from .consolidate import stacked

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = [
    "ConsolidateObjectTableConfig",
    "ConsolidateObjectTableConnections",
    "ConsolidateObjectTableTask",
    "TransformObjectTableConfig",
    "TransformObjectTableConnections",
    "TransformObjectTableTask",
]

_PATCH = ("skymap", "tract", "patch")
_COADD = (*_PATCH, "band")

FORCED_COLUMNS = ("psfFlux", "psfFluxErr", "apFlux", "apFluxErr", "psfFlux_flag", "pixelFlags_saturated")
"""Columns of the forced measurements that the object table has for each band."""

UNFORCED_COLUMNS = ("ixx", "iyy", "ixy", "centroid_flag")
"""Columns of the band's own measurements that it has."""


class TransformObjectTableConnections(PipelineTaskConnections, dimensions=_PATCH):
    """Inputs and outputs of `TransformObjectTableTask`."""

    objects = connectionTypes.Input(
        doc="Merged detections.",
        name=names.OBJECT_PEAK,
        storageClass="ArrowAstropy",
        dimensions=_PATCH,
    )
    unforced = connectionTypes.Input(
        doc="Measurements with the bands' own positions.",
        name=names.UNFORCED,
        storageClass="ArrowAstropy",
        dimensions=_COADD,
        multiple=True,
        deferLoad=True,
    )
    forced = connectionTypes.Input(
        doc="Measurements at the merged positions.",
        name=names.FORCED,
        storageClass="ArrowAstropy",
        dimensions=_COADD,
        multiple=True,
        deferLoad=True,
    )
    object_patch = connectionTypes.Output(
        doc="Objects of the patch.",
        name=names.OBJECT_PATCH,
        storageClass="ArrowAstropy",
        dimensions=_PATCH,
    )


class TransformObjectTableConfig(PipelineTaskConfig, pipelineConnections=TransformObjectTableConnections):
    """Configuration of `TransformObjectTableTask`."""


class TransformObjectTableTask(PipelineTask):
    """Put the bands' measurements beside each other: one row per object."""

    ConfigClass = TransformObjectTableConfig
    _DefaultName = "transformObjectTable"

    def runQuantum(
        self, butlerQC: QuantumContext, inputRefs: InputQuantizedConnection, outputRefs: OutputQuantizedConnection
    ) -> None:
        """Read the bands' tables."""
        inputs = butlerQC.get(inputRefs)
        data_id = butlerQC.quantum.dataId
        outputs = self.run(
            objects=inputs["objects"],
            unforced={h.dataId["band"]: h.get() for h in inputs["unforced"]},
            forced={h.dataId["band"]: h.get() for h in inputs["forced"]},
            tract=data_id["tract"],
            patch=data_id["patch"],
        )
        butlerQC.put(outputs, outputRefs)

    def run(
        self,
        *,
        objects: Table,
        unforced: Mapping[str, Table],
        forced: Mapping[str, Table],
        tract: int,
        patch: int,
    ) -> Struct:
        """Make the table.

        Parameters
        ----------
        objects : `astropy.table.Table`
            Merged detections.
        unforced, forced : `~collections.abc.Mapping` [`str`, `astropy.table.Table`]
            Measurements by band.
        tract, patch : `int`
            Identifiers.

        Returns
        -------
        result : `lsst.pipe.base.Struct`
            ``object_patch`` (`astropy.table.Table`): ``id``, ``coord_ra``, ``coord_dec`` (degrees), ``tract``,
            ``patch``, ``detect_isPrimary``, ``refBand``, and for each band ``{band}_psfFlux`` (nJy),
            ``{band}_psfFluxErr`` … The position is that of the band in which the object is most significant.

        Raises
        ------
        ValueError
            If the tables do not hold the same objects in the same order.
        """
        from astropy.table import Table

        n = len(objects)
        bands = sorted(set(unforced) & set(forced))
        for table in (*unforced.values(), *forced.values()):
            if len(table) != n or (np.asarray(table["id"]) != np.asarray(objects["id"])).any():
                raise ValueError("measurements are not of the objects of the patch")
        ra, dec = np.array(objects["coord_ra"]), np.array(objects["coord_dec"])
        best, reference = np.full(n, 0.0), np.full(n, "", dtype="U8")
        for band in bands:
            own = unforced[band]
            with np.errstate(invalid="ignore", divide="ignore"):
                significance = np.asarray(own["psfFlux"]) / np.asarray(own["psfFluxErr"])
            take = np.nan_to_num(significance, nan=-np.inf) > best
            take &= ~np.asarray(own["centroid_flag"])
            ra[take], dec[take] = np.asarray(own["coord_ra"])[take], np.asarray(own["coord_dec"])[take]
            best[take], reference[take] = significance[take], band
        table = Table(
            {
                "id": np.asarray(objects["id"]),
                "coord_ra": ra,
                "coord_dec": dec,
                "tract": np.full(n, tract, np.int64),
                "patch": np.full(n, patch, np.int64),
                "detect_isPrimary": np.asarray(objects["detect_isPrimary"]),
                "refBand": reference,
            }
        )
        for name in ("coord_ra", "coord_dec"):
            table[name].unit = objects[name].unit
        for band in bands:
            table[f"{band}_detected"] = np.asarray(objects[f"peak_{band}"])
            for source, columns in ((forced[band], FORCED_COLUMNS), (unforced[band], UNFORCED_COLUMNS)):
                for name in columns:
                    table[f"{band}_{name}"] = np.asarray(source[name])
                    table[f"{band}_{name}"].unit = source[name].unit
        self.metadata["n_objects"] = n
        return Struct(object_patch=table)


class ConsolidateObjectTableConnections(PipelineTaskConnections, dimensions=("skymap", "tract")):
    """Inputs and outputs of `ConsolidateObjectTableTask`."""

    patches = connectionTypes.Input(
        doc="Objects of the patches.",
        name=names.OBJECT_PATCH,
        storageClass="ArrowAstropy",
        dimensions=_PATCH,
        multiple=True,
    )
    objects = connectionTypes.Output(
        doc="Objects of the tract.",
        name=names.OBJECT,
        storageClass="ArrowAstropy",
        dimensions=("skymap", "tract"),
    )


class ConsolidateObjectTableConfig(PipelineTaskConfig, pipelineConnections=ConsolidateObjectTableConnections):
    """Configuration of `ConsolidateObjectTableTask`."""


class ConsolidateObjectTableTask(PipelineTask):
    """Put the objects of a tract's patches into one table."""

    ConfigClass = ConsolidateObjectTableConfig
    _DefaultName = "consolidateObjectTable"

    def run(self, *, patches: Sequence[Table]) -> Struct:
        """Stack the tables.

        Parameters
        ----------
        patches : `~collections.abc.Sequence` [`astropy.table.Table`]
            Objects by patch.

        Returns
        -------
        result : `lsst.pipe.base.Struct`
            ``objects`` (`astropy.table.Table`), ordered by identifier.
        """
        return Struct(objects=stacked(patches, "id"))
