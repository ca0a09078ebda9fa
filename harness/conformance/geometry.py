"""Tests of the camera: amplifiers that make up the detector, sections that lie in the raw file, honest binning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from ..errors import HarnessError
from ..instrument.camera import Purpose, Rect
from ..instrument.kit import Capability
from .requirement import mismatches, requirement

if TYPE_CHECKING:
    from ..instrument.camera import Amplifier, Camera
    from .subject import Subject

__all__ = ["Geometry"]

_SAME = 1e-9
"""Field angle (radians; 0.2 mas) up to which two places are the same."""


class Geometry:
    """Tests of the camera."""

    @requirement(Capability.IMAGES)
    def test_amplifiers_make_up_the_detector(self, subject: Subject) -> None:
        """Every pixel of the trimmed detector belongs to one amplifier."""
        with mismatches() as wrong:
            for camera in _cameras(subject):
                for detector in camera.detectors:
                    owners = np.zeros((detector.ny, detector.nx), np.uint8)
                    for a in detector.amplifiers:
                        inside = _inside(a.bbox, detector.nx, detector.ny)
                        wrong.that(inside, f"bbox of amplifier {a.name} of {detector.name}", a.bbox, "the detector")
                        owners[a.bbox.slices] += 1
                    what = f"amplifiers per pixel of detector {detector.name}"
                    # sorting every pixel of a large camera, as numpy.unique does, takes a minute
                    if owners.min(initial=1) != 1 or owners.max(initial=1) != 1:
                        wrong.equal(what, np.flatnonzero(np.bincount(owners.ravel())).tolist(), [1])

    @requirement(Capability.IMAGES, after=(test_amplifiers_make_up_the_detector,))
    def test_raw_sections_lie_in_the_raw_image(self, subject: Subject) -> None:
        """Data and overscan of an amplifier lie in its own part of the raw image, and apart from each other."""
        with mismatches() as wrong:
            for camera in _cameras(subject):
                for detector in camera.detectors:
                    for a in detector.amplifiers:
                        _sections(wrong, f"amplifier {a.name} of detector {detector.name}", a)
                    boxes = [(a.name, a.raw_bbox) for a in detector.amplifiers]
                    for i, (one, box) in enumerate(boxes):
                        for other, second in boxes[i + 1 :]:
                            what = f"raw_bbox of amplifiers {one} and {other} of detector {detector.name}"
                            wrong.that(not _overlap(box, second), what, (box, second), "apart")

    @requirement(Capability.IMAGES)
    def test_gains_and_noises_are_possible(self, subject: Subject) -> None:
        """Gain, read noise and saturation are positive."""
        with mismatches() as wrong:
            for detector in subject.kit.camera.detectors:
                for a in detector.amplifiers:
                    for name in ("gain", "read_noise", "saturation"):
                        value = getattr(a, name)
                        wrong.that(value > 0, f"{name} of amplifier {a.name} of {detector.name}", value, "above 0")

    @requirement(Capability.IMAGES)
    def test_binning_keeps_detectors_in_their_places(self, subject: Subject) -> None:
        """The corners of binned detectors are those of the unbinned ones on the sky."""
        unbinned = subject.kit.camera
        with mismatches() as wrong:
            for scale, camera in zip(_scales(subject), _cameras(subject), strict=True):
                for detector in camera.detectors:
                    here = np.array(camera.pixel_to_field(detector.id, *detector.corners()))
                    there = np.array(unbinned.pixel_to_field(detector.id, *unbinned[detector.id].corners()))
                    off = float(np.abs(here - there).max() * 180 / np.pi * 3600)
                    what = f"shift of detector {detector.name} at scale {scale} (arcsec)"
                    # Pixels that don't fill a binned one are lost at the upper edges.
                    lost = any(n % scale for n in (unbinned[detector.id].nx, unbinned[detector.id].ny))
                    most = _SAME * 180 / np.pi * 3600 + lost * 1.5 * detector.pixel_mm * camera.plate_scale
                    wrong.that(off < most, what, round(off, 6), f"below {most:.6f}: ref_x is a pixel, too")

    @requirement()
    def test_wavefront_sensors_come_in_pairs(self, subject: Subject) -> None:
        """Each wavefront sensor has its other half in its raft: extra-focal at z < 0, intra-focal with the next id."""
        from ..wavefront.corners import corner_pairs

        if Capability.WAVEFRONT not in subject.kit.capabilities:  # the kit's, whatever the dataset has images of
            pytest.skip("needs capability WAVEFRONT")
        camera = subject.kit.camera
        sensors = {d.id for d in camera.detectors if d.purpose is Purpose.WAVEFRONT}
        if not sensors:
            pytest.skip("no detector is a wavefront sensor: pairs are exposures")
        pairs = corner_pairs(camera)
        with mismatches() as wrong:
            paired = {d for p in pairs for d in (p.extra, p.intra)}
            wrong.equal("wavefront sensors that are no half of a pair", sorted(sensors - paired), [])
            wrong.equal("detectors out of focus that are no wavefront sensors", sorted(paired - sensors), [])
            for pair in pairs:
                wrong.equal(f"id of the intra-focal sensor of raft {pair.raft}", pair.intra, pair.extra + 1)
                heights = (camera[pair.extra].z_mm, camera[pair.intra].z_mm)
                what = f"z_mm of the sensors of raft {pair.raft}"
                wrong.that(abs(sum(heights)) < 1e-6, what, heights, "the same distance from the focal plane")


def _scales(subject: Subject) -> list[int]:
    """Return the binnings to look at: none, the dataset's, and one more if the camera can be binned by it."""
    scales = dict.fromkeys((1, subject.whole.scale))
    try:
        subject.kit.make_camera(2)
    except HarnessError:
        return list(scales)
    return list(scales | {2: None})


def _cameras(subject: Subject) -> list[Camera]:
    return [subject.kit.make_camera(scale) for scale in _scales(subject)]


def _inside(box: Rect, nx: int, ny: int) -> bool:
    return _within(box, Rect(x0=0, y0=0, nx=nx, ny=ny))


def _within(box: Rect, outer: Rect) -> bool:
    return (
        outer.x0 <= box.x0
        and outer.y0 <= box.y0
        and box.x0 + box.nx <= outer.x0 + outer.nx
        and box.y0 + box.ny <= outer.y0 + outer.ny
    )


def _overlap(one: Rect, two: Rect) -> bool:
    return (
        one.x0 < two.x0 + two.nx and two.x0 < one.x0 + one.nx and one.y0 < two.y0 + two.ny and two.y0 < one.y0 + one.ny
    )


def _sections(wrong: mismatches, what: str, a: Amplifier) -> None:
    wrong.equal(f"size of raw_data of {what}", (a.raw_data.nx, a.raw_data.ny), (a.bbox.nx, a.bbox.ny))
    others = {"raw_serial_overscan": a.raw_serial_overscan, "raw_parallel_overscan": a.raw_parallel_overscan}
    for name, box in {"raw_data": a.raw_data, **others}.items():
        if box is None:
            continue
        wrong.that(_within(box, a.raw_bbox), f"{name} of {what}", box, f"within raw_bbox {a.raw_bbox}")
        if name != "raw_data":
            wrong.that(not _overlap(box, a.raw_data), f"{name} of {what}", box, f"apart from raw_data {a.raw_data}")
