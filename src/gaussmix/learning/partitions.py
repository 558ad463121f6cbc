"""Ways to share rows out between K components, for starts: labels of points.

All are seeded, and see points only through distances and covariances. Points are rows in units in which
their covariance is 1, or each column's variance, so that no change of columns' units changes them.
"""

from collections.abc import Callable

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.linalg import solve_triangular

from gaussmix.kernels.contract import FloatArray
from gaussmix.learning.kmeans import cluster, draw, nearest_centre, seed_centres, without_empty
from gaussmix.learning.settings import responsibilities_of

Partition = Callable[[FloatArray, FloatArray, int, np.random.Generator], np.ndarray]
"""From points (n, M), weights (n,), K and a generator: labels (n,), each of 0 .. K - 1 at least once."""

# Agglomeration starts from at most so many groups, and those from at most so many points.
GROUPS, AGGLOMERATED = 40, 500
# Of a seed's chances, the share that does not depend on distance (Bloemer and Bujna 2013).
UNIFORM_SHARE = 0.5
# Squared spread, in units of that of all points, of the pseudo-points that small groups are given.
SMALL_SPREAD = 0.1
# Of a trace, what rounding can leave of an eigenvalue that is 0.
ROUNDED = 1e-14


def kmeans(
    points: FloatArray, weights: FloatArray, n_components: int, generator: np.random.Generator
) -> np.ndarray:
    """k-means from k-means++ seeds: labels (n,)."""
    seeds = points[seed_centres(points, weights, n_components, generator)]
    return cluster(points, weights, seeds)


def nearest_seed(
    points: FloatArray, weights: FloatArray, n_components: int, generator: np.random.Generator
) -> np.ndarray:
    """Each point with the nearest of K k-means++ seeds: labels (n,)."""
    seeds = points[seed_centres(points, weights, n_components, generator)]
    return without_empty(points, nearest_centre(points, seeds), n_components)


def nearest_row(
    points: FloatArray, weights: FloatArray, n_components: int, generator: np.random.Generator
) -> np.ndarray:
    """Each point with the nearest of K points drawn at random, by weight: labels (n,)."""
    seeds = points[some(weights, n_components, generator)[0]]
    return without_empty(points, nearest_centre(points, seeds), n_components)


def adaptive(
    points: FloatArray, weights: FloatArray, n_components: int, generator: np.random.Generator
) -> np.ndarray:
    """One group more at a time, about a point far from all groups in THEIR standard deviations.

    Bloemer and Bujna, arXiv:1312.5946 (2013): after each seed the points go to the nearest centre,
    and each group's own covariance says what is far.
    """
    labels = np.zeros(len(points), dtype=np.int64)
    by_weight = weights / weights.sum()
    for k in range(1, n_components):
        nearest = np.full(len(points), np.inf)
        centres = np.empty((k + 1, points.shape[1]))
        for j in range(k):
            own = labels == j
            centres[j], lower = _gaussian(points[own], weights[own], 1.0)
            nearest = np.minimum(nearest, _squared_lengths(points - centres[j], lower))
        far = weights * nearest
        # Where all points lie at centres, or beyond all measure from one, none is farther than others.
        all_far = far.sum()
        by_distance = far / all_far if 0.0 < all_far < np.inf else by_weight
        chances = UNIFORM_SHARE * by_weight + (1.0 - UNIFORM_SHARE) * by_distance
        centres[k] = points[draw(chances, generator)]
        labels = without_empty(points, nearest_centre(points, centres), k + 1)
    return labels


