"""Matching detected stars to a reference catalogue, and the corrections that follow from it."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

__all__ = ["AstrometryFit", "MatchError", "clipped_mean", "fit_astrometry", "mutual_nearest"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


class MatchError(Exception):
    """Stars and reference catalogue could not be brought together.

    Parameters
    ----------
    reason : `str`
        Why.
    n_stars, n_reference, n_matched : `int`
        How many there were.
    """

    def __init__(self, reason: str, n_stars: int, n_reference: int, n_matched: int = 0) -> None:
        super().__init__(f"{reason}: {n_stars} stars, {n_reference} reference sources, {n_matched} matched")
        self.n_stars, self.n_reference, self.n_matched = n_stars, n_reference, n_matched


@dataclasses.dataclass(frozen=True)
class AstrometryFit:
    """Where the reference catalogue says that pixels are.

    Parameters
    ----------
    matrix : `numpy.ndarray`
        Augmented affine matrix (3, 3): from pixels as measured to pixels as the first guess of the sky
        projection would have them.
    stars, reference : `numpy.ndarray`
        Indices of the matches that were used.
    residual : `numpy.ndarray`
        Their distances after the fit (pixels).
    """

    matrix: Floats
    stars: Ints
    reference: Ints
    residual: Floats


def mutual_nearest(xy: Floats, reference: Floats, radius: float) -> tuple[Ints, Ints]:
    """Match points that are each other's nearest neighbours.

    Parameters
    ----------
    xy, reference : `numpy.ndarray`
        Points, shapes (n, 2) and (m, 2).
    radius : `float`
        Largest distance.

    Returns
    -------
    i, j : `numpy.ndarray`
        Indices of the matches into the first and the second set, in order of the first.
    """
    if not len(xy) or not len(reference):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    distance, there = cKDTree(reference).query(xy, distance_upper_bound=radius)
    _, back = cKDTree(xy).query(reference, distance_upper_bound=radius)
    found = np.isfinite(distance)
    index = np.flatnonzero(found)
    mutual = back[there[index]] == index
    return index[mutual].astype(np.int64), there[index][mutual].astype(np.int64)


def fit_astrometry(
    xy: Floats, reference: Floats, *, max_offset: float, radius: float, min_matches: int = 5
) -> AstrometryFit:
    """Find the affine map from measured to expected pixels.

    First the shift that most pairs agree on, then matches within a radius of it, then a fit that drops those
    that do not fit.

    Parameters
    ----------
    xy : `numpy.ndarray`
        Measured positions of stars, shape (n, 2).
    reference : `numpy.ndarray`
        Positions that the first guess gives to the reference sources, shape (m, 2).
    max_offset : `float`
        Largest shift (pixels) between the two.
    radius : `float`
        Largest distance of a match from the shift (pixels).
    min_matches : `int`, optional
        Matches without which the fit is refused.

    Raises
    ------
    MatchError
        If there are too few matches, or no shift stands out from chance.
    """
    n, m = len(xy), len(reference)
    if min(n, m) < min_matches:
        raise MatchError("too few stars to match", n, m)
    shift = _vote(xy, reference, max_offset, radius)
    i, j = mutual_nearest(xy + shift, reference, radius)
    matrix = np.eye(3)
    matrix[:2, 2] = shift
    for _ in range(5):
        if len(i) < min_matches:
            raise MatchError("too few matches", n, m, len(i))
        matrix = _affine(xy[i], reference[j])
        moved = xy @ matrix[:2, :2].T + matrix[:2, 2]
        residual = np.hypot(*(moved[i] - reference[j]).T)
        # The Rayleigh distribution's median is 1.18 sigma; 4 sigma leaves 3e-4 of good matches out.
        limit = max(4 * float(np.median(residual)) / 1.1774, 0.02)
        i2, j2 = mutual_nearest(moved, reference, min(limit, radius))
        if len(i2) == len(i) and (i2 == i).all() and (j2 == j).all():
            break
        i, j = i2, j2
    if len(i) < min_matches:
        raise MatchError("too few matches after clipping", n, m, len(i))
    matrix = _affine(xy[i], reference[j])
    moved = xy[i] @ matrix[:2, :2].T + matrix[:2, 2]
    return AstrometryFit(matrix, i, j, np.hypot(*(moved - reference[j]).T))


def clipped_mean(value: Floats, error: Floats, *, floor: float, clip: float = 3.0) -> tuple[float, float, Mask]:
    """Average values with their errors as weights, leaving out those that do not agree.

    What agrees is judged by each value's own error around the weighted median: a bright star with a neighbour is
    an outlier by its own error long before it is one among faint stars.

    Parameters
    ----------
    value, error : `numpy.ndarray`
        Values and standard errors, shape (n,), n > 0.
    floor : `float`
        Error that is added to all in quadrature: what the errors do not know of.
    clip : `float`, optional
        Errors from the weighted median beyond which a value is left out.

    Returns
    -------
    mean, mean_error : `float`
        The mean and its standard error.
    used : `numpy.ndarray`
        Which values were used.
    """
    error = np.hypot(error, floor)
    order = np.argsort(value, kind="stable")
    cumulative = np.cumsum(1 / error[order])
    middle = float(value[order][np.searchsorted(cumulative, cumulative[-1] / 2)])
    used = np.abs(value - middle) <= clip * error
    if not used.any():
        return middle, float(error.min()), used
    weight = 1 / error[used] ** 2
    return float(np.sum(weight * value[used]) / weight.sum()), float(weight.sum() ** -0.5), used


def _vote(xy: Floats, reference: Floats, max_offset: float, bin_size: float) -> Floats:
    """Return the shift that most pairs agree on.

    Raises
    ------
    MatchError
        If it has no more votes than chance gives to some shift.
    """
    pairs = cKDTree(xy).query_ball_point(reference, max_offset * np.sqrt(2))
    counts = np.array([len(p) for p in pairs])
    if not counts.sum():
        raise MatchError("no reference source near any star", len(xy), len(reference))
    flat = np.concatenate([np.asarray(p, np.int64) for p in pairs if p])
    delta = np.repeat(reference, counts, axis=0) - xy[flat]
    half = int(np.ceil(max_offset / bin_size))
    edges = (np.arange(2 * half + 2) - half - 0.5) * bin_size
    votes = np.histogram2d(delta[:, 0], delta[:, 1], bins=(edges, edges))[0]
    # Sums over 2 x 2 bins: a peak on an edge between bins keeps its votes.
    sums = votes[:-1, :-1] + votes[1:, :-1] + votes[:-1, 1:] + votes[1:, 1:]
    best = np.unravel_index(int(np.argmax(sums)), sums.shape)
    expected = max(float(np.median(sums)), float(np.mean(sums)))
    if sums[best] < expected + 5 * np.sqrt(expected) + 3:
        raise MatchError("no shift stands out", len(xy), len(reference), int(sums[best]))
    centre = np.array([edges[best[0] + 1], edges[best[1] + 1]])
    near = np.all(np.abs(delta - centre) <= bin_size, axis=1)
    return np.asarray(np.median(delta[near], axis=0), np.float64)


def _affine(source: Floats, target: Floats) -> Floats:
    """Least-squares affine matrix (3, 3); only a shift if there are fewer than 10 points."""
    matrix = np.eye(3)
    if len(source) < 10:
        matrix[:2, 2] = np.mean(target - source, axis=0)
        return matrix
    centre = source.mean(axis=0)
    basis = np.column_stack([source - centre, np.ones(len(source))])
    solution = np.linalg.lstsq(basis, target, rcond=None)[0].T
    matrix[:2, :2] = solution[:, :2]
    matrix[:2, 2] = solution[:, 2] - solution[:, :2] @ centre
    return matrix
