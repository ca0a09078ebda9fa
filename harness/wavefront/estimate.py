"""The wavefront from a pair of donuts: a least-squares fit of both images with one set of Zernike coefficients."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from ..instrument.zernikes import NOLL
from .model import DonutModel

__all__ = ["Estimate", "Stamp", "combine", "fit"]

Floats = NDArray[np.float64]

UNIT = 100.0
"""Nanometres in one step of the fit's parameters: some change of all of them matters about the same."""

MODEL_ERROR = 0.02
"""Error of the model of a donut, relative to its brightness: pixels of the edges are that uncertain."""

SOFT = 4.0
"""Residual (standard deviations) from which pixels count less: neighbours and cosmic rays are no part of a donut."""


@dataclasses.dataclass(frozen=True)
class Stamp:
    """The image of one donut.

    Parameters
    ----------
    image, variance : `numpy.ndarray`
        Electrons and their variance, odd and square, the donut in the middle.
    good : `numpy.ndarray`
        Which pixels to use.
    model : `~harness.wavefront.model.DonutModel`
        What makes images like it.
    fwhm : `float`
        First guess of the seeing (pixels).
    """

    image: Floats
    variance: Floats
    good: NDArray[np.bool_]
    model: DonutModel
    fwhm: float

    @cached_property
    def weight(self) -> Floats:
        """One over the standard deviation of each usable pixel, the error of the model included."""
        level = max(float(np.percentile(self.image[self.good], 90) - np.percentile(self.image[self.good], 10)), 0.0)
        weight: Floats = 1 / np.sqrt(self.variance[self.good] + (MODEL_ERROR * level) ** 2)
        return weight


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A wavefront, and how well the images agree with it.

    Parameters
    ----------
    coefficients, errors : `dict` [`int`, `float`]
        Zernike coefficients and their standard errors from photon noise alone (nm, by Noll index).
    misfit : `float`
        Root mean square residual over the mean brightness of the donuts, weighted like the fit.
    flux : `tuple` [`float`, …]
        Electrons of each donut.
    """

    coefficients: Mapping[int, float]
    errors: Mapping[int, float]
    misfit: float
    flux: tuple[float, ...]


def fit(stamps: Sequence[Stamp], terms: Sequence[int] = NOLL) -> Estimate:
    """Fit donuts that share a wavefront.

    Parameters
    ----------
    stamps : `~collections.abc.Sequence` [`Stamp`]
        The donuts, as a rule one of each side of the focus: what one hides, the other shows.
    terms : `~collections.abc.Sequence` [`int`], optional
        Noll indices.

    Returns
    -------
    estimate : `Estimate`
        Fluxes, backgrounds, positions and the seeing are fitted as well.

    Raises
    ------
    ValueError
        If a donut has too few usable pixels.
    """
    for stamp in stamps:
        if stamp.good.sum() < 4 * (len(terms) + 5):
            raise ValueError(f"only {int(stamp.good.sum())} pixels of a donut are usable")
    problem = _Problem(tuple(stamps), tuple(terms))
    solution = optimize.least_squares(
        problem.residuals,
        problem.start,
        jac=problem.jacobian,
        loss="soft_l1",
        f_scale=SOFT,
        # How far the first step may go: wavefronts of a micrometre, positions of a pixel.
        x_scale=np.array([10.0] * len(terms) + [1.0, 1.0, 0.5] * len(stamps)),
        max_nfev=12,
        ftol=1e-3,
        xtol=1e-3,
    )
    inverse = np.linalg.pinv(solution.jac.T @ solution.jac)
    error = UNIT * np.sqrt(np.diag(inverse)[: len(terms)])
    fluxes, misfits = zip(*(problem.quality(solution.x, k) for k in range(len(stamps))), strict=True)
    return Estimate(
        {j: float(UNIT * v) for j, v in zip(terms, solution.x, strict=False)},
        {j: float(v) for j, v in zip(terms, error, strict=True)},
        float(np.max(misfits)),
        tuple(fluxes),
    )


@dataclasses.dataclass(frozen=True)
class _Problem:
    """Parameters: Zernike terms, then position and logarithm of the seeing of each donut."""

    stamps: tuple[Stamp, ...]
    terms: tuple[int, ...]

    @property
    def start(self) -> Floats:
        own = [v for s in self.stamps for v in (0.0, 0.0, np.log(s.fwhm))]
        return np.array([0.0] * len(self.terms) + own)

    def _own(self, k: int) -> slice:
        return slice(len(self.terms) + 3 * k, len(self.terms) + 3 * k + 3)

    def _image(self, k: int, shared: Floats, own: Floats) -> Floats:
        fwhm = float(np.exp(np.clip(own[2], -3.0, 3.0)))
        return self.stamps[k].model.image(
            dict(zip(self.terms, UNIT * shared, strict=True)), float(own[0]), float(own[1]), fwhm
        )

    def _scaled(self, k: int, image: Floats) -> tuple[Floats, float]:
        """Give an image the flux and the background that suit best; return the residuals and the flux."""
        stamp = self.stamps[k]
        design = np.stack([image[stamp.good] * stamp.weight, stamp.weight], axis=1)
        data = stamp.image[stamp.good] * stamp.weight
        best = np.linalg.lstsq(design, data, rcond=None)[0]
        return data - design @ best, float(best[0])

    def _part(self, k: int, shared: Floats, own: Floats) -> Floats:
        return self._scaled(k, self._image(k, shared, own))[0]

    def residuals(self, p: Floats) -> Floats:
        n = len(self.terms)
        return np.concatenate([self._part(k, p[:n], p[self._own(k)]) for k in range(len(self.stamps))])

    def jacobian(self, p: Floats) -> Floats:
        """Differences; a donut's own parameters move no other donut."""
        n = len(self.terms)
        rows = []
        for k in range(len(self.stamps)):
            shared, own = p[:n], p[self._own(k)]
            base = self._part(k, shared, own)
            block = np.zeros((len(base), len(p)))
            for i in range(n):
                block[:, i] = (self._part(k, shared + 0.5 * (np.arange(n) == i), own) - base) / 0.5
            for i, step in enumerate((0.05, 0.05, 0.05)):
                moved = self._part(k, shared, own + step * (np.arange(3) == i))
                block[:, self._own(k).start + i] = (moved - base) / step
            rows.append(block)
        return np.concatenate(rows)

    def quality(self, p: Floats, k: int) -> tuple[float, float]:
        """Return flux and relative misfit of a donut."""
        stamp = self.stamps[k]
        image = self._image(k, p[: len(self.terms)], p[self._own(k)])
        residual, flux = self._scaled(k, image)
        signal = max(abs(flux), 1e-30) * image[stamp.good] * stamp.weight
        return flux, float(np.sqrt(np.mean(residual**2) / max(np.mean(signal**2), 1e-30)))


