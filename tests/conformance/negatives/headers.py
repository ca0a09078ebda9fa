"""Wrong in whose headers they claim, and in the kind of things that they make of them."""

from __future__ import annotations

import uuid

import astropy.units as u

from . import wrong


@wrong("test_translator_claims_its_own_headers", "claims exposure 1001")
def translator_claims_nothing(toy):
    """The translator waits for another INSTRUME than the writer writes."""

    class Translator(toy.Translator):
        supported_instrument = "Toycam"

    return toy.kit(translator=Translator)


@wrong("test_translator_claims_no_foreign_headers", "claims a header of HSC")
def translator_claims_everything(toy):
    """The translator claims every header."""

    class Translator(toy.Translator):
        @classmethod
        def can_translate(cls, header, filename=None):
            return True

    return toy.kit(translator=Translator)


@wrong("test_translator_claims_no_foreign_headers", 'can_translate for a made-up header: seen "KeyError')
def translator_fails_on_foreign_headers(toy):
    """The translator raises on a header without INSTRUME."""

    class Translator(toy.Translator):
        @classmethod
        def can_translate(cls, header, filename=None):
            return header["INSTRUME"] == "ToyCam"

    return toy.kit(translator=Translator)


@wrong("test_ingest_chooses_the_translator", "claimed by several translators")
def two_translators_claim(toy):
    """Another translator of the distribution claims the headers as well."""

    class Rival(toy.Translator.__mro__[1]):
        name = "ToyRival"
        supported_instrument = "ToyCam"

    return toy.kit()


@wrong("test_required_properties_are_there", "observation_id of exposure 1001")
def observation_id_missing(toy):
    """Headers give no observation_id."""

    class Translator(toy.Translator):
        def to_observation_id(self):
            return None

    return toy.kit(translator=Translator)


@wrong("test_required_properties_are_there", "boresight_rotation_angle of exposure 1001")
def rotation_missing(toy):
    """Exposures of the sky have no rotation."""

    class Translator(toy.Translator):
        def to_boresight_rotation_angle(self):
            return None

    return toy.kit(translator=Translator)


@wrong("test_properties_have_the_right_type_and_unit", "exposure_time of exposure 1001")
def exposure_time_without_unit(toy):
    """The exposure time is a bare number."""

    class Translator(toy.Translator):
        def to_exposure_time(self):
            return float(self._header["EXPTIME"])

    return toy.kit(translator=Translator)


@wrong("test_properties_have_the_right_type_and_unit", "another unit")
def exposure_time_in_metres(toy):
    """The exposure time is a length."""

    class Translator(toy.Translator):
        def to_exposure_time(self):
            return self._header["EXPTIME"] * u.m

    return toy.kit(translator=Translator)


@wrong("test_properties_have_the_right_type_and_unit", "exposure_id of exposure 1001")
def exposure_id_a_word(toy):
    """The exposure id is a string."""

    class Translator(toy.Translator):
        def to_exposure_id(self):
            return str(self._header["EXPID"])

        def to_detector_exposure_id(self):
            return 10 * self._header["EXPID"] + self._header["DETNUM"]

    return toy.kit(translator=Translator)


@wrong("test_translation_is_stable", "exposure_group of exposure 1001")
def group_unstable(toy):
    """The group is another one each time that it is asked for."""

    class Translator(toy.Translator):
        def to_exposure_group(self):
            return uuid.uuid4().hex

    return toy.kit(translator=Translator)


@wrong("test_translation_leaves_the_header_alone", "card OBJECT of exposure 1001")
def header_mutated(toy):
    """Asking for the object changes the header."""

    class Translator(toy.Translator):
        def to_object(self):
            value = self._header["OBJECT"]
            self._header["OBJECT"] = f"{value} "
            return value.strip()

    return toy.kit(translator=Translator)


@wrong("test_corrections_do_not_fail", "KeyError: 'OLDKEY'")
def correction_fails(toy):
    """A correction asks for a card that the header lacks, so that none is made and nobody hears of it."""

    class Translator(toy.Translator):
        @classmethod
        def fix_header(cls, header, instrument, obsid, filename=None):
            header["REASON"] = header["OLDKEY"]
            return True

    return toy.kit(translator=Translator)


@wrong("test_simulated_content_is_marked", "expected True")
def simulated_mark_missing(toy):
    """Simulated files pass for real ones."""

    class Translator(toy.Translator):
        def to_has_simulated_content(self):
            return False

    return toy.kit(translator=Translator)


@wrong("test_detectors_of_an_exposure_agree", "exposure_id of exposure 1001 detector 3")
def exposure_id_of_each_detector(toy):
    """Every detector has an exposure id of its own."""

    class Translator(toy.Translator):
        def to_exposure_id(self):
            return self._header["EXPID"] + self._header["DETNUM"]

    return toy.kit(translator=Translator)


@wrong("test_exposures_have_names_of_their_own", "exposures with observation_id 'ToyCam'")
def observation_id_not_unique(toy):
    """All exposures have one observation_id."""

    class Translator(toy.Translator):
        def to_observation_id(self):
            return "ToyCam"

    return toy.kit(translator=Translator)
