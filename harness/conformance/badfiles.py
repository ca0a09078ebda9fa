"""Tests of bad raw files: each is refused with a reason, and stops nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ..bootstrap.ingest.reasons import Reason
from ..instrument.kit import Capability
from .claims import Claims
from .ingests import Ingests
from .requirement import equal, requirement, that

if TYPE_CHECKING:
    from lsst.daf.butler import Butler

    from ..bootstrap.ingest import Quarantined
    from .subject import RawFile, Subject

__all__ = ["BadFiles"]

Spoil = Callable[["Subject", Path], None]


def _truncated(_: Subject, path: Path) -> None:
    # Within the data of some HDU: without its last HDU, cut where that begins, a file may well be whole.
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3 | 1])


def _half_a_header(_: Subject, path: Path) -> None:
    path.write_bytes(path.read_bytes()[:800])


def _text(_: Subject, path: Path) -> None:
    path.write_text("no image at all\n")


def _foreign(_: Subject, path: Path) -> None:
    """Leave the data, and a header that is of no instrument."""
    from astropy.io import fits

    with fits.open(path, memmap=False) as hdus:
        primary = fits.PrimaryHDU(hdus[0].data, fits.Header([("INSTRUME", "Polaroid")]))
        fits.HDUList([primary, *(h.copy() for h in hdus[1:])]).writeto(path, overwrite=True)


def _without(name: str) -> Spoil:
    """Remove the cards that a property is made of, until it cannot be translated."""

    def spoil(subject: Subject, path: Path) -> None:
        for keys_of in (_keys, _made_up_from):
            for _ in range(8):
                keys = keys_of(subject, path, name)
                if not keys:
                    break
                _edit(path, dict.fromkeys(keys))

    return spoil


def _negative_time(subject: Subject, path: Path) -> None:
    header = _header(path)
    numbers = {
        k: -abs(float(header[k])) - 3 for k in _keys(subject, path, "exposure_time_requested") if _number(header[k])
    }
    if not numbers:
        pytest.skip("the exposure time is no number in the header")
    _edit(path, numbers)


def _missing_amplifier(subject: Subject, path: Path) -> None:
    """Take away the last image extension or, if a detector may be one image, the last columns of it."""
    from astropy.io import fits

    with fits.open(path, memmap=False) as hdus:
        images = [i for i, h in enumerate(hdus) if h.is_image and h.data is not None]
        if len(images) > 1 and subject.kit.write_exposure is None:
            kept = [h for i, h in enumerate(hdus) if i != images[-1]]
        else:
            hdu = hdus[images[-1]]
            hdu.data = hdu.data[:, : hdu.data.shape[1] // 2].copy()
            kept = list(hdus)
        fits.HDUList(kept).writeto(path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)


_UNTRANSLATABLE = frozenset(
    {Reason.MISSING_KEY, Reason.BAD_VALUE, Reason.BAD_TIME, Reason.EXPOSURE_ID, Reason.UNKNOWN_INSTRUMENT}
)

KINDS: Mapping[str, tuple[Spoil, frozenset[Reason]]] = {
    "truncated": (_truncated, frozenset({Reason.TRUNCATED})),
    "half a header": (_half_a_header, frozenset({Reason.TRUNCATED})),
    "text": (_text, frozenset({Reason.NOT_FITS})),
    "foreign instrument": (_foreign, frozenset({Reason.UNKNOWN_INSTRUMENT})),
    "no exposure id": (_without("exposure_id"), _UNTRANSLATABLE),
    "no time": (_without("datetime_begin"), _UNTRANSLATABLE),
    "negative exposure time": (_negative_time, frozenset({Reason.BAD_VALUE, Reason.BAD_TIME})),
}
"""Ways to spoil a file, and the reasons that name each."""


class BadFiles:
    """Tests of bad files."""

    @pytest.mark.parametrize("kind", KINDS)
    @requirement(after=(Ingests.test_every_raw_is_ingested, Claims.test_translator_claims_no_foreign_headers))
    def test_bad_file_is_refused(self, subject: Subject, kind: str) -> None:
        """The file is refused for the right reason, the file beside it is ingested."""
        spoil, reasons = KINDS[kind]
        bad, good = _pair(subject)
        path = _copy(subject, bad)
        spoil(subject, path)
        _refused(subject, subject.scratch, kind, path, [good.path], reasons)

    @requirement(Capability.IMAGES, after=(Ingests.test_every_raw_is_ingested,))
    def test_file_without_an_amplifier_is_refused(self, subject: Subject) -> None:
        """A file that lacks the pixels of an amplifier is not of the structure of its detector."""
        bad, good = _pair(subject)
        path = _copy(subject, bad)
        _missing_amplifier(subject, path)
        kinds = frozenset({Reason.STRUCTURE})
        others = subject.number_in(bad.path) - 1
        _refused(subject, subject.scratch, "missing amplifier", path, [good.path], kinds, others)

    @requirement(after=(Ingests.test_every_raw_is_ingested,))
    def test_second_file_of_a_raw_is_refused(self, subject: Subject) -> None:
        """Of two files of one data ID in one call, the second is refused."""
        bad, good = _pair(subject)
        copy = _copy(subject, bad)
        run = f"{subject.name}/conformance/duplicate"
        report = subject.ingest(subject.scratch, [bad.path, good.path, copy], run=run)
        seen = [(q.path, q.reason) for q in report.quarantined]
        expected = [(str(copy), Reason.DUPLICATE)] * subject.number_in(bad.path)
        equal("files refused of two of one data ID", seen, expected)

    @requirement(after=(Ingests.test_every_raw_is_ingested,))
    def test_unknown_filter_is_refused(self, subject: Subject) -> None:
        """An exposure through a filter that is not registered is refused, with the filter's name."""
        lacking = subject.raws[0].observation.physical_filter
        bad = [r.path for r in subject.raws if r.observation.physical_filter == lacking]
        good = [r.path for r in subject.raws if r.observation.physical_filter != lacking]
        butler = subject.separate(subject.empty, "without-filter")
        _register_without(subject, butler, "physical_filter", lacking)
        _refused(subject, butler, "unknown filter", bad, good, frozenset({Reason.UNKNOWN_FILTER}))

    @requirement(after=(Ingests.test_every_raw_is_ingested,))
    def test_unknown_detector_is_refused(self, subject: Subject) -> None:
        """A raw of a detector that is not registered is refused."""
        lacking = subject.raws[-1].detector.id
        bad = [r.path for r in subject.raws if r.detector.id == lacking]
        good = [r.path for r in subject.raws if r.detector.id != lacking]
        butler = subject.separate(subject.empty, "without-detector")
        _register_without(subject, butler, "detector", lacking)
        others = subject.number_in(*bad) - len(bad)
        _refused(subject, butler, "unknown detector", bad, good, frozenset({Reason.UNKNOWN_DETECTOR}), others)


