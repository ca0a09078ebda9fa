"""Detection on coadds, and what the bands make of it together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import sep
from lsst.pex.config import ListField, RangeField
from lsst.pipe.base import (
    AlgorithmError,
    AnnotatedPartialOutputsError,
    InputQuantizedConnection,
    OutputQuantizedConnection,
    PipelineTask,
    PipelineTaskConfig,
    PipelineTaskConnections,
    QuantumContext,
    Struct,
    connectionTypes,
)
from scipy.spatial import cKDTree

from . import names
from .characterize import Psf, measure_psf
from .identifiers import SkyMapPacker
from .sources import detect, psf_photometry, windowed_positions

if TYPE_CHECKING:
    from astropy.table import Table
    from lsst.images import MaskedImage

    from ..sky.skymaps import SkyMapDefinition

__all__ = [
    "CoaddPsfError",
    "DetectionConfig",
    "DetectionConnections",
    "DetectionTask",
    "MergeDetectionsConfig",
    "MergeDetectionsConnections",
    "MergeDetectionsTask",
    "coadd_psf",
]

_PATCH = ("skymap", "tract", "patch")
_COADD = (*_PATCH, "band")


class CoaddPsfError(AlgorithmError):
    """A coadd with too few stars to measure its PSF.

    Parameters
    ----------
    n_sources : `int`
        Sources among which stars were looked for.
    """

    def __init__(self, n_sources: int) -> None:
        super().__init__(f"too few stars among {n_sources} sources to measure the PSF of the coadd")
        self.n_sources = n_sources

    @property
    def metadata(self) -> dict[str, Any]:
        """Numbers, for the task's metadata."""
        return {"n_sources": self.n_sources}


class DetectionConnections(PipelineTaskConnections, dimensions=_COADD):
    """Inputs and outputs of `DetectionTask`."""

    coadd = connectionTypes.Input(
        doc="Coadd.",
        name=names.COADD_PREDETECTION,
        storageClass="MaskedImageV2",
        dimensions=_COADD,
    )
    output_coadd = connectionTypes.Output(
        doc="Coadd without background, with detections marked and its PSF in the metadata.",
        name=names.COADD,
        storageClass="MaskedImageV2",
        dimensions=_COADD,
    )
    peaks = connectionTypes.Output(
        doc="Detections.",
        name=names.COADD_PEAKS,
        storageClass="ArrowAstropy",
        dimensions=_COADD,
    )


class DetectionConfig(PipelineTaskConfig, pipelineConnections=DetectionConnections):
    """Configuration of `DetectionTask`."""

    threshold = RangeField[float](doc="Least significance of a source's pixels.", default=5.0, min=1.0)
    backgroundCell = RangeField[int](doc="Side of the cells of the background (pixels).", default=64, min=8)
    minPsfStars = RangeField[int](doc="Stars without which the PSF is not measured.", default=5, min=1)


