"""Calibration of a single detector: background, PSF, astrometry, photometry."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from astro_metadata_translator import ObservationInfo
from lsst.pex.config import Field, RangeField
from lsst.pipe.base import (
    AnnotatedPartialOutputsError,
    InputQuantizedConnection,
    Instrument,
    OutputQuantizedConnection,
    PipelineTask,
    PipelineTaskConfig,
    PipelineTaskConnections,
    QuantumContext,
    Struct,
    connectionTypes,
)
from scipy import ndimage

from ..errors import HarnessError
from . import names
from .cache import shared
from .calibration import NANOJANSKY_AB, Calibration, CalibrationError
from .characterize import Photometry, measure, measure_psf
from .matching import AstrometryFit, MatchError, clipped_mean, fit_astrometry
from .pixels import chebyshev_background, chebyshev_surface
from .planes import UNUSABLE
from .projections import corrected, first_guess, pixel_scale, to_pixels
from .sources import Floats, Mask, detect
from .visit_products import make_image, make_table

if TYPE_CHECKING:
    from astropy.table import Table
    from lsst.images import MaskedImage, SkyProjection

    from ..instrument.camera import Camera

__all__ = ["CalibrateImageConfig", "CalibrateImageConnections", "CalibrateImageTask"]

_VISIT = ("instrument", "visit", "detector")


class CalibrateImageConnections(
    PipelineTaskConnections, dimensions=_VISIT, defaultTemplates={"ref": "ps1_pv3_3pi_20170110"}
):
    """Inputs and outputs of `CalibrateImageTask`."""

    exposures = connectionTypes.Input(
        doc="Post-ISR image of the visit's exposure.",
        name=names.POST_ISR,
        storageClass="MaskedImageV2",
        dimensions=("instrument", "exposure", "detector"),
        multiple=True,
    )
    camera = connectionTypes.PrerequisiteInput(
        doc="Camera geometry.",
        name=names.CAMERA,
        storageClass="HarnessCamera",
        dimensions=("instrument",),
        isCalibration=True,
        deferLoad=True,
    )
    reference_catalog = connectionTypes.PrerequisiteInput(
        doc="Reference catalogue, in shards.",
        name="{ref}",
        storageClass="ArrowAstropy",
        dimensions=("htm7",),
        multiple=True,
        deferLoad=True,
    )
    visit_image = connectionTypes.Output(
        doc="Calibrated image.",
        name=names.VISIT_IMAGE,
        storageClass="VisitImage",
        dimensions=_VISIT,
    )
    stars = connectionTypes.Output(
        doc="Sources on the image.",
        name=names.VISIT_STARS,
        storageClass="ArrowAstropy",
        dimensions=_VISIT,
    )


class CalibrateImageConfig(PipelineTaskConfig, pipelineConnections=CalibrateImageConnections):
    """Configuration of `CalibrateImageTask`."""

    packer = Instrument.make_dimension_packer_config_field()
    backgroundOrder = RangeField[int](doc="Order of the background polynomial.", default=2, min=0, max=6)
    detectionThreshold = RangeField[float](doc="Least significance of a source's pixels.", default=5.0, min=1.0)
    minPsfStars = RangeField[int](doc="Stars without which the PSF is not measured.", default=5, min=1)
    maxOffset = RangeField[float](doc="Largest error of the pointing (arcsec).", default=30.0, min=0.0)
    matchRadius = RangeField[float](
        doc="Largest distance of a match from the common shift (arcsec).", default=2.5, min=0.0
    )
    minMatches = RangeField[int](doc="Matches without which the sky projection is not fitted.", default=5, min=3)
    minSignalToNoise = RangeField[float](doc="Least signal to noise of stars used to calibrate.", default=20.0, min=3.0)
    minReferences = RangeField[int](doc="Stars without which the zero point is not fitted.", default=3, min=1)
    raiseOnFailure = Field[bool](
        doc="Fail the quantum if the image cannot be calibrated, rather than leave the detector out?", default=False
    )


class CalibrateImageTask(PipelineTask):
    """Subtract the background, measure PSF and sources, and fit sky projection and zero point to references."""

    ConfigClass = CalibrateImageConfig
    _DefaultName = "calibrateImage"
    config: CalibrateImageConfig

    def runQuantum(
        self, butlerQC: QuantumContext, inputRefs: InputQuantizedConnection, outputRefs: OutputQuantizedConnection
    ) -> None:
        """Process one detector; one that cannot be calibrated is left out of what follows, with the reason."""
        inputs = butlerQC.get(inputRefs)
        data_id = butlerQC.quantum.dataId
        try:
            outputs = self.run(
                exposure=_single(inputs["exposures"]),
                camera=shared(inputs["camera"]),
                reference_catalog=_reference(inputs["reference_catalog"]),
                band=data_id["band"],
                visit=data_id["visit"],
                detector=data_id["detector"],
                id_base=self.config.packer.apply(data_id, is_exposure=False),
                data_id=data_id,
            )
        except CalibrationError as failure:
            if self.config.raiseOnFailure:
                raise
            raise AnnotatedPartialOutputsError.annotate(failure, self, log=self.log) from failure
        butlerQC.put(outputs, outputRefs)

    def run(
        self,
        *,
        exposure: MaskedImage,
        camera: Camera,
        reference_catalog: Table,
        band: str,
        visit: int,
        detector: int,
        id_base: Any = None,
        data_id: Any = None,
    ) -> Struct:
        """Calibrate one detector.

        Parameters
        ----------
        exposure : `lsst.images.MaskedImage`
            Post-ISR image (electrons).
        camera : `~harness.instrument.camera.Camera`
            Camera, binned as the image is.
        reference_catalog : `astropy.table.Table`
            Reference sources around the detector: ``ra``, ``dec`` (degrees), ``{band}_flux`` (nJy).
        band : `str`
            Band.
        visit, detector : `int`
            Identifiers.
        id_base : `lsst.daf.butler.DimensionPacker`, optional
            Packs the data ID into the upper bits of source identifiers.
        data_id : `lsst.daf.butler.DataCoordinate`, optional
            The data ID to pack.

        Returns
        -------
        result : `lsst.pipe.base.Struct`
            ``visit_image`` (`lsst.images.VisitImage`) and ``stars`` (`astropy.table.Table`).

        Raises
        ------
        CalibrationError
            If the background, the PSF, the sky projection or the zero point cannot be measured.
        """
        column = f"{band}_flux"
        if column not in reference_catalog.colnames:
            raise CalibrationError("photometry", f"the reference catalogue has no column {column}")
        info = ObservationInfo.from_json(str(exposure.metadata["OBS_INFO"]))
        projection = first_guess(camera, detector, info, visit=visit)
        if projection is None:
            raise CalibrationError("astrometry", "the telescope was not looking at the sky")
        result = self._calibrate(exposure, projection, reference_catalog, column)
        self.metadata["psf_sigma"] = result.psf.sigma
        self.metadata["n_matched"] = len(result.fit.stars)
        self.metadata["zero_point"] = NANOJANSKY_AB - 2.5 * float(np.log10(result.scale))
        self.log.info(
            "PSF sigma %.3f pixels (%d stars); %d of %d sources matched to %.3f arcsec; zero point %.3f (%d stars)",
            result.psf.sigma,
            result.psf.n_stars,
            len(result.fit.stars),
            len(result.photometry.x),
            float(np.median(result.residual_arcsec)),
            self.metadata["zero_point"],
            result.used.sum(),
        )
        prefix = 0
        if id_base is not None:
            prefix = int(id_base.pack(data_id)) << (63 - int(id_base.maxBits))
        return Struct(
            visit_image=make_image(exposure, camera, info, result, band=band, visit=visit, detector=detector),
            stars=make_table(result, visit=visit, detector=detector, band=band, id_prefix=prefix),
        )

    def _calibrate(
        self, exposure: MaskedImage, projection: SkyProjection[Any], references: Table, column: str
    ) -> Calibration:
        image, variance = exposure.image.array, exposure.variance.array
        mask = np.zeros(image.shape, bool)
        for plane in UNUSABLE:
            mask |= exposure.mask.get(plane)
        background, subtracted, sources, detected = self._detect(image, variance, mask)
        psf = measure_psf(subtracted, variance, mask, sources["x"], sources["y"], min_stars=self.config.minPsfStars)
        if psf is None:
            raise CalibrationError("psf", "too few bright stars", n_sources=len(sources))
        photometry = measure(subtracted, variance, mask, sources["x"], sources["y"], psf)
        with np.errstate(invalid="ignore"):
            bright = photometry.flux > self.config.minSignalToNoise * photometry.error
            size = np.sqrt((photometry.xx + photometry.yy) / 2)
            is_star = np.abs(size / psf.sigma - 1) < 0.15
        good = bright & ~photometry.masked & ~photometry.centroid_failed

        scale = pixel_scale(projection, image.shape)
        expected = to_pixels(projection, references, image.shape, margin=self.config.maxOffset / scale)
        inside = np.isfinite(expected).all(axis=1)
        # The faint end of the reference catalogue only makes chance matches.
        reference_flux = np.asarray(references[column], np.float64)
        anchors = np.flatnonzero(inside & (reference_flux > 0))
        anchors = anchors[np.argsort(-reference_flux[anchors], kind="stable")][: 3 * max(int(good.sum()), 20)]
        stars = np.flatnonzero(good & is_star)
        xy = np.column_stack([photometry.x, photometry.y])
        try:
            fit = fit_astrometry(
                xy[stars],
                expected[anchors],
                max_offset=self.config.maxOffset / scale,
                radius=self.config.matchRadius / scale,
                min_matches=self.config.minMatches,
            )
        except MatchError as failure:
            raise CalibrationError(
                "astrometry", str(failure), n_stars=failure.n_stars, n_matched=failure.n_matched
            ) from failure
        fit = dataclasses.replace(fit, stars=stars[fit.stars], reference=anchors[fit.reference])
        # A galaxy's light is not what a PSF fits: only the surest stars give the zero point.
        with np.errstate(invalid="ignore"):
            sure = (np.abs(size / psf.sigma - 1) < 0.05) & (photometry.flux > 50 * photometry.error)
        factor, factor_error, used = self._zero_point(photometry, fit, reference_flux, sure)
        flags = np.zeros(len(xy), bool)
        flags[fit.stars[used]] = True
        return Calibration(
            background,
            detected,
            psf,
            photometry,
            is_star,
            fit,
            corrected(projection, fit.matrix),
            factor,
            factor_error,
            flags,
            fit.residual * scale,
        )

    def _detect(self, image: Any, variance: Any, mask: Mask) -> tuple[Floats, Any, Any, Mask]:
        """Find background and sources, each needing the other."""
        order = self.config.backgroundOrder
        try:
            background = chebyshev_background(image, mask, order=order)
            subtracted = np.asarray(image - chebyshev_surface(background, image.shape), np.float32)
            # For the background the bright pixels are enough, without the cost of detection.
            bright = subtracted > 3 * np.sqrt(variance)
            halo = ndimage.binary_dilation(bright, np.ones((3, 3), bool), iterations=2)
            background = chebyshev_background(image, mask | halo, order=order)
        except HarnessError as error:
            raise CalibrationError("background", str(error)) from error
        subtracted = np.asarray(image - chebyshev_surface(background, image.shape), np.float32)
        sources, detected = detect(subtracted, variance, mask, self.config.detectionThreshold)
        return background, subtracted, sources, detected

    def _zero_point(
        self, photometry: Photometry, fit: AstrometryFit, reference_flux: Floats, sure: Mask
    ) -> tuple[float, float, Mask]:
        flux, error = photometry.flux[fit.stars], photometry.error[fit.stars]
        truth = reference_flux[fit.reference]
        usable = (flux > 0) & np.isfinite(error) & (truth > 0) & sure[fit.stars]
        if usable.sum() < self.config.minReferences:
            raise CalibrationError("photometry", "too few stars", n_stars=int(usable.sum()))
        # In magnitudes, so that stars that are too bright and too faint by a factor count alike.
        value = np.log(truth[usable] / flux[usable])
        mean, mean_error, agreed = clipped_mean(value, error[usable] / flux[usable], floor=0.005)
        used = np.zeros(len(flux), bool)
        used[np.flatnonzero(usable)[agreed]] = True
        scale = float(np.exp(mean))
        return scale, scale * mean_error, used


def _single(exposures: Sequence[MaskedImage]) -> MaskedImage:
    """Return the only exposure of a visit."""
    if len(exposures) != 1:
        raise CalibrationError("background", f"visits of {len(exposures)} exposures are not supported")
    return exposures[0]


def _reference(handles: Sequence[Any]) -> Table:
    """Load the shards of the reference catalogue."""
    from astropy.table import vstack

    if not handles:
        raise CalibrationError("astrometry", "the reference catalogue has nothing here")
    handles = sorted(handles, key=lambda h: h.dataId["htm7"])
    return vstack([shared(h) for h in handles], metadata_conflicts="silent")
