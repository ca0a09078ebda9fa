"""Resampling of visits onto the patches of a sky map."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
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

from . import names
from .pixels import fill
from .planes import UNUSABLE, VISIT_SCHEMA
from .resample import Resampled, resample
from .sources import Floats

if TYPE_CHECKING:
    from lsst.images import VisitImage

    from ..sky.skymaps import PatchGrid, SkyMapDefinition

__all__ = ["MakeDirectWarpConfig", "MakeDirectWarpConnections", "MakeDirectWarpTask"]

_PATCH = ("skymap", "tract", "patch")
_PLANES = tuple(VISIT_SCHEMA.descriptions)


class MakeDirectWarpConnections(PipelineTaskConnections, dimensions=(*_PATCH, "instrument", "visit")):
    """Inputs and outputs of `MakeDirectWarpTask`."""

    visit_images = connectionTypes.Input(
        doc="Calibrated images of the detectors that overlap the patch.",
        name=names.VISIT_IMAGE,
        storageClass="VisitImage",
        dimensions=("instrument", "visit", "detector"),
        multiple=True,
        deferLoad=True,
    )
    sky_map = connectionTypes.Input(
        doc="Sky map.",
        name=names.SKY_MAP,
        storageClass="HarnessSkyMap",
        dimensions=("skymap",),
    )
    warp = connectionTypes.Output(
        doc="The visit on the grid of the patch.",
        name=names.WARP,
        storageClass="MaskedImageV2",
        dimensions=(*_PATCH, "instrument", "visit"),
    )


class MakeDirectWarpConfig(PipelineTaskConfig, pipelineConnections=MakeDirectWarpConnections):
    """Configuration of `MakeDirectWarpTask`."""


class MakeDirectWarpTask(PipelineTask):
    """Resample a visit's detectors onto the grid of a patch."""

    ConfigClass = MakeDirectWarpConfig
    _DefaultName = "makeDirectWarp"

    def runQuantum(
        self, butlerQC: QuantumContext, inputRefs: InputQuantizedConnection, outputRefs: OutputQuantizedConnection
    ) -> None:
        """Read one detector after the other."""
        inputs = butlerQC.get(inputRefs)
        data_id = butlerQC.quantum.dataId
        handles = sorted(inputs["visit_images"], key=lambda h: h.dataId["detector"])
        outputs = self.run(
            visit_images=(h.get() for h in handles),
            sky_map=inputs["sky_map"],
            tract=data_id["tract"],
            patch=data_id["patch"],
            visit=data_id["visit"],
        )
        butlerQC.put(outputs, outputRefs)

    def run(
        self,
        *,
        visit_images: Iterable[VisitImage],
        sky_map: SkyMapDefinition,
        tract: int,
        patch: int,
        visit: int,
    ) -> Struct:
        """Make the warp.

        Parameters
        ----------
        visit_images : `~collections.abc.Iterable` [`lsst.images.VisitImage`]
            Images of the visit, by detector.
        sky_map : `~harness.sky.skymaps.SkyMapDefinition`
            Sky map.
        tract, patch, visit : `int`
            Identifiers.

        Returns
        -------
        result : `lsst.pipe.base.Struct`
            ``warp`` (`lsst.images.MaskedImage`, nJy), on the grid of the patch binned as the images are.

        Raises
        ------
        NoWorkFound
            If no detector reaches the patch.
        """
        from astropy import units
        from lsst.images import Image, MaskedImage

        grid = None
        sigmas: list[tuple[int, float]] = []
        for visit_image in visit_images:
            if grid is None:
                scale = int(visit_image.metadata["SIMSCALE"])
                grid = sky_map.grid(tract, patch, scale)
                image, variance = (np.zeros(grid.outer.shape, np.float32) for _ in range(2))
                valid = np.zeros(grid.outer.shape, bool)
                masks = np.zeros((len(_PLANES), *grid.outer.shape), bool)
            part = _resampled(visit_image, grid)
            if part is None:
                continue
            here = (part.rows, part.columns)
            new = part.valid & ~valid[here]
            image[here][new] = part.image[new]
            variance[here][new] = part.variance[new]
            masks[:, *here][:, new] = part.masks[:, new]
            valid[here] |= new
            stats = visit_image.summary_stats
            sigmas.append((int(new.sum()), stats.psfSigma * stats.pixelScale / grid.pixel_arcsec))
        if grid is None or not sigmas:
            raise NoWorkFound(f"no detector of visit {visit} reaches tract {tract}, patch {patch}")
        masks[_PLANES.index("NO_DATA")] |= ~valid
        warp = MaskedImage(
            Image(image, bbox=grid.outer, unit=units.nJy, sky_projection=grid.projection),
            mask_schema=VISIT_SCHEMA,
            variance=Image(variance, bbox=grid.outer, unit=units.nJy**2),
            metadata={
                "VISIT": visit,
                "SIMSCALE": scale,
                "N_DETECTORS": len(sigmas),
                "PSF_SIGMA": float(np.average([s for _, s in sigmas], weights=[n + 1 for n, _ in sigmas])),
            },
        )
        for plane, mask in zip(_PLANES, masks, strict=True):
            warp.mask.set(plane, mask)
        self.metadata["n_detectors"] = len(sigmas)
        self.metadata["filled_fraction"] = float(valid.mean())
        self.log.info("%d detectors fill %.1f %% of the patch", len(sigmas), 100 * valid.mean())
        return Struct(warp=warp)


def _resampled(visit_image: VisitImage, grid: PatchGrid) -> Resampled | None:
    """Resample one detector onto a patch; `None` if it does not reach it."""
    pixels = visit_image.image.array.copy()
    masks = np.stack([visit_image.mask.get(plane) for plane in _PLANES])
    # Splines ring around bad pixels: fill those first. The mask keeps them out of the coadd.
    bad = np.any([masks[_PLANES.index(p)] for p in UNUSABLE if p != "SATURATED"], axis=0)
    fill(pixels, bad)
    from_sky = visit_image.sky_projection.sky_to_pixel_transform
    to_sky = grid.projection.pixel_to_sky_transform
    start = grid.outer.start

    def mapping(x: Floats, y: Floats) -> tuple[Floats, Floats]:
        sky = to_sky.apply_forward(x=x + start.x, y=y + start.y)
        xy = from_sky.apply_forward(x=np.asarray(sky.x), y=np.asarray(sky.y))
        return np.asarray(xy.x), np.asarray(xy.y)

    ny, nx = pixels.shape
    along_x, along_y = np.linspace(-0.5, nx - 0.5, 9), np.linspace(-0.5, ny - 0.5, 9)
    edge_x = np.concatenate([along_x, along_x, np.full(9, -0.5), np.full(9, nx - 0.5)])
    edge_y = np.concatenate([np.full(9, -0.5), np.full(9, ny - 0.5), along_y, along_y])
    sky = visit_image.sky_projection.pixel_to_sky_transform.apply_forward(x=edge_x, y=edge_y)
    there = grid.projection.sky_to_pixel_transform.apply_forward(x=np.asarray(sky.x), y=np.asarray(sky.y))
    corners = (np.asarray(there.x) - start.x, np.asarray(there.y) - start.y)
    return resample(pixels, visit_image.variance.array, masks, mapping, tuple(grid.outer.shape), corners)