class DetectionTask(PipelineTask):
    """Subtract the background of a coadd, measure its PSF, detect sources."""

    ConfigClass = DetectionConfig
    _DefaultName = "detection"
    config: DetectionConfig

    def runQuantum(
        self, butlerQC: QuantumContext, inputRefs: InputQuantizedConnection, outputRefs: OutputQuantizedConnection
    ) -> None:
        """Process one coadd; one without a PSF is left out of what follows, with the reason."""
        coadd = butlerQC.get(inputRefs)["coadd"]
        try:
            outputs = self.run(coadd=coadd, band=butlerQC.quantum.dataId["band"])
        except CoaddPsfError as failure:
            raise AnnotatedPartialOutputsError.annotate(failure, self, log=self.log) from failure
        butlerQC.put(outputs, outputRefs)

    def run(self, *, coadd: MaskedImage, band: str) -> Struct:
        """Detect sources.

        Parameters
        ----------
        coadd : `lsst.images.MaskedImage`
            Coadd (nJy).
        band : `str`
            Its band.

        Returns
        -------
        result : `lsst.pipe.base.Struct`
            ``output_coadd`` (`lsst.images.MaskedImage`) and ``peaks`` (`astropy.table.Table`): ``x``, ``y``
            (pixels of the tract), ``coord_ra``, ``coord_dec`` (degrees), ``flux``, ``fluxErr`` (nJy), ``band``, in
            order of decreasing flux.

        Raises
        ------
        CoaddPsfError
            If the PSF cannot be measured.
        """
        from astropy import units
        from astropy.table import Table
        from lsst.images import Image, MaskedImage

        image, variance = coadd.image.array, coadd.variance.array
        empty = coadd.mask.get("NO_DATA")
        noise = np.where(empty | (variance <= 0), np.float32(np.inf), variance)
        cell = self.config.backgroundCell
        subtracted = image
        detected = np.zeros_like(empty)
        for _ in range(2):
            background = sep.Background(
                np.ascontiguousarray(image), mask=empty | detected, bw=cell, bh=cell, fw=3, fh=3
            )
            subtracted = np.where(empty, 0, image - background.back()).astype(np.float32)
            sources, detected = detect(
                subtracted, np.where(empty, 1, noise).astype(np.float32), empty, self.config.threshold
            )
        x, y = np.asarray(sources["x"]), np.asarray(sources["y"])
        psf = measure_psf(subtracted, variance, empty, x, y, min_stars=self.config.minPsfStars)
        if psf is None:
            raise CoaddPsfError(len(sources))
        x, y, _ = windowed_positions(subtracted, empty, x, y, psf.sigma)
        flux, error, _ = psf_photometry(subtracted, variance, empty, x, y, psf.sigma)
        order = np.argsort(-np.nan_to_num(flux), kind="stable")
        out = MaskedImage(
            Image(subtracted, bbox=coadd.bbox, unit=coadd.unit, sky_projection=coadd.sky_projection),
            mask=coadd.mask.copy(),
            variance=coadd.variance,
            metadata={
                **coadd.metadata,
                "PSF_SIGMA": psf.sigma,
                "PSF_CORRECTION": psf.correction,
                "PSF_CORRECTION_ERROR": psf.correction_error,
                "PSF_STARS": psf.n_stars,
            },
        )
        out.mask.set("DETECTED", detected)
        x, y = x[order] + coadd.bbox.start.x, y[order] + coadd.bbox.start.y
        sky = coadd.sky_projection.pixel_to_sky_transform.apply_forward(x=x, y=y)
        peaks = Table(
            {
                "x": x,
                "y": y,
                "coord_ra": np.degrees(np.asarray(sky.x)) % 360.0,
                "coord_dec": np.degrees(np.asarray(sky.y)),
                "flux": flux[order] * psf.correction,
                "fluxErr": error[order] * psf.correction,
                "band": np.full(len(order), band),
            }
        )
        for unit, columns in (
            (units.pix, ("x", "y")),
            (units.deg, ("coord_ra", "coord_dec")),
            (units.nJy, ("flux", "fluxErr")),
        ):
            for name in columns:
                peaks[name].unit = unit
        self.metadata["n_peaks"] = len(peaks)
        self.metadata["psf_sigma"] = psf.sigma
        self.log.info("%d sources; PSF sigma %.3f pixels from %d stars", len(peaks), psf.sigma, psf.n_stars)
        return Struct(output_coadd=out, peaks=peaks)


def coadd_psf(coadd: MaskedImage) -> Psf:
    """Return the PSF that detection left in the metadata of a coadd (`~harness.drp.characterize.Psf`)."""
    m = coadd.metadata
    return Psf(float(m["PSF_SIGMA"]), float(m["PSF_CORRECTION"]), float(m["PSF_CORRECTION_ERROR"]), int(m["PSF_STARS"]))


class MergeDetectionsConnections(PipelineTaskConnections, dimensions=_PATCH):
    """Inputs and outputs of `MergeDetectionsTask`."""

    peaks = connectionTypes.Input(
        doc="Detections by band.",
        name=names.COADD_PEAKS,
        storageClass="ArrowAstropy",
        dimensions=_COADD,
        multiple=True,
        deferLoad=True,
    )
    sky_map = connectionTypes.Input(
        doc="Sky map.",
        name=names.SKY_MAP,
        storageClass="HarnessSkyMap",
        dimensions=("skymap",),
    )
    merged = connectionTypes.Output(
        doc="Detections of all bands.",
        name=names.OBJECT_PEAK,
        storageClass="ArrowAstropy",
        dimensions=_PATCH,
    )


