"""Checksums of FITS HDUs (FITS standard 4.0, appendix J)."""

from __future__ import annotations

import numpy as np

__all__ = ["EMPTY", "datasum", "encode"]

EMPTY = "0" * 16
"""Value of CHECKSUM while it is computed."""

_EXCLUDED = frozenset(range(0x3A, 0x41)) | frozenset(range(0x5B, 0x61))
"""Punctuation between the digits and letters."""


def datasum(content: bytes) -> int:
    """Return the ones' complement sum of 32-bit words of whole FITS blocks (`int`)."""
    total = int(np.frombuffer(content, dtype=">u4").sum(dtype=np.uint64))
    while total > 0xFFFFFFFF:
        total = (total & 0xFFFFFFFF) + (total >> 32)
    return total


def encode(total: int) -> str:
    """Return the 16 characters that make the sum of an HDU, whose sum is ``total`` with `EMPTY`, all ones.

    Parameters
    ----------
    total : `int`
        `datasum` of the header, with `EMPTY` as CHECKSUM, and of the data.
    """
    text = bytearray(16)
    for place, byte in enumerate((~total & 0xFFFFFFFF).to_bytes(4, "big")):
        quotient, rest = divmod(byte, 4)
        parts = [quotient + 48 + rest, quotient + 48, quotient + 48, quotient + 48]
        while any(part in _EXCLUDED for part in parts):
            for i in (0, 2):
                if parts[i] in _EXCLUDED or parts[i + 1] in _EXCLUDED:
                    parts[i] += 1
                    parts[i + 1] -= 1
        for i, part in enumerate(parts):
            text[4 * i + place] = part
    # One place to the right: the value begins in the twelfth column of a card.
    return (text[-1:] + text[:-1]).decode("ascii")
