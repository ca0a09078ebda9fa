"""Raws that are whole FITS files, and yet not those of their detector."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st
from lsst.daf.butler import Butler

from harness.bootstrap.create import create_repository
from harness.bootstrap.ingest import IngestReport, Reason, ingest
from harness.bootstrap.register import register_instrument
from harness.datasets.observations import Observation
from harness.errors import HarnessError
from harness.instrument.formatter import RawFormatter
from harness.instrument.kit import InstrumentKit
from harness.instrument.structure import structure_problems
from harness.repository import open_repository

Kits = Mapping[str, InstrumentKit]
Change = Callable[[list[Any]], None]
SCALE = 16


@pytest.fixture
def butler(kits: Kits, tmp_path: Path) -> Iterator[Butler]:
    create_repository(tmp_path / "repo", kits["LSSTCam"].repository_config)
    with open_repository(tmp_path / "repo", writeable=True) as butler:
        for name in ("LATISS", "LSSTCam"):
            register_instrument(butler, kits[name])
        yield butler


@pytest.fixture
def make(
    tmp_path: Path, observe: Callable[..., Observation], write: Callable[..., Path]
) -> Callable[[str, int, Change | None], Path]:
    """Writes a raw, with something changed in its HDUs as they lie in the file."""

    def make(instrument: str, detector: int, change: Change | None = None) -> Path:
        path = write(tmp_path / "raws", observe(instrument), detector, SCALE)
        if change is not None:
            with fits.open(path, disable_image_compression=True, memmap=False) as hdus:
                items = list(hdus)
                change(items)
                fits.HDUList(items).writeto(path, overwrite=True)
        return path

    return make


def _key(hdu: int, **values: Any) -> Change:
    def change(hdus: list[Any]) -> None:
        for key, value in values.items():
            hdus[hdu].header[key] = value

    return change


def _drop(*hdus: int) -> Change:
    def change(items: list[Any]) -> None:
        for i in sorted(hdus, reverse=True):
            del items[i]

    return change


def _no_image(hdus: list[Any]) -> None:
    hdus[3].header.remove("ZIMAGE")


BAD: dict[str, tuple[Change, str, str, str]] = {
    # What is done, and the extension, key and value that must be named.
    "amplifier missing": (_drop(3), "Segment12", "EXTNAME", "missing"),
    "all amplifiers missing but one": (_drop(*range(2, 17)), "Segment11", "EXTNAME", "missing"),
    "amplifier twice": (_key(4, EXTNAME="Segment12"), "Segment12", "EXTNAME", "found 2 times"),
    "amplifier of another name": (_key(9, EXTNAME="Segment77"), "Segment07", "EXTNAME", "missing"),
    "rows lost": (_key(5, ZNAXIS2=100), "Segment14", "NAXIS1 × NAXIS2", "37 × 100"),
    "columns of another readout": (_key(1, ZNAXIS1=40), "Segment10", "NAXIS1 × NAXIS2", "40 × 129"),
    "one axis": (_key(1, ZNAXIS=1), "Segment10", "NAXIS1 × NAXIS2", "no image"),
    "a table": (_no_image, "Segment12", "NAXIS1 × NAXIS2", "no image"),
    "section too wide": (_key(16, DATASEC="[2:34,1:125]"), "Segment00", "DATASEC", "[2:34,1:125]"),
    "section elsewhere": (_key(2, DATASEC="[5:36,1:125]"), "Segment11", "DATASEC", "[5:36,1:125]"),
    "section upside down": (_key(2, DATASEC="[2:33,125:1]"), "Segment11", "DATASEC", "[2:33,125:1]"),
    "section is no section": (_key(2, DATASEC="all of it"), "Segment11", "DATASEC", "all of it"),
    "section is a number": (_key(2, DATASEC=17), "Segment11", "DATASEC", "17"),
}


@pytest.mark.parametrize("case", BAD)
def test_files_of_another_structure_are_refused_with_the_place(
    butler: Butler, make: Callable[..., Path], case: str
) -> None:
    change, extension, key, seen = BAD[case]
    good = make("LSSTCam", 36)
    path = make("LSSTCam", 35, change)
    report = ingest(butler, [path.parent])
    (entry,) = report.quarantined
    assert (entry.path, entry.reason) == (str(path), Reason.STRUCTURE)
    assert (entry.key, entry.seen) == (key, seen)
    assert f"R10_S22: extension {extension}: {key} is {seen}, expected {entry.expected}" in entry.message
    assert entry.data_id["detector"] == 35
    assert report.ingested == 1, f"{good} is good"


def test_a_file_of_another_sensor_is_refused(butler: Butler, make: Callable[..., Path]) -> None:
    """A half-size sensor in the place of a whole one, and one kind of sensor in that of another."""
    for detector, place in ((203, {"CCDSLOT": "SG0"}), (98, {"RAFTBAY": "R01", "CCDSLOT": "S00"})):
        path = make("LSSTCam", detector, _key(0, **place))
        (entry,) = ingest(butler, [path]).quarantined
        assert entry.reason == Reason.STRUCTURE


@pytest.mark.parametrize(("value", "what"), [(8, "37 × 129"), (77, "cannot be binned by 77"), ("two", "SIMSCALE")])
def test_a_wrong_binning_is_refused(butler: Butler, make: Callable[..., Path], value: Any, what: str) -> None:
    (entry,) = ingest(butler, [make("LSSTCam", 35, _key(0, SIMSCALE=value))]).quarantined
    assert entry.reason == Reason.STRUCTURE
    assert what in entry.message


def _upper(hdus: list[Any]) -> None:
    for hdu in hdus[1:]:
        hdu.header["EXTNAME"] = hdu.header["EXTNAME"].upper()


def _shuffle(hdus: list[Any]) -> None:
    hdus[1:17] = hdus[16:0:-1]


def _no_section(hdus: list[Any]) -> None:
    for hdu in hdus[1:17]:
        hdu.header.remove("DATASEC")


def _no_prescan(hdus: list[Any]) -> None:
    # LATISS wrote this in 2021 and 2022, with the prescan still there.
    for hdu in hdus[1:17]:
        (x0, x1), (y0, y1) = ([int(n) for n in p.split(":")] for p in hdu.header["DATASEC"].strip("[]").split(","))
        hdu.header["DATASEC"] = f"[1:{x1 - x0 + 1},{y0}:{y1}]"


def _extra(hdus: list[Any]) -> None:
    hdus.append(fits.ImageHDU(name="THUMBNAIL"))


@pytest.mark.parametrize(
    "change", [_upper, _shuffle, _no_section, _key(2, DATASEC=None), _no_prescan, _extra, _drop(17, 18)]
)
@pytest.mark.parametrize(("instrument", "detector"), [("LATISS", 0), ("LSSTCam", 98)])
def test_what_does_not_matter_is_taken(
    butler: Butler, make: Callable[..., Path], instrument: str, detector: int, change: Change
) -> None:
    plain = make(instrument, detector)
    assert ingest(butler, [plain], transfer="copy").ingested == 1
    (ref,) = butler.query_datasets("raw", collections=f"{instrument}/raw/all")
    expected = butler.get(ref)
    butler.pruneDatasets([ref], purge=True, unstore=True, disassociate=True)
    report = ingest(butler, [make(instrument, detector, change)], transfer="copy")
    assert not report.quarantined
    (ref,) = butler.query_datasets("raw", collections=f"{instrument}/raw/all")
    assert butler.get(ref.makeComponentRef("image")) == expected.image


def test_uncompressed_images_are_read_alike(butler: Butler, make: Callable[..., Path]) -> None:
    path = make("LSSTCam", 98)
    assert ingest(butler, [path], transfer="copy").ingested == 1
    (ref,) = butler.query_datasets("raw", collections="LSSTCam/raw/all")
    expected = butler.get(ref.makeComponentRef("image"))
    butler.pruneDatasets([ref], purge=True, unstore=True, disassociate=True)
    with fits.open(path, memmap=False) as hdus:
        plain = [hdus[0], *(fits.ImageHDU(h.data, h.header, name=h.name) for h in hdus[1:17])]
        fits.HDUList(plain).writeto(path, overwrite=True)
    assert ingest(butler, [path], transfer="copy").ingested == 1
    (ref,) = butler.query_datasets("raw", collections="LSSTCam/raw/all")
    assert butler.get(ref.makeComponentRef("image")) == expected


def _compress(path: Path, cut: int = 0) -> Path:
    content = gzip.compress(path.read_bytes())
    path.write_bytes(content[: len(content) - cut])
    return path


def test_gzip_is_taken_under_any_name(butler: Butler, make: Callable[..., Path]) -> None:
    report = ingest(butler, [_compress(make("LSSTCam", 98))], transfer="copy")
    assert not report.quarantined
    (ref,) = butler.query_datasets("raw", collections="LSSTCam/raw/all")
    raw = butler.get(ref)
    for component in ("image", "header", "detector", "wcs"):
        assert butler.get(ref.makeComponentRef(component)) == getattr(raw, component)


@pytest.mark.parametrize("cut", [1, 100, 10_000])
def test_cut_gzip_is_refused(butler: Butler, make: Callable[..., Path], cut: int) -> None:
    report: IngestReport = ingest(butler, [_compress(make("LSSTCam", 98), cut)])
    assert [e.reason for e in report.quarantined] == [Reason.TRUNCATED]


def test_gzip_of_a_damaged_structure_is_refused(butler: Butler, make: Callable[..., Path]) -> None:
    report = ingest(butler, [_compress(make("LSSTCam", 35, _drop(4)))])
    assert [e.reason for e in report.quarantined] == [Reason.STRUCTURE]


@given(st.sets(st.integers(0, 15)), st.sampled_from([0, 98, 190]))
def test_exactly_the_missing_amplifiers_are_named(kits: Kits, missing: set[int], number: int) -> None:
    detector = kits["LSSTCam"].make_camera(8)[number]
    headers: list[dict[str, Any]] = [{"NAXIS": 0}]
    for i, a in enumerate(detector.amplifiers):
        if i not in missing:
            size = {"NAXIS": 2, "NAXIS1": a.raw_bbox.nx, "NAXIS2": a.raw_bbox.ny}
            headers.append({"EXTNAME": a.extension, **size})
    problems = structure_problems(headers, detector)
    assert {p.extension for p in problems} == {detector.amplifiers[i].extension for i in missing}


def test_the_formatter_says_the_same_without_ingest(
    kits: Kits, tmp_path: Path, observe: Callable[..., Observation], write: Callable[..., Path]
) -> None:
    formatter = kits["LSSTCam"].instrument_class().getRawFormatter({})
    assert issubclass(formatter, RawFormatter)
    with fits.open(write(tmp_path, observe("LSSTCam"), 98)) as hdus:
        headers = [h.header for h in hdus]
    assert formatter.check_structure(headers, 98) == []
    assert [str(p) for p in formatter.check_structure(headers[:-3], 98)] == [
        "extension Segment00: EXTNAME is missing, expected one HDU"
    ]
    with pytest.raises(HarnessError, match="LSSTCam has no detector 205"):
        formatter.check_structure(headers, 205)
