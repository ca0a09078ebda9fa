"""The focal plane: where each CCD is, and which way is up."""

from __future__ import annotations

import numpy as np
import pytest
from astro_metadata_translator.translators import DecamTranslator as Upstream
from harness_decam.camera import make_camera

from harness.instrument.assembly import raw_shape
from harness.instrument.pointing import Pointing

CAMERA = make_camera(1)
ON_SKY = Pointing(ra=150.0, dec=2.2, sky_angle=90.0, parity=CAMERA.sky_parity)


def test_names_are_those_of_the_translator() -> None:
    """Upstream leaves out CCD 61, which died in 2012."""
    assert {d.id: d.name for d in CAMERA.detectors} == {**Upstream.detector_names, 61: "N30"}


@pytest.mark.parametrize(
    ("name", "x", "y"),
    [("S29", 185.988, 63.890), ("S31", 185.988, -63.890), ("S4", 16.908, 0.0), ("N1", -16.908, 191.670),
     ("N8", -50.724, 159.725), ("N31", -185.988, -63.890)],
)  # fmt: skip
def test_places_are_those_of_the_table(name: str, x: float, y: float) -> None:
    """Positive x is the half S, and the first CCD of each column has the largest y."""
    detector = CAMERA[name]
    assert (detector.x_mm, detector.y_mm) == pytest.approx((x, y), abs=1e-9)


def test_south_is_along_x_and_east_along_y() -> None:
    """What the comment of the upstream translator says: +Y = East, +X = South, 90 degrees and a flip."""
    ra, dec = ON_SKY.field_to_sky(np.radians([0.0, 0.1, 0.0]), np.radians([0.0, 0.0, 0.1]))
    assert dec[1] - dec[0] == pytest.approx(-0.1, abs=1e-5)
    assert ra[1] - ra[0] == pytest.approx(0.0, abs=1e-5)
    assert ra[2] - ra[0] == pytest.approx(0.1 / np.cos(np.radians(2.2)), abs=1e-5)
    assert dec[2] - dec[0] == pytest.approx(0.0, abs=1e-5)


def test_the_half_called_south_is_in_the_south() -> None:
    """The names say it, too."""
    for detector in CAMERA.detectors:
        _, dec = ON_SKY.pixel_to_sky(CAMERA, detector.id, detector.ref_x, detector.ref_y)
        assert (float(dec) < ON_SKY.dec) == detector.name.startswith("S")


def test_raw_images_have_the_size_of_real_ones() -> None:
    """Rows and columns of an extension, overscan and prescan included."""
    assert {raw_shape(d) for d in CAMERA.detectors} == {(4146, 2160)}
