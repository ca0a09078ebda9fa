"""Tests of reading raws through the Butler: every component, every pixel, and where the pixels are on the sky."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..instrument.kit import Capability
from .geometry import Geometry
from .ingests import Ingests
from .requirement import MismatchError, equal, mismatches, requirement
from .values import Values

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .subject import RawFile, Subject

__all__ = ["Reading"]

MILLIPIXELS = 2e-3
"""Pixels that the fit of a WCS may be off; `harness.instrument.lsst_detector` promises half of it."""

STAR = 1e6
"""Flux of a star that outshines everything else (nJy; magnitude 16.4)."""

_READ = (Ingests.test_every_raw_is_ingested,)


class Reading:
    """Tests of the formatter."""

    @requirement(after=_READ)
    def test_every_raw_can_be_read(self, subject: Subject) -> None:
        """The Butler gives the whole raw and each of its components."""
        with mismatches() as wrong:
            for raw, ref in _refs(subject):
                for name in ("", *sorted(ref.datasetType.storageClass.allComponents())):
                    what = f"component {name} of {raw}" if name else f"{raw}"
                    try:
                        subject.get(ref, name)
                    except Exception as error:
                        wrong.that(False, what, f"{type(error).__name__}: {_first(error)}", "to be read")

    @requirement(after=(test_every_raw_can_be_read,))
    def test_reading_again_gives_the_same(self, subject: Subject) -> None:
        """Reading a raw changes neither the file nor what the next read gives."""
        butler = subject.view(subject.ingested)
        with mismatches() as wrong:
            for raw, ref in _refs(subject):
                for name in sorted(ref.datasetType.storageClass.allComponents()):
                    one, two = subject.get(ref, name), butler.get(ref.makeComponentRef(name))
                    wrong.that(_same(one, two), f"component {name} of {raw}, read twice", _short(two), _short(one))
                with butler.getURI(ref).as_local() as local, open(local.ospath, "rb") as file:  # noqa: PTH123
                    wrong.equal(f"file of {raw} after reading", file.read() == raw.path.read_bytes(), True)

    @requirement(after=(test_reading_again_gives_the_same,))
    def test_components_equal_the_full_read(self, subject: Subject) -> None:
        """Each component alone is what the whole raw has."""
        with mismatches() as wrong:
            for raw, ref in _refs(subject):
                whole = subject.get(ref)
                for name in sorted(ref.datasetType.storageClass.allComponents()):
                    alone = subject.get(ref, name)
                    full = ref.datasetType.storageClass.delegate().getComponent(whole, name)
                    wrong.that(_same(alone, full), f"component {name} of {raw}", _short(alone), f"{_short(full)}")

    @requirement(Capability.IMAGES, after=(test_every_raw_can_be_read,))
    def test_pixels_are_those_written(self, subject: Subject) -> None:
        """Every pixel of each amplifier comes back, overscan and all, in its place."""
        with mismatches() as wrong:
            for raw, ref in _refs(subject):
                array = subject.get(ref, "image").array
                for a in raw.detector.amplifiers:
                    seen, expected = array[a.raw_bbox.slices], raw.pixels[a.name]
                    what = f"pixels of amplifier {a.name} of {raw}"
                    if seen.shape != expected.shape:
                        wrong.equal(f"shape of {what}", seen.shape, expected.shape)
                    elif not np.array_equal(seen, expected):
                        wrong.that(False, what, _disorder(seen, expected), "those written")

    @requirement(Capability.IMAGES, after=(test_pixels_are_those_written,))
    def test_pixels_are_integers(self, subject: Subject) -> None:
        """Raw pixels are of an integer type, as they were read out."""
        with mismatches() as wrong:
            for raw, ref in _refs(subject):
                kind = subject.get(ref, "image").array.dtype
                wrong.that(kind.kind in "iu", f"type of the pixels of {raw}", str(kind), "an integer type")

    @requirement(Capability.IMAGES, after=(test_components_equal_the_full_read,))
    def test_detector_is_the_cameras(self, subject: Subject) -> None:
        """The component ``detector`` has the amplifiers and the place of the camera's, binned alike."""
        from ..instrument.lsst_detector import lsst_detector

        with mismatches() as wrong:
            for raw, ref in _refs(subject):
                seen = subject.get(ref, "detector")
                expected = lsst_detector(subject.camera, raw.detector.id, visit=seen.visit)
                for name in ("id", "name", "bbox", "type", "serial", "orientation", "pixel_size"):
                    one, two = (getattr(d, name, None) for d in (seen, expected))
                    wrong.equal(f"{name} of the detector of {raw}", one, two)
                for one, two in zip(seen.amplifiers, expected.amplifiers, strict=False):
                    wrong.that(one == two, f"amplifier {two.name} of {raw}", _short(one, 400), _short(two, 400))
                wrong.equal(f"amplifiers of {raw}", len(seen.amplifiers), len(expected.amplifiers))

    @requirement(Capability.IMAGES, after=(test_components_equal_the_full_read,))
    def test_wcs_is_the_camera_on_the_sky(self, subject: Subject) -> None:
        """The component ``wcs`` puts every pixel where camera and translated pointing put it."""
        from ..instrument.pointing import Pointing

        with mismatches() as wrong:
            for raw, ref in _refs(subject):
                if not raw.observation.on_sky:
                    continue
                wcs = subject.get(ref, "wcs")
                if wcs is None:
                    wrong.that(False, f"wcs of {raw}", None, "one: it looks at the sky")
                    continue
                info = subject.info(raw)
                sky = info.tracking_radec.icrs
                angle = float(info.boresight_rotation_angle.deg)
                pointing = Pointing(float(sky.ra.deg), float(sky.dec.deg), angle, subject.camera.sky_parity)
                x, y = raw.detector.corners()
                ra, dec = pointing.pixel_to_sky(subject.camera, raw.detector.id, x, y)
                seen = wcs.pixel_to_sky(x=x, y=y)
                scale = subject.camera.plate_scale * raw.detector.pixel_mm
                off = float(np.max(_separation(seen.ra.deg, seen.dec.deg, ra, dec))) * 3600 / scale
                what = f"shift of the wcs of {raw} at the corners (pixels)"
                wrong.that(off <= MILLIPIXELS * 10, what, round(off, 4), "none from camera and pointing")

    @requirement(
        Capability.IMAGES,
        after=(
            Geometry.test_raw_sections_lie_in_the_raw_image,
            Geometry.test_gains_and_noises_are_possible,
            test_pixels_are_those_written,
            test_detector_is_the_cameras,
            test_wcs_is_the_camera_on_the_sky,
            Values.test_pointing_is_the_observations,
            Values.test_rotation_is_the_observations,
        ),
    )
    def test_a_star_is_where_the_wcs_says(self, subject: Subject) -> None:
        """A star simulated at a place on the sky is seen in the raw's pixels where its wcs says."""
        from ..instrument.assembly import assemble

        raw = next((r for r in subject.firsts if r.observation.on_sky), None)
        if raw is None:
            import pytest

            pytest.skip("the dataset has no exposure of the sky")
        ra, dec, path = _star(subject, raw)
        run = f"{subject.name}/conformance/star"
        report = subject.ingest(subject.scratch, [path], run=run)
        if report.quarantined:
            raise MismatchError(f"ingest of {raw} with a star: {report.quarantined[0]}")
        (ref,) = subject.raw_refs(subject.scratch, run).values()
        whole = subject.scratch.get(ref)
        image = assemble(whole.image.array, raw.detector).astype(float)
        for a in raw.detector.amplifiers:
            image[a.bbox.slices] -= np.median(image[a.bbox.slices])
        y, x = np.unravel_index(int(np.argmax(_smooth(image))), image.shape)
        from astropy.coordinates import SkyCoord

        at = whole.wcs.sky_to_pixel(SkyCoord(ra, dec, unit="deg"))
        off = float(np.hypot(x - at.x, y - at.y))
        equal(f"star of {raw} is within 3 pixels of x={float(at.x):.1f}, y={float(at.y):.1f}", off < 3, True)


