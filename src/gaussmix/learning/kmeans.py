"""k-means++ seeding and k-means on a sample, for starts only.

Written here rather than called from a library because starts must be the same bits on any number
of threads, and the same for rows of weight 2 as for rows given twice.
"""

import numpy as np

from gaussmix.kernels.contract import FloatArray

MAX_ROUNDS = 100


def seed_centres(
    points: FloatArray, weights: FloatArray, n_centres: int, generator: np.random.Generator
) -> np.ndarray:
    """Choose points as first centres, far from one another.

    Parameters
    ----------
    points : (n, D) array
        Whitened, distinct.
    weights : (n,) array
        Positive.
    n_centres : int
        K, at most n.
    generator : numpy.random.Generator

    Returns
    -------
    (K,) array of int
        Indices of different points.

    Notes
    -----
    Greedy k-means++ (Arthur and Vassilvitskii, SODA 2007): each centre is the best of 2 + log K
    points drawn by weight times squared distance from the centres so far.
    """
    n_trials = 2 + int(np.log(n_centres))
    chosen = [_draw(weights, generator)]
    nearest = _squared_distances_from(points, points[chosen[0]])
    for _ in range(1, n_centres):
        if not (nearest > 0.0).any():
            # Points too near one another to tell apart: any that is left is as good.
            chosen.append(int(np.setdiff1d(np.arange(len(points)), chosen)[0]))
            continue
        trials = [_draw(weights * nearest, generator) for _ in range(n_trials)]
        candidates = [np.minimum(nearest, _squared_distances_from(points, points[t])) for t in trials]
        best = int(np.argmin([weights @ candidate for candidate in candidates]))
        chosen.append(trials[best])
        nearest = candidates[best]
    return np.array(chosen)


def cluster(points: FloatArray, weights: FloatArray, centres: FloatArray) -> np.ndarray:
    """Lloyd's k-means from given centres (K, D), until no label changes: labels (n,)."""
    labels = nearest_centre(points, centres)
    for _ in range(MAX_ROUNDS):
        centres = _cluster_means(points, weights, labels, centres)
        moved = nearest_centre(points, centres)
        if np.array_equal(moved, labels):
            break
        labels = moved
    return without_empty(points, labels, len(centres))


def nearest_centre(points: FloatArray, centres: FloatArray) -> np.ndarray:
    """Index of the nearest of K centres for each of n points: (n,)."""
    distances = np.stack([_squared_distances_from(points, centre) for centre in centres], axis=1)
    nearest: np.ndarray = np.argmin(distances, axis=1)
    return nearest


def without_empty(points: FloatArray, labels: np.ndarray, n_centres: int) -> np.ndarray:
    """Labels (n,) under which each of ``n_centres`` clusters has a point; n is at least that many."""
    labels = labels.copy()
    for k in range(n_centres):
        counts = np.bincount(labels, minlength=n_centres)
        if counts[k] > 0:
            continue
        # The farthest point of the largest cluster from that cluster's mean.
        members = np.flatnonzero(labels == counts.argmax())
        offsets = _squared_distances_from(points[members], points[members].mean(axis=0))
        labels[members[offsets.argmax()]] = k
    return labels


def _cluster_means(
    points: FloatArray, weights: FloatArray, labels: np.ndarray, centres: FloatArray
) -> FloatArray:
    n_centres = centres.shape[0]
    counts = np.bincount(labels, weights=weights, minlength=n_centres)
    sums = np.stack(
        [np.bincount(labels, weights=weights * column, minlength=n_centres) for column in points.T], axis=1
    )
    means = np.where(counts[:, None] > 0.0, sums / np.where(counts > 0.0, counts, 1.0)[:, None], centres)
    for k in np.flatnonzero(counts == 0.0):
        # A centre without points moves to the point farthest from its own centre.
        far = int((((points - means[labels]) ** 2).sum(axis=1)).argmax())
        means[k] = points[far]
        labels[far] = k
    return np.asarray(means)


def _draw(masses: FloatArray, generator: np.random.Generator) -> int:
    cumulated = np.cumsum(masses)
    index = int(np.searchsorted(cumulated, generator.random() * cumulated[-1], side="right"))
    return min(index, int(np.flatnonzero(masses)[-1]))


def _squared_distances_from(points: FloatArray, centre: FloatArray) -> FloatArray:
    offsets = points - centre
    distances: FloatArray = np.einsum("nd,nd->n", offsets, offsets)
    return distances
