"""Which points are noise: those whose neighbours are far off, as scattered points' are.

Byers and Raftery, "Nearest-neighbor clutter removal for estimating features in spatial point
processes", Journal of the American Statistical Association 93 (1998) 577.
"""

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import gammaln, logsumexp

from gaussmix.errors import SettingsError
from gaussmix.kernels.contract import FloatArray

# Too few rows to tell two intensities from one.
MIN_ROWS = 10
# Ten neighbours give an intensity to within a third (1 / sqrt(10)), in any dimension, and the two
# must differ far more; more neighbours blur what lies close together. Not above an eighth of the
# rows, so that a group of that size has its neighbours inside itself.
MOST_NEIGHBOURS, LEAST_NEIGHBOURS, ROWS_PER_NEIGHBOUR = 10, 2, 8
# Least log ratio of the two intensities, and what is added for each dimension. A likelihood test
# against one intensity will not do: no Gaussian group has one intensity, and two always fit its
# core and tails better (12 to 32 % called noise). Gaussian groups without noise came to at most
# 2.9 in 2 dimensions and 3.4 in 10 (50 to 30,000 rows), and 6.5 in 50 (50 to 3,000 rows);
# below 30 rows chance makes more of it in up to a quarter of data sets.
LEAST_LOG_RATIO, LOG_RATIO_PER_DIMENSION = 3.0, 0.1
MAX_ROUNDS, LEAST_GAIN = 500, 1e-9
# Neighbours are asked for in blocks of this many answers, to bound memory.
BLOCK_ANSWERS = 1 << 21
# exp of this is still finite when added up over all points.
LARGEST_EXPONENT = 600.0


def noise_probabilities(
    points: FloatArray, weights: FloatArray, n_neighbours: int | None = None
) -> FloatArray:
    """Probability of each point that it is noise, scattered thinly among denser groups.

    Parameters
    ----------
    points : (n, D) array
        In units in which distances mean something (whitened), finite.
    weights : (n,) array
        Positive. A point of weight 3 is three rows in one place; where weights are below 1 on
        average, a row is their mean.
    n_neighbours : int, optional
        k; the distance to the k-th nearest other row tells how dense a place is. Default: an eighth
        of the rows, but at least 2 and at most 10.

    Returns
    -------
    (n,) array
        All 0 if there are fewer than 10 rows, or no second, much thinner population.

    Raises
    ------
    SettingsError
        If ``n_neighbours`` is below 1, or there are not so many other rows.

    Notes
    -----
    Where rows fall at random with intensity lambda, lambda times the volume of the ball out to the
    k-th neighbour is Gamma(k, 1). A mixture of two such, dense and thin, is fitted by EM; noise is
    the thin one. It must be thinner than a Gaussian group's tail is: exp(3 + D / 10) times.

    The method knows two densities only: beside a tight group, or many rows almost equal, all that
    is much looser is noise to it, even if that is most of the rows.
    """
    # Sorted, for a sum that not even by rounding depends on their order.
    unit = min(1.0, float(np.sort(weights).mean()))
    counts = weights / unit
    n_rows, n_features = float(counts.sum()), points.shape[1]
    if n_rows < MIN_ROWS * (1.0 - 1e-9):
        return np.zeros(len(points))
    k = _default_neighbours(n_rows) if n_neighbours is None else n_neighbours
    if not 1 <= k <= n_rows - 1.0:
        raise SettingsError(
            f"n_neighbours={k}: from 1 to {int(n_rows) - 1} will do, there being {n_rows:.6g} rows"
        )
    distances = _untied(_neighbour_distances(points, counts, k), points)
    log_volumes = n_features * np.log(distances / distances.max())
    # Sorted and equal ones joined, so that neither the order of points nor the difference between
    # a weight and repeated rows changes even the rounding.
    order = np.lexsort((counts, log_volumes))
    starts = np.r_[True, np.diff(log_volumes[order]) > 0.0]
    first = np.flatnonzero(starts)
    found = _fitted(
        log_volumes[order][first],
        np.add.reduceat(counts[order], first),
        k,
        LEAST_LOG_RATIO + LOG_RATIO_PER_DIMENSION * n_features,
    )
    probabilities = np.empty(len(points))
    probabilities[order] = found[np.cumsum(starts) - 1]
    return probabilities


