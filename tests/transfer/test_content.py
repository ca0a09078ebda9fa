from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table
from lsst.daf.butler import Butler, DatasetProvenance
from minirepo import NAME, register_type

from harness.transfer.content import content_digest, content_digests


def test_two_images_with_other_provenance_say_the_same(fork: Callable[[], Path]) -> None:
    """As lsst-images writes them: identifiers and run in header and JSON tree, times in header and gzip."""
    from lsst.images import Box, Image

    with Butler.from_config(str(fork()), writeable=True) as butler:
        register_type(butler, "picture", {"instrument", "detector"}, "ImageV2")
        notes = butler.query_datasets("notes", f"{NAME}/runs/mini/first")
        refs = []
        for value, run, inputs in ((1.0, "a", []), (1.0, "much/longer/name/of/a/run", notes), (2.0, "c", [])):
            butler.collections.register(run)
            picture = Image(np.full((50, 40), value, dtype=np.float32), bbox=Box.factory[0:50, 0:40])
            provenance = DatasetProvenance(inputs=[ref.to_simple() for ref in inputs])
            data_id = {"instrument": NAME, "detector": 0}
            refs.append(butler.put(picture, "picture", data_id, run=run, provenance=provenance))
        digests = content_digests(butler, [str(ref.id) for ref in refs])
        first, second, third = (digests[str(ref.id), ""] for ref in refs)
        contents = [butler.getURI(ref).read() for ref in refs]
    assert contents[0] != contents[1]
    assert first == second
    assert first != third


def test_two_tables_with_other_provenance_say_the_same(fork: Callable[[], Path]) -> None:
    with Butler.from_config(str(fork()), writeable=True) as butler:
        digests = {}
        for run, flux, unit in (("a", 1.5, "nJy"), ("b", 1.5, "nJy"), ("c", 2.5, "nJy"), ("d", 1.5, "mJy")):
            butler.collections.register(run)
            table = Table({"flux": [flux, 2.0]}, units={"flux": unit})
            data_id = {"instrument": NAME, "visit": 101, "detector": 0}
            ref = butler.put(table, "src", data_id, run=run, provenance=DatasetProvenance())
            digests[run] = content_digests(butler, [str(ref.id)])[str(ref.id), ""]
    assert digests["a"] == digests["b"]
    assert len({digests[run] for run in "acd"}) == 3


def changed_header(path: Path) -> None:
    fits.setval(path, "TARGET", value="other")


def changed_pixel(path: Path) -> None:
    with fits.open(path, mode="update") as hdus:
        hdus[1].data[3, 4] += 1


def changed_name(path: Path) -> None:
    fits.setval(path, "EXTNAME", value="OTHER", ext=1)


def changed_date(path: Path) -> None:
    fits.setval(path, "DATE", value="1999-12-31T00:00:00")


@pytest.mark.parametrize(
    ("change", "same"), [(changed_header, False), (changed_pixel, False), (changed_name, False), (changed_date, True)]
)
def test_any_fits_file_is_read(change: Callable[[Path], None], same: bool, tmp_path: Path) -> None:
    path = tmp_path / "image.fits"
    primary = fits.PrimaryHDU()
    primary.header["TARGET"] = "field"
    primary.header["DATE"] = "2024-01-01T00:00:00"
    fits.HDUList([primary, fits.ImageHDU(np.zeros((10, 10), dtype=np.int16), name="DATA")]).writeto(path)
    before = content_digest(path)
    change(path)
    assert (content_digest(path) == before) is same


def test_parquet_columns_and_their_order_count(tmp_path: Path) -> None:
    one, other = pa.table({"a": [1, 2], "b": [3, 4]}), pa.table({"b": [3, 4], "a": [1, 2]})
    pq.write_table(one, tmp_path / "one.parq")
    pq.write_table(one, tmp_path / "again.parq", compression="zstd", row_group_size=1)
    pq.write_table(other, tmp_path / "other.parq")
    digests = [content_digest(tmp_path / f"{name}.parq") for name in ("one", "again", "other")]
    assert digests[0] == digests[1] != digests[2]


def test_json_is_compared_without_layout(tmp_path: Path) -> None:
    tree = {"a": [1, {"butler_info": {"id": 1}, "b": 2}]}
    (tmp_path / "one.json").write_text(json.dumps(tree))
    tree["a"][1]["butler_info"] = {"id": 2}  # type: ignore[index]
    (tmp_path / "again.json").write_text(json.dumps(tree, indent=2))
    tree["a"][1]["b"] = 3  # type: ignore[index]
    (tmp_path / "other.json").write_text(json.dumps(tree))
    digests = [content_digest(tmp_path / f"{name}.json") for name in ("one", "again", "other")]
    assert digests[0] == digests[1] != digests[2]


def test_of_other_files_the_bytes_count(tmp_path: Path) -> None:
    for name, content in (("one.txt", b"a b"), ("again.txt", b"a b"), ("other.txt", b"a  b"), ("broken.json", b"{")):
        (tmp_path / name).write_bytes(content)
    digests = {p.name: content_digest(p) for p in tmp_path.iterdir()}
    assert digests["one.txt"] == digests["again.txt"] != digests["other.txt"]
    assert len(set(digests.values())) == 3
