"""Reading a raw file's headers and proving that the file is whole, without reading its pixels."""

from __future__ import annotations

import gzip
import io
import math
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from .header import BLOCK, RawHeader, parse_cards
from .reasons import BadRaw, Reason

if TYPE_CHECKING:
    from lsst.resources import ResourcePath

__all__ = ["open_raw", "read_headers", "same_content"]

_FIRST_READ = 5 * BLOCK
"""Bytes read at once: the 144 cards of a real HSC raw fill four blocks."""
_MAX_HEADER = 16 * 1024 * 1024
"""A header longer than this (bytes) is taken for something else."""
_PIECE = 1024 * 1024
_GZIP = b"\x1f\x8b"


@contextmanager
def open_raw(path: str | ResourcePath) -> Iterator[tuple[BinaryIO, int]]:
    """Open a file for reading.

    Parameters
    ----------
    path : `str` or `lsst.resources.ResourcePath`
        Local path, or anything that ``lsst.resources`` can read.

    Yields
    ------
    stream : `typing.BinaryIO`
        Seekable, unbuffered if local.
    size : `int`
        Length of the file in bytes.

    Raises
    ------
    BadRaw
        If it is not there or cannot be read.
    """
    try:
        if isinstance(path, str):
            with open(path, "rb", buffering=0) as stream:  # noqa: PTH123  (a Path per file costs as much as the read)
                yield stream, os.fstat(stream.fileno()).st_size
        else:
            size = path.size()
            with path.open("rb") as remote:
                yield remote, size
    except FileNotFoundError as error:
        raise BadRaw(Reason.NOT_FOUND, "no such file") from error
    except IsADirectoryError as error:
        raise BadRaw(Reason.UNREADABLE, "is a folder") from error
    except OSError as error:
        raise BadRaw(Reason.UNREADABLE, f"cannot be read: {error.strerror or error}") from error


def read_headers(path: str | ResourcePath) -> tuple[list[RawHeader], int]:
    """Read the headers of a file and prove that all its HDUs are whole.

    Parameters
    ----------
    path : `str` or `lsst.resources.ResourcePath`
        The file.

    Returns
    -------
    headers : `list` [`RawHeader`]
        Those of all HDUs, the primary first.
    size : `int`
        Length of the file in bytes.

    Raises
    ------
    BadRaw
        If it cannot be read, is not FITS, has no data, or ends before its header or data do.
    """
    with open_raw(path) as (stream, size):
        if size == 0:
            raise BadRaw(Reason.TRUNCATED, "is empty", seen="0 bytes")
        start = stream.read(len(_GZIP))
        stream.seek(0)
        if start != _GZIP:
            return _read_all(stream, size), size
        with _inflated(stream) as (plain, length):
            return _read_all(plain, length), size


@contextmanager
def _inflated(stream: BinaryIO) -> Iterator[tuple[BinaryIO, int]]:
    """Open what is compressed by gzip, whatever the file's name; only reading all of it proves it whole."""
    try:
        with gzip.GzipFile(fileobj=stream) as plain:
            length = plain.seek(0, io.SEEK_END)
            plain.seek(0)
            yield cast(BinaryIO, plain), length
    except EOFError as error:
        raise BadRaw(Reason.TRUNCATED, "gzip-compressed data are cut off") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise BadRaw(Reason.NOT_FITS, f"is not FITS: gzip-compressed, but damaged: {error}") from error


def _read_all(stream: BinaryIO, size: int) -> list[RawHeader]:
    """Read the headers of all HDUs."""
    header, end = _read_header(stream, size, 0, stream.read(_FIRST_READ))
    headers = [header]
    if header.get("SIMPLE") is not True:
        raise BadRaw(Reason.NOT_FITS, "is not FITS: SIMPLE is not T", key="SIMPLE")
    current, hdu, data = header, 0, 0
    while True:
        length = _data_length(current, hdu)
        data += length
        if end + length > size:
            raise BadRaw(
                Reason.TRUNCATED,
                f"data of HDU {hdu} are cut off",
                seen=f"{size} bytes",
                expected=f"at least {end + length} bytes",
            )
        start = end + math.ceil(length / BLOCK) * BLOCK
        if start >= size:
            break
        following = _read_extension(stream, size, start)
        if following is None:  # special records after the last HDU (FITS standard, section 3.5)
            break
        (current, end), hdu = following, hdu + 1
        headers.append(current)
    if not data:
        raise BadRaw(Reason.NO_DATA, "holds headers only: no HDU has data")
    return headers


