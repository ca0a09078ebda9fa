"""What checks of many rows share must not overlook what each of them would have found by itself."""

from __future__ import annotations

import base64
import gc
import uuid

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from lsst.sphgeom import Circle, ConvexPolygon, Region, UnitVector3d

from harness.checks.regions import polygons, vertices
from harness.checks.survey import Datasets, _digits, _judge, _tidy
from harness.repository import RARE, rare_garbage_collection

NOW = 1_750_000_000 * 10**9


@given(st.lists(st.text("a \t\n\r.é", max_size=3), max_size=4))
def test_texts_are_tidy_together_if_each_is(values: list[str]) -> None:
    each = (v and v == v.strip(" ") and not set("\t\n\r") & set(v) for v in values)
    assert _tidy(values) == all(each)


def test_other_types_are_not_tidy() -> None:
    assert not _tidy(["a", None])
    assert not _tidy([b"a"])


def judged(identifier: str, date: int) -> tuple[bool, bool]:
    out = Datasets()
    digits = _digits([uuid.uuid4().hex, identifier])
    assert digits is not None
    _judge(out, digits, (NOW, date), NOW)
    return out.made, out.timely


def test_one_odd_id_or_date_among_others_is_noticed() -> None:
    made = f"{NOW // 10**6:012x}7000" + "8" + "0" * 15
    assert judged(made, NOW) == (True, True)
    assert judged(made, NOW - 2 * 3600 * 10**9) == (True, False)
    assert judged(made, NOW + 2 * 3600 * 10**9) == (True, False)
    assert judged("f" * 12 + made[12:], NOW) == (True, False)
    assert judged(made[:12] + "3" + made[13:], NOW)[0] is False
    assert judged(made[:16] + "c" + made[17:], NOW)[0] is False
    for bad in (made[:-1], made[:-1] + "g", made[:-1] + "F", made[:-1] + "é", None):
        assert _digits([made, bad]) is None


def stored(region: Region) -> str:
    return base64.b64encode(region.encode()).decode()


def test_stored_polygons_are_read_as_sphgeom_reads_them() -> None:
    corners = [UnitVector3d(1, 0, 0), UnitVector3d(0, 1, 0), UnitVector3d(0, 0, 1), UnitVector3d(1, -1, 1)]
    three, four = ConvexPolygon.convexHull(corners[:3]), ConvexPolygon.convexHull(corners)
    texts = [stored(three), None, stored(four), stored(Circle(corners[0])), "?", stored(three)[:-4], stored(three)]
    read = {i: p for indices, places in polygons(texts) for i, p in zip(indices, places, strict=True)}
    assert sorted(read) == [0, 2, 6]
    for i, polygon in ((0, three), (2, four), (6, three)):
        assert np.array_equal(read[i], vertices(polygon))


def test_garbage_is_looked_for_rarely() -> None:
    before = gc.get_threshold()
    frozen = gc.get_freeze_count()
    with rare_garbage_collection():
        assert gc.get_threshold() == RARE
        inside = gc.get_freeze_count()
        assert inside > frozen
        with rare_garbage_collection():
            assert gc.get_freeze_count() <= inside
        assert gc.get_threshold() == RARE, "the inner block has left all to the outer one"
    assert gc.get_threshold() == before
