"""Annular Zernike polynomials in Noll's order: orthonormal over the pupil, r.m.s. 1.

Positions on the pupil are in units of its radius, along the axes of the focal plane. Without an obscuration the
polynomials are the circular ones of Noll (1976): even j go with cos mθ, odd j with sin mθ.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["NOLL", "Wavefront", "noll", "terms"]

Floats = NDArray[np.float64]

NOLL = (4, 5, 6, 7, 8, 9, 10, 11)
"""The terms that are simulated and estimated: defocus, astigmatism, coma, trefoil, spherical aberration."""


@lru_cache(maxsize=64)
def noll(j: int) -> tuple[int, int]:
    """Return radial order n and azimuthal order m of term j; m < 0 for sin |m|θ.

    Raises
    ------
    ValueError
        If ``j`` is less than 1.
    """
    if j < 1:
        raise ValueError(f"Zernike terms count from 1, not from {j}")
    n = 0
    rest = j - 1
    while rest > n:
        n += 1
        rest -= n
    m = n % 2 + 2 * ((rest + (n + 1) % 2) // 2)
    return n, m if j % 2 == 0 else -m


@lru_cache(maxsize=64)
def terms(j: int, obscuration: float = 0.0) -> Floats:
    """Return a term as a polynomial in x and y.

    Parameters
    ----------
    j : `int`
        Noll index.
    obscuration : `float`, optional
        Inner radius of the pupil.

    Returns
    -------
    coefficients : `numpy.ndarray`
        Element [p, q] multiplies x^p y^q; shape (n + 1, n + 1).
    """
    n, m = noll(j)
    order = abs(m)
    radial = _radial(order, (n - order) // 2, obscuration)
    out = np.zeros((n + 1, n + 1))
    for power, factor in enumerate(radial):
        product = _azimuthal(m)
        for _ in range(power):
            product = _times_r2(product)
        out[: product.shape[0], : product.shape[1]] += factor * product
    out.flags.writeable = False
    return out


def _radial(m: int, index: int, obscuration: float) -> Floats:
    """Orthogonalize 1, t, t² … (t = r²) with the weight t^m over the annulus; return the polynomial of that index."""
    inner = obscuration**2

    def product(a: Floats, b: Floats) -> float:
        integrand = np.polynomial.Polynomial(np.convolve(np.convolve(a, b), np.eye(m + 1)[m])).integ()
        mean = (integrand(1.0) - integrand(inner)) / (1 - inner)
        return float(mean if m == 0 else mean / 2)

    basis: list[Floats] = []
    for k in range(index + 1):
        p = np.eye(index + 1)[k]
        for _ in range(2):  # twice, for the sake of rounding
            for other in basis:
                p = p - product(p, other) * other
        basis.append(p / np.sqrt(product(p, p)))
    return basis[-1]


def _azimuthal(m: int) -> Floats:
    """Return r^|m| cos mθ, or r^|m| sin |m|θ for a negative m, as a polynomial in x and y."""
    real, imaginary = np.ones((1, 1)), np.zeros((1, 1))
    for _ in range(abs(m)):
        real, imaginary = (
            np.pad(real, ((1, 0), (0, 1))) - np.pad(imaginary, ((0, 1), (1, 0))),
            np.pad(real, ((0, 1), (1, 0))) + np.pad(imaginary, ((1, 0), (0, 1))),
        )
    return imaginary if m < 0 else real


def _times_r2(p: Floats) -> Floats:
    out = np.zeros((p.shape[0] + 2, p.shape[1] + 2))
    out[2:, :-2] += p
    out[:-2, 2:] += p
    return out


class Wavefront:
    """A wavefront as a sum of Zernike terms.

    Parameters
    ----------
    coefficients : `~collections.abc.Mapping` [`int`, `float`]
        By Noll index, in any unit of length.
    obscuration : `float`
        Inner radius of the pupil.
    """

    def __init__(self, coefficients: Mapping[int, float], obscuration: float) -> None:
        size = 1 + max((noll(j)[0] for j in coefficients), default=0)
        total = np.zeros((size, size))
        for j, value in coefficients.items():
            term = terms(j, obscuration)
            total[: term.shape[0], : term.shape[1]] += value * term
        self._w = total
        derive = np.polynomial.polynomial.polyder
        self._x, self._y = derive(total, axis=0), derive(total, axis=1)
        self._xx, self._xy, self._yy = derive(self._x, axis=0), derive(self._x, axis=1), derive(self._y, axis=1)

    def value(self, x: Floats, y: Floats) -> Floats:
        """Return the wavefront at positions on the pupil."""
        return _evaluate(x, y, self._w)

    def gradient(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return its derivatives to x and y."""
        return _evaluate(x, y, self._x), _evaluate(x, y, self._y)

    def curvature(self, x: Floats, y: Floats) -> tuple[Floats, Floats, Floats]:
        """Return its second derivatives: xx, xy, yy."""
        return _evaluate(x, y, self._xx), _evaluate(x, y, self._xy), _evaluate(x, y, self._yy)


def _evaluate(x: Floats, y: Floats, coefficients: NDArray[Any]) -> Floats:
    out: Floats = np.polynomial.polynomial.polyval2d(x, y, coefficients)
    return out