def agglomerative(
    points: FloatArray, weights: FloatArray, n_components: int, generator: np.random.Generator
) -> np.ndarray:
    """Model-based agglomeration: the two groups go together that lose the least likelihood.

    Fraley, SIAM Journal on Scientific Computing 20 (1998) 270, for covariances of their own. As single
    points have none, it starts from some dozen groups of Ward's, of some hundred points.
    """
    chosen, few_weights = some(weights, AGGLOMERATED, generator)
    few, d = points[chosen], points.shape[1]
    most = max(min(GROUPS, len(few) // (2 * (d + 1))), min(2 * n_components, len(few)))
    groups = fcluster(linkage(few, "ward"), most, "maxclust") - 1
    if int(groups.max()) + 1 <= n_components:
        return _told_to_all(points, chosen, few_weights, groups, n_components)
    labels = _Merging(few, few_weights, groups).until(n_components)
    return _told_to_all(points, chosen, few_weights, labels[groups], n_components)


class _Merging:
    """Groups of points, and what each pair would lose by becoming one."""

    def __init__(self, points: FloatArray, weights: FloatArray, groups: np.ndarray) -> None:
        n_groups, d = int(groups.max()) + 1, points.shape[1]
        self.counts: FloatArray = np.bincount(groups, weights, n_groups).astype(np.float64)
        sums = [np.bincount(groups, weights * points[:, j], n_groups) for j in range(d)]
        self.means = np.stack(sums, axis=1) / self.counts[:, None]
        away = points - self.means[groups]
        order = np.argsort(groups, kind="stable")
        firsts = np.searchsorted(groups[order], np.arange(n_groups))
        products = (weights[:, None] * away)[order][:, :, None] * away[order][:, None, :]
        self.scatters = np.add.reduceat(products, firsts, axis=0)
        self.costs = self._cost(self.counts, self.scatters)
        self.losses = np.full((n_groups, n_groups), np.inf)
        upper = np.triu_indices(n_groups, 1)
        self.losses[upper] = self._losses(*upper)

    def until(self, n_components: int) -> np.ndarray:
        """Merge until so many are left: the final label of each group (G,)."""
        labels = np.arange(len(self.counts))
        for _ in range(len(self.counts) - n_components):
            i, j = (int(place) for place in np.unravel_index(np.argmin(self.losses), self.losses.shape))
            self._merge(i, j)
            labels[labels == j] = i
            left = np.unique(labels)
            others = left[left != i]
            self.losses[np.minimum(i, others), np.maximum(i, others)] = self._losses(
                np.full(len(others), i), others
            )
        found: np.ndarray = np.unique(labels, return_inverse=True)[1]
        return found

    def _merge(self, i: int, j: int) -> None:
        one, other = np.array([i]), np.array([j])
        self.scatters[i] = self._joint(one, other)[0]
        total = self.counts[i] + self.counts[j]
        self.means[i] = (self.counts[i] * self.means[i] + self.counts[j] * self.means[j]) / total
        self.counts[i] = total
        self.costs[i] = self._cost(self.counts[one], self.scatters[one])[0]
        self.losses[j, :] = np.inf
        self.losses[:, j] = np.inf

    def _joint(self, i: np.ndarray, j: np.ndarray) -> FloatArray:
        """Scatters (m, D, D) of pairs of groups, each pair about its own mean."""
        apart = self.means[i] - self.means[j]
        between = self.counts[i] * self.counts[j] / (self.counts[i] + self.counts[j])
        joint: FloatArray = self.scatters[i] + self.scatters[j]
        joint += between[:, None, None] * apart[:, :, None] * apart[:, None, :]
        return joint

    def _losses(self, i: np.ndarray, j: np.ndarray) -> FloatArray:
        """What pairs of groups lose of the log-likelihood when they become one: (m,)."""
        joint = self._cost(self.counts[i] + self.counts[j], self._joint(i, j))
        losses: FloatArray = joint - self.costs[i] - self.costs[j]
        return losses

    def _cost(self, counts: FloatArray, scatters: FloatArray) -> FloatArray:
        """Minus the log-likelihood of points known to be a group's, up to what all have alike: (m,).

        Pseudo-points of small spread, as many as a covariance has directions and one, keep a group of
        few points from being infinitely likely.
        """
        d = scatters.shape[1]
        pseudo = d + 1.0
        covariances = scatters + SMALL_SPREAD * pseudo * np.eye(d)
        covariances /= (counts + pseudo)[:, None, None]
        # No lower than of the pseudo-points alone, which rounding may hide beside long axes.
        lowest = d * np.log(SMALL_SPREAD * pseudo / (counts + pseudo))
        logs = np.maximum(np.linalg.slogdet(covariances)[1], lowest)
        costs: FloatArray = counts * (0.5 * logs - np.log(counts))
        return costs


def some(weights: FloatArray, most: int, generator: np.random.Generator) -> tuple[np.ndarray, FloatArray]:
    """All points, or at most so many drawn by weight: their places, rising, and their weights."""
    if len(weights) <= most:
        return np.arange(len(weights)), weights
    return drawn_by_weight(weights, most, generator), np.ones(most)


def drawn_by_weight(weights: FloatArray, n_drawn: int, generator: np.random.Generator) -> np.ndarray:
    """Places of points drawn by weight, none twice, rising: (n_drawn,)."""
    # Exponential races (Efraimidis and Spirakis 2006), in logarithms: weights may differ by any factor.
    races = np.log(generator.exponential(size=len(weights))) - np.log(weights)
    return np.sort(np.argsort(races)[:n_drawn])


def _told_to_all(
    points: FloatArray, chosen: np.ndarray, few_weights: FloatArray, labels: np.ndarray, n_components: int
) -> np.ndarray:
    """Labels of chosen points (m,) for all (n,): the others go where they are likeliest."""
    if len(chosen) == len(points):
        return without_empty(points, labels, n_components)
    found = np.empty(len(points), dtype=np.int64)
    highest = np.full(len(points), -np.inf)
    few = points[chosen]
    for k in range(int(labels.max()) + 1):
        own = labels == k
        count = few_weights[own].sum()
        centre, lower = _gaussian(few[own], few_weights[own], SMALL_SPREAD)
        log_density = np.log(count) - np.log(np.diagonal(lower)).sum()
        log_density = log_density - 0.5 * _squared_lengths(points - centre, lower)
        higher = log_density > highest
        highest[higher], found[higher] = log_density[higher], k
    found[chosen] = labels
    return without_empty(points, found, n_components)


def _gaussian(points: FloatArray, weights: FloatArray, spread: float) -> tuple[FloatArray, FloatArray]:
    """Mean (D,) and root (D, D), L L^T, of points' covariance with D + 1 pseudo-points of some spread."""
    d = points.shape[1]
    pseudo, count = d + 1.0, weights.sum()
    centre = weights @ points / count
    away = points - centre
    covariance = (away * weights[:, None]).T @ away + spread * pseudo * np.eye(d)
    try:
        return centre, np.linalg.cholesky(covariance / (count + pseudo))
    except np.linalg.LinAlgError:
        # Beside rows of large weight the pseudo-points are less than rounding.
        covariance = covariance + ROUNDED * np.trace(covariance) * np.eye(d)
        return centre, np.linalg.cholesky(covariance / (count + pseudo))


def _squared_lengths(away: FloatArray, lower: FloatArray) -> FloatArray:
    """Of vectors (n, D), in standard deviations of a covariance L L^T: (n,)."""
    whitened = solve_triangular(lower, away.T, lower=True)
    squared: FloatArray = np.einsum("dn,dn->n", whitened, whitened)
    return squared


METHODS: dict[str, Partition] = {
    "agglomerative": agglomerative,
    "kmeans": kmeans,
    "k-means++": nearest_seed,
    "adaptive": adaptive,
    "random_from_data": nearest_row,
}


def shared_out(
    method: str,
    points: FloatArray,
    weights: FloatArray,
    n_components: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """By a method of ``init_params``: labels (n,), or responsibilities (n, K) for random ones."""
    if method == "random":
        shares = generator.random((len(weights), n_components))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))
    return METHODS[method](points, weights, n_components, generator)


def table_of(found: np.ndarray, n_components: int) -> FloatArray:
    """What ``shared_out`` found, as responsibilities (n, K)."""
    return found if found.ndim == 2 else responsibilities_of(found, n_components)


def regardless_of_numbers(found: np.ndarray) -> bytes:
    """The same for labels (n,) that differ only in which number a group has."""
    if found.ndim == 2:
        return found.tobytes()
    _, first, numbers = np.unique(found, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[numbers].astype(np.int32).tobytes()
