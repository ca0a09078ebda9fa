from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from harness.errors import HarnessError
from harness.instrument.assembly import amplifier_views, assemble
from harness.instrument.camera import Camera


@given(arrays(np.uint16, (8, 12), elements=st.integers(0, 65535)))
def test_what_is_written_through_the_views_is_assembled_again(camera: Camera, trimmed: np.ndarray) -> None:
    detector = camera[0]
    raw = np.zeros((9, 16), np.uint16)
    for view in amplifier_views(raw, detector):
        view.data[...] = trimmed[view.amplifier.bbox.slices]
        view.serial_overscan[...] = 7
    assert np.array_equal(assemble(raw, detector), trimmed)
    assert (raw[:8, 6:8] == 7).all()
    # The second amplifier is turned both ways: its first pixel is the last of its corner of the detector.
    assert raw[1, 8] == trimmed[7, 11]


def test_sections_are_views_turned_like_the_data(camera: Camera) -> None:
    raw = np.arange(9 * 16).reshape(9, 16)
    first, second = amplifier_views(raw, camera[0])
    assert first.parallel_overscan.shape == (1, 6)
    assert second.parallel_overscan.size == 0
    assert np.shares_memory(first.data, raw)
    assert first.serial_overscan[0, 0] == raw[0, 6]
    assert second.serial_overscan[0, 0] == raw[8, 15]


@pytest.mark.parametrize("shape", [(8, 16), (9, 15), (18, 32)])
def test_an_image_of_another_shape_is_refused(camera: Camera, shape: tuple[int, int]) -> None:
    with pytest.raises(HarnessError, match="another binning") as caught:
        assemble(np.zeros(shape), camera[0])
    assert caught.value.code == "raw-shape"
