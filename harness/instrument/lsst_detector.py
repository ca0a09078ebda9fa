"""Our camera geometry in the types of ``lsst.images``.

A detector carries the exact mappings to the focal plane and to field angles; a sky projection is a fit of them
to a TAN-SIP WCS, which is many times as fast as the optics' polynomials, can be inverted, and fits in a FITS header.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from lsst.images import Box, DetectorFrame, SkyProjection

# The only way to build a CameraFrameSet without afw: its constructor wants this wrapper of AST.
from lsst.images._transforms import _ast
from lsst.images.cameras import (
    Amplifier,
    AmplifierCalibrations,
    AmplifierRawGeometry,
    CameraFrameSet,
    Detector,
    DetectorAttributes,
    DetectorType,
    Orientation,
    ReadoutCorner,
)

from .camera import ARCSEC, PolynomialDistortion, RadialDistortion
from .pointing import Pointing

if TYPE_CHECKING:
    from astropy.wcs import WCS

    from . import camera as ours

__all__ = ["lsst_detector", "sip_wcs", "sky_projection"]

_SIP_ORDER = 6
"""Enough for HSC, the most distorted camera at hand: 2e-5 unbinned pixels, 2e-4 back; with 5, 5e-4 and 9e-4."""
_GRID = 16
"""Points along each side of the grid that the fit uses."""


def _box(rect: ours.Rect) -> Box:
    return Box.factory[rect.y0 : rect.y0 + rect.ny, rect.x0 : rect.x0 + rect.nx]


def lsst_detector(camera: ours.Camera, detector: int, visit: int | None = None) -> Detector:
    """Convert a detector.

    Parameters
    ----------
    camera : `~harness.instrument.camera.Camera`
        The camera.
    detector : `int`
        Id of the detector.
    visit : `int`, optional
        Visit whose geometry this is.

    Returns
    -------
    detector : `lsst.images.cameras.Detector`
        With a frame set of the focal plane, field angles and this detector alone: it is stored with every image.
    """
    item = camera[detector]
    attributes = DetectorAttributes(
        name=item.name,
        id=item.id,
        type=DetectorType(item.purpose.value),
        serial=item.serial,
        bbox=Box.from_shape((item.ny, item.nx)),
        orientation=Orientation(
            focal_plane_x=item.x_mm,
            focal_plane_y=item.y_mm,
            focal_plane_z=item.z_mm,
            pixel_reference_x=item.ref_x,
            pixel_reference_y=item.ref_y,
            yaw=_degrees(item.yaw_deg),
        ),
        pixel_size=item.pixel_mm,
        physical_type=item.physical_type,
    )
    amplifiers = [_amplifier(a) for a in item.amplifiers]
    return Detector(attributes, amplifiers, _frames(camera, item), visit=visit)


def _degrees(value: float) -> Any:
    from astropy import units

    return value * units.deg


def _amplifier(amplifier: ours.Amplifier) -> Amplifier:
    bbox, raw = amplifier.bbox, amplifier.raw_data
    parallel = amplifier.raw_parallel_overscan
    corner = ReadoutCorner.LL
    return Amplifier(
        name=amplifier.name,
        bbox=_box(bbox),
        readout_corner=corner.apply_flips(y=amplifier.flip_y, x=amplifier.flip_x),
        assembled_raw_geometry=AmplifierRawGeometry(
            bbox=_box(amplifier.raw_bbox),
            data_bbox=_box(raw),
            flip_x=amplifier.flip_x,
            flip_y=amplifier.flip_y,
            x_offset=0,
            y_offset=0,
            serial_overscan_bbox=_box(amplifier.raw_serial_overscan),
            parallel_overscan_bbox=_box(parallel) if parallel is not None else None,
            prescan_bbox=_box(amplifier.raw_prescan) if amplifier.raw_prescan is not None else None,
            readout_corner=corner,
        )
        if parallel is not None
        else None,
        nominal_calibrations=AmplifierCalibrations(
            gain=amplifier.gain,
            read_noise=amplifier.read_noise,
            saturation=amplifier.saturation,
            suspect_level=float("nan"),
            linearity_coefficients=np.zeros(0),
            linearity_type="PROPORTIONAL",
        ),
    )


def _frames(camera: ours.Camera, item: ours.Detector) -> CameraFrameSet:
    """Make the frame set: detector - (shift, turn) -> focal plane - (optics) -> field angle."""
    focal = _ast.Frame(2, "Ident=FOCAL_PLANE,Domain=FOCAL_PLANE,Unit(1)=mm,Unit(2)=mm")
    field = _ast.Frame(2, "Ident=FIELD_ANGLE,Domain=FIELD_ANGLE,Unit(1)=rad,Unit(2)=rad")
    name = f"DETECTOR_{item.id}"
    pixels = _ast.Frame(
        2,
        f"Ident={name},Domain={name},Unit(1)=pixel,Unit(2)=pixel,"
        f"Bottom(1)=0,Top(1)={item.nx},Bottom(2)=0,Top(2)={item.ny}",
    )
    frames = _ast.FrameSet(focal)
    frames.addFrame(_ast.FrameSet.BASE, _optics(camera.distortion, camera.plate_scale * ARCSEC), field)
    yaw = np.radians(item.yaw_deg)
    turn = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]) * item.pixel_mm
    to_focal = (
        _ast.ShiftMap([-item.ref_x, -item.ref_y]).then(_ast.MatrixMap(turn)).then(_ast.ShiftMap([item.x_mm, item.y_mm]))
    )
    frames.addFrame(_ast.FrameSet.BASE, to_focal.inverted(), pixels)
    return CameraFrameSet(camera.name, frames)


@lru_cache(maxsize=8)
def _optics(distortion: RadialDistortion | PolynomialDistortion, scale: float) -> _ast.Mapping:
    """Make the mapping from the focal plane (mm) to field angles (rad), inverted by iteration."""
    if isinstance(distortion, RadialDistortion):
        if any(distortion.coefficients[2::2]):
            raise NotImplementedError("even powers of the radius are not polynomials in x and y")
        rows = _radial_terms(distortion.coefficients, scale)
    else:
        unit, order = distortion.unit_mm, distortion.order
        powers = [(i, j) for i in range(order + 1) for j in range(order + 1 - i)]
        rows = [
            (c * scale * unit / unit ** (i + j), out + 1, i, j)
            for out, values in enumerate((distortion.x_coefficients, distortion.y_coefficients))
            for c, (i, j) in zip(values, powers, strict=True)
            if c
        ]
    return _ast.PolyMap(np.array(rows), 2, "IterInverse=1,NIterInverse=30,TolInverse=1e-12")


def _radial_terms(coefficients: tuple[float, ...], scale: float) -> list[tuple[float, int, int, int]]:
    """Expand scale · (c1 + c3 r² + c5 r⁴ …) · (x, y) into powers of x and y."""
    from math import comb

    rows = []
    for k, c in enumerate(coefficients[1::2]):
        for m in range(k + 1):
            i, j = 2 * m, 2 * (k - m)
            rows.append((c * scale * comb(k, m), 1, i + 1, j))
            rows.append((c * scale * comb(k, m), 2, i, j + 1))
    return rows


def sip_wcs(camera: ours.Camera, detector: int, pointing: Pointing) -> WCS:
    """Fit a TAN-SIP WCS to a detector's pixels on the sky.

    Parameters
    ----------
    camera : `~harness.instrument.camera.Camera`
        The camera.
    detector : `int`
        Id of the detector.
    pointing : `~harness.instrument.pointing.Pointing`
        Where the camera looks.

    Returns
    -------
    wcs : `astropy.wcs.WCS`
        Tangent at the detector's centre, with polynomials in both directions.
    """
    from astropy.wcs import WCS, Sip

    item = camera[detector]
    x0, y0 = (item.nx - 1) / 2, (item.ny - 1) / 2
    half_x, half_y = item.nx / 2, item.ny / 2
    # Chebyshev nodes keep the error of the fit even up to the edges.
    nodes = np.cos(np.pi * (np.arange(_GRID) + 0.5) / _GRID)
    u, v = (a.ravel() for a in np.meshgrid(nodes * half_x, nodes * half_y))
    ra, dec = pointing.pixel_to_sky(camera, detector, np.append(u + x0, x0), np.append(v + y0, y0))
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN-SIP", "DEC--TAN-SIP"]
    wcs.wcs.crval = [ra[-1], dec[-1]]
    wcs.wcs.crpix = [1.0, 1.0]
    wcs.wcs.cd = np.eye(2)
    plane = np.array(wcs.wcs_world2pix(ra[:-1], dec[:-1], 0))
    powers = [(i, j) for i in range(_SIP_ORDER + 1) for j in range(_SIP_ORDER + 1 - i)]
    basis = np.stack([(u / half_x) ** i * (v / half_y) ** j for i, j in powers])
    units = np.array([half_x**-i * half_y**-j for i, j in powers])
    fit = np.linalg.lstsq(basis.T, plane.T, rcond=None)[0].T * units
    # The linear terms are the CD matrix; the others, seen through its inverse, the SIP polynomials (pixels).
    cd = np.array([[fit[k, powers.index((1, 0))], fit[k, powers.index((0, 1))]] for k in (0, 1)])
    distortion = np.linalg.solve(cd, fit)
    wcs.wcs.crpix = [x0 + 1, y0 + 1]
    wcs.wcs.cd = cd
    a, b = (np.zeros((_SIP_ORDER + 1, _SIP_ORDER + 1)) for _ in range(2))
    # SIP has no constant: what the fit leaves of one moves the tangent point by that part of a pixel.
    for k, (i, j) in enumerate(powers):
        if i + j >= 2:
            a[i, j], b[i, j] = distortion[0, k], distortion[1, k]
    wcs.wcs.crpix = [x0 + 1 - distortion[0, 0], y0 + 1 - distortion[1, 0]]
    ideal = np.linalg.solve(cd, plane)
    scaled = np.stack([(ideal[0] / half_x) ** i * (ideal[1] / half_y) ** j for i, j in powers])
    back = np.linalg.lstsq(scaled.T, (np.stack([u, v]) - ideal).T, rcond=None)[0].T * units
    ap, bp = (np.zeros((_SIP_ORDER + 1, _SIP_ORDER + 1)) for _ in range(2))
    for k, (i, j) in enumerate(powers):
        ap[i, j], bp[i, j] = back[0, k], back[1, k]
    wcs.sip = Sip(a, b, ap, bp, wcs.wcs.crpix)
    wcs.wcs.set()
    return wcs


def sky_projection(
    camera: ours.Camera, detector: int, pointing: Pointing, visit: int | None = None
) -> SkyProjection[DetectorFrame]:
    """Make the projection of a detector's pixels onto the sky.

    Parameters
    ----------
    camera : `~harness.instrument.camera.Camera`
        The camera.
    detector : `int`
        Id of the detector.
    pointing : `~harness.instrument.pointing.Pointing`
        Where the camera looks.
    visit : `int`, optional
        Visit whose geometry this is.

    Returns
    -------
    projection : `lsst.images.SkyProjection`
        Within 1e-3 unbinned pixels of ``pointing.pixel_to_sky`` all over the detector.
    """
    item = camera[detector]
    frame = DetectorFrame(
        instrument=camera.name, detector=detector, visit=visit, bbox=Box.from_shape((item.ny, item.nx))
    )
    return SkyProjection.from_fits_wcs(sip_wcs(camera, detector, pointing), frame)
