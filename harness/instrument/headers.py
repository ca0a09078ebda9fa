"""FITS headers, read without touching pixels."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import HarnessError

if TYPE_CHECKING:
    from astropy.io import fits
    from lsst.resources import ResourcePath

__all__ = ["Header", "header_values", "merged_header", "read_header"]

Header = dict[str, Any]
_Read = Callable[[int], bytes]

_CARD = 80
_BLOCK = 2880
_FIRST_READ = 10 * _BLOCK
_LONGEST = 2000 * _BLOCK

_COMMENTARY = frozenset({"COMMENT", "HISTORY", ""})
_STRUCTURE = re.compile(r"SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|PCOUNT|GCOUNT|BZERO|BSCALE|CHECKSUM|DATASUM")


def read_header(source: str | Path | ResourcePath) -> Header:
    """Read the header of a raw file, compressed by gzip or not; of a remote one only its first bytes are fetched.

    Parameters
    ----------
    source : `str`, `~pathlib.Path` or `lsst.resources.ResourcePath`
        The file.

    Returns
    -------
    header : `dict` [`str`, `typing.Any`]
        The primary header. If the primary HDU has no data, the first extension's keys are added and win, except
        for those that describe the structure of an HDU. Of repeated keys the first counts; ``COMMENT`` and
        ``HISTORY`` are lists of lines. Keys without a value are `None`.

    Raises
    ------
    HarnessError
        If it cannot be read (code ``unreadable``), is not FITS (``not-fits``), or ends before its header or its
        data do (``truncated``). Of a compressed file the length of the data is not known.
    """
    name, size, read = _open(source)
    data = read(_FIRST_READ)
    if not data.startswith(b"SIMPLE  ="):
        raise HarnessError(f"{name} is not a FITS file", remedy="it does not begin with SIMPLE", code="not-fits")
    primary, end, data = _next_header(name, data, 0, read)
    length = _data_length(primary)
    if length or not (len(data) > end or len(read(end + 1)) > end):
        _require(name, end + length, size)
        return primary
    extension, end, _ = _next_header(name, data, end, read)
    _require(name, end + _data_length(extension), size)
    return merged_header(primary, extension)


def merged_header(primary: Header, extension: Header) -> Header:
    """Return a primary header with the keys of an extension added, which win; those of its structure are left out."""
    return primary | {k: v for k, v in extension.items() if not _STRUCTURE.fullmatch(k)}


def _open(source: str | Path | ResourcePath) -> tuple[str, float, _Read]:
    """Return the name of a file, its size (bytes; infinite if unknown) and a function that reads its first bytes."""
    try:
        name, size, read = _open_as_is(source)
        compressed = read(2) == b"\x1f\x8b"
    except OSError as error:
        raise HarnessError(f"cannot read {source}: {error.strerror or error}", code="unreadable") from error
    return (name, math.inf, partial(_inflate, name, read)) if compressed else (name, size, read)


def _open_as_is(source: str | Path | ResourcePath) -> tuple[str, int, _Read]:
    if isinstance(source, Path):
        path = source
    elif isinstance(source, str) and "://" not in source:
        path = Path(source)
    else:
        from lsst.resources import ResourcePath

        resource = ResourcePath(source, forceDirectory=False)
        if not resource.isLocal:
            return _open_remote(resource)
        path = Path(resource.ospath)

    def read(n: int) -> bytes:
        with path.open("rb", buffering=0) as stream:
            return stream.read(n)

    return str(path), path.stat().st_size, read


def _open_remote(resource: ResourcePath) -> tuple[str, int, _Read]:
    try:
        return str(resource), resource.size(), resource.read
    except NotImplementedError:
        # Resources of Python packages have no size; they are small or local anyway.
        content = resource.read()
        return str(resource), len(content), lambda n: content[:n]


def _inflate(name: str, read: _Read, n: int) -> bytes:
    """Read about the first n bytes of a file compressed by gzip: headers shrink, so n bytes of it are enough."""
    try:
        return zlib.decompressobj(wbits=31).decompress(read(n), n)
    except zlib.error as error:
        raise HarnessError(f"{name} is not a FITS file", remedy=f"gzip: {error}", code="not-fits") from error


def _next_header(name: str, data: bytes, start: int, read: _Read) -> tuple[Header, int, bytes]:
    """Parse the header that begins at ``start``; return it, where its last block ends and the bytes read so far."""
    cards: list[str] = []
    position = start
    while True:
        while position + _CARD > len(data):
            more = read(4 * len(data)) if len(data) < _LONGEST else b""
            if len(more) <= len(data):
                raise _truncated(name, "its header has no END")
            data = more
        card = data[position : position + _CARD]
        position += _CARD
        if card.rstrip() == b"END":
            break
        try:
            cards.append(card.decode("ascii"))
        except UnicodeDecodeError as error:
            message = f"{name} is not a FITS file"
            raise HarnessError(message, remedy="its header holds bytes that are not ASCII", code="not-fits") from error
    end = start + math.ceil((position - start) / _BLOCK) * _BLOCK
    return _parse(name, cards), end, data


def _parse(name: str, cards: list[str]) -> Header:
    from astropy.io import fits

    return header_values(name, fits.Header.fromstring("".join(cards)))


def header_values(name: str, parsed: fits.Header) -> Header:
    """Return the values of a header that astropy has read, as `read_header` gives them.

    Parameters
    ----------
    name : `str`
        The file, for messages.
    parsed : `astropy.io.fits.Header`
        The header.

    Raises
    ------
    HarnessError
        If a card is not FITS (code ``not-fits``).
    """
    from astropy.io import fits

    header: Header = {}
    try:
        for key in dict.fromkeys(parsed):
            value = parsed[key]
            if key not in _COMMENTARY:
                header[key] = None if isinstance(value, fits.card.Undefined) else value
            elif lines := [line for line in value if line]:
                header[key] = lines
    except (fits.VerifyError, ValueError) as error:
        message = f"{name} has a card that is not FITS: {error}"
        raise HarnessError(message, code="not-fits") from error
    return header


def _data_length(header: Header) -> int:
    """Return the length (bytes) of the data that a header announces, without padding."""
    try:
        axes = [int(header[f"NAXIS{i + 1}"]) for i in range(int(header["NAXIS"]))]
        bits = abs(int(header["BITPIX"]))
    except (KeyError, TypeError, ValueError):
        return 0
    if not axes:
        return 0
    return bits // 8 * int(header.get("GCOUNT", 1)) * (int(header.get("PCOUNT", 0)) + math.prod(axes))


def _require(name: str, needed: int, size: float) -> None:
    if size < needed:
        raise _truncated(name, f"{size} bytes of at least {needed}")


def _truncated(name: str, why: str) -> HarnessError:
    return HarnessError(f"{name} is truncated", remedy=why, code="truncated")
