"""The lazy header gives what astropy gives."""

from __future__ import annotations

import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from harness.bootstrap.ingest.header import EVERY_KEY, parse_cards

TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)
VALUES = st.one_of(
    TEXT,
    st.integers(-(10**18), 10**18),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.booleans(),
)


RESERVED = ("END", "CONTINUE", "COMMENT", "HISTORY", "HIERARCH")
KEYS = st.from_regex(r"[A-Z][A-Z0-9_-]{0,7}", fullmatch=True).filter(lambda k: k not in RESERVED)


@given(st.dictionaries(KEYS, VALUES, max_size=12))
def test_values_are_astropys(values):
    header = fits.Header(list(values.items()))
    text = header.tostring()
    lazy = parse_cards(text)
    again = fits.Header.fromstring(text)
    for key in values:
        assert lazy[key] == again[key]
        assert type(lazy[key]) is type(again[key])
    assert set(lazy) == set(values)


SPECIAL = {
    "quote": ("NAME    = 'O''Neill / x'       / a comment", "O'Neill / x"),
    "exponent D": ("VAL     =               1.5D3", 1500.0),
    "no fraction": ("VAL     =                 1E3", 1000.0),
    "plus": ("VAL     =                  +7", 7),
    "free format": ("VAL     = 42 / comment", 42),
    "complex": ("VAL     = (1.0, 2.0)", 1 + 2j),
}


@pytest.mark.parametrize("name", SPECIAL)
def test_unusual_cards(name):
    card, value = SPECIAL[name]
    key = card[:8].strip()
    assert parse_cards(card.ljust(80) + "END".ljust(80))[key] == value


def test_undefined_value_is_undefined_for_translators():
    from astro_metadata_translator import MetadataTranslator

    header = parse_cards("VAL     =".ljust(80) + "END".ljust(80))
    assert not MetadataTranslator.is_keyword_defined(header, "VAL")


def test_long_strings_and_names():
    header = fits.Header()
    header["LONGSTR"] = "x" * 150
    header["HIERARCH A long name"] = 5
    header["AFTER"] = 1
    lazy = parse_cards(header.tostring())
    assert (lazy["LONGSTR"], lazy["A LONG NAME"], lazy["AFTER"]) == ("x" * 150, 5, 1)
    assert dict(lazy.reduced(["LONGSTR", "AFTER", "NONE"])) == {"LONGSTR": "x" * 150, "AFTER": 1}


def test_first_of_several_cards_wins():
    cards = ["KEY     =                    1", "KEY     =                    2", "END"]
    assert parse_cards("".join(c.ljust(80) for c in cards))["KEY"] == 1


def test_end_must_begin_a_card():
    comment = "COMMENT xEND".ljust(92)[:80]  # within the text, END and 77 blanks follow no card's beginning
    header = parse_cards(comment + " " * 80 + "END".ljust(80))
    assert header.length == 160
    assert parse_cards(comment + " " * 80) is None


def test_changes_and_log():
    header = parse_cards("A       =                    1".ljust(80) + "B       = 2".ljust(80) + "END".ljust(80))
    header.accessed = set()
    assert "MISSING" not in header
    assert header.get("B") == 2
    assert header.accessed == {"MISSING", "B"}
    header["A"] = 9
    header.update({"NEW": 3})
    del header["B"]
    assert dict(header) == {"A": 9, "NEW": 3}
    assert EVERY_KEY in header.accessed
    assert dict(header.copy()) == {"A": 1, "B": 2}
    with pytest.raises(KeyError):
        header["B"]


def test_a_key_without_a_value_is_none():
    card = f"{'LOCATN  =':<80}"
    header = parse_cards(f"{card}{'END':<80}")
    assert header["LOCATN"] is None
    assert "LOCATN" in header
