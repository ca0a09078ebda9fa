"""Measurement of objects on coadds: with positions of the band's own, and forced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from lsst.pipe.base import PipelineTask, PipelineTaskConfig, PipelineTaskConnections, Struct, connectionTypes

from . import names
from .characterize import measure
from .detection import coadd_psf

if TYPE_CHECKING:
    from astropy.table import Table
    from lsst.images import MaskedImage

__all__ = [
    "ForcedPhotCoaddConfig",
    "ForcedPhotCoaddConnections",
    "ForcedPhotCoaddTask",
    "MeasureConfig",
    "MeasureConnections",
    "MeasureTask",
]

_PATCH = ("skymap", "tract", "patch")
_COADD = (*_PATCH, "band")


class _CoaddMeasurementConnections(PipelineTaskConnections, dimensions=_COADD):
    """What both kinds of measurement read."""

    coadd = connectionTypes.Input(
        doc="Coadd with its PSF.",
        name=names.COADD,
        storageClass="MaskedImageV2",
        dimensions=_COADD,
    )
    objects = connectionTypes.Input(
        doc="Merged detections.",
        name=names.OBJECT_PEAK,
        storageClass="ArrowAstropy",
        dimensions=_PATCH,
    )


class MeasureConnections(_CoaddMeasurementConnections, dimensions=_COADD):
    """Inputs and outputs of `MeasureTask`."""

    measurements = connectionTypes.Output(
        doc="Measurements with positions of the band's own.",
        name=names.UNFORCED,
        storageClass="ArrowAstropy",
        dimensions=_COADD,
    )


class MeasureConfig(PipelineTaskConfig, pipelineConnections=MeasureConnections):
    """Configuration of `MeasureTask`."""


class MeasureTask(PipelineTask):
    """Measure positions, shapes and fluxes in one band."""

    ConfigClass = MeasureConfig
    _DefaultName = "measure"

    def run(self, *, coadd: MaskedImage, objects: Table) -> Struct:
        """Measure objects.

        Parameters
        ----------
        coadd : `lsst.images.MaskedImage`
            Coadd (nJy).
        objects : `astropy.table.Table`
            Merged detections.

        Returns
        -------
        result : `lsst.pipe.base.Struct`
            ``measurements`` (`astropy.table.Table`), one row per object: see `measured`.
        """
        return Struct(measurements=measured(coadd, objects, refine=True))


class ForcedPhotCoaddConnections(_CoaddMeasurementConnections, dimensions=_COADD):
    """Inputs and outputs of `ForcedPhotCoaddTask`."""

    measurements = connectionTypes.Output(
        doc="Measurements at the merged positions.",
        name=names.FORCED,
        storageClass="ArrowAstropy",
        dimensions=_COADD,
    )


class ForcedPhotCoaddConfig(PipelineTaskConfig, pipelineConnections=ForcedPhotCoaddConnections):
    """Configuration of `ForcedPhotCoaddTask`."""


class ForcedPhotCoaddTask(PipelineTask):
    """Measure fluxes at the merged positions, detected in the band or not."""

    ConfigClass = ForcedPhotCoaddConfig
    _DefaultName = "forcedPhotCoadd"

    def run(self, *, coadd: MaskedImage, objects: Table) -> Struct:
        """Measure fluxes.

        Parameters
        ----------
        coadd : `lsst.images.MaskedImage`
            Coadd (nJy).
        objects : `astropy.table.Table`
            Merged detections.

        Returns
        -------
        result : `lsst.pipe.base.Struct`
            ``measurements`` (`astropy.table.Table`), one row per object: see `measured`.
        """
        return Struct(measurements=measured(coadd, objects, refine=False))


def measured(coadd: MaskedImage, objects: Table, *, refine: bool) -> Table:
    """Measure objects on a coadd.

    Parameters
    ----------
    coadd : `lsst.images.MaskedImage`
        Coadd with its PSF in the metadata.
    objects : `astropy.table.Table`
        Merged detections.
    refine : `bool`
        Whether positions are refined first.

    Returns
    -------
    table : `astropy.table.Table`
        ``id``, ``x``, ``y`` (pixels of the tract), ``coord_ra``, ``coord_dec`` (degrees), ``psfFlux``, ``apFlux``
        with errors (nJy), moments (pixels²) and flags.
    """
    from astropy import units
    from astropy.table import Table

    empty = coadd.mask.get("NO_DATA")
    start = coadd.bbox.start
    x, y = np.asarray(objects["x"]) - start.x, np.asarray(objects["y"]) - start.y
    p = measure(coadd.image.array, coadd.variance.array, empty, x, y, coadd_psf(coadd), refine=refine)
    sky = coadd.sky_projection.pixel_to_sky_transform.apply_forward(x=p.x + start.x, y=p.y + start.y)
    columns: dict[str, Any] = {
        "id": np.asarray(objects["id"]),
        "x": p.x + start.x,
        "y": p.y + start.y,
        "coord_ra": np.degrees(np.asarray(sky.x)) % 360.0,
        "coord_dec": np.degrees(np.asarray(sky.y)),
        "psfFlux": p.flux,
        "psfFluxErr": p.error,
        "apFlux": p.aperture,
        "apFluxErr": p.aperture_error,
        "ixx": p.xx,
        "iyy": p.yy,
        "ixy": p.xy,
        "psfFlux_flag": p.masked | ~np.isfinite(p.flux),
        "centroid_flag": p.centroid_failed,
    }
    iy, ix = (np.clip(np.rint(v).astype(np.int64), 0, n - 1) for v, n in zip((p.y, p.x), empty.shape, strict=True))
    columns["pixelFlags_saturated"] = coadd.mask.get("SATURATED")[iy, ix]
    columns["pixelFlags_clipped"] = coadd.mask.get("CLIPPED")[iy, ix]
    table = Table(columns)
    for unit, names_ in (
        (units.pix, ("x", "y")),
        (units.deg, ("coord_ra", "coord_dec")),
        (units.nJy, ("psfFlux", "psfFluxErr", "apFlux", "apFluxErr")),
        (units.pix**2, ("ixx", "iyy", "ixy")),
    ):
        for name in names_:
            table[name].unit = unit
    return table
