"""Reader of raw files for the Butler: one image HDU, or one for each amplifier."""

from __future__ import annotations

import math
import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from lsst.daf.butler import FormatterV2

from ..errors import HarnessError
from .assembly import raw_mosaic
from .headers import Header, header_values, merged_header, read_header
from .lsst_detector import lsst_detector, sky_projection
from .pointing import Pointing
from .raw import Raw
from .structure import StructureProblem, image_hdu, structure_problems

if TYPE_CHECKING:
    from astro_metadata_translator import MetadataTranslator, ObservationInfo
    from astropy.io import fits
    from lsst.images import Image, SkyProjection
    from lsst.images.cameras import Detector
    from lsst.resources import ResourcePath

    from .camera import Camera
    from .camera import Detector as Geometry

__all__ = ["RawFormatter"]

_COMPRESSION = re.compile(
    r"XTENSION|BITPIX|NAXIS\d*|[PG]COUNT|TFIELDS|THEAP|T[A-Z]+\d+|Z[A-Z]+\d*|BSCALE|BZERO|BLANK|EXTNAME"
)
"""Keys of the table that holds a compressed image which its pixels depend on."""
_FIX_DATE = "HIERARCH ASTRO METADATA FIX DATE"


class RawFormatter(FormatterV2):
    """Read a raw file, or one component of it: ``image``, ``header``, ``detector``, ``wcs``.

    Subclasses name the `translator` and the `camera`. Components other than the image are made from the header,
    of which only the first bytes of the file are read, remote or not.

    If the camera's amplifiers have HDUs of their own, the image is the mosaic of them that
    `~harness.instrument.camera.Amplifier` describes. If a file holds several detectors, subclasses say by `hdus` which
    of its HDUs are whose; the detector is then the one of the data ID, and its header the primary one with the keys of
    its first HDU added, which win.
    """

    translator: ClassVar[type[MetadataTranslator]]
    """Translator of the headers."""

    supported_extensions: ClassVar[frozenset[str]] = frozenset({".fits", ".fits.gz", ".fits.fz"})
    can_read_from_uri: ClassVar[bool] = True
    can_read_from_local_file: ClassVar[bool] = True

    @classmethod
    @abstractmethod
    def camera(cls, scale: int) -> Camera:
        """Return the camera with its pixels binned (`~harness.instrument.camera.Camera`)."""
        raise NotImplementedError

    @classmethod
    def hdus(cls, headers: Sequence[Mapping[str, Any]], detector: int) -> Sequence[int] | None:  # noqa: ARG003
        """Return which HDUs of a file are those of a detector, for files that hold several.

        Parameters
        ----------
        headers : `~collections.abc.Sequence` [`~collections.abc.Mapping`]
            Headers of all HDUs.
        detector : `int`
            Id of the detector.

        Returns
        -------
        hdus : `~collections.abc.Sequence` [`int`] or `None`
            `None` if the file holds one detector: all HDUs are its own.
        """
        return None

    @classmethod
    def check_structure(cls, headers: Sequence[Mapping[str, Any]], detector: int) -> list[StructureProblem]:
        """Say in which HDUs a file is not one of a detector, from its headers alone.

        Parameters
        ----------
        headers : `~collections.abc.Sequence` [`~collections.abc.Mapping`]
            Headers of all HDUs.
        detector : `int`
            Id of the detector.

        Raises
        ------
        HarnessError
            If there is no such detector, or the camera cannot be binned as the file says it is.
        """
        own = cls.hdus(headers, detector)
        telling = next((headers[i] for i in own or () if "SIMSCALE" in headers[i]), headers[0])
        return structure_problems(headers, cls._geometry(_scale(telling), detector), own)

    @classmethod
    @lru_cache(maxsize=1024)
    def _geometry(cls, scale: int, detector: int) -> Geometry:
        return cls.camera(scale)[detector]

    def read_from_uri(self, uri: ResourcePath, component: str | None = None, expected_size: int = -1) -> Any:  # noqa: ARG002
        """Read a component from the header; leave what needs pixels to `read_from_local_file`."""
        if component in (None, "image") or self._holds_several():
            return NotImplemented
        return self._from_header(self._header(uri), str(uri), component)

    def read_from_local_file(self, path: str, component: str | None = None, expected_size: int = -1) -> Any:  # noqa: ARG002
        """Read everything, or one component."""
        header = self._header(path)
        if component not in (None, "image"):
            return self._from_header(header, path, component)
        info = self._translate(header, path)
        image = self._image(path, self._geometry(_scale(header), int(info.detector_num)))
        if component == "image":
            return image
        return Raw(
            image=image,
            header=header,
            detector=self._detector(header, info),
            wcs=self._wcs(header, info),
            obs_info=info,
        )

    def _from_header(self, header: Header, name: str, component: str | None) -> Any:
        if component == "header":
            return header
        info = self._translate(header, name)
        match component:
            case "detector":
                return self._detector(header, info)
            case "wcs":
                return self._wcs(header, info)
        raise ValueError(f"raw data have no component {component!r}")

    @classmethod
    def _holds_several(cls) -> bool:
        return cls.hdus.__func__ is not RawFormatter.hdus.__func__  # type: ignore[attr-defined]  # a bound method

    def _header(self, source: str | ResourcePath) -> Header:
        from astro_metadata_translator import fix_header

        header = self._detector_header(str(source)) if self._holds_several() else read_header(source)
        fix_header(header, translator_class=self.translator, filename=str(source))
        # The only key of a correction that depends on when the file is read: without it, reads are equal.
        header.pop(_FIX_DATE, None)
        return header

    def _detector_header(self, path: str) -> Header:
        """Read the header of the data ID's detector from a file that may hold several.

        Raises
        ------
        HarnessError
            If the file does not hold it, or a header cannot be read.
        """
        from astropy.io import fits

        detector = int(self.data_id["detector"])
        with _opened(path) as (_, headers):
            hdus = self.hdus(headers, detector)
        if hdus is None:
            return read_header(path)
        if not hdus:
            raise HarnessError(f"raw {path} does not hold detector {detector}", code="raw-structure")
        with _reading(path, str(hdus[0])), fits.open(path, memmap=False) as opened:
            own = header_values(path, opened[hdus[0]].header)
        return merged_header(header_values(path, headers[0]), own)

    def _translate(self, header: Header, name: str) -> ObservationInfo:
        from astro_metadata_translator import ObservationInfo

        # A copy, because ObservationInfo corrects headers in place, once more.
        return ObservationInfo(dict(header), filename=name, translator_class=self.translator, quiet=True)

    def _image(self, path: str, geometry: Geometry) -> Image:
        from astropy import units
        from lsst.images import Image

        with _opened(path) as (hdus, headers):
            own = self.hdus(headers, geometry.id)
            if problems := structure_problems(headers, geometry, own):
                raise HarnessError(
                    f"raw {path} is not one of detector {geometry.name}: {problems[0]}",
                    remedy=f"{len(problems) - 1} more problems" if len(problems) > 1 else "",
                    code="raw-structure",
                )
            if not geometry.amplifiers[0].extension:
                number = image_hdu(headers, own) or 0
                with _reading(path, str(number)):
                    return Image(_pixels(hdus[number]), unit=units.adu)
            pixels = {}
            names = {str(headers[i].get("EXTNAME", "")).strip().upper(): i for i in own or range(1, len(headers))}
            for amplifier in geometry.amplifiers:
                with _reading(path, amplifier.extension):
                    pixels[amplifier.name] = _pixels(hdus[names[amplifier.extension.upper()]])
            return Image(raw_mosaic(pixels, geometry), unit=units.adu)

    def _detector(self, header: Header, info: ObservationInfo) -> Detector:
        return lsst_detector(self.camera(_scale(header)), int(info.detector_num), visit=info.exposure_id)

    def _wcs(self, header: Header, info: ObservationInfo) -> SkyProjection[Any] | None:
        angle = info.boresight_rotation_angle if info.boresight_rotation_coord == "sky" else None
        if info.tracking_radec is None or angle is None or not math.isfinite(angle.deg):
            return None
        camera = self.camera(_scale(header))
        pointing = Pointing(
            ra=float(info.tracking_radec.ra.deg),
            dec=float(info.tracking_radec.dec.deg),
            sky_angle=float(angle.deg),
            parity=camera.sky_parity,
        )
        return sky_projection(camera, int(info.detector_num), pointing, visit=info.exposure_id)