def _read_header(stream: BinaryIO, size: int, start: int, content: bytes) -> tuple[RawHeader, int]:
    """Read the rest of a header whose beginning has been read; return it and the offset of the data that follow."""
    if not start and content[:9] != b"SIMPLE  =":
        raise BadRaw(
            Reason.NOT_FITS, f"is not FITS: begins with {content[:9]!r}", seen=repr(content[:9]), expected="SIMPLE  ="
        )
    while True:
        header = parse_cards(content.decode("latin-1"))
        if header is not None:
            break
        if start + len(content) >= size:
            raise BadRaw(Reason.TRUNCATED, "header has no END card", seen=f"{size} bytes")
        if len(content) > _MAX_HEADER:
            raise BadRaw(Reason.NOT_FITS, f"header has no END card in {len(content)} bytes")
        content += stream.read(len(content))
    if not header.is_ascii:
        raise BadRaw(Reason.NOT_FITS, "header holds bytes that are not ASCII")
    return header, start + math.ceil((header.length + 1) / BLOCK) * BLOCK


def _read_extension(stream: BinaryIO, size: int, start: int) -> tuple[RawHeader, int] | None:
    stream.seek(start)
    content = stream.read(_FIRST_READ)
    return _read_header(stream, size, start, content) if content.startswith(b"XTENSION") else None


def _data_length(header: RawHeader, hdu: int) -> int:
    """Bytes of data of an HDU, without padding (FITS standard 4.0, equations 1, 2 and 4)."""

    def integer(key: str, default: int | None = None) -> int:
        value = header.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            said = "is missing" if value is None else f"is {value!r}"
            raise BadRaw(Reason.NOT_FITS, f"HDU {hdu}: {key} {said}", key=key, seen=value)
        return value

    axes = integer("NAXIS")
    if not 0 <= axes <= 999:
        raise BadRaw(Reason.NOT_FITS, f"HDU {hdu}: NAXIS is {axes}", key="NAXIS", seen=axes, expected="0 to 999")
    bits = integer("BITPIX")
    if bits not in (8, 16, 32, 64, -32, -64):
        raise BadRaw(Reason.NOT_FITS, f"HDU {hdu}: BITPIX is {bits}", key="BITPIX", seen=bits)
    if axes == 0:
        return 0
    lengths = [integer(f"NAXIS{i}") for i in range(1, axes + 1)]
    if lengths[0] == 0 and header.get("GROUPS") is True:
        lengths = lengths[1:]
    if min(lengths, default=0) < 0:
        raise BadRaw(Reason.NOT_FITS, f"HDU {hdu}: negative axis length", key="NAXIS", seen=lengths)
    return abs(bits) // 8 * integer("GCOUNT", 1) * (integer("PCOUNT", 0) + math.prod(lengths))


def same_content(one: str | ResourcePath, other: str | ResourcePath) -> bool:
    """Say whether two files hold the same bytes; links to one file are the same without being read.

    Raises
    ------
    BadRaw
        If one of them cannot be read.
    """
    if isinstance(one, str) and isinstance(other, str):
        try:
            a, b = os.stat(one), os.stat(other)  # noqa: PTH116
        except OSError as error:
            raise BadRaw(Reason.UNREADABLE, f"cannot be read: {error.strerror}") from error
        if (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino):
            return True
        if a.st_size != b.st_size:
            return False
    with open_raw(one) as (left, size_left), open_raw(other) as (right, size_right):
        if size_left != size_right:
            return False
        while piece := left.read(_PIECE):
            rest = right.read(len(piece))
            while len(rest) < len(piece) and (more := right.read(len(piece) - len(rest))):
                rest += more
            if piece != rest:
                return False
    return True
