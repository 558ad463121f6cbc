"""k-means++ seeding and k-means on a sample, for starts only.

Written here rather than called from a library because starts must be the same bits on any number
of threads, and the same for rows of weight 2 as for rows given twice.
"""

import numpy as np

from gaussmix import kernels
from gaussmix.kernels.contract import FloatArray, Nearest

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
    chosen = [draw(weights, generator)]
    nearest = _squared_distances_from(points, points[chosen[0]])
    for _ in range(1, n_centres):
        masses = weights * nearest
        if not (masses > 0.0).any():
            # Points too near one another to tell apart: any that is left is as good.
            chosen.append(int(np.setdiff1d(np.arange(len(points)), chosen)[0]))
            continue
        trials = [draw(masses, generator) for _ in range(n_trials)]
        candidates = [np.minimum(nearest, _squared_distances_from(points, points[t])) for t in trials]
        best = int(np.argmin([weights @ candidate for candidate in candidates]))
        chosen.append(trials[best])
        nearest = candidates[best]
    return np.array(chosen)


def cluster(points: FloatArray, weights: FloatArray, centres: FloatArray) -> np.ndarray:
    """Lloyd's k-means from given centres (K, D), until no label changes: labels (n,)."""
    found = kernels.nearest_centres(points, weights, centres)
    for _ in range(MAX_ROUNDS):
        centres = _moved(points, found, centres)
        moved = kernels.nearest_centres(points, weights, centres)
        if np.array_equal(moved.labels, found.labels):
            break
        found = moved
    return without_empty(points, found.labels, len(centres))


def nearest_centre(points: FloatArray, centres: FloatArray) -> np.ndarray:
    """Index of the nearest of K centres for each of n points: (n,)."""
    return kernels.nearest_centres(points, np.ones(len(points)), centres).labels


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


def _moved(points: FloatArray, found: Nearest, centres: FloatArray) -> FloatArray:
    """The mean of the points nearest to each centre; one without points moves to the point farthest off."""
    moved: FloatArray = centres + found.offsets / np.where(found.counts > 0.0, found.counts, 1.0)[:, None]
    for k in np.flatnonzero(found.counts == 0.0):
        far = int(found.distances.argmax())
        moved[k] = points[far]
        found.distances[far] = 0.0
    return moved


def draw(masses: FloatArray, generator: np.random.Generator) -> int:
    """An index, each with a chance in proportion to its mass (n,)."""
    cumulated = np.cumsum(masses)
    index = int(np.searchsorted(cumulated, generator.random() * cumulated[-1], side="right"))
    return min(index, int(np.flatnonzero(masses)[-1]))


def _squared_distances_from(points: FloatArray, centre: FloatArray) -> FloatArray:
    return kernels.nearest_centres(points, np.ones(len(points)), centre[None]).distances