class MergeDetectionsConfig(PipelineTaskConfig, pipelineConnections=MergeDetectionsConnections):
    """Configuration of `MergeDetectionsTask`."""

    priorityList = ListField[str](
        doc="Bands in the order in which their detections are taken; others follow by name.",
        default=["i", "r", "z", "y", "g", "u"],
    )
    radius = RangeField[float](
        doc="Distance (pixels) below which detections of two bands are the same object.", default=1.5, min=0.0
    )


class MergeDetectionsTask(PipelineTask):
    """Merge the detections of the bands by position, and give the objects their identifiers."""

    ConfigClass = MergeDetectionsConfig
    _DefaultName = "mergeDetections"
    config: MergeDetectionsConfig

    def runQuantum(
        self, butlerQC: QuantumContext, inputRefs: InputQuantizedConnection, outputRefs: OutputQuantizedConnection
    ) -> None:
        """Read the bands' tables."""
        inputs = butlerQC.get(inputRefs)
        data_id = butlerQC.quantum.dataId
        outputs = self.run(
            peaks={h.dataId["band"]: h.get() for h in inputs["peaks"]},
            sky_map=inputs["sky_map"],
            tract=data_id["tract"],
            patch=data_id["patch"],
            id_prefix=SkyMapPacker.from_data_id(data_id).prefix(data_id["tract"], data_id["patch"]),
        )
        butlerQC.put(outputs, outputRefs)

    def run(
        self, *, peaks: Mapping[str, Table], sky_map: SkyMapDefinition, tract: int, patch: int, id_prefix: int
    ) -> Struct:
        """Merge detections.

        Parameters
        ----------
        peaks : `~collections.abc.Mapping` [`str`, `astropy.table.Table`]
            Detections by band.
        sky_map : `~harness.sky.skymaps.SkyMapDefinition`
            Sky map.
        tract, patch : `int`
            Identifiers.
        id_prefix : `int`
            Upper bits of the objects' identifiers.

        Returns
        -------
        result : `lsst.pipe.base.Struct`
            ``merged`` (`astropy.table.Table`): ``id``, ``x``, ``y`` (pixels of the tract), ``coord_ra``,
            ``coord_dec`` (degrees), ``detect_isPrimary`` (whether patch and tract are the ones that the sky map
            assigns the position to), and for each band ``peak_{band}``, whether it was detected there.
        """
        from astropy import units
        from astropy.table import Table

        priority = list(self.config.priorityList)
        bands = sorted(peaks, key=lambda b: (priority.index(b) if b in priority else len(priority), b))
        xy, sky = np.zeros((0, 2)), np.zeros((0, 2))
        seen = {band: np.zeros(0, bool) for band in bands}
        for band in bands:
            table = peaks[band]
            here = np.column_stack([np.asarray(table["x"]), np.asarray(table["y"])])
            coordinates = np.column_stack([np.asarray(table["coord_ra"]), np.asarray(table["coord_dec"])])
            known = np.full(len(here), -1)
            if len(xy) and len(here):
                distance, nearest = cKDTree(xy).query(here, distance_upper_bound=self.config.radius)
                known = np.where(np.isfinite(distance), nearest, -1)
            fresh = known < 0
            for other in bands:
                seen[other] = np.concatenate([seen[other], np.full(int(fresh.sum()), other == band)])
            seen[band][known[~fresh]] = True
            xy, sky = np.concatenate([xy, here[fresh]]), np.concatenate([sky, coordinates[fresh]])
        order = np.lexsort((xy[:, 0], xy[:, 1]))
        tracts, patches = sky_map.find_patch(sky[order, 0], sky[order, 1])
        merged = Table(
            {
                "id": id_prefix + np.arange(1, len(order) + 1, dtype=np.int64),
                "x": xy[order, 0],
                "y": xy[order, 1],
                "coord_ra": sky[order, 0],
                "coord_dec": sky[order, 1],
                "detect_isPrimary": (tracts == tract) & (patches == patch),
                **{f"peak_{band}": seen[band][order] for band in sorted(bands)},
            }
        )
        for name, unit in (("x", units.pix), ("y", units.pix), ("coord_ra", units.deg), ("coord_dec", units.deg)):
            merged[name].unit = unit
        self.metadata["n_objects"] = len(merged)
        self.log.info("%d objects from %s", len(merged), ", ".join(f"{b} {len(peaks[b])}" for b in bands))
        return Struct(merged=merged)
