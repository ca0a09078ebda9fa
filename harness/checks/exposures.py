"""Invariants of exposures that need no knowledge of the instrument: their columns agree with each other."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..verdicts import Check, Finding, check
from .conventions import exceptions, template
from .raws import raws
from .records import known_instruments, look_datasets, look_record, records, spread
from .reflected import filled, rows, stored
from .tables import tables

if TYPE_CHECKING:
    from lsst.daf.butler import DimensionRecord

    from .context import CheckContext

__all__ = ["CHECKS"]

SAMPLE = 120
"""How many headers are read at most."""

SECOND = 1_000_000_000
"""Nanoseconds."""

LOOSE = 1e-6
"""Relative difference of two computations of one number."""

CORRECT = (
    "correct the exposure's header or write a metadata correction, then ingest its raws again with --update-records"
)


def _exposures(context: CheckContext) -> Mapping[tuple[str, str], list[DimensionRecord]]:
    """Return the exposures by instrument and by what their names have in common, in the order of their ids."""

    def make() -> Mapping[tuple[str, str], list[DimensionRecord]]:
        out: dict[tuple[str, str], list[DimensionRecord]] = defaultdict(list)
        for record in records(context, "exposure"):
            out[record.instrument, template(str(record.obs_id))].append(record)
        for found in out.values():
            found.sort(key=lambda e: e.id)
        return out

    return context.cached("exposures by name", make)


def _about(record: DimensionRecord, message: str, where: str, seen: object, expected: object) -> Finding:
    """Make a finding about an exposure."""
    data_id = {"instrument": record.instrument, "exposure": record.id}
    look = look_record("exposure", data_id)
    return Finding(message, data_id=data_id, where=where, seen=str(seen), expected=str(expected), look=look)


@check(
    "identifiers.records-used",
    title="Every group and every day_obs is that of something",
    after="ingest",
    remedy="if the exposure was ingested again under another group or day, delete the record that it left behind",
)
def records_used(context: CheckContext) -> Iterator[Finding]:
    """A group without exposures is what is left of one that was renamed or lost: whoever waits for it waits forever."""
    import sqlalchemy

    data, here = tables(context), stored(context)
    used: dict[str, set[tuple[str, Any]]] = defaultdict(set)
    for table in here.values():
        for dimension in {"group", "day_obs"} & set(table.columns.keys()) if "instrument" in table.columns else ():
            columns = (table.columns["instrument"], table.columns[dimension])
            used[dimension] |= set(rows(context, sqlalchemy.select(*columns).distinct()))
    for element in ("group", "day_obs"):
        if element not in data.names:
            continue
        for record in records(context, element):
            context.examined()
            value = record.dataId[element]
            if (record.instrument, value) not in used[element]:
                data_id = {"instrument": record.instrument, element: value}
                yield Finding(
                    f"nothing belongs to the {element} {value}",
                    data_id=data_id,
                    where=element,
                    seen="no exposure, visit or dataset",
                    expected="at least one",
                    look=look_record(element, data_id),
                )


@check(
    "identifiers.sequence-ranges",
    title="The sequence number of an exposure lies between the first and the last of its sequence",
    after="ingest",
    remedy=CORRECT,
)
def sequence_ranges(context: CheckContext) -> Iterator[Finding]:
    """Snaps are put together by these three numbers. Sequences that cross are sequences of nobody.

    Two exposures of a night are of one sequence or of two that have no number in common.
    """
    sequences: dict[tuple[str, str, int], set[tuple[int, int]]] = defaultdict(set)
    owners: dict[tuple[str, str, int, int, int], DimensionRecord] = {}
    for (instrument, kind), found in _exposures(context).items():
        for record in found:
            first, last = getattr(record, "seq_start", None), getattr(record, "seq_end", None)
            if record.seq_num is None or first is None or last is None:
                continue
            context.examined()
            if not first <= record.seq_num <= last:
                yield _about(
                    record,
                    f"exposure {record.id} is not in its own sequence",
                    "exposure.seq_num",
                    f"number {record.seq_num} of {first}…{last}",
                    "a number within",
                )
            sequences[instrument, kind, record.day_obs].add((first, last))
            owners[instrument, kind, record.day_obs, first, last] = record
    for key, spans in sequences.items():
        for earlier, later in itertools.pairwise(sorted(spans)):
            if later[0] <= earlier[1]:
                record = owners[*key, *later]
                yield _about(
                    record,
                    f"the sequence of exposure {record.id} crosses another one",
                    "exposure.seq_start",
                    f"{later[0]}…{later[1]} and {earlier[0]}…{earlier[1]} of day {key[2]}",
                    "one sequence, or two apart",
                )


@check(
    "time.sequence-order",
    title="Exposures of one source are in the same order by their ids, by day and sequence number, and in time",
    after="ingest",
    remedy=CORRECT,
)
def sequence_order(context: CheckContext) -> Iterator[Finding]:
    """Ids, numbers and clocks come from different computers. Where they disagree one of them is wrong.

    Exposures whose names differ in more than digits come from different sources, which number on their own.
    """
    for found in _exposures(context).values():
        for name, of in (("seq_num", _number), ("timespan", _begin)):
            ordered = [(e, of(e)) for e in found if None not in of(e)]
            context.examined(len(ordered))
            for record, before in _out_of_order(ordered):
                yield _about(
                    record,
                    f"exposure {record.id} is out of order by its {name}",
                    f"exposure.{name}",
                    f"{of(record)}, next to {before} of a lower id",
                    "more than that of every lower id",
                )


def _number(record: DimensionRecord) -> tuple[Any, ...]:
    return (record.day_obs, record.seq_num)


def _begin(record: DimensionRecord) -> tuple[Any, ...]:
    return (record.timespan.nsec[0] if record.timespan is not None else None,)


def _out_of_order(items: list[tuple[DimensionRecord, Any]]) -> Iterator[tuple[DimensionRecord, Any]]:
    """Give the fewest records without which the rest would be in order, with the value before each.

    Those that are no part of a longest rising subsequence, by patience sorting (n log n).
    """
    import bisect

    tails: list[Any] = []
    places: list[int] = []
    for _, value in items:
        place = bisect.bisect_left(tails, value)
        tails[place : place + 1] = [value]
        places.append(place)
    wanted, kept = len(tails) - 1, set()
    for i in range(len(items) - 1, -1, -1):
        if places[i] == wanted:
            kept.add(i)
            wanted -= 1
    for i, (record, _) in enumerate(items):
        if i not in kept:
            yield record, items[i - 1][1] if i else items[1][1]


@check(
    "identifiers.names-follow-numbers",
    title="Names of exposures, groups and visits have the numbers that those of their like have",
    after="ingest",
    remedy=CORRECT,
)
def names_follow_numbers(context: CheckContext) -> Iterator[Finding]:
    """Where nearly all obs_ids have the exposure's id or sequence number in them, one that has not is another's.

    Nothing is known of the instrument: what the names of many exposures keep is a rule for the few.
    """
    for element, text, numbers in (
        ("exposure", "obs_id", ("id", "day_obs", "seq_num")),
        ("exposure", "group", ("id", "day_obs", "seq_num")),
        ("visit", "name", ("id", "day_obs", "seq_num")),
    ):
        kinds: dict[tuple[str, str], list[DimensionRecord]] = defaultdict(list)
        for record in records(context, element):
            kinds[record.instrument, template(str(getattr(record, "obs_id", record.instrument)))].append(record)
        for found in kinds.values():
            for number in numbers:
                known = [r for r in found if None not in (getattr(r, number, None), getattr(r, text, None))]
                context.examined(len(known))
                has = _has_day if number == "day_obs" else _has
                result = exceptions((r, has(getattr(r, text), getattr(r, number))) for r in known)
                for record in result.broken:
                    data_id = {"instrument": record.instrument, element: record.id}
                    yield Finding(
                        f"the {text} of {element} {record.id} has not its {number}, as {result.kept} others have",
                        data_id=data_id,
                        where=f"{element}.{text}",
                        seen=f"{text} {getattr(record, text)!r}, {number} {getattr(record, number)}",
                        expected=f"{text} with {getattr(record, number)} in it",
                        look=look_record(element, data_id),
                    )


def _has_day(text: str, day: int) -> bool:
    """Tell whether a name has a day in it, or the one before or after: names may go by the date or by the night."""
    import datetime

    try:
        middle = datetime.datetime.strptime(str(day), "%Y%m%d").replace(tzinfo=datetime.UTC)
    except ValueError:
        return _has(text, day)
    return any(_has(text, int(f"{middle + datetime.timedelta(days=i):%Y%m%d}")) for i in (-1, 0, 1))


def _has(text: Any, number: int) -> bool:
    """Tell whether a number stands in a name, alone or at the beginning or end of digits, with or without zeros."""
    return any(
        str(number) == run.lstrip("0") or run.startswith(str(number)) or run.endswith(str(number))
        for run in re.findall(r"\d+", str(text))
    )


@check(
    "identifiers.cells-filled",
    title="What is known of nearly all exposures, visits, detectors or tracts of a kind is known of all",
    after="register",
    remedy=CORRECT,
)
def cells_filled(context: CheckContext) -> Iterator[Finding]:
    """A query that compares a column leaves out the rows that have nothing there, without a word."""
    universe = context.butler.dimensions
    for element in sorted((e for e in universe.elements if e.has_own_table), key=lambda e: e.name):
        kinds: dict[tuple[Any, ...], list[DimensionRecord]] = defaultdict(list)
        known = filled(context, element.name)
        if known is not None:
            context.examined(known)
            continue
        for record in records(context, element.name):
            owner = tuple(record.dataId[d.name] for d in element.required if d.name in ("instrument", "skymap"))
            kinds[(*owner, getattr(record, "observation_type", None))].append(record)
        columns = [c.name for c in (*element.schema.all,) if c.name not in element.required.names]
        for found in kinds.values():
            context.examined(len(found))
            for name in columns:
                result = exceptions((r, getattr(r, name, None) is not None) for r in found)
                for record in result.broken:
                    data_id = dict(record.dataId.required)
                    yield Finding(
                        f"{element.name} {list(data_id.values())[-1]} has no {name}, as {result.kept} others have",
                        data_id=data_id,
                        where=f"{element.name}.{name}",
                        seen="nothing",
                        expected=f"a {name}",
                        look=look_record(element.name, data_id),
                    )


@check(
    "time.dark-time",
    title="The dark time of an exposure is at least its exposure time, and no longer than it lasted with readout",
    after="ingest",
    remedy=CORRECT,
)
def dark_time(context: CheckContext) -> Iterator[Finding]:
    """Dark current is subtracted by it: pixels collect while the shutter is open, and until they are read."""
    for record in records(context, "exposure"):
        dark, light = record.dark_time, record.exposure_time
        if dark is None or light is None:
            continue
        context.examined()
        span = record.timespan.nsec if record.timespan is not None and not record.timespan.isEmpty() else None
        most = READOUT + max(light, (span[1] - span[0]) / SECOND) if span is not None else dark
        # The exposure time is the one that was asked for; shutters are off by some milliseconds.
        if not light - max(0.1, 1e-3 * light) <= dark <= most:
            yield _about(
                record,
                f"the dark time of exposure {record.id} does not fit its exposure time",
                "exposure.dark_time",
                f"{dark} s",
                f"from {light} s (exposure_time) to {most:.1f} s",
            )


READOUT = 600.0
"""How much later (s) than the end of an exposure its pixels are read at the latest."""


@check(
    "identifiers.observation-kinds",
    title="A bias has no exposure time, and neither biases nor darks see the sky",
    after="ingest",
    remedy=CORRECT,
)
def observation_kinds(context: CheckContext) -> Iterator[Finding]:
    """What is used as a dark is chosen by the observation type alone; with light in it, it ruins whole nights."""
    for record in records(context, "exposure"):
        context.examined()
        kind = str(record.observation_type).casefold()
        if kind == "bias" and (record.exposure_time or 0.0) > 1.0:
            seen = f"exposure_time={record.exposure_time} s"
        elif kind in ("bias", "dark") and getattr(record, "can_see_sky", None):
            seen = "can_see_sky=True"
        else:
            continue
        message = f"exposure {record.id} is no {kind}"
        yield _about(record, message, "exposure.observation_type", f"{kind} with {seen}", f"a {kind} without light")


@check(
    "identifiers.exposure-header",
    title="The record of an exposure is, field by field, what the header of one of its raws says",
    after="ingest",
    upstream="obs_base: a re-ingest keeps old records silently",
    remedy=CORRECT,
    deep=True,
)
def exposure_header(context: CheckContext) -> Iterator[Finding]:
    """Queries select exposures by their records, pipelines calibrate by their headers: both must mean the same.

    Includes what no pipeline needs but people search for: target, program, reason, position over the horizon.
    """
    from astro_metadata_translator import ObservationInfo

    from ..bootstrap.ingest.records import build_records
    from ..bootstrap.ingest.translate import EXPOSURE_PROPERTIES

    kits = known_instruments(context)
    of_exposure = {(r.data_id["instrument"], r.data_id["exposure"]): r for r in raws(context)}
    known = {(r.instrument, r.id): r for r in records(context, "exposure")}
    chosen = [(known[k], r) for k, r in sorted(of_exposure.items()) if k in known and k[0] in kits]
    for record, raw in spread(chosen, min(SAMPLE, context.scope.sample or SAMPLE)):
        ref = context.butler.get_dataset(raw.id)
        if ref is None:
            continue
        components = ref.datasetType.storageClass.allComponents()
        try:
            header = context.butler.get(ref.makeComponentRef("header" if "header" in components else "metadata"))
            translator = kits[record.instrument].translator
            info = ObservationInfo(header, translator_class=translator, subset=set(EXPOSURE_PROPERTIES), quiet=True)
            wanted = build_records(info).exposure
        except Exception:  # noqa: S112 - found by identifiers.raw-header, which says what is wrong
            continue
        context.examined()
        look = look_datasets(raw.dataset_type, raw.run, raw.data_id)
        for name, value in wanted.items():
            seen = getattr(record, name, value)
            if seen != value and not _close(seen, value):
                yield Finding(
                    f"{name} of exposure {record.id} is not what its header says",
                    data_id={"instrument": record.instrument, "exposure": record.id},
                    where=f"exposure.{name}",
                    seen=f"{seen} in the registry",
                    expected=f"{value} in the header",
                    look=look,
                )


def _close(one: Any, other: Any) -> bool:
    """Tell whether two numbers, or two spans of time, are the same but for rounding (2 ms for times)."""
    if hasattr(one, "nsec") and hasattr(other, "nsec"):
        return all(abs(a - b) <= 2_000_000 for a, b in zip(one.nsec, other.nsec, strict=True))
    if isinstance(one, float) and isinstance(other, int | float):
        return abs(one - other) <= LOOSE * max(1.0, abs(one))
    return False


CHECKS: tuple[Check, ...] = (
    cells_filled,
    records_used,
    sequence_ranges,
    sequence_order,
    names_follow_numbers,
    dark_time,
    observation_kinds,
    exposure_header,
)