def _pair(subject: Subject) -> tuple[RawFile, RawFile]:
    """Return a raw to spoil, and one of another exposure, or else of another detector."""
    bad = subject.raws[0]
    others = [r for r in subject.raws if r.observation.exposure != bad.observation.exposure] or subject.raws[1:]
    return bad, others[0] if others else bad


def _copy(subject: Subject, raw: RawFile) -> Path:
    return Path(shutil.copy2(raw.path, subject.folder("bad")))


def _refused(
    subject: Subject,
    butler: Butler,
    kind: str,
    bad: Path | list[Path],
    good: list[Path],
    reasons: frozenset[Reason],
    others: int = 0,
) -> None:
    """Ingest bad files and good ones; the bad ones must be refused for one of the reasons.

    Except for some raws in the same files: ``others`` is their number.
    """
    paths = [bad] if isinstance(bad, Path) else list(dict.fromkeys(bad))
    run = f"{subject.name}/conformance/{kind.replace(' ', '-')}"
    good = [p for p in good if p not in paths and not p.samefile(subject.raws[0].path)]
    report = subject.ingest(butler, [*paths, *good], run=run)
    refused: dict[str, list[Quarantined]] = {}
    for entry in report.quarantined:
        refused.setdefault(entry.path, []).append(entry)
    for path in paths:
        entries = refused.pop(str(path), [])
        that(entries, f"{path.name} ({kind})", "ingested", "to be refused")
        for entry in entries:
            seen = f"{entry.reason}: {entry.message}"
            that(entry.reason in reasons, f"reason of {path.name} ({kind})", seen, " or ".join(sorted(reasons)))
            that(entry.message and "\n" not in entry.message, f"message of {path.name}", entry.message, "one line")
    beside = [str(entry) for entries in refused.values() for entry in entries]
    equal(f"good files refused beside it ({kind})", beside, [])
    equal(f"good raws ingested beside it ({kind})", report.ingested, subject.number_in(*good) + others)


def _register_without(subject: Subject, butler: Butler, element: str, key: Any) -> None:
    """Insert the instrument's records except one."""
    full = subject.view(subject.registered)
    for name in ("instrument", "physical_filter", "detector"):
        records = full.query_dimension_records(name, instrument=subject.name)
        kept = [r for r in records if name != element or r.dataId[element] != key]
        if kept:
            butler.registry.insertDimensionData(name, *kept)


def _header(path: Path) -> Any:
    from ..bootstrap.ingest.files import read_headers

    return read_headers(str(path))[0][0]


def _keys(subject: Subject, path: Path, name: str) -> list[str]:
    """Return the header keys that a property is made of; those that tell whose file it is only if there are no more."""
    header = _header(path)
    header.accessed = claimed = set[str]()
    subject.kit.translator.can_translate(header, filename=str(path))
    header.accessed = used = set[str]()
    try:
        getattr(subject.kit.translator(header, filename=str(path)), f"to_{name}")()
    except Exception:  # what is missing already
        return []
    finally:
        header.accessed = None
    there = {k for k in used if header.card(k) is not None}
    return sorted(there - claimed or there)


def _made_up_from(subject: Subject, path: Path, name: str) -> list[str]:
    """Return the header keys from which corrections make up for what a property lacks."""
    from astro_metadata_translator import fix_header

    header = _header(path)
    header.accessed = asked = set[str]()
    try:
        fix_header(header, translator_class=subject.kit.translator, filename=str(path))
        header.accessed = used = set[str]()
        getattr(subject.kit.translator(header, filename=str(path)), f"to_{name}")()
    except Exception:  # nothing is made up for it
        return []
    finally:
        header.accessed = None
    made_up = any(k in header and header.card(k) is None for k in used)
    return sorted(k for k in asked if header.card(k) is not None) if made_up else []


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _edit(path: Path, changes: Mapping[str, Any]) -> None:
    """Change cards of the primary header, `None` removes; the rest of the file stays byte for byte."""
    from astropy.io import fits

    content = path.read_bytes()
    header = fits.Header.fromstring(content)
    length = len(header.tostring())
    for key, value in changes.items():
        if value is None:
            header.remove(key, ignore_missing=True, remove_all=True)
        else:
            header[key] = value
    path.write_bytes(header.tostring().encode("ascii") + content[length:])
