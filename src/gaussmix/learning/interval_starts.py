"""Starts for two components of few rows in one column, where all ways to part them can be looked at.

Each component of two Gaussians of one variable is likelier than the other on an interval, or on all but
one; so hard groups are an interval and the rest, and of n rows there are n (n - 1) / 2 such partitions.
"""

import numpy as np

from gaussmix.kernels.contract import FloatArray
from gaussmix.model.covariances import CovarianceFamily
from gaussmix.model.mixture import Mixture

# Pseudo-points in each group, and their squared spread in units of that of all points.
PSEUDO, SPREAD = 2.0, 0.02
# Decimals of nats a row beyond which log-likelihoods differ by rounding.
DIGITS = 8
# Variances of two components that lie one inside the other, in units of that of all rows.
NESTED = ((0.3, 1.7), (0.05, 1.95))


def likeliest_intervals(points: FloatArray, weights: FloatArray, most: int) -> list[np.ndarray]:
    """Partitions into an interval and the rest that no shift of one or both ends by a point makes likelier.

    Parameters
    ----------
    points : (n,) array
        Different numbers of variance 1, at least two.
    weights : (n,) array
        Theirs, positive.
    most : int
        How many partitions are wanted at most.

    Returns
    -------
    list of (n,) arrays of int
        Labels, 1 for points in the interval and 0 for others. The likeliest first, as log-likelihoods of
        rows known to be a group's go (the classification likelihood; McLachlan and Peel 2000, section 2.21).
    """
    order = np.argsort(points, kind="stable")
    likelihood = _log_likelihoods(points[order], weights[order])
    # An end at the last point is one at the first: the rest is then an interval.
    highest = likelihood
    for axis in (0, 1):
        before, after = np.roll(highest, 1, axis), np.roll(highest, -1, axis)
        highest = np.maximum(highest, np.maximum(before, after))
    first, last = np.nonzero(np.triu(likelihood >= highest, 1))
    worth = np.round(likelihood[first, last] / weights.sum(), DIGITS)
    ranked = np.argsort(-worth, kind="stable")[:most]
    place = np.empty(len(points), dtype=np.int64)
    place[order] = np.arange(len(points))
    return [((first[i] <= place) & (place < last[i])).astype(np.int64) for i in ranked]


def _log_likelihoods(points: FloatArray, weights: FloatArray) -> FloatArray:
    """Of rising points (n,): of points i to j - 1 and all others, up to a constant, at [i, j] and [j, i]."""
    n = len(points)
    sums = np.zeros((3, n + 1))
    np.cumsum(weights * np.stack([np.ones(n), points, points**2]), axis=1, out=sums[:, 1:])
    first, last = np.triu_indices(n, 1)
    inside = sums[:, last] - sums[:, first]
    counts, totals, squares = np.stack([inside, sums[:, -1:] - inside], axis=1)
    # Beside heavy points light ones may be lost in sums.
    counts = np.maximum(counts, weights.min())
    scatter = np.maximum(squares - totals * (totals / counts), 0.0)
    variances = (scatter + PSEUDO * SPREAD) / (counts + PSEUDO)
    found: FloatArray = np.full((n, n), -np.inf)
    found[first, last] = (counts * (np.log(counts) - 0.5 * np.log(variances))).sum(axis=0)
    found[last, first] = found[first, last]
    return found


def nested(mean: FloatArray, covariance: FloatArray, family: CovarianceFamily) -> list[Mixture]:
    """Two components at the mean (1,) of rows with a covariance (1, 1), one narrow and one wide."""
    means = np.stack([mean, mean])
    shares = np.full(2, 0.5)
    return [
        Mixture(shares, means, family.from_matrices(np.stack([a * covariance, b * covariance])), family)
        for a, b in NESTED
    ]
