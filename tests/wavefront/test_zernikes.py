"""The polynomials are those of Noll and Mahajan: order, signs, orthonormality, derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.instrument.zernikes import Wavefront, noll, terms


def test_order_is_that_of_noll() -> None:
    expected = [(0, 0), (1, 1), (1, -1), (2, 0), (2, -2), (2, 2), (3, -1), (3, 1), (3, -3), (3, 3), (4, 0)]
    assert [noll(j) for j in range(1, 12)] == expected
    with pytest.raises(ValueError, match="count from 1"):
        noll(0)


@given(st.integers(1, 60))
def test_even_terms_go_with_the_cosine(j: int) -> None:
    n, m = noll(j)
    assert abs(m) <= n
    assert (n - abs(m)) % 2 == 0
    assert m == 0 or (m > 0) == (j % 2 == 0)
    # Term j is the j-th: all terms of lower radial orders come before it.
    assert n * (n + 1) // 2 < j <= (n + 1) * (n + 2) // 2


@pytest.mark.parametrize("obscuration", [0.0, 0.3525, 0.612])
def test_orthonormal_over_the_pupil(obscuration: float) -> None:
    nodes, weights = np.polynomial.legendre.leggauss(20)
    t = (nodes + 1) / 2 * (1 - obscuration**2) + obscuration**2  # evenly weighted in r²
    angle = np.arange(32) / 32 * 2 * np.pi
    r = np.sqrt(t)[:, None]
    values = np.stack(
        [Wavefront({j: 1.0}, obscuration).value(r * np.cos(angle), r * np.sin(angle)) for j in range(1, 16)]
    )
    gram = np.einsum("iab,jab,a->ij", values, values, weights / 2) / len(angle)
    assert np.allclose(gram, np.eye(15), atol=1e-10)


def test_without_obscuration_they_are_the_textbook_ones() -> None:
    x, y = np.array([0.3, -0.5]), np.array([0.6, 0.1])
    r2 = x**2 + y**2
    known = {
        4: np.sqrt(3) * (2 * r2 - 1),
        5: np.sqrt(6) * 2 * x * y,
        6: np.sqrt(6) * (x**2 - y**2),
        7: np.sqrt(8) * (3 * r2 - 2) * y,
        8: np.sqrt(8) * (3 * r2 - 2) * x,
        9: np.sqrt(8) * (3 * x**2 * y - y**3),
        10: np.sqrt(8) * (x**3 - 3 * x * y**2),
        11: np.sqrt(5) * (6 * r2**2 - 6 * r2 + 1),
    }
    for j, value in known.items():
        assert np.allclose(Wavefront({j: 1.0}, 0.0).value(x, y), value), j
    assert not terms(4).flags.writeable  # it is shared


@given(
    st.dictionaries(st.integers(2, 15), st.floats(-3, 3), min_size=1, max_size=5),
    st.floats(-0.9, 0.9),
    st.floats(-0.9, 0.9),
    st.sampled_from([0.0, 0.4]),
)
def test_derivatives(coefficients: dict[int, float], x: float, y: float, obscuration: float) -> None:
    wave = Wavefront(coefficients, obscuration)
    h = 1e-5

    def at(dx: float, dy: float) -> float:
        return float(wave.value(np.array(x + dx), np.array(y + dy)))

    wx, wy = wave.gradient(np.array(x), np.array(y))
    assert float(wx) == pytest.approx((at(h, 0) - at(-h, 0)) / (2 * h), abs=1e-4)
    assert float(wy) == pytest.approx((at(0, h) - at(0, -h)) / (2 * h), abs=1e-4)
    xx, xy, yy = wave.curvature(np.array(x), np.array(y))
    gx = [float(wave.gradient(np.array(x + d), np.array(y))[0]) for d in (h, -h)]
    gy = [[float(v) for v in wave.gradient(np.array(x), np.array(y + d))] for d in (h, -h)]
    assert float(xx) == pytest.approx((gx[0] - gx[1]) / (2 * h), abs=1e-3)
    assert float(xy) == pytest.approx((gy[0][0] - gy[1][0]) / (2 * h), abs=1e-3)
    assert float(yy) == pytest.approx((gy[0][1] - gy[1][1]) / (2 * h), abs=1e-3)
