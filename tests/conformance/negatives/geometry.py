"""Wrong in the camera or in the files that are written."""

from __future__ import annotations

import itertools

from . import wrong


def _copy(model, **changes):
    return model.model_copy(update=changes)


@wrong("test_amplifiers_make_up_the_detector", "amplifiers per pixel of detector S00: seen [0, 2]")
def amplifiers_in_one_place(toy):
    """Both amplifiers claim the left half of the detector."""
    return toy.kit(make_camera=toy.amplifiers(lambda a: _copy(a, bbox=_copy(a.bbox, x0=0))))


@wrong("test_raw_sections_lie_in_the_raw_image", "raw_serial_overscan of amplifier A")
def overscan_in_the_data(toy):
    """The overscan begins before the data end."""
    return toy.kit(
        make_camera=toy.amplifiers(
            lambda a: _copy(a, raw_serial_overscan=_copy(a.raw_serial_overscan, x0=a.raw_serial_overscan.x0 - 1))
        )
    )


@wrong("test_gains_and_noises_are_possible", "gain of amplifier A of S00: seen -1.5")
def gain_negative(toy):
    """A gain is negative."""
    return toy.kit(make_camera=toy.amplifiers(lambda a: _copy(a, gain=-abs(a.gain))))


@wrong("test_a_star_is_where_the_wcs_says", "within 3 pixels")
def gain_in_other_units(toy):
    """Gains are given in electrons per 65536 ADU, so that nothing is seen in a raw."""
    return toy.kit(make_camera=toy.amplifiers(lambda a: _copy(a, gain=a.gain * 65536 * 16)))


@wrong("test_binning_keeps_detectors_in_their_places", "shift of detector S00 at scale 2")
def reference_pixel_not_binned(toy):
    """Binned detectors have their reference pixel where the unbinned ones have it."""
    unbinned = toy.camera.make_camera(1)
    return toy.kit(make_camera=toy.cameras(lambda d: _copy(d, ref_x=unbinned[d.id].ref_x, ref_y=unbinned[d.id].ref_y)))


def corner_sensors(toy, heights):
    """The toy with two wavefront sensors, at these heights (mm)."""
    from harness.instrument.camera import Purpose
    from harness.instrument.kit import Capability

    def change(detector):
        if detector.id not in heights:
            return detector
        return _copy(detector, raft="R0", purpose=Purpose.WAVEFRONT, z_mm=heights[detector.id])

    return toy.kit(make_camera=toy.cameras(change), capabilities=toy.right.capabilities | {Capability.WAVEFRONT})


@wrong("test_wavefront_sensors_come_in_pairs", "id of the intra-focal sensor of raft R0: seen 2, expected 4")
def intra_and_extra_swapped(toy):
    """The intra-focal sensor is taken for the extra-focal one."""
    return corner_sensors(toy, {2: 1.5, 3: -1.5})


@wrong("test_wavefront_sensors_come_in_pairs", "no half of a pair: seen [2, 3]")
def both_sensors_on_one_side(toy):
    """Both sensors of a corner lie behind the focus."""
    return corner_sensors(toy, {2: -1.5, 3: -1.5})


@wrong("test_every_raw_has_a_file_of_its_own", "expected 'exposure 1001 detector 3")
def one_file_name_for_all_detectors(toy):
    """The detectors of an exposure are written to one file, each over the one before."""

    def write_raw(folder, observation, detector, pixels, scale):
        path = toy.writer.write_raw(folder, observation, detector, pixels, scale)
        return path.rename(folder / f"{observation.exposure}.fits")

    return toy.kit(write_raw=write_raw)


@wrong("test_writing_again_gives_the_same_bytes", "card 'WRITTEN")
def writer_not_deterministic(toy):
    """Files say how many were written before them."""
    from astropy.io import fits

    number = itertools.count()

    def write_raw(folder, observation, detector, pixels, scale):
        path = toy.writer.write_raw(folder, observation, detector, pixels, scale)
        fits.setval(path, "WRITTEN", value=next(number))
        return path

    return toy.kit(write_raw=write_raw)
