"""Wavefront sensors are paired by their places, and what is no pair is named."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.instrument.camera import Camera
from harness.instrument.optics import FocalRole
from harness.wavefront.corners import CornerPair, corner_pairs, corner_problems, partners


def test_the_extra_focal_sensor_may_have_the_larger_id(toy_camera: Camera) -> None:
    assert corner_pairs(toy_camera) == (CornerPair("T", extra=8, intra=7),)
    assert partners(toy_camera) == {7: 8, 8: 7}
    assert list(corner_problems(toy_camera)) == []


@given(st.permutations([3, 7, 8]))
def test_ids_do_not_matter(toy_camera: Camera, ids: list[int]) -> None:
    new = dict(zip((3, 7, 8), ids, strict=True))
    camera = toy_camera.model_copy(
        update={"detectors": tuple(d.model_copy(update={"id": new[d.id]}) for d in toy_camera.detectors)}
    )
    assert corner_pairs(camera) == (CornerPair("T", extra=new[8], intra=new[7]),)


def test_sensors_that_are_no_pair_are_named(toy_camera: Camera) -> None:
    def changed(**update: object) -> Camera:
        detectors = tuple(d.model_copy(update=update) if d.id == 7 else d for d in toy_camera.detectors)
        return toy_camera.model_copy(update={"detectors": detectors})

    same_side = changed(z_mm=-1.2)
    assert corner_pairs(same_side) == ()
    (problem,) = corner_problems(same_side)
    assert "raft T" in problem
    assert "T_7 at -1.2 mm" in problem
    alone = changed(raft="U")
    assert len(list(corner_problems(alone))) == 2
    assert partners(alone) == {}


def test_the_focus_moves_both_sides(toy_camera: Camera) -> None:
    optics = toy_camera.optics
    assert optics is not None
    science, intra, extra = toy_camera.detectors
    assert optics.role(optics.defocus(science, 0.0)) is FocalRole.FOCUS
    assert optics.role(optics.defocus(extra, 0.0)) is FocalRole.EXTRA
    assert optics.role(optics.defocus(intra, 0.0)) is FocalRole.INTRA
    # Here the smaller focus is extra-focal.
    assert optics.role(optics.defocus(science, -1.2)) is FocalRole.EXTRA
    assert optics.role(optics.defocus(science, 1.2)) is FocalRole.INTRA
    assert optics.defocus(intra, -1.2) == 0.0


def test_lsstcam_has_its_four_pairs(processed, lsstcam_facts) -> None:
    """Ids of the facts: intra is extra + 1, SW0 is extra-focal at -1.5 mm."""
    by_id = {d["id"]: d for d in lsstcam_facts["detectors"]}
    found = corner_pairs(processed.kit.camera)
    assert [(p.raft, p.extra, p.intra) for p in found] == [
        ("R00", 191, 192),
        ("R04", 195, 196),
        ("R40", 199, 200),
        ("R44", 203, 204),
    ]
    for pair in found:
        assert by_id[pair.extra]["name"] == f"{pair.raft}_SW0"
        assert by_id[pair.extra]["off"][2] == -1.5
        assert by_id[pair.intra]["off"][2] == 1.5
