"""What calibrateImage writes: the visit image and the table of its sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astro_metadata_translator import ObservationInfo
from astropy import units
from astropy.table import Table
from lsst.images import BackgroundMap, Image, ObservationSummaryStats, VisitImage
from lsst.images.fields import ChebyshevField
from lsst.images.psfs import GaussianPointSpreadFunction

from ..instrument.lsst_detector import lsst_detector
from .calibration import NANOJANSKY_AB
from .pixels import chebyshev_surface
from .projections import pixel_scale

if TYPE_CHECKING:
    from lsst.images import MaskedImage

    from ..instrument.camera import Camera
    from .calibration import Calibration

__all__ = ["make_image", "make_table"]


def make_image(
    exposure: MaskedImage,
    camera: Camera,
    info: ObservationInfo,
    result: Calibration,
    *,
    band: str,
    visit: int,
    detector: int,
) -> VisitImage:
    """Make the calibrated image.

    Parameters
    ----------
    exposure : `lsst.images.MaskedImage`
        Post-ISR image (electrons).
    camera : `~harness.instrument.camera.Camera`
        Camera, binned as the image is.
    info : `astro_metadata_translator.ObservationInfo`
        Translated header.
    result : `Calibration`
        What was measured.
    band : `str`
        Band.
    visit, detector : `int`
        Identifiers.

    Returns
    -------
    image : `lsst.images.VisitImage`
        In nJy, with PSF, sky projection, background (subtracted), photometric scaling, summary statistics.
    """
    bbox, scale = exposure.bbox, result.scale
    surface = chebyshev_surface(result.background, exposure.image.array.shape)
    pixels = np.asarray((exposure.image.array - surface) * scale, np.float32)
    variance = np.asarray(exposure.variance.array * scale**2, np.float32)
    backgrounds = BackgroundMap()
    backgrounds.add(
        "standard",
        ChebyshevField(bbox, result.background * scale, unit=units.nJy),
        "Chebyshev polynomial fitted to cells without sources.",
        is_subtracted=True,
    )
    mask = exposure.mask.copy()
    mask.set("DETECTED", result.detected)
    stamp = 2 * int(np.ceil(6 * result.psf.sigma)) + 1
    return VisitImage(
        Image(pixels, bbox=bbox, unit=units.nJy),
        mask=mask,
        variance=Image(variance, bbox=bbox, unit=units.nJy**2),
        sky_projection=result.projection,
        obs_info=info,
        summary_stats=_summary(exposure, info, result, variance),
        photometric_scaling=_constant(bbox, scale, units.nJy / units.electron),
        psf=GaussianPointSpreadFunction(result.psf.sigma, bounds=bbox, stamp_size=stamp),
        detector=lsst_detector(camera, detector, visit=visit),
        aperture_corrections={"psfFlux": _constant(bbox, result.psf.correction, None)},
        backgrounds=backgrounds,
        band=band,
        metadata={
            "SIMSCALE": int(exposure.metadata["SIMSCALE"]),
            "ZERO_POINT_ERROR": float(2.5 / np.log(10) * result.scale_error / scale),
        },
    )


def make_table(result: Calibration, *, visit: int, detector: int, band: str, id_prefix: int) -> Table:
    """Make the table of sources.

    Parameters
    ----------
    result : `Calibration`
        What was measured.
    visit, detector : `int`
        Identifiers.
    band : `str`
        Band.
    id_prefix : `int`
        Upper bits of the identifiers of the sources; they are counted in the lower ones.

    Returns
    -------
    table : `astropy.table.Table`
        One row per source: ``sourceId``, ``visit``, ``detector``, ``band``, ``x``, ``y`` (pixels), ``coord_ra``,
        ``coord_dec`` (degrees), ``psfFlux``, ``apFlux`` with errors (nJy), moments (pixels²) and flags.
    """
    p, n = result.photometry, len(result.photometry.x)
    sky = result.projection.pixel_to_sky_transform.apply_forward(x=p.x, y=p.y)
    matched = np.zeros(n, bool)
    matched[result.fit.stars] = True
    table = Table(
        {
            "sourceId": id_prefix + np.arange(1, n + 1, dtype=np.int64),
            "visit": np.full(n, visit, np.int64),
            "detector": np.full(n, detector, np.int32),
            "band": np.full(n, band),
            "x": p.x,
            "y": p.y,
            "coord_ra": np.degrees(np.asarray(sky.x)) % 360.0,
            "coord_dec": np.degrees(np.asarray(sky.y)),
            "psfFlux": p.flux * result.scale,
            "psfFluxErr": p.error * result.scale,
            "apFlux": p.aperture * result.scale,
            "apFluxErr": p.aperture_error * result.scale,
            "ixx": p.xx,
            "iyy": p.yy,
            "ixy": p.xy,
            "is_star": result.is_star,
            "pixelFlags_masked": p.masked,
            "centroid_flag": p.centroid_failed,
            "calib_astrometry_used": matched,
            "calib_photometry_used": result.used,
        }
    )
    for column, unit in (
        ("x", units.pix),
        ("y", units.pix),
        ("coord_ra", units.deg),
        ("coord_dec", units.deg),
        ("psfFlux", units.nJy),
        ("psfFluxErr", units.nJy),
        ("apFlux", units.nJy),
        ("apFluxErr", units.nJy),
        ("ixx", units.pix**2),
        ("iyy", units.pix**2),
        ("ixy", units.pix**2),
    ):
        table[column].unit = unit
    return table


def _constant(bbox: Any, value: float, unit: Any) -> ChebyshevField:
    return ChebyshevField(bbox, np.array([[value]]), unit=unit)


def _summary(
    exposure: MaskedImage, info: ObservationInfo, result: Calibration, variance: Any
) -> ObservationSummaryStats:
    ny, nx = exposure.image.array.shape
    sigma, scale = result.psf.sigma, result.scale
    x = np.array([-0.5, nx - 0.5, nx - 0.5, -0.5, (nx - 1) / 2])
    y = np.array([-0.5, -0.5, ny - 0.5, ny - 0.5, (ny - 1) / 2])
    sky = result.projection.pixel_to_sky_transform.apply_forward(x=x, y=y)
    ra, dec = np.degrees(np.asarray(sky.x)) % 360.0, np.degrees(np.asarray(sky.y))
    good = ~(exposure.mask.get("BAD") | exposure.mask.get("SATURATED") | result.detected)
    noise2 = float(np.median(variance[good])) / scale**2
    area = 4 * np.pi * sigma**2
    limit = 5 * np.sqrt(area * noise2) * scale * result.psf.correction
    airmass = info.boresight_airmass
    zenith = float(np.degrees(np.arccos(1 / airmass))) if airmass and airmass >= 1 else float("nan")
    return ObservationSummaryStats(
        psfSigma=sigma,
        psfArea=area,
        psfIxx=sigma**2,
        psfIyy=sigma**2,
        psfIxy=0.0,
        ra=float(ra[4]),
        dec=float(dec[4]),
        pixelScale=pixel_scale(result.projection, (ny, nx)),
        zenithDistance=zenith,
        expTime=float(info.exposure_time.to_value(units.s)) if info.exposure_time is not None else float("nan"),
        zeroPoint=NANOJANSKY_AB - 2.5 * float(np.log10(scale)),
        skyBg=float(np.median(chebyshev_surface(result.background, (ny, nx)))),
        skyNoise=float(np.sqrt(noise2)),
        meanVar=float(np.mean(variance[good])) / scale**2,
        raCorners=tuple(float(v) for v in ra[:4]),
        decCorners=tuple(float(v) for v in dec[:4]),
        astromOffsetMean=float(np.mean(result.residual_arcsec)),
        astromOffsetStd=float(np.std(result.residual_arcsec)),
        nPsfStar=result.psf.n_stars,
        magLim=NANOJANSKY_AB - 2.5 * float(np.log10(limit)),
    )
