"""Good files: what is recorded, how they get there, and doing it again."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.bootstrap.ingest import ingest
from harness.errors import HarnessError
from harness.repository import open_repository


def raws(butler, run="*"):
    return {
        (r.dataId["instrument"], r.dataId["exposure"], r.dataId["detector"]): r
        for r in butler.query_datasets("raw", collections=run, find_first=False, explain=False)
    }


def exposure(butler, instrument="MadeCamA", id=17):
    (record,) = butler.query_dimension_records("exposure", instrument=instrument, exposure=id)
    return record


def test_records_and_dataset(butler, raw):
    path = raw()
    report = ingest(butler, [path], transfer="copy")
    assert (report.ingested, report.skipped, report.quarantined, report.exit_code) == (1, 0, [], 0)
    record = exposure(butler)
    assert (record.obs_id, record.group, record.physical_filter) == ("obs17", "g17", "r1")
    # 02:00 TAI with a day that begins at 12:00 belongs to the day before
    assert record.day_obs == 20200229
    assert (record.exposure_time, record.dark_time) == (30.0, 30.5)
    assert (record.tracking_ra, record.tracking_dec, record.sky_angle) == (10.5, -20.25, 12.5)
    assert (record.azimuth, record.zenith_angle) == (200.0, 30.0)
    assert record.timespan.begin.tai.isot == "2020-03-01T02:00:00.000000"
    assert record.timespan.end.tai.isot == "2020-03-01T02:00:31.000000"
    assert record.has_simulated is True
    (day,) = butler.query_dimension_records("day_obs", instrument="MadeCamA")
    assert day.timespan.begin.tai.isot == "2020-02-29T12:00:00.000000"
    assert day.timespan.end.tai.isot == "2020-03-01T12:00:00.000000"
    ((key, ref),) = raws(butler).items()
    assert key == ("MadeCamA", 17, 0)
    assert ref.run == "MadeCamA/raw/all"
    assert ref.id.version == 5
    assert butler.get(ref)["EXPID"] == 17


def test_ids_do_not_depend_on_the_repository(butler, raw, bootstrapped, tmp_path):
    from harness.stages.fork import fork_repository

    path = raw()
    ingest(butler, [path], transfer="copy")
    fork_repository(bootstrapped, tmp_path / "other")
    with open_repository(tmp_path / "other", writeable=True) as other:
        ingest(other, [path], transfer="direct")
        assert [r.id for r in raws(other).values()] == [r.id for r in raws(butler).values()]


def test_bias_has_no_pointing(butler, raw):
    raw(IMGTYPE="bias", RA=None, DEC=None, EXPTIME=0.0, **{"DATE-END": "2020-03-01T02:00:00.000"})
    assert not ingest(butler, [raw().parent / "raw0.fits"]).quarantined
    record = exposure(butler)
    assert record.tracking_ra is None
    # an exposure without length is an instant, not the empty timespan, which would overlap no calibration
    assert not record.timespan.isEmpty()


def test_two_instruments_in_one_call(butler, raw):
    raw()
    raw(INSTRUME="MadeCamB")
    report = ingest(butler, [raw(DETNUM=1).parent])
    assert report.instruments == {"MadeCamA": {"ingested": 2}, "MadeCamB": {"ingested": 1}}
    assert {r.run for r in raws(butler).values()} == {"MadeCamA/raw/all", "MadeCamB/raw/all"}


def test_one_translation_per_exposure(butler, raw):
    for e in (17, 18):
        for d in range(4):
            raw(EXPID=e, DETNUM=d)
    report = ingest(butler, [raw().parent / "*.fits"], batch=3)
    assert report.exposures == 2
    assert report.translations == 2
    assert report.ingested == 8


def test_same_value_in_another_layout_is_consistent(butler, raw):
    raw(DETNUM=0, EXPTIME=30.0)
    path = raw(DETNUM=1)
    content = path.read_bytes()
    start = content.index(b"EXPTIME =")
    card = b"EXPTIME =                3.0E1 / seconds".ljust(80)
    path.write_bytes(content[:start] + card + content[start + 80 :])
    report = ingest(butler, [path.parent])
    assert (report.ingested, report.translations) == (2, 1)


def test_a_key_that_changes_nothing_is_proven_by_translation(butler, raw):
    raw(DETNUM=0)
    raw(DETNUM=1, **{"DATE-BEG": "2020-03-01T02:00:00.0000"})  # another text, the same time
    report = ingest(butler, [raw(DETNUM=2).parent])
    assert (report.ingested, report.translations, report.quarantined) == (3, 2, [])


def test_other_run(butler, raw):
    ingest(butler, [raw()], run="u/me/raws")
    assert {r.run for r in raws(butler).values()} == {"u/me/raws"}


TARGETS = {
    "copy": "copy",
    "hardlink": "link",
    "link": "link",
    "auto": "link",
    "symlink": "symlink",
    "relsymlink": "symlink",
}


@pytest.mark.parametrize("transfer", [*TARGETS, "move", "direct", "split", "none"])
def test_transfer_modes(butler, raw, repo, tmp_path, transfer):
    path = raw()
    content = path.read_bytes()
    if transfer == "none":
        inside = repo / "raws" / "here.fits"
        inside.parent.mkdir()
        path = path.rename(inside)
    report = ingest(butler, [path], transfer=transfer)
    assert report.ingested == 1, report.quarantined
    (ref,) = raws(butler).values()
    artifact = Path(butler.getURI(ref).ospath)
    assert artifact.read_bytes() == content
    assert path.exists() == (transfer != "move")
    if transfer in TARGETS:
        kind = "symlink" if artifact.is_symlink() else "link" if artifact.samefile(path) else "copy"
        assert kind == TARGETS[transfer]
    if transfer in ("direct", "split", "none"):
        assert artifact == path
    else:
        assert artifact.is_relative_to(repo)
    if transfer != "move":
        again = ingest(butler, [path], transfer=transfer)
        assert (again.skipped, again.ingested, again.quarantined) == (1, 0, [])


def test_move_is_finished_by_running_again(butler, raw):
    """A process killed between the commit and the removal leaves the file in both places."""
    path = raw()
    ingest(butler, [path], transfer="hardlink")
    report = ingest(butler, [path], transfer="move")
    assert report.skipped == 1
    assert not path.exists()
    (ref,) = raws(butler).values()
    assert butler.stored(ref)


def test_move_never_removes_the_artifact_itself(butler, raw):
    ingest(butler, [raw()], transfer="move")
    (ref,) = raws(butler).values()
    artifact = Path(butler.getURI(ref).ospath)
    assert ingest(butler, [artifact], transfer="move").skipped == 1
    assert artifact.exists()


def test_reingest_skips_and_says_so(butler, raw):
    raw()
    folder = raw(DETNUM=1).parent
    ingest(butler, [folder])
    raw(DETNUM=2)
    report = ingest(butler, [folder])
    assert (report.ingested, report.skipped, report.quarantined) == (1, 2, [])
    assert any("2 already there" in line for line in report.lines())


def test_reingest_of_a_pruned_file_brings_it_back(butler, raw):
    path = raw()
    ingest(butler, [path], transfer="copy")
    (ref,) = raws(butler).values()
    butler.pruneDatasets([ref], disassociate=False, unstore=True, purge=False)
    assert not butler.stored(ref)
    assert ingest(butler, [path], transfer="copy").ingested == 1
    assert butler.stored(ref)


def test_locations(butler, raw, tmp_path):
    """Folders with all subfolders, patterns, file URIs and plain files, overlapping."""
    raw("a/1.fits", DETNUM=0)
    raw("a/b/2.fits", DETNUM=1)
    raw("c/3.fits", DETNUM=2)
    named = raw("d/.raw.fits", DETNUM=3)
    folder = tmp_path / "in"
    (folder / "a" / "notes.txt").write_text("x")
    raw("a/.hidden.fits", EXPID=99)
    report = ingest(
        butler,
        [folder / "a", f"{folder}/*/b/2.*", f"{folder}/**/3.fits", named.as_uri(), named, (folder / "c").as_uri()],
    )
    assert not report.quarantined, list(map(str, report.quarantined))
    assert (report.ingested, report.ignored) == (4, 2)


def test_remote_resources(butler, raw, tmp_path):
    """Anything that lsst.resources reads; a packaged file stands for the network."""
    from lsst.resources import ResourcePath

    from harness.bootstrap.ingest.files import read_headers, same_content

    path = raw()
    uri = ResourcePath(path)
    (header, *_), size = read_headers(uri)
    assert header["EXPID"] == 17
    assert size == path.stat().st_size
    assert same_content(uri, str(path))
    report = ingest(butler, ["resource://no.such.package/raw.fits", path])
    assert report.ingested == 1
    assert [q.reason for q in report.quarantined] == ["not-found"]


def test_nothing_to_ingest(butler, tmp_path):
    with pytest.raises(HarnessError, match=r"nothing to ingest: .*nowhere: no such file"):
        ingest(butler, [tmp_path / "nowhere"])


@pytest.mark.parametrize(
    ("options", "message"), [({"transfer": "copi"}, "'copy'"), ({"on_exists": "maybe"}, "'skip' or 'fail'")]
)
def test_wrong_options(butler, raw, options, message):
    with pytest.raises(HarnessError, match=message):
        ingest(butler, [raw()], **options)


def test_storage_class_missing(butler, raw, monkeypatch):
    import madecams

    monkeypatch.setattr(madecams.MadeCamA, "raw_definition", ("raw", ("instrument", "exposure", "detector"), "Odd"))
    with pytest.raises(HarnessError, match="no storage class Odd"):
        ingest(butler, [raw()])
