"""Which translator a header gets, and which are asked again for the next file."""

from __future__ import annotations

import pytest

from harness.bootstrap.ingest import ingest
from harness.bootstrap.ingest.header import parse_cards
from harness.bootstrap.ingest.reasons import BadRaw, Reason
from harness.bootstrap.ingest.registry import Repository
from harness.bootstrap.ingest.translate import Translators


def header(**cards):
    lines = [f"{k:<8}= {repr(v) if isinstance(v, str) else v}".ljust(80) for k, v in cards.items()]
    return parse_cards("".join(lines) + "END".ljust(80))


@pytest.fixture
def counting():
    """Translators that claim INSTRUME = 'Steady', or a frame of Restless or a file of that name."""
    calls = {"steady": 0, "restless": 0}

    class Steady:
        @classmethod
        def can_translate(cls, header, filename=None):
            calls["steady"] += 1
            return header.get("INSTRUME") == "Steady"

    class Restless:
        @classmethod
        def can_translate(cls, header, filename=None):
            calls["restless"] += 1
            return str(header.get("FRAME")).startswith("R") or "restless" in (filename or "")

    return Translators([Steady, Restless]), Steady, Restless, calls


def test_only_who_looked_at_what_changed_is_asked_again(counting):
    translators, steady, _, calls = counting
    for i in range(5):
        assert translators.choose(header(INSTRUME="Steady", FRAME=f"S{i}"), "x.fits") is steady
    assert calls == {"steady": 1, "restless": 5}


def test_every_header_gets_its_own_translator(counting):
    translators, steady, restless, _ = counting
    for _ in range(2):
        assert translators.choose(header(INSTRUME="Steady", FRAME="S1"), "x.fits") is steady
        assert translators.choose(header(INSTRUME="Other", FRAME="R1"), "x.fits") is restless
        with pytest.raises(BadRaw) as both:
            translators.choose(header(INSTRUME="Steady", FRAME="R1"), "x.fits")
        assert both.value.reason is Reason.AMBIGUOUS_INSTRUMENT
        with pytest.raises(BadRaw) as neither:
            translators.choose(header(INSTRUME="Other", FRAME="S1"), "x.fits")
        assert neither.value.reason is Reason.UNKNOWN_INSTRUMENT


def test_the_name_of_one_file_decides_for_no_other(counting):
    translators, _, restless, _ = counting
    same = {"INSTRUME": "Other", "FRAME": "S1"}
    assert translators.choose(header(**same), "restless.fits") is restless
    with pytest.raises(BadRaw):
        translators.choose(header(**same), "x.fits")


def test_more_exposures_than_a_query_can_name(butler, raw):
    """SQLite refuses expressions that are 1000 deep."""
    ingest(butler, [raw()], transfer="copy")
    repository = Repository(butler)
    instrument = repository.instrument("MadeCamA")
    assert list(repository.exposures("MadeCamA", range(1200, 0, -1))) == [17]
    assert list(repository.raws(instrument, range(1200, 0, -1))) == [(17, 0)]
