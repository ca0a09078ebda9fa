"""One full translation per exposure, and proof that the headers of its other detectors agree."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .header import EVERY_KEY, RawHeader
from .reasons import BadRaw, Reason
from .records import ExposureRecords, build_records, check_records, differences
from .translate import Frame, differing_keys, signature, translate

if TYPE_CHECKING:
    from astro_metadata_translator import MetadataTranslator
    from lsst.resources import ResourcePath

    from .registry import RegisteredInstrument, Repository

__all__ = ["Exposure", "Exposures", "RawFile"]

REMEMBERED = 2000
"""Exposures kept in mind at once; a night has at most a thousand, and each takes some 5 kB."""


@dataclasses.dataclass(slots=True)
class RawFile:
    """A readable raw: its file, header and identity."""

    path: str | ResourcePath
    size: int
    header: RawHeader
    translator: type[MetadataTranslator]
    frame: Frame

    @property
    def data_id(self) -> dict[str, Any]:
        """Its data ID (`dict`)."""
        return {
            "instrument": self.frame.instrument,
            "exposure": self.frame.exposure,
            "detector": self.frame.detector,
        }


@dataclasses.dataclass(slots=True)
class Exposure:
    """A translated exposure.

    Parameters
    ----------
    instrument : `~.registry.RegisteredInstrument`
        Its instrument.
    keys : `tuple` [`str`]
        Header keys that its records depend on.
    signature : `tuple` [`str` or `None`]
        The text of these cards.
    header : `~.header.RawHeader`
        The header that was translated, as in the file, reduced to these cards.
    records : `~.records.ExposureRecords`
        Its records.
    registered : `bool`
        Whether the records are in the repository.
    """

    instrument: RegisteredInstrument
    keys: tuple[str, ...]
    signature: tuple[str | None, ...]
    header: RawHeader
    records: ExposureRecords
    registered: bool


class Exposures:
    """The exposures met so far.

    Parameters
    ----------
    repository : `~.registry.Repository`
        Where they go.
    refuse : `~collections.abc.Callable` [[`RawFile`, `BadRaw`], `None`]
        Called for each file that must not be ingested.
    """

    def __init__(self, repository: Repository, refuse: Callable[[RawFile, BadRaw], None]) -> None:
        from astropy.time import Time
        from lsst.daf.butler import Timespan

        self._repository = repository
        self._refuse = refuse
        self._known: collections.OrderedDict[tuple[str, int], Exposure] = collections.OrderedDict()
        self._now = Timespan(Time.now(), None).nsec[0]
        self.translations = 0
        self.warnings: list[str] = []

    def resolve(self, raws: Sequence[RawFile]) -> list[tuple[RawFile, Exposure]]:
        """Translate each exposure once and return the files that agree with it; refuse the others.

        Parameters
        ----------
        raws : `~collections.abc.Sequence` [`RawFile`]
            Files of any exposures of any instruments.
        """
        self._repository.forget_absent_days()
        groups: dict[tuple[str, int], list[RawFile]] = {}
        for raw in raws:
            groups.setdefault((raw.frame.instrument, raw.frame.exposure), []).append(raw)
        recorded = self._recorded([k for k in groups if k not in self._known])
        agreeing = []
        for key, members in groups.items():
            exposure = self._known.get(key)
            if exposure is None:
                exposure, members = self._first_met(members, recorded.get(key))
                if exposure is None:
                    continue
                self._known[key] = exposure
            self._known.move_to_end(key)
            for raw in members:
                try:
                    self._prove(raw, exposure)
                except BadRaw as error:
                    self._refuse(raw, error)
                else:
                    agreeing.append((raw, exposure))
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return agreeing

    def _recorded(self, keys: Sequence[tuple[str, int]]) -> dict[tuple[str, int], dict[str, Any]]:
        """Return the records that new exposures have in the repository."""
        by_instrument: dict[str, list[int]] = {}
        for name, exposure in keys:
            if -(2**63) <= exposure < 2**63:  # an absurd id is refused later; the database cannot even be asked
                by_instrument.setdefault(name, []).append(exposure)
        found = {}
        for name, ids in by_instrument.items():
            try:
                self._repository.instrument(name)
            except BadRaw:
                continue  # each of its files is refused for that reason when it is translated
            for exposure, fields in self._repository.exposures(name, ids).items():
                found[name, exposure] = fields
        return found

    def _first_met(
        self, members: list[RawFile], recorded: dict[str, Any] | None
    ) -> tuple[Exposure | None, list[RawFile]]:
        """Translate one header of an exposure: one that most of its files agree with, if there is a choice.

        Parameters
        ----------
        members : `list` [`RawFile`]
            Files of one exposure.
        recorded : `dict` or `None`
            Fields of the record that the repository has.

        Returns
        -------
        exposure : `Exposure` or `None`
            `None` if no file is good.
        members : `list` [`RawFile`]
            Those not refused yet.
        """
        pending = list(members)
        while pending:
            try:
                exposure, pending = self._translate_commonest(pending, recorded)
            except _Refusal as refusal:
                for raw in refusal.raws:
                    self._refuse(raw, refusal.error)
                gone = set(map(id, refusal.raws))
                pending = [r for r in pending if id(r) not in gone]
            else:
                return exposure, pending
        return None, []

    def _translate_commonest(
        self, pending: list[RawFile], recorded: dict[str, Any] | None
    ) -> tuple[Exposure, list[RawFile]]:
        first = pending[0]
        try:
            instrument = self._repository.instrument(first.frame.instrument)
        except BadRaw as error:
            raise _Refusal(error, pending) from error
        try:
            records, keys = self._translate(first)
        except BadRaw as error:
            raise _Refusal(error, [first]) from error
        votes: dict[tuple[str | None, ...], list[RawFile]] = {}
        for raw in pending:
            votes.setdefault(signature(raw.header, keys), []).append(raw)
        text, same = signature(first.header, keys), [first]
        if EVERY_KEY not in keys:
            text, same = max(votes.items(), key=lambda item: len(item[1]))  # the first of equals
            if first not in same:
                try:
                    records, keys = self._translate(same[0])
                except BadRaw as error:
                    raise _Refusal(error, same) from error
                text = signature(same[0].header, keys)
        try:
            self._check(instrument, records, recorded)
        except BadRaw as error:
            raise _Refusal(error, same) from error
        header = same[0].header.reduced(keys)
        return Exposure(instrument, keys, text, header, records, recorded is not None), pending

    def _translate(self, raw: RawFile) -> tuple[ExposureRecords, tuple[str, ...]]:
        self.translations += 1
        done = translate(raw.translator, raw.header, str(raw.path))
        records = build_records(done.info)
        self.warnings += [f"exposure {raw.frame.exposure} of {raw.frame.instrument}: {w}" for w in done.warnings]
        return records, done.keys

    def _check(
        self, instrument: RegisteredInstrument, records: ExposureRecords, recorded: dict[str, Any] | None
    ) -> None:
        """Refuse absurd values, unknown filters and records that contradict those of the repository."""
        check_records(
            records,
            self._repository.butler.dimensions,
            instrument.exposure_max,
            self._now,
            day_is_date=getattr(instrument.instrument, "observing_day_is_date", False),
        )
        name = records.exposure["physical_filter"]
        if name not in instrument.filters:
            raise BadRaw(
                Reason.UNKNOWN_FILTER,
                f"filter {name} is not registered for {instrument.name}",
                key="physical_filter",
                seen=name,
                expected=", ".join(sorted(instrument.filters)),
            )
        _compare("exposure", records.exposure["id"], records.exposure, recorded)
        day = records.day_obs
        _compare("day_obs", day["id"], day, self._repository.day(instrument.name, day["id"]))

    def _prove(self, raw: RawFile, exposure: Exposure) -> None:
        """Refuse a file whose header contradicts the exposure.

        Equal cards translate equally. Where some differ, only a full translation tells whether it matters.
        """
        keys = exposure.keys
        if EVERY_KEY not in keys and signature(raw.header, keys) == exposure.signature:
            return
        own = raw.header.copy()
        differing = differing_keys(own, exposure.header, keys)
        if not differing:
            return
        records, _ = self._translate(raw)
        fields = [f"{e}.{n}" for (e, a), (_, b) in zip(records.items(), exposure.records.items(), strict=True)
                  for n in differences(a, b)]  # fmt: skip
        if fields:
            key = _most_telling(differing, own, exposure.header)
            raise BadRaw(
                Reason.INCONSISTENT,
                f"header key {key} is {own.get(key)!r}, but {exposure.header.get(key)!r} for the other detectors of"
                f" exposure {raw.frame.exposure}; {', '.join(fields)} would differ",
                key=key,
                seen=own.get(key),
                expected=exposure.header.get(key),
            )


class _Refusal(Exception):  # noqa: N818
    """Some files of an exposure are refused for one reason."""

    def __init__(self, error: BadRaw, raws: Sequence[RawFile]) -> None:
        super().__init__(str(error))
        self.error = error
        self.raws = list(raws)


def _most_telling(keys: Sequence[str], own: RawHeader, reference: RawHeader) -> str:
    """Return the key to name: one that both headers have, rather than one that only one has."""
    return next((k for k in keys if k in own and k in reference), keys[0])


def _compare(element: str, value: object, fields: Any, recorded: Any) -> None:
    if recorded is None:
        return
    differing = differences(fields, recorded)
    if differing:
        name = differing[0]
        more = f" (and {', '.join(differing[1:])})" if len(differing) > 1 else ""
        raise BadRaw(
            Reason.RECORD_CONFLICT,
            f"{element} {value} is recorded with {name} = {recorded.get(name)!s}, the header says"
            f" {fields.get(name)!s}{more}",
            key=f"{element}.{name}",
            seen=fields.get(name),
            expected=recorded.get(name),
        )
