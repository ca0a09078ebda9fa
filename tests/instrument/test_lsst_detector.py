from __future__ import annotations

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from harness.instrument.camera import Camera
from harness.instrument.lsst_detector import lsst_detector, sip_wcs, sky_projection
from harness.instrument.pointing import Pointing

POINTINGS = [Pointing(0.0001, 0.0, 270.0), Pointing(123.4, -67.8, 33.0, 1), Pointing(359.99, 89.5, 100.0)]


@pytest.mark.parametrize("detector", [0, 1, 7])
def test_field_angles_are_the_camera_s(camera: Camera, detector: int) -> None:
    item = camera[detector]
    converted = lsst_detector(camera, detector, visit=12)
    x, y = item.corners()
    there = converted.to_field_angle.apply_forward(x=x, y=y)
    np.testing.assert_allclose((there.x, there.y), camera.pixel_to_field(detector, x, y), rtol=0, atol=1e-13)
    back = converted.to_field_angle.apply_inverse(there)
    np.testing.assert_allclose((back.x, back.y), (x, y), rtol=0, atol=1e-6)
    focal = converted.to_focal_plane.apply_forward(x=x, y=y)
    np.testing.assert_allclose((focal.x, focal.y), item.pixel_to_focal(x, y), rtol=0, atol=1e-10)


def test_attributes_are_carried_over(camera: Camera) -> None:
    item, converted = camera[7], lsst_detector(camera, 7, visit=12)
    assert (converted.id, converted.name, converted.serial) == (7, "R_S7", "7")
    assert (converted.instrument, converted.visit) == ("Toy", 12)
    assert converted.bbox.shape == (8, 12)
    assert converted.frame.bbox == converted.bbox
    first, second = converted.amplifiers
    assert first.nominal_calibrations is not None
    assert (first.nominal_calibrations.gain, first.nominal_calibrations.read_noise) == (1.5, 5.0)
    assert first.assembled_raw_geometry is not None
    assert first.assembled_raw_geometry.data_bbox.shape == (8, 6)
    assert second.bbox.x.start == 6
    assert second.readout_corner == "UR"
    assert item.amplifiers[1].raw_parallel_overscan is None
    assert second.assembled_raw_geometry is None, "lsst.images cannot describe it"
    assert lsst_detector(camera, 7, visit=12) == converted
    assert lsst_detector(camera, 7) != converted


@pytest.mark.parametrize("pointing", POINTINGS, ids=lambda p: f"{p.ra},{p.dec}")
@pytest.mark.parametrize("detector", [0, 1, 7])
def test_projection_is_within_a_thousandth_of_a_pixel(camera: Camera, pointing: Pointing, detector: int) -> None:
    item = camera[detector]
    projection = sky_projection(camera, detector, pointing, visit=12)
    x, y = (a.ravel() for a in np.meshgrid(np.linspace(-0.5, 11.5, 9), np.linspace(-0.5, 7.5, 9)))
    ra, dec = pointing.pixel_to_sky(camera, detector, x, y)
    truth = SkyCoord(ra, dec, unit="deg")
    pixel = item.pixel_mm * camera.plate_scale
    assert projection.pixel_to_sky(x=x, y=y).separation(truth).arcsec.max() < 1e-3 * pixel
    back = projection.sky_to_pixel(truth)
    assert np.hypot(back.x - x, back.y - y).max() < 1e-3
    # astropy evaluates the same WCS to the same place, so a FITS header can carry it.
    fits_ra, fits_dec = sip_wcs(camera, detector, pointing).all_pix2world(x, y, 0)
    assert SkyCoord(fits_ra, fits_dec, unit="deg").separation(truth).arcsec.max() < 1e-3 * pixel
    assert projection.as_fits_wcs(projection.pixel_frame.bbox) is not None
