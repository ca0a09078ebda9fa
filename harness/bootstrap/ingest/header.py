"""FITS headers read with one system call, values parsed when they are asked for.

A raw's header has some 150 cards, of which the translation of an exposure uses 25 and that of a further
detector five. Cards therefore stay text; only those asked for are parsed, the unusual ones by astropy.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from functools import lru_cache
from typing import Any

from .reasons import BadRaw, Reason

__all__ = ["BLOCK", "CARD", "EVERY_KEY", "GivenHeader", "RawHeader", "key_names", "parse_cards"]

BLOCK = 2880
"""Bytes in a FITS block (FITS standard 4.0, section 3.1)."""
CARD = 80
_KEY = 8
EVERY_KEY = "*"
"""Logged in place of a key when all of them were looked at."""

_END = "END" + 77 * " "
_INT = re.compile(r"[+-]?\d+")
_FLOAT = re.compile(r"[+-]?(\d+\.\d*|\.\d+|\d+(?=E))(E[+-]?\d+)?")
_STRING = re.compile(r"'([^']*)'\s*(?:/|$)")
_COMMENTARY = frozenset({"COMMENT", "HISTORY", ""})


class RawHeader(MutableMapping[str, Any]):
    """A header that parses lazily, can say which keys were looked at, and can be changed.

    Parameters
    ----------
    text : `str`
        The cards, 80 characters each, without the END card.
    places : `dict` [`str`, `int`]
        Where in ``text`` each key's card begins.
    lengths : `dict` [`str`, `int`], optional
        Characters of cards that go on in CONTINUE cards.

    Attributes
    ----------
    accessed : `set` [`str`] or `None`
        Keys asked for since it was set to a `set`, whether they were there or not; not logged while `None`.
    corrections : `frozenset` [`str`]
        Keys that were looked at to find out what is to be put right in it.
    """

    __slots__ = ("_lengths", "_places", "_text", "_values", "accessed", "corrections")

    def __init__(self, text: str, places: dict[str, int], lengths: dict[str, int] | None = None) -> None:
        self._text = text
        self._places = places
        self._lengths = lengths
        self._values: dict[str, Any] = {}
        self.accessed: set[str] | None = None
        self.corrections: frozenset[str] = frozenset()

    @property
    def length(self) -> int:
        """Bytes up to the END card."""
        return len(self._text)

    @property
    def is_ascii(self) -> bool:
        """Whether all cards are ASCII, as the standard demands."""
        return self._text.isascii()

    def card(self, key: str) -> str | None:
        """Return the text of a card, as in the file; `None` if there is no such card."""
        start = self._places.get(key)
        if start is None:
            return None
        return self._text[start : start + (self._lengths.get(key, CARD) if self._lengths else CARD)]

    def copy(self) -> RawHeader:
        """Return a copy as the file has it, without later changes."""
        return RawHeader(self._text, self._places, self._lengths)

    def reduced(self, keys: Iterable[str]) -> RawHeader:
        """Return the header as the file has it, with some cards only; `EVERY_KEY` stands for all."""
        names = list(keys)
        if EVERY_KEY in names:
            return self.copy()
        cards = {k: c for k in names if (c := self.card(k)) is not None}
        lengths = {k: len(c) for k, c in cards.items()}
        starts = itertools.accumulate(lengths.values(), initial=0)
        return RawHeader("".join(cards.values()), dict(zip(cards, starts, strict=False)), lengths)

    def __getitem__(self, key: str) -> Any:
        if self.accessed is not None:
            self.accessed.add(key)
        values = self._values
        if key in values:
            value = values[key]
            if value is _DELETED:
                raise KeyError(key)
            return value
        card = self.card(key)
        if card is None:
            upper = key.upper()
            if upper == key or upper not in self._places:
                raise KeyError(key)
            return self[upper]
        value = values[key] = _parse(card, key)
        return value

    def __contains__(self, key: object) -> bool:
        if self.accessed is not None and isinstance(key, str):
            self.accessed.add(key)
        if key in self._values:
            return self._values[key] is not _DELETED
        return key in self._places or (isinstance(key, str) and key.upper() in self._places)

    def __setitem__(self, key: str, value: Any) -> None:
        self._values[key] = value

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self._values[key] = _DELETED

    def __iter__(self) -> Iterator[str]:
        if self.accessed is not None:
            self.accessed.add(EVERY_KEY)
        yield from self.names()

    def names(self) -> Iterator[str]:
        """Yield the keys, without logging that all of them were looked at."""
        yield from (k for k in self._places if self._values.get(k) is not _DELETED)
        yield from (k for k, v in self._values.items() if k not in self._places and v is not _DELETED)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class GivenHeader(RawHeader):
    """A header that a translator made of several, with values rather than cards.

    Parameters
    ----------
    given : `~collections.abc.Mapping` [`str`, `typing.Any`]
        Its values; a card that cannot be parsed is met when its value is asked for.
    """

    __slots__ = ("_given",)

    def __init__(self, given: Mapping[str, Any]) -> None:
        super().__init__("", {})
        self._given = given if type(given) is dict else _values_of(given)
        self._values = dict(self._given)

    def card(self, key: str) -> str | None:
        """Return the text of a value: equal texts are equal values; `None` if there is no such key."""
        return repr(self._given[key]) if key in self._given else None

    def copy(self) -> RawHeader:
        """Return a copy as it was given, without later changes."""
        return GivenHeader(self._given)

    def reduced(self, keys: Iterable[str]) -> RawHeader:
        """Return the header as it was given, with some keys only; `EVERY_KEY` stands for all."""
        names = list(keys)
        if EVERY_KEY in names:
            return self.copy()
        return GivenHeader({k: self._given[k] for k in names if k in self._given})

    def __getitem__(self, key: str) -> Any:
        value = super().__getitem__(key)
        if isinstance(value, BadRaw):
            raise value
        return value


def _values_of(header: Mapping[str, Any]) -> dict[str, Any]:
    from astropy.io.fits.verify import VerifyError

    values = {}
    for key in dict.fromkeys(header):
        try:
            value = header[key]
            values[key] = str(value) if key in _COMMENTARY else value
        except (VerifyError, ValueError) as error:
            values[key] = BadRaw(Reason.BAD_VALUE, f"header key {key} cannot be parsed: {error}", key=key)
    return values


def key_names(header: Mapping[str, Any]) -> list[str]:
    """Return the keys of a header of any kind, for translators that look for keys by a part of their name.

    Iterating over a `RawHeader` means that a translation depends on every card, so that no two detectors of an
    exposure agree. A translator that uses this function instead must look up each key that it found.

    Parameters
    ----------
    header : `~collections.abc.Mapping`
        The header.
    """
    return list(header.names() if isinstance(header, RawHeader) else header)


class _Deleted:
    pass


_DELETED = _Deleted()


def parse_cards(block: str) -> RawHeader | None:
    """Find the cards of a header.

    Parameters
    ----------
    block : `str`
        Text from the start of an HDU, possibly reaching beyond its header.

    Returns
    -------
    header : `RawHeader` or `None`
        `None` if the END card isn't in the text.
    """
    end = block.find(_END)
    while end >= 0 and end % CARD:
        end = block.find(_END, end + 1)
    if end < 0:
        return None
    text = block[:end]
    if "CONTINUE" in text or "HIERARCH" in text:
        return _parse_long_cards(text)
    return RawHeader(text, _places(tuple([text[i::CARD] for i in range(_KEY)])))


@lru_cache(maxsize=256)
def _places(columns: tuple[str, ...]) -> dict[str, int]:
    """Find the cards of headers with the same keys in the same order, such as those of all files of a camera.

    Parameters
    ----------
    columns : `tuple` [`str`]
        The characters that keys have in each of their 8 columns.
    """
    keys = ["".join(key).rstrip() for key in zip(*columns, strict=True)]
    # backwards, so that the first of several cards wins
    return {key: i * CARD for i, key in zip(range(len(keys) - 1, -1, -1), reversed(keys), strict=True)}


def _parse_long_cards(text: str) -> RawHeader:
    """Find cards when some have long names or go on in further cards."""
    places: dict[str, int] = {}
    lengths: dict[str, int] = {}
    last = ""
    for start in range(0, len(text), CARD):
        key = text[start : start + 8].rstrip()
        if key == "CONTINUE":
            if last:
                lengths[last] = start + CARD - places[last]
            continue
        if key == "HIERARCH":
            key = text[start + 9 : start + CARD].partition("=")[0].strip().upper()
        last = "" if key in places else key
        places.setdefault(key, start)
    return RawHeader(text, places, lengths)


@lru_cache(maxsize=4096)  # the cards of a camera's HDUs are mostly alike
def _parse(card: str, key: str) -> Any:
    """Return the value of a card: the common forms here, the others by astropy."""
    if card[8:10] == "= " and len(card) == CARD:
        body = card[10:]
        if body[0] == "'":
            if match := _STRING.match(body):
                return match.group(1).rstrip()
        else:
            text = body.partition("/")[0].strip()
            if text in ("T", "F"):
                return text == "T"
            if _INT.fullmatch(text):
                return int(text)
            if _FLOAT.fullmatch(text):
                return float(text)
    elif key in _COMMENTARY:
        return card[8:].rstrip()
    return _parse_unusual(card, key)


def _parse_unusual(card: str, key: str) -> Any:
    from astropy.io.fits import Card
    from astropy.io.fits.card import Undefined
    from astropy.io.fits.verify import VerifyError

    try:
        value = Card.fromstring(card.encode("ascii")).value
    except (VerifyError, ValueError) as error:
        raise BadRaw(
            Reason.BAD_VALUE, f"header key {key} cannot be parsed: {card.strip()!r}", key=key, seen=card[8:].strip()
        ) from error
    return None if isinstance(value, Undefined) else value
