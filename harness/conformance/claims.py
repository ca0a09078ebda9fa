"""Tests of whose headers the translator takes for its own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .choice import choose_dataset
from .files import Files
from .requirement import MismatchError, equal, mismatches, requirement
from .subject import Subject, read

if TYPE_CHECKING:
    from ..plugins import Plugins

__all__ = ["Claims"]

MADE_UP: tuple[Mapping[str, Any], ...] = (
    {},
    {"INSTRUME": "Polaroid", "TELESCOP": "none"},
    {"INSTRUME": "Polaroid", "TELESCOP": "none", "DATE-OBS": "2020-01-01T00:00:00", "EXPTIME": 1.0, "FILTER": "r"},
)
"""Headers that are of no instrument at all."""

_of_others: dict[str, Mapping[str, Any] | None] = {}
"""A header of each installed instrument; `None` if its kit cannot write one, which is not this instrument's fault."""


class Claims:
    """Tests of ``can_translate``."""

    @requirement(after=(Files.test_every_raw_has_a_file_of_its_own,))
    def test_translator_claims_its_own_headers(self, subject: Subject) -> None:
        """The translator claims every header that the kit writes, and names its instrument."""
        with mismatches() as wrong:
            for raw in subject.raws:
                claimed = subject.kit.translator.can_translate(read(raw.path), filename=str(raw.path))
                wrong.equal(f"{subject.kit.translator.__name__} claims {raw}", bool(claimed), True)
                if claimed:
                    wrong.equal(f"instrument of {raw}", subject.translator(raw).to_instrument(), subject.name)

    @requirement(after=(test_translator_claims_its_own_headers,))
    def test_translator_claims_no_foreign_headers(self, subject: Subject) -> None:
        """The translator claims neither headers of other instruments nor of none."""
        headers = [("a made-up header", h) for h in MADE_UP]
        headers += [(f"a header of {name}", h) for name, h in _foreign(subject.plugins, subject.name)]
        with mismatches() as wrong:
            for what, header in headers:
                try:
                    claimed = bool(subject.kit.translator.can_translate(dict(header)))
                except Exception as error:
                    wrong.that(False, f"can_translate for {what}", f"{type(error).__name__}: {error}", "False")
                else:
                    wrong.equal(f"{subject.kit.translator.__name__} claims {what}", claimed, False)

    @requirement(after=(test_translator_claims_its_own_headers,))
    def test_ingest_chooses_the_translator(self, subject: Subject) -> None:
        """Of all translators installed, ingest chooses the kit's."""
        from ..bootstrap.ingest.files import read_headers
        from ..bootstrap.ingest.reasons import BadRaw
        from ..bootstrap.ingest.translate import Translators

        others = [k.translator for k in subject.plugins.instruments().values() if k.name != subject.name]
        translators = Translators((*others, subject.kit.translator))
        for raw in subject.firsts:
            try:
                found = translators.choose(read_headers(str(raw.path))[0][0], str(raw.path))
            except BadRaw as error:
                raise MismatchError(f"translator of {raw}: {error}") from error
            equal(f"translator of {raw}", found, subject.kit.translator)


def _foreign(plugins: Plugins, own: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield a header of each other instrument that is installed."""
    for name, kit in plugins.instruments().items():
        if name == own:
            continue
        if name not in _of_others:
            with tempfile.TemporaryDirectory() as folder:
                try:
                    other = Subject(kit, choose_dataset(plugins, name), Path(folder), plugins)
                    observation = other.dataset.observations[0]
                    _of_others[name] = read(other.write(Path(folder), observation)[0].path)
                except Exception:  # a kit that cannot write a raw fails its own tests, not this instrument's
                    _of_others[name] = None
        header = _of_others[name]
        if header is not None:
            yield name, header
