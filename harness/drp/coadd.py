"""Which visits go into a coadd, and the coadd."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from lsst.pex.config import RangeField
from lsst.pipe.base import (
    InputQuantizedConnection,
    NoWorkFound,
    OutputQuantizedConnection,
    PipelineTask,
    PipelineTaskConfig,
    PipelineTaskConnections,
    QuantumContext,
    Struct,
    connectionTypes,
)
from numpy.typing import NDArray

from . import names
from .planes import COADD_SCHEMA, UNUSABLE
from .sources import Mask

if TYPE_CHECKING:
    from astropy.table import Table
    from lsst.images import MaskedImage

__all__ = [
    "AssembleCoaddConfig",
    "AssembleCoaddConnections",
    "AssembleCoaddTask",
    "SelectDeepCoaddVisitsConfig",
    "SelectDeepCoaddVisitsConnections",
    "SelectDeepCoaddVisitsTask",
    "combine",
]

_PATCH = ("skymap", "tract", "patch")
_COADD = (*_PATCH, "band")


class SelectDeepCoaddVisitsConnections(PipelineTaskConnections, dimensions=_COADD):
    """Inputs and outputs of `SelectDeepCoaddVisitsTask`."""

    visit_summaries = connectionTypes.Input(
        doc="Summaries of the visits that overlap the patch.",
        name=names.VISIT_SUMMARY,
        storageClass="ArrowAstropy",
        dimensions=("instrument", "visit"),
        multiple=True,
    )
    selection = connectionTypes.Output(
        doc="Weight of each visit to be coadded.",
        name=names.COADD_SELECTION,
        storageClass="StructuredDataDict",
        dimensions=_COADD,
    )


class SelectDeepCoaddVisitsConfig(PipelineTaskConfig, pipelineConnections=SelectDeepCoaddVisitsConnections):
    """Configuration of `SelectDeepCoaddVisitsTask`."""

    maxPsfRatio = RangeField[float](
        doc="Largest width of a visit's PSF, relative to the median of the visits.", default=1.5, min=1.0
    )
    maxNoiseRatio = RangeField[float](
        doc="Largest noise of a visit (calibrated), relative to the median of the visits.", default=3.0, min=1.0
    )
    maxVisits = RangeField[int](doc="Most visits that are coadded, the best ones.", default=100, min=1)


class SelectDeepCoaddVisitsTask(PipelineTask):
    """Choose visits by the width of their PSF and their noise."""

    ConfigClass = SelectDeepCoaddVisitsConfig
    _DefaultName = "selectDeepCoaddVisits"
    config: SelectDeepCoaddVisitsConfig

    def runQuantum(
        self, butlerQC: QuantumContext, inputRefs: InputQuantizedConnection, outputRefs: OutputQuantizedConnection
    ) -> None:
        """Choose among the visits with a detector on the patch."""
        tables = butlerQC.get(inputRefs)["visit_summaries"]
        butlerQC.put(self.run(visit_summaries=tables, region=butlerQC.quantum.dataId.region), outputRefs)

    def run(self, *, visit_summaries: Sequence[Table], region: Any = None) -> Struct:
        """Choose visits.

        Parameters
        ----------
        visit_summaries : `~collections.abc.Sequence` [`astropy.table.Table`]
            Summaries, one table per visit.
        region : `lsst.sphgeom.Region`, optional
            Region of the patch; detectors that lie outside it don't count.

        Returns
        -------
        result : `lsst.pipe.base.Struct`
            ``selection`` (`dict` [`str`, `float`]): weights by visit, of sum 1.

        Raises
        ------
        NoWorkFound
            If no visit is left.
        """
        found: list[tuple[int, float, float]] = []
        for table in visit_summaries:
            here = np.array([region is None or _overlaps(row, region) for row in table], bool)
            if not here.any():
                continue
            rows = table[here]
            fwhm = np.median(np.asarray(rows["psfSigma"]) * np.asarray(rows["pixelScale"]))
            # Noise per area of the sky, in units of flux.
            flux = 10 ** (-0.4 * np.asarray(rows["zeroPoint"]))
            depth = np.median(np.asarray(rows["skyNoise"]) * flux / np.asarray(rows["pixelScale"]))
            found.append((int(rows["visit"][0]), float(fwhm), float(depth)))
        if not found:
            raise NoWorkFound("no visit has a detector on the patch")
        size, noise = (np.array([f[k] for f in found]) for k in (1, 2))
        keep = (size <= self.config.maxPsfRatio * np.median(size)) & (
            noise <= self.config.maxNoiseRatio * np.median(noise)
        )
        # A point source's signal to noise goes as 1 / (noise · PSF width).
        quality = 1 / (noise * size) ** 2
        order = [i for i in np.argsort(-quality, kind="stable") if keep[i]][: self.config.maxVisits]
        weight = 1 / noise[order] ** 2
        selection = {str(found[i][0]): float(w) for i, w in zip(order, weight / weight.sum(), strict=True)}
        self.metadata["n_visits"] = len(found)
        self.metadata["n_selected"] = len(selection)
        self.log.info("%d of %d visits selected", len(selection), len(found))
        return Struct(selection=dict(sorted(selection.items())))


def _overlaps(row: Any, region: Any) -> bool:
    from lsst.sphgeom import ConvexPolygon, LonLat, UnitVector3d

    corners = [
        UnitVector3d(LonLat.fromDegrees(float(row[f"ra_corner_{k}"]), float(row[f"dec_corner_{k}"]))) for k in range(4)
    ]
    return bool(region.overlaps(ConvexPolygon(corners)))


class AssembleCoaddConnections(PipelineTaskConnections, dimensions=_COADD):
    """Inputs and outputs of `AssembleCoaddTask`."""

    warps = connectionTypes.Input(
        doc="Visits on the grid of the patch.",
        name=names.WARP,
        storageClass="MaskedImageV2",
        dimensions=(*_PATCH, "instrument", "visit"),
        multiple=True,
        deferLoad=True,
    )
    selection = connectionTypes.Input(
        doc="Visits to be coadded.",
        name=names.COADD_SELECTION,
        storageClass="StructuredDataDict",
        dimensions=_COADD,
    )
    coadd = connectionTypes.Output(
        doc="Coadd.",
        name=names.COADD_PREDETECTION,
        storageClass="MaskedImageV2",
        dimensions=_COADD,
    )
    coadd_inputs = connectionTypes.Output(
        doc="The visits that went in.",
        name=names.COADD_INPUTS,
        storageClass="ArrowAstropy",
        dimensions=_COADD,
    )


class AssembleCoaddConfig(PipelineTaskConfig, pipelineConnections=AssembleCoaddConnections):
    """Configuration of `AssembleCoaddTask`."""

    clipSigma = RangeField[float](doc="Significance of an outlier.", default=5.0, min=1.0)
    clipFraction = RangeField[float](
        doc="Part of the median that an outlier differs by as well: cores of stars differ with the seeing.",
        default=0.3,
        min=0.0,
    )
    minClipVisits = RangeField[int](doc="Visits on a pixel without which none is clipped.", default=3, min=3)


class AssembleCoaddTask(PipelineTask):
    """Average warps with the inverse of their variance as weights, without outliers."""

    ConfigClass = AssembleCoaddConfig
    _DefaultName = "assembleCoadd"
    config: AssembleCoaddConfig

    def runQuantum(
        self, butlerQC: QuantumContext, inputRefs: InputQuantizedConnection, outputRefs: OutputQuantizedConnection
    ) -> None:
        """Read the warps of the selected visits."""
        inputs = butlerQC.get(inputRefs)
        selected = set(inputs["selection"])
        handles = sorted(inputs["warps"], key=lambda h: h.dataId["visit"])
        warps = {h.dataId["visit"]: h.get() for h in handles if str(h.dataId["visit"]) in selected}
        butlerQC.put(self.run(warps=warps), outputRefs)

    def run(self, *, warps: Mapping[int, MaskedImage]) -> Struct:
        """Coadd.

        Parameters
        ----------
        warps : `~collections.abc.Mapping` [`int`, `lsst.images.MaskedImage`]
            Warps (nJy) by visit, all on the same grid.

        Returns
        -------
        result : `lsst.pipe.base.Struct`
            ``coadd`` (`lsst.images.MaskedImage`, nJy) and ``coadd_inputs`` (`astropy.table.Table`):
            ``visit``, ``weight`` (nJy⁻²), ``psf_sigma`` (pixels), ``n_pixels`` that contributed, ``n_clipped``.

        Raises
        ------
        NoWorkFound
            If there are no warps.
        """
        from astropy import units
        from astropy.table import Table
        from lsst.images import Image, MaskedImage

        if not warps:
            raise NoWorkFound("no selected visit reaches the patch")
        visits = sorted(warps)
        items = [warps[v] for v in visits]
        good = np.stack([~np.any([w.mask.get(p) for p in UNUSABLE], axis=0) for w in items])
        data = np.stack([w.image.array for w in items])
        variance = np.stack([w.variance.array for w in items])
        result = combine(
            data,
            variance,
            good,
            clip_sigma=self.config.clipSigma,
            clip_fraction=self.config.clipFraction,
            min_clip=self.config.minClipVisits,
        )
        first = items[0]
        coadd = MaskedImage(
            Image(result.image, bbox=first.bbox, unit=units.nJy, sky_projection=first.sky_projection),
            mask_schema=COADD_SCHEMA,
            variance=Image(result.variance, bbox=first.bbox, unit=units.nJy**2),
            metadata={"SIMSCALE": int(first.metadata["SIMSCALE"]), "N_VISITS": len(visits)},
        )
        saturated = np.any([w.mask.get("SATURATED") for w in items], axis=0)
        lost = np.any([~g & ~w.mask.get("NO_DATA") for g, w in zip(good, items, strict=True)], axis=0)
        for plane, where in (
            ("NO_DATA", result.count == 0),
            ("SATURATED", saturated),
            ("REJECTED", lost | result.clipped.any(axis=0)),
            ("CLIPPED", result.clipped.any(axis=0)),
        ):
            coadd.mask.set(plane, where)
        table = Table(
            {
                "visit": np.array(visits, np.int64),
                "weight": result.weights,
                "psf_sigma": np.array([float(w.metadata["PSF_SIGMA"]) for w in items]),
                "n_pixels": (good & ~result.clipped).sum(axis=(1, 2)),
                "n_clipped": result.clipped.sum(axis=(1, 2)),
            }
        )
        table["weight"].unit = units.nJy**-2
        table["psf_sigma"].unit = units.pix
        self.metadata["n_visits"] = len(visits)
        self.metadata["covered_fraction"] = float((result.count > 0).mean())
        self.log.info("%d visits cover %.1f %% of the patch", len(visits), 100 * (result.count > 0).mean())
        return Struct(coadd=coadd, coadd_inputs=table)


@dataclasses.dataclass(frozen=True)
class Combined:
    """A weighted mean of images.

    Parameters
    ----------
    image, variance : `numpy.ndarray`
        Mean and its variance, shape (ny, nx); 0 where nothing contributed.
    count : `numpy.ndarray`
        How many images contributed.
    clipped : `numpy.ndarray`
        Which pixels of which images were left out as outliers, shape (n, ny, nx).
    weights : `numpy.ndarray`
        Weight of each image, shape (n,).
    """

    image: NDArray[np.float32]
    variance: NDArray[np.float32]
    count: NDArray[np.int64]
    clipped: Mask
    weights: NDArray[np.float64]


def combine(
    data: NDArray[np.float32],
    variance: NDArray[np.float32],
    good: Mask,
    *,
    clip_sigma: float,
    clip_fraction: float,
    min_clip: int,
) -> Combined:
    """Average images without outliers.

    Parameters
    ----------
    data, variance : `numpy.ndarray`
        Images and their variances, shape (n, ny, nx).
    good : `numpy.ndarray`
        Pixels that may contribute.
    clip_sigma : `float`
        Significance of an outlier's difference from the median.
    clip_fraction : `float`
        Part of the median that the difference must exceed as well.
    min_clip : `int`
        Images on a pixel without which none is left out.

    Returns
    -------
    result : `Combined`
        Each image has one weight, the inverse of its median variance: with the pixels' own variances faint and
        bright parts of a star would be weighted unlike, and the PSF would depend on the flux.
    """
    weights = np.array([1 / np.median(v[g]) if g.any() else 0.0 for v, g in zip(variance, good, strict=True)])
    clipped = np.zeros_like(good)
    deep = good.sum(axis=0) >= min_clip
    if deep.any():
        values = np.where(good[:, deep], data[:, deep], np.nan)
        median = np.nanmedian(values, axis=0)
        limit = clip_sigma * np.sqrt(variance[:, deep]) + clip_fraction * np.abs(median)
        with np.errstate(invalid="ignore"):
            outlier = np.abs(values - median) > limit
        clipped[:, deep] = outlier & good[:, deep]
    used = good & ~clipped
    share = used * weights[:, None, None].astype(np.float32)
    total = share.sum(axis=0)
    safe = np.where(total > 0, total, 1.0)
    image = np.einsum("nij,nij->ij", share, np.where(used, data, 0.0)) / safe
    noise = np.einsum("nij,nij->ij", share**2, np.where(used, variance, 0.0)) / safe**2
    return Combined(image.astype(np.float32), noise.astype(np.float32), used.sum(axis=0), clipped, weights)
