"""An id for each finding, the same in every audit, and a fingerprint of what it says."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..verdicts import Finding

__all__ = ["Identity", "identify"]

ID_LENGTH = 12
"""Hexadecimal digits of an id: with a million findings two share one with a probability of 0.2 %."""

_NUMBER = re.compile(r"(?<![\w-])[-+]?\d+(?:[.:]\d+)*(?:e[-+]?\d+)?(?![\w-])")


@dataclasses.dataclass(frozen=True)
class Identity:
    """What a finding is about, and what it says.

    Parameters
    ----------
    id : `str`
        Hash of the check and of the thing that the finding is about: its data ID, its place, and the command that
        shows it. Independent of the order of rows, of counts and values, and of where the repository lies.
    content : `str`
        Hash of what is said of it: message, value seen and value expected.
    """

    id: str
    content: str


def identify(check: str, finding: Finding, folder: str = "") -> Identity:
    """Identify a finding.

    Parameters
    ----------
    check : `str`
        Id of the check.
    finding : `~harness.verdicts.Finding`
        What it found.
    folder : `str`, optional
        The repository, which a finding may name.
    """
    folder = folder.rstrip("/")

    def plain(text: str) -> str:
        return text.replace(folder, "{repo}") if folder else text

    data_id = [f"{k}={v}" for k, v in sorted(finding.data_id.items())]
    message, where, look = plain(finding.message), plain(finding.where), plain(finding.look)
    about = [check, *data_id, where, look, _kind(message, finding) if data_id or where or look else message]
    said = [message, plain(finding.seen), plain(finding.expected)]
    return Identity(_hash(about)[:ID_LENGTH], _hash(said)[:ID_LENGTH])


def _kind(message: str, finding: Finding) -> str:
    """Return what sort of thing a message says, without the values: two things may be wrong with one record."""
    for value in sorted((finding.seen, finding.expected), key=len, reverse=True):
        if len(value) > 1:
            message = message.replace(value, "…")
    return _NUMBER.sub("#", message)


def _hash(parts: list[str]) -> str:
    # file names may be no UTF-8
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
