"""Wrong in how raws are read."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from . import wrong


def _image(toy, change):
    """A formatter whose pixels are changed."""
    from lsst.images import Image

    class Formatter(toy.Formatter):
        def _image(self, path, geometry):
            image = super()._image(path, geometry)
            return Image(change(image.array.copy(), geometry), unit=image.unit)

    return toy.kit(formatter=Formatter)


@wrong("test_every_raw_is_ingested", "no storage class HarnessRow")
def storage_class_unknown(toy):
    """Raws are of a storage class that the repository does not know."""

    class Instrument(toy.Instrument):
        raw_definition = ("raw", ("instrument", "exposure", "detector"), "HarnessRow")

    return toy.kit(instrument=Instrument)


@wrong("test_every_raw_is_ingested", "[structure]")
def formatter_refuses_everything(toy):
    """The formatter takes every file for one of another structure."""
    from harness.instrument.structure import StructureProblem

    class Formatter(toy.Formatter):
        @classmethod
        def check_structure(cls, headers, detector):
            return [StructureProblem("0", "NAXIS", "2", "3")]

    return toy.kit(formatter=Formatter)


@wrong("test_file_without_an_amplifier_is_refused", "(missing amplifier): seen 'ingested'")
def structure_not_looked_at(toy):
    """Files that lack an amplifier are taken for whole."""

    class Formatter(toy.Formatter):
        @classmethod
        def check_structure(cls, headers, detector):
            return []

    return toy.kit(formatter=Formatter)


@wrong("test_every_raw_can_be_read", "component wcs of exposure 1001")
def component_not_readable(toy):
    """A component that the storage class promises is not there."""

    class Formatter(toy.Formatter):
        def _from_header(self, header, name, component):
            if component == "wcs":
                raise ValueError("no such component")
            return super()._from_header(header, name, component)

    return toy.kit(formatter=Formatter)


@wrong("test_reading_again_gives_the_same", "component header of exposure 1001")
def reading_counted(toy):
    """The header tells how often it was read."""
    number = itertools.count()

    class Formatter(toy.Formatter):
        def _header(self, source):
            return super()._header(source) | {"TIMES": next(number)}

    return toy.kit(formatter=Formatter)


@wrong("test_components_equal_the_full_read", "component header of exposure 1001")
def component_not_equal_to_the_full_read(toy):
    """The header alone lacks a card that it has in the whole raw."""

    class Formatter(toy.Formatter):
        def _from_header(self, header, name, component):
            if component == "header":
                header.pop("OBJECT")
            return super()._from_header(header, name, component)

    return toy.kit(formatter=Formatter)


@wrong("test_pixels_are_those_written", "others, the first at")
def overscan_lost(toy):
    """The overscan is blanked."""

    def blank(array, geometry):
        for a in geometry.amplifiers:
            array[a.raw_serial_overscan.slices] = 0
        return array

    return _image(toy, blank)


@wrong("test_pixels_are_those_written", "shape of pixels of amplifier B")
def overscan_trimmed(toy):
    """The overscan of the last amplifier is cut off."""
    return _image(toy, lambda array, geometry: array[:, : -geometry.amplifiers[-1].raw_serial_overscan.nx])


@wrong("test_pixels_are_those_written", "pixels of amplifier B of exposure 1001 detector 0")
def amplifier_flipped(toy):
    """One amplifier is mirrored when it is read."""

    def flip(array, geometry):
        box = geometry.amplifiers[1].raw_bbox.slices
        array[box] = array[box][:, ::-1]
        return array

    return _image(toy, flip)


@wrong("test_pixels_are_integers", "seen 'float32'")
def pixels_of_another_type(toy):
    """Raw pixels are floating-point numbers."""
    return _image(toy, lambda array, geometry: array.astype(np.float32))


@wrong("test_detector_is_the_cameras", "amplifier A of exposure 1001")
def detector_of_another_calibration(toy):
    """The formatter has other gains than the camera."""

    class Formatter(toy.Formatter):
        @classmethod
        def camera(cls, scale):
            change = toy.amplifiers(lambda a: a.model_copy(update={"gain": a.gain + 0.1}))
            return change(scale)

    return toy.kit(formatter=Formatter)


@wrong("test_detector_is_the_cameras", "amplifier B of exposure 1001")
def detector_with_a_flipped_amplifier(toy):
    """The formatter says that an amplifier is not mirrored."""

    class Formatter(toy.Formatter):
        @classmethod
        def camera(cls, scale):
            return toy.amplifiers(lambda a: a.model_copy(update={"flip_x": False}))(scale)

    return toy.kit(formatter=Formatter)


def _wcs(toy, change):
    """A formatter whose sky projection is made for another pointing or camera."""
    from harness.instrument.lsst_detector import sky_projection
    from harness.instrument.pointing import Pointing

    class Formatter(toy.Formatter):
        def _wcs(self, header, info):
            if info.tracking_radec is None:
                return None
            camera = self.camera(header["SIMSCALE"])
            sky = info.tracking_radec
            angle = float(info.boresight_rotation_angle.deg)
            pointing = change(Pointing(float(sky.ra.deg), float(sky.dec.deg), angle, camera.sky_parity))
            return sky_projection(camera, int(info.detector_num), pointing, visit=info.visit_id)

    return toy.kit(formatter=Formatter)


@wrong("test_wcs_is_the_camera_on_the_sky", "shift of the wcs of exposure 1001")
def wcs_shifted(toy):
    """The WCS is off by an arcsecond."""
    return _wcs(toy, lambda p: dataclasses.replace(p, dec=p.dec + 1 / 3600))


@wrong("test_wcs_is_the_camera_on_the_sky", "shift of the wcs of exposure 1001")
def wcs_turned_the_other_way(toy):
    """The WCS is turned by the angle, the other way."""
    return _wcs(toy, lambda p: dataclasses.replace(p, sky_angle=-p.sky_angle))


@wrong("test_wcs_is_the_camera_on_the_sky", "shift of the wcs of exposure 1001")
def sky_parity_flipped(toy):
    """The sky is mirrored in the WCS."""
    return _wcs(toy, lambda p: dataclasses.replace(p, parity=-p.parity))


@wrong("test_wcs_is_the_camera_on_the_sky", "wcs of exposure 1001")
def wcs_missing(toy):
    """Exposures of the sky have no WCS."""

    class Formatter(toy.Formatter):
        def _wcs(self, header, info):
            return None

    return toy.kit(formatter=Formatter)
