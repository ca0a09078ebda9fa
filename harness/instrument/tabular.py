"""Reader of raw files for the Butler that hold tables or series rather than images."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from lsst.daf.butler import FormatterV2

from .headers import Header, read_header
from .structure import StructureProblem

if TYPE_CHECKING:
    from astro_metadata_translator import MetadataTranslator, ObservationInfo
    from lsst.resources import ResourcePath

__all__ = ["TabularRawFormatter"]

_FIX_DATE = "HIERARCH ASTRO METADATA FIX DATE"


class TabularRawFormatter(FormatterV2):
    """Read a raw file, or one component of it; the component ``header`` costs the first bytes of the file only.

    Subclasses name the `translator` and give `read_raw`; what that returns has an attribute for each component.
    """

    translator: ClassVar[type[MetadataTranslator]]
    """Translator of the headers."""

    supported_extensions: ClassVar[frozenset[str]] = frozenset({".fits", ".fits.gz", ".fits.fz"})
    can_read_from_uri: ClassVar[bool] = True
    can_read_from_local_file: ClassVar[bool] = True

    @classmethod
    @abstractmethod
    def read_raw(cls, path: str, header: Header, info: ObservationInfo) -> Any:
        """Return the Python object of the storage class.

        Parameters
        ----------
        path : `str`
            The file.
        header : `dict` [`str`, `typing.Any`]
            Its primary header, corrected.
        info : `astro_metadata_translator.ObservationInfo`
            The translated header.

        Raises
        ------
        HarnessError
            If the file does not hold what it should.
        """
        raise NotImplementedError

    @classmethod
    def check_structure(cls, headers: Sequence[Mapping[str, Any]], detector: int) -> list[StructureProblem]:  # noqa: ARG003
        """Say in what a file is not one of a detector, from the headers of all its HDUs; nothing by default."""
        return []

    @classmethod
    def check_file(cls, path: str) -> None:
        """Prove that the whole of a local file can be read; tables are small.

        Raises
        ------
        HarnessError
            If it cannot.
        """
        header = cls._header(path)
        cls.read_raw(path, header, cls._translate(header, path))

    def read_from_uri(self, uri: ResourcePath, component: str | None = None, expected_size: int = -1) -> Any:  # noqa: ARG002
        """Read the header; leave everything else to `read_from_local_file`."""
        return self._header(uri) if component == "header" else NotImplemented

    def read_from_local_file(self, path: str, component: str | None = None, expected_size: int = -1) -> Any:  # noqa: ARG002
        """Read everything, or one component."""
        header = self._header(path)
        if component == "header":
            return header
        raw = self.read_raw(path, header, self._translate(header, path))
        return raw if component is None else getattr(raw, component)

    @classmethod
    def _header(cls, source: str | ResourcePath) -> Header:
        from astro_metadata_translator import fix_header

        header = read_header(source)
        fix_header(header, translator_class=cls.translator, filename=str(source))
        # The only key of a correction that depends on when the file is read: without it, reads are equal.
        header.pop(_FIX_DATE, None)
        return header

    @classmethod
    def _translate(cls, header: Header, name: str) -> ObservationInfo:
        from astro_metadata_translator import ObservationInfo

        # A copy, because ObservationInfo corrects headers in place, once more.
        return ObservationInfo(dict(header), filename=name, translator_class=cls.translator, quiet=True)
