"""Bad files: each is named with its reason, and stops nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.bootstrap.ingest import Reason, ingest
from harness.errors import HarnessError
from harness.repository import open_repository
from harness.stages.fork import fork_repository


def truncated_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:800])


def truncated_data(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2870])


def truncated_extension(path: Path) -> None:
    from astropy.io import fits

    with fits.open(path, mode="append") as hdus:
        hdus.append(fits.ImageHDU(data=hdus[0].data))
    path.write_bytes(path.read_bytes()[:-2870])


def no_data(path: Path) -> None:
    from astropy.io import fits

    header = fits.getheader(path)
    fits.PrimaryHDU(None, header).writeto(path, overwrite=True)


def not_ascii(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"a field", b"a f\xefeld"))


def bad_axis(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"NAXIS1  =                    4", b"NAXIS1  =                  4.5"))


def bad_card(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"EXPID   =                  1", b"EXPID   =                  ?"))


FILES = {
    "empty": (lambda p: p.write_bytes(b""), Reason.TRUNCATED, "is empty"),
    "header cut": (truncated_header, Reason.TRUNCATED, "no END"),
    "data cut": (truncated_data, Reason.TRUNCATED, "data of HDU 0 are cut off"),
    "extension cut": (truncated_extension, Reason.TRUNCATED, "data of HDU 1 are cut off"),
    "headers only": (no_data, Reason.NO_DATA, "no HDU has data"),
    "text": (lambda p: p.write_text("hello"), Reason.NOT_FITS, "is not FITS"),
    "gzip": (lambda p: p.write_bytes(b"\x1f\x8b" + bytes(99)), Reason.NOT_FITS, "gzip"),
    "not ascii": (not_ascii, Reason.NOT_FITS, "not ASCII"),
    "bad axis": (bad_axis, Reason.NOT_FITS, "NAXIS1 is 4.5"),
    "bad card": (bad_card, Reason.BAD_VALUE, "EXPID cannot be parsed"),
    "folder": (lambda p: (p.unlink(), p.mkdir(), (p / "x").touch()), Reason.NOT_FOUND, "no file named like FITS"),
    "dangling": (lambda p: (p.unlink(), p.symlink_to("gone")), Reason.NOT_FOUND, "no such file"),
}
HEADERS = {
    "no instrument": ({"INSTRUME": None}, Reason.UNKNOWN_INSTRUMENT, "no INSTRUME"),
    "unknown instrument": ({"INSTRUME": "Polaroid"}, Reason.UNKNOWN_INSTRUMENT, "INSTRUME='Polaroid'"),
    "two translators": ({"RIVAL": True}, Reason.AMBIGUOUS_INSTRUMENT, "madecams.CamATranslator"),
    "exposure id missing": ({"EXPID": None, "OBSID": "o"}, Reason.MISSING_KEY, "header key EXPID is missing"),
    "detector missing": ({"DETNUM": None, "DETNAME": "S0"}, Reason.MISSING_KEY, "header key DETNUM is missing"),
    "time missing": ({"DATE-BEG": None}, Reason.BAD_VALUE, "datetime_begin"),
    "end missing": ({"DATE-END": None}, Reason.BAD_VALUE, "datetime_end is undefined"),
    "filter missing": ({"FILTER": None}, Reason.MISSING_KEY, "header key FILTER is missing"),
    "exposure time missing": ({"EXPTIME": None}, Reason.MISSING_KEY, "EXPTIME"),
    "pointing missing": ({"RA": None}, Reason.MISSING_KEY, "tracking_radec: header key RA is missing"),
    "exposure id a word": ({"EXPID": "last"}, Reason.BAD_VALUE, "exposure_id cannot be translated"),
    "exposure id too large": ({"EXPID": 1000}, Reason.EXPOSURE_ID, "out of range"),
    "exposure id beyond integers": ({"EXPID": 10**30}, Reason.EXPOSURE_ID, "out of range"),
    "exposure id negative": ({"EXPID": -1}, Reason.EXPOSURE_ID, "out of range"),
    "detector unknown": ({"DETNUM": 7}, Reason.UNKNOWN_DETECTOR, "has no detector 7"),
    "detector negative": ({"DETNUM": -1}, Reason.UNKNOWN_DETECTOR, "has no detector -1"),
    "detector name": ({"DETNAME": "S3"}, Reason.DETECTOR_NAME, "names detector 0 S3, its record S0"),
    "filter unknown": ({"FILTER": "mauve"}, Reason.UNKNOWN_FILTER, "filter mauve is not registered"),
    "no date": ({"DATE-BEG": "yesterday"}, Reason.BAD_VALUE, "datetime_begin cannot be translated"),
    "end before begin": ({"DATE-END": "2020-03-01T01:00:00"}, Reason.BAD_TIME, "before it begins"),
    "clock not set": (
        {"DATE-BEG": "1970-01-01T00:00:10", "DATE-END": "1970-01-01T00:00:50"},
        Reason.BAD_TIME,
        "clock was not set",
    ),
    "future": (
        {"DATE-BEG": "2098-03-01T02:00:00", "DATE-END": "2098-03-01T02:00:50", "SIMULATE": False},
        Reason.BAD_TIME,
        "in the future",
    ),
    "beyond the calendar": (
        {"DATE-BEG": "3021-03-01T02:00:00", "DATE-END": "3021-03-01T02:00:50"},
        Reason.BAD_TIME,
        "clock was not set",
    ),
    "too long": ({"DATE-END": "2020-03-05T02:00:00"}, Reason.BAD_TIME, "exposure lasts"),
    "negative exposure time": ({"EXPTIME": -3.0}, Reason.BAD_VALUE, "exposure_time is -3.0"),
    "declination": ({"DEC": 99.0}, Reason.BAD_VALUE, "tracking_radec cannot be translated"),
    "long type": ({"IMGTYPE": "a type of more than 16"}, Reason.BAD_VALUE, "observation_type is"),
    "blank observation id": ({"OBSID": ""}, Reason.BAD_VALUE, "obs_id is ''"),
}


@pytest.fixture(scope="module")
def refused(bootstrapped, tmp_path_factory):
    """All the bad files in one call, each beside a good one of its own exposure or the next."""
    from madecams import write

    folder = tmp_path_factory.mktemp("bad")
    fork_repository(bootstrapped, folder / "repo")
    number = 100
    for name, (spoil, _, _) in FILES.items():
        path = folder / name / "raw.fits"
        spoil(write(path, EXPID=(number := number + 1)))
    for name, (changes, _, _) in HEADERS.items():
        write(folder / name / "raw.fits", **({"EXPID": (number := number + 1)} | changes))
    write(folder / "good" / "raw.fits", EXPID=17, DETNUM=1)
    with open_repository(folder / "repo", writeable=True) as butler:
        report = ingest(butler, [folder / name / "raw.fits" for name in (*FILES, *HEADERS, "good")])
        kept = [e.id for e in butler.query_dimension_records("exposure")]
    return report, kept


@pytest.mark.parametrize("name", [*FILES, *HEADERS])
def test_reason(refused, name):
    _, reason, message = FILES.get(name) or HEADERS[name]
    entries = [q for q in refused[0].quarantined if f"/{name}/" in q.path]
    assert [q.reason for q in entries] == [reason], entries
    assert message in entries[0].message


def test_bad_files_stop_nothing_else(refused):
    report, kept = refused
    assert (report.ingested, report.exit_code) == (1, 1)
    assert kept == [17]
    assert len(report.quarantined) == len(FILES) + len(HEADERS)


def test_absent_optional_property_is_a_warning(butler, raw):
    report = ingest(butler, [raw(PROGRAM=None)])
    assert report.ingested == 1
    assert report.warnings == [
        "exposure 17 of MadeCamA: science_program: header key PROGRAM is missing",
    ]


def test_instrument_without_record(butler, raw, repo):
    from lsst.daf.butler import Butler, Config

    other = repo.parent / "other"
    Butler.makeRepo(str(other), Config())
    with Butler.from_config(str(other), writeable=True) as empty:
        report = ingest(empty, [raw(), raw(DETNUM=1)])
    assert [q.reason for q in report.quarantined] == [Reason.UNREGISTERED_INSTRUMENT] * 2
    assert "MadeCamA is not registered" in report.quarantined[0].message


def test_instrument_class_that_cannot_be_imported(raw, tmp_path):
    from lsst.daf.butler import Butler
    from madecams import MadeCamA, MadeCamLost

    Butler.makeRepo(str(tmp_path / "lost"))
    with Butler.from_config(str(tmp_path / "lost"), writeable=True) as butler:
        MadeCamA().register(butler.registry)
        MadeCamLost().register(butler.registry)
        report = ingest(butler, [raw(), raw(INSTRUME="MadeCamB")])
    assert report.ingested == 1
    assert [q.reason for q in report.quarantined] == [Reason.UNREGISTERED_INSTRUMENT]
    assert "cannot be imported" in report.quarantined[0].message


@pytest.mark.parametrize("bad", [0, 3])
@pytest.mark.parametrize("batch", [2, 100])
def test_inconsistent_header(butler, raw, bad, batch):
    """The odd one out is refused, not the first, as far as it can be seen within a batch."""
    for d in range(4):
        raw(DETNUM=d, **({"RA": 11.0} if d == bad else {}))
    report = ingest(butler, [raw().parent / f"raw{d}.fits" for d in range(4)], batch=batch)
    if batch == 2 and bad == 0:
        assert report.ingested == 1  # nothing else was known when the first was taken
        assert len(report.quarantined) == 3
    else:
        (entry,) = report.quarantined
        assert entry.reason == Reason.INCONSISTENT
        assert (entry.key, entry.seen, entry.expected) == ("RA", "11.0", "10.5")
        assert entry.data_id == {"instrument": "MadeCamA", "exposure": 17, "detector": bad}
        assert "exposure.tracking_ra" in entry.message
        assert report.ingested == 3


def test_missing_key_on_one_detector_only(butler, raw):
    raw(DETNUM=0)
    raw(DETNUM=1)
    raw(DETNUM=2, FILTER=None)
    report = ingest(butler, [raw(DETNUM=3).parent])
    (entry,) = report.quarantined
    assert (entry.reason, entry.key) == (Reason.MISSING_KEY, "FILTER")
    assert report.ingested == 3


def test_another_observation_with_the_same_exposure_id(butler, raw):
    raw(DETNUM=0)
    raw(DETNUM=1)
    raw(DETNUM=2, OBSID="another")
    (entry,) = ingest(butler, [raw(DETNUM=3).parent]).quarantined
    assert (entry.reason, entry.key, entry.seen) == (Reason.INCONSISTENT, "OBSID", "another")


@pytest.mark.parametrize("batch", [1, 100])
def test_duplicate_data_id(butler, raw, batch):
    first, second = raw(seed=1), raw(seed=2)
    report = ingest(butler, [first, second], batch=batch)
    assert [(q.path, q.reason) for q in report.quarantined] == [(str(second), Reason.DUPLICATE)]
    assert report.ingested == 1


def test_other_content_for_the_same_data_id(butler, raw):
    ingest(butler, [raw("one.fits", seed=1)], transfer="copy")
    other = raw("two.fits", seed=2)
    report = ingest(butler, [other], transfer="copy")
    assert [q.reason for q in report.quarantined] == [Reason.CONTENT_CONFLICT]
    (ref,) = butler.query_datasets("raw", collections="*", find_first=False)
    assert Path(butler.getURI(ref).ospath).read_bytes() != other.read_bytes()


def test_artifact_gone(butler, raw):
    path = raw()
    ingest(butler, [path], transfer="copy")
    (ref,) = butler.query_datasets("raw", collections="*", find_first=False)
    Path(butler.getURI(ref).ospath).unlink()
    (entry,) = ingest(butler, [path]).quarantined
    assert entry.reason == Reason.ARTIFACT_MISSING


def test_on_exists_fail(butler, raw):
    path = raw()
    ingest(butler, [path])
    (entry,) = ingest(butler, [path], on_exists="fail").quarantined
    assert entry.reason == Reason.EXISTS


def test_conflicting_exposure_record(butler, raw):
    """A second night's file that contradicts the record is reported, not silently taken."""
    ingest(butler, [raw("old/1.fits", DETNUM=0)])
    raw("new/2.fits", DETNUM=1, OBJECT="elsewhere")
    raw("new/3.fits", DETNUM=2, OBJECT="elsewhere")
    report = ingest(butler, [raw("new/4.fits", DETNUM=3).parent])
    assert report.ingested == 1  # the file that agrees with the record, though it is outvoted
    assert {q.reason for q in report.quarantined} == {Reason.RECORD_CONFLICT}
    entry = report.quarantined[0]
    assert (entry.key, entry.seen, entry.expected) == ("exposure.target_name", "elsewhere", "a field")