def combine(estimates: Sequence[Estimate], clip: float = 3.0) -> tuple[Mapping[int, float], NDArray[np.bool_]]:
    """Average the estimates of some pairs of donuts without those that stand apart.

    Parameters
    ----------
    estimates : `~collections.abc.Sequence` [`Estimate`]
        At least one.
    clip : `float`, optional
        How many times the median a pair's misfit, or its distance from the median of all terms, may be; at least half
        of the pairs stay, those nearest to the median.

    Returns
    -------
    coefficients : `dict` [`int`, `float`]
        Means (nm, by Noll index).
    used : `numpy.ndarray`
        Which pairs entered them.
    """
    terms = list(estimates[0].coefficients)
    values = np.array([[e.coefficients[j] for j in terms] for e in estimates])
    distance = np.sqrt(np.mean((values - np.median(values, axis=0)) ** 2, axis=1))
    order = np.argsort(distance, kind="stable")
    misfit = np.array([e.misfit for e in estimates])
    used = (distance <= clip * np.median(distance)) & (misfit <= clip * np.median(misfit))
    if used.sum() < (len(order) + 1) // 2:
        used[order[: (len(order) + 1) // 2]] = True
    return dict(zip(terms, (float(v) for v in values[used].mean(axis=0)), strict=True)), used