def _star(subject: Subject, raw: RawFile) -> tuple[float, float, Path]:
    """Simulate a raw with one bright star, off its centre.

    Returns
    -------
    ra, dec : `float`
        Where the star is (degrees).
    path : `~pathlib.Path`
        The raw file.
    """
    from ..instrument.pointing import Pointing
    from ..simulate.exposure import Simulator, band_of
    from ..simulate.scene import Sources

    observation, detector = raw.observation, raw.detector
    pointing = Pointing(*observation.pointing, subject.camera.sky_parity)
    place = 0.3 * (detector.nx - 1), 0.7 * (detector.ny - 1)
    ra, dec = (float(v) for v in pointing.pixel_to_sky(subject.camera, detector.id, *place))
    band = band_of(subject.kit, observation.physical_filter)
    columns = {
        "id": [1],
        "ra": [ra],
        "dec": [dec],
        "is_star": [True],
        "r_half_arcsec": [0.0],
        "axis_ratio": [1.0],
        "position_angle": [0.0],
        f"{band}_flux": [STAR],
    }
    simulator = Simulator(subject.dataset, subject.kit, Sources.from_table(columns))
    exposed = simulator.expose(observation, detector.id)
    raws = [(detector, exposed.pixels)]
    (path,) = subject.kit.write_raws(subject.folder("star"), observation, raws, subject.dataset.scale)
    return ra, dec, path


def _refs(subject: Subject) -> Iterator[tuple[RawFile, Any]]:
    refs = subject.raw_refs(subject.view(subject.ingested))
    for raw in subject.raws:
        yield raw, refs[raw.observation.exposure, raw.detector.id]


def _same(one: Any, two: Any) -> bool:
    result = one == two
    return bool(np.all(result))


def _short(value: object, limit: int = 120) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= limit else text[:limit] + "…"


def _first(error: BaseException) -> str:
    cause = error.__cause__ or error
    return next(iter(str(cause).splitlines()), "")


def _disorder(seen: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]) -> str:
    """Say in which way pixels are in disorder."""
    turned = {
        "mirrored in x": expected[:, ::-1],
        "mirrored in y": expected[::-1],
        "turned by 180°": expected[::-1, ::-1],
    }
    for word, array in turned.items():
        if np.array_equal(seen, array):
            return f"those written, {word}"
    wrong = np.argwhere(seen != expected)
    y, x = wrong[0]
    return f"{len(wrong)} others, the first at x={x}, y={y}: {seen[y, x]} rather than {expected[y, x]}"


def _separation(ra: Any, dec: Any, other_ra: Any, other_dec: Any) -> Any:
    from ..sky.regions import unit_vectors

    chord = np.linalg.norm(unit_vectors(ra, dec) - unit_vectors(other_ra, other_dec), axis=-1)
    return np.degrees(2 * np.arcsin(np.minimum(chord / 2, 1.0)))


def _smooth(image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Add the eight neighbours of each pixel, so that a star outshines a cosmic ray or a hot pixel."""
    padded = np.pad(np.clip(image, 0, 5000), 1)
    ny, nx = image.shape
    total: np.ndarray[Any, Any] = np.sum([padded[j : j + ny, i : i + nx] for j in range(3) for i in range(3)], axis=0)
    return total