def test_conflicting_day_record(butler, raw):
    from astropy.time import Time
    from lsst.daf.butler import Timespan

    span = Timespan(Time("2020-02-29T00:00:00", scale="tai"), Time("2020-03-01T00:00:00", scale="tai"))
    butler.registry.insertDimensionData("day_obs", {"instrument": "MadeCamA", "id": 20200229, "timespan": span})
    (entry,) = ingest(butler, [raw()]).quarantined
    assert (entry.reason, entry.key) == (Reason.RECORD_CONFLICT, "day_obs.timespan")


def test_file_that_cannot_be_transferred(butler, raw, repo):
    """With "none", a file outside the datastore is refused; the one inside is ingested all the same."""
    inside = repo / "raws" / "here.fits"
    inside.parent.mkdir()
    raw(DETNUM=1).rename(inside)
    outside = raw(DETNUM=0)
    report = ingest(butler, [outside, inside], transfer="none")
    assert [(q.path, q.reason) for q in report.quarantined] == [(str(outside), Reason.TRANSFER)]
    assert report.ingested == 1


def test_fail_fast_writes_nothing_of_the_batch(butler, raw):
    good, bad = raw(EXPID=18), raw(FILTER=None)
    with pytest.raises(HarnessError, match="FILTER is missing") as caught:
        ingest(butler, [good, bad], fail_fast=True)
    assert caught.value.code == Reason.MISSING_KEY
    assert not butler.query_dimension_records("exposure", explain=False)


def test_report_files(butler, raw, tmp_path):
    report = ingest(butler, [raw(EXPID=18), raw(FILTER="mauve")])
    records, summary = report.write(tmp_path / "out" / "q.jsonl")
    (entry,) = [json.loads(line) for line in records.read_text().splitlines()]
    assert entry["reason"] == "unknown-filter"
    assert entry["data_id"] == {"instrument": "MadeCamA", "exposure": 17, "detector": 0}
    assert "1 ingested, 0 already there, 1 quarantined" in summary.read_text()
    assert json.loads(json.dumps(report.facts()))["quarantined"][0]["path"].endswith("raw1.fits")