def _default_neighbours(n_rows: float) -> int:
    """How many neighbours to look at among ``n_rows`` rows."""
    return min(MOST_NEIGHBOURS, max(LEAST_NEIGHBOURS, int(n_rows / ROWS_PER_NEIGHBOUR + 1e-9)))


def _neighbour_distances(points: FloatArray, counts: FloatArray, k: int) -> FloatArray:
    """Radius within which there are k rows beside one of the point's own: (n,)."""
    n_points = len(points)
    tree = cKDTree(points, leafsize=32)
    distances = np.empty(n_points)
    left = np.arange(n_points)
    n_asked = min(k + 1, n_points)
    while len(left) > 0:
        unfinished = []
        for block in np.array_split(left, -(-len(left) * n_asked // BLOCK_ANSWERS)):
            found, indices = tree.query(points[block], k=np.arange(1, n_asked + 1), workers=1)
            # Short of k + 1 by rounding only is enough.
            enough = np.cumsum(counts[indices], axis=1) >= (k + 1) * (1.0 - 1e-9)
            # There are so many rows in all: again only rounding can say otherwise.
            done = enough[:, -1] | (n_asked == n_points)
            enough[:, -1] = True
            distances[block[done]] = found[done, enough[done].argmax(axis=1)]
            unfinished.append(block[~done])
        left = np.concatenate(unfinished)
        n_asked = min(2 * n_asked, n_points)
    return distances


def _untied(distances: FloatArray, points: FloatArray) -> FloatArray:
    """Distances (n,), those that are 0 but for rounding raised to the smallest that is not.

    Rows tied k deep have no density; the densest place with one is as much as can be said.
    """
    rounding = 4.0 * np.finfo(float).eps * np.sqrt(points.shape[1]) * np.abs(points).max()
    known = distances[distances > rounding]
    return np.maximum(distances, known.min()) if len(known) > 0 else np.ones(len(distances))


def _fitted(log_volumes: FloatArray, counts: FloatArray, k: int, least_log_ratio: float) -> FloatArray:
    """Probability (m,) of the thin population, by EM; 0 if the two are not that far apart.

    ``log_volumes`` (m,) rise; of an unknown unit, which only shifts the log intensities.
    """
    if len(log_volumes) < 2:
        return np.zeros(len(log_volumes))
    total = counts.sum()
    thin = np.arange(len(log_volumes)) >= _split(log_volumes, counts)
    log_shares = np.where(np.column_stack([~thin, thin]), 0.0, -np.inf)
    log_counts = np.log(counts)[:, None]
    log_intensities, previous = np.zeros(2), -np.inf
    for _ in range(MAX_ROUNDS):
        masses = counts @ np.exp(log_shares)
        if masses.min() < 0.5:
            # Less than half a row is no population, but one that vanishes, as can happen among ties.
            return np.zeros(len(log_volumes))
        log_intensities = np.log(k * masses) - logsumexp(
            log_counts + log_shares + log_volumes[:, None], axis=0
        )
        log_expected = log_intensities + log_volumes[:, None]
        log_joint = (
            np.log(masses / total)
            + k * log_expected
            - np.exp(np.minimum(log_expected, LARGEST_EXPONENT))
            - gammaln(k)
        )
        log_densities = logsumexp(log_joint, axis=1)
        log_shares = log_joint - log_densities[:, None]
        height = float(counts @ log_densities) / total
        if height - previous < LEAST_GAIN:
            break
        previous = height
    if log_intensities[0] - log_intensities[1] < least_log_ratio:
        return np.zeros(len(log_volumes))
    thin_shares: FloatArray = np.exp(log_shares[:, 1])
    return thin_shares


def _split(values: FloatArray, counts: FloatArray) -> int:
    """Index from which rising values (m,) are the upper of two groups: the best 2-means, exactly."""
    centred = values - (counts @ values) / counts.sum()
    below, sums = np.cumsum(counts)[:-1], np.cumsum(counts * centred)[:-1]
    # Not the total less those below, which is 0 beside a count that outweighs rounding.
    above = np.cumsum(counts[::-1])[-2::-1]
    # Between-group sum of squares, the two groups' sums being opposite.
    return 1 + int(np.argmax(sums**2 / (below * above)))
