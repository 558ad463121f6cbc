"""How far rows are from being Gaussian around each component, in two numbers.

Each component is compared with the rows that it holds, each row counted by its responsibility: under the
mixture these have exactly the component's distribution, however much components overlap.

Radial: the chi-squared probability of a row's squared Mahalanobis distance is uniform. This is the
randomised probability integral transform, whose component is drawn from the responsibilities, averaged over
that draw; the statistic is n times Cramer and von Mises' squared distance from uniform.

Shape: the energy distance between the component's rows, in its standard deviations, and N(0, I), whose
expectations are known (Szekely and Rizzo, Journal of Multivariate Analysis 93 (2005) 58; Journal of
Statistical Planning and Inference 143 (2013) 1249). It is taken component by component because in the
units of the whole table the distance between far groups would drown the shape of each.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import chdtr, gammaln, hyp1f1

from gaussmix.kernels.contract import FloatArray
from gaussmix.model.mixture import Mixture
from gaussmix.model.overlap import factor_matrices

# A component's shape is compared with rows that it holds at least this share of.
SHAPE_SHARE = 0.01
# Pairs of rows whose distances are taken, in all components together; and rows, whatever K.
SHAPE_PAIRS, LEAST_SHAPE_ROWS = 2_000_000, 200
# SciPy's confluent function is exact up to so many features; from there a series is good to 1e-7.
FEW_FEATURES = 100
# Shares of a Gaussian outside the ellipsoids that ``outside`` and ``far_out`` are about.
OUTSIDE, FAR_OUT = 0.05, 0.001


@dataclass(frozen=True, eq=False)
class Misfit:
    """How far rows are from a mixture."""

    radial: float
    shape: float
    radial_of_each: FloatArray
    """(K,)."""
    shape_of_each: FloatArray
    """(K,)."""
    outside: float
    """Share of the rows outside their components' 95% ellipsoids: 0.05 for Gaussians."""
    far_out: float
    """Share of the rows outside their components' 99.9% ellipsoids: 0.001 for Gaussians."""


def misfit(mixture: Mixture, rows: FloatArray, weights: FloatArray) -> Misfit:
    """Both statistics of rows (n, D) with weights (n,), which stand in no particular order.

    Rows of noise have no part in it.
    """
    _, shares, _, distances = mixture.scores(rows)
    masses = shares * weights[:, None]
    levels = chdtr(mixture.n_features, distances)
    radial_of_each = np.array([_from_uniform(u, m) for u, m in zip(levels.T, masses.T, strict=True)])
    outside, far_out = (
        float(masses[levels > 1.0 - share].sum() / max(masses.sum(), np.finfo(np.float64).tiny))
        for share in (OUTSIDE, FAR_OUT)
    )
    n_rows = int(np.sqrt(SHAPE_PAIRS / mixture.n_components))
    few = slice(0, max(n_rows, LEAST_SHAPE_ROWS))
    shape_of_each = _shapes(mixture, rows[few], masses[few], shares[few])
    return Misfit(
        radial=_from_uniform(levels.ravel(), masses.ravel()),
        shape=float(shape_of_each.sum()),
        radial_of_each=radial_of_each,
        shape_of_each=shape_of_each,
        outside=outside,
        far_out=far_out,
    )


def _from_uniform(values: FloatArray, masses: FloatArray) -> float:
    """Total mass times the integral of the squared difference between distribution functions."""
    total = masses.sum()
    if total <= 0.0:
        return 0.0
    order = np.argsort(values)
    shares = masses[order] / total
    middles = np.cumsum(shares) - 0.5 * shares
    return float(total * (shares @ (values[order] - middles) ** 2 + (shares**3).sum() / 12.0))


def _shapes(mixture: Mixture, rows: FloatArray, masses: FloatArray, shares: FloatArray) -> FloatArray:
    """Energy statistic of each component: (K,)."""
    found = np.zeros(mixture.n_components)
    for k, factor in enumerate(factor_matrices(mixture)):
        held = shares[:, k] > SHAPE_SHARE
        count = masses[held, k].sum()
        if count > 0.0:
            places = (rows[held] - mixture.means[k]) @ factor
            found[k] = count * energy_from_normal(places, masses[held, k] / count)
    return found


def energy_from_normal(places: FloatArray, shares: FloatArray) -> float:
    """Energy distance of places (n, D), of which each has a share (n,) of 1, from N(0, I).

    2 E|y - Z| - E|Z - Z'| - E|y - y'|, which is 0 for equal distributions only.
    """
    n_features = places.shape[1]
    squares = np.einsum("nd,nd->n", places, places)
    between = 2.0 * float(shares @ mean_distance(squares, n_features))
    within = float(shares @ cdist(places, places) @ shares)
    return float(between - np.sqrt(2.0) * mean_distance(np.zeros(1), n_features)[0] - within)


def mean_distance(squares: FloatArray, n_features: int) -> FloatArray:
    """E|y - Z| for Z from N(0, I) in D dimensions and squared lengths |y|^2 (n,): (n,)."""
    if n_features <= FEW_FEATURES:
        half = 0.5 * n_features
        scale = np.sqrt(2.0) * np.exp(gammaln(half + 0.5) - gammaln(half))
        return np.asarray(scale * hyp1f1(-0.5, half, -0.5 * squares))
    # |y - Z|^2 is a noncentral chi-squared: the mean of its root, from its first cumulants.
    mean, variance = n_features + squares, 2.0 * (n_features + 2.0 * squares)
    third, fourth = 8.0 * (n_features + 3.0 * squares), 48.0 * (n_features + 4.0 * squares)
    fifth = 384.0 * (n_features + 5.0 * squares)
    series = (
        1.0
        - variance / (8.0 * mean**2)
        + third / (16.0 * mean**3)
        - 5.0 * (fourth + 3.0 * variance**2) / (128.0 * mean**4)
        + 7.0 * (fifth + 10.0 * third * variance) / (256.0 * mean**5)
        - 315.0 * variance**3 / (1024.0 * mean**6)
    )
    return np.asarray(np.sqrt(mean) * series)


def lopsidedness(mixture: Mixture, rows: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """How much farther each component's rows reach up than down, by feature, and its weight: (K, D), (K,).

    (q95 + q5 - 2 q50) / (q95 - q5) of quantiles, from -1 to 1: 0 for a Gaussian, 0.56 for an exponential
    (Kelley, Fundamentals of Statistics, 1947, has it with q90 and q10). Unlike third moments it does not
    heed a few rows far out. Its standard error from n rows of a Gaussian is 1 / sqrt(n).
    """
    masses = mixture.scores(rows).shares * weights[:, None]
    counts = masses.sum(axis=0)
    found = np.zeros(mixture.means.shape)
    orders = np.argsort(rows, axis=0)
    for k in np.flatnonzero(counts > 0.0):
        for j, order in enumerate(orders.T):
            reached = np.cumsum(masses[order, k]) / counts[k]
            places = np.minimum(np.searchsorted(reached, (0.05, 0.5, 0.95)), len(rows) - 1)
            low, middle, high = rows[order[places], j] - mixture.means[k, j]
            found[k, j] = ((high - middle) - (middle - low)) / (high - low) if high > low else 0.0
    return found, counts
