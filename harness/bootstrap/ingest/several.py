"""Files that hold several detectors: one header for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .header import GivenHeader, RawHeader
from .reasons import BadRaw, Reason

if TYPE_CHECKING:
    from astro_metadata_translator import MetadataTranslator
    from lsst.resources import ResourcePath

__all__ = ["detector_headers"]


def detector_headers(
    translator: type[MetadataTranslator], primary: RawHeader, path: str | ResourcePath
) -> Sequence[RawHeader]:
    """Return the headers of a file that are translated: the primary one, unless the translator makes others of it.

    Parameters
    ----------
    translator : `type` [`astro_metadata_translator.MetadataTranslator`]
        Its translator. One that overrides ``determine_translatable_headers`` says by it which detectors a file holds.
    primary : `RawHeader`
        Its primary header.
    path : `str` or `lsst.resources.ResourcePath`
        The file.

    Returns
    -------
    headers : `~collections.abc.Sequence` [`RawHeader`]
        One for each raw in the file, in its order.

    Raises
    ------
    BadRaw
        If the translator cannot read them, or finds none.
    """
    from astro_metadata_translator import MetadataTranslator

    own = translator.determine_translatable_headers
    if own.__func__ is MetadataTranslator.determine_translatable_headers.__func__:
        return (primary,)
    try:
        headers = [GivenHeader(header) for header in own(path, primary=_readable(primary))]
    except BadRaw:
        raise
    except Exception as error:  # translators, and astropy on damaged headers, raise anything
        raise BadRaw(
            Reason.STRUCTURE, f"headers of its detectors cannot be read: {type(error).__name__}: {error}"
        ) from error
    if not headers:
        raise BadRaw(Reason.STRUCTURE, f"holds no detector that {translator.__name__} knows", key="EXTNAME")
    return headers


def _readable(header: RawHeader) -> Mapping[str, Any]:
    """Return all values of a header; of a card that cannot be parsed the text."""
    values = {}
    for key in header.names():
        try:
            values[key] = header[key]
        except BadRaw as error:
            values[key] = error.seen
    return values
