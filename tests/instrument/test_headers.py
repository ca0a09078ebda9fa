from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st
from lsst.resources import ResourcePath

from harness.errors import HarnessError
from harness.instrument.headers import read_header

STRUCTURE = (
    "SIMPLE",
    "XTENSION",
    "BITPIX",
    "NAXIS",
    "NAXIS1",
    "NAXIS2",
    "EXTEND",
    "PCOUNT",
    "GCOUNT",
    "BZERO",
    "BSCALE",
)

texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=200)
values = st.one_of(
    texts,
    st.booleans(),
    st.integers(-(2**62), 2**62),
    st.floats(allow_nan=False, allow_infinity=False),
    st.none(),
)
keys = st.from_regex(r"[A-Z][A-Z0-9_-]{0,7}", fullmatch=True).filter(
    lambda k: k not in (*STRUCTURE, "END", "COMMENT", "HISTORY", "CONTINUE", "HIERARCH") and not k.startswith("NAXIS")
)


def _as_dict(header: fits.Header) -> dict[str, Any]:
    return {
        k: None if isinstance(header[k], fits.card.Undefined) else header[k]
        for k in header
        if k not in ("COMMENT", "HISTORY", "")
    }


@given(st.dictionaries(keys, values, max_size=40), st.lists(texts.map(lambda t: t[:60]), max_size=3))
def test_reads_what_astropy_reads(
    tmp_path_factory: pytest.TempPathFactory, cards: dict[str, Any], comments: list[str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "header.fits"
    hdu = fits.PrimaryHDU(np.zeros((3, 5), np.int16))
    for key, value in cards.items():
        hdu.header[key] = (value, "a / comment")
    for comment in comments:
        hdu.header.add_comment(comment)
    hdu.header["HIERARCH a long key"] = 3.5
    hdu.writeto(path, overwrite=True)
    header = read_header(path)
    assert header.pop("COMMENT", []) == [c.rstrip() for c in comments if c.strip()]
    expected = _as_dict(fits.getheader(path))
    assert header == expected
    assert {k: type(v) for k, v in header.items()} == {k: type(v) for k, v in expected.items()}


def _write_two(path: Path) -> None:
    primary, image = fits.PrimaryHDU(), fits.ImageHDU(np.ones((300, 400), np.float32))
    primary.header.update({"OBSID": "one", "FILTER": "r", "NOTHING": None})
    for i in range(500):
        primary.header[f"KEY{i}"] = i
    image.header.update({"FILTER": "i", "CHANNEL": 3})
    fits.HDUList([primary, image]).writeto(path)


def test_first_extension_completes_an_empty_primary(tmp_path: Path) -> None:
    path = tmp_path / "two.fits"
    _write_two(path)
    header = read_header(path)
    assert (header["OBSID"], header["FILTER"], header["CHANNEL"], header["KEY499"]) == ("one", "i", 3, 499)
    assert (header["NAXIS"], header["SIMPLE"]) == (0, True), "the structure is the primary's"
    assert "XTENSION" not in header
    assert header["NOTHING"] is None


def test_real_files_read_as_astropy_reads_them(real: Path) -> None:
    files = sorted((real / "fits").glob("*/*.fits"))
    assert files
    for path in files:
        with fits.open(path) as hdus:
            expected = _as_dict(hdus[0].header)
            if hdus[0].data is None:
                expected |= {k: v for k, v in _as_dict(hdus[1].header).items() if k not in STRUCTURE}
        header = {k: v for k, v in read_header(path).items() if k not in ("COMMENT", "HISTORY")}
        # astropy shows a compressed image as the image that it was, we show what the file says.
        differing = {k for k in expected.keys() | header.keys() if expected.get(k) != header.get(k)}
        assert {k for k in differing if not k.startswith(("Z", "T", "NAXIS", "CHECKSUM", "DATASUM"))} == set()


@pytest.mark.parametrize("form", [str, Path, ResourcePath, lambda p: ResourcePath(p).geturl()])
def test_every_way_to_name_a_file(tmp_path: Path, form: Any) -> None:
    path = tmp_path / "raw with space.fits"
    fits.PrimaryHDU(np.zeros(10)).writeto(path)
    assert read_header(form(str(path)))["NAXIS1"] == 10


def test_packaged_and_remote_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "packaged_raws"
    package.mkdir()
    (package / "__init__.py").touch()
    _write_two(package / "two.fits")
    monkeypatch.syspath_prepend(tmp_path)
    assert read_header("resource://packaged_raws/two.fits") == read_header(package / "two.fits")


def test_compressed_files_are_read_alike(tmp_path: Path) -> None:
    path = tmp_path / "two.fits"
    _write_two(path)
    # The observatory keeps the extension .fits for some of its compressed files.
    compressed = tmp_path / "compressed.fits"
    content = gzip.compress(path.read_bytes())
    compressed.write_bytes(content)
    assert read_header(compressed) == read_header(path)
    for wrong, code in (
        (content[:20], "not-fits"),
        (content[:1000], "truncated"),
        (content[:10] + bytes(99), "not-fits"),
    ):
        compressed.write_bytes(wrong)
        with pytest.raises(HarnessError) as caught:
            read_header(compressed)
        assert caught.value.code == code


def test_a_primary_alone_may_be_empty(tmp_path: Path) -> None:
    path = tmp_path / "empty.fits"
    for writer in (path.write_bytes, lambda content: path.write_bytes(gzip.compress(content))):
        path.unlink(missing_ok=True)
        fits.PrimaryHDU(header=fits.Header({"OBSID": "one"})).writeto(path)
        writer(path.read_bytes())
        assert read_header(path)["OBSID"] == "one"


def test_truncated_files_are_told(tmp_path: Path) -> None:
    path = tmp_path / "two.fits"
    _write_two(path)
    whole = path.read_bytes()
    # In the primary header, between cards, in the extension's header, in its data, in its last byte but padding.
    data_end = len(whole) - (len(whole) % 2880 or 2880)
    for length in (80, 2879, 2880, 10000, 46000, len(whole) // 2, data_end):
        path.write_bytes(whole[:length])
        with pytest.raises(HarnessError, match="truncated") as caught:
            read_header(path)
        assert caught.value.code == "truncated"
    # The padding after the last data may be missing.
    path.write_bytes(whole[: len(whole) - 100])
    assert read_header(path)["CHANNEL"] == 3


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"\x00" * 5760, b"SIMPLE", b"%PDF-1.4\n", b"SIMPLE  =                    T".ljust(80) * 72],
)
def test_other_files_are_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.fits"
    path.write_bytes(content)
    with pytest.raises(HarnessError) as caught:
        read_header(path)
    assert caught.value.code in ("not-fits", "truncated")
    assert str(path) in str(caught.value)


def test_bytes_that_are_not_text_are_told(tmp_path: Path) -> None:
    path = tmp_path / "x.fits"
    fits.PrimaryHDU(np.zeros(10)).writeto(path)
    content = bytearray(path.read_bytes())
    content[100] = 0xFF
    path.write_bytes(content)
    with pytest.raises(HarnessError, match="not ASCII"):
        read_header(path)


def test_a_card_without_sense_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.fits"
    fits.PrimaryHDU(np.zeros(10), fits.Header({"OBSID": "one"})).writeto(path)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"'one     '", b"one or two"))
    with pytest.raises(HarnessError, match=r"has a card that is not FITS.*OBSID") as caught:
        read_header(path)
    assert caught.value.code == "not-fits"


def test_missing_files_and_folders_are_told(tmp_path: Path) -> None:
    for path in (tmp_path / "none.fits", tmp_path):
        with pytest.raises(HarnessError) as caught:
            read_header(path)
        assert caught.value.code == "unreadable"