@contextmanager
def _opened(path: str) -> Iterator[tuple[fits.HDUList, list[fits.Header]]]:
    """Open a file and read the headers of all HDUs; those of compressed images as they are, with their ``Z`` keys."""
    from astropy.io import fits

    with _reading(path, "0"), fits.open(path, memmap=False, disable_image_compression=True) as hdus:
        headers = []
        for i in range(len(hdus)):
            with _reading(path, str(i)):
                headers.append(hdus[i].header)
        yield hdus, headers


def _pixels(hdu: Any) -> Any:
    """Return the pixels of an image HDU that was opened as it is: compressed or not (`numpy.ndarray`)."""
    from astropy.io import fits

    if hdu.header.get("ZIMAGE") is not True:
        return hdu.data
    # To decompress, astropy makes the header of the plain image from that of the table, card by card, which takes
    # longer than the pixels of a binned amplifier: it is given the cards that these need.
    needed = [str(card) for card in hdu.header.cards if _COMPRESSION.fullmatch(card.keyword)]
    hdu.header = fits.Header.fromstring("".join(needed))
    return fits.CompImageHDU(bintable=hdu).data


def _scale(header: Mapping[str, Any]) -> int:
    value = header.get("SIMSCALE", 1)
    if type(value) is not int:
        raise HarnessError(f"header key SIMSCALE is {value!r}", remedy="it is the binning, a whole number")
    return value


@contextmanager
def _reading(path: str, extension: str) -> Iterator[None]:
    """Name the extension that cannot be read; astropy and its decompressors raise anything on damaged bytes."""
    try:
        yield
    except (HarnessError, MemoryError):
        raise
    except Exception as error:
        raise HarnessError(
            f"extension {extension} of raw {path} cannot be read: {type(error).__name__}: {error}",
            remedy="the file is damaged: fetch it again",
            code="raw-structure",
        ) from error
