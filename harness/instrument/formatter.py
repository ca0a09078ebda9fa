"""Reader of raw files for the Butler, common to the instruments whose raws are one image HDU."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from lsst.daf.butler import FormatterV2

from .headers import Header, read_header
from .lsst_detector import lsst_detector, sky_projection
from .pointing import Pointing
from .raw import Raw

if TYPE_CHECKING:
    from astro_metadata_translator import MetadataTranslator, ObservationInfo
    from lsst.images import Image, SkyProjection
    from lsst.images.cameras import Detector
    from lsst.resources import ResourcePath

    from .camera import Camera

__all__ = ["RawFormatter"]

_FIX_DATE = "HIERARCH ASTRO METADATA FIX DATE"


class RawFormatter(FormatterV2):
    """Read a raw file, or one component of it: ``image``, ``header``, ``detector``, ``wcs``.

    Subclasses name the `translator` and the `camera`. Components other than the image are made from the header,
    of which only the first bytes of the file are read, remote or not.
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

    def read_from_uri(self, uri: ResourcePath, component: str | None = None, expected_size: int = -1) -> Any:  # noqa: ARG002
        """Read a component from the header; leave what needs pixels to `read_from_local_file`."""
        if component in (None, "image"):
            return NotImplemented
        return self._from_header(self._header(uri), str(uri), component)

    def read_from_local_file(self, path: str, component: str | None = None, expected_size: int = -1) -> Any:  # noqa: ARG002
        """Read everything, or one component."""
        if component == "image":
            return self._image(path)
        header = self._header(path)
        if component is not None:
            return self._from_header(header, path, component)
        info = self._translate(header, path)
        return Raw(
            image=self._image(path),
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

    def _header(self, source: str | ResourcePath) -> Header:
        from astro_metadata_translator import fix_header

        header = read_header(source)
        fix_header(header, translator_class=self.translator, filename=str(source))
        # The only key of a correction that depends on when the file is read: without it, reads are equal.
        header.pop(_FIX_DATE, None)
        return header

    def _translate(self, header: Header, name: str) -> ObservationInfo:
        from astro_metadata_translator import ObservationInfo

        # A copy, because ObservationInfo corrects headers in place, once more.
        return ObservationInfo(dict(header), filename=name, translator_class=self.translator, quiet=True)

    def _image(self, path: str) -> Image:
        from astropy import units
        from astropy.io import fits
        from lsst.images import Image

        with fits.open(path, memmap=False) as hdus:
            # A tile-compressed image lies in the first extension.
            return Image(hdus[0 if hdus[0].header["NAXIS"] else 1].data, unit=units.adu)

    def _detector(self, header: Header, info: ObservationInfo) -> Detector:
        return lsst_detector(self.camera(_scale(header)), int(info.detector_num), visit=info.visit_id)

    def _wcs(self, header: Header, info: ObservationInfo) -> SkyProjection[Any] | None:
        if info.tracking_radec is None or info.boresight_rotation_angle is None:
            return None
        camera = self.camera(_scale(header))
        pointing = Pointing(
            ra=float(info.tracking_radec.ra.deg),
            dec=float(info.tracking_radec.dec.deg),
            sky_angle=float(info.boresight_rotation_angle.deg),
            parity=camera.sky_parity,
        )
        return sky_projection(camera, int(info.detector_num), pointing, visit=info.visit_id)


def _scale(header: Header) -> int:
    return int(header.get("SIMSCALE", 1))
