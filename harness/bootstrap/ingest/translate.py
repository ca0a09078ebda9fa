"""Headers to properties: which translator, one full translation per exposure, and proof for the other detectors."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from .header import EVERY_KEY, RawHeader
from .reasons import BadRaw, Reason

if TYPE_CHECKING:
    from astro_metadata_translator import MetadataTranslator

__all__ = ["Frame", "Properties", "Translation", "Translators", "differing_keys", "identify", "signature", "translate"]

ESSENTIAL = (
    "instrument",
    "exposure_id",
    "observation_id",
    "physical_filter",
    "datetime_begin",
    "datetime_end",
    "exposure_time",
    "exposure_time_requested",
    "observation_type",
    "observing_day",
)
"""Properties without which there is no exposure record."""
SKY = ("tracking_radec", "boresight_rotation_angle", "boresight_rotation_coord")
"""Properties without which an exposure of the sky cannot become a visit."""
FURTHER = (
    "dark_time",
    "observation_reason",
    "observing_day_offset",
    "observation_counter",
    "group_counter_start",
    "group_counter_end",
    "exposure_group",
    "science_program",
    "object",
    "altaz_begin",
    "has_simulated_content",
    "can_see_sky",
)
EXPOSURE_PROPERTIES = (*ESSENTIAL, *SKY, *FURTHER)
"""Everything that the dimension records of an exposure are made of, as an ``ObservationInfo`` has it."""


class Properties(SimpleNamespace):
    """The `EXPOSURE_PROPERTIES` of one exposure, as attributes; `None` for what could not be translated.

    Not an ``ObservationInfo``, which would correct the header once more and costs a third of a translation.
    """


@dataclasses.dataclass(frozen=True, slots=True)
class Frame:
    """What is read from every file: whose it is."""

    instrument: str
    exposure: int
    detector: int
    detector_name: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Translation:
    """A full translation of one header.

    Parameters
    ----------
    info : `Properties`
        Exposure-level properties.
    keys : `tuple` [`str`]
        Header keys that they depend on, there or not.
    warnings : `tuple` [`str`]
        Properties that could not be translated and that the record can do without.
    """

    info: Properties
    keys: tuple[str, ...]
    warnings: tuple[str, ...]


class Translators:
    """The known translators: those registered upstream, and those that instruments bring.

    Parameters
    ----------
    extra : `~collections.abc.Iterable` [`type`], optional
        Translators of instruments; one that refines a registered class is preferred to it.
    """

    def __init__(self, extra: Iterable[type[MetadataTranslator]] = ()) -> None:
        from importlib.metadata import entry_points

        from astro_metadata_translator import MetadataTranslator

        for entry in entry_points(group="astro_metadata_translators"):
            entry.load()  # loading registers the translators of the package
        classes = dict.fromkeys((*MetadataTranslator.translators.values(), *extra))
        self._classes = tuple(classes)
        self._ancestors = {c: frozenset(c.__mro__[1:]) for c in classes}
        self._claimants = _Claimants(self._classes)
        self._chosen: dict[frozenset[type[MetadataTranslator]], type[MetadataTranslator]] = {}
        self._corrected: dict[type[MetadataTranslator], _Memo[bool]] = {}

    def correct(self, translator: type[MetadataTranslator], header: RawHeader, path: str) -> None:
        """Apply upstream's corrections of known bad headers.

        Parameters
        ----------
        translator : `type` [`astro_metadata_translator.MetadataTranslator`]
            The header's translator.
        header : `RawHeader`
            Changed in place.
        path : `str`
            Its file; some translators look at the name.
        """
        from astro_metadata_translator import fix_header

        memo = self._corrected.setdefault(translator, _Memo())
        if memo.recall(header) is not False:  # unless this exposure's headers need none
            with memo.watch(header):
                memo.value = fix_header(header, translator_class=translator, filename=path)
        header.corrections = memo.asked

    def choose(self, header: RawHeader, path: str) -> type[MetadataTranslator]:
        """Return the translator that claims a header.

        Parameters
        ----------
        header : `RawHeader`
            Primary header.
        path : `str`
            Its file; some translators look at the name.

        Raises
        ------
        BadRaw
            If no translator, or several unrelated ones, claim it.
        """
        claims = self._claimants.of(header)
        if not claims:
            return self._choose([c for c in self._classes if _claims(c, header, path)], header)
        found = self._chosen.get(claims)
        if found is None:
            found = self._chosen[claims] = self._choose([c for c in self._classes if c in claims], header)
        return found

    def _choose(self, claims: list[type[MetadataTranslator]], header: RawHeader) -> type[MetadataTranslator]:
        """Return the most refined of those translators that claim a header."""
        if len(claims) > 1:
            inherited = frozenset().union(*(self._ancestors[c] for c in claims))
            claims = [c for c in claims if c not in inherited]
        if len(claims) == 1:
            return claims[0]
        if claims:
            names = ", ".join(sorted(f"{c.__module__}.{c.__name__}" for c in claims))
            raise BadRaw(Reason.AMBIGUOUS_INSTRUMENT, f"claimed by several translators: {names}", seen=names)
        said = ", ".join(f"{k}={header[k]!r}" for k in ("TELESCOP", "INSTRUME") if k in header) or "no INSTRUME"
        raise BadRaw(
            Reason.UNKNOWN_INSTRUMENT, f"no metadata translator claims this header ({said})", key="INSTRUME", seen=said
        )


@dataclasses.dataclass(slots=True)
class _Group:
    """Translators that looked at the same cards of a header, and those of them that claimed it."""

    text: tuple[str | None, ...]
    classes: list[type[MetadataTranslator]] = dataclasses.field(default_factory=list)
    claims: set[type[MetadataTranslator]] = dataclasses.field(default_factory=set)


class _Claimants:
    """Which translators claim a header, whatever its file is called.

    Each is asked again only if a card that it looked at has changed: one that looks at a card of a single file, such
    as the name of a frame, does not make all others be asked.
    """

    def __init__(self, classes: Iterable[type[MetadataTranslator]]) -> None:
        # By the cards that were looked at; what has looked at all of them is always asked.
        self._groups: dict[tuple[str, ...], _Group] = {(EVERY_KEY,): _Group((), list(classes))}
        self._last: frozenset[type[MetadataTranslator]] = frozenset()

    def of(self, header: RawHeader) -> frozenset[type[MetadataTranslator]]:
        """Return the translators that claim a header, by its cards alone."""
        groups = self._groups
        stale = [k for k, g in groups.items() if EVERY_KEY in k or signature(header, k) != g.text]
        if stale:
            for translator in [c for k in stale for c in groups.pop(k).classes]:
                self._ask(translator, header)
            self._last = frozenset().union(*(g.claims for g in groups.values()))
        return self._last

    def _ask(self, translator: type[MetadataTranslator], header: RawHeader) -> None:
        header.accessed = asked = set[str]()
        claimed = _claims(translator, header, None)
        header.accessed = None
        keys = tuple(sorted(asked))
        group = self._groups.get(keys)
        if group is None:
            group = self._groups[keys] = _Group(signature(header, keys))
        group.classes.append(translator)
        if claimed:
            group.claims.add(translator)


class _Memo[T]:
    """The last answer, valid for headers whose cards are the same in all that the answer depended on.

    Files of one exposure follow each other, and differ in few cards.
    """

    value: T | None = None

    def __init__(self) -> None:
        self.asked: frozenset[str] = frozenset()
        self._keys: tuple[str, ...] = ()
        self._text: tuple[str | None, ...] = ()

    def recall(self, header: RawHeader) -> T | None:
        """Return the last answer if it holds for a header, `None` otherwise."""
        return self.value if self._keys and signature(header, self._keys) == self._text else None

    @contextmanager
    def watch(self, header: RawHeader) -> Iterator[None]:
        """Note what is looked at in a header while an answer is found; forget the answer if that fails."""
        self.value, self._keys = None, ()
        header.accessed = asked = set[str]()
        try:
            yield
        finally:
            header.accessed = None
        self.asked = frozenset(asked)
        if EVERY_KEY not in asked:
            self._keys = tuple(asked)
            self._text = signature(header, self._keys)


def _claims(translator: type[MetadataTranslator], header: RawHeader, path: str | None) -> bool:
    """Ask a translator; one that fails on a foreign header does not claim it."""
    try:
        return bool(translator.can_translate(header, filename=path))
    except Exception:  # whatever a translator trips over in a header that isn't its own
        return False


def identify(translator: type[MetadataTranslator], header: RawHeader) -> Frame:
    """Find out which detector of which exposure a header is of.

    Parameters
    ----------
    translator : `type` [`astro_metadata_translator.MetadataTranslator`]
        Its translator.
    header : `RawHeader`
        The header, corrected.

    Raises
    ------
    BadRaw
        If it does not say so.
    """
    one = translator(header)
    try:
        name = one.to_detector_unique_name()
    except NotImplementedError:
        name = None
    except Exception:  # the number is at fault, or is asked for next and then reported
        name = None
    exposure = _property(one, header, "exposure_id")
    detector = _property(one, header, "detector_num")
    for what, value in (("exposure_id", exposure), ("detector_num", detector)):
        if isinstance(value, bool) or not isinstance(value, int):
            raise BadRaw(Reason.BAD_VALUE, f"{what} is {value!r}, not an integer", key=what, seen=value)
    return Frame(str(_property(one, header, "instrument")), exposure, detector, name)


def translate(translator: type[MetadataTranslator], header: RawHeader, path: str) -> Translation:
    """Translate the exposure-level properties of a header, noting which keys they depend on.

    Parameters
    ----------
    translator : `type` [`astro_metadata_translator.MetadataTranslator`]
        Its translator.
    header : `RawHeader`
        The header, corrected; it is not changed.
    path : `str`
        Its file.

    Raises
    ------
    BadRaw
        If an essential property cannot be translated, or the pointing of an exposure of the sky cannot.
    """
    header.accessed = accessed = set(header.corrections)
    one = translator(header, filename=path)
    values: dict[str, Any] = {}
    failures: dict[str, BadRaw] = {}
    try:
        for name in EXPOSURE_PROPERTIES:
            try:
                values[name] = _typed(name, _property(one, header, name))
            except BadRaw as error:
                if isinstance(error.__cause__, NotImplementedError):
                    text = f"translator {translator.__name__} is incomplete: it has no to_{name}"
                    raise BadRaw(Reason.BAD_VALUE, text, key=name) from error
                values[name], failures[name] = None, error
    finally:
        header.accessed = None
    keys = tuple(sorted(accessed))
    for name in ESSENTIAL:
        if name in failures:
            raise failures[name]
        if values[name] is None:
            raise BadRaw(Reason.BAD_VALUE, f"{name} is undefined", key=name, seen=None)
    for name in SKY:
        if name in failures and values["can_see_sky"] and values["observation_type"] == "science":
            raise failures[name]
    return Translation(Properties(**values), keys, tuple(str(error) for error in failures.values()))


def _typed(name: str, value: Any) -> Any:
    """Return the value of a property in the type that is declared for it, where it can be turned into it."""
    from astro_metadata_translator import properties

    definition = properties.PROPERTIES[name]
    if definition.from_simple is None or definition.is_value_conformant(value):
        return value
    try:
        return definition.from_simple(value)
    except Exception as error:  # whatever a translator gave
        text = f"{name} is a {type(value).__name__}, not a {definition.py_type.__name__}"
        raise BadRaw(Reason.BAD_VALUE, text, key=name, seen=value) from error


def _property(one: MetadataTranslator, header: RawHeader, name: str) -> Any:
    """Translate one property; a failure names the keys that were looked for."""
    before = header.accessed
    asked: set[str] = set()
    header.accessed = asked
    try:
        return getattr(one, f"to_{name}")()
    except BadRaw:
        raise
    except Exception as error:  # translators raise anything on a bad value
        cause = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
        header.accessed = None
        missing = sorted(k for k in asked if k not in header)
        present = sorted(k for k in asked if k in header and k not in missing)
        absent = next((k for k in missing if k == cause or repr(k) in cause or f" {k} " in f" {cause} "), None)
        if absent is not None or (isinstance(error, KeyError) and missing):
            key = absent or missing[0]
            raise BadRaw(Reason.MISSING_KEY, f"{name}: header key {key} is missing", key=key) from error
        key = present[0] if len(present) == 1 else ""
        raise BadRaw(
            Reason.BAD_VALUE,
            f"{name} cannot be translated: {type(error).__name__}: {cause}",
            key=key or name,
            seen="; ".join(f"{k}={header[k]!r}" for k in present),
        ) from error
    finally:
        header.accessed = before
        if before is not None:
            before |= asked


def signature(header: RawHeader, keys: Iterable[str]) -> tuple[str | None, ...]:
    """Return the text of some cards, as the file has them: equal texts translate equally."""
    return tuple(map(header.card, keys))


def differing_keys(header: RawHeader, reference: RawHeader, keys: Iterable[str]) -> list[str]:
    """Return those keys whose values differ between two headers; another layout of the same value does not count.

    Parameters
    ----------
    header, reference : `RawHeader`
        Headers as their files have them.
    keys : `~collections.abc.Iterable` [`str`]
        The keys; `EVERY_KEY` stands for all.
    """
    names = list(keys)
    if EVERY_KEY in names:
        names = sorted({*header, *reference})
    return [k for k in names if header.card(k) != reference.card(k) and header.get(k) != reference.get(k)]
