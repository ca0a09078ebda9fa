"""Raw files as the observatory writes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits

# Private, because astropy's public class for compressed images takes ten times as long for the small images of a
# binned raw: it builds each header four times over. A test reads the files with the public one.
from astropy.io.fits.hdu.compressed._codecs import Rice1

from harness.instrument.assembly import require_pixels

from .checksum import EMPTY, datasum, encode
from .header import Cards, detector_cards, exposure_cards, file_name
from .segments import conditions, segment_cards

if TYPE_CHECKING:
    from astro_metadata_translator import MetadataTranslator

    from harness.datasets.observations import Observation
    from harness.instrument.camera import Detector
    from harness.instrument.kit import RawWriter

    from .profiles import Profile

__all__ = ["raw_writer"]

_BLOCK, _CARD = 2880, 80
_RICE_BLOCK = 32


def raw_writer(profile: Profile, translator: type[MetadataTranslator]) -> RawWriter:
    """Make the function that writes the raw files of a camera.

    Parameters
    ----------
    profile : `~harness_lsst.profiles.Profile`
        What its headers say.
    translator : `type` [`astro_metadata_translator.MetadataTranslator`]
        Its translator.

    Returns
    -------
    write_raw : `~harness.instrument.kit.RawWriter`
        Writes an empty primary HDU, for each amplifier an image of 32-bit integers, compressed row by row with
        RICE_1, and two tables without rows. The same arguments always give the same bytes.
    """

    @lru_cache(maxsize=4)
    def shared(observation: Observation) -> bytes:
        # Once per exposure: files are written exposure by exposure.
        return _cards(exposure_cards(profile, translator, observation))

    def write_raw(
        folder: Path,
        observation: Observation,
        detector: Detector,
        pixels: Mapping[str, np.ndarray[Any, np.dtype[np.integer[Any]]]],
        scale: int,
    ) -> Path:
        require_pixels(pixels, detector)
        own = _cards(detector_cards(profile, observation, detector, scale))
        hdus = [_primary(shared(observation), own)]
        for channel, amplifier in enumerate(detector.amplifiers, start=1):
            cards = _cards(segment_cards(amplifier, channel, detector, scale))
            hdus.append(_image(cards, pixels[amplifier.name]))
        hdus += _conditions()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / file_name(profile, observation, detector)
        path.write_bytes(b"".join(hdus))
        return path

    return write_raw


def _primary(*cards: bytes) -> bytes:
    structure = _cards({"SIMPLE": True, "BITPIX": 8, "NAXIS": 0, "EXTEND": True})
    return _summed([structure, *cards], b"")


def _image(cards: bytes, pixels: np.ndarray[Any, np.dtype[np.integer[Any]]]) -> bytes:
    """Make the HDU of a compressed image: a table of one column, a row of the image in each of its rows."""
    ny, nx = pixels.shape
    rows = np.ascontiguousarray(pixels, dtype=np.int32)
    codec = Rice1(blocksize=_RICE_BLOCK, bytepix=4, tilesize=nx)
    tiles = [codec.encode(row) for row in rows]
    lengths = np.fromiter(map(len, tiles), dtype=">i4", count=ny)
    table = np.stack([lengths, np.cumsum(lengths, dtype=">i4") - lengths], axis=1).astype(">i4")
    heap = b"".join(tiles)
    structure = {
        **_extension("BINTABLE", 8, (8, ny), len(heap)),
        "TFIELDS": 1,
        "TTYPE1": "COMPRESSED_DATA",
        "TFORM1": f"1PB({lengths.max()})",
    }
    compression = {"ZIMAGE": True, "ZTENSION": "IMAGE", "ZBITPIX": 32, "ZNAXIS": 2, "ZNAXIS1": nx, "ZNAXIS2": ny}
    compression |= {"ZPCOUNT": 0, "ZGCOUNT": 1, "ZTILE1": nx, "ZTILE2": 1, "ZCMPTYPE": "RICE_1"}
    compression |= {"ZNAME1": "BLOCKSIZE", "ZVAL1": _RICE_BLOCK, "ZNAME2": "BYTEPIX", "ZVAL2": 4}
    # The checksums that the image has when it is not compressed.
    plain = _summed([_cards(_extension("IMAGE", 32, (nx, ny), 0)), cards], rows.astype(">i4").tobytes())
    originals = {f"Z{key[1:] if key == 'CHECKSUM' else key}": plain_value
                 for key, plain_value in _sums(plain).items()}  # fmt: skip
    return _summed([_cards(structure | compression), cards], table.tobytes() + heap, _cards(originals))


@lru_cache(maxsize=1)
def _conditions() -> list[bytes]:
    structure = _extension("BINTABLE", 8, (0, 0), 0) | {"TFIELDS": 0}
    return [_summed([_cards(structure | {"EXTNAME": name} | cards)], b"") for name, cards in conditions().items()]


def _extension(kind: str, bits: int, axes: tuple[int, int], heap: int) -> Cards:
    cards: Cards = {"XTENSION": kind, "BITPIX": bits, "NAXIS": 2, "NAXIS1": axes[0], "NAXIS2": axes[1]}
    return cards | {"PCOUNT": heap, "GCOUNT": 1}


def _summed(cards: Iterable[bytes], data: bytes, last: bytes = b"") -> bytes:
    """Make an HDU of its cards and data, with the checksums of both."""
    padded = data + bytes(-len(data) % _BLOCK)
    sum_of_data = datasum(padded)
    content = [*cards, _cards({"CHECKSUM": EMPTY, "DATASUM": str(sum_of_data)}), last, b"END".ljust(_CARD)]
    header = b"".join(content)
    header += b" " * (-len(header) % _BLOCK)
    total = encode((datasum(header) + sum_of_data) % 0xFFFFFFFF)
    return header.replace(_card("CHECKSUM", EMPTY), _card("CHECKSUM", total), 1) + padded


def _sums(hdu: bytes) -> Cards:
    """Return CHECKSUM and DATASUM of an HDU just made."""
    start = hdu.index(b"CHECKSUM= ")
    return {
        "CHECKSUM": hdu[start + 11 : start + 27].decode("ascii"),
        "DATASUM": hdu[start + _CARD + 11 : start + 2 * _CARD].split(b"'")[0].decode("ascii"),
    }


def _cards(cards: Cards) -> bytes:
    return b"".join(_card(key, value) for key, value in cards.items())


def _card(key: str, value: Any) -> bytes:
    """Write a card in fixed format; leave what is unusual to astropy."""
    match value:
        case bool():
            text = f"{'FT'[value]:>20}"
        case int():
            text = f"{value:>20}"
        case float():
            text = f"{repr(value).upper():>20}"
        case str() if "'" not in value and len(value) < 60 and value.isascii():
            text = f"'{value:<8}'"
        case _:
            return str(fits.Card(key, value)).encode("ascii")
    if len(key) > 8:
        return f"HIERARCH {key} = {text.strip()}".ljust(_CARD).encode("ascii")
    return f"{key:<8}= {text}".ljust(_CARD).encode("ascii")
