"""Tests of translated headers as such: everything is there, of the right type, and the same when asked for again."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from ..bootstrap.ingest.translate import ESSENTIAL, EXPOSURE_PROPERTIES, SKY
from .claims import Claims
from .requirement import mismatches, requirement
from .subject import read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .subject import RawFile, Subject

__all__ = ["Headers"]

FRAME = ("detector_num", "detector_unique_name")
"""Properties that tell detectors of an exposure apart."""

_ALWAYS = (*ESSENTIAL, *FRAME)


class Headers:
    """Tests of translation."""

    @requirement(after=(Claims.test_translator_claims_its_own_headers,))
    def test_required_properties_are_there(self, subject: Subject) -> None:
        """Everything that an exposure record needs is translated; on the sky, the pointing too."""
        with mismatches() as wrong:
            for raw in subject.raws:
                needed = (*_ALWAYS, *(SKY if raw.observation.on_sky else ()))
                for name, value in _properties(subject, raw, needed):
                    wrong.that(
                        value is not None and not isinstance(value, Exception), f"{name} of {raw}", value, "some"
                    )

    @requirement(after=(test_required_properties_are_there,))
    def test_properties_have_the_right_type_and_unit(self, subject: Subject) -> None:
        """Each property that the translator gives is of the type and in a unit that its definition asks for."""
        definitions = subject.kit.translator.all_properties
        with mismatches() as wrong:
            for raw in subject.firsts:
                for name, value in _properties(subject, raw, definitions):
                    if value is None or isinstance(value, Exception):
                        continue
                    definition = definitions[name]
                    good = definition.is_value_conformant(_altaz(value)) and not (
                        definition.py_type is int and isinstance(value, bool)
                    )
                    wrong.that(good, f"{name} of {raw}", f"{value!r} ({type(value).__name__})", definition.str_type)
                    if good and definition.to_simple is not None:
                        try:
                            definition.to_simple(_altaz(value))
                        except Exception as error:
                            wrong.that(False, f"{name} of {raw}", f"{value!r}", f"another unit ({error})")

    @requirement(after=(test_required_properties_are_there,))
    def test_translation_is_stable(self, subject: Subject) -> None:
        """Translating a header twice, or reading the file again, gives the same."""
        with mismatches() as wrong:
            for raw in subject.raws:
                one, two = (dict(_properties(subject, raw, subject.kit.translator.all_properties)) for _ in range(2))
                for name, value in one.items():
                    wrong.that(_same(value, two[name]), f"{name} of {raw}, asked twice", (value, two[name]), "the same")

    @requirement(after=(Claims.test_translator_claims_its_own_headers,))
    def test_translation_leaves_the_header_alone(self, subject: Subject) -> None:
        """Asking for properties changes no card of the header."""
        with mismatches() as wrong:
            for raw in subject.firsts:
                header = subject.header(raw)
                before = copy.deepcopy(header)
                translator = subject.kit.translator(header, filename=str(raw.path))
                for name in subject.kit.translator.all_properties:
                    _get(translator, name)
                    for key in before.keys() ^ header.keys():
                        wrong.that(False, f"card {key} of {raw} after to_{name}()", header.get(key), "no change")
                    changed = [k for k in before if k in header and before[k] != header[k]]
                    for key in changed:
                        wrong.equal(f"card {key} of {raw} after to_{name}()", header[key], before[key])
                    if wrong.found:
                        break

    @requirement(after=(test_required_properties_are_there,))
    def test_corrections_do_not_fail(self, subject: Subject) -> None:
        """The translator's own corrections raise nothing: the middleware would log it, and go on without them."""
        with mismatches() as wrong:
            for raw in subject.firsts:
                header, path = read(raw.path), str(raw.path)
                translator = subject.kit.translator
                obsid = translator(dict(header), filename=path).to_observation_id()
                try:
                    translator.fix_header(header, subject.name, obsid, filename=path)
                except Exception as error:
                    wrong.that(False, f"fix_header of {raw}", f"{type(error).__name__}: {error}", "no exception")

    @requirement(after=(test_required_properties_are_there,))
    def test_simulated_content_is_marked(self, subject: Subject) -> None:
        """Files that the kit simulates say so."""
        with mismatches() as wrong:
            for raw in subject.raws:
                wrong.equal(f"has_simulated_content of {raw}", subject.translator(raw).to_has_simulated_content(), True)

    @requirement(after=(test_properties_have_the_right_type_and_unit, test_translation_is_stable))
    def test_detectors_of_an_exposure_agree(self, subject: Subject) -> None:
        """Everything that the exposure's record is made of is the same in the headers of all its detectors."""
        firsts = {r.observation.exposure: r for r in subject.firsts}
        names = {*EXPOSURE_PROPERTIES} - {"altaz_begin"}
        with mismatches() as wrong:
            for raw in subject.raws:
                first = firsts[raw.observation.exposure]
                expected = dict(_properties(subject, first, names))
                for name, value in _properties(subject, raw, names):
                    what = f"{name} of {raw}"
                    wrong.that(_same(value, expected[name]), what, value, f"{expected[name]!r} as in {first.path.name}")

    @requirement(after=(test_detectors_of_an_exposure_agree,))
    def test_exposures_have_names_of_their_own(self, subject: Subject) -> None:
        """No two exposures have the same exposure_id or observation_id."""
        with mismatches() as wrong:
            for name in ("exposure_id", "observation_id"):
                seen: dict[Any, RawFile] = {}
                for raw in subject.firsts:
                    other = seen.setdefault(_get(subject.translator(raw), name), raw)
                    what = f"exposures with {name} {_get(subject.translator(raw), name)!r}"
                    both = sorted({other.observation.exposure, raw.observation.exposure})
                    wrong.that(other is raw, what, both, "one")


def _get(translator: Any, name: str) -> Any:
    """Return a property, or the exception that it raises."""
    try:
        return getattr(translator, f"to_{name}")()
    except Exception as error:  # a property that a header lacks raises anything
        return error


def _properties(subject: Subject, raw: RawFile, names: Any) -> Iterator[tuple[str, Any]]:
    """Yield properties of a raw file by name; in place of those that raise, their exceptions."""
    translator = subject.translator(raw)
    for name in sorted(names):
        yield name, _get(translator, name)


def _altaz(value: Any) -> Any:
    """Return the frame of a position: translators may give either."""
    return value.frame if type(value).__name__ == "SkyCoord" and value.frame.name == "altaz" else value


def _same(one: Any, two: Any) -> bool:
    if isinstance(one, Exception) or isinstance(two, Exception):
        return repr(one) == repr(two)
    if type(one) is not type(two):
        return False
    if hasattr(one, "separation"):
        return bool(one.separation(two).arcsec < 1e-6)
    if type(one).__name__ == "EarthLocation":
        return bool((one == two).all()) if hasattr(one == two, "all") else bool(one == two)
    if (isinstance(one, float) or hasattr(one, "to_value")) and one != one:  # the angle of no rotation is not a number
        return bool(two != two)
    return bool(one == two)
