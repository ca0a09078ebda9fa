"""Resampling keeps fluxes and tells the truth about noise."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.drp.resample import noise_factor, resample
from harness.simulate.profiles import render

SHAPE = (120, 100)


def turned(angle: float, scale: float, dx: float, dy: float):
    """A mapping and the edge of the source on the target grid."""
    c, s = np.cos(angle), np.sin(angle)

    def forward(x, y):
        return scale * (c * x - s * y) + dx, scale * (s * x + c * y) + dy

    def back(x, y):
        u, v = (x - dx) / scale, (y - dy) / scale
        return c * u + s * v, -s * u + c * v

    along_x, along_y = np.linspace(-0.5, SHAPE[1] - 0.5, 9), np.linspace(-0.5, SHAPE[0] - 0.5, 9)
    x = np.concatenate([along_x, along_x, np.full(9, -0.5), np.full(9, SHAPE[1] - 0.5)])
    y = np.concatenate([np.full(9, -0.5), np.full(9, SHAPE[0] - 0.5), along_y, along_y])
    return forward, back(x, y)


def go(image, variance, mapping, corners, masks=None, target=(160, 160)):
    masks = np.zeros((1, *SHAPE), bool) if masks is None else masks
    return resample(image.astype(np.float32), variance.astype(np.float32), masks, mapping, target, corners)


@given(st.floats(-0.4, 0.4), st.floats(0.97, 1.03), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
@settings(max_examples=20, deadline=None)
def test_the_flux_of_a_star_is_kept(angle: float, scale: float, dx: float, dy: float) -> None:
    image = render(SHAPE, np.array([50.3]), np.array([60.7]), np.array([1000.0]), None, 2.2)
    # So that the star stays within the target.
    mapping, corners = turned(angle, scale, 10 + dx + 40 * np.sin(angle), dy - 40 * np.sin(angle))
    out = go(image, np.ones(SHAPE), mapping, corners)
    assert abs(out.image.sum() - 1000) < 1


def test_the_variance_is_that_of_the_pixels() -> None:
    rng = np.random.default_rng(2)
    mapping, corners = turned(0.3, 1.02, 25.0, -20.0)
    noise = np.stack([go(rng.normal(0, 3, SHAPE), np.full(SHAPE, 9.0), mapping, corners).image for _ in range(40)])
    out = go(np.zeros(SHAPE), np.full(SHAPE, 9.0), mapping, corners)
    ratio = noise.var(axis=0, ddof=1)[out.valid] / out.variance[out.valid]
    assert abs(ratio.mean() - 1) < 0.02
    assert 0.7 < out.variance[out.valid].mean() / (9 * 1.02**4) < 0.9  # interpolation smooths: E² of 0.89²


def test_the_identity_changes_nothing() -> None:
    rng = np.random.default_rng(4)
    image = rng.normal(size=SHAPE)
    mapping, corners = turned(0.0, 1.0, 0.0, 0.0)
    out = go(image, np.full(SHAPE, 2.0), mapping, corners, target=SHAPE)
    assert out.valid.all()
    np.testing.assert_allclose(out.image[out.valid].reshape(SHAPE), image, atol=2e-5)
    np.testing.assert_allclose(out.variance[out.valid], 2.0, rtol=1e-5)


def test_an_image_beside_the_target_gives_nothing() -> None:
    mapping, corners = turned(0.0, 1.0, -5000.0, 0.0)
    assert go(np.ones(SHAPE), np.ones(SHAPE), mapping, corners) is None


def test_masks_spread_to_every_pixel_that_a_marked_one_touches() -> None:
    masks = np.zeros((2, *SHAPE), bool)
    masks[1, 60, 50] = True
    mapping, corners = turned(0.0, 1.0, 0.5, 0.5)
    out = go(np.zeros(SHAPE), np.ones(SHAPE), mapping, corners, masks)
    assert not out.masks[0].any()
    assert sorted(zip(*(i.tolist() for i in np.nonzero(out.masks[1])), strict=True)) == [
        (59, 49), (59, 50), (60, 49), (60, 50)
    ]  # fmt: skip


def test_noise_is_least_between_pixels() -> None:
    at = noise_factor(np.array([0.0, 0.25, 0.5, 0.75, 1.0, 17.5, -0.5]))
    np.testing.assert_allclose(at[[0, 4]], 1.0, rtol=1e-6)
    assert at[2] < at[1] < 1
    np.testing.assert_allclose(at[[2, 2]], at[[5, 6]])
